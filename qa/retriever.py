"""A question -> the passages most likely to answer it (Hits), by meaning and by words, fused by rank."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from embeddings.dense import DenseIndex
from embeddings.encoder import Encoder
from embeddings.fusion import reciprocal_rank_fusion
from embeddings.lexical import LexicalIndex
from qa.datatypes import Corpus, Document, Hit, Passage, Span

POOL = 50  # rows that each ranking hands to the fusion


def default_k(n_passages: int) -> int:
    """How many passages to read when nobody says: all of a very small corpus, then slowly more as it grows.

    >>> [default_k(n) for n in (4, 30, 1000, 100_000)]
    [4, 8, 12, 16]
    """
    return min(n_passages, 8 if n_passages <= 100 else 12 if n_passages <= 10_000 else 16)


class Retriever:
    """Passages behind a dense and a lexical index; row numbers are positions in `passages`."""

    def __init__(self, passages: Sequence[Passage], dense: DenseIndex, encoder: Encoder) -> None:
        """Join passages and their vectors; the lexical index is made here, from the same texts.

        Raises ValueError if there are not as many vectors as passages.
        """
        if len(dense) != len(passages):
            raise ValueError(f"{len(passages)} passages but {len(dense)} vectors; build the index again with: qa index DIR")
        self.passages = tuple(passages)
        self.encoder = encoder
        self._dense = dense
        self._lexical = LexicalIndex([indexed_text(passage) for passage in passages])

    @classmethod
    def build(
        cls, passages: Sequence[Passage], encoder: Encoder, *, progress: Callable[[int], Any] | None = None
    ) -> "Retriever":
        """Embed the passages; progress is told after every batch how many were done."""
        vectors = encoder.encode_document([indexed_text(passage) for passage in passages], progress=progress)
        return cls(passages, DenseIndex.build(vectors), encoder)

    def retrieve(self, question: str, *, k: int | None = None) -> list[Hit]:
        """Return the k best passages, best first; fewer if the corpus has fewer.

        Raises ValueError if k < 1.
        """
        if k is None:
            k = default_k(len(self.passages))
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        vector = self.encoder.encode_query([question])[0]
        pool = max(k, POOL)
        near = self._dense.search(vector, k=pool)
        similarity = dict(near)
        fused = reciprocal_rank_fusion([near, self._lexical.search(question, k=pool)])[:k]
        # a passage that only words found is below the last similarity of the pool
        floor = near[-1].score if near else 0.0
        return [Hit(self.passages[row], score, similarity.get(row, floor)) for row, score in fused]

    def to_blobs(self) -> dict[str, bytes]:
        """The documents, passages and vectors as named bytes, for `embeddings.store`."""
        documents = {passage.document.document_id: passage.document for passage in self.passages}
        spans = [[p.document.document_id, p.span.start, p.span.end] for p in self.passages]
        return {
            "documents.jsonl": "".join(json.dumps(vars(d)) + "\n" for d in documents.values()).encode(),
            "passages.json": json.dumps(spans).encode(),
            "vectors.faiss": self._dense.to_bytes(),
        }

    @classmethod
    def from_blobs(cls, blobs: dict[str, bytes], encoder: Encoder) -> "Retriever":
        """Read what `to_blobs` made."""
        rows = [Document(**json.loads(line)) for line in blobs["documents.jsonl"].splitlines()]
        documents = {document.document_id: document for document in rows}
        spans = json.loads(blobs["passages.json"])
        passages = [Passage(documents[name], Span(start, end)) for name, start, end in spans]
        return cls(passages, DenseIndex.from_bytes(blobs["vectors.faiss"]), encoder)

    @property
    def corpus(self) -> Corpus:
        """The documents that have passages, in order of their ids."""
        documents = {passage.document.document_id: passage.document for passage in self.passages}
        return Corpus(tuple(documents[name] for name in sorted(documents)))


def indexed_text(passage: Passage) -> str:
    """What the indexes see of a passage: its document's title, then its text."""
    return f"{passage.document.title}\n{passage.text}" if passage.document.title else passage.text
