"""Words and pieces of words in BM25: a question -> the rows that share its rare terms.

Each word counts as its stem, and as its four-letter pieces, so that a misspelt name still
shares most of its pieces with the right one.
"""

import logging
import re
import unicodedata
from collections.abc import Sequence

import bm25s
import numpy as np
import Stemmer

from embeddings.dense import ScoredRow

logging.getLogger("bm25s").setLevel(logging.WARNING)  # it lowers its own level, and narrates
STOP_WORDS = frozenset(
    "a an the is are was were be been being do does did of in on at to for by with from and or that this these those "
    "it its as has have had which what who whom whose when where why how there their they he she his her i you "
    "we our".split()
)
PIECE = 4  # letters


def terms(text: str, stemmer: Stemmer.Stemmer) -> list[str]:
    """The terms of a text, folded (case, accents, width): stems, and `#` + four letters for words of five and more.

    >>> terms("Fugitives", Stemmer.Stemmer("english"))
    ['fugit', '#fugi', '#ugit', '#giti', '#itiv', '#tive', '#ives']
    """
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    folded = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    words = [word for word in re.findall(r"\w+", folded) if word not in STOP_WORDS]
    pieces = [f"#{word[at : at + PIECE]}" for word in words if len(word) > PIECE for at in range(len(word) - PIECE + 1)]
    stems: list[str] = stemmer.stemWords(words)
    return stems + pieces


class LexicalIndex:
    """BM25 over the terms of texts; row numbers are positions in the list it was built from."""

    def __init__(self, texts: Sequence[str]) -> None:
        """Index the texts."""
        self._stemmer = Stemmer.Stemmer("english")
        self._count = len(texts)
        tokens = [terms(text, self._stemmer) or [""] for text in texts]  # bm25s wants a term in every row
        self._bm25 = bm25s.BM25()
        self._bm25.index(tokens, show_progress=False)

    def search(self, query: str, *, k: int) -> list[ScoredRow]:
        """Return the k best rows that share a term with the query, best first; the score is BM25 (Lucene's form), >= 0.

        Source: Robertson and Zaragoza 2009; Lù 2024 (bm25s).
        """
        known = [term for term in terms(query, self._stemmer) if term in self._bm25.vocab_dict]
        if not known:
            return []
        scores = self._bm25.get_scores(known)
        order = np.argsort(-scores, kind="stable")[:k]
        return [ScoredRow(int(row), float(scores[row])) for row in order if scores[row] > 0]
