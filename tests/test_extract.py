"""What is read of each format, word for word, and what becomes of files that are broken, locked or built to harm."""

import io
import json
import os
import random
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from files import CRANES, FERRY, RELATIONS, XHTML, W, archive, docx, docx_of, drawn_pdf, epub, mail, odt, pdf
from hypothesis import event, given, settings
from strategies import texts, thorough

from qa.charset import UnreadableError
from qa.chunking import split_sentences
from qa.citation import to_html, to_markdown, to_text
from qa.confine import run_confined
from qa.datatypes import Answer, Citation, Document, Manifest, Reply, Span
from qa.documents import UnreadableDocumentError, read_document
from qa.extract import EXTRACTORS, UNREADABLE, Extracted, extract
from qa.markup import BLANKS

MUTANTS = int(os.environ.get("MUTANTS", "40"))  # of each format; 5,000 for a long run
LONG = (
    "The harbour has twelve cranes which were bought in 1998 from a company in Rotterdam, and each of them lifts forty "
    "tonnes when the weather is calm. Three of them can be moved along the quay whenever a large vessel arrives."
)


def reason(kind: str, data: bytes) -> str:
    with pytest.raises(UnreadableError) as caught:
        extract(kind, data)
    assert "\n" not in caught.value.detail
    return caught.value.reason


def html(body: str, head: str = "") -> str:
    return extract("html", f"<!doctype html><head>{head}</head><body>{body}</body>".encode()).text


# web pages


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("<p>One.<p>Two.", "One.\n\nTwo."),
        ("<div>One.</div>Two.<section>Three.</section>", "One.\n\nTwo.\n\nThree."),
        ("<p>a <b>bold</b><i>er</i>\n word </p>", "a bolder word"),
        ("One<br>two<br><br>three", "One\ntwo\n\nthree"),
        ("<ul><li>One<li>two<ul><li>three</ul></ul>", "One\n\ntwo\n\nthree"),
        ("a&nbsp;b &amp;lt; caf&eacute; &#8364; &#x1F600;", "a\xa0b &lt; café € 😀"),
        ("<pre>if a:\n    b\n</pre>c  d", "if a:\n    b\n\n\nc d"),
        ("a<script>alert('</p>')</script>b<style>p {}</style><template>x</template><noscript>y</noscript>", "ab"),
        ("<nav>Menu</nav><p>Text</p><select><option>x</select><button>Go</button>", "Text"),
        ("<p hidden>x</p>a<span hidden><b>y</b></span>b<!-- c --><?php d ?>", "ab"),
        ("<svg><title>x</title><text>y</text></svg><p>Text", "Text"),
        ("<details><summary>More</summary>Text</details><footer>Imprint</footer>", "More\n\nText\n\nImprint"),
        ("<p>unclosed <b>bold <p>next</i></b>", "unclosed bold\n\nnext"),
        ("plain words", "plain words"),
        ("<p dir=rtl>שלום\u200d e\u0301", "שלום\u200d e\u0301"),
        ("<h1>\u202eA</h1>", "\u202eA"),
    ],
)
def test_html_holds_what_a_reader_sees(body: str, text: str) -> None:
    assert html(body) == text


def test_html_tables_keep_their_rows_and_cells_apart() -> None:
    rows = "<tr><th>Name</th><th>Age</th></tr><tr><td><p>Ana</p></td><td>34</td><td></td></tr><tr><td><td> <td>5</tr>"
    assert html(f"Before<table><caption>Staff</caption>{rows}</table>after") == (
        "Before\n\nStaff\n\nName\tAge\n\nAna\t34\n\n5\n\nafter"
    )


def test_html_nested_tables_run_nothing_together() -> None:
    inner = "<table><tr><td>b</td><td>c</td></tr><tr><td>d</td></tr></table>"
    assert html(f"<table><tr><td>a</td><td>{inner}</td><td>e</td></tr></table>") == "a\tb\tc\n\nd\n\ne"


def test_html_title_and_date_are_what_the_page_states() -> None:
    head = "<title>Twelve \n Cranes</title><meta property='article:published_time' content='2026-11-22T08:00:00Z'>"
    page = extract("html", f"<head>{head}</head><p>{CRANES}".encode())
    assert (page.title, page.date, page.lost) == ("Twelve Cranes", "2026-11-22", "")
    assert extract("html", b"<meta name=date content=soon><p>Text").date is None


