"""qa/decode.py against the double loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import thorough

from qa.decode import TokenSpan, best_spans

logits = st.one_of(st.integers(-3, 3).map(float), st.floats(-20, 20, width=32))  # whole numbers: many ties


@st.composite
def windows(draw: st.DrawFn) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    size = draw(st.integers(1, 14))
    start, end = (draw(st.lists(logits, min_size=size, max_size=size)) for _ in range(2))
    sentence = draw(st.lists(st.integers(-1, 2), min_size=size, max_size=size))
    return np.array(start, dtype=np.float32), np.array(end, dtype=np.float32), np.array(sentence)


def double_loop(
    start: NDArray[np.float32], end: NDArray[np.float32], sentence: NDArray[np.int64], k: int, max_tokens: int
) -> list[TokenSpan]:
    found = []
    for first in range(len(start)):
        for last in range(first, min(len(end), first + max_tokens)):
            if sentence[first] == sentence[last] >= 0:
                found.append(TokenSpan(first, last, float(start[first] + end[last])))
    apart: list[TokenSpan] = []
    for span in sorted(found, key=lambda span: (-span.score, span.first, span.last)):
        if all(span.last < other.first or other.last < span.first for other in apart):
            apart.append(span)
    return apart[:k]


@given(window=windows(), k=st.integers(1, 12), max_tokens=st.integers(1, 15))
@thorough
def test_best_spans_equals_the_double_loop(
    window: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]], k: int, max_tokens: int
) -> None:
    found = best_spans(*window, k=k, max_tokens=max_tokens)
    assert found == double_loop(*window, k, max_tokens)
    assert all(span.first <= span.last < span.first + max_tokens for span in found)
    assert all(window[2][span.first] == window[2][span.last] >= 0 for span in found)


def window(start: list[float], end: list[float]) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
    return np.array(start, dtype=np.float32), np.array(end, dtype=np.float32), np.zeros(len(start), dtype=int)


def test_best_spans_is_the_best_legal_pair_not_the_best_ends() -> None:
    # the best start (token 2) is after the best end (token 0): 0..2 has 1 + 2, 2..2 has 5 + 2, 0..0 has 1 + 4
    assert best_spans(*window([1, 0, 5], [4, 0, 2]), k=3, max_tokens=3) == [(2, 2, 7), (0, 0, 5), (1, 1, 0)]


def test_best_spans_leaves_out_a_better_pair_outside_the_passage() -> None:
    start, end, sentence = window([9, 1, 0], [9, 0, 1])
    sentence[0] = -1
    assert best_spans(start, end, sentence, k=1, max_tokens=3) == [(1, 2, 2)]


def test_best_spans_leaves_out_a_better_pair_in_two_sentences() -> None:
    start, end, sentence = window([5, 1, 0, 0], [0, 1, 0, 5])
    sentence[2:] = 1
    assert best_spans(start, end, sentence, k=2, max_tokens=4) == [(0, 1, 6), (2, 3, 5)]


def test_best_spans_breaks_ties_by_earlier_start_then_earlier_end() -> None:
    spans = best_spans(*window([0] * 30, [0] * 30), k=3, max_tokens=2)
    assert [(span.first, span.last) for span in spans] == [(0, 0), (1, 1), (2, 2)]


def test_best_spans_without_a_passage_is_empty() -> None:
    start, end, _ = window([1, 2], [3, 4])
    assert best_spans(start, end, np.array([-1, -1]), k=3, max_tokens=2) == []


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("side", [0, 1])
def test_best_spans_refuses_logits_that_are_no_numbers(bad: float, side: int) -> None:
    arrays = window([0, 0, 0], [0, 0, 0])
    arrays[side][1] = bad
    with pytest.raises(ValueError, match="logits are not finite"):
        best_spans(*arrays, k=1, max_tokens=3)


def test_best_spans_does_not_mind_a_bad_logit_outside_the_passage() -> None:
    start, end, sentence = window([float("nan"), 0], [0, 0])
    sentence[0] = -1
    assert best_spans(start, end, sentence, k=1, max_tokens=1) == [(1, 1, 0)]


@pytest.mark.parametrize("k", [0, -2])
def test_best_spans_refuses_k_below_1(k: int) -> None:
    with pytest.raises(ValueError, match=f"k must be at least 1, got {k}"):
        best_spans(*window([0], [0]), k=k, max_tokens=1)


def test_best_spans_refuses_max_tokens_below_1() -> None:
    with pytest.raises(ValueError, match="max_tokens must be at least 1, got 0"):
        best_spans(*window([0], [0]), k=1, max_tokens=0)
