"""Where an expected answer was lost: every step of the trip, told apart."""

import json
from pathlib import Path
from typing import Any

import pytest
from toys import FERRY, HARBOUR, document, toy_assistant, toy_documents

from qa import cli
from qa.confidence import Calibration, Features
from qa.documents import Selection
from qa.followup import Turn
from qa.why import explain, to_text

ALL_SURE = Calibration("toy", dict.fromkeys(Features.__dataclass_fields__, 0.0), 1.0, 0.5, 1.0, 0.0)
NEVER_SURE = Calibration("toy", dict.fromkeys(Features.__dataclass_fields__, 0.0), -1.0, 0.5, 1.0, 0.0)
QUESTION = "How many cranes has the harbour?"
EARLIER = document("earlier.txt", "In 2014 they counted. The harbour has 12 cranes.")
LATER = document("later.txt", "In 2016 they counted. The harbour has 15 cranes.")


def test_an_answer_that_is_shown() -> None:
    found = explain(toy_assistant(toy_documents()), QUESTION, "12  CRANES")
    assert (found.step, found.rank, found.looked_at, found.passages) == ("shown", 1, 3, 3)
    assert [place.quote for place in found.places] == ["12 cranes"]
    assert (found.score, found.plausibility, found.threshold) == (1.0, None, 0.0)
    assert found.first is not None
    assert found.first.text == "12"


def test_words_that_no_document_holds() -> None:
    found = explain(toy_assistant(toy_documents()), QUESTION, "14 cranes")
    assert (found.step, found.places, found.rank) == ("not_in_documents", (), None)
    assert 'No document holds "14 cranes"' in to_text(found)


def test_words_that_only_another_document_holds() -> None:
    assistant = toy_assistant(toy_documents())
    assert explain(assistant, QUESTION, "12", document_id="ferry.txt").step == "not_in_documents"
    assert explain(assistant, QUESTION, "12", document_id="harbour.txt").step == "shown"


def test_words_whose_document_may_not_answer() -> None:
    found = explain(toy_assistant(toy_documents()), QUESTION, "12", among=Selection(("ferry.txt",)))
    assert (found.step, found.rank, [place.quote for place in found.places]) == ("filtered_out", None, ["12"])
    assert "not among those that may answer" in to_text(found)


def test_a_passage_that_was_not_read() -> None:
    found = explain(toy_assistant(toy_documents()), QUESTION, "Jon Aas", k=1)
    assert (found.step, found.looked_at) == ("not_retrieved", 1)
    assert found.rank is not None
    assert found.rank > 1
    assert f"--k {found.rank}" in to_text(found)


def test_a_passage_in_which_the_reader_saw_no_such_answer() -> None:
    found = explain(toy_assistant(toy_documents()), QUESTION, "Ilse Brandt")  # names are no answer to "how many"
    assert (found.step, found.score, found.plausibility) == ("not_offered", None, None)
    assert 'was read, but it is not among the spans offered; "12" came first' in to_text(found)


def test_a_passage_that_was_skimmed_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assistant = toy_assistant(toy_documents())
    reads = assistant.reader.read
    monkeypatch.setattr(
        assistant.reader, "read", lambda question, passages, **how: reads(question, passages[:1], **how)
    )
    found = explain(assistant, QUESTION, "Jon Aas")
    assert (found.step, found.looked_at, found.score) == ("not_read", 3, None)
    assert 'was skimmed only, since others promised more; "12" came first' in to_text(found)


def test_an_answer_than_which_not_here_was_likelier() -> None:
    found = explain(toy_assistant(toy_documents()), "How many passengers has the ferry at the harbour?", "12 cranes")
    assert (found.step, found.score) == ("null_won", -1.0)
    text = to_text(found)
    assert 'with a score of -1.0, but "not here" won in its passage; "300" came first' in text
    alone = explain(toy_assistant(toy_documents()), "How many boats sank?", "40")  # no other one is offered
    assert (alone.step, alone.score) == ("null_won", -1.0)


def test_a_follow_up_is_explained_with_what_went_before() -> None:
    history = [Turn(question="How many cranes has the harbour?", answer="12")]
    found = explain(toy_assistant(toy_documents()), "And who runs it?", "12 cranes", history=history)
    assert (found.step, found.resolved_question) == ("shown", f"{QUESTION} 12. And who runs it?")


