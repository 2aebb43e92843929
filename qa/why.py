"""Where an expected answer was lost. In: an assistant, a question and the expected text; out: an Explanation.

Follows the same steps as `Assistant.ask` and decides nothing of its own.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from qa.answers import conflicting
from qa.assistant import Assistant, Findings
from qa.chunking import sentence_around
from qa.citation import escape_terminal
from qa.datatypes import Answer, Citation, Document, Hit, ScoredSpan, Span
from qa.documents import Selection
from qa.followup import Turn

Step = Literal[
    "not_in_documents",
    "filtered_out",
    "not_retrieved",
    "not_read",  # its passage was skimmed only
    "not_offered",  # its passage was read, and other spans of it were offered
    "null_won",  # a span was offered, and "not here" was as likely or likelier
    "outscored",
    "below_threshold",
    "another_time",  # a side of a disagreement, left out since the question names another time than it gives
    "shown",
]


@dataclass(frozen=True)
class Explanation:
    """How far the expected text came, and what stood in its way."""

    question: str
    resolved_question: str  # as it was searched
    expected: str
    step: Step  # the one at which it was lost
    places: tuple[Citation, ...]  # where the documents hold it, in order
    rank: int | None  # of the first passage that holds some of it, from 1; None: in no document
    looked_at: int  # how many passages: some of them were read, the others skimmed only
    passages: int  # how many there are
    score: float | None  # logit over "not here" of the best span that shares a character with it; None: not offered
    plausibility: float | None  # of the answer that cites it; None: no such answer, or no calibration
    threshold: float  # the plausibility that the first answer needs; where there is no calibration, a score
    first: Answer | None  # the likeliest answer

    def to_dict(self) -> dict[str, Any]:
        """The explanation as `qa why --json` prints it."""
        return {
            **vars(self),
            "places": [place.to_dict() for place in self.places],
            "first": {**self.first.to_dict(), "plausibility": self.first.plausibility} if self.first else None,
        }


def explain(
    assistant: Assistant,
    question: str,
    expected: str,
    *,
    document_id: str | None = None,
    k: int | None = None,
    history: Sequence[Turn] = (),
    among: Selection | None = None,
) -> Explanation:
    """Ask, and tell at which step the expected text was lost; of several places, the one that came furthest counts.

    Upper and lower case and the width of blanks in `expected` do not matter. document_id: look only there.
    Raises ValueError if expected is blank, if there is no such document, or what `ask` raises.
    """
    if not expected.strip():
        raise ValueError("the expected text is empty; quote some words of the passage that should have answered")
    documents = assistant.corpus.documents
    if document_id is not None:
        documents = tuple(one for one in documents if one.document_id == document_id)
        if not documents:
            names = ", ".join(one.document_id for one in assistant.corpus.documents[:20])
            raise ValueError(f"there is no document {document_id!r}; choose from {names}")
    places = [place for document in documents for place in _occurrences(document, expected)]
    found = assistant.find(question, k=k, history=history, among=among)
    ranked = (
        assistant.retriever.retrieve(found.asked, k=len(assistant.passages), among=among.holds if among else None)
        if places
        else []
    )
    holding = (rank for rank, hit in enumerate(ranked, 1) if _touches(hit.passage.document, hit.passage.span, places))
    spans = [span for span in found.spans if _touches(span.document, span.span, places)]
    citing = [a for a in found.candidates if any(_touches(c.document, c.span, places) for c in a.citations)]
    rank, first = next(holding, None), found.candidates[0] if found.candidates else None
    step: Step
    if not places:
        step = "not_in_documents"
    elif among and not any(among.holds(place.document) for place in places):
        step = "filtered_out"
    elif rank is None or rank > len(found.hits):
        step = "not_retrieved"
    elif not spans:
        step = "not_offered" if _was_read(found, places) else "not_read"
    else:
        step = _decided(found, assistant.decide(question, found).answers, spans[0], citing)
    return Explanation(
        question,
        found.asked,
        expected,
        step,
        tuple(places),
        rank,
        len(found.hits),
        len(assistant.passages),
        spans[0].score if spans else None,
        citing[0].plausibility if citing else None,
        assistant.threshold,
        first,
    )


def _occurrences(document: Document, expected: str) -> Iterator[Citation]:
    words = r"\s+".join(map(re.escape, expected.split()))
    for match in re.finditer(words, document.text, re.IGNORECASE):
        span = Span(*match.span())
        yield Citation(document, span, sentence_around(document, span))


def _touches(document: Document, span: Span, places: Sequence[Citation]) -> bool:
    return any(place.document is document and place.span.overlaps(span) for place in places)


def _was_read(found: Findings, places: Sequence[Citation]) -> bool:
    """Whether one of the passages that hold these places was read, not skimmed only: those give a span at least.

    Where passages overlap, a span counts only if no other of them can have given it.
    """
    read = [[hit for hit in found.hits if _holds(hit, span)] for span in found.spans]
    return any(len(hits) == 1 and _touches(hits[0].passage.document, hits[0].passage.span, places) for hits in read)


def _holds(hit: Hit, span: ScoredSpan) -> bool:
    return span.document is hit.passage.document and hit.passage.span.contains(span.span)


def _decided(found: Findings, shown: Sequence[Answer], best: ScoredSpan, citing: Sequence[Answer]) -> Step:
    """What became of an expected text that was offered: its best span, and the candidates that cite it."""
    cited = _first_places(citing)
    if cited & _first_places(shown):
        return "shown"
    if shown and cited & _first_places(conflicting(found.candidates)):
        return "another_time"
    if best.score <= 0:
        return "null_won"
    return "below_threshold" if citing and citing[0] is found.candidates[0] else "outscored"


def _first_places(answers: Sequence[Answer]) -> set[tuple[str, Span]]:
    """Where each answer's best quote stands: what it is known by, since `decide` gives back changed answers."""
    return {(answer.citations[0].document.document_id, answer.citations[0].span) for answer in answers}


