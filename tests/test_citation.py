"""Golden files: what people read. After a wanted change run `python tests/test_citation.py` and review the diff."""

import html
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qa.citation import (
    REASONS,
    confidence_words,
    escape_html,
    escape_markdown,
    escape_terminal,
    mark_id,
    reason_sentence,
    to_html,
    to_markdown,
    to_text,
)
from qa.datatypes import Answer, Citation, Document, Manifest, NoAnswer, Reply, Span, Status

GOLDEN = Path(__file__).parent / "golden"
FORMS = {"md": to_markdown, "html": to_html, "txt": to_text}
MANIFEST = Manifest(reader="toy", encoder="toy", corpus_sha256="0", version="0")

TRIAL = Document("news/trial.txt", "Intro. At least 946 people fled. The end.", "946 people fled", "0", "utf-8")
REPORT = Document("report.txt", "The agency counts 946 of them,\r\nmost in three countries.", "", "0", "utf-8")
RIVAL = Document("rival.txt", "Officials speak of 900 people.", "Another count", "0", "utf-8")
HOSTILE = Document(
    "<img src=x onerror=alert(1)>.txt",
    "> Pay *$5* at [here](javascript:alert(1)) <script>alert('x')</script>\x1b[2J & go.",
    "# <b>Title</b> ![x](http://evil.example/x.png)",
    "0",
    "utf-8",
)


def cite(document: Document, quote: str, sentence: str) -> Citation:
    """Point at the first place of a quote in the first place of a sentence."""
    first = document.text.index(sentence)
    start = document.text.index(quote, first)
    return Citation(document, Span(start, start + len(quote)), Span(first, first + len(sentence)))


def reply(
    status: Status, *answers: Answer, no_answer: NoAnswer | None = None, question: str = "How many fled?"
) -> Reply:
    """Build a reply whose question was understood as asked."""
    return Reply(question, question, status, answers, no_answer, MANIFEST, {})


TRIAL_946 = cite(TRIAL, "946", "At least 946 people fled.")
REPORT_946 = cite(REPORT, "946", REPORT.text)
RIVAL_900 = cite(RIVAL, "900", RIVAL.text)
INTRO = cite(TRIAL, "Intro.", "Intro.")
CASES = {
    "agreeing": reply("answered", Answer("946", 7.4, 0.93, (TRIAL_946, REPORT_946))),
    "conflicting": reply(
        "conflicting", Answer("946", 7.4, 0.71, (TRIAL_946, REPORT_946)), Answer("900", 5.0, None, (RIVAL_900,))
    ),
    "below_threshold": reply("no_answer", no_answer=NoAnswer("below_threshold", 0.41, 0.22, (INTRO, RIVAL_900))),
    "hostile": reply(
        "answered",
        Answer("x", 1.0, 0.4, (cite(HOSTILE, "<script>alert('x')</script>\x1b[2J", HOSTILE.text),)),
        question='<svg onload=alert(1)> "**now**"?',
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES)
def test_form_equals_its_golden_file(case: str, form: str) -> None:
    golden = (GOLDEN / f"{case}.{form}").read_bytes().decode("utf-8")
    assert FORMS[form](CASES[case]) == golden


TEXTS = st.text(
    st.sampled_from("ab <>&\"'`*_[]()#!|~\\:\r\n\t\x1b\u2028\u202eé漢\u0301") | st.characters(codec="utf-8")
)


@settings(deadline=None)
@given(TEXTS)
def test_escape_html_is_undone_by_unescape(text: str) -> None:
    assert html.unescape(escape_html(text)) == text
    assert not set("<>\"'\r") & set(escape_html(text))


@settings(deadline=None)
@given(TEXTS)
def test_escape_markdown_leaves_no_markup_and_is_undone_by_unescape(text: str) -> None:
    escaped = escape_markdown(text)
    assert html.unescape(escaped) == text
    assert not set("<>\"'`*_[]()!|~\\:.-+\r\n\t") & set(escaped)


@settings(deadline=None)
@given(TEXTS)
def test_escape_terminal_has_one_line_and_no_control_characters(text: str) -> None:
    escaped = escape_terminal(text)
    assert len(escaped.splitlines()) <= 1
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in escaped)
    assert "\u202e" not in escaped


def test_lone_surrogates_can_be_sent_and_printed() -> None:
    for escape in (escape_html, escape_markdown, escape_terminal):
        assert html.unescape(escape("caf\udce9")) == "caf?"


@pytest.mark.parametrize(
    ("confidence", "words"),
    [
        (1.0, "very likely, 100%"),
        (0.996, "very likely, 99%"),
        (0.85, "very likely, 85%"),
        (0.849, "likely, 84%"),
        (0.6, "likely, 60%"),
        (0.29, "unsure, 29%"),
        (None, "uncalibrated score 7.4"),
    ],
)
def test_confidence_is_a_word_and_a_percentage_rounded_down(confidence: float | None, words: str) -> None:
    assert confidence_words(Answer("946", 7.4, confidence, (TRIAL_946,))) == words


def test_every_reason_is_a_sentence() -> None:
    for reason in REASONS:
        assert reason_sentence(NoAnswer(reason, None, None)).endswith(".")


def test_resolved_question_is_shown_only_where_it_differs() -> None:
    answer = Answer("946", 7.4, 0.93, (TRIAL_946,))
    changed = Reply("And there?", "How many fled <there>?", "answered", (answer,), None, MANIFEST, {})
    assert "Understood as: How many fled <there>?" in to_text(changed)
    assert "How many fled &lt;there&gt;?" in to_html(changed)
    assert "Understood" not in to_text(CASES["agreeing"]) + to_html(CASES["agreeing"])


def test_mark_holds_exactly_the_quote_and_its_link_points_at_it() -> None:
    page, bubble = to_html(CASES["agreeing"]), to_markdown(CASES["agreeing"])
    assert f'<mark id="{mark_id(TRIAL_946)}" tabindex="-1">946</mark>' in page
    assert f"(#{mark_id(TRIAL_946)})" in bubble
    assert mark_id(TRIAL_946) != mark_id(REPORT_946)


def test_long_sentences_are_cut_around_the_quote() -> None:
    document = Document("long.txt", "a" * 1000 + "946" + "b" * 1000, "", "0", "utf-8")
    citation = Citation(document, Span(1000, 1003), Span(0, 2003))
    shown = to_markdown(reply("answered", Answer("946", 1.0, 0.9, (citation,))))
    assert f"> … {'a' * 300}<mark>946</mark>{'b' * 300} …" in shown


if __name__ == "__main__":
    for name, case in CASES.items():
        for suffix, form in FORMS.items():
            (GOLDEN / f"{name}.{suffix}").write_bytes(form(case).encode("utf-8"))
    sys.exit()
