"""What the confidence is worth: the first answer of every question, shown or not, in; figures and two plots out.

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
from qa.assistant import Assistant, Findings
from qa.citation import WORDS
from qa.datatypes import Answer, Reply
from qa.metrics import Rated, auroc, bootstrap_interval

ACCURACIES = (0.8, 0.9, 0.95)
BINS = 15
Statistic = Callable[[NDArray[np.intp]], float]  # some rows' places -> a figure


def rated(assistant: Assistant, examples: Iterable[Example]) -> list[Rated]:
    """Ask every example and judge its first answer, shown or not.

    Raises ValueError if the assistant's reader has no calibration.
    """
    if assistant.calibration is None:
        raise ValueError(f"{assistant.reader.name} has no calibration; make one with: python -m qa.training.calibrate")
    found = []
    for example in examples:
        findings = assistant.find(example.question, history=example.history)
        first = first_answer(assistant.decide(example.question, findings), findings)
        right = example.answerable and first is not None and is_right_answer(example, first)
        found.append(rate(first, findings, right=right, answerable=example.answerable))
    return found


def first_answer(reply: Reply, findings: Findings) -> Answer | None:
    """The answer that a question is judged by: the first that is shown, else the likeliest candidate."""
    return reply.answer or next(iter(findings.candidates), None)


def rate(first: Answer | None, findings: Findings, *, right: bool, answerable: bool) -> Rated:
    """What a first answer is worth as a test; without one, or without a calibration, nothing was found."""
    highest = findings.candidates[0].plausibility if findings.candidates else None
    if first is None or first.confidence is None or highest is None:
        return Rated(0.0, 0.0, right=False, answerable=answerable)
    return Rated(first.confidence, highest, right, answerable)


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
    shown = np.array([row.plausibility >= threshold for row in rows])
    right = np.array([float(row.right) for row in rows])
    answerable = np.array([row.answerable for row in rows])
    everything = np.ones(len(rows), dtype=bool)

    def coverage(at: NDArray[np.intp], accuracy: float) -> float:
        return coverage_at(confidence[at], right[at], accuracy)

    by_name: dict[str, tuple[NDArray[np.bool_], Statistic]] = {
        "aurc": (everything, lambda at: aurc(confidence[at], right[at])),
        "ece": (everything, lambda at: expected_calibration_error(confidence[at], right[at], bins=BINS)),
        "auroc": (everything, lambda at: auroc(confidence[at][right[at] == 1], confidence[at][right[at] == 0])),
    }
    for accuracy in ACCURACIES:
        by_name[f"coverage_at_{accuracy:.0%}"] = (everything, partial(coverage, accuracy=accuracy))
    by_name["refused"] = (~answerable, lambda at: float(np.mean(~shown[at])))
    by_name["answered_when_found"] = (right == 1, lambda at: float(np.mean(shown[at])))
    above = float("inf")
    for word, at_least in WORDS:
        said = shown & (confidence >= at_least) & (confidence < above)
        by_name[word] = (said, lambda at: float(np.mean(right[at])))
        above = at_least
    return {name: _figure(np.flatnonzero(of), statistic) for name, (of, statistic) in by_name.items()}


def _figure(rows: NDArray[np.intp], statistic: Statistic) -> Figure:
    value = _computed(statistic, rows) if len(rows) else None
    if value is None:
        return Figure(None, len(rows))
    return Figure(value, len(rows), *bootstrap_interval(lambda at: _computed(statistic, rows[at]), len(rows)))


def _computed(statistic: Statistic, rows: NDArray[np.intp]) -> float | None:
    try:
        return statistic(rows)
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
    reliability.set(xlabel="confidence", ylabel="share right", xlim=(0, 1), ylim=(0, 1), title="Reliability")
    coverage, risk = risk_coverage(confidence, right)
    risks.plot(coverage, risk, color="C0")
    answered = float(np.mean([row.plausibility >= threshold for row in rows]))
    risks.axvline(answered, color="C3", linestyle=":", label="as many as are answered")
    risks.set(
        xlabel="share answered", ylabel="share of those wrong", xlim=(0, 1), ylim=(0, 1), title="Risk and coverage"
    )
    risks.legend()
    drawing.savefig(path, dpi=120)
