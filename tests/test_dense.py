"""embeddings/dense.py against brute force, and what it refuses."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import thorough

from embeddings.dense import DenseIndex, ScoredRow

EAST, NORTH = [1.0, 0.0], [0.0, 1.0]


def vectors(*rows: list[float]) -> NDArray[np.float32]:
    return np.array(rows, dtype=np.float32)


def brute_force(rows: NDArray[np.float32], query: NDArray[np.float32], k: int) -> list[tuple[int, float]]:
    scores = rows.astype(float) @ query.astype(float)
    return [(int(row), float(scores[row])) for row in np.argsort(-scores, kind="stable")[:k]]


@given(seed=st.integers(0, 10_000), n=st.integers(1, 150), dim=st.integers(1, 12), k=st.integers(1, 200))
@settings(thorough, max_examples=100)
def test_search_equals_brute_force(seed: int, n: int, dim: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n, dim)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    query = rows[0]
    index = DenseIndex.build(rows)
    np.testing.assert_allclose(index.vectors, rows, atol=5e-4)  # half precision
    found, rows = index.search(query, k=k), index.vectors
    wanted = brute_force(rows, query, k)
    assert [score for _, score in found] == pytest.approx([score for _, score in wanted], abs=1e-5)
    gaps = np.diff([score for _, score in brute_force(rows, query, n)])
    if dim > 1 and (np.abs(gaps) > 1e-5).all():  # no two rows so near that rounding decides
        assert [row for row, _ in found] == [row for row, _ in wanted]


def test_search_finds_a_stored_vector_with_score_1() -> None:
    rows = vectors(EAST, [0.6, 0.8], NORTH)
    index = DenseIndex.build(rows)
    for row, vector in enumerate(rows):
        assert index.search(vector, k=1) == [ScoredRow(row, pytest.approx(1.0, abs=1e-3))]


def test_search_scores_are_cosines() -> None:
    found = DenseIndex.build(vectors(EAST, [0.6, 0.8], [-1.0, 0.0])).search(vectors(EAST)[0], k=3)
    assert found == [(0, pytest.approx(1.0)), (1, pytest.approx(3 / 5, abs=1e-3)), (2, pytest.approx(-1.0))]


@pytest.mark.parametrize("k", [3, 120, 200])
def test_search_breaks_ties_by_row_number(k: int) -> None:
    index = DenseIndex.build(vectors(*[EAST] * 120, *[NORTH] * 120))
    rows = [row for row, _ in index.search(vectors(EAST)[0], k=k)]
    assert rows[:120] == list(range(min(k, 120)))
    assert rows == sorted(rows)


def test_search_among_some_rows_gives_the_nearest_of_them() -> None:
    index, query = DenseIndex.build(vectors(EAST, [0.6, 0.8], NORTH)), vectors(EAST)[0]
    assert [row for row, _ in index.search(query, k=2, among=np.array([1, 2]))] == [1, 2]
    assert [row for row, _ in index.search(query, k=9, among=np.array([2]))] == [2]
    assert index.search(query, k=2, among=np.array([], dtype=np.int64)) == []


def test_cosines_are_those_of_the_rows_that_were_asked_for() -> None:
    index = DenseIndex.build(vectors(EAST, [0.6, 0.8], NORTH))
    assert index.cosines(vectors(EAST)[0], np.array([2, 1, 1])).tolist() == pytest.approx([0.0, 0.6, 0.6], abs=1e-3)
    assert index.cosines(vectors(EAST)[0], np.array([], dtype=np.int64)).shape == (0,)


def test_search_with_k_beyond_the_rows_gives_all_rows() -> None:
    assert [row for row, _ in DenseIndex.build(vectors(EAST, NORTH)).search(vectors(NORTH)[0], k=9)] == [1, 0]


def test_search_of_no_rows_finds_nothing() -> None:
    assert DenseIndex.build(np.zeros((0, 2), dtype=np.float32)).search(vectors(EAST)[0], k=3) == []


@pytest.mark.parametrize("k", [0, -1])
def test_search_refuses_k_below_1(k: int) -> None:
    with pytest.raises(ValueError, match=f"k must be at least 1, got {k}"):
        DenseIndex.build(vectors(EAST)).search(vectors(EAST)[0], k=k)


@pytest.mark.parametrize(
    "query", [[1.0], [1.0, 0.0, 0.0], [float("nan"), 1.0], [float("inf"), 0.0]], ids=["short", "long", "nan", "inf"]
)
def test_search_refuses_what_is_no_vector_of_its_dimension(query: list[float]) -> None:
    with pytest.raises(ValueError, match="expected a finite vector of 2 numbers"):
        DenseIndex.build(vectors(EAST)).search(vectors(query)[0], k=1)


@pytest.mark.parametrize("bad", [[2.0, 0.0], [0.0, 0.0], [float("nan"), 0.0], [float("inf"), 0.0]])
def test_build_names_the_row_that_is_not_of_length_1(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="row 1 is not a unit vector"):
        DenseIndex.build(vectors(EAST, bad, NORTH))


def test_bytes_round_trip() -> None:
    index = DenseIndex.build(vectors(EAST, [0.6, 0.8], NORTH))
    again = DenseIndex.from_bytes(index.to_bytes())
    assert len(again) == 3
    assert again.search(vectors(NORTH)[0], k=3) == index.search(vectors(NORTH)[0], k=3)
    assert again.to_bytes() == index.to_bytes()


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:20], lambda b: b[:-1], lambda b: b"nonsense" + b[8:]])
def test_from_bytes_refuses_what_faiss_cannot_read(damage: Callable[[bytes], bytes]) -> None:
    with pytest.raises(ValueError, match="FAISS cannot read these vectors"):
        DenseIndex.from_bytes(damage(DenseIndex.build(vectors(EAST)).to_bytes()))
