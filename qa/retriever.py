"""A question -> the passages most likely to answer it (Hits): by three scores, added up.

The scores: how near the passage is by meaning, how near its nearest single sentence is, and its words. A passage says
several things and its vector blurs them; a sentence's vector does not, but has no surroundings. Scored are the passages
among the POOL nearest, or among the POOL best by words.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import accumulate
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from embeddings.dense import DenseIndex
from embeddings.encoder import Encoder, Vectors
from embeddings.lexical import LexicalIndex, best_rows
from embeddings.store import REMEDY, IndexStoreError, NoIndexError
from qa.chunking import sentences_in
from qa.datatypes import Corpus, Document, Hit, Passage, Span
from qa.spelling import count_words

LAYOUT = 4  # of what `to_blobs` writes: another number, and indexes are built anew
POOL = 100
WEIGHTS = np.array(
    [1.0, 1.0, 0.2]
)  # of the cosines of passage and best sentence, and of BM25 as a share of the best passage's
PROBE = "The museum by the harbour opened in 1931."  # an encoder that gives it another vector is another encoder
PROBE_TOLERANCE = 1e-3  # of any of its first values; other machines and runtimes differ by some 1e-6


def default_k(n_passages: int) -> int:
    """How many passages to look at when nobody says: all of a very small corpus, more of a large one.

    >>> [default_k(n) for n in (4, 30, 1000)]
    [4, 12, 24]
    """
    return min(n_passages, 12 if n_passages <= 40 else 24)


class Passages(Sequence[Passage]):
    """Passages as numbers, shape (n, 3): document, start, end; each is made when it is asked for.

    Opening an index of 100,000 would otherwise spend most of its time on making them all.
    """

    def __init__(self, documents: tuple[Document, ...], numbers: NDArray[np.int64]) -> None:
        """Wrap documents in order of their ids, all of which have passages, and the numbers."""
        self.documents = documents
        self.numbers = numbers

    @classmethod
    def of(cls, passages: Sequence[Passage]) -> "Passages":
        """The same passages as numbers."""
        documents = {passage.document.document_id: passage.document for passage in passages}
        places = {name: place for place, name in enumerate(sorted(documents))}
        rows = [(places[p.document.document_id], p.span.start, p.span.end) for p in passages]
        return cls(tuple(documents[name] for name in places), np.array(rows, dtype=np.int64).reshape(-1, 3))

    def __len__(self) -> int:
        """How many there are."""
        return len(self.numbers)

    def __iter__(self) -> Iterator[Passage]:
        """All of them, in order."""
        for document, start, end in self.numbers.tolist():
            yield Passage(self.documents[document], Span(start, end))

    @overload
    def __getitem__(self, at: int) -> Passage: ...
    @overload
    def __getitem__(self, at: slice) -> list[Passage]: ...
    def __getitem__(self, at: int | slice) -> Passage | list[Passage]:
        """One, or those of a slice."""
        if isinstance(at, slice):
            return [self[row] for row in range(len(self))[at]]
        document, start, end = self.numbers[at].tolist()
        return Passage(self.documents[document], Span(start, end))


class Retriever:
    """Passages behind their indexes; row numbers are positions in `passages`."""

    def __init__(
        self,
        passages: Passages,
        sentences: NDArray[np.int64],
        dense: DenseIndex,
        sentence_vectors: DenseIndex,
        lexical: LexicalIndex,
        words: Counter[str],
        encoder: Encoder,
        probe: list[float],
    ) -> None:
        """Join passages with their indexes and their sentences, shape (n, 4): start, end, first and last passage.

        Every passage has a sentence, and both begin, and end, in one order: as `chunk_document` makes them.
        words: how often the documents have each, for the `Speller`; probe: how PROBE's vector began when the others
        were made. Raises ValueError if there are not as many vectors as passages and sentences.
        """
        if (len(dense), len(sentence_vectors)) != (len(passages), len(sentences)):
            raise ValueError(f"passages and vectors are not as many; {REMEDY}")
        self.passages = passages
        self.words = words
        self.encoder = encoder
        self.probe = probe
        self._proven = False
        self._sentences = sentences
        self._dense = dense
        self._sentence_vectors = sentence_vectors
        self._lexical = lexical

    @classmethod
    def build(
        cls,
        passages: Iterable[Passage],
        encoder: Encoder,
        *,
        known: "Retriever | None" = None,
        progress: Callable[[int, int], Any] | None = None,
    ) -> "Retriever":
        """Embed passages and sentences, each text once, and take over what `known`, of the same encoder, has of them.

        With and without `known` the result is the same. Progress is told after a batch how many texts were done, and
        of how many. Raises IndexStoreError if the encoder gives other vectors than when `known` was made.
        """
        passages, sentences = _with_sentences(passages)
        titled = [indexed_text(passage) for passage in passages]
        texts = titled + _texts(passages, sentences)
        rows, vectors = known._rows_and_vectors() if known else ({}, None)
        taken = [rows.get(text, -1) for text in titled]
        missing = list(dict.fromkeys(text for text in texts if text not in rows))
        if known and missing:
            known._prove_encoder()
        if missing or vectors is None:
            told = (lambda done: progress(done, len(missing))) if progress else None
            fresh = encoder.encode_document(missing, progress=told)
            rows |= {text: row for row, text in enumerate(missing, start=0 if vectors is None else len(vectors))}
            vectors = fresh if vectors is None else np.concatenate([vectors, fresh])
        vectors = vectors[[rows[text] for text in texts]]
        n = len(passages)
        if known:
            lexical = known._lexical.updated(titled, [row if row < len(known.passages) else -1 for row in taken])
        else:
            lexical = LexicalIndex.build(titled)
        words = _words(passages, known)
        probe = known.probe if known else _probe(encoder)
        dense, sentence_vectors = DenseIndex.build(vectors[:n]), DenseIndex.build(vectors[n:])
        return cls(Passages.of(passages), sentences, dense, sentence_vectors, lexical, words, encoder, probe)

    def _rows_and_vectors(self) -> tuple[dict[str, int], Vectors]:
        """The vectors of the passages, then of the sentences, and where each text's is; a passage's row comes first."""
        texts = [indexed_text(passage) for passage in self.passages] + _texts(self.passages, self._sentences)
        rows = {text: row for row, text in reversed(list(enumerate(texts)))}
        return rows, np.concatenate([self._dense.vectors, self._sentence_vectors.vectors])

    def _prove_encoder(self) -> None:
        """Raise IndexStoreError unless the encoder still gives the vectors that it gave when the index was made."""
        now = _probe(self.encoder)
        if not np.allclose(now, self.probe, rtol=0, atol=PROBE_TOLERANCE):
            raise IndexStoreError(
                f"the encoder {self.encoder.name!r} gives other vectors than when this index was made ({now[0]:.4f}, "
                f"then {self.probe[0]:.4f}): its runtime or its files have changed; {REMEDY}"
            )
        self._proven = True

    def retrieve(
        self, question: str, *, k: int | None = None, among: Callable[[Document], bool] | None = None
    ) -> list[Hit]:
        """Return the k best passages, best first; fewer if the corpus has fewer.

        among: leave out the passages of documents for which it is false.
        Raises ValueError if k < 1.
        """
        eligible = self._rows_of(among) if among else None
        if k is None:
            k = max(1, default_k(len(self.passages if eligible is None else eligible)))
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        if not self._proven:  # not on opening, which needs no weights
            self._prove_encoder()
        vector = self.encoder.encode_query([question])[0]
        pool = max(k, POOL)
        near = [row for row, _ in self._dense.search(vector, k=pool, among=eligible)]
        words = self._lexical.scores(question)
        sharing = best_rows(words, k=pool) if eligible is None else eligible[best_rows(words[eligible], k=pool)]
        rows = np.union1d(near, sharing).astype(np.int64)
        if not len(rows):
            return []
        whole, sentence = self._dense.cosines(vector, rows), self._nearest_sentence(vector, rows)
        shares = words[rows] / (words[rows].max() or 1.0)
        scores = (WEIGHTS * np.stack([whole, sentence, shares], axis=1)).sum(axis=1)
        similarities = np.maximum(whole, sentence)
        best = np.argsort(-scores, kind="stable")[:k]
        return [Hit(self.passages[rows[i]], float(scores[i]), float(similarities[i])) for i in best]

    def _rows_of(self, among: Callable[[Document], bool]) -> NDArray[np.int64]:
        """The passages of documents for which it is true."""
        chosen = np.array([among(document) for document in self.passages.documents], dtype=bool)
        return np.flatnonzero(chosen[self.passages.numbers[:, 0]])

    def _nearest_sentence(self, vector: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The cosine of the nearest sentence of each of these passages, shape (len(rows),)."""
        _, _, first, last = self._sentences.T
        begins, ends = np.searchsorted(last, rows, "left"), np.searchsorted(first, rows, "right")
        sizes = ends - begins
        starts = np.cumsum(sizes) - sizes
        runs = np.arange(sizes.sum()) + np.repeat(begins - starts, sizes)  # begins[0]..ends[0], begins[1]..ends[1], ...
        return np.maximum.reduceat(self._sentence_vectors.cosines(vector, runs), starts)

    def to_blobs(self) -> dict[str, bytes]:
        """Everything but the encoder as named bytes, for `embeddings.store`; equal passages give equal bytes."""
        documents = self.passages.documents
        texts = [one.text.encode("utf-8", "surrogatepass") for one in documents]
        sizes = [{"text": len(text)} for text in texts]
        rest = [asdict(replace(one, text="")) | size for one, size in zip(documents, sizes, strict=True)]
        return {
            "documents.json": json.dumps(rest).encode(),
            "documents.txt": b"".join(texts),
            "words.json": json.dumps(self.words, sort_keys=True).encode(),
            "passages.i8": self.passages.numbers.astype("<i8").tobytes(),
            "passages.faiss": self._dense.to_bytes(),
            "sentences.i8": self._sentences.astype("<i8").tobytes(),
            "sentences.faiss": self._sentence_vectors.to_bytes(),
            **self._lexical.to_blobs(),
        }

    @classmethod
    def from_blobs(cls, blobs: Mapping[str, bytes], encoder: Encoder, probe: list[float]) -> "Retriever":
        """Read what `to_blobs` made."""
        passages = Passages(tuple(read_documents(blobs)), np.frombuffer(blobs["passages.i8"], "<i8").reshape(-1, 3))
        sentences = np.frombuffer(blobs["sentences.i8"], "<i8").reshape(-1, 4)
        dense, sentence_vectors = (DenseIndex.from_bytes(blobs[f"{name}.faiss"]) for name in ("passages", "sentences"))
        words = Counter(json.loads(blobs["words.json"]))
        return cls(passages, sentences, dense, sentence_vectors, LexicalIndex.from_blobs(blobs), words, encoder, probe)

    @property
    def corpus(self) -> Corpus:
        """The documents that have passages, in order of their ids."""
        return Corpus(self.passages.documents)


