"""Words and pieces of words in BM25: a question -> the rows that share its rare terms.

Each word counts as its stem, and as its four-letter pieces, so that a misspelt name still
shares most of its pieces with the right one.
"""

import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import Stemmer
from numpy.typing import NDArray

STOP_WORDS = frozenset(
    "a an the is are was were be been being do does did of in on at to for by with from and or that this these those "
    "it its as has have had which what who whom whose when where why how there their they he she his her i you "
    "we our".split()
)
PIECE = 4  # letters
SAMPLED = 16  # every so many rows tell where about the best scores begin
K1, B = 1.5, 0.75  # how soon repeating a term stops counting; how much a long text is held against it
Integers = NDArray[np.integer[Any]]


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
    """BM25 over the terms of texts; row numbers are positions in the list it was built from.

    Kept are counts, not scores: what a term weighs depends on all rows, counts can be taken over when rows come and
    go. Terms are in alphabetical order, and a term's rows in ascending order: equal texts give equal bytes.
    """

    def __init__(self, lengths: Integers, holders: Mapping[str, int], postings: Integers) -> None:
        """Take each row's number of terms, how many rows hold each term, and their rows and counts, shape (2, n)."""
        self._stemmer = Stemmer.Stemmer("english")
        self._lengths = lengths
        self._holders = holders
        self._postings = postings  # term after term
        self._ends = dict(zip(holders, np.cumsum(list(holders.values()), dtype=int).tolist(), strict=True))
        mean = max(lengths.mean(), 1) if len(lengths) else 1
        self._damping = (K1 * (1 - B + B * lengths / mean)).astype(np.float32)

    @classmethod
    def build(cls, texts: Sequence[str]) -> "LexicalIndex":
        """Index the texts."""
        return cls(np.zeros(0, np.int32), {}, np.zeros((2, 0), np.int32)).updated(texts, [-1] * len(texts))

    def updated(self, texts: Sequence[str], known: Sequence[int]) -> "LexicalIndex":
        """Index the texts, taking over the counts of those that this index has: text i as row known[i], -1 if not."""
        numbers = {term: number for number, term in enumerate(self._holders)}
        of_posting = np.repeat(np.arange(len(numbers), dtype=np.int32), list(self._holders.values()))
        rows, counts = self._postings
        of_row = np.split(np.argsort(rows, kind="stable"), np.cumsum(np.bincount(rows, minlength=len(self._lengths))))
        found: list[tuple[Integers, Integers]] = []  # per text: its terms' numbers, and how often each is in it
        for text, row in zip(texts, known, strict=True):
            if row < 0:
                said = [numbers.setdefault(term, len(numbers)) for term in terms(text, self._stemmer)]
                found.append(np.unique(np.array(said, np.int32), return_counts=True))
            else:
                found.append((of_posting[of_row[row]], counts[of_row[row]]))
        lengths = np.array([counts.sum() for _, counts in found], dtype=np.int32)
        return LexicalIndex(lengths, *_ordered(list(numbers), found))

    def scores(self, query: str) -> NDArray[np.float32]:
        """The BM25 of every row, shape (n_rows,); 0 if it shares no term with the query, higher is better.

        Source: Robertson and Zaragoza 2009, in Lucene's form: idf = ln(1 + (n - df + 0.5) / (df + 0.5)), and no
        factor k1 + 1.
        """
        n = len(self._lengths)
        scores = np.zeros(n, np.float32)
        for term in terms(query, self._stemmer):
            if df := self._holders.get(term, 0):
                rows, counts = self._postings[:, self._ends[term] - df : self._ends[term]].astype(np.intp)
                often, rarity = counts.astype(np.float32), math.log(1 + (n - df + 0.5) / (df + 0.5))
                np.add.at(scores, rows, rarity * often / (often + self._damping[rows]))
        return scores

    def to_blobs(self) -> dict[str, bytes]:
        """The index as named bytes, for `embeddings.store`."""
        return {
            "terms.json": json.dumps(self._holders).encode(),
            "lengths.i4": self._lengths.astype("<i4").tobytes(),
            "postings.i4": self._postings.astype("<i4").tobytes(),
        }

    @classmethod
    def from_blobs(cls, blobs: Mapping[str, bytes]) -> "LexicalIndex":
        """Read what `to_blobs` made."""
        lengths, postings = (np.frombuffer(blobs[f"{name}.i4"], "<i4") for name in ("lengths", "postings"))
        return cls(lengths, json.loads(blobs["terms.json"]), postings.reshape(2, -1))


def best_rows(scores: NDArray[np.float32], *, k: int) -> NDArray[np.int64]:
    """The rows of the k best scores above 0, best first; ties go to the lower row number."""
    least = _kth_best(scores[::SAMPLED], k // (SAMPLED // 2))  # a guess from some rows: about 2k are above it
    best = np.flatnonzero(scores > least)
    if len(best) < k:
        best = np.flatnonzero((scores >= _kth_best(scores, k)) & (scores > 0))
    return best[np.argsort(-scores[best], kind="stable")[:k]]


def _kth_best(scores: NDArray[np.float32], k: int) -> float:
    """The k-th best score, or 0 if there are not as many."""
    return float(np.partition(scores, len(scores) - k)[len(scores) - k]) if 0 < k < len(scores) else 0.0


def _ordered(names: list[str], found: Sequence[tuple[Integers, Integers]]) -> tuple[dict[str, int], Integers]:
    """Turn the terms of every row into the rows of every term; terms that no row has any more are dropped."""
    if not found:
        return {}, np.zeros((2, 0), np.int32)
    numbers, counts = (np.concatenate(parts) for parts in zip(*found, strict=True))
    rows = np.repeat(np.arange(len(found)), [len(terms) for terms, _ in found])
    holders = np.bincount(numbers, minlength=len(names))
    alphabetical = sorted(np.flatnonzero(holders).tolist(), key=names.__getitem__)
    rank = np.zeros(len(names), dtype=np.int32)
    rank[alphabetical] = np.arange(len(alphabetical))
    order = np.argsort(rank[numbers], kind="stable")
    postings = np.stack([rows[order], counts[order]]).astype(np.int32)
    return {names[number]: int(holders[number]) for number in alphabetical}, postings
