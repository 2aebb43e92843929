"""What the confidence is worth: the first candidate of every question, shown or not, in; figures and two plots out.

A question that cannot be answered has no right candidate, so it counts as wrong wherever it would be answered.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.dataset import Example
from eval.metrics import aurc, expected_calibration_error, risk_coverage
from eval.report import Figure, Figures, is_right_answer
from qa.assistant import Assistant
from qa.citation import WORDS
from qa.metrics import Rated, auroc, bootstrap_interval

ACCURACIES = (0.8, 0.9, 0.95)
BINS = 15
Statistic = Callable[[NDArray[np.floating], NDArray[np.floating]], float]  # confidences, right -> a figure


def rated(assistant: Assistant, examples: Iterable[Example]) -> list[Rated]:
    """Ask every example and judge its first candidate.

    Raises ValueError if the assistant's reader has no calibration.
    """
    if assistant.calibration is None:
        raise ValueError(f"{assistant.reader.name} has no calibration; make one with: python -m qa.training.calibrate")
    found = []
    for example in examples:
        first = next(iter(assistant.find(example.question, history=example.history).candidates), None)
        confidence = first.confidence if first and first.confidence is not None else 0.0
        right = example.answerable and first is not None and is_right_answer(example, first)
        found.append(Rated(confidence, right, example.answerable))
    return found


def coverage_at(confidences: NDArray[np.floating], right: NDArray[np.floating], accuracy: float) -> float:
    """Return the largest share of questions, the most confident first, of whose answers `accuracy` are right.

    0.0 if not even the most confident are. Source: Kamath et al. 2020, section 3.2.

    Example: confidences [0.9, 0.8, 0.7], right [1, 0, 1]: at 0.6 all three; at 0.7 one third.
    """
    coverage, risk = risk_coverage(confidences, right)
    enough = coverage[risk <= 1 - accuracy + 1e-9]
    return float(enough.max()) if enough.size else 0.0


def calibration_figures(rows: Sequence[Rated], threshold: float) -> Figures:
    """The figures by name, each with its 95 % percentile interval over resamples of the questions.

    `refused` and `answered_when_found` are shares of the unanswerable questions and of those whose first candidate is
    right; a word's figure is the share of right answers among those shown with it.
    Raises ValueError if there are no rows.
    """
    confidence = np.array([row.confidence for row in rows])
    right = np.array([float(row.right) for row in rows])
    answerable = np.array([row.answerable for row in rows])
    everything = np.ones(len(rows), dtype=bool)
    by_name: dict[str, tuple[NDArray[np.bool_], Statistic]] = {
        "aurc": (everything, aurc),
        "ece": (everything, lambda c, r: expected_calibration_error(c, r, bins=BINS)),
        "auroc": (everything, lambda c, r: auroc(c[r == 1], c[r == 0])),
    }
    for accuracy in ACCURACIES:
        by_name[f"coverage_at_{accuracy:.0%}"] = (everything, partial(coverage_at, accuracy=accuracy))
    by_name["refused"] = (~answerable, lambda c, r: float(np.mean(c < threshold)))
    by_name["answered_when_found"] = (right == 1, lambda c, r: float(np.mean(c >= threshold)))
    above = float("inf")
    for word, at_least in WORDS:
        shown = (confidence >= max(at_least, threshold)) & (confidence < above)
        by_name[word] = (shown, lambda c, r: float(np.mean(r)))
        above = at_least
    return {name: _figure(confidence[of], right[of], statistic) for name, (of, statistic) in by_name.items()}


def _figure(confidence: NDArray[np.floating], right: NDArray[np.floating], statistic: Statistic) -> Figure:
    n = len(confidence)
    if not n:
        return Figure(None, 0)
    value = _computed(statistic, confidence, right)
    if value is None:
        return Figure(None, n)
    return Figure(value, n, *bootstrap_interval(lambda at: _computed(statistic, confidence[at], right[at]), n))


def _computed(statistic: Statistic, confidence: NDArray[np.floating], right: NDArray[np.floating]) -> float | None:
    try:
        return statistic(confidence, right)
    except ValueError:  # a resample without a wrong answer has no area under its curve
        return None


def plot(rows: Sequence[Rated], threshold: float, path: Path) -> None:
    """Draw reliability (confidence against share right, in BINS equally full bins) and risk against coverage."""
    from matplotlib.figure import Figure as Drawing

    confidence = np.array([row.confidence for row in rows])
    right = np.array([float(row.right) for row in rows])
    drawing = Drawing(figsize=(9, 4), layout="constrained")
    reliability, risks = drawing.subplots(1, 2)
    bins = np.array_split(np.argsort(confidence, kind="stable"), min(BINS, len(rows)))
    reliability.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    reliability.plot([confidence[b].mean() for b in bins], [right[b].mean() for b in bins], "o-", color="C0")
    reliability.axvline(threshold, color="C3", linestyle=":", label=f"threshold {threshold:.3f}")
    reliability.set(xlabel="confidence", ylabel="share right", xlim=(0, 1), ylim=(0, 1), title="Reliability")
    reliability.legend()
    coverage, risk = risk_coverage(confidence, right)
    risks.plot(coverage, risk, color="C0")
    risks.axvline(float(np.mean(confidence >= threshold)), color="C3", linestyle=":", label="what is answered")
    risks.set(
        xlabel="share answered", ylabel="share of those wrong", xlim=(0, 1), ylim=(0, 1), title="Risk and coverage"
    )
    risks.legend()
    drawing.savefig(path, dpi=120)
