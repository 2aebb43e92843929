"""qa/formats.py: the same reply in other programs' words, its offsets still those of the documents."""

import json
import re
from dataclasses import replace
from html import unescape
from typing import Any
from urllib.parse import unquote
from uuid import UUID

import pytest
from hypothesis import given
from strategies import texts, thorough
from test_assistant import CALIBRATION, CRANES, GUIDE, SURVEY, assert_contract
from toys import HARBOUR, document, toy_assistant, toy_documents

from qa.answers import cite
from qa.citation import DISAGREE, NOT_FOUND, to_html
from qa.datatypes import Answer, Citation, Document, NoAnswer, Reply, ScoredSpan, Span
from qa.formats import FORMATS, convert

START = HARBOUR.index("12")
OWNS = "Who owns the harbour?"  # gets no answer, but near misses
NONE = [OWNS, "Who carries passengers?", "?!"]


def asked(question: str = CRANES, *more: Document, calibrated: bool = False) -> Reply:
    return toy_assistant([*toy_documents(), *more], CALIBRATION if calibrated else None).ask(question)


def places(form: str, reply: Reply) -> list[tuple[str, int, int, str]]:
    """Every citation a format gives: document, start, end, quote; documents as far as the format can name them."""
    data = reply.to_dict(form)
    if form == "quotewise":
        cited = [citation for answer in data["answers"] for citation in answer["citations"]]
        return [(one["document_id"], one["start"], one["end"], one["quote"]) for one in cited]
    if form == "w3c":
        targets = [(one["target"]["source"], *one["target"]["selector"]) for one in data]
        return [(unquote(source), at["start"], at["end"], quote["exact"]) for source, quote, at in targets]
    if form == "haystack":
        return [(one["document"]["id"], *one["document_offset"].values(), one["data"]) for one in data]
    names = list(dict.fromkeys(c.document.document_id for answer in reply.answers for c in answer.citations))
    cited = [citation for block in data for citation in block.get("citations", [])]
    return [
        (names[one["document_index"]], one["start_char_index"], one["end_char_index"], one["cited_text"])
        for one in cited
    ]


# every format


@pytest.mark.parametrize("form", ["quotewise", "w3c", "haystack", "anthropic"])
@pytest.mark.parametrize("more", [(), (GUIDE,), (SURVEY,), (GUIDE, SURVEY)], ids=len)
def test_every_format_gives_every_citation(form: str, more: tuple[Document, ...]) -> None:
    reply = asked(CRANES, *more)
    citations = [citation for answer in reply.answers for citation in answer.citations]
    assert len(citations) == 1 + len(more)
    assert places(form, reply) == [(c.document.document_id, c.span.start, c.span.end, c.quote) for c in citations]


@thorough
@given(texts(max_size=8), texts(max_size=8))
@pytest.mark.offsets
def test_the_offsets_of_every_format_slice_the_document_to_the_quote(before: str, after: str) -> None:
    """In code points: the texts are full of characters that count double elsewhere."""
    text = f"😀{before}\n\n{HARBOUR} {after}"
    reply = toy_assistant([document("harbour.txt", text)]).ask(CRANES)
    assert reply.answers
    for form in ("quotewise", "w3c", "haystack", "anthropic"):
        assert places(form, reply)
        assert all(text[start:end] == quote != "" for _, start, end, quote in places(form, reply))
    for one in convert(reply, "haystack"):
        assert one["context"][one["context_offset"]["start"] : one["context_offset"]["end"]] == one["data"]
    for one in convert(reply, "w3c"):
        quote, position = one["target"]["selector"]
        around = text[max(0, position["start"] - 32) : position["end"] + 32]
        assert quote["prefix"] + quote["exact"] + quote["suffix"] == around
    marked = [unescape(part.partition("</mark>")[0]) for part in re.split("<mark[^>]*>", to_html(reply))[1:]]
    assert marked == [citation.quote for answer in reply.answers for citation in answer.citations]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("question", [CRANES, *NONE, f"{CRANES} \udcff"])
def test_every_format_is_json(form: str, question: str) -> None:
    for calibrated in (True, False):
        data = convert(asked(question, SURVEY, calibrated=calibrated), form)
        assert json.loads(json.dumps(data, allow_nan=False)) == data


