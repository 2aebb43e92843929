"""qa/training/calibrate.py: the fit orders candidates, and says of the likeliest one how often it is right."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toys import document

from qa.answers import cite
from qa.confidence import Calibration, Features
from qa.datatypes import Answer, ScoredSpan, Span
from qa.metrics import Rated
from qa.training import calibrate
from qa.training.calibrate import (
    ALARMS,
    REFUSED,
    Candidate,
    Outcome,
    choose_threshold,
    fit,
    fit_rivalry,
    own_stories,
    rate,
    rivals,
)
from qa.training.prepare import OWN

ANSWER = Answer("12", 1.0, None, ())


def asked(number: int, seed: int = 0) -> list[Outcome]:
    """Questions with three candidates, of which one at most is right: the higher its score, the likelier."""
    random = np.random.default_rng(seed)
    rows = []
    for _ in range(number):
        scores = random.normal(0, 3, size=3)
        right = int(scores.argmax()) if random.random() < 1 / (1 + np.exp(-scores.max() + 2)) else -1
        candidates = [
            Candidate(Features(float(score), 0.0, random.random(), 0.5), at == right, ANSWER)
            for at, score in enumerate(scores)
        ]
        rows.append(Outcome(tuple(candidates), answerable=right >= 0))
    return rows


def test_fit_says_how_often_the_likeliest_candidate_is_right() -> None:
    fitted = fit(asked(2000))
    assert fitted.weights["score"] > 0
    rated = [rate(fitted, row) for row in asked(2000, seed=1)]
    rated.sort(key=lambda one: one.confidence)
    for part in (rated[at : at + 500] for at in range(0, 2000, 500)):
        assert np.mean([one.confidence for one in part]) == pytest.approx(
            np.mean([one.right for one in part]), abs=0.06
        )


def test_rate_takes_the_likeliest_candidate() -> None:
    calibration = Calibration("", {"score": 1.0}, 0.0, 0.5, 1.0, 0.0)
    (row,) = asked(1)
    scores = [candidate.described.score for candidate in row.candidates]
    rated = rate(calibration, row)
    assert rated.plausibility == pytest.approx(1 / (1 + np.exp(-max(scores))))
    assert rated.confidence == pytest.approx(np.exp(max(scores)) / (1 + np.exp(scores).sum()))
    assert rated.right == row.candidates[int(np.argmax(scores))].right


def test_choose_threshold_refuses_the_wanted_share_and_hardly_more() -> None:
    rows = [Rated(0.5, likely, False, False) for likely in np.linspace(0, 0.5, 101)]
    threshold = choose_threshold(rows + [Rated(0.5, likely, True, True) for likely in np.linspace(0.3, 1, 50)])
    refused = np.mean([row.plausibility < threshold for row in rows])
    assert REFUSED <= refused < REFUSED + 1 / 101


def disputed(number: int, seed: int = 0) -> list[list[Outcome]]:
    """Ten corpora of questions with two figures; the further apart they are, the less often both are right."""
    random = np.random.default_rng(seed)
    corpora: list[list[Outcome]] = [[] for _ in range(10)]
    for row in range(number):
        figure = 101 + int(random.integers(5, 300))
        both = random.random() < 1 / (1 + np.exp(8 * np.log(figure / 101) - 4))
        places = [
            cite(ScoredSpan(document(f"{row}-{at}.txt", f"They counted {count} boats."), Span(13, 16), 0.0))
            for at, count in enumerate((101, figure))
        ]
        first, other = (
            Candidate(Features(3.0 - at, 0.0, 0.5, 0.5), at == 0 or both, Answer("", 3.0 - at, None, (places[at],)))
            for at in (0, 1)
        )
        corpora[row % 10].append(Outcome((other, first), answerable=True))
    return corpora


BY_SCORE = Calibration("", {"score": 1.0}, 0.0, 0.5, 1.0, 0.0)


def test_rivals_are_those_of_the_likeliest_candidate_if_it_is_shown() -> None:
    ((outcome, *_), *_) = disputed(10)
    (found,) = rivals(outcome, BY_SCORE)
    assert found[0].log_odds == pytest.approx(2.0)  # of the second one, whose score is lower
    assert found[1] == outcome.candidates[0].right
    assert rivals(outcome, replace(BY_SCORE, threshold=0.96)) == []  # the logistic function of 3 is 0.953
    wrong = Outcome(tuple(replace(c, right=c is outcome.candidates[0]) for c in outcome.candidates), answerable=True)
    assert [both for _, both in rivals(wrong, BY_SCORE)] == [False]


def test_fit_rivalry_shows_hardly_more_false_alarms_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, measured = fit_rivalry(disputed(2000), BY_SCORE)
    assert fitted.weights["log_ratio"] == pytest.approx(-8, rel=0.2)
    assert measured["disagreements among the candidates"] + measured["other answerable questions"] == 2000
    assert measured["of them shown a rival"] <= ALARMS * measured["other answerable questions"]
    others = [row for corpus in disputed(2000, seed=1) for row in corpus]
    shown, both = [], []
    for outcome in others:
        ((compared, right),) = rivals(outcome, BY_SCORE)
        shown.append(fitted.probability(compared) >= fitted.threshold)
        both.append(right)
    assert np.mean(np.array(shown)[~np.array(both)]) < ALARMS + 0.02
    assert np.mean(np.array(shown)[np.array(both)]) > 0.3
    monkeypatch.setattr(calibrate, "ALARMS", 2 * ALARMS)
    looser, _ = fit_rivalry(disputed(2000), BY_SCORE)
    assert looser.threshold < fitted.threshold


def test_fit_rivalry_refuses_corpora_that_never_differ() -> None:
    alike = [[replace(row, candidates=row.candidates[1:]) for row in corpus] for corpus in disputed(40)]
    with pytest.raises(ValueError, match="the documents never differ"):
        fit_rivalry(alike, BY_SCORE)


def test_fit_leaves_out_what_hardly_ever_comes_first() -> None:
    rows = asked(500)
    misleading = Candidate(Features(-9.0, 0.0, 9.0, 0.5), right=False, answer=ANSWER)
    assert fit([replace(row, candidates=(*sorted_by_score(row)[:2], misleading)) for row in rows]) == fit(
        [replace(row, candidates=sorted_by_score(row)[:2]) for row in rows]
    )


def sorted_by_score(row: Outcome) -> tuple[Candidate, ...]:
    return tuple(sorted(row.candidates, key=lambda c: -c.described.score))


@pytest.mark.parametrize(
    ("kind", "number", "documents", "unanswerable"),
    [("corpora", 32, 5, (15, 25)), ("disagreements", 16, 5, (4, 4)), ("inquiries", 36, 6, (21, 27))],
)
def test_own_stories_are_of_some_documents_which_hold_the_answers_as_whole_words(
    kind: str, number: int, documents: int, unanswerable: tuple[int, int], tmp_path: Path
) -> None:
    told = list(own_stories(tmp_path, kind))
    assert len(told) == number
    for place, questions in told:
        texts = {path.name: path.read_text(encoding="utf-8") for path in place.iterdir()}
        assert len(texts) == documents
        assert unanswerable[0] <= sum(not one.golds for one in questions) <= unanswerable[1]
        for one in questions:
            for name, start, text in one.golds:
                assert texts[name][start : start + len(text)] == text
                assert re.compile(rf"(?<!\w){re.escape(text)}(?!\w)").match(texts[name], start), (one.text, text)
                assert "\n" not in text


def test_own_stories_are_trained_on_by_nobody() -> None:
    lines = [line for path in OWN.rglob("*.jsonl") for line in path.read_text(encoding="utf-8").split("\n") if line]
    trained = {paragraph for line in lines for paragraph in json.loads(line)["context"].splitlines()}
    for path in OWN.rglob("*.json"):
        for text in json.loads(path.read_text(encoding="utf-8"))["documents"].values():
            assert not [line for line in text.splitlines() if len(line) > 80 and line in trained]
