"""Spans from all passages -> answers: one entry per value, with every place that gives it.

In: the reader's scored spans of one question; out: Answers without confidence, best first.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from embeddings.lexical import STOP_WORDS
from qa.chunking import sentence_around
from qa.datatypes import Answer, Citation, ScoredSpan
from qa.values import LOOSE, MONTHS, Quantity, fold, quantity, same_value

_YEAR = re.compile(
    r"(?:(?:early|mid|late|end|beginning|middle|of|the|since|by|before|after|until|year|spring|summer|autumn|winter|"
    rf"{MONTHS})\b[ -]*)*(?:1[5-9]|20)\d\d"
)
_ROUND = re.compile(r"\b(?:about|around|some|nearly|almost|roughly|approximately)\b", re.IGNORECASE)


class Limits(NamedTuple):
    """What two answers need to be sides of one disagreement."""

    unsure: float  # logit over "not here": neither may be below
    less_likely: float  # share of the other one's confidence that each must have


BEHIND = 9.0  # logits that sides may be apart
TENFOLD = 10  # figures further apart are not of one thing
ROUNDED = Decimal("1.05")  # "almost 15" and 14.8: nearer than this, one is the other's rounded form
SHARED = 0.3  # of the shorter sentence's words, figures and small words aside, that the other's must have ...
OF_ONE_MEASURE = Limits(unsure=-9.0, less_likely=0.2)  # ... unless both name one unit, or what they count
OTHERWISE = Limits(unsure=-6.0, less_likely=0.6)
SUPPORT = 0.0  # a further place counts as saying it only if its span beats "not here" (score above 0)


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
    """The answers to show: the first, likeliest one, and every other place's different figure for the same thing.

    Two answers are sides of a disagreement when both are single figures of one kind (both years or neither, and of
    one measure if both name one), the figures differ, but not TENFOLD, neither is only a looser or rounded form of the
    other, and neither is far behind (BEHIND and Limits). If both say what they count or measure, that is enough, and
    one document may hold both, in two sentences; else the sentences of two documents must share words (SHARED), or
    they would be answers to different questions.
    """
    sides = [answers[0]]
    for other in answers[1:]:
        if all(_disagree(side, other) for side in sides):
            sides.append(other)
    return sides


def _disagree(one: Answer, other: Answer) -> bool:
    figure, rival = quantity(one.value), quantity(other.value)
    if figure is None or rival is None or not _differ(one, other, figure, rival):
        return False
    counted = bool(figure.rest) and figure.rest[-1:] == rival.rest[-1:]
    alike = not _is_year(one) and (counted or bool(figure.unit and figure.unit == rival.unit))
    limits = OF_ONE_MEASURE if alike else OTHERWISE
    if min(one.score, other.score) <= limits.unsure or abs(one.score - other.score) > BEHIND:
        return False
    if one.confidence and other.confidence is not None and other.confidence < limits.less_likely * one.confidence:
        return False
    together = [(c, d) for c in one.citations for d in other.citations if c.document is d.document]
    if together and (not alike or any(c.sentence == d.sentence for c, d in together)):
        return False
    if alike:
        return True
    around, about = _words_around(one), _words_around(other)
    return len(around & about) >= max(1, SHARED * min(len(around), len(about)))


def _differ(one: Answer, other: Answer, figure: Quantity, rival: Quantity) -> bool:
    """Whether two figures are of one kind and cannot both be it."""
    if any(LOOSE.search(answer.value) or len(answer.value.split()) > 6 for answer in (one, other)):
        return False
    if _is_year(one) != _is_year(other) or ("" not in (figure.unit, rival.unit) and figure.unit != rival.unit):
        return False
    less, more = sorted((figure.number, rival.number))
    if _is_year(one) or not less:
        return less != more
    return more <= TENFOLD * less and more > less * (ROUNDED if _rounded(one) or _rounded(other) else 1)


def _rounded(answer: Answer) -> bool:
    """Whether the quote, or what stands just before it, says that the figure is a round one."""
    return bool(_ROUND.search(answer.citations[0].prefix[-15:] + answer.text))


def _is_year(answer: Answer) -> bool:
    return bool(_YEAR.fullmatch(answer.value)) and "," not in answer.text  # 2,014 is a count


def _words_around(answer: Answer) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", fold(answer.citations[0].context))) - STOP_WORDS
