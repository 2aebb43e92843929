"""Several rankings of the same rows -> one."""

from collections.abc import Sequence

from embeddings.dense import ScoredRow


def weighted_sum(
    rankings: Sequence[Sequence[ScoredRow]], *, weights: Sequence[float], missing: Sequence[float]
) -> list[ScoredRow]:
    """Fuse rankings: a row's score is the weighted sum of its scores; `missing` stands for one that a ranking lacks.

    Best first; ties go to the lower row number. Raises ValueError unless there is a weight and a stand-in per ranking.
    Source: Fox and Shaw 1994 (CombSUM), with weights.
    """
    if not len(rankings) == len(weights) == len(missing):
        raise ValueError(f"{len(rankings)} rankings need as many weights and stand-ins")
    fused: dict[int, float] = dict.fromkeys((row for ranking in rankings for row, _ in ranking), 0.0)
    for ranking, weight, lacking in zip(rankings, weights, missing, strict=True):
        scores = dict(ranking)
        for row in fused:
            fused[row] += weight * scores.get(row, lacking)
    return sorted(
        (ScoredRow(row, score) for row, score in fused.items()), key=lambda scored: (-scored.score, scored.row)
    )
