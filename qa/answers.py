"""Spans from all passages -> answers: one entry per value, with every place that gives it.

In: the reader's scored spans of one question; out: Answers without confidence, best first.
"""

import re
from collections.abc import Sequence

from embeddings.lexical import STOP_WORDS
from qa.chunking import sentence_around
from qa.datatypes import Answer, Citation, ScoredSpan
from qa.values import LOOSE, MONTHS, Quantity, fold, quantity, same_value

_YEAR = re.compile(
    r"(?:(?:early|mid|late|end|beginning|middle|of|the|since|by|before|after|until|year|spring|summer|autumn|winter|"
    rf"{MONTHS})\b[ -]*)*(?:1[5-9]|20)\d\d"
)
BEHIND = 9.0  # logits: an answer that far behind the first is no side of a disagreement
UNSURE = -6.0  # logit over "not here": nor is one below
LESS_LIKELY = 0.3  # nor one with a smaller share of the first one's confidence
SHARED = 0.3  # of the shorter sentence's words, figures and small words aside, that the other side's sentence must have
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
    """The answers to show: the first, and every other document's different figure for the same thing.

    Two answers are sides of a disagreement when both are single figures of one kind (both years or neither, and of
    one measure if both name one), the figures differ, neither is only a looser form of the other, none is far behind
    (UNSURE, BEHIND, LESS_LIKELY), and they come from different documents whose sentences share SHARED of their words:
    about the same thing, or they would be answers to different questions.
    """
    sides = [answers[0]]
    for other in answers[1:]:
        if all(_disagree(side, other) for side in sides):
            sides.append(other)
    return sides


def _disagree(one: Answer, other: Answer) -> bool:
    if min(one.score, other.score) <= UNSURE or abs(one.score - other.score) > BEHIND:
        return False
    if one.confidence and other.confidence is not None and other.confidence < LESS_LIKELY * one.confidence:
        return False
    if {c.document.document_id for c in one.citations} & {c.document.document_id for c in other.citations}:
        return False
    figure, rival = quantity(one.value), quantity(other.value)
    if figure is None or rival is None or figure.number == rival.number:
        return False
    if any(LOOSE.search(answer.value) or len(answer.value.split()) > 6 for answer in (one, other)):
        return False
    around, about = _words_around(one), _words_around(other)
    together = len(around & about) >= max(1, SHARED * min(len(around), len(about)))
    return together and _is_year(one) == _is_year(other) and _one_measure(figure, rival)


def _is_year(answer: Answer) -> bool:
    return bool(_YEAR.fullmatch(answer.value)) and "," not in answer.text  # 2,014 is a count


def _one_measure(one: Quantity, other: Quantity) -> bool:
    return one.unit == other.unit or "" in (one.unit, other.unit)


def _words_around(answer: Answer) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", fold(answer.citations[0].context))) - STOP_WORDS
