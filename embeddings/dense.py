"""Unit vectors in FAISS: a question's vector -> the nearest rows by cosine."""

from typing import NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from embeddings.encoder import Vectors

SLICE = 4096  # rows that are copied out of FAISS at once


class ScoredRow(NamedTuple):
    """A row number and its score; higher is better."""

    row: int
    score: float


class DenseIndex:
    """Inner-product search over all unit vectors, kept in half precision; row numbers are positions in their array."""

    def __init__(self, index: faiss.Index, data: bytes = b"") -> None:
        """Wrap a FAISS index, and the bytes it looks into, if any; use `build` or `from_bytes`."""
        self._index = index
        self._data = data

    @classmethod
    def build(cls, vectors: Vectors) -> "DenseIndex":
        """Index vectors of shape (n_rows, dim).

        Raises ValueError if a vector is not finite or not of length 1.
        """
        lengths = np.linalg.norm(vectors, axis=1)
        if not np.allclose(lengths, 1.0, atol=1e-3):  # also false for NaN
            raise ValueError(f"row {int(np.argmax(~np.isclose(lengths, 1.0, atol=1e-3)))} is not a unit vector")
        index = faiss.IndexScalarQuantizer(vectors.shape[1], faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_INNER_PRODUCT)
        index.add(np.ascontiguousarray(vectors))
        return cls(index)

    @classmethod
    def from_bytes(cls, data: bytes) -> "DenseIndex":
        """Read what `to_bytes` wrote, without a copy. FAISS does not notice damage: check a digest first.

        Raises ValueError if FAISS cannot read it.
        """
        place = faiss.swig_ptr(np.frombuffer(data, np.uint8))
        try:
            return cls(faiss.read_index(faiss.ZeroCopyIOReader(place, len(data))), data)  # type: ignore[attr-defined]  # its stubs lack it
        except RuntimeError as error:
            raise ValueError("FAISS cannot read these vectors") from error

    def to_bytes(self) -> bytes:
        """The index in FAISS's own format."""
        data: bytes = faiss.serialize_index(self._index).tobytes()
        return data

    @property
    def vectors(self) -> Vectors:
        """The vectors as they are kept, shape (n_rows, dim): rounded once, so an index of them is this one."""
        vectors: Vectors = self._index.reconstruct_n(0, len(self))
        return vectors

    def __len__(self) -> int:
        """The number of rows."""
        return int(self._index.ntotal)

    def search(self, query: NDArray[np.float32], *, k: int, among: NDArray[np.int64] | None = None) -> list[ScoredRow]:
        """Return the k nearest rows of a query vector of shape (dim,), best first; the score is a cosine.

        among: look at these rows only. Fewer than k if there are not as many; ties go to the lower row number. Half
        precision lets a score leave [-1, 1] by less than 0.001.
        Raises ValueError if k < 1, or if the vector has another dimension or is not finite.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        if query.shape != (self._index.d,) or not np.isfinite(query).all():
            raise ValueError(f"expected a finite vector of {self._index.d} numbers, got shape {query.shape}")
        if not len(self):  # FAISS refuses to look for no rows
            return []
        only = None if among is None else faiss.SearchParameters(sel=faiss.IDSelectorBatch(among))  # type: ignore[call-arg]  # its stubs lack it
        scores, rows = self._index.search(query[None, :], min(k, len(self)), params=only)
        pairs = zip(rows[0].tolist(), scores[0].tolist(), strict=True)
        found = [ScoredRow(row, score) for row, score in pairs if row >= 0]  # -1: there are no more
        return sorted(found, key=lambda scored: (-scored.score, scored.row))  # FAISS gives equal scores backwards

    def cosines(self, query: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The cosines of a query vector of shape (dim,) with some rows, shape (len(rows),); equal for equal rows."""
        parts = [self._index.reconstruct_batch(rows[at : at + SLICE]) for at in range(0, len(rows), SLICE)]
        return np.concatenate([np.zeros(0, np.float32), *(np.einsum("ij,j->i", part, query) for part in parts)])
