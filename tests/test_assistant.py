"""qa/assistant.py, with toys: what a question gets, and when an index is built."""

import json
import logging
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from strategies import texts, thorough
from toys import FERRY, HARBOUR, MUSEUM, ToyEncoder, ToyReader, document, toy_assistant, toy_documents, toy_retriever

from embeddings.store import IndexStoreError, NoIndexError
from qa import assistant as module
from qa.answers import merge
from qa.assistant import Assistant, clean_question, default_index
from qa.citation import to_text
from qa.confidence import Calibration, Features
from qa.datatypes import Answer, Citation, Hit, Passage, Reply, ScoredSpan, Span
from qa.documents import NoDocumentsError, Selection, read_folder
from qa.followup import Turn

CRANES = "How many cranes has the harbour?"  # shares harbour and cranes with one sentence: score 1
SURVEY = document("survey.txt", "A survey says the harbour has 15 cranes.")
GUIDE = document("guide.txt", "Today the harbour has 12 cranes.")
CALIBRATION = Calibration("toy", {"score": 1.0}, 0.0, 0.5, 1.0, 0.0)  # one candidate's confidence: logistic(score)


def citations(reply: Reply) -> list[Citation]:
    near = reply.no_answer.near_misses if reply.no_answer else ()
    return [citation for answer in reply.answers for citation in answer.citations] + list(near)


def without_timings(reply: Reply) -> Reply:
    return replace(reply, timings_ms={})


# what a question gets


def test_ask_answers_with_the_quote_and_its_sentence(assistant: Assistant) -> None:
    reply = assistant.ask(CRANES)
    assert (reply.status, reply.no_answer) == ("answered", None)
    assert [(a.text, a.value, a.score, a.confidence) for a in reply.answers] == [("12", "12", 1.0, None)]
    (citation,) = reply.answers[0].citations
    assert (citation.document.document_id, citation.span.start) == ("harbour.txt", HARBOUR.index("12"))
    assert citation.context == "The harbour has 12 cranes."


def test_ask_cites_every_document_that_says_it() -> None:
    reply = toy_assistant([*toy_documents(), GUIDE]).ask(CRANES)
    assert reply.status == "answered"
    assert [c.document.document_id for c in reply.answers[0].citations] == ["guide.txt", "harbour.txt"]


@pytest.mark.usefixtures("regression")
def test_ask_shows_both_sides_of_a_disagreement() -> None:
    reply = toy_assistant([*toy_documents(), SURVEY]).ask(CRANES)
    assert (reply.status, reply.no_answer) == ("conflicting", None)
    assert sorted(answer.text for answer in reply.answers) == ["12", "15"]
    assert all(len(answer.citations) == 1 for answer in reply.answers)


@pytest.mark.usefixtures("regression")
def test_the_sides_of_a_disagreement_do_not_lower_each_others_confidence() -> None:
    documents = [*toy_documents(), SURVEY]
    asked = toy_assistant(documents, CALIBRATION)
    reply, found = asked.ask(CRANES), asked.find(CRANES)
    assert [answer.text for answer in found.candidates] == ["12", "15"]
    plausible = [answer.plausibility for answer in found.candidates]
    assert [answer.confidence for answer in reply.answers] == pytest.approx(plausible)
    assert all(answer.confidence < answer.plausibility for answer in found.candidates)


def cited(name: str, text: str, score: float) -> Answer:
    place = document(name, f"The harbour has {text} of them.")
    (answer,) = merge([ScoredSpan(place, Span(16, 16 + len(text)), score)], limit=1)
    return answer