@pytest.mark.parametrize(
    ("data", "text", "form"),
    [
        ("<p>café".encode(), "café", "html in utf-8"),
        ("<meta charset=latin1><p>café".encode(), "café", "html in utf-8"),  # it says so and is not so
        ("<meta charset=iso-8859-1><p>“café”".encode("cp1252"), "“café”", "html in cp1252 (declared)"),
        ("<meta charset='windows-1251'><p>кран".encode("cp1251"), "кран", "html in cp1251 (declared)"),
        ("\ufeff<p>café".encode("utf-16"), "café", "html in utf-16"),
        (
            '<?xml version="1.0" encoding="iso-8859-1"?><html><p>café</p></html>'.encode("latin-1"),
            "café",
            "html in cp1252 (declared)",
        ),
    ],
)
def test_html_is_decoded_as_its_bytes_are(data: bytes, text: str, form: str) -> None:
    page = extract("html", data)
    assert (page.text.lstrip("\ufeff"), page.form) == (text, form)


def test_xhtml_has_empty_elements_and_entities() -> None:
    page = '<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "x.dtd">' + XHTML[21:]
    assert extract("html", page.format("<p>a&nbsp;b<script src='x'/></p><p>c</p>").encode()).text == "a\xa0b\n\nc"


def test_xhtml_with_entities_of_its_own_loses_nothing() -> None:
    page = '<?xml version="1.0"?><!DOCTYPE html [<!ENTITY x "y">]><html><p>a &x; b</p></html>'
    assert extract("html", page.encode()).text.endswith("a &x; b")


def test_html_with_odd_names_of_elements_is_read() -> None:
    assert html('<p>Write to <ana@example.org> <o:p>or</o:p> <a"b>call') == "Write to or call"


def test_html_too_deep_to_read_is_partial() -> None:
    page = extract("html", b"<p>Above.</p>" + b"<div>" * 50_000 + b"deep")
    assert (page.text, page.lost) == ("Above.", "what is nested over 2,048 elements deep")


@pytest.mark.parametrize("data", [b"<p> ", b"<script>x</script>"])
def test_html_without_text_has_none(data: bytes) -> None:
    assert extract("html", data).text == ""


@pytest.mark.parametrize("data", [b"", b"   ", b"<!-- c -->"])
def test_html_without_elements_has_no_text(data: bytes) -> None:
    assert reason("html", data) == "no_text"


@given(texts())
@settings(thorough, max_examples=thorough.max_examples // 4)
def test_markup_loses_no_word_of_any_text(text: str) -> None:
    text = UNREADABLE.sub("", text)
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace("\r", "&#13;")
    words = [word for word in BLANKS.split(text) if word]
    try:
        assert BLANKS.split(html(f"<p>{escaped}</p>")) == (words or [""])
    except UnreadableError as error:
        event(error.reason)
    assert extract("archive", odt(f"<text:p>{escaped}</text:p>")).text == " ".join(words)
    assert extract("archive", docx_of(f"<w:p>{run(escaped)}</w:p>")).text == text


# Word, OpenDocument, EPUB


def test_docx_is_read_in_order_with_tables_cell_by_cell() -> None:
    made = extract(
        "archive", docx(["One.", "Two."], [["Name", "Age"], ["Ana", "34 years\nold"], ["Ben", "a\n\nb"]], ["End."])
    )
    assert made == Extracted("One.\n\nTwo.\n\nName\tAge\n\nAna\t34 years\nold\n\nBen\ta\n\nb\n\nEnd.", "docx")


def run(text: str) -> str:
    return f"<w:r><w:t>{text}</w:t></w:r>"


def cell(content: str) -> str:
    return f"<w:tc>{content}</w:tc>"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (f"<w:p>{run('a')}<w:r><w:t xml:space='preserve'> b </w:t><w:tab/><w:t>c</w:t></w:r></w:p>", "a b \tc"),
        (f"<w:p><w:pPr><w:tabs><w:tab/></w:tabs></w:pPr>{run('a')}<w:r><w:br/></w:r>{run('b')}</w:p>", "a\nb"),
        (f"<w:p><w:ins>{run('new')}</w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del></w:p>", "new"),
        (f"<w:p><w:moveFrom>{run('old')}</w:moveFrom>{run('a')}</w:p>", "a"),
        ("<w:p><w:r><w:instrText>PAGE</w:instrText><w:t>7</w:t></w:r></w:p>", "7"),
        (f"<w:sdt><w:sdtContent><w:p><w:hyperlink>{run('link')}</w:hyperlink></w:p></w:sdtContent></w:sdt>", "link"),
        (
            f"<w:p><w:AlternateContent><w:Choice><w:txbxContent><w:p>{run('box')}</w:p></w:txbxContent></w:Choice>"
            f"<w:Fallback><w:p>{run('box')}</w:p></w:Fallback></w:AlternateContent>{run('text')}</w:p>",
            "box\n\ntext",
        ),
        (
            f"<w:tbl><w:tr>{cell('<w:tbl><w:tr>' + cell('<w:p>' + run('in') + '</w:p>') + '</w:tr></w:tbl>')}"
            f"{cell('<w:p>' + run('out') + '</w:p>')}</w:tr></w:tbl>",
            "in\tout",
        ),
        (f"<!-- c --><w:p>{run('a&lt;b&#233;')}</w:p>", "a<bé"),
    ],
)
def test_docx_holds_what_a_reader_sees(body: str, text: str) -> None:
    assert extract("archive", docx_of(body)).text == text


