"""Several rankings of the same rows -> one."""

from collections import defaultdict
from collections.abc import Sequence

from embeddings.dense import ScoredRow


def reciprocal_rank_fusion(rankings: Sequence[Sequence[ScoredRow]], *, constant: int = 60) -> list[ScoredRow]:
    """Fuse rankings: a row's score is the sum of 1 / (constant + rank) over the rankings that hold it, ranks from 1.

    Best first; ties go to the lower row number. With two rankings and constant 60 a score is at most 2/61.
    Source: Cormack, Clarke and Büttcher 2009.
    """
    fused: dict[int, float] = defaultdict(float)
    for ranking in rankings:
        for rank, (row, _) in enumerate(ranking, start=1):
            fused[row] += 1 / (constant + rank)
    return sorted(
        (ScoredRow(row, score) for row, score in fused.items()), key=lambda scored: (-scored.score, scored.row)
    )
