"""The front door: documents in, questions asked, replies out. Holds the one order in which the steps run."""

import logging
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from platformdirs import user_cache_path

from embeddings import store
from embeddings.encoder import DEFAULT_MODEL, Encoder, SentenceEncoder
from qa.answers import cite, conflicting, merge
from qa.asof import as_of, at_the_time
from qa.chunking import MAX_CHARS, OVERLAP_SENTENCES, chunk_document
from qa.confidence import UNCALIBRATED_THRESHOLD, Calibration, features, load_calibration
from qa.datatypes import Answer, Citation, Corpus, Hit, Manifest, NoAnswer, Passage, Reason, Reply, ScoredSpan, Status
from qa.documents import Progress, Selection, Skipped, read_folder
from qa.followup import Turn, check_history, resolve
from qa.inventory import files_of, known_files, table
from qa.reader import DEFAULT_READER, Reader
from qa.retriever import LAYOUT, Retriever, check_layout
from qa.spelling import Speller

logger = logging.getLogger(__name__)
MAX_QUESTION_CHARS = 2000
MAX_ANSWERS = 5
NEAR_MISSES = 3
BACK_TO = re.compile(r"\b(?:then|(?:that|the same) (?:day|week|month|year|time))\b", re.IGNORECASE)  # an earlier time


@dataclass(frozen=True)
class Findings:
    """What a question met on its way, before anything was decided."""

    asked: str  # as it was searched
    own_words: str  # the same without what was answered before, unless that is meant: whose time is asked for
    typed: str  # as it was asked, cleaned
    among: Selection | None  # the documents that might answer; None: all
    hits: tuple[Hit, ...]  # the passages that the reader looked at, best first
    spans: tuple[ScoredSpan, ...]  # what the reader offered, best first
    candidates: tuple[Answer, ...]  # the likeliest first
    timings_ms: dict[str, float]  # retrieve, read, total


