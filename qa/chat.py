"""The page in the browser: a function from question to Reply becomes a chat beside its evidence.

Knows nothing of indexes and models. All text on the page passes through citation.py.
"""

import atexit
import logging
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import gradio as gr
import uvicorn
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.datastructures import MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .citation import escape_html, escape_markdown, to_html, to_markdown
from .datatypes import Reply
from .documents import Selection
from .followup import Turn

Ask = Callable[[str, list[Turn], Selection | None], Reply]
Exchanges = tuple["Exchange", ...]
Update = tuple[list[dict[str, str]], str, Exchanges, str]  # chat, evidence, exchanges, question box

logger = logging.getLogger(__name__)

LOOPBACK = ("127.0.0.1", "localhost", "::1")
ECHO = 300  # characters of a question repeated in the chat
BUBBLE_WAIT = "Reading …"
PANEL_WAIT = '<p class="qw-note">Reading the documents …</p>'
PANEL_START = '<p class="qw-note">Ask a question. Every answer is a quote, shown here with its file and its place.</p>'
PANEL_ERROR = '<p class="qw-note">Nothing to show for this question.</p>'
NARROW = (  # what narrows the search: label, placeholder, share of the row
    ("Only in documents like", "like reports/*, *.pdf", 2),
    ("Dated since", "since 2014", 1),
    ("Dated until", "until 2014-12", 1),
)
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; frame-src 'none'; object-src 'none'; form-action 'self'; "
    "base-uri 'self'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True)
class Exchange:
    """A question that got a reply, as history needs it and as the page shows it."""

    question: str
    answer: str  # "" for no answer
    bubble: str  # Markdown
    evidence: str  # HTML


def build_page(ask: Ask, *, documents: Sequence[str], examples: Sequence[str]) -> gr.Blocks:
    """Return the page. `documents` are the names it says it searches; `examples` are questions to click.

    `ask` gets the question, the turns before it, and which documents may answer. It raises ValueError, with one line
    for the reader, to refuse a question; the page shows that line. Any other exception is logged, and the page says
    only that it happened.
    """
    folder = os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="quotewise-")  # mode 0700
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    with gr.Blocks(title="Quotewise", analytics_enabled=False, fill_width=True, delete_cache=(3600, 3600)) as page:
        exchanges = gr.State(())
        gr.HTML(_masthead(documents), apply_default_css=False, elem_id="qw-masthead")
        with gr.Row(elem_id="qw-columns"):
            with gr.Column(elem_id="qw-chat", min_width=0):
                with gr.Row(elem_id="qw-head"):
                    gr.HTML("<h2>Questions</h2>", apply_default_css=False)
                    clear = gr.Button("New conversation", size="sm", min_width=0, elem_id="qw-clear")
                chat = gr.Chatbot(
                    show_label=False,
                    container=False,
                    height=None,
                    buttons=[],
                    latex_delimiters=[],
                    allow_tags=False,
                    group_consecutive_messages=False,
                    placeholder="Ask in your own words. The answer is a quote from the documents, or a plain no.",
                    elem_id="qw-log",
                )
                with gr.Row(elem_id="qw-ask"):
                    box = gr.Textbox(
                        label="Question",
                        placeholder="Your question",
                        lines=1,
                        max_lines=6,
                        autofocus=True,
                        container=False,
                        scale=1,
                        min_width=0,
                    )
                    send = gr.Button("Ask", variant="primary", scale=0, min_width=0)
                with (
                    gr.Accordion("Only in some documents", open=False, elem_id="qw-narrow"),
                    gr.Row(elem_id="qw-among"),
                ):
                    among = [
                        gr.Textbox(
                            label=label,
                            placeholder=placeholder,
                            lines=1,
                            max_lines=1,
                            container=False,
                            scale=scale,
                            min_width=0,
                        )
                        for label, placeholder, scale in NARROW
                    ]
                with gr.Row(elem_id="qw-examples"):
                    example_buttons = [gr.Button(text, size="sm", min_width=0) for text in examples]
            with gr.Column(elem_id="qw-side", min_width=0):
                gr.HTML("<h2>Evidence</h2>", apply_default_css=False)
                evidence = gr.HTML(PANEL_START, apply_default_css=False, elem_id="qw-evidence")

        respond = responder(ask)
        shown = [chat, evidence, exchanges, box]
        options: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        gr.on([box.submit, send.click], respond, [box, exchanges, *among], shown, concurrency_id="ask", **options)
        for button in example_buttons:
            button.click(respond, [button, exchanges, *among], shown, concurrency_id="ask", **options)
        clear.click(lambda: ([], PANEL_START, (), ""), None, shown, queue=False, **options)
        chat.select(evidence_of, [exchanges], [evidence], queue=False, **options)
    return page


def responder(ask: Ask) -> Callable[..., Iterator[Update]]:
    """Return the page's handler: it shows the question at once, then the reply or one line about what went wrong."""

    def respond(
        question: str, exchanges: Exchanges, only: str | None = "", since: str | None = "", until: str | None = ""
    ) -> Iterator[Update]:
        before = [message for past in exchanges for message in _messages(past.question, past.bubble)]
        yield before + _messages(question, BUBBLE_WAIT), PANEL_WAIT, exchanges, ""
        try:
            # subtle: boxes that are folded away give None
            patterns = tuple(pattern for pattern in map(str.strip, (only or "").split(",")) if pattern)
            among = Selection(patterns, (since or "").strip(), (until or "").strip())
            reply = ask(question, history_of(exchanges), among if among != Selection() else None)
        except ValueError as error:
            yield before + _messages(question, escape_markdown(str(error))), PANEL_ERROR, exchanges, question
        except Exception as error:  # the reader gets one line whatever breaks; the log gets the rest
            logger.exception("a question could not be answered")
            message = f"Something went wrong while answering ({type(error).__name__}). The program's log says more."
            yield before + _messages(question, message), PANEL_ERROR, exchanges, question
        else:
            exchange = Exchange(question, reply.answer.text if reply.answer else "", to_markdown(reply), to_html(reply))
            yield before + _messages(question, exchange.bubble), exchange.evidence, (*exchanges, exchange), ""

    return respond


