"""Spans from all passages -> answers: one entry per value, with every place that gives it; and which of them differ.

In: the reader's scored spans of one question; out: Answers without confidence, best first. Of rated Answers, the sides
of a disagreement.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from qa.chunking import sentence_around
from qa.confidence import logistic
from qa.datatypes import Answer, Citation, ScoredSpan
from qa.figures import Quantity
from qa.values import Date, fold, reading, said, same_value

LARGEST = 100  # times: figures further apart, or one of which is 0, count as so far apart
SHIPPED = Path(__file__).parent / "rivalry.json"
BOUND = 32  # characters before a quote in which "more than" may stand
SUPPORT = 0.0  # a further place counts as saying it only if its span beats "not here" (score above 0)


def merge(spans: Sequence[ScoredSpan], *, limit: int) -> list[Answer]:
    """Merge the spans of one question into at most limit answers, best first; their confidence is None.

    Spans that overlap in a document are one place, and the best of them speaks for it. Places that all say the
    same are one answer, unless what stands before it bounds one; places beyond the best one must have a score above
    SUPPORT to be cited.
    """
    places: list[ScoredSpan] = []
    for span in sorted(spans, key=lambda s: (-s.score, s.document.document_id, s.span.start)):
        if not any(span.document is p.document and span.span.overlaps(p.span) for p in places):
            places.append(span)
    groups: list[list[tuple[str, ScoredSpan]]] = []
    for place in places:
        value = _said(place)
        group = next((one for one in groups if _joins(value, [other for other, _ in one])), None)
        if group is None:
            groups.append([(value, place)])
        elif place.score > SUPPORT:
            group.append((value, place))
    return [_answer([place for _, place in members]) for members in groups[:limit]]


def _joins(value: str, group: Sequence[str]) -> bool:
    """Whether a value says the same as the first of a group and, if it is a date or a name, nothing else than any."""
    if not same_value(group[0], value):
        return False
    given, others = reading(value), [reading(other) for other in group]
    if isinstance(given, Date):
        return not any(isinstance(one, Date) and given.excludes(one) for one in others)
    return given is not None or all(same_value(other, value) for other in group)


def _answer(places: Sequence[ScoredSpan]) -> Answer:
    best, citations = places[0], tuple(map(cite, places))
    return Answer(fold(citations[0].quote), best.score, None, citations, skim_score=best.skim_score)


def cite(place: ScoredSpan) -> Citation:
    """The place as a citation, with the sentence around it."""
    return Citation(place.document, place.span, sentence_around(place.document, place.span))


class Rivalry(NamedTuple):
    """What tells whether a value answers the question as well as the likeliest one, though both cannot be it."""

    log_odds: float  # of its plausibility; without a calibration its score, at most even odds
    log_ratio: float  # natural logarithm of the larger figure over the smaller, at most that of LARGEST; of dates 0
    same_document: float  # 1 if one document gives both, else 0
    date: float  # 1 for dates, 0 for figures


def rivalry(first: Answer, other: Answer) -> Rivalry | None:
    """Compare two answers; None if both may be it, or if they are not of one kind.

    Both must be single figures of one kind (of one measure if both name one) or both dates, no value may fit both, and
    no one sentence may give both.
    """
    figure, rival = (_figure(answer.citations[0]) for answer in (first, other))
    if isinstance(figure, Quantity) and isinstance(rival, Quantity) and figure.excludes(rival):
        numbers = figure.read_beside(rival).number, rival.read_beside(figure).number
        less, more = sorted(map(abs, numbers))
        log_ratio = math.log(more / less if less * LARGEST > more else LARGEST)
    elif isinstance(figure, Date) and isinstance(rival, Date) and figure.excludes(rival):
        log_ratio = 0.0
    else:
        return None
    together = [(c, d) for c in first.citations for d in other.citations if c.document is d.document]
    if any(c.sentence == d.sentence for c, d in together):
        return None
    likely = other.plausibility
    log_odds = min(other.score, 0.0) if likely is None else math.log(likely / (1 - likely))
    return Rivalry(log_odds, log_ratio, float(bool(together)), float(isinstance(figure, Date)))


@dataclass(frozen=True)
class RivalryFit:
    """A logistic regression over a Rivalry: how likely are both values right answers?

    Fitted by `python -m qa.training.calibrate`.
    """

    weights: dict[str, float]  # by the names of Rivalry
    intercept: float
    threshold: float  # in (0, 1); a value that reaches it is shown beside the first

    def probability(self, compared: Rivalry) -> float:
        """How likely both are right, in (0, 1)."""
        return logistic(self.intercept + sum(self.weights[name] * value for name, value in compared._asdict().items()))


def conflicting(answers: Sequence[Answer]) -> list[Answer]:
    """The answers to show, of those with the likeliest first: that one, and every value likely to be a further side.

    A side is a rival of all that are shown before it.
    """
    fitted = load_rivalry_fit()
    sides = [answers[0]]
    for other in answers[1:]:
        compared = rivalry(answers[0], other)
        if (
            compared
            and fitted.probability(compared) >= fitted.threshold
            and all(rivalry(side, other) for side in sides[1:])
        ):
            sides.append(other)
    return sides


@cache
def load_rivalry_fit() -> RivalryFit:
    """The shipped regression."""
    return RivalryFit(**json.loads(SHIPPED.read_text(encoding="utf-8")))


def save_rivalry_fit(fitted: RivalryFit) -> None:
    """Write the regression that ships, as JSON."""
    SHIPPED.write_text(json.dumps(asdict(fitted), indent=1) + "\n", encoding="utf-8")


def _figure(place: Citation) -> Date | Quantity | None:
    """What a short quote gives, read with the words before it that bind it."""
    return reading(_said(place)) if len(fold(place.quote).split()) <= 6 else None


def _said(place: Citation | ScoredSpan) -> str:
    start, end = place.span.start, place.span.end
    return said(place.document.text[start:end], place.document.text[max(0, start - BOUND) : start])