@pytest.mark.usefixtures("regression")
def test_candidates_that_are_no_sides_lower_the_confidence_of_both() -> None:
    sides = [cited("a.txt", "12", 1.0), cited("b.txt", "15", 1.0)]
    rated = [
        replace(one, plausibility=likely)
        for one, likely in zip([*sides, cited("c.txt", "Ada", 0.0)], (0.75, 0.6, 0.5), strict=True)
    ]
    assistant = toy_assistant(toy_documents(), CALIBRATION)
    reply = assistant.decide(CRANES, replace(assistant.find(CRANES), candidates=tuple(rated)))
    assert [answer.text for answer in reply.answers] == ["12", "15"]
    assert [answer.confidence for answer in reply.answers] == pytest.approx([3 / 5, 1.5 / 3.5])  # odds 3, 1.5 and 1


@pytest.mark.usefixtures("regression")
def test_ask_never_shows_alone_a_side_that_is_below_the_threshold() -> None:
    dated = document("a.txt", "The harbour had 12 cranes in 2010.")
    reply = toy_assistant([dated, document("b.txt", "There are 15 in harbour in 2014.")]).ask(
        "How many cranes had it in 2014?"
    )  # 12 has a score of 1, 15 of -1
    assert (reply.status, [answer.text for answer in reply.answers]) == ("conflicting", ["12", "15"])
    sure = document("b.txt", "Cranes: 15 in harbour in 2014.")
    reply = toy_assistant([dated, sure]).ask("How many cranes had it in 2014?")
    assert (reply.status, [answer.text for answer in reply.answers]) == ("answered", ["15"])


def test_ask_abstains_where_not_here_wins_and_shows_what_was_near(assistant: Assistant) -> None:
    reply = assistant.ask("Who owns the harbour?")  # shares harbour alone with a sentence that has a name: score -1
    assert (reply.status, reply.answers, reply.answer) == ("no_answer", (), None)
    assert reply.no_answer is not None
    assert (reply.no_answer.reason, reply.no_answer.threshold, reply.no_answer.best) == ("no_span", 0.0, -1.0)
    assert [near.context for near in reply.no_answer.near_misses] == ["Ilse Brandt runs the harbour."]


def test_ask_abstains_when_the_reader_finds_no_span(assistant: Assistant) -> None:
    reply = assistant.ask("Who wrote Hamlet?")
    assert reply.no_answer is not None
    assert (reply.no_answer.reason, reply.no_answer.best, reply.no_answer.near_misses) == ("no_span", None, ())
    assert len(reply.hits) == 3


@pytest.mark.parametrize("question", ["", "   ", "?", "?!… —", "\n\t", "\udcff", "\0"])
def test_ask_does_not_understand_a_question_without_a_word(assistant: Assistant, question: str) -> None:
    reply = assistant.ask(question)
    assert (reply.status, reply.hits) == ("no_answer", ())
    assert reply.no_answer is not None
    assert (reply.no_answer.reason, reply.no_answer.near_misses) == ("question_not_understood", ())
    assert reply.question == question


def test_ask_shows_at_most_three_near_misses_of_different_sentences() -> None:
    named = ["The harbour knows Ada and Bo.", "The harbour saw Di.", "The harbour met Eo.", "The harbour paid Flo."]
    reply = toy_assistant([document(f"{n}.txt", text) for n, text in enumerate(named)]).ask("Who owns the harbour?")
    assert reply.no_answer is not None
    sentences = [near.context for near in reply.no_answer.near_misses]
    assert len(sentences) == len(set(sentences)) == 3
    assert set(sentences) <= set(named)


def test_ask_with_a_calibration_gives_confidences(documents: list[Any]) -> None:
    reply = toy_assistant(documents, CALIBRATION).ask(CRANES)
    assert reply.answers[0].confidence == pytest.approx(1 / (1 + math.exp(-1)))


