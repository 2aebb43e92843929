"""qa/followup.py: a question keeps its words, and borrows what it lacks."""

import pytest

from qa.followup import ANSWER_WORDS, MOST_WORDS, Turn, check_history, leans_on_history, resolve

FIRST = Turn(question="How many fugitives are abroad?", answer="946")
THEN = Turn(question="Who hunts them?", answer="The agency.")


@pytest.mark.parametrize(
    "question",
    [
        "And how many of them came back?",
        "Why?",
        "WHERE DID HE GO?",
        "Where did he go?",
        "What about Peru?",
        "In China?",  # a name is no question yet
        "What was Peru's?",
        "Who else?",
        "When was that?",
        "Who signed that treaty?",
        "What happened after that treaty was signed?",
        "Who lives there?",
        "How many are there?",
        "How long did it last?",
        "Who was its director?",
        "Who runs their office?",
        "Which one has the most members?",
        "Are both countries members?",
        "Did Brandt meet them?",
        "Does the agency know where he is?",
    ],
)
def test_leans_on_history_of_a_follow_up(question: str) -> None:
    assert leans_on_history(question)


@pytest.mark.parametrize(
    "question",
    [
        "Who is Liu Jianchao?",
        "How many extradition treaties were signed?",
        "When did Sky Net begin?",
        "What is APEC?",
        "Who is Obama?",
        "Where’s Peru?",
        "Who said that corruption is a cancer?",
        "Which is the oldest treaty that China signed?",
        "Is there a treaty between China and Peru?",
        "What is one reason companies fail?",
        "Is one of the cranes broken?",
        "Are both China and Peru members?",
        "When did China and the US sign their agreement?",
        "How many companies pay their taxes?",
        "Which country recalled its ambassador?",
        "When did Obama visit his mother?",
    ],
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


def test_resolve_puts_only_the_beginning_of_a_long_answer() -> None:
    long = Turn(question="Who hunts fugitives abroad?", answer="word " * 100)
    assert resolve("Why?", [long]) == f"{long['question']} {' '.join(['word'] * ANSWER_WORDS)}. Why?"


def test_resolve_of_a_long_conversation_leaves_out_the_latest_question_then_the_answer() -> None:
    standing = Turn(question="Who hunted " + "very " * 20 + "corrupt fugitives?", answer="")
    latest = Turn(question="And why did " + "they " * 15 + "go?", answer="They had stolen.")
    longest = Turn(question="Who hunted " + "very " * MOST_WORDS + "corrupt fugitives?", answer="")
    assert resolve("And how were they caught?", [standing, latest]) == (
        f"{standing['question']} They had stolen. And how were they caught?"
    )
    assert resolve("Why?", [longest, latest]) == f"{longest['question']} Why?"


@pytest.mark.parametrize("history", [[], (), [FIRST, THEN], (FIRST,)])
def test_check_history_lets_turns_pass(history: object) -> None:
    check_history(history)


@pytest.mark.parametrize(
    ("history", "error", "says"),
    [
        ("Why?", TypeError, "history must be a list .*, got str"),
        (FIRST, TypeError, "history must be a list .*, got dict"),
        (None, TypeError, "got NoneType"),
        ([FIRST, "Why?"], TypeError, "turn 2 .*, got str"),
        ([("Why?", "So")], TypeError, "turn 1 .*, got tuple"),
        ([{"question": "Why?"}], ValueError, 'turn 1 of the history has no "answer"'),
        ([FIRST, {"question": None, "answer": ""}], TypeError, '"question" in turn 2 .* must be text, got NoneType'),
    ],
)
def test_check_history_says_which_turn_is_wrong(history: object, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        check_history(history)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "question",
    [
        "Tell me more.",
        "Can you explain?",
        "How many were caught in 2016?",
        "Did it agree to pay?",
        "Is it likely to cause damage to crops?",
        "How many of their members left?",
        "What does THIS mean?",
    ],
)
def test_what_asks_about_nothing_of_its_own_leans(question: str) -> None:
    assert leans_on_history(question)


@pytest.mark.parametrize(
    "question",
    [
        "Is it true that Peru signed the treaty?",
        "How long does it take to extradite a fugitive?",
        "How many people lost their jobs?",
        "What is IT security?",
        "How many were killed in the Manchester bombing?",
        "Tell me about Norrby.",
    ],
)
def test_a_word_that_refers_to_nothing_before_does_not_lean(question: str) -> None:
    assert not leans_on_history(question)


def test_a_word_of_thanks_is_no_topic() -> None:
    history = [FIRST, Turn(question="Thank you!", answer="")]
    assert resolve("Who said it?", history).startswith(FIRST["question"])