def test_docx_notes_stand_at_the_end() -> None:
    note = f"<w:footnotes {W}><w:footnote><w:p><w:r><w:t>A note.</w:t></w:r></w:p></w:footnote></w:footnotes>"
    data = docx_of("<w:p><w:r><w:t>Body</w:t><w:footnoteReference/><w:t>.</w:t></w:r></w:p>", footnotes=note)
    assert extract("archive", data).text == "Body.\n\nA note."


def test_odt_is_read_in_order() -> None:
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    row = f"<table:table-row>{cell}<table:covered-table-cell/>{cell}</table:table-row>"
    note = "<text:note-citation>1</text:note-citation><text:note-body><text:p>A note.</text:p></text:note-body>"
    body = (
        "<text:tracked-changes><text:p>gone</text:p></text:tracked-changes><text:h>Cranes</text:h>"
        "<text:p>a <text:span>b</text:span><text:s text:c='3'/>c<text:tab/>d<text:line-break/>"
        f"e<text:note>{note}</text:note>.</text:p>"
        f"<table:table>{row.format('Name', 'Age')}{row.format('Ana', '34')}</table:table>"
    )
    assert extract("archive", odt(body)) == Extracted(
        "Cranes\n\na b c\td\ne.\n\nName\tAge\n\nAna\t34\n\nA note.", "odt"
    )


def test_epub_is_read_in_the_order_of_its_spine() -> None:
    chapters = {"b.xhtml": XHTML.format("<h1>One</h1><p>a&nbsp;b</p>"), "a c.xhtml": XHTML.format("<p>Two</p>")}
    assert extract("archive", epub(chapters)) == Extracted(
        "One\n\na\xa0b\n\nTwo", "epub", title="The Harbour", date="2026-11-22"
    )


def test_epub_names_the_chapters_it_lost() -> None:
    broken = epub({"a.xhtml": XHTML.format("<p>One"), "b.xhtml": XHTML.format(CRANES)}, missing=["c.xhtml"])
    book = extract("archive", broken)
    assert (book.text, book.lost) == (CRANES, "chapters that cannot be read (a.xhtml, c.xhtml)")


# mail


def test_mail_has_its_headers_and_its_text() -> None:
    assert extract("mail", mail("Grüße,\nBen\n", html="<p>x")) == Extracted(
        "Subject: Cranes\nFrom: Ana Müller <ana@example.org>\nTo: ben@example.org\n"
        "Date: Sun, 22 Nov 2026 23:30:00 -0500\n\nGrüße,\nBen",
        "mail",
        title="Cranes",
        date="2026-11-22",
    )


