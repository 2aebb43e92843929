"""Hits, values and confidences in; retrieval figures and calibration out.

How an answer's text compares with a gold answer, and a figure's interval, are in `qa/metrics.py`, because training
needs them too.
"""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eval.dataset import Gold
from qa.datatypes import Hit


def contains_phrase(text: str, phrase: str) -> bool:
    """Whether the phrase stands in the text as whole words, whatever its case and spacing.

    A number is whole with its decimals and thousands: "39" is in "all 39." but not in "39.5", "39,000" or "139".
    """
    words = r"\s+".join(re.escape(word) for word in phrase.casefold().split())
    return bool(words and re.search(rf"(?<!\w)(?<!\d[.,]){words}(?!\w)(?![.,]\d)", text.casefold()))


def gold_rank(hits: Sequence[Hit], golds: Sequence[Gold]) -> int | None:
    """Return the rank, from 1, of the first hit whose passage wholly contains a gold span; None if no hit does.

    Golds are alternatives: one of them is enough.
    """
    places = [(gold.document_id, gold.span) for gold in golds]
    for rank, hit in enumerate(hits, start=1):
        passage = hit.passage
        if any(passage.document.document_id == name and passage.span.contains(span) for name, span in places):
            return rank
    return None


def recall_at_k(rank: int | None, *, k: int) -> float:
    """Return 1.0 if the gold passage (see `gold_rank`) is among the first k hits, else 0.0.

    Source: Karpukhin et al. 2020 (DPR), section 5: top-k retrieval accuracy.
    """
    return float(rank is not None and rank <= k)


def reciprocal_rank(rank: int | None) -> float:
    """Return 1 / rank of the gold passage (see `gold_rank`), 0.0 if it was not retrieved.

    Source: Voorhees 1999 (TREC-8 question answering track).
    """
    return 0.0 if rank is None else 1 / rank


def expected_calibration_error(confidences: ArrayLike, correct: ArrayLike, *, bins: int = 15) -> float:
    """Return the mean gap between confidence and share correct, over bins of (nearly) equally many answers.

    Both have shape (n_answers,). 0 is perfect. Fewer answers than bins: every answer is a bin of its own.

    Example: confidences [0.2, 0.4, 0.6, 1.0], correct [0, 1, 1, 1], two bins: |0.3 - 1/2| / 2 + |0.8 - 1| / 2 = 0.2.

    Raises ValueError if there are no answers.
    Source: Guo et al. 2017, equation 3; equally full bins as in Nixon et al. 2019 (adaptive calibration error).
    """
    confidence, right = _pairs(confidences, correct)
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(bins, order.size))
    return float(sum(abs(np.sum(confidence[part] - right[part])) for part in parts) / order.size)


def risk_coverage(confidences: ArrayLike, correct: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return coverage and risk, both of shape (n_answers,), the most confident answer first.

    Entry i: of all answers, the share at least as confident as answer i; and the share of those that is wrong.

    Example: confidences [0.9, 0.8, 0.7], correct [1, 0, 1] -> coverage [1/3, 2/3, 1], risk [0, 1/2, 1/3].

    Raises ValueError if there are no answers.
    Source: El-Yaniv and Wiener 2010; Geifman and El-Yaniv 2017.
    """
    confidence, right = _pairs(confidences, correct)
    order = np.argsort(-confidence, kind="stable")
    kept = np.searchsorted(-confidence[order], -confidence[order], side="right")  # equal confidences come together
    wrong = np.cumsum(1 - right[order])[kept - 1]
    return kept / order.size, wrong / kept


def aurc(confidences: ArrayLike, correct: ArrayLike) -> float:
    """Return the mean risk over all coverages (see `risk_coverage`): lower is better.

    Example: confidences [0.9, 0.8, 0.7], correct [1, 0, 1] -> (0 + 1/2 + 1/3) / 3 = 5/18.

    Raises ValueError if there are no answers.
    Source: Geifman et al. 2019, section 3.
    """
    return float(np.mean(risk_coverage(confidences, correct)[1]))


def _pairs(confidences: ArrayLike, correct: ArrayLike) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    confidence, right = np.asarray(confidences, dtype=float), np.asarray(correct, dtype=float)
    if not confidence.size or confidence.shape != right.shape:
        raise ValueError(f"confidences and correct need equal lengths from 1, got {confidence.size} and {right.size}")
    return confidence, right
