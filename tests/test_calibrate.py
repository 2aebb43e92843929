"""qa/training/calibrate.py: the fit orders candidates, and says of the likeliest one how often it is right."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from qa.confidence import Calibration, Features
from qa.training.calibrate import REFUSED, Candidate, Outcome, choose_threshold, fit, own_stories, rate
from qa.training.prepare import OWN


def asked(number: int, seed: int = 0) -> list[Outcome]:
    """Questions with three candidates, of which one at most is right: the higher its score, the likelier."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(number):
        scores = random.normal(0, 3, size=3)
        right = int(scores.argmax()) if random.random() < 1 / (1 + np.exp(-scores.max() + 2)) else -1
        candidates = [
            Candidate(Features(float(score), random.random(), 0.5, 0.0, 0.5, 0.0), at == right)
            for at, score in enumerate(scores)
        ]
        rows.append(Outcome(tuple(candidates), answerable=right >= 0))
    return rows


def test_fit_says_how_often_the_likeliest_candidate_is_right() -> None:
    weights, intercept = fit(asked(2000))
    assert weights["score"] > 0
    rated = [rate(Calibration("", weights, intercept, 0.5), row) for row in asked(2000, seed=1)]
    rated.sort(key=lambda one: one.confidence)
    for part in (rated[at : at + 500] for at in range(0, 2000, 500)):
        assert np.mean([one.confidence for one in part]) == pytest.approx(
            np.mean([one.right for one in part]), abs=0.06
        )


def test_rate_takes_the_candidate_with_the_highest_confidence() -> None:
    calibration = Calibration("", {"score": 1.0}, 0.0, 0.5)
    (row,) = asked(1)
    scores = [candidate.described.score for candidate in row.candidates]
    assert rate(calibration, row).confidence == pytest.approx(1 / (1 + np.exp(-max(scores))))


def test_choose_threshold_refuses_the_wanted_share_and_hardly_more() -> None:
    confidences = np.concatenate([np.linspace(0, 0.5, 101), np.linspace(0.3, 1, 50)])
    answerable = np.array([False] * 101 + [True] * 50)
    threshold = choose_threshold(confidences, answerable)
    refused = (confidences[~answerable] < threshold).mean()
    assert REFUSED <= refused < REFUSED + 1 / 101


def test_own_stories_are_of_five_documents_which_hold_the_answers_as_whole_words(tmp_path: Path) -> None:
    told = list(own_stories(tmp_path))
    assert len(told) == 16
    for place, questions in told:
        texts = {path.name: path.read_text(encoding="utf-8") for path in place.iterdir()}
        assert len(texts) == 5
        assert 15 <= sum(not one.golds for one in questions) <= 25
        for one in questions:
            for name, start, text in one.golds:
                assert texts[name][start : start + len(text)] == text
                assert re.compile(rf"(?<!\w){re.escape(text)}(?!\w)").match(texts[name], start), (one.text, text)
                assert "\n" not in text


def test_own_stories_are_trained_on_by_nobody() -> None:
    trained = " ".join(path.read_text(encoding="utf-8") for path in OWN.rglob("*.jsonl"))
    for path in (OWN / "corpora").glob("*.json"):
        for text in json.loads(path.read_text(encoding="utf-8"))["documents"].values():
            assert not [line for line in text.splitlines() if len(line) > 80 and json.dumps(line)[1:-1] in trained]