def test_ask_with_a_calibration_puts_the_likeliest_answer_first(documents: list[Any]) -> None:
    spans = [ScoredSpan(documents[1], Span(16, 18), 3.0), ScoredSpan(documents[0], Span(18, 21), 1.0)]  # 12, 300
    by_similarity = Calibration("toy", {"similarity": 9.0}, 0.0, 0.1, 1.0, 0.0)
    hits = [
        Hit(Passage(d, Span(0, len(d.text))), 0.5, near) for d, near in zip(documents, (0.9, 0.2, 0.1), strict=True)
    ]
    merged = merge(spans, limit=5)
    assert [answer.text for answer in toy_assistant(documents).rate("How many?", merged, hits)] == ["12", "300"]
    rated = toy_assistant(documents, by_similarity).rate("How many?", merged, hits)
    assert [answer.text for answer in rated] == ["300", "12"]
    logits = [9 * 0.9, 9 * 0.2]
    assert [answer.plausibility for answer in rated] == pytest.approx([1 / (1 + math.exp(-logit)) for logit in logits])
    odds = [math.exp(logit) for logit in logits]
    assert [answer.confidence for answer in rated] == pytest.approx([one / (1 + sum(odds)) for one in odds])


def test_ask_mends_slips_and_says_what_was_searched(assistant: Assistant) -> None:
    reply = assistant.ask("How many passengars has the ferry?")
    assert (reply.question, reply.resolved_question) == (
        "How many passengars has the ferry?",
        "How many passengers has the ferry?",
    )
    assert reply.answer is not None
    assert reply.answer.text == "300"


def test_ask_with_a_calibration_abstains_by_plausibility(documents: list[Any]) -> None:
    reply = toy_assistant(documents, replace(CALIBRATION, threshold=0.8)).ask(CRANES)
    assert reply.no_answer is not None
    assert reply.no_answer.reason == "below_threshold"
    assert (reply.no_answer.threshold, reply.no_answer.best) == (0.8, pytest.approx(1 / (1 + math.exp(-1))))


def test_ask_answers_exactly_at_the_threshold(documents: list[Any]) -> None:
    at = CALIBRATION.plausibility(Features(1.0, 0, 0, 0))  # its score is 1
    assert toy_assistant(documents, replace(CALIBRATION, threshold=at)).ask(CRANES).status == "answered"


@pytest.mark.parametrize(("threshold", "status"), [(0.7, "answered"), (0.74, "no_answer")])
def test_what_is_shown_is_decided_by_plausibility_whatever_else_was_found(threshold: float, status: str) -> None:
    named = [document(f"{n}.txt", f"{text} runs the harbour.") for n, text in enumerate(("Ada", "Bo"))]
    asked = toy_assistant(named, replace(CALIBRATION, threshold=threshold, shift=-3.0))
    first, second = asked.find("Who runs the harbour?").candidates
    assert first.plausibility == second.plausibility == pytest.approx(1 / (1 + math.exp(-1)))  # 0.731
    assert first.confidence == pytest.approx(1 / (1 + (1 + math.e) / math.e * math.exp(3)))  # 0.036
    reply = asked.ask("Who runs the harbour?")
    assert reply.status == status
    if reply.answer:
        assert reply.answer.confidence == first.confidence


def test_ask_is_told_what_it_by_the_history(assistant: Assistant) -> None:
    history = [Turn(question="How many cranes has the harbour?", answer="12")]
    reply = assistant.ask("And who runs it?", history=history)
    assert reply.question == "And who runs it?"
    assert reply.resolved_question == "How many cranes has the harbour? 12. And who runs it?"


@pytest.mark.parametrize(
    "question", [CRANES, "Who runs the ferry?", "When was it opened?", "Who wrote Hamlet?", "Who owns the harbour?"]
)
def test_every_quote_is_a_slice_of_its_document(question: str) -> None:
    awkward = document(
        "z.txt", "\ufeffTitel\r\n\r\nThe harbour e\u0301 \U0001f44d\U0001f3fd has 15 cranes.\u2028Ada Ö runs it."
    )
    reply = toy_assistant([*toy_documents(), awkward]).ask(question)
    for citation in citations(reply):
        data = citation.to_dict()
        text = citation.document.text
        assert text[data["start"] : data["end"]] == data["quote"] != ""
        assert text[data["context_start"] :].startswith(data["context"])
        assert data["context_start"] <= data["start"] <= data["end"] <= data["context_start"] + len(data["context"])
        assert text[: data["start"]].endswith(data["prefix"])
        assert text[data["end"] :].startswith(data["suffix"])


