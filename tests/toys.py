"""A toy encoder and a toy reader whose output one can work out by eye, and three documents to use them on."""

import re
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from embeddings.encoder import Vectors
from qa.assistant import Assistant
from qa.chunking import chunk_document
from qa.confidence import Calibration
from qa.datatypes import Document, Passage, ScoredSpan, Span
from qa.retriever import Retriever

VOCABULARY = ("harbour", "cranes", "runs", "ferry", "carries", "passengers", "museum", "opened", "boats")
SMALL = frozenset(re.findall(r"\w+", "the a an it has have of in to is how many when who where does did and says"))
FIGURE = re.compile(r"\d[\d,.]*\d|\d")
NAME = re.compile(r"[A-Z]\w+(?: [A-Z]\w+)*")

HARBOUR = "The harbour has 12 cranes. Ilse Brandt runs the harbour."
FERRY = "The ferry carries 300 passengers. Jon Aas runs the ferry."
MUSEUM = "The museum opened in 1931. It owns 40 boats."


def document(document_id: str, text: str, *, title: str = "") -> Document:
    """A document as if it had been read from a UTF-8 file."""
    return Document(document_id, text, title, sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), "utf-8")


def toy_documents() -> list[Document]:
    """Three short documents, one passage each."""
    return [document("ferry.txt", FERRY), document("harbour.txt", HARBOUR), document("museum.txt", MUSEUM)]


def words(text: str) -> set[str]:
    """The words of a text in lower case, without the small ones."""
    return set(re.findall(r"\w+", text.lower())) - SMALL


class ToyEncoder:
    """One dimension per word of the vocabulary and one for "none of them"; every word counts once.

    "The harbour has cranes" -> 1/√2 for harbour, 1/√2 for cranes, 0 elsewhere.
    """

    def __init__(self, name: str = "toy-encoder") -> None:
        self.name = name
        self.fingerprint = sha256(name.encode()).hexdigest()
        self.documents_seen: list[str] = []

    def encode_query(self, texts: list[str], /) -> Vectors:
        """Return one unit vector per text."""
        return np.array([self._encode(text) for text in texts], dtype=np.float32).reshape(-1, len(VOCABULARY) + 1)

    def encode_document(self, texts: list[str], /, *, progress: Callable[[int], Any] | None = None) -> Vectors:
        """Return the same vectors, and remember what was asked for."""
        self.documents_seen += texts
        if progress:
            progress(len(texts))
        return self.encode_query(texts)

    def _encode(self, text: str) -> list[float]:
        text.encode("utf-8")  # like a real tokeniser, it cannot read a lone surrogate
        known = [float(word in words(text)) for word in VOCABULARY]
        vector = np.array([*known, float(not any(known))])
        return list(vector / np.linalg.norm(vector))


class ToyReader:
    """Offers the figures (for "how many" and "when") or names of every sentence that shares words with the question.

    score = 2 * shared words - 3, small words aside: one shared word gives -1 (rather "not here"), two give 1, three 3.
    """

    def __init__(self, name: str = "toy-reader") -> None:
        self.name = name
        self.fingerprint = sha256(name.encode()).hexdigest()
        self.folder = Path("toy-reader")

    def read(self, question: str, passages: Sequence[Passage], *, k: int = 3) -> list[ScoredSpan]:
        """Return up to k spans of every passage, best first over all of them."""
        question.encode("utf-8")
        spans = [span for passage in passages for span in self._passage(question, passage)[:k]]
        return sorted(spans, key=lambda span: -span.score)

    def _passage(self, question: str, passage: Passage) -> list[ScoredSpan]:
        wanted = FIGURE if re.search(r"how many|when", question.lower()) else NAME
        found = []
        for sentence in re.finditer(r"[^.!?\n]+", passage.text):
            shared = len(words(question) & words(sentence.group()))
            for match in wanted.finditer(passage.text, *sentence.span()):
                if shared and match.group().lower() not in SMALL:
                    start = passage.span.start + match.start()
                    span = Span(start, start + len(match.group()))
                    found.append(ScoredSpan(passage.document, span, 2.0 * shared - 3))
        return sorted(found, key=lambda span: -span.score)


def toy_retriever(documents: Sequence[Document]) -> Retriever:
    """The passages of the documents behind the toy encoder."""
    return Retriever.build([passage for one in documents for passage in chunk_document(one)], ToyEncoder())


def toy_assistant(documents: Sequence[Document], calibration: Calibration | None = None) -> Assistant:
    """An assistant of toys over the documents."""
    return Assistant(toy_retriever(documents), ToyReader(), calibration)  # type: ignore[arg-type]
