"""Several rankings of the same rows -> one."""

from collections import defaultdict
from collections.abc import Sequence

from embeddings.dense import ScoredRow


def weighted_sum(rankings: Sequence[Sequence[ScoredRow]], *, weights: Sequence[float]) -> list[ScoredRow]:
    """Fuse rankings: a row's score is the weighted sum of its scores, 0 where a ranking lacks it.

    Best first; ties go to the lower row number. Raises ValueError unless there is a weight per ranking.
    Source: Fox and Shaw 1994 (CombSUM), with weights.
    """
    fused: dict[int, float] = defaultdict(float)
    for ranking, weight in zip(rankings, weights, strict=True):
        for row, score in ranking:
            fused[row] += weight * score
    return sorted(
        (ScoredRow(row, score) for row, score in fused.items()), key=lambda scored: (-scored.score, scored.row)
    )