@pytest.mark.parametrize("name", ["", "W3C", "xml", "quotewise "])
def test_an_unknown_format_names_the_known_ones(name: str) -> None:
    with pytest.raises(ValueError, match=f"unknown format '{name}'; name one of quotewise, w3c, squad, haystack, anth"):
        asked().to_dict(name)


def test_the_default_is_the_contract() -> None:
    reply = asked(CRANES, SURVEY)
    assert_contract(reply.to_dict())
    assert (
        reply.to_dict()
        == reply.to_dict("quotewise")
        == reply.to_dict(format="quotewise")
        == convert(reply, "quotewise")
    )


# each format


def test_selectors_are_the_quote_and_the_position() -> None:
    text = "x" * 40 + "12" + "y" * 40
    citation = Citation(document("a.txt", text), Span(40, 42), Span(0, 82))
    quote = {"type": "TextQuoteSelector", "exact": "12", "prefix": "x" * 32, "suffix": "y" * 32}
    assert citation.selectors() == [quote, {"type": "TextPositionSelector", "start": 40, "end": 42}]
    assert (citation.to_dict()["prefix"], citation.to_dict()["suffix"]) == ("x" * 32, "y" * 32)


def test_w3c_is_a_highlighted_target_under_the_question() -> None:
    (annotation,) = convert(asked(), "w3c")
    UUID(annotation.pop("id").removeprefix("urn:uuid:"))
    assert annotation == {
        "@context": "http://www.w3.org/ns/anno.jsonld",
        "type": "Annotation",
        "motivation": "highlighting",
        "body": {"type": "TextualBody", "value": CRANES, "purpose": "describing"},
        "target": {
            "source": "harbour.txt",
            "selector": [
                {
                    "type": "TextQuoteSelector",
                    "exact": "12",
                    "prefix": HARBOUR[:START],
                    "suffix": HARBOUR[START + 2 : START + 34],
                },
                {"type": "TextPositionSelector", "start": START, "end": START + 2},
            ],
        },
    }


def test_w3c_ids_are_those_of_the_place_and_the_question() -> None:
    ids = [one["id"] for one in convert(asked(CRANES, GUIDE, SURVEY), "w3c")]
    assert len(set(ids)) == 3
    assert [one["id"] for one in convert(asked(CRANES, GUIDE, SURVEY), "w3c")] == ids
    assert {one["id"] for one in convert(asked("How many cranes does the harbour have?"), "w3c")}.isdisjoint(ids)
    twice = document("twice.txt", "The harbour has 12 cranes. The ferry carries on. The harbour has 12 cranes.")
    reply = toy_assistant([twice]).ask(CRANES)
    assert len(reply.answers[0].citations) == len({one["id"] for one in convert(reply, "w3c")}) == 2


def with_document(document_id: str, url: str | None) -> Reply:
    reply = asked()
    place = Document(document_id, HARBOUR, "", "0" * 64, "utf-8", url)
    answer = Answer("12", 1.0, None, (cite(ScoredSpan(place, Span(START, START + 2), 1.0)),))
    return Reply(reply.question, reply.question, "answered", (answer,), None, reply.manifest, reply.timings_ms)


def test_w3c_names_the_source_by_its_url_or_else_by_its_path_as_an_iri() -> None:
    def source(reply: Reply) -> str:
        return str(convert(reply, "w3c")[0]["target"]["source"])

    assert source(with_document("a.txt", "https://example.org/a b")) == "https://example.org/a b"
    assert source(with_document("old notes/note: 50% é.txt", None)) == "old%20notes/note%3A%2050%25%20%C3%A9.txt"
    assert source(with_document("\udcff.txt", None)) == "%ED%B3%BF.txt"  # read_folder leaves such names out


@pytest.mark.parametrize("calibrated", [True, False])
def test_squad_is_the_best_answer_and_the_probability_of_none(calibrated: bool) -> None:
    reply = asked(CRANES, SURVEY, calibrated=calibrated)
    assert reply.answer is not None
    answer = replace(reply.answer, confidence=0.25, plausibility=0.75) if calibrated else reply.answer
    reply, probability = replace(reply, answers=(answer,)), 0.25 if calibrated else 0.0
    assert convert(reply, "squad") == {
        "id": CRANES,
        "prediction_text": answer.text,
        "no_answer_probability": probability,
    }


