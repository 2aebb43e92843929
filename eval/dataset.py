"""questions.jsonl -> Examples; and whether every label agrees with the documents.

One JSON object per line:
    {"id", "question", "kind", "half", "answerable": bool, "answers": [{"document_id", "start", "text"}],
     "values"?: [["39", "thirty-nine"], ["48"]], "items"?: [["Peru"], ["Chile"]], "history"?: [{"question", "answer"}]}
`answers` are alternatives, the best first. `values` are the sides of a disagreement and `items` the entries of a list,
each with the ways to write it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qa.datatypes import Corpus, Document, Span
from qa.followup import Turn

HALVES = ("development", "report")  # look at the first while working, report the second
KINDS = (
    *("direct", "paraphrase", "number", "date", "who", "where", "why", "list", "multi_document", "disagreement"),
    *("as_of", "typo", "keyword", "follow_up"),
    *("unanswerable_near", "unanswerable_false_premise", "unanswerable_far"),
)
_REQUIRED: dict[str, type] = {"id": str, "question": str, "kind": str, "half": str, "answerable": bool, "answers": list}
_OPTIONAL: dict[str, type] = {"values": list, "items": list, "history": list}


@dataclass(frozen=True)
class Gold:
    """A place in a document that answers the question."""

    document_id: str
    start: int  # in code points of Document.text
    text: str

    @property
    def span(self) -> Span:
        """The range of the text."""
        return Span(self.start, self.start + len(self.text))


@dataclass(frozen=True)
class Example:
    """A question and what is known about its answer."""

    question_id: str
    question: str
    kind: str  # one of KINDS
    half: str  # one of HALVES
    answerable: bool
    golds: tuple[Gold, ...] = ()  # alternatives, best first; none: the documents do not answer
    values: tuple[tuple[str, ...], ...] = ()  # sides of a disagreement, each with the ways to write it
    items: tuple[tuple[str, ...], ...] = ()  # entries of a list, each with the ways to write it
    history: tuple[Turn, ...] = ()  # earlier turns, oldest first
    source: str = ""  # file and line, for messages

    @property
    def gold_texts(self) -> tuple[str, ...]:
        """The texts of the golds."""
        return tuple(gold.text for gold in self.golds)


def read_examples(path: Path) -> list[Example]:
    """Return the examples of a JSON Lines file, in its order; blank lines are skipped.

    Raises ValueError naming file and line if a line is not such an object, OSError if the file cannot be read.
    """
    examples = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if line.strip():
            source = f"{path.name}:{number}"
            try:
                examples.append(_example(json.loads(line), source))
            except ValueError as err:  # also JSON and UTF-8 errors
                raise ValueError(f"{source}: {err}") from err
    return examples


def _example(row: object, source: str) -> Example:
    fields = _fields(row, _REQUIRED, _OPTIONAL)
    return Example(
        question_id=fields["id"],
        question=fields["question"],
        kind=fields["kind"],
        half=fields["half"],
        answerable=fields["answerable"],
        golds=tuple(_gold(answer) for answer in fields["answers"]),
        values=tuple(_ways(side) for side in fields.get("values", [])),
        items=tuple(_ways(item) for item in fields.get("items", [])),
        history=tuple(_turn(turn) for turn in fields.get("history", [])),
        source=source,
    )


def _gold(answer: object) -> Gold:
    gold = Gold(**_fields(answer, {"document_id": str, "start": int, "text": str}))
    if gold.start < 0:
        raise ValueError(f"'start' should be at least 0, got {gold.start}")
    return gold


def _turn(turn: object) -> Turn:
    fields = _fields(turn, {"question": str, "answer": str})
    return Turn(question=fields["question"], answer=fields["answer"])


def _ways(ways: object) -> tuple[str, ...]:
    if not isinstance(ways, list) or not ways or not all(isinstance(way, str) and way.strip() for way in ways):
        raise ValueError(f"a side or an item is a list of ways to write it, got {ways!r}")
    return tuple(ways)


def _fields(row: object, required: dict[str, type], optional: dict[str, type] | None = None) -> dict[str, Any]:
    """Return row, or raise ValueError unless it is an object with the required fields, each of its type, no more."""
    known = required | (optional or {})
    if not isinstance(row, dict):
        raise ValueError(f"expected an object with {', '.join(required)}; got {row!r}")
    if missing := [name for name in required if name not in row]:
        raise ValueError(f"missing {', '.join(missing)}")
    for name, value in row.items():
        if name not in known:
            raise ValueError(f"unknown field {name!r}; choose from {', '.join(known)}")
        if type(value) is not known[name]:  # not isinstance: true is no start
            raise ValueError(f"{name!r} should be {known[name].__name__}, got {value!r}")
    return row


def check_examples(examples: Sequence[Example], corpus: Corpus) -> list[str]:
    """Return what is wrong with the labels, one line each; empty if nothing is.

    Example: "questions.jsonl:12 q012: 'Paris' is not at 88 in a.md".
    """
    documents = {document.document_id: document for document in corpus.documents}
    seen: set[object] = set()
    problems: list[str] = []
    for example in examples:
        found = [*_label_problems(example), *_repeated(example, seen)]
        for gold in example.golds:
            found.extend(_gold_problems(gold, documents.get(gold.document_id)))
        problems.extend(f"{example.source} {example.question_id}: {problem}" for problem in found)
    return problems + _imbalances(examples)


def _label_problems(example: Example) -> Iterator[str]:
    if example.kind not in KINDS:
        yield f"unknown kind {example.kind!r}; choose from {', '.join(KINDS)}"
    if example.half not in HALVES:
        yield f"unknown half {example.half!r}; choose from {', '.join(HALVES)}"
    if example.answerable and not example.golds:
        yield "answerable, but has no answers"
    if example.golds and not example.answerable:
        yield "not answerable, but has answers"
    if example.answerable and example.kind.startswith("unanswerable"):
        yield f"answerable, but of kind {example.kind}"
    for field, kind, parts in [("values", "disagreement", example.values), ("items", "list", example.items)]:
        if example.kind == kind and len(parts) < 2:
            yield f"{kind} needs two or more entries in {field!r}, got {len(parts)}"
        if example.kind != kind and parts:
            yield f"{field!r} is for kind {kind} only"


def _repeated(example: Example, seen: set[object]) -> Iterator[str]:
    """Yield what was seen before, and add this example to what was seen."""
    question = " ".join(example.question.casefold().split())
    conversation = (question, *((turn["question"], turn["answer"]) for turn in example.history))
    for key, problem in [
        (example.question_id, "repeated id"),
        (conversation, f"repeated question {example.question!r}"),
    ]:
        if key in seen:
            yield problem
        seen.add(key)


def _gold_problems(gold: Gold, document: Document | None) -> Iterator[str]:
    if document is None:
        yield f"unknown document {gold.document_id!r}"
    elif not gold.text.strip() or gold.text != gold.text.strip():
        yield f"{gold.text!r} is blank or has blanks at its ends"
    elif not document.text.startswith(gold.text, gold.start):
        yield f"{gold.text!r} is not at {gold.start} in {gold.document_id}"
    elif any(re.fullmatch(r"\w\w", document.text[max(0, at - 1) : at + 1]) for at in (gold.span.start, gold.span.end)):
        yield f"{gold.text!r} at {gold.start} in {gold.document_id} cuts a word"


def _imbalances(examples: Sequence[Example]) -> list[str]:
    counts = Counter((example.kind, example.half) for example in examples)
    return [
        f"kind {kind}: {counts[kind, 'development']} development and {counts[kind, 'report']} report questions; "
        "they may differ by one"
        for kind in sorted({example.kind for example in examples})
        if abs(counts[kind, "development"] - counts[kind, "report"]) > 1
    ]
