"""The bytes of a file that is not plain text -> its text; a program that `confine.py` runs, one file at a time.

Whatever a parser does wrong becomes a reason. Nothing is fetched, run or written. What is not read of a file although a
reader of it would miss it (pages without text, attachments) is named.
"""

import io
import json
import posixpath
import re
import sys
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from html.entities import name2codepoint
from typing import Any
from urllib.parse import unquote

from lxml import etree

from qa.charset import UnreadableError, decode_text
from qa.confine import limit_this_process
from qa.markup import HTML, OPEN_DOCUMENT, WORD, flatten

MAX_CHARS = 20_000_000
MAX_INFLATED = 200_000_000  # bytes of an archive, unpacked
MAX_RATIO = 100
DECLARED = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?([\w.:-]+)""", re.I)
ENTITY = re.compile(r"&(\w+);")
UNREADABLE = re.compile("[\0-\x08\x0b-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
DATES = ("article:published_time", "citation_publication_date", "date", "dc.date", "dcterms.date", "datepublished")
MAIL_HEADERS = ("Subject", "From", "To", "Cc", "Date")


@dataclass(frozen=True)
class Extracted:
    """What was read of a file."""

    text: str
    form: str  # what the file is, for example "docx"
    title: str = ""  # as the file itself gives it
    pages: tuple[int, ...] = ()
    lost: str = ""
    date: str | None = None


def read_html(data: bytes, *, charset: str | None = None) -> Extracted:
    """Read a web page: its text without scripts, styles, forms' controls and navigation."""
    text, codec = _decode(data, charset)
    parser = etree.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    root = _parse_xhtml(text) if text.lstrip().startswith("<?xml") else None
    if root is None:
        root = etree.fromstring(text.encode("utf-8", "replace"), parser)
    if root is None:
        raise UnreadableError("no_text", "holds no text; remove it")
    too_deep = any(entry.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for entry in parser.error_log)
    return Extracted(
        text=flatten(HTML, root),
        form=f"html in {codec}",
        title=_words(root.find("{*}head/{*}title")),
        lost="what is nested over 2,048 elements deep" if too_deep else "",
        date=_html_date(root),
    )


def _html_date(root: etree._Element) -> str | None:
    """The day a page says it was published."""
    stated = {
        (meta.get("property") or meta.get("name") or meta.get("itemprop") or "").lower(): meta.get("content", "")
        for meta in root.iter("{*}meta")
    }
    return next((day for name in DATES if (day := _day(stated.get(name, "")))), None)


def _day(text: str) -> str | None:
    """The day that an ISO date or time begins with."""
    try:
        return date.fromisoformat(text.strip().replace("/", "-")[:10]).isoformat()
    except ValueError:
        return None


def _decode(data: bytes, charset: str | None = None) -> tuple[str, str]:
    """Decode markup, which may itself name its charset."""
    named = DECLARED.search(data, 0, 1024)
    return decode_text(data, declared=charset or (named[1].decode("latin-1") if named else None))


def _parse_xhtml(text: str) -> etree._Element | None:
    """Parse a page that is XML, where <title/> is a whole element; None if it is not."""
    characters = ENTITY.sub(lambda e: chr(name2codepoint[e[1]]) if e[1] in _LETTERS else e[0], text)
    try:
        root = _parse_xml(characters.encode("utf-8", "replace"), allow_dtd=True)
    except etree.XMLSyntaxError:
        return None
    return root if next(root.iter(etree.Entity), None) is None else None  # of entities of its own, the text is not here


_LETTERS = name2codepoint.keys() - {"amp", "apos", "gt", "lt", "quot"}  # entities that only a DTD would tell XML


def _parse_xml(data: bytes, *, allow_dtd: bool = False) -> etree._Element:
    parser = etree.XMLParser(
        encoding="utf-8" if allow_dtd else None,
        resolve_entities=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )
    root = etree.fromstring(data, parser)
    if not allow_dtd and root.getroottree().docinfo.internalDTD is not None:
        raise UnreadableError("dtd_present", "declares XML entities, as attacks do; save it anew with its own program")
    return root


