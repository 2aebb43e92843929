"""The words of the project: Document, Span, Passage, Hit, ScoredSpan, Citation, Answer, Reply. Read this first.

A quote cannot be wrong: `Passage.text`, `Citation.quote` and `Answer.text` are properties that slice
`Document.text`. Nothing else stores a copy. All offsets are half-open and count Unicode code points.
"""

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal

COPIED = 0.8  # of two sentences' words, taken together, that both must have to be copies of one
COPIED_CHARS = 40  # a shorter sentence may stand in two texts by chance
Status = Literal["answered", "conflicting", "no_answer"]
Reason = Literal["question_not_understood", "filtered_out", "nothing_retrieved", "no_span", "below_threshold"]


@dataclass(frozen=True)
class Span:
    """A half-open range of characters of a document."""

    start: int
    end: int

    def __post_init__(self) -> None:
        """Raise ValueError unless 0 <= start <= end."""
        if not 0 <= self.start <= self.end:
            raise ValueError(f"a span needs 0 <= start <= end, got {self.start}..{self.end}")

    def overlaps(self, other: "Span") -> bool:
        """Whether the two ranges share a character."""
        return self.start < other.end and other.start < self.end

    def contains(self, other: "Span") -> bool:
        """Whether every character of other is in this range."""
        return self.start <= other.start and other.end <= self.end


@dataclass(frozen=True)
class Document:
    """A file as it was read: its text never changes afterwards."""

    document_id: str  # path relative to the documents folder, with forward slashes
    text: str = field(repr=False)  # a text file decoded as `decoded` says, newlines untouched; else what was extracted
    title: str  # "" when the document has none
    source_sha256: str  # of the file's bytes
    decoded: str  # how bytes became text: "utf-8", or a format and its parser: "pdf, pypdfium2 5.15.2, rules 1"
    url: str | None = None
    pages: tuple[int, ...] = field(default=(), repr=False)  # where each page of a PDF begins; () without pages
    lost: str = ""  # what could not be read of the file: such a document is partial
    date: str | None = None  # the day the file says it was published or sent: "2026-11-22"

    def __post_init__(self) -> None:
        """Take the pages as JSON gives them back, a list."""
        object.__setattr__(self, "pages", tuple(self.pages))

    def page(self, offset: int) -> int | None:
        """The number of the page, from 1, on which a character stands; None if the document has no pages."""
        return bisect_right(self.pages, offset) or None

    def slice(self, span: Span) -> str:
        """The characters of this range, exactly.

        Raises ValueError if the range ends after the text.
        """
        if span.end > len(self.text):
            raise ValueError(f"{self.document_id}: no characters {span.start}..{span.end}, it has {len(self.text)}")
        return self.text[span.start : span.end]


@dataclass(frozen=True)
class Passage:
    """A stretch of a document that is indexed and read as one piece."""

    document: Document
    span: Span

    @property
    def text(self) -> str:
        """The exact text."""
        return self.document.slice(self.span)


@dataclass(frozen=True)
class Hit:
    """A passage that was retrieved for a question."""

    passage: Passage
    score: float  # three scores, added up; higher is better; comparable within one question only
    similarity: float  # cosine of the question and the passage, or its nearest sentence if that is nearer


@dataclass(frozen=True)
class ScoredSpan:
    """A span the reader offers, before answers are merged."""

    document: Document
    span: Span
    score: float  # logit: start + end, minus the same sum for "not here"; 0: as likely as no answer; higher is better
    skim_score: float = (
        0.0  # by a smaller reader, its best span that overlaps this one, else its worst; 0: none skimmed
    )


@dataclass(frozen=True)
class Citation:
    """A place in a document that says something: where, in what sentence, of which file."""

    document: Document
    span: Span
    sentence: Span  # the sentence or sentences around the span
    outdated: bool = False  # the file has changed or gone since it was read

    @property
    def quote(self) -> str:
        """The exact quote: a slice of the document, never a copy."""
        return self.document.slice(self.span)

    @property
    def context(self) -> str:
        """The whole sentence around the quote, exactly."""
        return self.document.slice(self.sentence)

    @property
    def prefix(self) -> str:
        """The 32 characters before the quote, or as many as there are."""
        return self.document.text[max(0, self.span.start - 32) : self.span.start]

    @property
    def suffix(self) -> str:
        """The 32 characters after the quote, or as many as there are."""
        return self.document.text[self.span.end : self.span.end + 32]

    @property
    def page(self) -> int | None:
        """The page on which the quote begins, or None if the document has no pages."""
        return self.document.page(self.span.start)

    def selectors(self) -> list[dict[str, Any]]:
        """The place by its quote and by its position: Web Annotation Data Model (W3C 2017), 4.2.4 and 4.2.5."""
        return [
            {"type": "TextQuoteSelector", "exact": self.quote, "prefix": self.prefix, "suffix": self.suffix},
            {"type": "TextPositionSelector", "start": self.span.start, "end": self.span.end},
        ]

    def to_dict(self) -> dict[str, Any]:
        """The citation object of the JSON contract; "page" and "outdated" are in it where there is need."""
        page = {"page": self.page} if self.page is not None else {}
        outdated = {"outdated": True} if self.outdated else {}
        return {
            "document_id": self.document.document_id,
            "title": self.document.title,
            "start": self.span.start,
            "end": self.span.end,
            "quote": self.quote,
            "context": self.context,
            "context_start": self.sentence.start,
            "prefix": self.prefix,
            "suffix": self.suffix,
            "source_sha256": self.document.source_sha256,
            "url": self.document.url,
            **page,
            **outdated,
        }


