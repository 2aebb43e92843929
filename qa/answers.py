"""Spans from all passages -> answers: one entry per value, with every place that gives it.

In: the reader's scored spans of one question; out: Answers without confidence, best first.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from embeddings.lexical import STOP_WORDS
from qa.chunking import sentence_around
from qa.datatypes import Answer, Citation, ScoredSpan
from qa.figures import Quantity
from qa.values import Date, fold, reading, said, same_value


class Limits(NamedTuple):
    """What two answers need to be sides of one disagreement."""

    unsure: float  # logit over "not here": neither may be below
    less_likely: float  # share of the other one's confidence that each must have


BEHIND = 9.0  # logits that sides may be apart
TENFOLD = 10  # figures further apart are not of one thing
SHARED = 0.3  # of the shorter sentence's words, figures and small words aside, that the other's must have ...
OF_ONE_MEASURE = Limits(unsure=-9.0, less_likely=0.2)  # ... unless both name one unit, or what they count
OTHERWISE = Limits(unsure=-6.0, less_likely=0.6)
BOUND = 32  # characters before a quote in which "more than" may stand
SUPPORT = 0.0  # a further place counts as saying it only if its span beats "not here" (score above 0)


def merge(spans: Sequence[ScoredSpan], *, limit: int) -> list[Answer]:
    """Merge the spans of one question into at most limit answers, best first; their confidence is None.

    Spans that overlap in a document are one place, and the best of them speaks for it. Places with the same
    value are one answer, unless what stands before it bounds one; places beyond the best one must have a score above
    SUPPORT to be cited.
    """
    places: list[ScoredSpan] = []
    for span in sorted(spans, key=lambda s: (-s.score, s.document.document_id, s.span.start)):
        if not any(span.document is p.document and span.span.overlaps(p.span) for p in places):
            places.append(span)
    groups: list[tuple[str, list[ScoredSpan]]] = []
    for place in places:
        value = _said(place)
        group = next((members for name, members in groups if same_value(name, value)), None)
        if group is None:
            groups.append((value, [place]))
        elif place.score > SUPPORT:
            group.append(place)
    cited = [(members[0].score, tuple(map(cite, members))) for _, members in groups[:limit]]
    return [Answer(fold(citations[0].quote), score, None, citations) for score, citations in cited]


def cite(place: ScoredSpan) -> Citation:
    """The place as a citation, with the sentence around it."""
    return Citation(place.document, place.span, sentence_around(place.document, place.span))


def conflicting(answers: Sequence[Answer]) -> list[Answer]:
    """The answers to show: the first, likeliest one, and every other place's different figure for the same thing.

    Two answers are sides of a disagreement when both are single figures of one kind (of one measure if both name one)
    or both dates, no value fits both, figures are not TENFOLD apart, and neither is far behind (BEHIND and Limits). If
    both say what they count or measure, that is enough, and one document may hold both, in two sentences; else the
    sentences of two documents must share words (SHARED), or they would be answers to different questions.
    """
    sides = [answers[0]]
    for other in answers[1:]:
        if all(_disagree(side, other) for side in sides):
            sides.append(other)
    return sides


def _disagree(one: Answer, other: Answer) -> bool:
    figure, rival = (_figure(answer.citations[0]) for answer in (one, other))
    if isinstance(figure, Quantity) and isinstance(rival, Quantity):
        less, more = sorted((abs(figure.number), abs(rival.number)))
        if not figure.excludes(rival) or (less and more > TENFOLD * less):
            return False
        counted = bool(figure.rest) and figure.rest[-1:] == rival.rest[-1:]
        alike = counted or bool(figure.unit and figure.unit == rival.unit)
    elif isinstance(figure, Date) and isinstance(rival, Date) and figure.excludes(rival):
        alike = False
    else:
        return False
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


def _figure(place: Citation) -> Date | Quantity | None:
    """What a short quote gives, read with the words before it that bind it."""
    return reading(_said(place)) if len(fold(place.quote).split()) <= 6 else None


def _said(place: Citation | ScoredSpan) -> str:
    start, end = place.span.start, place.span.end
    return said(place.document.text[start:end], place.document.text[max(0, start - BOUND) : start])


def _words_around(answer: Answer) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", fold(answer.citations[0].context))) - STOP_WORDS
