"""Files in the formats we read, made of text on the spot: nothing binary is kept in the repository."""

import io
import zipfile
from collections.abc import Sequence
from email.message import EmailMessage

from docx import Document as WordDocument
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate

CRANES = "The harbour has twelve cranes."
FERRY = "The ferry leaves at noon; tickets cost 40 euros."
XHTML = '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>{}</body></html>'
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
RELATIONS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="1" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" '
    'Target="word/document.xml"/></Relationships>'
)


def pdf(pages: Sequence[Sequence[str]], *, password: str = "", owner: str = "") -> bytes:
    """A PDF of wrapped paragraphs; a page without any is a picture of nothing: a line without text."""
    lock = StandardEncryption(password, owner or password, canPrint=0) if password or owner else None
    body = getSampleStyleSheet()["BodyText"]
    story = []
    for paragraphs in pages:
        story += [Paragraph(text, body) for text in paragraphs or ['<font color="white"> </font>']] + [PageBreak()]
    out = io.BytesIO()
    SimpleDocTemplate(out, encrypt=lock, invariant=True).build(story)
    return out.getvalue()


def drawn_pdf(pages: Sequence[Sequence[tuple[float, float, str]]], *, line: bool = True) -> bytes:
    """A PDF of texts put at places (points from the left and the bottom); with a line on each page, or nothing else."""
    out = io.BytesIO()
    canvas = Canvas(out, invariant=True)
    for texts in pages:
        if line:
            canvas.line(10, 10, 100, 10)
        for x, y, text in texts:
            canvas.drawString(x, y, text)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def archive(parts: dict[str, str | bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file of parts, always the same bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as opened:
        for name, content in parts.items():
            opened.writestr(zipfile.ZipInfo(name), content, compression)
    return out.getvalue()


def docx_of(body: str, **parts: str | bytes) -> bytes:
    """A Word file with this XML as its body; more parts by the names of the files in word/."""
    more = {f"word/{name}.xml": content for name, content in parts.items()}
    return archive(
        {"_rels/.rels": RELATIONS, "word/document.xml": f"<w:document {W}><w:body>{body}</w:body></w:document>", **more}
    )


def docx(paragraphs: Sequence[str], table: Sequence[Sequence[str]] = (), after: Sequence[str] = ()) -> bytes:
    """A Word file as python-docx writes it: paragraphs, a table, paragraphs."""
    made = WordDocument()
    for text in paragraphs:
        made.add_paragraph(text)
    if table:
        grid = made.add_table(len(table), len(table[0]))
        for row, texts in zip(grid.rows, table, strict=True):
            for cell, text in zip(row.cells, texts, strict=True):
                cell.text = text
    for text in after:
        made.add_paragraph(text)
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def odt(body: str, *, manifest: str = "<manifest/>") -> bytes:
    """An OpenDocument text with this XML as its body."""
    urn = "urn:oasis:names:tc:opendocument:xmlns:"
    spaces = " ".join(f'xmlns:{name}="{urn}{name}:1.0"' for name in ("office", "text", "table"))
    text = f"<office:body><office:text>{body}</office:text></office:body>"
    return archive(
        {
            "mimetype": "application/vnd.oasis.opendocument.text",
            "META-INF/manifest.xml": manifest,
            "content.xml": f"<office:document-content {spaces}>{text}</office:document-content>",
        }
    )


def epub(chapters: dict[str, str], *, missing: Sequence[str] = (), **parts: str) -> bytes:
    """An EPUB whose spine has these chapters in this order; `missing` ones are named and not there."""
    names = [*chapters, *missing]
    items = "".join(f'<item id="i{number}" href="{name}"/>' for number, name in reversed(list(enumerate(names))))
    spine = "".join(f'<itemref idref="i{number}"/>' for number in range(len(names)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        "<dc:title>The Harbour</dc:title><dc:date>2026-11-22T08:00:00Z</dc:date></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    files = {f"OEBPS/{name}": text for name, text in chapters.items()}
    return archive(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": container,
            "OEBPS/book.opf": package,
            **files,
            **parts,
        }
    )


def mail(text: str = CRANES, *, html: str = "", subject: str = "Cranes", attachment: str = "") -> bytes:
    """A mail with a plain text, and an HTML one and an attachment where they are given."""
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "Ana Müller <ana@example.org>", "ben@example.org"
    message["Date"] = "Sun, 22 Nov 2026 23:30:00 -0500"
    if text:
        message.set_content(text)
    if html:
        (message.add_alternative if text else message.set_content)(html, subtype="html")
    if attachment:
        message.add_attachment(b"bytes", maintype="application", subtype="pdf", filename=attachment)
    return message.as_bytes()
