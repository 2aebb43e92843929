"""The page without a browser: what its handler shows, what its server sends."""

import asyncio
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from qa.chat import ECHO, PANEL_ERROR, Exchange, build_app, build_page, evidence_of, history_of, responder, serve
from qa.datatypes import Answer, Citation, Document, Manifest, NoAnswer, Reply, Span
from qa.documents import Selection
from qa.followup import Turn

DOCUMENT = Document("a.txt", "At least 946 fled.", "A <b>title</b>", "0", "utf-8")
FLED = Answer("946", 7.4, 0.93, (Citation(DOCUMENT, Span(9, 12), Span(0, 18)),))
EARLIER = Exchange("How many fled?", "946", "**946**", "<p>946</p>")


def toy_ask(question: str, history: list[Turn], among: Selection | None) -> Reply:
    """Answer 946 to "How many", refuse "" and break on "break"; anything else has no answer."""
    if not question.strip():
        raise ValueError("type a <question> first")
    if question == "break":
        raise RuntimeError("/secret/path")
    answers, no_answer = ((FLED,), None) if "How many" in question else ((), NoAnswer("no_span", None, None))
    status = "answered" if answers else "no_answer"
    return Reply(question, question, status, answers, no_answer, Manifest("", "", "", ""), {})


@pytest.fixture(scope="module")
def page() -> gr.Blocks:
    async def build() -> gr.Blocks:
        return build_page(toy_ask, documents=["<script>a.txt"], examples=["How many fled?"])

    return asyncio.run(build())  # outside a running loop Gradio makes several and closes none


@pytest.fixture(scope="module")
def client(page: gr.Blocks) -> Iterator[TestClient]:
    async def build() -> FastAPI:
        return build_app(page)

    with TestClient(asyncio.run(build()), base_url="http://127.0.0.1") as client:
        yield client


def shown(question: str, *exchanges: Exchange) -> tuple[Any, ...]:
    """Return the last thing the page shows for a question."""
    return list(responder(toy_ask)(question, exchanges))[-1]


def test_question_is_shown_before_it_is_answered() -> None:
    messages, _, exchanges, box = next(responder(toy_ask)("How many fled?", ()))
    assert messages[0] == {"role": "user", "content": "How many fled&#63;"}
    assert (exchanges, box) == ((), "")


def test_answer_is_in_the_bubble_the_panel_and_the_history() -> None:
    messages, evidence, exchanges, box = shown("How many fled?")
    assert messages[-1]["content"].startswith("**946** [")
    assert ">946</mark>" in evidence
    assert "A &lt;b&gt;title&lt;/b&gt;" in evidence
    assert history_of(exchanges) == [{"question": "How many fled?", "answer": "946"}]
    assert box == ""


def test_follow_up_gets_the_earlier_turns_oldest_first() -> None:
    seen = []

    def ask(question: str, history: list[Turn], among: Selection | None) -> Reply:
        seen.append(history)
        return toy_ask(question, history, among)

    exchanges = list(responder(ask)("Why?", (EARLIER,)))[-1][2]
    list(responder(ask)("And when?", exchanges))
    first, second = {"question": "How many fled?", "answer": "946"}, {"question": "Why?", "answer": ""}
    assert seen == [[first], [first, second]]


def test_no_answer_says_so_in_words() -> None:
    messages, evidence, _, _ = shown("Why?")
    assert "I could not find an answer" in messages[-1]["content"]
    assert "none of them holds an answer" in evidence


def test_refused_question_is_explained_kept_in_the_box_and_not_in_the_history() -> None:
    messages, evidence, exchanges, box = shown("  ", EARLIER)
    assert messages[-1]["content"] == "type a &#60;question&#62; first"
    assert (evidence, exchanges, box) == (PANEL_ERROR, (EARLIER,), "  ")