def test_mail_of_html_alone_is_read_as_a_page() -> None:
    made = extract("mail", mail("", html="<style>x</style><p>One<p>Two", subject="Café crème"))
    assert made.text.endswith("\n\nOne\n\nTwo")
    assert made.title == "Café crème"


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("quoted-printable", b"caf=E9 =\r\nau lait"), ("base64", b"Y2Fm6SBhdSBsYWl0"), ("8bit", b"caf\xe9 au lait")],
)
def test_mail_undoes_its_encodings(encoding: str, body: bytes) -> None:
    head = (
        f"From: a@b.c\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    assert extract("mail", head.encode() + body).text == "From: a@b.c\n\ncafé au lait"


def test_mail_names_what_it_does_not_read() -> None:
    assert extract("mail", mail(attachment="offer.pdf")).lost == "attachments, which are not read (offer.pdf)"
    cut = mail(html="<p>x", attachment="offer.pdf")[:-100]
    assert "CloseBoundaryNotFoundDefect" in extract("mail", cut).lost


def test_mail_without_headers_is_none() -> None:
    assert reason("mail", b"Some text.\n\nMore.") == "damaged"


# PDF


def test_pdf_paragraphs_are_joined_and_pages_known() -> None:
    made = extract("pdf", pdf([[LONG, FERRY], [LONG + " " + LONG]]))
    assert made.text == f"{LONG}\n\n{FERRY}\n\n{LONG} {LONG}"
    assert made.pages == (0, made.text.rindex(LONG + " " + LONG))
    assert made.lost == ""


def test_pdf_lines_are_joined_where_the_page_shows_its_margin() -> None:
    names = (
        "In recent years a large number of officials have escaped abroad, many of them to Canada and the United States."
    )
    assert extract("pdf", pdf([[names]])).text.replace("\n", " ") == names
    assert extract("pdf", pdf([[LONG, names]])).text == f"{LONG}\n\n{names}"


def test_pdf_lines_that_were_not_wrapped_stay_apart() -> None:
    places = [(72, 700, "Menu of the day"), (72, 686, "Soup and bread"), (72, 672, "Fish"), (72, 600, CRANES)]
    assert extract("pdf", drawn_pdf([places])).text == f"Menu of the day\nSoup and bread\nFish\n\n{CRANES}"


def test_pdf_pages_without_text_are_named() -> None:
    made = extract("pdf", drawn_pdf([[], [(72, 700, "One")], [], [(72, 700, "Two")], []]))
    assert (made.text, made.lost) == ("One\n\nTwo", "no text on page 1, 3, 5")
    document = Document("a.pdf", made.text, "", "", made.form, pages=made.pages)
    assert [document.page(offset) for offset in range(len(made.text))] == [2] * 5 + [4] * 3


def test_a_citation_names_its_page() -> None:
    made = extract("pdf", drawn_pdf([[], [(72, 700, "The ferry is red.")], [(72, 700, CRANES)]]))
    document = Document("harbour.pdf", made.text, "", "0", "pdf", pages=made.pages)
    start = made.text.index("twelve")
    citation = Citation(document, Span(start, start + 6), Span(made.text.index(CRANES), len(made.text)))
    answer = Answer("twelve", 5.0, 0.9, (citation,))
    reply = Reply("How many?", "How many?", "answered", (answer,), None, Manifest("", "", "", ""), {})
    place = f"page 3, characters {start}–{start + 6}"
    assert citation.to_dict()["page"] == 3
    assert all(place in form(reply) for form in (to_text, to_markdown, to_html))
    assert "page" not in Citation(replace(document, pages=()), citation.span, citation.sentence).to_dict()


def test_pdf_empty_pages_lose_nothing() -> None:
    assert extract("pdf", drawn_pdf([[(72, 700, "One")], []], line=False)).lost == ""


def test_pdf_of_pictures_has_no_text() -> None:
    assert reason("pdf", drawn_pdf([[], []])) == "no_text"


def test_pdf_locks() -> None:
    assert reason("pdf", pdf([[CRANES]], password="secret")) == "encrypted"
    assert extract("pdf", pdf([[CRANES]], owner="secret")).text == CRANES  # anybody may read it


def test_pdf_after_junk_is_read() -> None:
    assert extract("pdf", b"junk\n" * 20 + pdf([[CRANES]])).text == CRANES


def test_pdf_with_too_many_pages_is_too_large() -> None:
    assert reason("pdf", drawn_pdf([[]] * 2_001)) == "too_large"


# files that are broken or built to harm

BILLION = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
FORGED = docx_of(f"<w:p><w:r><w:t>{'a' * 100_000}</w:t></w:r></w:p>")


def forged() -> bytes:
    """A Word file that says it unpacks to less than it does."""
    with zipfile.ZipFile(io.BytesIO(FORGED)) as opened:
        size = opened.getinfo("word/document.xml").file_size
    return FORGED.replace(size.to_bytes(4, "little"), (1_000).to_bytes(4, "little"))


@pytest.mark.parametrize(
    ("kind", "data", "expected"),
    [
        ("pdf", pdf([[CRANES]])[:600], "damaged"),
        ("pdf", b"%PDF-1.7\n" + b"\xff" * 1000, "damaged"),
        ("archive", docx([CRANES])[:2000], "damaged"),
        ("archive", b"PK\x03\x04" + b"\0" * 100, "damaged"),
        ("archive", archive({"a.txt": "Some text."}), "unsupported"),
        ("archive", archive({"_rels/.rels": "<r><x Type='/officeDocument' Target='xl/book.xml'/></r>"}), "unsupported"),
        ("archive", docx_of("<w:p>"), "damaged"),
        ("archive", docx_of("x").replace(b"word/document.xml", b"word/documenu.xml"), "damaged"),
        ("archive", docx_of("").replace(b"PK\x01\x02\x14\x03\x14\0\0", b"PK\x01\x02\x14\x03\x14\0\1"), "encrypted"),
        ("archive", archive({"_rels/.rels": BILLION + "<x/>"}), "dtd_present"),
        ("archive", odt(BILLION), "damaged"),
        ("archive", odt("", manifest="<a><encryption-data/></a>"), "encrypted"),
        ("archive", epub({"a.xhtml": XHTML}, **{"META-INF/encryption.xml": "<a URI='OEBPS/a.xhtml'/>"}), "encrypted"),
        ("archive", docx_of(f"<w:p><w:r><w:t>{'a' * 9_000_000}</w:t></w:r></w:p>"), "too_large"),
        ("archive", forged(), "damaged"),
        ("html", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary"),
        ("html", b"<p>caf\xe9", "undecodable"),
        ("mail", b"From: a@b.c\nContent-Type: text/plain; charset=utf-8\n\ncaf\xe9", "undecodable"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_bad_files_give_a_reason(kind: str, data: bytes, expected: str) -> None:
    assert reason(kind, data) == expected


@pytest.mark.parametrize(
    ("error", "expected"), [(MemoryError(), "memory_limit"), (RecursionError(), "damaged"), (KeyError("x"), "damaged")]
)
def test_whatever_a_parser_raises_is_a_reason(monkeypatch: pytest.MonkeyPatch, error: Exception, expected: str) -> None:
    def fail(data: bytes) -> Extracted:
        raise error

    monkeypatch.setitem(EXTRACTORS, "html", fail)
    assert reason("html", b"") == expected


def test_a_text_that_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qa.extract.MAX_CHARS", 10)
    assert reason("html", b"<p>0123456789a") == "too_large"


def test_characters_that_no_text_can_hold_are_shown_and_counted() -> None:
    page = extract("html", b"<p>a\x01b and more text")
    assert (page.text, page.lost) == ("a\ufffdb and more text", "unreadable characters, shown as \ufffd: 1")


# through the child, and at random


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits memory")
def test_a_file_that_needs_too_much_memory_is_refused(tmp_path: Path) -> None:
    parts = {"_rels/.rels": RELATIONS, "word/document.xml": b"<a>" + b"<p/>" * 12_000_000 + b"</a>"}
    (tmp_path / "a.docx").write_bytes(archive(parts, compression=zipfile.ZIP_STORED))
    with pytest.raises(UnreadableDocumentError) as caught:
        read_document(tmp_path / "a.docx", "a.docx")
    assert caught.value.reason == "memory_limit"


FORMATS: dict[str, tuple[str, Callable[[], bytes]]] = {
    ".docx": ("archive", lambda: docx([LONG, CRANES], [["Name", "Age"], ["Ana", "34"]])),
    ".eml": ("mail", lambda: mail(LONG, html=f"<p>{LONG}</p>", attachment="a.pdf")),
    ".epub": ("archive", lambda: epub({"a.xhtml": XHTML.format(f"<p>{LONG}</p>")})),
    ".html": ("html", lambda: f"<title>T</title><table><tr><td>{LONG}</td></tr></table><p>{CRANES}</p>".encode()),
    ".odt": ("archive", lambda: odt(f"<text:h>Cranes</text:h><text:p>{LONG}</text:p>")),
    ".pdf": ("pdf", lambda: pdf([[LONG, CRANES], [LONG]])),
}
PARTS = {".docx": "word/document.xml", ".epub": "OEBPS/a.xhtml", ".odt": "content.xml"}  # behind a checksum


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_is_read_through_the_child(tmp_path: Path, suffix: str) -> None:
    kind, make = FORMATS[suffix]
    (tmp_path / f"a{suffix}").write_bytes(make())
    document = read_document(tmp_path / f"a{suffix}", "a")
    assert document.text == extract(kind, make()).text
    assert LONG in document.text
    assert document == Document(**json.loads(json.dumps(vars(document))))
    sentences = {document.text[span.start : span.end] for span in split_sentences(document.text)}
    assert LONG[: LONG.index(". ") + 1] in sentences


def mutants(suffix: str, count: int) -> Iterator[bytes]:
    """A file of this format with random changes, always the same ones; of archives, every other one has them inside."""
    chance = random.Random(0)
    data = FORMATS[suffix][1]()
    for number in range(count):
        if number % 2 and suffix in PARTS:
            with zipfile.ZipFile(io.BytesIO(data)) as opened:
                parts = {name: opened.read(name) for name in opened.namelist()}
            yield archive({**parts, PARTS[suffix]: mutant(parts[PARTS[suffix]], chance)})
        else:
            yield mutant(data, chance)


def mutant(data: bytes, chance: random.Random) -> bytes:
    """The bytes cut short, with some of them changed, taken out, repeated or replaced."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 3, 20))):
        at, length = chance.randrange(len(made) or 1), chance.randrange(1, 40)
        change = chance.choice(("flip", "flip", "cut", "double", "noise", "truncate"))
        if change == "flip" and made:
            made[at] ^= 1 << chance.randrange(8)
        elif change == "cut":
            del made[at : at + length]
        elif change == "double":
            made[at:at] = made[at : at + length] * chance.choice((1, 50))
        elif change == "noise":
            made[at : at + length] = chance.randbytes(length)
        elif change == "truncate":
            del made[at:]
    return bytes(made)


REASONS = set("read binary crashed damaged dtd_present empty encrypted memory_limit no_text time_limit".split()) | set(
    "too_large undecodable unsupported".split()
)
MANY = """
import json, struct, sys
from qa.charset import UnreadableError
from qa.confine import limit_this_process
from qa.extract import extract
limit_this_process()
data = sys.stdin.buffer.read()
while data:
    length, = struct.unpack("<Q", data[:8])
    one, data = data[8 : 8 + length], data[8 + length :]
    try:
        json.dumps(vars(extract(sys.argv[1], one)))
        print("read")
    except UnreadableError as error:
        print(error.reason)
"""


@pytest.mark.parametrize("suffix", FORMATS)
def test_mutants_are_read_or_given_a_reason(tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many in one child, for speed; where it fails, each in a child of its own, as files are read."""
    (tmp_path / "many_files.py").write_text(MANY)
    monkeypatch.syspath_prepend(str(tmp_path))
    made = mutants(suffix, MUTANTS)
    while batch := list(islice(made, 100)):
        framed = b"".join(len(one).to_bytes(8, "little") + one for one in batch)
        try:
            outcomes = run_confined("many_files", FORMATS[suffix][0], framed).decode().split()
        except UnreadableError:
            outcomes = [outcome(tmp_path / f"a{suffix}", one) for one in batch]
        assert len(outcomes) == len(batch)
        assert set(outcomes) <= REASONS


def outcome(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    try:
        read_document(path, path.name)
    except UnreadableDocumentError as error:
        return error.reason
    return "read"
