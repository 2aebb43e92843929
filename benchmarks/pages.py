"""Hundreds of pages of PDF made from known texts: is every quote of the text found in what is read, on its page?

    python benchmarks/pages.py --data DIR

DIR holds `chroma_quotes.jsonl.xz` and its documents. Each document is set as a PDF by reportlab, paragraph by
paragraph, with the page of every paragraph noted; read back by `qa.documents`; and every gold quote that lies within
one paragraph is looked for. Runs of blanks count as one blank, because the lines of a page are broken anew. Prints a
Markdown table.
"""

import argparse
import re
import sys
import tempfile
import time
from html import escape
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from outside import chroma

from eval.report import markdown_table
from qa.datatypes import Document
from qa.documents import read_folder


def typeset(text: str, path: Path) -> list[tuple[str, int, int]]:
    """Write a text as a PDF; return its paragraphs with the pages on which each begins and ends."""
    import matplotlib
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont
    from reportlab.platypus import Paragraph, SimpleDocTemplate

    font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    pdfmetrics.registerFont(TTFont("DejaVu", str(font)))
    style = ParagraphStyle("body", fontName="DejaVu", fontSize=9, leading=12, spaceAfter=6)
    pieces = [piece for line in re.split(r"\n\s*\n|\n(?=\S)", text) if (piece := " ".join(line.split()))]
    pages: dict[int, list[int]] = {}

    class Noting(Paragraph):  # type: ignore[misc]  # reportlab has no types
        number: int

        def draw(self) -> None:
            pages.setdefault(self.number, []).append(self.canv.getPageNumber())
            super().draw()

        def split(self, width: float, height: float) -> list[Any]:
            parts: list[Any] = super().split(width, height)
            for part in parts:
                part.number = self.number
            return parts

    flow = []
    for number, piece in enumerate(pieces):
        paragraph = Noting(escape(piece), style)
        paragraph.number = number
        flow.append(paragraph)
    SimpleDocTemplate(str(path), pagesize=A4).build(flow)
    return [(piece, min(pages[number]), max(pages[number])) for number, piece in enumerate(pieces)]


def folded(document: Document) -> tuple[str, list[int]]:
    """A document's text with one blank for each run of them, and where each of its characters stands in the text."""
    kept = list(re.finditer(r"\s+|\S", document.text))
    return "".join(" " if m.group().isspace() else m.group() for m in kept), [m.start() for m in kept]


def main() -> None:
    """Typeset, read back, look up, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    options = parser.parse_args()
    table: list[list[object]] = []
    with tempfile.TemporaryDirectory() as scratch:
        texts, folder = Path(scratch) / "texts", Path(scratch) / "pages"
        texts.mkdir()
        folder.mkdir()
        golds = [gold for asked in chroma(options.data, texts) for gold in asked.golds]
        set_as = {
            path.name: typeset(path.read_bytes().decode("utf-8"), folder / f"{path.name}.pdf")
            for path in texts.iterdir()
        }
        begun = time.perf_counter()
        corpus, skipped = read_folder(folder)
        seconds = time.perf_counter() - begun
        documents = {document.document_id.removesuffix(".pdf"): document for document in corpus.documents}
        for name, paragraphs in set_as.items():
            document = documents.get(name)  # None: left out, so nothing is found in it
            text, places = folded(document) if document else ("", [])
            wanted = found = on_page = 0
            for quote in (" ".join(gold.text.split()) for gold in golds if gold.document_id == name):
                pages = [page for piece, first, last in paragraphs if quote in piece for page in range(first, last + 1)]
                wanted += bool(pages)
                if pages and document and (at := text.find(quote)) >= 0:
                    found += 1
                    on_page += document.page(places[at]) in pages
            n_pages = len(document.pages) if document else 0
            table.append([name, n_pages, wanted, found, on_page, (document.lost if document else "all") or "-"])
    header = ["document", "pages", "quotes", "found exactly", "on a page of their paragraph", "lost"]
    print("\n".join(markdown_table(header, table)))
    print(f"{len(skipped)} skipped; read in {seconds:.1f} s")


if __name__ == "__main__":
    main()