def history_of(exchanges: Exchanges) -> list[Turn]:
    """Return the exchanges as the turns that `ask` takes, oldest first."""
    return [{"question": past.question, "answer": past.answer} for past in exchanges]


def evidence_of(exchanges: Exchanges, event: gr.SelectData) -> str:
    """Return the evidence of the exchange that was clicked, so that its numbers have their cards again."""
    clicked = event.index // 2  # two messages an exchange
    return exchanges[clicked].evidence if clicked < len(exchanges) else PANEL_ERROR


def build_app(page: gr.Blocks, *, hosts: Sequence[str] = LOOPBACK) -> FastAPI:
    """Return the web application: the page behind checks of host and origin, with no uploads and a strict CSP.

    `hosts` are the names it answers to; a request for another name is refused.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(CORSMiddleware, allow_origins=[], allow_credentials=False)  # with it, Gradio adds no CORS
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=[f"[{h}]" if ":" in h else h for h in hosts])
    app.add_middleware(_Guard)
    page.queue(max_size=64, default_concurrency_limit=1)
    css = (files(__package__) / "chat.css").read_text(encoding="utf-8")
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        theme=gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        head=f"<style>{css}</style>",  # subtle: Gradio rewrites the selectors of css=
        js=SCRIPT,
        show_error=False,
        enable_monitoring=False,
        run_history=False,
        footer_links=[],
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
    )
    return app


def serve(page: gr.Blocks, *, host: str = "127.0.0.1", port: int = 7860) -> None:
    """Serve the page until interrupted. Raises OSError or ValueError, in one line, when it cannot listen there."""
    if not 0 <= port <= 65535:
        raise ValueError(f"a port is a number from 0 to 65535, got {port}")
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror}; choose another --port or --host") from error
    name = host if host not in ("0.0.0.0", "::") else socket.gethostname()
    if host not in LOOPBACK:
        logger.warning("listening beyond this machine, without a password: anyone who can reach it can read answers")
    address = f"[{name}]" if ":" in name else name
    sys.stderr.write(f"Quotewise is at http://{address}:{listening.getsockname()[1]} (Ctrl+C stops it)\n")
    app = build_app(page, hosts=[*LOOPBACK, name])
    config = uvicorn.Config(app, log_level="warning", ws="none", proxy_headers=False, timeout_graceful_shutdown=2)
    with listening, suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listening])


class _Guard:
    """Refuse uploads, which the page never makes, and put the security headers on every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        uploads = scope["path"].rstrip("/").endswith("/upload")
        app = PlainTextResponse("this page takes no uploads", status_code=403) if uploads else self.app
        return await app(scope, receive, send_with_headers)


def _messages(question: str, bubble: str) -> list[dict[str, str]]:
    """Return the two messages of an exchange: the question, escaped and cut to ECHO characters, and the bubble."""
    echo = question if len(question) <= ECHO else question[:ECHO] + " …"
    return [
        {"role": "user", "content": escape_markdown(echo) or "…"},
        {"role": "assistant", "content": bubble},
    ]


def _masthead(documents: Sequence[str]) -> str:
    """Return the head of the page: its name, what it does, and which documents it searches."""
    names = "".join(f'<li dir="auto">{escape_html(name)}</li>' for name in documents)
    count = "1 document" if len(documents) == 1 else f"{len(documents)} documents"
    return (
        "<header><h1>Quotewise</h1><p>Answers in the documents’ own words</p>"
        f"<details><summary>Searching {count}</summary><ol>{names}</ol></details></header>"
    )


SCRIPT = """() => {
  document.documentElement.lang = "en";
  if (!navigator.clipboard) document.documentElement.classList.add("qw-no-copy");  // not over plain http
  const unname = () => document.querySelectorAll("#qw-log [data-testid][aria-label]")
    .forEach(message => message.removeAttribute("aria-label"));  // Gradio reads out the Markdown source
  new MutationObserver(unname).observe(document.body, {childList: true, subtree: true});
  let cameFrom = null;
  const show = (id, tries) => {
    const mark = document.getElementById(id);
    if (!mark) { if (tries) setTimeout(show, 100, id, tries - 1); return; }
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    mark.scrollIntoView({block: "center", behavior: calm ? "auto" : "smooth"});
    mark.focus({preventScroll: true});
  };
  document.addEventListener("click", event => {
    const link = event.target.closest('a[href^="#quote-"]');
    if (link) { event.preventDefault(); cameFrom = link; show(link.getAttribute("href").slice(1), 20); }
    const copy = event.target.closest("button[data-copy]");
    if (copy) navigator.clipboard.writeText(copy.dataset.copy).then(() => { copy.textContent = "Copied"; });
  });
  document.addEventListener("keydown", event => {
    if (event.key === "Escape" && cameFrom && document.activeElement.matches("mark")) cameFrom.focus();
  });
}"""
