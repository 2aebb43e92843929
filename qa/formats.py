"""A Reply in the forms other programs read: W3C annotations, SQuAD predictions, Haystack answers, content blocks.

Data only, ready for `json.dumps`; nothing is escaped and nothing is printed. Offsets are the reply's own: half-open,
in Unicode code points of the document's text. Near misses are not answers and appear in "quotewise" only.
"""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote as percent_encoded
from uuid import NAMESPACE_URL, uuid5

from qa.citation import DISAGREE, NOT_FOUND
from qa.datatypes import Answer, Citation, Reply


def convert(reply: Reply, format: str) -> Any:  # noqa: A002
    """Return the reply in one of FORMATS. Raises ValueError for any other."""
    if format not in FORMATS:
        raise ValueError(f"unknown format {format!r}; name one of {', '.join(FORMATS)}")
    return FORMATS[format](reply)


def to_w3c(reply: Reply) -> list[dict[str, Any]]:
    """Return an annotation for every citation, as in the Web Annotation Data Model (Sanderson et al., W3C 2017).

    It highlights the quote, and its body describes it by the question. The id depends on question and place alone. A
    document without a url is named by its document_id, percent-encoded as an IRI must be.
    """
    return [_annotation(reply.question, citation) for answer in reply.answers for citation in answer.citations]


def _annotation(question: str, citation: Citation) -> dict[str, Any]:
    document = citation.document
    source = document.url
    if source is None:
        source = percent_encoded(document.document_id, errors="surrogatepass")
    place = [question, source, document.source_sha256, citation.span.start, citation.span.end]
    return {
        "@context": "http://www.w3.org/ns/anno.jsonld",
        "id": f"urn:uuid:{uuid5(NAMESPACE_URL, json.dumps(place))}",
        "type": "Annotation",
        "motivation": "highlighting",
        "body": {"type": "TextualBody", "value": question, "purpose": "describing"},
        "target": {"source": source, "selector": citation.selectors()},
    }


def to_squad(reply: Reply) -> dict[str, Any]:
    """Return one prediction as the metric `squad_v2` takes it; the question is its id, for want of another.

    The probability is 1 less the answer's plausibility, which other answers do not lower: it orders, but is rather too
    high. Without a calibration it is 0; for "no answer" it is 1.
    """
    best = reply.answer
    if best is None:
        return {"id": reply.question, "prediction_text": "", "no_answer_probability": 1.0}
    probability = 0.0 if best.plausibility is None else 1 - best.plausibility
    return {"id": reply.question, "prediction_text": best.text, "no_answer_probability": probability}


def to_haystack(reply: Reply) -> list[dict[str, Any]]:
    """Return the fields of Haystack's ExtractedAnswer for every citation; none for "no answer".

    The score is the confidence, or the logit without a calibration. Citations of one answer share `meta.value`.
    """
    return [_extracted(reply.question, answer, citation) for answer in reply.answers for citation in answer.citations]


def _extracted(query: str, answer: Answer, citation: Citation) -> dict[str, Any]:
    document, (start, end) = citation.document, (citation.span.start, citation.span.end)
    first = citation.sentence.start
    return {
        "query": query,
        "score": answer.score if answer.confidence is None else answer.confidence,
        "data": citation.quote,
        "document": {
            "id": document.document_id,
            "content": None,
            "meta": {"title": document.title, "url": document.url},
        },
        "context": citation.context,
        "document_offset": {"start": start, "end": end},
        "context_offset": {"start": start - first, "end": end - first},
        "meta": {"source_sha256": document.source_sha256, "value": answer.value},
    }


def to_anthropic(reply: Reply) -> list[dict[str, Any]]:
    """Return content blocks as Anthropic's Messages API gives them, an answer to a block with its citations.

    Documents are counted from 0 in the order the reply cites them. Blocks without citations are our own words: that
    nothing was found, or, so that figures do not run together, that the documents disagree.
    """
    if not reply.answers:
        return [_block(NOT_FOUND)]
    indexes: dict[str, int] = {}
    blocks = [_block(f"{DISAGREE} ")] if reply.status == "conflicting" else []
    for number, answer in enumerate(reply.answers):
        if number:
            blocks.append(_block(" or "))
        locations = [
            _location(citation, indexes.setdefault(citation.document.document_id, len(indexes)))
            for citation in answer.citations
        ]
        blocks.append({**_block(answer.text), "citations": locations})
    return blocks


def _block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def _location(citation: Citation, index: int) -> dict[str, Any]:
    return {
        "type": "char_location",
        "cited_text": citation.quote,
        "document_index": index,
        "document_title": citation.document.title or citation.document.document_id,
        "start_char_index": citation.span.start,
        "end_char_index": citation.span.end,
    }


FORMATS: dict[str, Callable[[Reply], Any]] = {  # a new format is a new entry
    "quotewise": Reply.to_dict,
    "w3c": to_w3c,
    "squad": to_squad,
    "haystack": to_haystack,
    "anthropic": to_anthropic,
}