def check_layout(about: Mapping[str, Any], place: Path) -> None:
    """Raise NoIndexError if blobs were written in an older layout than LAYOUT, IndexStoreError if in a newer one."""
    if about["layout"] < LAYOUT:
        raise NoIndexError(f"the index in {place} was made by an older version of quotewise; {REMEDY}")
    if about["layout"] > LAYOUT:
        raise IndexStoreError(f"the index in {place} was made by a newer version of quotewise; use that, or {REMEDY}")


def indexed_text(passage: Passage) -> str:
    """What the indexes see of a passage: its document's title, then its text."""
    return f"{passage.document.title}\n{passage.text}" if passage.document.title else passage.text


def read_documents(blobs: Mapping[str, bytes]) -> list[Document]:
    """The documents in what `Retriever.to_blobs` made: texts end to end, and the rest with each text's length."""
    rest, texts = json.loads(blobs["documents.json"]), blobs["documents.txt"]
    ends = accumulate(one["text"] for one in rest)
    return [
        Document(**one | {"text": texts[end - one["text"] : end].decode("utf-8", "surrogatepass")})
        for one, end in zip(rest, ends, strict=True)
    ]


def _with_sentences(passages: Iterable[Passage]) -> tuple[list[Passage], NDArray[np.int64]]:
    """The passages, and every sentence of them once: start, end, and the first and last of the passages that hold it.

    Passages that are only being cut, document by document, are met while their document's sentences are remembered.
    """
    listed: list[Passage] = []
    found: dict[tuple[str, Span], list[int]] = {}
    for row, passage in enumerate(passages):
        listed.append(passage)
        for span in sentences_in(passage):
            found.setdefault((passage.document.document_id, span), [span.start, span.end, row, row])[3] = row
    return listed, np.array(list(found.values()), dtype=np.int64).reshape(-1, 4)


def _texts(passages: Sequence[Passage], sentences: NDArray[np.int64]) -> list[str]:
    documents = [passage.document for passage in passages]
    return [documents[first].slice(Span(start, end)) for start, end, first, _ in sentences.tolist()]


def _words(passages: Sequence[Passage], known: Retriever | None) -> Counter[str]:
    """How often the passages' documents have each word; counted are only the documents that `known` has not."""
    now = Counter({p.document.document_id: p.document.text for p in passages}.values())
    if known is None:
        return count_words(now.elements())
    before = Counter(document.text for document in known.corpus.documents)
    return known.words + count_words((now - before).elements()) - count_words((before - now).elements())


def _probe(encoder: Encoder) -> list[float]:
    vector: list[float] = encoder.encode_query([PROBE])[0][:8].tolist()
    return vector
