"""A question -> the passages most likely to answer it (Hits): three rankings, fused by rank.

The rankings: nearest passage by meaning, passage with the nearest single sentence, and best words. A passage says
several things and its vector blurs them; a sentence's vector does not, but has no surroundings.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from embeddings.dense import DenseIndex, ScoredRow
from embeddings.encoder import Encoder
from embeddings.fusion import reciprocal_rank_fusion
from embeddings.lexical import LexicalIndex
from qa.chunking import sentences_in
from qa.datatypes import Corpus, Document, Hit, Passage, Span

LAYOUT = 1  # of what `to_blobs` writes: another number, and indexes are built anew
POOL = 50  # passages that each ranking hands to the fusion
SENTENCE_POOL = 200


def default_k(n_passages: int) -> int:
    """How many passages to read when nobody says: all of a very small corpus, then slowly more as it grows.

    >>> [default_k(n) for n in (4, 30, 1000, 100_000)]
    [4, 8, 12, 16]
    """
    return min(n_passages, 8 if n_passages <= 100 else 12 if n_passages <= 10_000 else 16)


class Retriever:
    """Passages behind their indexes; row numbers are positions in `passages`."""

    def __init__(self, passages: Sequence[Passage], dense: DenseIndex, sentences: DenseIndex, encoder: Encoder) -> None:
        """Join passages, their vectors and their sentences' vectors; the lexical index is made here, of the same texts.

        Raises ValueError if there are not as many vectors as passages and sentences.
        """
        self.passages = tuple(passages)
        self.encoder = encoder
        self._dense = dense
        self._sentences = sentences
        self._lexical = LexicalIndex([indexed_text(passage) for passage in passages])
        self._rows_of = [rows for _, rows in _sentences(passages)]  # sentence -> the passages that hold it
        if (len(dense), len(sentences)) != (len(passages), len(self._rows_of)):
            raise ValueError("passages and vectors are not as many; build the index again with: qa index DIR")

    @classmethod
    def build(
        cls, passages: Sequence[Passage], encoder: Encoder, *, progress: Callable[[int, int], Any] | None = None
    ) -> "Retriever":
        """Embed passages and sentences; progress is told after a batch how many texts were done, and of how many."""
        texts = [indexed_text(passage) for passage in passages] + [
            sentence.text for sentence, _ in _sentences(passages)
        ]
        told = (lambda done: progress(done, len(texts))) if progress else None
        vectors = encoder.encode_document(texts, progress=told)
        dense, sentences = (DenseIndex.build(part) for part in (vectors[: len(passages)], vectors[len(passages) :]))
        return cls(passages, dense, sentences, encoder)

    def retrieve(self, question: str, *, k: int | None = None) -> list[Hit]:
        """Return the k best passages, best first; fewer if the corpus has fewer.

        Raises ValueError if k < 1.
        """
        if k is None:
            k = default_k(len(self.passages))
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        vector = self.encoder.encode_query([question])[0]
        near = self._dense.search(vector, k=max(k, POOL))
        nearest_sentence = self._by_sentence(self._sentences.search(vector, k=max(k, SENTENCE_POOL)))
        words = self._lexical.search(question, k=max(k, POOL))
        similarity = dict(near)
        for row, score in nearest_sentence:
            similarity[row] = max(score, similarity.get(row, -1.0))
        floor = min(similarity.values(), default=-1.0)  # what only words found is no nearer than this
        fused = reciprocal_rank_fusion([near, nearest_sentence, words])[:k]
        return [Hit(self.passages[row], score, similarity.get(row, floor)) for row, score in fused]

    def _by_sentence(self, sentences: Sequence[ScoredRow]) -> list[ScoredRow]:
        """Rank passages by their best sentence."""
        best: dict[int, float] = {}
        for sentence, score in sentences:
            for row in self._rows_of[sentence]:
                best.setdefault(row, score)
        return [ScoredRow(row, score) for row, score in best.items()]

    def to_blobs(self) -> dict[str, bytes]:
        """The documents, passages and vectors as named bytes, for `embeddings.store`."""
        documents = {passage.document.document_id: passage.document for passage in self.passages}
        spans = [[p.document.document_id, p.span.start, p.span.end] for p in self.passages]
        return {
            "documents.jsonl": "".join(json.dumps(vars(d)) + "\n" for d in documents.values()).encode(),
            "passages.json": json.dumps(spans).encode(),
            "passages.faiss": self._dense.to_bytes(),
            "sentences.faiss": self._sentences.to_bytes(),
        }

    @classmethod
    def from_blobs(cls, blobs: dict[str, bytes], encoder: Encoder) -> "Retriever":
        """Read what `to_blobs` made."""
        rows = [Document(**json.loads(line)) for line in blobs["documents.jsonl"].splitlines()]
        documents = {document.document_id: document for document in rows}
        spans = json.loads(blobs["passages.json"])
        passages = [Passage(documents[name], Span(start, end)) for name, start, end in spans]
        dense, sentences = (DenseIndex.from_bytes(blobs[f"{name}.faiss"]) for name in ("passages", "sentences"))
        return cls(passages, dense, sentences, encoder)

    @property
    def corpus(self) -> Corpus:
        """The documents that have passages, in order of their ids."""
        documents = {passage.document.document_id: passage.document for passage in self.passages}
        return Corpus(tuple(documents[name] for name in sorted(documents)))


def indexed_text(passage: Passage) -> str:
    """What the indexes see of a passage: its document's title, then its text."""
    return f"{passage.document.title}\n{passage.text}" if passage.document.title else passage.text


def _sentences(passages: Sequence[Passage]) -> list[tuple[Passage, list[int]]]:
    """Every sentence of the passages once, with the rows of the passages that hold it."""
    rows: dict[tuple[str, Span], tuple[Passage, list[int]]] = {}
    for row, passage in enumerate(passages):
        for span in sentences_in(passage):
            key = (passage.document.document_id, span)
            rows.setdefault(key, (Passage(passage.document, span), []))[1].append(row)
    return list(rows.values())