def _words(element: etree._Element | None) -> str:
    return " ".join("".join(map(str, element.itertext())).split()) if element is not None else ""


def read_archive(data: bytes) -> Extracted:
    """Read a zip file that is a Word, OpenDocument or EPUB text."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {member.filename: member for member in archive.infolist()}
        inflated = sum(member.file_size for member in members.values())  # zipfile unpacks no more than this
        if inflated > min(MAX_INFLATED, MAX_RATIO * len(data) + 1_000_000):
            detail = f"unpacks to {inflated:,} bytes, as bombs do; split it up or save it anew with its own program"
            raise UnreadableError("too_large", detail)
        if any(member.flag_bits & 1 for member in members.values()):
            raise UnreadableError("encrypted", "is locked with a password; save it without one")
        kind = archive.read("mimetype").strip() if "mimetype" in members else b""
        if kind == b"application/epub+zip":
            return _read_epub(archive)
        if kind.startswith(b"application/vnd.oasis.opendocument.text"):
            return _read_open_document(archive)
        if "_rels/.rels" in members and (main := _main_part(archive)):
            return _read_word(archive, main)
    raise UnreadableError("unsupported", "is a zip file, but no Word, OpenDocument or EPUB text; convert it to one")


def _main_part(archive: zipfile.ZipFile) -> str | None:
    """The name of the part that holds the text, if this is a Word document."""
    for relation in _parse_xml(archive.read("_rels/.rels")):
        if relation.get("Type", "").endswith("/officeDocument"):
            name = relation.get("Target", "").lstrip("/")
            return name if name.startswith("word/") else None
    return None


def _read_word(archive: zipfile.ZipFile, main: str) -> Extracted:
    notes = {"word/footnotes.xml", "word/endnotes.xml"} & set(archive.namelist())
    parts = (_parse_xml(archive.read(name)) for name in (main, *sorted(notes, reverse=True)))
    return Extracted(flatten(WORD, *parts), "docx")


def _read_open_document(archive: zipfile.ZipFile) -> Extracted:
    if b"encryption-data" in archive.read("META-INF/manifest.xml"):
        raise UnreadableError("encrypted", "is locked with a password; save it without one")
    root = _parse_xml(archive.read("content.xml"))
    body = root.find("{*}body/{*}text")
    return Extracted(flatten(OPEN_DOCUMENT, root if body is None else body), "odt")


def _read_epub(archive: zipfile.ZipFile) -> Extracted:
    """Read the chapters of an EPUB in the order of its spine."""
    container = _parse_xml(archive.read("META-INF/container.xml"))
    place = next((found.get("full-path", "") for found in container.iter("{*}rootfile")), "")
    package = _parse_xml(archive.read(place))
    locked = archive.read("META-INF/encryption.xml") if "META-INF/encryption.xml" in archive.namelist() else b""
    hrefs = {item.get("id"): unquote(item.get("href", "")) for item in package.iter("{*}item")}
    chapters, lost = [], []
    for reference in package.iter("{*}itemref"):
        href = hrefs.get(reference.get("idref"), "")
        name = posixpath.normpath(posixpath.join(posixpath.dirname(place), href))
        if href and name.encode() in locked:
            raise UnreadableError("encrypted", "is copy-protected; use a copy that is not")
        try:
            chapter = _parse_xhtml(_decode(archive.read(name))[0])
        except KeyError:
            chapter = None
        if chapter is None:
            lost.append(href)
        else:
            chapters.append(chapter)
    stated = (_day(_words(found)) for found in package.iter("{http://purl.org/dc/elements/1.1/}date"))
    return Extracted(
        flatten(HTML, *chapters),
        "epub",
        title=_words(next(package.iter("{http://purl.org/dc/elements/1.1/}title"), None)),
        lost=f"chapters that cannot be read ({_some(lost)})" if lost else "",
        date=next(filter(None, stated), None),
    )


def read_mail(data: bytes) -> Extracted:
    """Read an e-mail: its main headers, and its text, for which the plain form is taken before the HTML one."""
    from email import message_from_bytes, policy  # subtle: here and not above, for every file waits for the imports
    from email.message import EmailMessage

    message = message_from_bytes(data, _class=EmailMessage, policy=policy.default)
    headers = [f"{name}: {' '.join(str(message[name]).split())}" for name in MAIL_HEADERS if name in message]
    if not headers:
        raise UnreadableError("damaged", "has no sender, subject or date as a mail has; save it anew")
    body = message.get_body(("plain", "html"))
    text, lost = "", []
    if body is not None:
        payload = body.get_payload(decode=True)
        assert isinstance(payload, bytes)
        charset = body.get_content_charset()
        if body.get_content_subtype() == "html":
            page = read_html(payload, charset=charset)
            text, lost = page.text, [page.lost]
        else:
            text = decode_text(payload, declared=charset)[0].replace("\r\n", "\n")
    if attached := [part.get_filename("without a name") for part in message.walk() if part.is_attachment()]:
        lost.append(f"attachments, which are not read ({_some(attached)})")
    if defects := {type(defect).__name__ for part in message.walk() for defect in part.defects}:
        lost.append(f"damaged parts ({_some(sorted(defects))})")
    sent = getattr(message["Date"], "datetime", None)
    return Extracted(
        text="\n\n".join(filter(None, ["\n".join(headers), text.strip()])),
        form="mail",
        title=" ".join(str(message["Subject"] or "").split()),
        lost="; ".join(filter(None, lost)),
        date=sent.date().isoformat() if sent else None,
    )


def read_pdf(data: bytes) -> Extracted:
    """Read a PDF, page by page."""
    import pypdfium2

    from qa.pdf import MAX_PAGES, read_pages

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (pypdfium2.raw.FPDF_ERR_PASSWORD, pypdfium2.raw.FPDF_ERR_SECURITY):
            raise UnreadableError("encrypted", "is locked with a password; save it without one") from error
        raise
    if len(document) > MAX_PAGES:
        raise UnreadableError("too_large", f"has {len(document):,} pages, over {MAX_PAGES:,}; split it up")
    text, pages, silent = read_pages(document)
    if not text:
        detail = f"holds no text (number of pages: {len(pages)}); if they are pictures, recognise their text (OCR)"
        raise UnreadableError("no_text", detail)
    return Extracted(text, "pdf", pages=pages, lost=f"no text on page {_some(silent)}" if silent else "")


def _some(things: list[Any]) -> str:
    """Name the first ten."""
    return ", ".join(map(str, things[:10])) + (f" and {len(things) - 10} more" if len(things) > 10 else "")


EXTRACTORS: dict[str, Callable[[bytes], Extracted]]
EXTRACTORS = {"archive": read_archive, "html": read_html, "mail": read_mail, "pdf": read_pdf}


def extract(kind: str, data: bytes) -> Extracted:
    """Read one file's bytes. Raises UnreadableError: also where a parser fails, in whatever way it does."""
    try:
        extracted = EXTRACTORS[kind](data)
    except UnreadableError:
        raise
    except Exception as error:
        if isinstance(error, MemoryError) or getattr(error, "code", None) == etree.ErrorTypes.ERR_NO_MEMORY:
            raise UnreadableError("memory_limit", "takes too much memory to read; split it up") from error
        raise UnreadableError("damaged", f"is damaged ({type(error).__name__}); save it anew or convert it") from error
    if len(extracted.text) > MAX_CHARS:
        raise UnreadableError("too_large", f"holds over {MAX_CHARS:,} characters of text; split it up")
    text = UNREADABLE.sub("\ufffd", extracted.text)
    unreadable = text.count("\ufffd")
    lost = [extracted.lost, f"unreadable characters, shown as \ufffd: {unreadable:,}" if unreadable else ""]
    return replace(extracted, text=text, lost="; ".join(filter(None, lost)))


def main() -> None:
    """Read the kind from the command line and the file from stdin; write an Extracted or a reason as JSON."""
    limit_this_process()
    try:
        reply = vars(extract(sys.argv[1], sys.stdin.buffer.read()))
    except UnreadableError as error:
        reply = {"reason": error.reason, "detail": error.detail}
    sys.stdout.write(json.dumps(reply))


if __name__ == "__main__":
    main()