class Assistant:
    """Answers questions from one set of documents. Make it with `from_folder` or `open`."""

    def __init__(
        self,
        retriever: Retriever,
        reader: Reader,
        calibration: Calibration | None,
        *,
        folder: Path | None = None,
    ) -> None:
        """Join the steps; calibration None means that answers carry scores but no confidence.

        folder: where the documents' files are, to notice when one that is cited has changed; None: not looked at.
        """
        self.folder = folder
        self.retriever = retriever
        self.reader = reader
        self.calibration = calibration
        self.corpus = retriever.corpus
        self.speller = Speller(retriever.words)
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
        """Answer from a folder of documents: open its index, build it if there is none, update it if documents changed.

        The index lives in `index`, by default in the user's cache folder; nothing is written into `folder`.
        Raises NoDocumentsError if nothing in the folder can be read, IndexStoreError if the index is damaged or
        was made with another encoder, ModelNotFoundError if a model is not there.
        """
        done = indexed(Path(folder), index=index, encoder=SentenceEncoder(encoder), progress=progress)
        for line in table(files_of(done.retriever, done.skipped)):
            logger.warning("%s", line)
        return cls._with_reader(done.retriever, reader, Path(folder))

    @classmethod
    def open(cls, index: str | Path, *, reader: str = DEFAULT_READER) -> "Assistant":
        """Answer from an index alone, as its documents were when it was made.

        Raises IndexStoreError (NoIndexError if there is none) and ModelNotFoundError.
        """
        stored = store.load(Path(index))
        encoder = SentenceEncoder(stored.about["encoder"])
        _check_encoder(stored, encoder, Path(index))
        check_layout(stored.about, Path(index))
        retriever = Retriever.from_blobs(stored.blobs, encoder, stored.about["probe"])
        return cls._with_reader(retriever, reader, Path(stored.about["folder"]))

    @classmethod
    def _with_reader(cls, retriever: Retriever, name: str, folder: Path) -> "Assistant":
        reader = Reader(name)
        calibration = load_calibration(reader_fingerprint=reader.fingerprint)
        return cls(retriever, reader, calibration, folder=folder if folder.is_dir() else None)

    @property
    def passages(self) -> Sequence[Passage]:
        """Every passage that can be retrieved."""
        return self.retriever.passages

    def ask(
        self,
        question: str,
        *,
        k: int | None = None,
        history: Sequence[Turn] = (),
        among: Selection | None = None,
    ) -> Reply:
        """Answer one question; `history` holds the earlier turns of the conversation, oldest first.

        k is the number of passages to look at, by default chosen by the size of the corpus; among: only documents of
        this selection may answer.
        Raises ValueError if k < 1, the question is longer than 2,000 characters, or a turn lacks its question or its
        answer; TypeError if one of these is no text.
        """
        found = self.find(question, k=k, history=history, among=among)
        begun = time.perf_counter()
        reply = self.decide(question, found)
        total = found.timings_ms["total"] + 1000 * (time.perf_counter() - begun)
        return replace(reply, timings_ms={**found.timings_ms, "total": total})

    def decide(self, question: str, found: Findings) -> Reply:
        """What was found for a question -> the reply: an answer, every side of a disagreement, or a reason for none."""
        candidates, threshold = found.candidates, self.threshold
        best = _strength(candidates[0]) if candidates else None
        if best is None or best < threshold:
            reason = _reason(found)
            near = tuple(self._checked(cite(span)) for span in _nearest(found.spans))
            return self._reply(question, found, "no_answer", no_answer=NoAnswer(reason, threshold, best, near))
        sides = conflicting(candidates)
        if len(sides) > 1:
            others = [answer for answer in candidates if answer not in sides]  # sides hold all, or each at its time
            sides = [replace(self._confident(side, others), as_of=as_of(side.citations[0])) for side in sides]
            timely = at_the_time(found.own_words, sides)
            sides = timely if max(map(_strength, timely)) >= threshold else sides
        if len(sides) == 1:
            sides = [replace(sides[0], as_of=None)]
        shown = tuple(replace(side, citations=tuple(map(self._checked, side.citations))) for side in sides)
        return self._reply(question, found, "conflicting" if len(sides) > 1 else "answered", shown)

    def find(
        self,
        question: str,
        *,
        k: int | None = None,
        history: Sequence[Turn] = (),
        among: Selection | None = None,
    ) -> Findings:
        """Retrieve, read, merge and rate, but decide nothing: what `ask` decides on.

        Raises what `ask` does.
        """
        begun = time.perf_counter()
        cleaned = clean_question(question)
        if k is not None and k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        check_history(history)
        asked = self.understood(cleaned, history)
        holds = among.holds if among else None
        hits = self.retriever.retrieve(asked, k=k, among=holds) if re.search(r"\w", asked) else []
        retrieved = time.perf_counter()
        spans = self.reader.read(asked, [hit.passage for hit in hits])
        candidates = self.rate(asked, merge(spans, limit=MAX_ANSWERS), hits)
        done = time.perf_counter()
        timings = {
            "retrieve": 1000 * (retrieved - begun),
            "read": 1000 * (done - retrieved),
            "total": 1000 * (done - begun),
        }
        without_answers = [Turn(question=turn["question"], answer="") for turn in history]
        own_words = asked if BACK_TO.search(cleaned) else self.understood(cleaned, without_answers)
        return Findings(asked, own_words, cleaned, among, tuple(hits), tuple(spans), tuple(candidates), timings)

    def ask_many(
        self, questions: Sequence[str], *, k: int | None = None, histories: Sequence[Sequence[Turn]] | None = None
    ) -> list[Reply]:
        """Answer several questions; the same replies as one by one, in their order.

        Raises what `ask` does, before any is answered where it is a question's fault.
        """
        for question in questions:
            clean_question(question)
        turns = [()] * len(questions) if histories is None else histories
        if len(turns) != len(questions):
            raise ValueError(f"{len(questions)} questions need as many histories, got {len(turns)}")
        for history in turns:
            check_history(history)
        return [self.ask(q, k=k, history=history) for q, history in zip(questions, turns, strict=True)]

    def _reply(
        self,
        question: str,
        found: Findings,
        status: Status,
        answers: tuple[Answer, ...] = (),
        no_answer: NoAnswer | None = None,
    ) -> Reply:
        resolved = question if found.asked == found.typed else found.asked
        return Reply(question, resolved, status, answers, no_answer, self.manifest, found.timings_ms, hits=found.hits)

    def _checked(self, citation: Citation) -> Citation:
        """The citation, marked if its file is no longer the one that was read."""
        if self.folder is None:
            return citation
        try:
            now = sha256((self.folder / citation.document.document_id).read_bytes()).hexdigest()
        except OSError:
            now = ""
        return citation if now == citation.document.source_sha256 else replace(citation, outdated=True)

    @property
    def threshold(self) -> float:
        """What the first answer needs to be shown: a plausibility, or without a calibration a score."""
        return self.calibration.threshold if self.calibration else UNCALIBRATED_THRESHOLD

    def understood(self, question: str, history: Sequence[Turn]) -> str:
        """The question as it is searched: with what it needs of the history, and without slips of the keyboard."""
        return self.speller.corrected(_readable(resolve(question, history)))

    def rate(self, question: str, answers: list[Answer], hits: list[Hit]) -> list[Answer]:
        """Give every answer its calibrated numbers and put the likeliest first; without a calibration, by score."""
        if not self.calibration:
            return answers
        described = features(question, answers, hits)
        plausible = map(self.calibration.plausibility, described)
        rated = [replace(answer, plausibility=one) for answer, one in zip(answers, plausible, strict=True)]
        rated = [self._confident(answer, [other for other in rated if other != answer]) for answer in rated]
        return sorted(rated, key=_strength, reverse=True)

    def _confident(self, answer: Answer, others: Sequence[Answer]) -> Answer:
        """The answer with its confidence, which others that cannot be right beside it lower."""
        if self.calibration is None or answer.plausibility is None:
            return answer
        plausible = [other.plausibility for other in others if other.plausibility is not None]
        return replace(answer, confidence=self.calibration.confidence(answer.plausibility, plausible))