def test_crash_is_one_line_without_its_details(caplog: pytest.LogCaptureFixture) -> None:
    messages, evidence, exchanges, _ = shown("break", EARLIER)
    assert messages[-1]["content"].startswith("Something went wrong")
    assert "secret" not in str(messages) + evidence
    assert "secret" in caplog.text
    assert exchanges == (EARLIER,)


def test_long_question_is_repeated_only_in_part() -> None:
    messages, _, _, _ = shown("x" * 10_000)
    assert messages[0]["content"] == "x" * ECHO + " …"


def test_clicking_an_earlier_message_shows_its_evidence_again() -> None:
    exchanges = (EARLIER, Exchange("Why?", "", "no", "<p>no</p>"))
    assert [evidence_of(exchanges, SimpleNamespace(index=index)) for index in (1, 2)] == ["<p>946</p>", "<p>no</p>"]
    assert evidence_of(exchanges, SimpleNamespace(index=4)) == PANEL_ERROR  # a refused question has none


def test_page_loads_nothing_from_elsewhere(client: TestClient) -> None:
    page = client.get("/").text
    assert re.findall(r"""(?:src|href)\s*=\s*["']((?:https?:)?//(?!127\.0\.0\.1)[^"']*)""", page) == []
    assert "<script>a.txt" not in page


def test_every_response_has_the_security_headers(client: TestClient) -> None:
    for path in ("/", "/config", "/no-such-page"):
        headers = client.get(path).headers
        assert "'unsafe-inline'" not in headers["content-security-policy"].split("style-src")[0]
        assert headers["x-content-type-options"] == "nosniff"


def test_other_hosts_origins_and_uploads_are_refused(client: TestClient) -> None:
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
    assert "access-control-allow-origin" not in client.get("/config", headers={"origin": "http://evil.example"}).headers
    assert client.post("/gradio_api/upload", files={"files": b"x"}).status_code == 403


def test_page_keeps_quiet(client: TestClient) -> None:
    config = client.get("/config").json()
    assert (config["analytics_enabled"], config["footer_links"]) == (False, [])
    assert client.get("/monitoring").status_code == 403


def test_taken_or_impossible_port_is_one_clear_line(page: gr.Blocks) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"^cannot listen on 127.0.0.1:{port}: Address already in use.* choose.*$"):
            serve(page, port=port)
    with pytest.raises(ValueError, match="0 to 65535, got 70000"):
        serve(page, port=70000)


def test_import_qa_does_not_import_gradio() -> None:
    code = "import sys, qa, qa.citation; sys.exit('gradio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_colours_have_enough_contrast_in_both_modes() -> None:
    css = (Path(__file__).parent.parent / "qa" / "chat.css").read_text(encoding="utf-8")
    for block in re.findall(r"(?::root|\.dark) \{(.*?)\}", css, flags=re.DOTALL):
        colour = dict(re.findall(r"--qw-([a-z-]+): #([0-9a-f]{6})", block))
        for ink, ground in [("ink", "paper"), ("soft", "paper"), ("link", "paper"), ("mark-ink", "mark")]:
            assert contrast(colour[ink], colour[ground]) >= 4.5, (ink, ground)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours. Source: WCAG 2.2, relative luminance."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_what_narrows_the_search_is_passed_on_and_a_bad_date_refused_in_one_line() -> None:
    asked: list[Selection | None] = []

    def ask(question: str, history: list[Turn], among: Selection | None) -> Reply:
        asked.append(among)
        return toy_ask(question, history, among)

    list(responder(ask)("How many fled?", (), " reports/*, *.pdf ,", "2014", ""))
    list(responder(ask)("How many fled?", (), "", " ", ""))
    list(responder(ask)("How many fled?", (), None, None, None))  # boxes that were never unfolded
    assert asked == [Selection(("reports/*", "*.pdf"), "2014", ""), None, None]
    messages, evidence, _, box = list(responder(ask)("How many fled?", (), "", "last year", ""))[-1]
    assert "expected a day" in messages[-1]["content"]
    assert (evidence, box, len(asked)) == (PANEL_ERROR, "How many fled?", 3)