@pytest.mark.parametrize("question", [CRANES, "Who owns the harbour?", "Who wrote Hamlet?", "?"])
def test_an_unrelated_document_does_not_change_the_answer(question: str) -> None:
    unrelated = document("zz.txt", "Bread needs flour and water.")
    before, after = (
        toy_assistant(toy_documents()).ask(question),
        toy_assistant([*toy_documents(), unrelated]).ask(question),
    )
    assert (after.status, after.answers) == (before.status, before.answers)


# what it refuses, and what it bears


def test_ask_refuses_a_question_that_is_too_long(assistant: Assistant) -> None:
    assert assistant.ask("harbour " * 250).status == "no_answer"  # 2,000 characters
    with pytest.raises(ValueError, match="the question has 2,001 characters; ask it in at most 2,000"):
        assistant.ask("x" * 2001)


@pytest.mark.parametrize("question", [None, 7, b"How many?", ["How many?"]])
def test_ask_refuses_what_is_no_text(assistant: Assistant, question: Any) -> None:
    with pytest.raises(TypeError, match=f"a question must be text, got {type(question).__name__}"):
        assistant.ask(question)


@pytest.mark.parametrize("k", [0, -3])
def test_ask_refuses_k_below_1(assistant: Assistant, k: int) -> None:
    with pytest.raises(ValueError, match=f"k must be at least 1, got {k}"):
        assistant.ask(CRANES, k=k)


def test_ask_with_k_1_reads_one_passage(assistant: Assistant) -> None:
    assert [hit.passage.text for hit in assistant.ask(CRANES, k=1).hits] == [HARBOUR]


def test_ask_bears_lone_surrogates_and_control_characters(assistant: Assistant) -> None:
    reply = assistant.ask("How many cranes\udcff\0 has the \ud800harbour?")
    assert reply.answers[0].text == "12"
    json.dumps(reply.to_dict())


def test_ask_bears_lone_surrogates_in_the_history(assistant: Assistant) -> None:
    reply = assistant.ask("And who runs it?", history=[Turn(question="the \ud800harbour\0?", answer="\udcff")])
    reply.resolved_question.encode("utf-8")
    assert reply.answers[0].text == "Ilse Brandt"


@given(question=texts(max_size=12))
@settings(thorough, max_examples=60)
def test_ask_never_crashes_on_any_text(question: str) -> None:
    reply = toy_assistant_once().ask(question)
    assert (reply.status == "no_answer") == (reply.no_answer is not None) == (not reply.answers)
    assert json.loads(json.dumps(reply.to_dict()))["question"] == question


_once: list[Assistant] = []


def toy_assistant_once() -> Assistant:
    if not _once:
        _once.append(toy_assistant([*toy_documents(), SURVEY, GUIDE]))
    return _once[0]


def test_clean_question_turns_unreadable_characters_into_spaces() -> None:
    assert clean_question("  a\x00\x1fb\ud800c\n") == "a b c"


# several questions

QUESTIONS = [CRANES, "", "Who runs the ferry?", "Who wrote Hamlet?", CRANES, "Who owns the harbour?"]


def test_ask_many_equals_asking_one_by_one(assistant: Assistant) -> None:
    together = assistant.ask_many(QUESTIONS)
    assert [without_timings(r) for r in together] == [without_timings(assistant.ask(q)) for q in QUESTIONS]


def test_ask_many_gives_each_question_its_own_history(assistant: Assistant) -> None:
    histories = [(), [Turn(question="Who runs the ferry?", answer="Jon Aas")]]
    first, second = assistant.ask_many(["Who is it?", "Who is it?"], histories=histories)
    assert first.resolved_question == "Who is it?"
    assert second.resolved_question == "Who runs the ferry? Jon Aas. Who is it?"


