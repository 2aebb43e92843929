"""When a statement holds, as its own words say: a citation in, the time named nearest to its quote out (AsOf).

Looks in the quote's sentence, then in the one before it in the same paragraph. Rules, no model: days, months, years and
what stands around them; "last year" and its like, and days without a year, are told apart as relative, since only the
reader knows to what.
"""

import re
from collections.abc import Sequence
from functools import partial

from qa.chunking import sentence_around
from qa.datatypes import Answer, AsOf, Citation, Span
from qa.values import MONTHS

_NAMES = MONTHS.split("|")
_MONTH = rf"(?:(?:{MONTHS})\b|(?:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b\.?)"
_WEEKDAY = r"(?:mon|tues|wednes|thurs|fri|satur|sun)day"
_SEASON = r"(?:spring|summer|autumn|fall|winter)"
_YEAR = r"(?:1[5-9]|20)\d\d"
_DAY = r"\b(?:[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?"
_CALENDAR = rf"(?:{_DAY} (?:of )?)?\b{_MONTH}(?: {_DAY}\b)?"  # a month, or a day of one
_DATE = (
    rf"(?:(?:{_WEEKDAY},? )?{_CALENDAR},? ?(?:of )?{_YEAR}|{_YEAR}-(?:0[1-9]|1[0-2])-(?:[0-2]\d|3[01])|"
    rf"(?:[0-2]?\d|3[01])\.(?:0?[1-9]|1[0-2])\.{_YEAR})\b"
)
_RANGE = (
    rf"\b(?:(?P<between>between )|from )?(?P<first>{_DATE}|{_CALENDAR}|{_YEAR})"
    rf"(?: ?(?:to|until|through|-|–|(?(between)and|(?!))) ?)(?P<last>{_DATE}|(?P<bare>{_YEAR}\b))"
)
_LONE_YEAR = (
    rf"(?<![\d,.$€£¥])(?<![\d$€£¥]-)(?:\b(?P<part>mid|early|late)[- ])?\b(?P<bare>{_YEAR})\b(?![,.]?\d|-?[a-z]|[%°])"
)
_LONE_DAY = (  # its capital tells May from what one may do; "in May 10 people" counts people
    rf"\b(?:{_DAY} (?:of )?(?-i:(?=[A-Z])){_MONTH}|(?<!\bin )(?-i:(?=[A-Z])){_MONTH} {_DAY}\b(?![,.]?\d))"
)
_COUNT = r"(?:an?|one|two|three|four|five|six|seven|eight|nine|ten|several|some|few|couple of|\d{1,2})"
_PERIOD = r"(?:day|week|month|year|decade|century|centurie)s?"
_RELATIVE = (
    rf"\b(?:(?:last|this|next) (?:year|month|week|{_SEASON}|{_WEEKDAY}|(?:quarter|decade)(?! of\b))|"
    rf"(?:last|this|next) (?-i:(?=[A-Z])){_MONTH}|(?:on|by|since|until) {_WEEKDAY}|yesterday|today|tomorrow|"
    rf"(?<!what is )now(?! (?:an?|the|clear|known|says?|said|believed?|thought|thinks?)\b)|"
    rf"so far|to date|at present|currently|recently|(?:the|a) year before|"
    rf"{_COUNT} {_PERIOD} (?:ago|earlier|later)|the (?:previous|following) {_PERIOD}|"
    rf"(?:(?:over|in|during) )?the (?:past|last|next) (?:{_COUNT} )?{_PERIOD})\b"
)
_OPEN_WORD = (  # a time after it is open on a side
    r"\b(?:since|after|before|until|till|prior to)|(?:^|(?<=[,;:.] )|(?<=\())from"
)
_OPEN_BEFORE = re.compile(rf"(?:{_OPEN_WORD})\s+$", re.IGNORECASE)
_OPEN = re.compile(_OPEN_WORD, re.IGNORECASE)
_PATTERNS = [re.compile(one, re.IGNORECASE) for one in (_RANGE, rf"\b{_DATE}", _LONE_YEAR, _LONE_DAY, _RELATIVE)]
_LEADS_TO_A_YEAR = re.compile(  # the end of what stands before a figure
    rf"(?:^|[(\[,;:–—.!?\"“]|(?:^|[.?!] )(?:and|(?:what|how) about)|"
    rf"\b(?:in|since|until|till|by|during|through|throughout|before|after|from|within|for|"
    rf"years?|fiscal|{_SEASON}|prior to|back to|{_YEAR},? (?:and|or)|"
    rf"(?:as|end|start|beginning|middle|half|quarter|rest|course|{_SEASON}) of)(?: the)?)\s*$",
    re.IGNORECASE,
)
_FOLLOWS_A_YEAR = re.compile(  # the words that are no nouns; before a noun a figure is a count
    r"\s*(?:$|[^\w\s]|[A-Z\d]|\w+ly\b|(?:the|an?|and|or|but|when|while|as|at|by|for|from|in|on|with|after|before|its?|his|"
    r"her|their|there|they|he|she|we|our|this|that|these|those|is|was|were|are|has|have|had|did|does|do|will|would|can|"
    r"could|may|might|must|about|around|over|only|alone|also|then|than|through|until|because|if|who|which|how|what|where|why|not|no|all|"
    r"both|each|every|another|some|more|most|almost|one|two|three|four|five|six|seven|eight|nine|ten)\b)"
)
_OPENS_A_SENTENCE = re.compile(r"\bIn (?:19|20)(?!00)\d\d$")  # no count, whatever follows: "In 2014 police said"
_OPENS_A_CLAUSE = re.compile(  # what stands before such a time, from the beginning of its sentence
    r"(?:.*;)?\W*(?:(?:and|but) )?(?:(?:in|on|by|as|at|since|until|before|after|from|during|for)\b[^\d,;]{0,20})?",
    re.IGNORECASE | re.DOTALL,
)
COMMA = 40  # characters that a comma between a quote and a time counts for
_WITHIN, _MEETS, _UNKNOWN, _APART = range(4)  # how a side's time lies to the wanted one


