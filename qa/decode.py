"""Turn the reader's start and end logits into spans of tokens.

Numpy only: no model, no text. `reader.py` turns tokens back into characters.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class TokenSpan(NamedTuple):
    """Tokens first..last of one window, both included."""

    first: int
    last: int
    score: float  # start logit + end logit; higher is better


def best_spans(
    start: NDArray[np.floating],
    end: NDArray[np.floating],
    sentence: NDArray[np.integer],
    *,
    k: int,
    max_tokens: int,
) -> list[TokenSpan]:
    """Return the k best spans of one window that share no token, best first; fewer if fewer are legal.

    All three arrays have shape (seq_len,); `sentence` numbers the sentence of each token, -1 for a token outside the
    passage. A span is legal when it ends no earlier than it starts, has at most max_tokens tokens, and both ends
    are in one sentence.
    Ties are broken by the earlier start, then by the earlier end.

    Raises ValueError if k or max_tokens is below 1, or if a passage logit is not a number.
    Source: Devlin et al. 2019 (BERT), section 4.2; that a span hides those it overlaps is ours.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if max_tokens < 1:
        raise ValueError(f"max_tokens must be at least 1, got {max_tokens}")
    tokens = np.flatnonzero(sentence >= 0)
    if not np.isfinite(start[tokens]).all() or not np.isfinite(end[tokens]).all():
        raise ValueError("the reader's logits are not finite; its weights may be damaged: reinstall or retrain it")
    scores = start[tokens][:, None] + end[tokens][None, :]  # (n_context, n_context): row = first, column = last
    width = tokens[None, :] - tokens[:, None]
    legal = (width >= 0) & (width < max_tokens) & (sentence[tokens][:, None] == sentence[tokens][None, :])
    scores[~legal] = -np.inf
    found: list[TokenSpan] = []
    for _ in range(min(k, len(tokens))):
        row, column = np.unravel_index(np.argmax(scores), scores.shape)
        if scores[row, column] == -np.inf:
            break
        found.append(TokenSpan(int(tokens[row]), int(tokens[column]), float(scores[row, column])))
        scores[: column + 1, row:] = -np.inf  # what begins no later than its end and ends no earlier than its start
    return found
