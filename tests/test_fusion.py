"""embeddings/fusion.py, worked by hand."""

import pytest

from embeddings.dense import ScoredRow
from embeddings.fusion import reciprocal_rank_fusion


def ranking(*rows: int) -> list[ScoredRow]:
    return [ScoredRow(row, 100.0 - rank) for rank, row in enumerate(rows)]


def test_fusion_adds_the_reciprocals_of_the_ranks() -> None:
    fused = reciprocal_rank_fusion([ranking(7, 3), ranking(3, 5)])
    assert fused == [
        (3, pytest.approx(1 / 62 + 1 / 61)),
        (7, pytest.approx(1 / 61)),
        (5, pytest.approx(1 / 62)),
    ]


def test_fusion_uses_the_constant() -> None:
    assert reciprocal_rank_fusion([ranking(4, 2)], constant=1) == [(4, pytest.approx(1 / 2)), (2, pytest.approx(1 / 3))]


def test_fusion_breaks_ties_by_row_number() -> None:
    assert [row for row, _ in reciprocal_rank_fusion([ranking(9, 1), ranking(1, 9)])] == [1, 9]


def test_fusion_knows_ranks_only() -> None:
    loud = [ScoredRow(1, 1e9), ScoredRow(2, 1e8)]
    assert reciprocal_rank_fusion([loud]) == reciprocal_rank_fusion([ranking(1, 2)])


def test_fusion_of_nothing_is_nothing() -> None:
    assert reciprocal_rank_fusion([]) == []
    assert reciprocal_rank_fusion([[], []]) == []


def test_fusion_with_an_empty_ranking_keeps_the_other() -> None:
    assert reciprocal_rank_fusion([ranking(2, 8), []]) == reciprocal_rank_fusion([ranking(2, 8)])


def test_fused_score_of_first_in_two_rankings_is_two_sixty_firsts() -> None:
    assert reciprocal_rank_fusion([ranking(0), ranking(0)]) == [(0, pytest.approx(2 / 61))]