def as_of(citation: Citation) -> AsOf | None:
    """The time named nearest to the quote in its sentence or the one before it; the quote itself is none of its own."""
    document, sentence = citation.document, citation.sentence
    found = [(at, time) for at, time in times(citation.context, sentence.start) if not at.overlaps(citation.span)]
    if not found:
        before = document.text[: sentence.start].rstrip(" \t")
        if not before or before[-1] in "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029":  # the first of its paragraph
            return None
        earlier = sentence_around(document, Span(len(before) - 1, len(before)))
        found = times(document.slice(earlier), earlier.start)
        sentence = earlier
    spans = [at for at, _ in found]
    far = partial(_distance, document.text, citation.span, times=spans, start=sentence.start)
    nearest = min(found, key=lambda one: far(one[0]), default=None)
    return nearest[1] if nearest else None


def _distance(text: str, quote: Span, time: Span, *, times: Sequence[Span], start: int) -> int:
    """How far a time stands from a quote, in characters; a comma between them counts as many, a semicolon as more.

    Commas do not count after a time that opens the clause, if no other of the times stands between: "In 2014, 39".
    """
    between = text[min(quote.end, time.end) : max(quote.start, time.start)]
    last = time.end <= quote.start and not any(time.end <= one.start < quote.start for one in times)
    opens = last and _OPENS_A_CLAUSE.fullmatch(text, start, time.start)
    commas = 0 if opens else len(re.findall(r",(?!\d)", between))
    return len(between) + COMMA * (commas + 3 * between.count(";"))