def to_text(explanation: Explanation) -> str:
    """The explanation for a terminal: where it was lost, and what one can do."""
    e = explanation
    first = f'"{e.first.text}" came first ({_strength(e.first)})' if e.first else "nothing came first"
    offered = "" if e.score is None else f"The reader offered it with a score of {e.score:.1f}"
    said = {
        "not_in_documents": f'No document holds "{e.expected}": check the wording, or add the document.',
        "filtered_out": "Its document is not among those that may answer.",
        "not_retrieved": f"Its passage was not looked at: try --k {e.rank}, or ask in words nearer the text.",
        "not_read": f"Its passage was skimmed only, since others promised more; {first}. Ask in words nearer the text.",
        "not_offered": f"Its passage was read, but it is not among the spans offered; {first}. Ask in words nearer the "
        "text.",
        "null_won": f'{offered}, but "not here" won in its passage; {first}. Ask in words nearer the text.',
        "outscored": f"{offered}, but {first}.",
        "below_threshold": f"{offered}; {first}, below the threshold of {e.threshold:.2f}.",
        "another_time": "It is a side of a disagreement, but it gives another time than the question names.",
        "shown": "It is shown.",
    }[e.step]
    lines = [f"{e.step.replace('_', ' ')}: {said}"]
    if e.resolved_question != e.question:
        lines.append(f"searched as: {e.resolved_question}")
    lines += [f"in {p.document.document_id}, characters {p.span.start}-{p.span.end}: {p.context}" for p in e.places[:3]]
    if e.rank:
        lines.append(f"its passage came {e.rank} of {e.passages}; {e.looked_at} were looked at")
    return "".join(f"{escape_terminal(line)}\n" for line in lines)


def _strength(answer: Answer) -> str:
    return f"score {answer.score:.1f}" if answer.plausibility is None else f"plausibility {answer.plausibility:.2f}"