def _strength(answer: Answer) -> float:
    return answer.score if answer.plausibility is None else answer.plausibility


def _reason(found: Findings) -> Reason:
    if not re.search(r"\w", found.asked):
        return "question_not_understood"
    if not found.hits:
        return "filtered_out" if found.among else "nothing_retrieved"
    return "below_threshold" if any(span.score > UNCALIBRATED_THRESHOLD for span in found.spans) else "no_span"


def _nearest(spans: Sequence[ScoredSpan]) -> list[ScoredSpan]:
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


class Indexed(NamedTuple):
    """A folder behind its index, what of the folder was left out, and what the index held until now."""

    retriever: Retriever
    skipped: tuple[Skipped, ...]
    before: Corpus


def indexed(
    folder: Path,
    *,
    index: str | Path | None,
    encoder: Encoder,
    progress: Progress | None,
    rebuild: bool = False,
    include: Sequence[str] | None = None,
    exclude: Sequence[str] | None = None,
) -> Indexed:
    """Bring the index of a folder up to date and open it: only texts that it does not have are parsed and embedded.

    Patterns that are not given stay as they were. With rebuild, whatever is stored is replaced, damaged or not.
    Raises NoDocumentsError, IndexStoreError; ValueError if the index would lie among the documents.
    """
    place = Path(index) if index is not None else default_index(folder)
    if place.resolve().is_relative_to(folder.resolve()):  # it holds the documents' text, and would be read as another
        raise ValueError(f"the index cannot lie within the documents, in {place}; name another --index folder")
    stored = None if rebuild else _stored(place, encoder)
    about = stored.about if stored else {}
    known = Retriever.from_blobs(stored.blobs, encoder, about["probe"]) if stored else None
    before = known.corpus if known else Corpus(())
    patterns = {
        "include": list(about.get("include", ()) if include is None else include),
        "exclude": list(about.get("exclude", ()) if exclude is None else exclude),
    }
    corpus, skipped = read_folder(folder, known=known_files(before, about), progress=progress, **patterns)
    left_out = [asdict(one) for one in skipped if one.source]
    promises = {
        "encoder": encoder.name,
        "encoder_fingerprint": encoder.fingerprint,
        "layout": LAYOUT,
        "chunking": [MAX_CHARS, OVERLAP_SENTENCES, version("sentencex")],
        "corpus_sha256": corpus.sha256,
        **patterns,
    }
    if known and corpus == before and {**about, **promises} == about:
        if left_out == about.get("left_out", []):
            return Indexed(known, skipped, before)
        retriever = known
    else:
        passages = (passage for document in corpus.documents for passage in chunk_document(document))
        embedding = partial(progress, "text", "") if progress else None
        retriever = Retriever.build(passages, encoder, known=known, progress=embedding)
    made = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": version("quotewise"),
        "folder": str(folder.resolve()),
        "passages": len(retriever.passages),
        "probe": retriever.probe,
    }
    store.save(place, retriever.to_blobs(), about={**promises, **made, "left_out": left_out})
    return Indexed(retriever, skipped, before)


def _stored(place: Path, encoder: Encoder) -> store.Stored | None:
    """What the index holds, or None if there is none that this version can read."""
    try:
        stored = store.load(place)
        check_layout(stored.about, place)
    except store.NoIndexError as error:
        logger.info("%s", error)
        return None
    _check_encoder(stored, encoder, place)
    return stored


def _check_encoder(stored: store.Stored, encoder: Encoder, place: Path) -> None:
    if stored.about["encoder_fingerprint"] != encoder.fingerprint:
        raise store.IndexStoreError(
            f"the index in {place} was made with the encoder {stored.about['encoder']!r} "
            f"({stored.about['encoder_fingerprint'][:12]}), asked for was {encoder.name!r} "
            f"({encoder.fingerprint[:12]}); name that one, another --index folder, or {store.REMEDY}"
        )
