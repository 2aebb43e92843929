"""qa/followup.py: a question keeps its words, and borrows what it lacks."""

import pytest

from qa.followup import Turn, leans_on_history, resolve

FIRST = Turn(question="How many fugitives are abroad?", answer="946")
THEN = Turn(question="Who hunts them?", answer="The agency.")


@pytest.mark.parametrize(
    "question",
    ["And how many of them came back?", "Why?", "Where did he go?", "What about Peru?", "Who else?", "When was that?"],
)
def test_leans_on_history_of_a_follow_up(question: str) -> None:
    assert leans_on_history(question)


@pytest.mark.parametrize(
    "question", ["Who is Liu Jianchao?", "How many extradition treaties were signed?", "When did Sky Net begin?"]
)
def test_leans_on_history_not_of_a_question_that_stands_alone(question: str) -> None:
    assert not leans_on_history(question)


def test_resolve_without_history_changes_nothing() -> None:
    assert resolve("And where are they?", []) == "And where are they?"


def test_resolve_leaves_a_question_that_stands_alone() -> None:
    assert resolve("Who is Liu Jianchao?", [FIRST, THEN]) == "Who is Liu Jianchao?"


def test_resolve_puts_the_earlier_question_and_its_answer_first() -> None:
    assert resolve("And where are they?", [FIRST]) == "How many fugitives are abroad? 946. And where are they?"


def test_resolve_goes_back_to_the_last_question_that_stood_alone() -> None:
    assert resolve("Why?", [FIRST, THEN]) == "How many fugitives are abroad? Who hunts them? The agency. Why?"


def test_resolve_forgets_what_was_before_the_last_question_that_stood_alone() -> None:
    later = Turn(question="Who is Liu Jianchao?", answer="")
    assert resolve("Where is he?", [FIRST, later]) == "Who is Liu Jianchao? Where is he?"


def test_resolve_of_a_conversation_that_never_stood_alone_begins_with_its_first_question() -> None:
    assert resolve("Why?", [THEN]) == "Who hunts them? The agency. Why?"


def test_resolve_with_empty_turns_adds_nothing() -> None:
    assert resolve("Why?", [Turn(question="", answer="")]) == "Why?"


def test_resolve_always_ends_with_the_question() -> None:
    for history in ([FIRST], [FIRST, THEN], [THEN, THEN]):
        assert resolve("  Why?  ", history).endswith("Why?")
