"""Spans from all passages -> answers: one entry per value, with every place that gives it.

In: the reader's scored spans of one question; out: Answers without confidence, best first.
"""

import re
import unicodedata
from collections.abc import Sequence

from embeddings.lexical import STOP_WORDS
from qa.chunking import sentence_around
from qa.datatypes import Answer, Citation, ScoredSpan

_LOOSE = re.compile(r"\b(?:than|over|least|most|up to|under|below|above)\b")
MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_YEAR = re.compile(
    r"(?:(?:early|mid|late|end|beginning|middle|of|the|since|by|before|after|until|year|spring|summer|autumn|winter|"
    rf"{MONTHS})\b[ -]*)*(?:1[5-9]|20)\d\d"
)
_MEASURES = (  # two figures of different measures are answers to different questions
    *(r"%|percent|per cent", r"\$|dollars?", r"€|euros?", r"£|pounds?", r"yuan|renminbi|rmb", r"pence|cents?"),
    *(r"years?", r"months?", r"weeks?", r"days?", r"hours?", r"minutes?", r"degrees?"),
    *(r"metres?|meters?", r"kilometres?|kilometers?|km", r"miles?", r"kilograms?|kg", r"tonnes?|tons?", r"hectares?"),
)
_MEASURE = re.compile("|".join(rf"(?P<m{i}>(?<![a-z])(?:{words})(?![a-z]))" for i, words in enumerate(_MEASURES)))
BEHIND = 6.0  # logits: an answer that far behind the first is no side of a disagreement
SHARED = 0.4  # of the shorter sentence's words, figures and small words aside, that the other side's sentence must have
SUPPORT = 0.0  # a further place counts as saying it only if its span beats "not here" (score above 0)
_LEADING = re.compile(r"^(?:the|a|an|about|around|some|nearly|almost|roughly|approximately|in|on|at|by|to|of|for)\s+")
_EDGES = " .,;:!?\"'“”‘()[]-–—"
_NEGATIONS = frozenset({"not", "no", "never", "without", "nor", "neither"})
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_MAGNITUDES = frozenset(
    {"hundred", "thousand", "million", "billion", "trillion", "dozen", "score"}
    | {"percent", "%", "us$", "$", "€", "£", "yuan"}
)


def fold(text: str) -> str:
    """A text as it is compared: case, accents, width, punctuation at the edges and leading small words do not count.

    >>> fold("The  United States,") == fold("united states")
    True
    """
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", plain).replace("’", "'")
    plain = " ".join(plain.split()).strip(_EDGES)
    while (shorter := _LEADING.sub("", plain).strip(_EDGES)) != plain:  # what a small word leaves may be in quotes
        plain = shorter
    return plain


def same_value(one: str, other: str) -> bool:
    """Whether two folded values say the same: equal, or one is the other with more words around it.

    Numbers are stricter: both must hold the same ones, and no magnitude or unit may differ. Words that turn the
    meaning round ("not") may not be the difference.

    >>> same_value("946", "946 corrupt fugitives"), same_value("46", "46 million"), same_value("40", "more than 40")
    (True, False, False)
    """
    if one == other:
        return True
    short, long = sorted((one.split(), other.split()), key=len)
    if not short or len(long) > 3 * len(short) + 3:
        return False
    if _NUMBER.findall(one) != _NUMBER.findall(other):
        return False
    at = next((i for i in range(len(long) - len(short) + 1) if long[i : i + len(short)] == short), None)
    if at is None:
        return False
    rest = {*long[:at], *long[at + len(short) :]}
    if rest & _NEGATIONS:
        return False
    if _NUMBER.search(one):
        return not rest & _MAGNITUDES and "than" not in rest
    return len(" ".join(short)) > 2


def merge(spans: Sequence[ScoredSpan], *, limit: int) -> list[Answer]:
    """Merge the spans of one question into at most limit answers, best first; their confidence is None.

    Spans that overlap in a document are one place, and the best of them speaks for it. Places with the same
    value are one answer; places beyond the best one must have a score above SUPPORT to be cited.
    """
    places: list[ScoredSpan] = []
    for span in sorted(spans, key=lambda s: (-s.score, s.document.document_id, s.span.start)):
        if not any(span.document is p.document and span.span.overlaps(p.span) for p in places):
            places.append(span)
    groups: list[tuple[str, list[ScoredSpan]]] = []
    for place in places:
        value = fold(place.document.slice(place.span))
        group = next((members for name, members in groups if same_value(name, value)), None)
        if group is None:
            groups.append((value, [place]))
        elif place.score > SUPPORT:
            group.append(place)
    return [Answer(value, members[0].score, None, tuple(map(cite, members))) for value, members in groups[:limit]]


def cite(place: ScoredSpan) -> Citation:
    """The place as a citation, with the sentence around it."""
    return Citation(place.document, place.span, sentence_around(place.document, place.span))


def conflicting(answers: Sequence[Answer]) -> list[Answer]:
    """The answers to show: the first, and every other document's different figure for the same thing.

    Two answers are sides of a disagreement when both are single figures of one kind (both years or neither, and of
    one measure if both name one), the figures differ, neither is only a looser form of the other, both beat
    "not here", neither is more than BEHIND behind the other, and they come from different documents whose sentences
    share SHARED of their words: about the same thing, or they would be answers to different questions.
    """
    sides = [answers[0]]
    for other in answers[1:]:
        if all(_disagree(side, other) for side in sides):
            sides.append(other)
    return sides


def _disagree(one: Answer, other: Answer) -> bool:
    if min(one.score, other.score) <= SUPPORT or abs(one.score - other.score) > BEHIND:
        return False
    if {c.document.document_id for c in one.citations} & {c.document.document_id for c in other.citations}:
        return False
    figures = [_NUMBER.findall(answer.value) for answer in (one, other)]
    if any(len(found) != 1 for found in figures) or figures[0] == figures[1]:
        return False
    if any(_LOOSE.search(answer.value) or len(answer.value.split()) > 6 for answer in (one, other)):
        return False
    around, about = _words_around(one), _words_around(other)
    return _one_kind(one, other) and len(around & about) >= max(1, SHARED * min(len(around), len(about)))


def _one_kind(one: Answer, other: Answer) -> bool:
    years = [bool(_YEAR.fullmatch(a.value)) and "," not in a.text for a in (one, other)]  # 2,014 is a count
    measures = [{match.lastgroup for match in _MEASURE.finditer(a.value)} for a in (one, other)]
    return years[0] == years[1] and (not all(measures) or measures[0] == measures[1])


def _words_around(answer: Answer) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", fold(answer.citations[0].context))) - STOP_WORDS
