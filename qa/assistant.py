"""The front door: documents in, questions asked, replies out. Holds the one order in which the steps run."""

import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from embeddings import store
from embeddings.encoder import DEFAULT_MODEL, Encoder, SentenceEncoder
from qa.answers import cite, conflicting, merge
from qa.chunking import MAX_CHARS, OVERLAP_SENTENCES, chunk_document
from qa.confidence import UNCALIBRATED_THRESHOLD, Calibration, features, load_calibration
from qa.datatypes import Answer, Hit, Manifest, NoAnswer, Passage, Reason, Reply, ScoredSpan, Status
from qa.documents import read_folder
from qa.followup import Turn, resolve
from qa.reader import DEFAULT_READER, Reader
from qa.retriever import LAYOUT, Retriever
from qa.spelling import Speller

logger = logging.getLogger(__name__)
MAX_QUESTION_CHARS = 2000
MAX_ANSWERS = 5
NEAR_MISSES = 3
Progress = Callable[[int, int], Any]  # texts done since last told, texts in all


class Assistant:
    """Answers questions from one set of documents. Make it with `from_folder` or `open`."""

    def __init__(self, retriever: Retriever, reader: Reader, calibration: Calibration | None) -> None:
        """Join the steps; calibration None means that answers carry scores but no confidence."""
        self.retriever = retriever
        self.reader = reader
        self.calibration = calibration
        self.corpus = retriever.corpus
        self.speller = Speller(document.text for document in self.corpus.documents)
        self.manifest = Manifest(
            reader=f"{reader.name}@{reader.fingerprint[:12]}",
            encoder=f"{retriever.encoder.name}@{retriever.encoder.fingerprint[:12]}",
            corpus_sha256=self.corpus.sha256,
            version=version("quotewise"),
        )

    @classmethod
    def from_folder(
        cls,
        folder: str | Path,
        *,
        index: str | Path | None = None,
        encoder: str = DEFAULT_MODEL,
        reader: str = DEFAULT_READER,
        progress: Progress | None = None,
    ) -> "Assistant":
        """Answer from a folder of documents: open its index, or build it when there is none or documents changed.

        The index lives in `index`, by default in the user's cache folder; nothing is written into `folder`.
        Raises NoDocumentsError if nothing in the folder can be read, IndexStoreError if the index is damaged or
        was made with another encoder, ModelNotFoundError if a model is not there.
        """
        retriever = indexed(Path(folder), index=index, encoder=SentenceEncoder(encoder), progress=progress)
        return cls._with_reader(retriever, reader)

    @classmethod
    def open(cls, index: str | Path, *, reader: str = DEFAULT_READER) -> "Assistant":
        """Answer from an index alone, as its documents were when it was made.

        Raises IndexStoreError (NoIndexError if there is none) and ModelNotFoundError.
        """
        stored = store.load(Path(index))
        encoder = SentenceEncoder(stored.about["encoder"])
        _check_encoder(stored, encoder, Path(index))
        return cls._with_reader(Retriever.from_blobs(stored.blobs, encoder), reader)

    @classmethod
    def _with_reader(cls, retriever: Retriever, name: str) -> "Assistant":
        reader = Reader(name)
        return cls(retriever, reader, load_calibration(reader_fingerprint=reader.fingerprint))

    @property
    def passages(self) -> tuple[Passage, ...]:
        """Every passage that can be retrieved."""
        return self.retriever.passages

    def ask(self, question: str, *, k: int | None = None, history: Sequence[Turn] = ()) -> Reply:
        """Answer one question; `history` holds the earlier turns of the conversation, oldest first.

        k is the number of passages to read, by default chosen by the size of the corpus.
        Raises ValueError if k < 1 or the question is longer than 2,000 characters.
        """
        cleaned = clean_question(question)
        if k is not None and k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        asked = self.understood(cleaned, history)
        begun = time.perf_counter()
        hits = self.retriever.retrieve(asked, k=k) if re.search(r"\w", asked) else []
        retrieved = time.perf_counter()
        spans = self.reader.read(asked, [hit.passage for hit in hits])
        done = time.perf_counter()
        timings = {
            "retrieve": 1000 * (retrieved - begun),
            "read": 1000 * (done - retrieved),
            "total": 1000 * (done - begun),
        }
        reply = self._reply(question, asked, hits, spans, timings)
        return replace(reply, resolved_question=question) if asked == cleaned else reply

    def ask_many(
        self, questions: Sequence[str], *, k: int | None = None, histories: Sequence[Sequence[Turn]] | None = None
    ) -> list[Reply]:
        """Answer several questions; the same replies as one by one, in their order.

        Raises what `ask` does, before any is answered where it is a question's fault.
        """
        for question in questions:
            clean_question(question)
        turns = [()] * len(questions) if histories is None else histories
        return [self.ask(q, k=k, history=history) for q, history in zip(questions, turns, strict=True)]

    def _reply(
        self, question: str, asked: str, hits: list[Hit], spans: list[ScoredSpan], timings: dict[str, float]
    ) -> Reply:
        candidates = self.rate(asked, merge(spans, limit=MAX_ANSWERS), hits)
        threshold = self.calibration.threshold if self.calibration else UNCALIBRATED_THRESHOLD
        best = _strength(candidates[0]) if candidates else None
        status: Status = "answered"
        no_answer = None
        if best is None or best < threshold:
            reason = _reason(asked, hits, candidates)
            near = tuple(cite(span) for span in _nearest(spans)) if reason != "question_not_understood" else ()
            status, no_answer, candidates = "no_answer", NoAnswer(reason, threshold, best, near), []
        else:
            sides = conflicting(candidates)
            status = "conflicting" if len(sides) > 1 else "answered"
            candidates = sides
        return Reply(question, asked, status, tuple(candidates), no_answer, self.manifest, timings, hits=tuple(hits))

    def understood(self, question: str, history: Sequence[Turn]) -> str:
        """The question as it is searched: with what it needs of the history, and without slips of the keyboard."""
        return self.speller.corrected(_readable(resolve(question, history)))

    def rate(self, question: str, answers: list[Answer], hits: list[Hit]) -> list[Answer]:
        """Give every answer its calibrated confidence and put the likeliest first; without a calibration, by score."""
        if not self.calibration:
            return answers
        described = features(question, answers, hits)
        rated = [replace(a, confidence=self.calibration.confidence(d)) for a, d in zip(answers, described, strict=True)]
        return sorted(rated, key=_strength, reverse=True)