def test_a_turn_without_its_answer_is_refused_before_anything_is_answered(assistant: Assistant) -> None:
    turns: Any = [{"question": "Who runs it?"}]
    with pytest.raises(ValueError, match='turn 1 of the history has no "answer"'):
        assistant.ask(CRANES, history=turns)
    with pytest.raises(ValueError, match='turn 1 of the history has no "answer"'):
        assistant.ask_many([CRANES, CRANES], histories=[(), turns])


@pytest.mark.parametrize("histories", [[], [(), ()]])
def test_ask_many_refuses_another_number_of_histories(assistant: Assistant, histories: list[Any]) -> None:
    with pytest.raises(ValueError, match="1 questions need as many histories"):
        assistant.ask_many([CRANES], histories=histories)


def test_ask_many_of_nothing_is_nothing(assistant: Assistant) -> None:
    assert assistant.ask_many([]) == []


# the JSON contract

CITATION = {
    *("document_id", "title", "start", "end", "quote", "context", "context_start"),
    *("prefix", "suffix", "source_sha256", "url"),
}


def assert_contract(data: dict[str, Any]) -> None:
    assert list(data) == [
        *("question", "resolved_question", "status", "answers", "no_answer", "manifest", "timings_ms"),
    ]
    assert list(data["manifest"]) == ["reader", "encoder", "corpus_sha256", "version"]
    assert list(data["timings_ms"]) == ["retrieve", "read", "total"]
    for answer in data["answers"]:
        assert list(answer)[:5] == ["text", "value", "confidence", "score", "citations"]
        assert set(list(answer)[5:]) <= ({"as_of"} if data["status"] == "conflicting" else set())
        assert answer["text"] == answer["citations"][0]["quote"]
        assert all(set(citation) == CITATION for citation in answer["citations"])
    if data["no_answer"] is not None:
        assert list(data["no_answer"]) == ["reason", "threshold", "best", "near_misses"]
        assert all(set(citation) == CITATION for citation in data["no_answer"]["near_misses"])


@pytest.mark.parametrize("question", [*QUESTIONS[:4], "Who owns the harbour?"])
@pytest.mark.parametrize("calibration", [None, CALIBRATION])
def test_reply_as_json_has_the_keys_of_the_contract(question: str, calibration: Calibration | None) -> None:
    for documents in (toy_documents(), [*toy_documents(), SURVEY]):
        reply = toy_assistant(documents, calibration).ask(question)
        assert_contract(json.loads(json.dumps(reply.to_dict(), allow_nan=False)))


def test_manifest_names_both_models_and_the_corpus(assistant: Assistant) -> None:
    manifest = assistant.ask(CRANES).manifest
    assert re.fullmatch(r"toy-reader@[0-9a-f]{12}", manifest.reader)
    assert re.fullmatch(r"toy-encoder@[0-9a-f]{12}", manifest.encoder)
    assert manifest.corpus_sha256 == assistant.corpus.sha256


def test_timings_add_up(assistant: Assistant) -> None:
    timings = assistant.ask(CRANES).timings_ms
    assert timings["total"] >= timings["retrieve"] + timings["read"]  # and what it takes to decide
    assert min(timings.values()) >= 0


# folders and indexes


@pytest.fixture
def encoders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[ToyEncoder]:
    """The toy encoders that from_folder made instead of real ones, in order; the cache is a temporary folder."""
    made: list[ToyEncoder] = []

    def encoder(name: str) -> ToyEncoder:
        made.append(ToyEncoder(name))
        return made[-1]

    monkeypatch.setattr(module, "SentenceEncoder", encoder)
    monkeypatch.setattr(module, "Reader", ToyReader)
    monkeypatch.setattr(module, "user_cache_path", lambda name: tmp_path / "cache" / name)
    return made


