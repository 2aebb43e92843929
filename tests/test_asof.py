"""qa/asof.py: the time a statement names for itself, and the sides that hold at the time a question names."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from strategies import texts, thorough
from toys import ToyReader, document, toy_retriever

from qa.asof import as_of, at_the_time, times
from qa.assistant import Assistant
from qa.chunking import sentence_around
from qa.citation import to_text
from qa.datatypes import Answer, AsOf, Citation, Passage, ScoredSpan, Span
from qa.followup import Turn


def cited(text: str, quote: str) -> Citation:
    one = document("a.txt", text)
    span = Span(text.index(quote), text.index(quote) + len(quote))
    return Citation(one, span, sentence_around(one, span))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("As of November 2014, 39 were signed.", ["2014-11"]),
        ("From 2014 to 2016 some 2,600 came back.", ["2014/2016"]),
        ("between 1998 and 2004", ["1998/2004"]),
        ("By the end of 2014 there were 500.", ["2014"]),
        ("on Dec. 31, 2019; on 31 December 2014", ["2019-12-31", "2014-12-31"]),
        ("in May 2015, 5 people", ["2015-05"]),
        ("on Thursday, Dec. 31, 2019", ["2019-12-31"]),
        ("2014-12-31, 30.11.2014 and the 4th of July 2014", ["2014-12-31", "2014-11-30", "2014-07-04"]),
        ("from March 2014 to May 2016; from March to May 2016", ["2014-03/2016-05", "2016-03/2016-05"]),
        ("in March 2014 and May 2016; in 2014, 2015 and 2016", ["2014-03", "2016-05", "2014", "2015", "2016"]),
        ("mid-2014; in early 2015 it had", ["2014", "2015"]),
        ("2014: 39; the union (2015); Norrby, 2016", ["2014", "2015", "2016"]),
        ("And 2016? What about 2017?", ["2016", "2017"]),
        ("In 2014 police said so; it is true since 2014 that", ["2014", "2014"]),
        ("In 2016 the harbour lent 15 of 2000 cranes", ["2016"]),
        ("in 2014 and 1500 people", ["2014"]),
        ("1600 people in room 1604 at 1800 hours; a total of 2000.", []),
        ("In 1500 cases between 1500 and 2000 people rose from 1500 to 2000 workers", []),
        ("the 1500-member club, 2000-strong", []),
        ("In May 10 people came; on Thursdays they may 10 times.", []),
        ("Last year 680 came back; so far 12.", ["", ""]),
        ("Last December it had 39, now 40", ["", ""]),
        ("In the 1990s 2,014 people paid $2015.", []),
        ("", []),
    ],
)
def test_times_are_found_and_normalised(text: str, values: list[str]) -> None:
    assert [time.value for _, time in times(text)] == values


@pytest.mark.parametrize(
    "text",
    "As of Dec. 31|31 December|two years ago|a decade ago|last Thursday|on Thursday|the previous year|"
    "over the past two years|three months later".split("|"),
)
def test_a_time_that_hangs_on_another_is_relative(text: str) -> None:
    [(_, time)] = times(f"It had 39 members {text}.")
    assert time.relative
    assert text.endswith(time.text)


@given(texts(max_size=12))
@thorough
def test_times_stand_where_they_say_and_do_not_overlap(text: str) -> None:
    found = times(text + " in 2014, last year", 3)
    assert len(found) >= 2
    assert found == sorted(found, key=lambda one: one[0].start)
    for span, time in found:
        assert (text + " in 2014, last year")[span.start - 3 : span.end - 3] == time.text
    assert not any(one.overlaps(other) for i, (one, _) in enumerate(found) for other, _ in found[i + 1 :])


def test_as_of_is_the_time_nearest_to_the_quote_in_its_sentence() -> None:
    text = "Founded in 1988, the union had 39 members by 2014 and 48 in 2016."
    assert as_of(cited(text, "39")) == AsOf("2014", "2014")
    assert as_of(cited(text, "48")) == AsOf("2016", "2016")
    assert as_of(cited(text, "2016")) == AsOf("2014", "2014")  # a time is not its own


def test_as_of_looks_in_the_sentence_before_but_not_over_the_paragraphs_edge() -> None:
    assert as_of(cited("It met in June 2015. It has 39 members.", "39")) == AsOf("June 2015", "2015-06")
    assert as_of(cited("It met in June 2015.\n\nIt has 39 members.", "39")) is None
    assert as_of(cited("It has 39 members. It met in June 2015.", "39")) is None


def test_a_relative_time_is_told_apart() -> None:
    time = as_of(cited("Last year it had 39 members.", "39"))
    assert time == AsOf("Last year", "")
    assert time.relative
    assert time.to_dict() == {"text": "Last year", "value": "", "relative": True}


def side(name: str, time: AsOf | None) -> Answer:
    return Answer(name, 1.0, None, (cited(name, name),), time)


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        ("How many members?", ["39", "48", "50", "60"]),
        ("How many members in 2016?", ["48", "50", "60"]),
        ("How many members by late 2015?", ["60", "50"]),
        ("How many members in 1999?", ["39", "48", "50", "60"]),
        ("How many members last year?", ["39", "48", "50", "60"]),
        ("How many members had it in 2014? 39. And last year?", ["39", "48", "50", "60"]),
        ("How many members had it in 2014? 39. How many left?", ["39", "50"]),
        ("How many members had it in 2014? 39. And in 2017?", ["60", "50"]),
    ],
)
def test_sides_of_another_time_than_the_questions_are_left_out(question: str, kept: list[str]) -> None:
    sides = [
        side("39", AsOf("2014", "2014")),
        side("48", AsOf("2016", "2016")),
        side("50", None),
        side("60", AsOf("2015 to 2017", "2015/2017")),
    ]
    if question.endswith("2016?"):
        kept = ["48", "60", "50"]
    assert [answer.value for answer in at_the_time(question, sides)] == kept


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        ("How many members in November 2014?", ["40", "41", "44", "43"]),
        ("How many members on 3 November 2014?", ["41", "40", "44", "43"]),
        ("How many members in 2014?", ["40", "41", "42", "44", "43"]),
        ("How many members from January to April 2014?", ["42", "44", "43"]),
    ],
)
def test_times_are_compared_as_exactly_as_they_are_known(question: str, kept: list[str]) -> None:
    times_of = {"44": "2014", "42": "2014-03", "43": "", "41": "2014-11-03", "40": "2014-11"}
    sides = [side(name, AsOf(value, value)) for name, value in sorted(times_of.items())]
    assert [answer.value for answer in at_the_time(question, sides)] == kept


class BlindToYears(ToyReader):
    """A toy reader that offers no figure of four digits."""

    def read(self, question: str, passages: Sequence[Passage], *, k: int = 3) -> list[ScoredSpan]:
        """Read as a toy reader does, and leave the years out."""
        return [found for found in super().read(question, passages, k=9) if found.span.end - found.span.start < 4]


def test_a_disagreement_carries_its_times_and_a_question_with_a_time_settles_it() -> None:
    documents = [
        document("a.txt", "In 2014 the harbour had 12 cranes."),
        document("b.txt", "In 2016 the harbour had 15 cranes."),
    ]
    assistant = Assistant(toy_retriever(documents), BlindToYears(), None)  # type: ignore[arg-type]
    reply = assistant.ask("How many cranes has the harbour?")
    assert reply.status == "conflicting"
    assert [(answer.text, answer.as_of and answer.as_of.value) for answer in reply.answers] == [
        ("12", "2014"),
        ("15", "2016"),
    ]
    assert [answer["as_of"]["text"] for answer in reply.to_dict()["answers"]] == ["2014", "2016"]
    assert "12  (uncalibrated score 1.0; its time: 2014)" in to_text(reply)
    settled = assistant.ask("How many cranes did the harbour have in 2016?")
    assert (settled.status, [answer.text for answer in settled.answers]) == ("answered", ["15"])
    history = [Turn(question="How many cranes did the harbour have in 2014?", answer="12")]
    later = assistant.ask("And in 2016?", history=history)
    assert (later.status, [answer.text for answer in later.answers]) == ("answered", ["15"])
    opened = [Turn(question="When was the harbour opened?", answer="in 2014")]
    both = assistant.ask("How many cranes has it?", history=opened)  # 2014 is no time that was asked for
    assert (both.status, len(both.answers)) == ("conflicting", 2)
    then = assistant.ask("How many cranes had it then?", history=opened)
    assert (then.status, [answer.text for answer in then.answers]) == ("answered", ["12"])
    assert "as_of" not in assistant.ask("How many cranes has the harbour?", k=1).to_dict()["answers"][0]


@pytest.mark.parametrize(
    ("text", "quote", "time"),
    [
        ("It had 39 members in 2014, 48 in 2015 and 60 in 2016.", "39", "2014"),
        ("It had 39 members in 2014, 48 in 2015 and 60 in 2016.", "48", "2015"),
        ("It had 39 members in 2014, 48 in 2015 and 60 in 2016.", "60", "2016"),
        ("In 2014, 39 people came back and 48 in 2015.", "39", "2014"),
        ("In 2014 12,500 men and 39 women came and 45 in 2015.", "39", "2014"),
        ("It is now clear that 40 people died in May 2014.", "40", "2014-05"),
        ("It had 39 members in the last quarter of 2014.", "39", "2014"),
    ],
)
def test_as_of_is_the_time_of_the_same_clause(text: str, quote: str, time: str) -> None:
    found = as_of(cited(text, quote))
    assert found is not None
    assert found.value == time


@pytest.mark.parametrize(
    ("question", "shown"),
    [
        ("How many members in 2016?", ["15", "12"]),  # what holds since 2014 may still hold
        ("How many members after 2014?", ["12", "15"]),  # nor does the question say until when
        ("How many members in 2013?", ["12", "15"]),
        ("What is the number of members from 2016?", ["15", "12"]),
    ],
)
def test_a_time_that_is_open_on_a_side_leaves_nothing_out(question: str, shown: list[str]) -> None:
    texts = ("Since 2014 it has had 12 members.", "In 2016 it had 15 members.")
    sides = [
        Answer(q, 1.0, 0.5, (c,), as_of=as_of(c))
        for t, q in zip(texts, ("12", "15"), strict=True)
        for c in [cited(t, q)]
    ]
    assert [side.text for side in at_the_time(question, sides)] == shown
    assert sides[0].as_of == AsOf("Since 2014", "2014")


def test_a_side_that_was_open_until_then_is_left_out_later() -> None:
    texts = ("Until 2014 it had 12 members.", "In 2016 it had 15 members.")
    sides = [
        Answer(q, 1.0, 0.5, (c,), as_of=as_of(c))
        for t, q in zip(texts, ("12", "15"), strict=True)
        for c in [cited(t, q)]
    ]
    assert [side.text for side in at_the_time("How many members in 2016?", sides)] == ["15"]