def test_haystack_has_the_fields_of_an_extracted_answer() -> None:
    reply = asked(CRANES, document("guide.txt", "A guide. Today the harbour has 12 cranes.", title="Guide"))
    assert convert(reply, "haystack")[0] == {
        "query": CRANES,
        "score": 1.0,
        "data": "12",
        "document": {"id": "guide.txt", "content": None, "meta": {"title": "Guide", "url": None}},
        "context": "Today the harbour has 12 cranes.",
        "document_offset": {"start": 31, "end": 33},
        "context_offset": {"start": 22, "end": 24},
        "meta": {"source_sha256": reply.answers[0].citations[0].document.source_sha256, "value": "12"},
    }


def test_haystack_scores_are_confidences_where_there_are_any() -> None:
    reply = asked(CRANES, SURVEY, calibrated=True)
    first, second = (replace(one, plausibility=0.9) for one in reply.answers)
    answers = (replace(first, confidence=0.5), replace(second, confidence=0.25))
    assert [one["score"] for one in convert(replace(reply, answers=answers), "haystack")] == [0.5, 0.25]


def test_a_confidence_of_zero_is_not_taken_for_none() -> None:
    reply = with_document("a.txt", None)
    answer = Answer("12", 5.0, 0.0, reply.answers[0].citations, plausibility=0.0)
    unsure = Reply(reply.question, reply.question, "answered", (answer,), None, reply.manifest, reply.timings_ms)
    assert convert(unsure, "haystack")[0]["score"] == 0.0
    assert convert(unsure, "squad")["no_answer_probability"] == 1.0


def location(text: str, index: int, title: str, start: int) -> dict[str, Any]:
    return {
        "type": "char_location",
        "cited_text": text,
        "document_index": index,
        "document_title": title,
        "start_char_index": start,
        "end_char_index": start + len(text),
    }


def test_anthropic_is_an_answer_to_a_block_with_its_citations() -> None:
    reply = asked(CRANES, document("guide.txt", "Today the harbour has 12 cranes.", title="Guide"))
    assert convert(reply, "anthropic") == [
        {
            "type": "text",
            "text": "12",
            "citations": [location("12", 0, "Guide", 22), location("12", 1, "harbour.txt", START)],
        }
    ]


def test_anthropic_blocks_of_a_disagreement_read_as_a_sentence() -> None:
    blocks = convert(asked(CRANES, SURVEY), "anthropic")
    assert "".join(block["text"] for block in blocks) == f"{DISAGREE} 12 or 15"
    cited = [(block["text"], block["citations"]) for block in blocks if "citations" in block]
    assert cited == [
        ("12", [location("12", 0, "harbour.txt", START)]),
        ("15", [location("15", 1, "survey.txt", SURVEY.text.index("15"))]),
    ]


def test_anthropic_counts_a_document_once() -> None:
    reply = with_document("a.txt", None)
    ((citation,),) = (answer.citations for answer in reply.answers)
    other = Citation(document("b.txt", HARBOUR), citation.span, citation.sentence)
    answer = Answer("12", 1.0, None, (citation, other, citation))
    again = Reply(reply.question, reply.question, "answered", (answer,), None, reply.manifest, reply.timings_ms)
    (block,) = convert(again, "anthropic")
    assert [one["document_index"] for one in block["citations"]] == [0, 1, 0]


# no answer


@pytest.mark.parametrize("question", NONE)
def test_no_answer_is_said_in_every_format_and_near_misses_are_none(question: str) -> None:
    reply = asked(question)
    assert isinstance(reply.no_answer, NoAnswer)
    assert bool(reply.no_answer.near_misses) is (question == OWNS)
    assert convert(reply, "w3c") == convert(reply, "haystack") == []
    assert convert(reply, "squad") == {"id": question, "prediction_text": "", "no_answer_probability": 1.0}
    assert convert(reply, "anthropic") == [{"type": "text", "text": NOT_FOUND}]