def test_from_folder_answers_and_leaves_the_folder_as_it_was(folder: Path, encoders: list[ToyEncoder]) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*")}
    reply = Assistant.from_folder(folder).ask(CRANES)
    assert (reply.answers[0].text, reply.answers[0].confidence) == ("12", None)
    assert {path: path.read_bytes() for path in folder.rglob("*")} == before


def test_from_folder_builds_once_and_then_reuses(folder: Path, encoders: list[ToyEncoder], tmp_path: Path) -> None:
    told: list[tuple[str, str, int, int]] = []
    first = Assistant.from_folder(folder, index=tmp_path / "index", progress=lambda *done: told.append(done))
    again = Assistant.from_folder(folder, index=tmp_path / "index", progress=lambda *done: told.append(done))
    assert encoders[0].documents_seen[:3] == [FERRY, HARBOUR, MUSEUM]
    assert encoders[1].documents_seen == []
    read = [("file", name, 1, 3) for name in sorted(path.name for path in folder.iterdir())]
    assert told == [*read, ("text", "", 9, 9), *read]  # three passages of two sentences each, embedded once
    assert without_timings(again.ask(CRANES)) == without_timings(first.ask(CRANES))


@pytest.mark.parametrize("change", ["edit", "add", "remove", "rename"])
def test_from_folder_builds_again_when_documents_change(
    folder: Path, encoders: list[ToyEncoder], tmp_path: Path, change: str
) -> None:
    Assistant.from_folder(folder, index=tmp_path / "index")
    if change == "edit":
        (folder / "harbour.txt").write_text(HARBOUR.replace("12", "13"), encoding="utf-8")
    elif change == "add":
        (folder / "more.txt").write_text(GUIDE.text, encoding="utf-8")
    elif change == "remove":
        (folder / "museum.txt").unlink()
    else:
        (folder / "museum.txt").rename(folder / "a.txt")
    changed = Assistant.from_folder(folder, index=tmp_path / "index")
    assert bool(encoders[1].documents_seen) == (change in ("edit", "add"))  # only new texts are embedded
    assert changed.ask(CRANES).answers[0].text == ("13" if change == "edit" else "12")
    assert changed.ask(CRANES).manifest.corpus_sha256 == changed.corpus.sha256
    Assistant.from_folder(folder, index=tmp_path / "index")
    assert encoders[2].documents_seen == []


def test_from_folder_refuses_the_index_of_another_encoder(
    folder: Path, encoders: list[ToyEncoder], tmp_path: Path
) -> None:
    Assistant.from_folder(folder, index=tmp_path / "index", encoder="one-encoder")
    with pytest.raises(IndexStoreError) as caught:
        Assistant.from_folder(folder, index=tmp_path / "index", encoder="other-encoder")
    message = str(caught.value)
    assert "'one-encoder'" in message
    assert "'other-encoder'" in message
    assert str(tmp_path / "index") in message
    assert "\n" not in message


def test_from_folder_refuses_a_damaged_index(folder: Path, encoders: list[ToyEncoder], tmp_path: Path) -> None:
    Assistant.from_folder(folder, index=tmp_path / "index")
    vectors = tmp_path / "index" / "gen-00000001" / "passages.faiss"
    vectors.write_bytes(vectors.read_bytes()[:-1] + b"\xff")
    with pytest.raises(IndexStoreError, match=r"passages\.faiss is damaged"):
        Assistant.from_folder(folder, index=tmp_path / "index")


def test_indexed_with_rebuild_replaces_a_damaged_index(folder: Path, tmp_path: Path) -> None:
    module.indexed(folder, index=tmp_path / "index", encoder=ToyEncoder(), progress=None)
    (tmp_path / "index" / "CURRENT").write_text("nonsense")
    module.indexed(folder, index=tmp_path / "index", encoder=ToyEncoder(), progress=None, rebuild=True)
    reused = ToyEncoder()
    module.indexed(folder, index=tmp_path / "index", encoder=reused, progress=None)
    assert reused.documents_seen == []


