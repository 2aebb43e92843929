"""qa/metrics.py and eval/metrics.py: numbers worked by hand, and second implementations as oracles."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.dataset import Gold
from eval.metrics import (
    aurc,
    contains_phrase,
    expected_calibration_error,
    gold_rank,
    recall_at_k,
    reciprocal_rank,
    risk_coverage,
)
from qa.datatypes import Document, Hit, Passage, Span
from qa.metrics import auroc, best_f1, bootstrap_interval, exact_match, normalise, token_f1

WORDS = st.lists(st.sampled_from(["the", "fox", "hunt", "946", "U.S.", "a", "£5"]), max_size=6).map(" ".join)
SCORES = st.lists(st.integers(-3, 3), min_size=1, max_size=8)  # few values, so that ties are common


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  U.S. Senate", "us senate"),
        ("“An\n946”", "“ 946”"),
        ("theatre", "theatre"),
        ("the", ""),
        ("4,000", "4000"),
    ],
)
def test_normalise_follows_squad(text: str, expected: str) -> None:
    """Case, ASCII punctuation, articles and spacing go; the rest stays."""
    assert normalise(text) == expected


@given(st.text())
def test_normalise_leaves_no_blanks_at_the_ends(text: str) -> None:
    """Words are one space apart."""
    assert normalise(text) == " ".join(normalise(text).split())


@pytest.mark.parametrize(
    ("prediction", "golds", "expected"),
    [
        ("The Fox Hunt!", ["fox hunt"], 1),
        ("fox", ["fox hunt", "Fox."], 1),
        ("fox", ["fox hunt"], 0),
        ("", [], 1),
        ("", ["fox"], 0),
        ("fox", [], 0),
    ],
)
def test_exact_match_takes_any_gold(prediction: str, golds: list[str], expected: int) -> None:
    """One equal gold is enough; without golds the right prediction is empty."""
    assert exact_match(prediction, golds) == expected


@pytest.mark.parametrize(
    ("prediction", "golds", "expected"),
    [
        ("in central Paris", ["Paris"], 1 / 2),  # precision 1/3, recall 1
        ("946 corrupt fugitives", ["946 fugitives"], 4 / 5),  # precision 2/3, recall 1
        ("946 corrupt fugitives", ["946", "946 fugitives"], 4 / 5),  # the best gold, not the first
        ("fox fox", ["fox hunt"], 1 / 2),  # a word counts as often as it occurs: 1 of 2, 1 of 2
        ("the", ["the", "fox"], 0),  # a gold with nothing left is dropped when another has words
        ("the", ["a"], 1),  # empty against empty
        ("", [], 1),
        ("fox", [], 0),
    ],
)
def test_token_f1_is_as_worked_by_hand(prediction: str, golds: list[str], expected: float) -> None:
    """The harmonic mean of precision and recall over words, best of the golds."""
    assert token_f1(prediction, golds) == pytest.approx(expected)


@given(WORDS, WORDS)
def test_token_f1_is_symmetric_and_one_only_for_the_same_words(one: str, other: str) -> None:
    """F1 lies in [0, 1], does not mind which side is gold, and is 1 exactly for the same words in any order."""
    f1 = token_f1(one, [other])
    assert 0 <= f1 <= 1
    assert f1 == token_f1(other, [one])
    assert (f1 == 1) == (sorted(normalise(one).split()) == sorted(normalise(other).split()))
    assert f1 >= exact_match(one, [other])


def test_auroc_counts_a_tie_half() -> None:
    """Of the pairs (2, 1), (2, 2), (3, 1), (3, 2) three are won and one is tied."""
    assert auroc([2, 3], [1, 2]) == 7 / 8


@given(SCORES, SCORES)
def test_auroc_equals_the_double_loop(positive: list[int], negative: list[int]) -> None:
    """The share of pairs that the positive wins."""
    won = [(p > n) + (p == n) / 2 for p, n in product(positive, negative)]
    assert auroc(positive, negative) == pytest.approx(sum(won) / len(won))


def test_auroc_refuses_an_empty_side() -> None:
    """There is no pair to compare."""
    with pytest.raises(ValueError, match="got 1 positive and 0 negative"):
        auroc([1], [])


def test_best_f1_is_as_worked_by_hand() -> None:
    """Refusing all gives 1/3, answering one 2/3, two 1/3, three 1/2."""
    best = best_f1([3, 2, 1], [1, 0, 1 / 2], [True, False, True])
    assert best.f1 == pytest.approx(2 / 3)
    assert best.threshold == 3


def test_best_f1_may_be_never_to_answer() -> None:
    """Both questions are unanswerable, so every answer costs."""
    assert best_f1([1, 2], [0, 0], [False, False]) == (1, math.inf)


def test_best_f1_never_stops_between_equal_scores() -> None:
    """Answering only the first of the two would give 1, but no threshold does that; both or none give 1/2."""
    assert best_f1([5, 5], [1, 0], [True, False]) == (1 / 2, math.inf)


@given(st.lists(st.tuples(st.integers(-2, 2), st.sampled_from([0, 0.5, 1]), st.booleans()), min_size=1, max_size=8))
def test_best_f1_equals_trying_every_threshold(questions: list[tuple[int, float, bool]]) -> None:
    """No threshold is better, and the returned one gives what it is returned with."""

    def mean_f1(threshold: float) -> float:
        return sum(f1 if score >= threshold else not can for score, f1, can in questions) / len(questions)

    best = best_f1(*zip(*questions, strict=True))
    assert best.f1 == pytest.approx(mean_f1(best.threshold))
    assert best.f1 == pytest.approx(max(mean_f1(t) for t in [math.inf, *(score for score, _, _ in questions)]))


def test_best_f1_refuses_unequal_lengths() -> None:
    """One F1 per score."""
    with pytest.raises(ValueError, match="equal lengths from 1"):
        best_f1([1, 2], [1], [True])


@pytest.mark.parametrize(
    ("text", "phrase", "expected"),
    [
        ("all 39.", "39", True),
        ("39-member", "39", True),
        ("39.5", "39", False),
        ("39,000", "39", False),
        ("1,39", "39", False),
        ("139", "39", False),
        ("Operation\nFox  Hunt", "fox hunt", True),
        ("Fox Hunting", "fox hunt", False),
        ("fox", " ", False),
    ],
)
def test_contains_phrase_wants_whole_words(text: str, phrase: str, expected: bool) -> None:
    """Case and spacing do not matter; parts of words and of numbers do not count."""
    assert contains_phrase(text, phrase) is expected


def hits(*spans: tuple[int, int], document_id: str = "a.txt") -> list[Hit]:
    """Hits on one document, in this order."""
    document = Document(document_id, "x" * 100, "", "", "utf-8")
    return [Hit(Passage(document, Span(*span)), 0, 0) for span in spans]


def test_gold_rank_wants_the_whole_gold_in_one_passage() -> None:
    """The first passage cuts the gold 10..15, the second one is of another document, the third holds it."""
    retrieved = [*hits((0, 12)), *hits((0, 50), document_id="b.txt"), *hits((10, 15))]
    assert gold_rank(retrieved, [Gold("a.txt", 10, "xxxxx")]) == 3


def test_gold_rank_takes_any_gold() -> None:
    """The golds are alternatives; the second one is in the first hit."""
    golds = [Gold("b.txt", 10, "xx"), Gold("a.txt", 0, "xx")]
    assert gold_rank(hits((0, 12)), golds) == 1
    assert gold_rank([], golds) is None


def test_rank_measures_follow_from_the_rank() -> None:
    """A gold at rank 3 counts from k = 3 and has a reciprocal of 1/3; one that is missing counts 0."""
    assert [recall_at_k(3, k=k) for k in (1, 3, 5)] == [0, 1, 1]
    assert reciprocal_rank(3) == 1 / 3
    assert recall_at_k(None, k=10) == reciprocal_rank(None) == 0


def test_bootstrap_interval_repeats_itself_and_holds_the_mean() -> None:
    """The same draws give the same interval; for 50 of 100 it is about 0.5 +- 1.96 * sqrt(0.25 / 100)."""
    values = np.array([0, 1] * 50)
    low, high = bootstrap_interval(lambda at: values[at].mean(), 100)
    assert (low, high) == bootstrap_interval(lambda at: values[at].mean(), 100)
    assert low == pytest.approx(0.402, abs=0.02)
    assert high == pytest.approx(0.598, abs=0.02)


def test_bootstrap_interval_takes_any_figure_of_places() -> None:
    """A figure of two arrays at the same places: their difference is 1 everywhere, so its interval has no width."""
    one, other = np.array([3, 5, 9]), np.array([2, 4, 8])
    assert bootstrap_interval(lambda at: float(np.median(one[at] - other[at])), 3) == (1, 1)


def test_bootstrap_interval_draws_as_many_as_there_are_as_often_as_told() -> None:
    """Every resample has n places, from 0 to n - 1."""
    drawn: list[list[int]] = []
    bootstrap_interval(lambda at: drawn.append(at.tolist()) or 0.0, 3, resamples=50)
    assert {len(places) for places in drawn} == {3}
    assert len(drawn) == 50
    assert {place for places in drawn for place in places} == {0, 1, 2}


def test_bootstrap_interval_leaves_out_resamples_without_the_figure() -> None:
    """The mean of the places, where it is not 0: the draws of nothing but the first are left out."""
    low, high = bootstrap_interval(lambda at: at.mean() or None, 2)
    assert (low, high) == (1 / 2, 1)


@pytest.mark.parametrize("n", [0, 3])
def test_bootstrap_interval_refuses_when_nothing_gives_the_figure(n: int) -> None:
    """There is nothing to resample, or no resample gives it."""
    with pytest.raises(ValueError, match=f"no resample of {n} things gives one"):
        bootstrap_interval(lambda at: None, n)


def test_expected_calibration_error_is_as_worked_by_hand() -> None:
    """Two bins of two: |0.3 - 1/2| and |0.8 - 1|, each with weight 1/2."""
    assert expected_calibration_error([0.6, 0.2, 1.0, 0.4], [1, 0, 1, 1], bins=2) == pytest.approx(1 / 5)


def test_expected_calibration_error_with_fewer_answers_than_bins_takes_each_alone() -> None:
    """|0.9 - 1| / 2 + |0.5 - 0| / 2."""
    assert expected_calibration_error([0.9, 0.5], [1, 0]) == pytest.approx(3 / 10)


def test_risk_coverage_is_as_worked_by_hand() -> None:
    """The most confident answer is right, the second wrong, the third right."""
    coverage, risk = risk_coverage([0.7, 0.9, 0.8], [1, 1, 0])
    assert coverage == pytest.approx([1 / 3, 2 / 3, 1])
    assert risk == pytest.approx([0, 1 / 2, 1 / 3])
    assert aurc([0.7, 0.9, 0.8], [1, 1, 0]) == pytest.approx(5 / 18)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.booleans()), min_size=1, max_size=8))
def test_aurc_equals_the_double_loop_and_ignores_order(answers: list[tuple[float, bool]]) -> None:
    """For every answer: the share wrong of those at least as confident."""
    risks = []
    for confidence, _ in answers:
        kept = [right for other, right in answers if other >= confidence]
        risks.append(kept.count(False) / len(kept))
    assert aurc(*zip(*answers, strict=True)) == pytest.approx(sum(risks) / len(risks))
    assert aurc(*zip(*reversed(answers), strict=True)) == pytest.approx(sum(risks) / len(risks))


def test_calibration_refuses_unequal_lengths() -> None:
    """One confidence per answer."""
    with pytest.raises(ValueError, match="equal lengths from 1, got 2 and 1"):
        aurc([0.5, 0.6], [1])
