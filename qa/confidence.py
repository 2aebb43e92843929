"""How likely is an answer right? Features that exist anyway -> its plausibility; and of all of a question, confidences.

A logistic regression says how plausible an answer is, whatever other answers there are: that orders the answers of one
question, and decides whether the first is shown. An answer's confidence falls with the plausibility of those that
cannot be right beside it: it is its share of the odds, theirs and those of "none of them" together, scaled to the share
of right answers. Sides of a disagreement may all be right, and do not lower each other's. Both are fitted by
`python -m qa.training.calibrate` on development documents and shipped as plain numbers with the fingerprint of the
reader they were fitted for. Another reader has none: its answers carry scores only.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import Stemmer

from embeddings.lexical import terms
from qa.datatypes import Answer, Hit

UNCALIBRATED_THRESHOLD = 0.0  # logit: an answer must beat "not here"
SHIPPED = Path(__file__).parent / "calibration.json"
_stemmer = Stemmer.Stemmer("english")


@dataclass(frozen=True)
class Features:
    """What is known of an answer; every number grows with plausibility."""

    score: float  # logit of the best span over "not here"
    skim_score: float  # logit, as in ScoredSpan
    similarity: float  # of the passage that holds the answer, as its Hit has it
    sentence_overlap: float  # share of the question's terms that the answer's own sentence has


def features(question: str, answers: Sequence[Answer], hits: Sequence[Hit]) -> list[Features]:
    """Describe every answer of one question, in their order; hits are the passages that were looked at, best first."""
    asked = {term for term in terms(question, _stemmer) if not term.startswith("#")}
    described = []
    for answer in answers:
        place = answer.citations[0]
        holding = [h for h in hits if h.passage.document is place.document and h.passage.span.contains(place.span)]
        described.append(
            Features(
                score=answer.score,
                skim_score=answer.skim_score,
                similarity=max((hit.similarity for hit in holding), default=0.0),
                sentence_overlap=_share(asked, place.context),
            )
        )
    return described


def _share(asked: set[str], text: str) -> float:
    return len(asked & set(terms(text, _stemmer))) / len(asked) if asked else 0.0


@dataclass(frozen=True)
class Calibration:
    """A fitted logistic regression over Features, what an answer needs by it, and how it becomes a confidence."""

    reader_fingerprint: str
    weights: dict[str, float]  # per feature
    intercept: float
    threshold: float  # in (0, 1): the plausibility that the first answer needs
    slope: float  # confidence = logistic(slope * logit of the answer's share + shift)
    shift: float

    def plausibility(self, described: Features) -> float:
        """How likely the answer is, whatever other answers there are, in (0, 1)."""
        return logistic(
            self.intercept + sum(weight * getattr(described, name) for name, weight in self.weights.items())
        )

    def confidence(self, plausibility: float, others: Sequence[float]) -> float:
        """The probability that an answer is right, in (0, 1), from its plausibility and that of the others.

        Source: Platt 1999, section 2, over the logit of the answer's share of a softmax with "none of them" in it.
        """
        own, *odds = (one / (1 - one) for one in (plausibility, *others))
        return logistic(self.slope * math.log(own / (1 + sum(odds))) + self.shift)


def logistic(logit: float) -> float:
    """The probability of a logit, in (0, 1): never quite 0 or 1."""
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, logit))))


def load_calibration(*, reader_fingerprint: str, path: Path = SHIPPED) -> Calibration | None:
    """The shipped calibration; None if it was fitted for another reader."""
    calibration = Calibration(**json.loads(path.read_text(encoding="utf-8")))
    return calibration if calibration.reader_fingerprint == reader_fingerprint else None


def save_calibration(calibration: Calibration, *, path: Path = SHIPPED) -> None:
    """Write the calibration as JSON."""
    path.write_text(json.dumps(asdict(calibration), indent=1) + "\n", encoding="utf-8")