def test_from_folder_warns_of_what_it_skipped(
    folder: Path, encoders: list[ToyEncoder], caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "empty.txt").write_bytes(b"")
    with caplog.at_level(logging.WARNING):
        Assistant.from_folder(folder)
    assert [record.getMessage().split(":")[0] for record in caplog.records] == [
        "skipped     1 empty            empty.txt"
    ]


def test_from_folder_of_nothing_to_read_is_refused(encoders: list[ToyEncoder], tmp_path: Path) -> None:
    with pytest.raises(NoDocumentsError, match="does not exist"):
        Assistant.from_folder(tmp_path / "nowhere")


def test_open_answers_from_the_index_alone(folder: Path, encoders: list[ToyEncoder], tmp_path: Path) -> None:
    first = Assistant.from_folder(folder, index=tmp_path / "index", encoder="one-encoder").ask(CRANES)
    (folder / "harbour.txt").unlink()
    assert Assistant.open(tmp_path / "index").ask(CRANES).answers[0].citations[0].outdated
    shutil.rmtree(folder)  # as on another machine
    opened = Assistant.open(tmp_path / "index")
    assert encoders[1].name == "one-encoder"
    assert without_timings(opened.ask(CRANES)) == without_timings(first)


def test_open_without_an_index_is_refused(encoders: list[ToyEncoder], tmp_path: Path) -> None:
    with pytest.raises(NoIndexError, match="no index in"):
        Assistant.open(tmp_path / "nowhere")


def test_open_refuses_an_encoder_that_has_changed(
    folder: Path, encoders: list[ToyEncoder], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Assistant.from_folder(folder, index=tmp_path / "index")

    def changed(name: str) -> ToyEncoder:
        encoder = ToyEncoder(name)
        encoder.fingerprint = "f" * 64
        return encoder

    monkeypatch.setattr(module, "SentenceEncoder", changed)
    with pytest.raises(IndexStoreError, match="ffffffffffff"):
        Assistant.open(tmp_path / "index")


def test_default_index_is_one_place_per_real_folder(folder: Path, encoders: list[ToyEncoder], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert default_index(tmp_path / "link") == default_index(folder) != default_index(tmp_path)
    assert default_index(folder).is_relative_to(tmp_path / "cache")


def test_ask_among_some_documents_answers_from_no_other() -> None:
    assistant = toy_assistant(toy_documents())
    assert assistant.ask(CRANES, among=Selection(("har*",))).answers[0].text == "12"
    elsewhere = assistant.ask(CRANES, among=Selection(("ferry.txt", "museum.txt")))
    assert {hit.passage.document.document_id for hit in elsewhere.hits} == {"ferry.txt", "museum.txt"}
    assert not elsewhere.answers
    nowhere = assistant.ask(CRANES, among=Selection(("*.pdf",)))
    assert nowhere.no_answer is not None
    assert nowhere.no_answer.reason == "filtered_out"


def test_a_cited_file_that_changed_since_is_marked(tmp_path: Path) -> None:
    for one in toy_documents():
        (tmp_path / one.document_id).write_text(one.text, encoding="utf-8")
    documents = read_folder(tmp_path)[0].documents
    assistant = Assistant(toy_retriever(documents), ToyReader(), None, folder=tmp_path)  # type: ignore[arg-type]
    assert not assistant.ask(CRANES).answers[0].citations[0].outdated
    (tmp_path / "ferry.txt").write_text("Another text.", encoding="utf-8")
    assert "outdated" not in assistant.ask(CRANES).to_dict()["answers"][0]["citations"][0]
    (tmp_path / "harbour.txt").write_text(HARBOUR.replace("12", "13"), encoding="utf-8")
    reply = assistant.ask(CRANES)
    assert reply.to_dict()["answers"][0]["citations"][0]["outdated"] is True
    assert reply.answers[0].text == "12"  # the quote is of what was read
    assert "the file has changed since" in to_text(reply)
    (tmp_path / "harbour.txt").unlink()
    assert assistant.ask(CRANES).answers[0].citations[0].outdated
