"""The page in Chromium, with a toy `ask`. Set QUOTEWISE_SCREENSHOTS to a folder to keep pictures.

Without playwright or Chromium these tests are skipped; where QUOTEWISE_BROWSER_REQUIRED is set, as in `.ci/run`, they
fail.
"""

import asyncio
import os
import shutil
import socket
import threading
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from qa.chat import NARROW, build_app, build_page
from qa.datatypes import Answer, Citation, Document, Manifest, NoAnswer, Reply, Span
from qa.documents import Selection
from qa.followup import Turn

REQUIRED = "QUOTEWISE_BROWSER_REQUIRED" in os.environ
sync_api = (import_module if REQUIRED else pytest.importorskip)("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NONE = CHROMIUM is None and not REQUIRED
pytestmark = [pytest.mark.browser, pytest.mark.skipif(NONE, reason="no Chromium on PATH")]

PATIENCE = 60_000  # milliseconds; a busy machine is slow, not broken
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SEED = Document(
    "001.txt",
    "Anti-graft agency hunts 946 fugitives\r\n\r\n"
    "China's top graft buster said that 946 corrupt fugitives are still at large; the whereabouts of 365 are known.",
    "Anti-graft agency hunts 946 fugitives",
    "0",
    "utf-8",
)
OTHER = Document("002.txt", "Only 940 of them are still at large, the agency said.", "Fewer at large", "1", "utf-8")
PAYLOADS = [
    "<img src=x onerror=\"alert('img')\">",
    "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "</textarea></mark><script>alert('script')</script>",
    '<img src="http://evil.example/pixel.png">',
    "![pixel](http://evil.example/pixel.png)",
    '<form action="http://evil.example"><input name="password"><button>Log in</button></form>',
    '<div style="position:fixed;inset:0;z-index:9999;background:red">gone</div><style>body{display:none}</style>',
    '[click](javascript:alert(1)) <a href="javascript:alert(1)">click</a>',
    "<svg onload=alert('svg')><p>",
    "${alert('template')} {{alert(1)}} $$\\href{javascript:alert(1)}{x}$$",
]


def cite(document: Document, quote: str) -> Citation:
    """Point at the last place of a quote; the sentence is the paragraph around it."""
    start = document.text.rindex(quote)
    first = document.text.rfind("\n", 0, start) + 1
    return Citation(document, Span(start, start + len(quote)), Span(first, len(document.text)))


def toy_ask(question: str, history: list[Turn], among: Selection | None) -> Reply:
    """Answer 946, or 365 when there is history, or 946 and 940 where the documents disagree.

    Quote a payload from a document that has it everywhere; find no document when the search is narrowed; else refuse.
    """
    if not question.strip():
        raise ValueError("the question is empty; type one")
    quoted: tuple[Citation, ...] = ()
    no_answer = None
    if among is not None:
        no_answer = NoAnswer("filtered_out", None, None)
    elif question in PAYLOADS:
        quoted = (cite(Document(f"{question}.txt", f"Before {question} after", question, "0", "utf-8"), question),)
    elif "disagree" in question:
        quoted = (cite(SEED, "946"), cite(OTHER, "940"))
    elif "at large" in question:
        quoted = (cite(SEED, "365" if history else "946"),)
    else:
        no_answer = NoAnswer("below_threshold", 0.41, 0.22, (cite(SEED, "top graft buster"),))
    answers = tuple(Answer(citation.quote, 7.4, 0.93, (citation,)) for citation in quoted)
    status = ("no_answer", "answered", "conflicting")[len(answers)]
    return Reply(question, question, status, answers, no_answer, Manifest("", "", "", ""), {})


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Serve the page from a thread and yield its address."""
    servers: list[uvicorn.Server] = []
    ready = threading.Event()

    async def serve(listening: socket.socket) -> None:
        documents = ["001.txt", "002.txt", *PAYLOADS]
        page = build_page(toy_ask, documents=documents, examples=["How many are still at large?"])
        config = uvicorn.Config(build_app(page), log_level="warning", ws="none", timeout_graceful_shutdown=1)
        servers.append(uvicorn.Server(config))
        ready.set()
        await servers[0].serve(sockets=[listening])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: asyncio.run(serve(listening)), daemon=True)
        thread.start()
        assert ready.wait(PATIENCE / 1000)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
        servers[0].should_exit = True
        thread.join(PATIENCE / 1000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


class Visit:
    """An open page that notes every dialog, error and request outside its origin."""

    def __init__(self, browser: Any, url: str, *, width: int = 1280, scheme: str = "light") -> None:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.set_default_timeout(PATIENCE)
        self.page = context.new_page()
        self.incidents: list[str] = []
        self.page.on("dialog", lambda dialog: (self.incidents.append(dialog.message), dialog.dismiss()))
        self.page.on("pageerror", lambda error: self.incidents.append(str(error)))
        self.page.on("request", lambda request: self._note(request.url, url))
        self.page.goto(url, wait_until="domcontentloaded", timeout=PATIENCE)
        self.page.wait_for_selector("textarea")

    def _note(self, requested: str, url: str) -> None:
        if not requested.startswith((url, "data:", "blob:")):
            self.incidents.append(requested)

    def ask(self, question: str) -> None:
        """Type a question, press Enter and wait for its evidence."""
        self.page.locator("textarea").fill(question)
        self.page.keyboard.press("Enter")
        self.wait_for_evidence(question)

    def wait_for_evidence(self, question: str) -> None:
        """Wait until the panel shows the evidence of a question."""
        self.page.wait_for_function(
            "q => document.querySelector('#qw-evidence .qw-asked')?.textContent === q", arg=question
        )

    def focused(self) -> str:
        """Return the text of the element that has the focus."""
        return str(self.page.evaluate("document.activeElement.textContent"))

    def picture(self, name: str) -> None:
        """Keep a screenshot if the environment asks for them."""
        if folder := os.environ.get("QUOTEWISE_SCREENSHOTS"):
            self.page.wait_for_timeout(500)
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.fixture
def visit(browser: Any, url: str) -> Iterator[Visit]:
    visit = Visit(browser, url)
    yield visit
    visit.page.context.close()
    assert visit.incidents == []


def test_answer_is_marked_in_its_sentence_and_can_be_copied(visit: Visit) -> None:
    visit.ask("How many are still at large?")
    assert visit.page.locator("#qw-evidence mark").all_text_contents() == ["946"]
    assert visit.page.locator("#qw-log mark").all_text_contents() == ["946"]
    assert "001.txt, characters 76–79" in visit.page.locator("#qw-evidence").inner_text()
    visit.picture("answer-light-1280")
    visit.page.locator(".qw-copy").click()
    visit.page.wait_for_function("document.querySelector('.qw-copy').textContent === 'Copied'")
    sentence = SEED.text.split("\r\n\r\n")[1]
    copied = f"“{sentence}” (Anti-graft agency hunts 946 fugitives; 001.txt, characters 76–79)"
    assert visit.page.evaluate("navigator.clipboard.readText()") == copied


def test_number_of_an_earlier_answer_brings_its_evidence_back(visit: Visit) -> None:
    visit.ask("How many are still at large?")
    visit.ask("And how many at large are known?")
    assert visit.page.locator("#qw-evidence mark").all_text_contents() == ["365"]
    visit.page.locator("#qw-log a").first.click()
    visit.page.wait_for_function("document.activeElement.matches('#qw-evidence mark')")
    assert visit.focused() == "946"


def test_example_is_asked_by_a_click(visit: Visit) -> None:
    visit.page.locator("#qw-examples button").click()
    visit.wait_for_evidence("How many are still at large?")
    assert visit.page.locator("#qw-log .user .prose").last.text_content().strip() == "How many are still at large?"
    assert visit.page.locator("#qw-evidence mark").all_text_contents() == ["946"]
    assert visit.page.locator("textarea").input_value() == ""


def test_disagreement_marks_each_side_and_its_number_leads_there(visit: Visit) -> None:
    visit.ask("Where do they disagree?")
    for place in ("#qw-evidence", "#qw-log"):
        assert "The documents disagree." in visit.page.locator(place).inner_text()
        assert visit.page.locator(f"{place} mark").all_text_contents() == ["946", "940"]
    assert [cited.strip() for cited in visit.page.locator("#qw-log a").all_text_contents()] == ["[1]", "[2]"]
    visit.page.locator("#qw-log a").last.click()
    visit.page.wait_for_function("document.activeElement.matches('#qw-evidence mark')")
    assert visit.focused() == "940"
    visit.picture("disagreement-light-1280")


def test_long_evidence_scrolls_and_leaves_the_question_box_in_sight(visit: Visit) -> None:
    visit.page.set_viewport_size({"width": 1280, "height": 520})
    visit.ask(PAYLOADS[6])
    box, panel = (visit.page.locator(part).bounding_box() for part in ("textarea", "#qw-evidence"))
    assert panel["y"] + panel["height"] > 520
    assert box["y"] + box["height"] <= 520


def test_no_answer_shows_why_and_the_nearest_passage_unmarked(visit: Visit) -> None:
    visit.ask("What is the capital of Peru?")
    evidence = visit.page.locator("#qw-evidence").inner_text()
    assert "I could not find an answer" in evidence
    assert "Nearest passages (not answers)" in evidence
    assert visit.page.locator("mark").count() == 0
    visit.picture("no-answer-light-1280")


def test_empty_question_is_refused_in_words(visit: Visit) -> None:
    visit.page.keyboard.press("Enter")
    visit.page.get_by_text("the question is empty; type one").wait_for()


def test_markup_in_text_name_title_and_question_is_inert(visit: Visit) -> None:
    for payload in PAYLOADS:
        visit.ask(payload)
        assert visit.page.locator("#qw-evidence mark").text_content() == payload
        assert visit.page.locator("#qw-evidence cite").text_content() == payload
        assert visit.page.locator("#qw-log .user .prose").last.text_content().strip() == payload
        assert visit.page.locator("#qw-log .bot mark").last.text_content() == payload
    made = "img, iframe, script, form, input, svg, style, [style*=fixed], a:not([href^='#quote-']), .katex"
    for place in ("#qw-evidence .prose, #qw-evidence article", "#qw-log .message-content", "#qw-masthead header"):
        assert visit.page.locator(place).locator(made).count() == 0
    visit.page.get_by_role("button", name="New conversation").click()  # nothing lies over it
    visit.page.wait_for_function("!document.querySelector('#qw-log mark')")
    assert visit.page.locator("#qw-evidence mark").count() == 0


def test_keyboard_alone_asks_reaches_the_quote_and_returns(visit: Visit) -> None:
    visit.page.wait_for_function("document.activeElement.matches('textarea')")
    visit.page.keyboard.type("How many are still at large?")
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_selector("#qw-evidence mark")
    for _ in range(10):
        if visit.focused() == "[1]":
            break
        visit.page.keyboard.press("Shift+Tab")
    assert visit.focused() == "[1]"
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_function("document.activeElement.matches('#qw-evidence mark')")
    visit.page.keyboard.press("Escape")
    assert visit.focused() == "[1]"


def test_page_has_a_heading_a_log_and_a_name_for_every_control(visit: Visit) -> None:
    visit.ask("How many are still at large?")
    assert visit.page.get_by_role("heading", level=1).all_text_contents() == ["Quotewise"]
    assert visit.page.get_by_role("log").count() == 1
    assert visit.page.get_by_role("textbox", name="Question").count() == 1
    names = "b => b.checkVisibility() && !(b.textContent.trim() || b.getAttribute('aria-label'))"
    assert visit.page.evaluate(f"[...document.querySelectorAll('button')].filter({names}).length") == 0
    assert visit.page.locator("#qw-log [data-testid][aria-label]").count() == 0
    assert visit.page.locator("footer").count() == 0


@pytest.mark.parametrize("width", [320, 375])
def test_narrow_page_has_no_sideways_scroll_and_evidence_below(browser: Any, url: str, width: int) -> None:
    visit = Visit(browser, url, width=width)
    visit.ask("How many are still at large?")
    visit.ask(PAYLOADS[5])
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
    log, evidence = (visit.page.locator(part).bounding_box() for part in ("#qw-log", "#qw-evidence"))
    assert evidence["y"] >= log["y"] + log["height"]
    visit.picture(f"narrow-light-{width}")
    visit.page.context.close()


def test_what_narrows_the_search_unfolds_within_a_narrow_page_and_is_heeded(browser: Any, url: str) -> None:
    visit = Visit(browser, url, width=375)
    boxes = [visit.page.get_by_role("textbox", name=label) for label, _, _ in NARROW]
    assert [box.count() for box in boxes] == [0, 0, 0]
    visit.page.get_by_role("button", name="Only in some documents").click()
    for box in boxes:
        box.wait_for()
        place = box.bounding_box()
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= 375
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 375
    visit.picture("narrowed-light-375")
    boxes[0].fill("reports/*")
    visit.ask("How many are still at large?")
    assert "None of the documents is among those that may answer." in visit.page.locator("#qw-evidence").inner_text()
    visit.page.context.close()


def test_dark_mode_is_dark(browser: Any, url: str) -> None:
    visit = Visit(browser, url, scheme="dark")
    visit.ask("How many are still at large?")
    paper, ink = visit.page.evaluate("(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))")
    assert (paper, ink) == ("rgb(23, 22, 20)", "rgb(236, 232, 223)")
    visit.picture("answer-dark-1280")
    visit.page.context.close()