@dataclass(frozen=True)
class AsOf:
    """A time that a text names, for which what it says there holds."""

    text: str  # as it is written
    value: str  # ISO 8601: "2014", "2014-11", "2014-12-31", "2014-03/2016-05"; "" if it is relative or lacks its year

    @property
    def relative(self) -> bool:
        """Whether one must know when the text was written to tell when that is."""
        return not self.value

    def to_dict(self) -> dict[str, str | bool]:
        """The time as the sides of a disagreement carry it in JSON."""
        return {"text": self.text, "value": self.value, "relative": self.relative}


def _copied(one: Citation, other: Citation) -> bool:
    """Whether two sentences are nearly the same, or the one stands as it is in the other's document."""
    if min(len(one.context), len(other.context)) >= COPIED_CHARS and (
        one.context in other.document.text or other.context in one.document.text
    ):
        return True
    words, others = (set(re.findall(r"\w+", each.context.casefold())) for each in (one, other))
    return len(words & others) >= COPIED * len(words | others)


@dataclass(frozen=True)
class Answer:
    """One value and every place that gives it, the best place first."""

    value: str  # the text folded for comparison: answers with one value are one, unless words before a quote bind it
    score: float  # of its best span: logit, as in ScoredSpan
    confidence: float | None  # calibrated probability that this answer is right; None without a calibration
    citations: tuple[Citation, ...]
    as_of: AsOf | None = None  # of the best citation; only the sides of a disagreement have it
    plausibility: float | None = None  # whatever other answers there are: what the threshold is for; not in the JSON
    skim_score: float = 0.0  # of its best span, as in ScoredSpan; not in the JSON

    @property
    def text(self) -> str:
        """The exact quote of the best citation."""
        return self.citations[0].quote

    @property
    def voices(self) -> int:
        """How many documents say it in their own words; those that share a sentence, as wire copies do, are one."""
        by_document: dict[str, list[Citation]] = {}
        for citation in self.citations:
            by_document.setdefault(citation.document.document_id, []).append(citation)
        heard: list[Citation] = []
        count = 0
        for own in by_document.values():
            count += not any(_copied(one, other) for one in own for other in heard)
            heard += own
        return count

    def to_dict(self) -> dict[str, Any]:
        """The answer object of the JSON contract; "as_of" is in it where a side of a disagreement names its time."""
        time = {"as_of": self.as_of.to_dict()} if self.as_of else {}
        return {
            "text": self.text,
            "value": self.value,
            "confidence": self.confidence,
            "score": self.score,
            "citations": [citation.to_dict() for citation in self.citations],
            **time,
        }


@dataclass(frozen=True)
class NoAnswer:
    """Why there is no answer, with the numbers behind it and the nearest passages, which are not answers."""

    reason: Reason
    threshold: float | None  # the plausibility (or, without a calibration, the score) that an answer needs
    best: float | None  # what the best candidate had, on the same scale
    near_misses: tuple[Citation, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The no_answer object of the JSON contract."""
        near = [citation.to_dict() for citation in self.near_misses]
        return {"reason": self.reason, "threshold": self.threshold, "best": self.best, "near_misses": near}


@dataclass(frozen=True)
class Manifest:
    """What made a reply: enough to tell whether two replies can be compared."""

    reader: str
    encoder: str
    corpus_sha256: str
    version: str

    def to_dict(self) -> dict[str, str]:
        """The manifest object of the JSON contract."""
        return dict(vars(self))


@dataclass(frozen=True)
class Reply:
    """What a question gets: answers, best first, or the reason why there is none."""

    question: str
    resolved_question: str  # as it was searched: with what the history supplied
    status: Status
    answers: tuple[Answer, ...]
    no_answer: NoAnswer | None
    manifest: Manifest
    timings_ms: dict[str, float]  # retrieve, read, total
    hits: tuple[Hit, ...] = field(default=(), repr=False)  # what was looked at; not in the JSON

    @property
    def answer(self) -> Answer | None:
        """The first answer, or None."""
        return self.answers[0] if self.answers else None

    def to_dict(self, format: str = "quotewise") -> Any:  # noqa: A002
        """The reply as the JSON contract of docs/json.md has it, a dictionary, or in another format of `qa/formats.py`.

        Raises ValueError if there is no such format.
        """
        if format != "quotewise":
            from qa.formats import convert

            return convert(self, format)
        return {
            "question": self.question,
            "resolved_question": self.resolved_question,
            "status": self.status,
            "answers": [answer.to_dict() for answer in self.answers],
            "no_answer": self.no_answer.to_dict() if self.no_answer else None,
            "manifest": self.manifest.to_dict(),
            "timings_ms": self.timings_ms,
        }


@dataclass(frozen=True)
class Corpus:
    """The documents of one folder, in order of their ids."""

    documents: tuple[Document, ...]

    @cached_property
    def sha256(self) -> str:
        """A digest of every document's id and source hash: equal only if the corpus is."""
        lines = "".join(f"{d.document_id}\0{d.source_sha256}\n" for d in self.documents)
        return sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()
