"""When a statement holds, as its own words say: a citation in, the time named nearest to its quote out (AsOf).

Looks in the quote's sentence, then in the one before it in the same paragraph. Rules, no model: months, years and what
stands around them; "last year" and its like are told apart as relative, since only the reader knows to what.
"""

import re
from collections.abc import Iterator, Sequence

from qa.chunking import sentence_around
from qa.datatypes import Answer, AsOf, Citation, Span
from qa.values import MONTHS

_MONTH = rf"(?P<month>{MONTHS}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\.?"
_YEAR = r"(?:1[5-9]|20)\d\d"
_RANGE = re.compile(
    rf"\b(?:from |between )?(?P<from>{_YEAR})(?: ?(?:to|and|until|through|-|–) ?)(?P<to>{_YEAR})\b", re.IGNORECASE
)
_DAY = r"[0-3]?\d(?:st|nd|rd|th)?"
_DATE = re.compile(
    rf"\b(?:(?P<day>{_DAY}) )?{_MONTH}(?: (?P<day_after>{_DAY})\b)?,? ?(?P<year>{_YEAR})\b", re.IGNORECASE
)
_LONE_YEAR = re.compile(rf"(?<![\d,.$€£¥-])\b(?P<year>{_YEAR})\b(?![,.]?\d|-year|s\b)", re.IGNORECASE)
_RELATIVE = re.compile(
    r"\b(?:(?:last|this|next) (?:year|month|week|spring|summer|autumn|fall|winter)|yesterday|today|tomorrow|so far|"
    r"to date|at present|currently|recently|the year before|a year (?:ago|earlier))\b",
    re.IGNORECASE,
)
_NAMES = MONTHS.split("|")


def as_of(citation: Citation) -> AsOf | None:
    """The time named nearest to the quote in its sentence or the one before it; the quote itself is none of its own."""
    document, sentence = citation.document, citation.sentence
    found = [(at, time) for at, time in times(citation.context, sentence.start) if not at.overlaps(citation.span)]
    if not found:
        before = document.text[: sentence.start].rstrip(" \t")
        if not before or before[-1] in "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029":  # the first of its paragraph
            return None
        earlier = sentence_around(document, Span(len(before) - 1, len(before)))
        found = list(times(document.slice(earlier), earlier.start))
    quote = citation.span
    nearest = min(found, key=lambda one: max(one[0].start - quote.end, quote.start - one[0].end), default=None)
    return nearest[1] if nearest else None


def times(text: str, start: int = 0) -> Iterator[tuple[Span, AsOf]]:
    """Yield the times that a text names and where, counted from `start`; none inside another.

    >>> [time.value for _, time in times("From 2014 to 2016, and again on Dec. 31, 2019")]
    ['2014/2016', '2019-12-31']
    """
    taken: list[Span] = []
    for pattern in (_RANGE, _DATE, _LONE_YEAR, _RELATIVE):
        for match in pattern.finditer(text):
            span = Span(match.start() + start, match.end() + start)
            if not any(span.overlaps(other) for other in taken):
                taken.append(span)
                yield span, AsOf(match.group(), _value(match))


def _value(match: re.Match[str]) -> str:
    named = {name: value for name, value in match.groupdict().items() if value}
    if "from" in named:
        return f"{named['from']}/{named['to']}" if named["from"] < named["to"] else named["to"]
    if "month" not in named:
        return named.get("year", "")
    month = next(i for i, name in enumerate(_NAMES, 1) if name.startswith(named["month"].lower()[:3]))
    day = int(re.sub(r"\D", "", named.get("day") or named.get("day_after") or "0"))
    return f"{named['year']}-{month:02d}" + (f"-{day:02d}" if 1 <= day <= 31 else "")


def at_the_time(question: str, sides: Sequence[Answer]) -> list[Answer]:
    """The sides that may hold at the time the question names, those that do first; all of them if none surely does.

    A side whose own words give another time is left out; one that gives none, or a relative one, is kept.
    """
    wanted = next((time.years for _, time in times(question) if time.years), None)
    if wanted is None:
        return list(sides)
    given = [side.as_of.years if side.as_of else None for side in sides]
    meets = [years is not None and bool(set(years) & set(wanted)) for years in given]
    if not any(meets):
        return list(sides)
    kept = [(not meet, at) for at, (meet, years) in enumerate(zip(meets, given, strict=True)) if meet or years is None]
    return [sides[at] for _, at in sorted(kept)]
