"""eval/calibration.py: figures one can recompute by hand, and a drawing of them."""

from pathlib import Path

import numpy as np
import pytest
from toys import document, toy_assistant, toy_documents

from eval.calibration import calibration_figures, coverage_at, plot, rated
from eval.dataset import Example, Gold
from qa.confidence import Calibration, Features
from qa.metrics import Rated

BY_SCORE = Calibration("toy", {**dict.fromkeys(Features.__dataclass_fields__, 0.0), "score": 1.0}, 0.0, 0.5, 1.0, 0.0)
ROWS = [
    Rated(0.95, 0.6, True, True),
    Rated(0.9, 0.4, False, False),
    Rated(0.7, 0.5, True, True),
    Rated(0.3, 0.6, True, True),
    Rated(0.1, 0.7, False, False),
    Rated(0.0, 0.0, False, True),
]


def test_coverage_at_is_the_largest_share_that_is_accurate_enough() -> None:
    confidences, right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([1.0, 0.0, 1.0, 0.0])
    assert coverage_at(confidences, right, 0.95) == 1 / 4
    assert coverage_at(confidences, right, 0.6) == 3 / 4
    assert coverage_at(confidences, right, 0.5) == 1.0
    assert coverage_at(confidences, 1 - right, 0.9) == 0.0


def test_figures_are_those_of_the_rows() -> None:
    figures = calibration_figures(ROWS, threshold=0.5)
    values = {name: figure.value for name, figure in figures.items()}
    assert values["auroc"] == pytest.approx((2 + 3 + 2) / 9)  # 0.95 beats three wrong ones, 0.7 and 0.3 two each
    assert values["refused"] == 1 / 2
    assert values["answered_when_found"] == 1.0
    assert (values["very likely"], values["likely"], values["unsure"]) == (1.0, 1.0, 1 / 2)
    assert values["coverage_at_80%"] == 1 / 6
    assert values["ece"] == pytest.approx((0.05 + 0.9 + 0.3 + 0.7 + 0.1 + 0.0) / 6)  # a bin each
    assert {name: figures[name].n for name in ("aurc", "refused", "answered_when_found", "unsure")} == {
        "aurc": 6,
        "refused": 2,
        "answered_when_found": 3,
        "unsure": 2,
    }
    for figure in figures.values():
        if figure.value is not None and figure.low is not None and figure.high is not None:
            assert figure.low <= figure.value <= figure.high


def test_figures_of_rows_that_are_all_right_leave_out_what_cannot_be_computed() -> None:
    figures = calibration_figures([Rated(0.9, 0.9, True, True), Rated(0.8, 0.8, True, True)], threshold=0.5)
    assert (figures["auroc"].value, figures["refused"].value, figures["aurc"].value) == (None, None, 0.0)


def test_rated_judges_the_first_candidate_shown_or_not() -> None:
    def example(question: str, *golds: Gold) -> Example:
        return Example("q", question, "direct", "report", bool(golds), golds)

    assistant = toy_assistant(toy_documents(), BY_SCORE)
    asked = [
        example("How many cranes has the harbour?", Gold("harbour.txt", 16, "12")),
        example("How many boats are there?", Gold("museum.txt", 37, "40")),  # one shared word: below the threshold
        example("How many passengers?"),
        example("¿?"),
    ]
    one, two, three, four = rated(assistant, asked)
    assert (one.right, one.answerable, one.plausibility) == (True, True, pytest.approx(1 / (1 + np.exp(-1))))
    assert (two.right, two.plausibility) == (True, pytest.approx(1 / (1 + np.exp(1))))
    assert (three.right, three.answerable, three.plausibility) == (False, False, two.plausibility)
    assert all(row.confidence == pytest.approx(row.plausibility) for row in (one, two, three))  # no other was found
    assert four == Rated(0.0, 0.0, False, False)


@pytest.mark.usefixtures("regression")
def test_rated_judges_the_side_that_is_shown_by_what_decided_that_one_is() -> None:
    documents = [
        document("a.txt", "The harbour had 12 cranes in 2010."),
        document("b.txt", "There: 15 in harbour in 2014."),
    ]
    golds = (Gold("b.txt", 7, "15"),)
    asked = Example("q", "How many cranes had the harbour in 2014?", "as_of", "report", True, golds)
    assistant = toy_assistant(documents, BY_SCORE)
    reply, found = assistant.ask(asked.question), assistant.find(asked.question)
    assert (found.candidates[0].text, reply.answer.text if reply.answer else None) == ("12", "15")
    (row,) = rated(assistant, [asked])
    assert row.right
    assert reply.answer is not None
    assert (row.confidence, row.plausibility) == (reply.answer.confidence, found.candidates[0].plausibility)


def test_rated_needs_a_calibration() -> None:
    with pytest.raises(ValueError, match="toy-reader has no calibration; make one with"):
        rated(toy_assistant(toy_documents()), [])


def test_plot_draws_a_picture(tmp_path: Path) -> None:
    plot(ROWS, 0.5, tmp_path / "calibration.png")
    assert (tmp_path / "calibration.png").read_bytes().startswith(b"\x89PNG")
