"""A Reply as people read it: HTML for the evidence panel, Markdown for the chat, text for the terminal.

The only place that escapes. Whatever a document, a file name or a question holds, it shows as characters and never
acts as markup. Numbers [1], [2] ... run through all citations of a reply and are the same in all three forms.
"""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from textwrap import fill

from qa.datatypes import Answer, Citation, NoAnswer, Reason, Reply, Span

SIDE = 300  # characters of a sentence shown on either side of the quote
WIDTH = 100  # columns of the terminal form
REASONS: dict[Reason, str] = {
    "question_not_understood": "The question could not be understood. Please ask it as one full sentence.",
    "filtered_out": "None of the documents is among those that may answer.",
    "nothing_retrieved": "No passage of the documents comes near the question.",
    "no_span": "The nearest passages were looked at, and none of them holds an answer.",
    "below_threshold": "The best candidate was too unsure to be shown as an answer.",
}
NOT_FOUND = "I could not find an answer in these documents."
DISAGREE = "The documents disagree."
NEAREST = "Nearest passages (not answers)"
WORDS = (("very likely", 0.85), ("likely", 0.6), ("unsure", 0.0))  # and the confidence each needs
_MARKUP = re.compile(r"[!-/:-@\[-`{-~\t\n\r]|\A | \Z")
_BLANKS = re.compile(r"[\s\x1c-\x1f\x85\u2028\u2029]+")
_UNSAFE_IN_TERMINAL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def escape_html(text: str) -> str:
    """Return text for HTML, between tags or in a quoted attribute; html.unescape gives it back exactly."""
    return html.escape(_encodable(text), quote=True).replace("\r", "&#13;")  # a bare \r would be read as \n


def escape_markdown(text: str) -> str:
    """Return text for Markdown: every character that could mean something becomes an entity, newlines too."""
    return _MARKUP.sub(lambda match: f"&#{ord(match[0])};", _encodable(text))


def escape_terminal(text: str) -> str:
    r"""Return text on one line without control characters: "\x1b[2J" -> "\\x1b[2J" in visible characters."""
    one_line = _BLANKS.sub(" ", _encodable(text))
    return _UNSAFE_IN_TERMINAL.sub(lambda match: match[0].encode("unicode_escape").decode(), one_line)


def to_html(reply: Reply) -> str:
    """Return the evidence panel: a card for each citation, or the reason for no answer and the nearest passages."""
    parts = [f'<p class="qw-asked" dir="auto">{escape_html(reply.question)}</p>']
    if reply.resolved_question != reply.question:
        resolved = escape_html(reply.resolved_question)
        parts.append(f'<p class="qw-note">Understood as: <span dir="auto">{resolved}</span></p>')
    if reply.status == "conflicting":
        parts.append(f'<p class="qw-verdict">{DISAGREE} Each side is quoted below.</p>')
    for answer, numbered in _numbered(reply.answers):
        note = f'<span class="qw-confidence">{confidence_words(answer)}</span>'
        parts.append(f'<h3 class="qw-answer"><span dir="auto">{escape_html(answer.text)}</span> {note}</h3>')
        if note := _note(answer):
            parts.append(f'<p class="qw-note">{escape_html(note)}</p>')
        parts.extend(_card(citation, number) for number, citation in numbered)
    if reply.no_answer is not None:
        parts.append(f'<p class="qw-verdict">{NOT_FOUND}</p><p class="qw-note">{reason_sentence(reply.no_answer)}</p>')
        if reply.no_answer.near_misses:
            parts.append(f'<h3 class="qw-near">{NEAREST}</h3>')
            parts.extend(map(_near_miss, reply.no_answer.near_misses))
    return "\n".join(parts)


def to_markdown(reply: Reply) -> str:
    """Return the chat bubble: the answer line, its quote in its sentence, and the source. Numbers link to the cards."""
    if reply.no_answer is not None:
        lines = [f"**{NOT_FOUND}**", reason_sentence(reply.no_answer)]
        if reply.no_answer.near_misses:
            lines.append("The nearest passages are shown as evidence. They are not answers.")
        return "\n\n".join(lines)
    blocks = [f"**{DISAGREE}**"] if reply.status == "conflicting" else []
    for answer, numbered in _numbered(reply.answers):
        links = " ".join(f"[&#91;{number}&#93;](#{mark_id(citation)})" for number, citation in numbered)
        before, quote, after = _around(numbered[0][1], escape_markdown)
        blocks.append(f"**{escape_markdown(answer.text)}** {links} · {confidence_words(answer)}")
        blocks.append(f"> {before}<mark>{quote}</mark>{after}")
        blocks.append(f"{escape_markdown(_title(numbered[0][1]))}, {_place(numbered[0][1], numbered[0][1].span)}")
        if note := _note(answer):
            blocks[-1] += f" · {escape_markdown(note)}"
    return "\n\n".join(blocks)


def to_text(reply: Reply) -> str:
    """Return the terminal form; the answer stands between » and « in its sentence."""
    lines = []
    if reply.resolved_question != reply.question:
        lines += [f"Understood as: {escape_terminal(reply.resolved_question)}", ""]
    if reply.status == "conflicting":
        lines += [DISAGREE, ""]
    for answer, numbered in _numbered(reply.answers):
        note = escape_terminal(_note(answer))
        lines.append(f"{escape_terminal(answer.text)}  ({confidence_words(answer)}{'; ' + note if note else ''})")
        for number, citation in numbered:
            before, quote, after = _around(citation, escape_terminal)
            lines += ["", *_entry(f"[{number}] ", citation, f"{before}»{quote}«{after}", citation.span)]
        lines.append("")
    if reply.no_answer is not None:
        lines += [NOT_FOUND, reason_sentence(reply.no_answer), ""]
        if reply.no_answer.near_misses:
            lines.append(f"{NEAREST}:")
        for citation in reply.no_answer.near_misses:
            sentence = "".join(_around(citation, escape_terminal))
            lines += ["", *_entry("  - ", citation, sentence, citation.sentence)]
    return "\n".join(lines).rstrip("\n") + "\n"