def times(text: str, start: int = 0) -> list[tuple[Span, AsOf]]:
    """The times that a text names, in order, and where, counted from `start`; none inside another.

    >>> [time.value for _, time in times("From May 2014 to 2016, and on Dec. 31, 2019, it lent 15 of 2000 cranes")]
    ['2014-05/2016', '2019-12-31']
    """
    found: list[tuple[Span, AsOf]] = []
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            span = Span(match.start() + start, match.end() + start)
            if _is_time(match) and not any(span.overlaps(other) for other, _ in found):
                opened = _OPEN_BEFORE.search(text[max(0, match.start() - 12) : match.start()])
                found.append((span, AsOf((opened[0] if opened else "") + match.group(), _value(match))))
    return sorted(found, key=lambda one: one[0].start)


def _is_time(match: re.Match[str]) -> bool:
    """Whether what matched names a time: it does unless it is, or ends with, a bare figure that counts something."""
    named, text, at = match.groupdict(), match.string, match.start()
    if not named.get("bare"):
        return True
    if not _FOLLOWS_A_YEAR.match(text, match.end()):
        return bool(_OPENS_A_SENTENCE.search(text, max(0, at - 3), match.end()))
    return bool(named.get("first") or named.get("part") or _LEADS_TO_A_YEAR.search(text, max(0, at - 40), at))


def _value(match: re.Match[str]) -> str:
    named = match.groupdict()
    if "last" not in named:
        return _iso(match.group())
    last = _iso(named["last"])
    first = _iso(named["first"], year=last[:4])
    return f"{first}/{last}" if first < last else last


def _iso(written: str, *, year: str = "") -> str:
    """A date as ISO 8601 has it; of the given year if it names none, and "" if that is "" too."""
    figures = re.findall(r"\d+", written)
    year = next((figure for figure in figures if len(figure) == 4), year)
    rest = [f"{int(figure):02d}" for figure in figures if len(figure) < 4]
    month = re.search(rf"\b{_MONTH}", written, re.IGNORECASE)
    if month:
        rest.insert(0, f"{1 + [name[:3] for name in _NAMES].index(month.group()[:3].lower()):02d}")
    elif len(rest) == 2 and len(figures[0]) < 4:  # 30.11.2014
        rest.reverse()
    return "-".join([year, *rest]) if year else ""


def at_the_time(question: str, sides: Sequence[Answer]) -> list[Answer]:
    """The sides that may hold at the time the question names last, those that surely do first; all if none may.

    A question that leans on earlier ones has them before it, so what it names last is its own. A side whose own
    words give another time is left out; one that gives none, or a relative one, is kept, and so are all if the
    question's is relative or open on a side.
    """
    named = times(question)
    wanted = _days(named[-1][1]) if named else None
    if wanted is None:
        return list(sides)
    ranks = [_rank(_days(side.as_of, half_open=True), wanted) for side in sides]
    if min(ranks, default=_UNKNOWN) >= _UNKNOWN:
        return list(sides)
    return [sides[at] for rank, at in sorted(zip(ranks, range(len(sides)), strict=True)) if rank <= _UNKNOWN]


def _rank(given: tuple[str, str] | None, wanted: tuple[str, str]) -> int:
    """How surely a side that gives these days holds on the wanted ones; the less the surer."""
    if given is None:
        return _UNKNOWN
    if given[1] < wanted[0] or wanted[1] < given[0]:
        return _APART
    return _WITHIN if wanted[0] <= given[0] and given[1] <= wanted[1] else _MEETS


def _days(time: AsOf | None, *, half_open: bool = False) -> tuple[str, str] | None:
    """The first and the last day of a time, comparable as texts; None if it is relative, or there is none.

    A time that is open on a side has no such day there if `half_open` is set; if not, it is None.
    """
    if time is None or time.relative:
        return None
    parts = time.value.split("/")
    first, last = parts[0] + "-01-01"[len(parts[0]) - 4 :], parts[-1] + "-12-31"[len(parts[-1]) - 4 :]
    word = _OPEN.match(time.text)
    if word is None or len(parts) > 1:
        return first, last
    if not half_open:
        return None
    return (first, "9999") if word[0].lower() in ("since", "after", "from") else ("0000", last)