def test_an_answer_that_another_one_outscored() -> None:
    question = "How many passengers carries the ferry to the harbour with cranes?"
    found = explain(toy_assistant(toy_documents()), question, "12 cranes")
    assert (found.step, found.score) == ("outscored", 1.0)
    assert found.first is not None
    assert found.first.text == "300"
    assert 'with a score of 1.0, but "300" came first' in to_text(found)


@pytest.mark.parametrize("calibration", [None, ALL_SURE])
def test_every_side_of_a_disagreement_is_shown(calibration: Calibration | None) -> None:
    assistant = toy_assistant([EARLIER, LATER], calibration)
    assert [answer.as_of is None for answer in assistant.ask(QUESTION).answers] == [False, False]
    assert [explain(assistant, QUESTION, side).step for side in ("12", "15")] == ["shown", "shown"]


@pytest.mark.parametrize(("year", "steps"), [("2014", ["shown", "another_time"]), ("2016", ["another_time", "shown"])])
def test_a_side_that_gives_another_time_than_the_question(year: str, steps: list[str]) -> None:
    found = [
        explain(toy_assistant([EARLIER, LATER]), f"In {year}, how many cranes has the harbour?", s)
        for s in ("12", "15")
    ]
    assert [one.step for one in found] == steps
    assert "another time than the question names" in to_text(found[steps.index("another_time")])


def test_an_answer_whose_file_has_changed_is_shown(tmp_path: Path) -> None:
    assistant = toy_assistant(toy_documents())
    assistant.folder = tmp_path  # where no file is
    assert assistant.ask(QUESTION).answers[0].citations[0].outdated
    assert explain(assistant, QUESTION, "12").step == "shown"


def test_an_answer_below_the_threshold() -> None:
    found = explain(toy_assistant(toy_documents(), NEVER_SURE), QUESTION, "12")
    assert (found.step, found.threshold) == ("below_threshold", 0.5)
    assert found.plausibility == pytest.approx(1 / (1 + 2.718281828))
    assert '"12" came first (plausibility 0.27), below the threshold of 0.50' in to_text(found)
    assert explain(toy_assistant(toy_documents(), ALL_SURE), QUESTION, "12").step == "shown"


def test_of_several_places_the_one_that_came_furthest_counts() -> None:
    documents = [
        document("harbour.txt", HARBOUR),
        document("notes.txt", "Twelve. 12 said nothing."),
        document("f", FERRY),
    ]
    found = explain(toy_assistant(documents), QUESTION, "12")
    assert (found.step, len(found.places)) == ("shown", 2)


@pytest.mark.parametrize(
    ("expected", "document_id", "message"),
    [("  ", None, "the expected text is empty"), ("12", "barbour.txt", "no document 'barbour.txt'; choose from ferry")],
)
def test_what_cannot_be_explained_is_said(expected: str, document_id: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        explain(toy_assistant(toy_documents()), QUESTION, expected, document_id=document_id)


def test_the_text_is_safe_for_a_terminal() -> None:
    hostile = [document("a\x1b[2J.txt", "The harbour has 12 \x1b[2J cranes."), *toy_documents()[::2]]
    text = to_text(explain(toy_assistant(hostile), QUESTION, "12"))
    assert "\x1b" not in text
    assert "12" in text


def test_the_command_prints_text_or_json(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(cli, "_assistant", lambda arguments: toy_assistant(toy_documents()))
    assert cli.main(["why", QUESTION, "--expect", "Ilse Brandt", "--doc", "harbour.txt"]) == 0
    assert capsys.readouterr().out.startswith("not offered: ")
    assert cli.main(["why", QUESTION, "--expect", "12", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["step"], printed["places"][0]["quote"], printed["first"]["text"]) == ("shown", "12", "12")
    assert cli.main(["why", QUESTION, "--expect", "12", "--only", "ferry*"]) == 0
    assert capsys.readouterr().out.startswith("filtered out: ")
    assert cli.main(["why", QUESTION, "--expect", " "]) == 1
    assert "the expected text is empty" in capsys.readouterr().err