def confidence_words(answer: Answer) -> str:
    """Return how sure the answer is: a word with the calibrated percentage, or the raw score named as such."""
    if answer.confidence is None:
        return f"uncalibrated score {answer.score:.1f}"
    word = next(word for word, at_least in WORDS if answer.confidence >= at_least)
    return f"{word}, {int(answer.confidence * 100 + 1e-9)}%"  # rounded down: 84.9% is not yet "very likely, 85%"


def reason_sentence(no_answer: NoAnswer) -> str:
    """Return in plain words why there is no answer, with the numbers where there are any."""
    sentence = REASONS[no_answer.reason]
    if no_answer.reason == "below_threshold" and no_answer.best is not None and no_answer.threshold is not None:
        sentence += f" Its plausibility is {no_answer.best:.2f}; an answer needs {no_answer.threshold:.2f}."
    return sentence


def mark_id(citation: Citation) -> str:
    """Return the id of the citation's mark, made from its place, so that a link can never point to another quote."""
    place = f"{_encodable(citation.document.document_id)}\0{citation.span.start}\0{citation.span.end}"
    return f"quote-{sha256(place.encode()).hexdigest()[:12]}"


def _numbered(answers: Sequence[Answer]) -> Iterator[tuple[Answer, list[tuple[int, Citation]]]]:
    """Yield each answer with its citations, numbered from 1 through the whole reply."""
    first = 1
    for answer in answers:
        yield answer, list(enumerate(answer.citations, first))
        first += len(answer.citations)


def _card(citation: Citation, number: int) -> str:
    """Return the HTML card of one citation, its quote marked; the copied text is the server's, exact."""
    before, quote, after = _around(citation, escape_html)
    place = f"{citation.document.document_id}, {_place(citation, citation.span)}"
    source = f"{citation.document.title}; {place}" if citation.document.title else place
    copied = escape_html(f"“{citation.context}” ({source})")
    return (
        '<article class="qw-card">\n'
        f'<h4><span class="qw-number">{number}</span> <cite dir="auto">{escape_html(_title(citation))}</cite></h4>\n'
        f'<blockquote dir="auto">{before}<mark id="{mark_id(citation)}" tabindex="-1">{quote}</mark>{after}'
        f'</blockquote>\n<p class="qw-place" dir="auto">{escape_html(place)}</p>\n'
        f'<button type="button" class="qw-copy" data-copy="{copied}">Copy with source</button>\n</article>'
    )


def _near_miss(citation: Citation) -> str:
    """Return the HTML card of a passage that is not an answer: no number, no mark."""
    place = f"{citation.document.document_id}, {_place(citation, citation.sentence)}"
    return (
        f'<article class="qw-card qw-miss">\n<h4><cite dir="auto">{escape_html(_title(citation))}</cite></h4>\n'
        f'<blockquote dir="auto">{"".join(_around(citation, escape_html))}</blockquote>\n'
        f'<p class="qw-place" dir="auto">{escape_html(place)}</p>\n</article>'
    )


def _entry(bullet: str, citation: Citation, sentence: str, span: Span) -> list[str]:
    """Return the terminal lines of one citation: title, sentence, place."""
    indent = " " * 4
    return [
        f"{bullet}{escape_terminal(_title(citation))}",
        fill(sentence, WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False),
        f"{indent}{escape_terminal(citation.document.document_id)}, {_place(citation, span)}",
    ]


def _around(citation: Citation, escape: Callable[[str], str]) -> tuple[str, str, str]:
    """Return the escaped sentence as (before, quote, after), both sides cut to SIDE characters."""
    at = citation.span.start - citation.sentence.start
    before, after = citation.context[:at], citation.context[at + len(citation.quote) :]
    shown_before = before if len(before) <= SIDE else "… " + before[-SIDE:]
    shown_after = after if len(after) <= SIDE else after[:SIDE] + " …"
    return escape(shown_before), escape(citation.quote), escape(shown_after)


def _note(answer: Answer) -> str:
    """Return how many documents give this answer, if several, and as of when it holds, if that is known; or ""."""
    notes = []
    count = len({citation.document.document_id for citation in answer.citations})
    if count > 1:
        copies = count - answer.voices
        notes.append(f"{count} documents agree" + (f", {copies} in the same words as another" if copies else ""))
    if answer.as_of:
        relative = " (when it was written)" if answer.as_of.relative else ""
        notes.append(f"its time: {answer.as_of.text}{relative}")
    return "; ".join(notes)


def _title(citation: Citation) -> str:
    """Return the document's title, or its file name when it has none."""
    return citation.document.title or citation.document.document_id


def _place(citation: Citation, span: Span) -> str:
    """Return a place in the citation's document, half-open, with its page where there are pages."""
    page = citation.document.page(span.start)
    outdated = "; the file has changed since" if citation.outdated else ""
    return f"{f'page {page}, ' if page is not None else ''}characters {span.start}–{span.end}{outdated}"


def _encodable(text: str) -> str:
    """Return text that UTF-8 can carry: a lone surrogate, as in an undecodable file name, becomes "?"."""
    return text.encode("utf-8", "replace").decode("utf-8")
