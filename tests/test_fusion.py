"""embeddings/fusion.py, worked by hand."""

import pytest

from embeddings.dense import ScoredRow
from embeddings.fusion import weighted_sum


def ranking(**scores: float) -> list[ScoredRow]:
    """Rows named r7, r3, ... with their scores, as they come."""
    return [ScoredRow(int(name[1:]), score) for name, score in scores.items()]


def test_fusion_adds_the_weighted_scores_best_first() -> None:
    fused = weighted_sum([ranking(r7=0.9, r3=0.8), ranking(r3=5.0, r7=1.0)], weights=[1.0, 0.1])
    assert fused == [(3, pytest.approx(0.8 + 0.5)), (7, pytest.approx(0.9 + 0.1))]


def test_fusion_takes_0_where_a_ranking_lacks_a_row() -> None:
    fused = weighted_sum([ranking(r1=0.9), ranking(r2=0.5)], weights=[1.0, 2.0])
    assert fused == [(2, pytest.approx(1.0)), (1, pytest.approx(0.9))]


def test_fusion_breaks_ties_by_row_number() -> None:
    assert [row for row, _ in weighted_sum([ranking(r9=1.0, r1=1.0)], weights=[1.0])] == [1, 9]


def test_fusion_of_nothing_is_nothing() -> None:
    assert weighted_sum([], weights=[]) == []
    assert weighted_sum([[], []], weights=[1.0, 1.0]) == []


def test_fusion_needs_a_weight_for_every_ranking() -> None:
    with pytest.raises(ValueError, match="shorter"):
        weighted_sum([[], []], weights=[1.0])