def _strength(answer: Answer) -> float:
    return answer.score if answer.confidence is None else answer.confidence


def _reason(asked: str, hits: list[Hit], candidates: list[Answer]) -> Reason:
    if not re.search(r"\w", asked):
        return "question_not_understood"
    if not hits:
        return "nothing_retrieved"
    return "below_threshold" if candidates else "no_span"


def _nearest(spans: list[ScoredSpan]) -> list[ScoredSpan]:
    """The best span of each of the first few sentences."""
    nearest: list[ScoredSpan] = []
    for span in spans:
        if all(cite(span).sentence != cite(other).sentence or span.document is not other.document for other in nearest):
            nearest.append(span)
        if len(nearest) == NEAR_MISSES:
            break
    return nearest


def clean_question(question: str) -> str:
    """A question as it is searched: what no tokeniser can read (lone surrogates, control characters) becomes a space.

    Raises TypeError if it is not text, ValueError if it is longer than 2,000 characters.
    """
    if not isinstance(question, str):
        raise TypeError(f"a question must be text, got {type(question).__name__}")
    if len(question) > MAX_QUESTION_CHARS:
        raise ValueError(f"the question has {len(question):,} characters; ask it in at most {MAX_QUESTION_CHARS:,}")
    return _readable(question)


def _readable(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]+", " ", text).strip()


def default_index(folder: Path) -> Path:
    """Where the index of a documents folder lives when nobody says: in the user's cache, keyed by its real path."""
    key = sha256(str(folder.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return user_cache_path("quotewise") / "indexes" / key


def indexed(
    folder: Path,
    *,
    index: str | Path | None,
    encoder: Encoder,
    progress: Progress | None,
    rebuild: bool = False,
) -> Retriever:
    """The passages of a folder behind an index that is up to date: read from disk, or built and stored.

    With rebuild, whatever is stored is replaced, damaged or not.
    Raises NoDocumentsError, IndexStoreError.
    """
    corpus, skipped = read_folder(folder)
    for one in skipped:
        logger.warning("skipped %s (%s): %s", one.path, one.reason, one.detail)
    place = Path(index) if index is not None else default_index(folder)
    about = {
        "encoder": encoder.name,
        "encoder_fingerprint": encoder.fingerprint,
        "layout": LAYOUT,
        "chunking": [MAX_CHARS, OVERLAP_SENTENCES, version("sentencex")],
        "corpus_sha256": corpus.sha256,
    }
    if not rebuild:
        try:
            stored = store.load(place)
        except store.NoIndexError:
            logger.info("no index yet in %s", place)
        else:
            _check_encoder(stored, encoder, place)
            if stored.about == about:
                return Retriever.from_blobs(stored.blobs, encoder)
    passages = [passage for document in corpus.documents for passage in chunk_document(document)]
    retriever = Retriever.build(passages, encoder, progress=progress)
    store.save(place, retriever.to_blobs(), about=about)
    return retriever


def _check_encoder(stored: store.Stored, encoder: Encoder, place: Path) -> None:
    if stored.about["encoder_fingerprint"] != encoder.fingerprint:
        raise store.IndexStoreError(
            f"the index in {place} was made with the encoder {stored.about['encoder']!r} "
            f"({stored.about['encoder_fingerprint'][:12]}), asked for was {encoder.name!r} "
            f"({encoder.fingerprint[:12]}); name that one, another --index folder, or build it again with: qa index DIR"
        )
