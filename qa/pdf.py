"""The pages of a PDF -> paragraphs of text and where each page begins; runs where `confine.py` put it.

A PDF holds lines, not paragraphs: lines are joined where the next line's first word would not have fitted. What stands
in pictures, form fields and attachments is not read, and pages without any text are named.
"""

import re
from collections.abc import Iterator, Sequence
from ctypes import byref, c_double
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import pypdfium2
from pypdfium2 import raw

MAX_PAGES = 2_000
HYPHEN = re.compile("[\x02\ufffe]")  # what PDFium makes of a hyphen that divides a word at the end of a line
MARGIN = 0.03  # right margins that differ by less are the same
LEADING = 1.3  # lines further apart than this times the usual distance are not of one paragraph


@dataclass(frozen=True)
class Line:
    """A line of a page, with distances in points from the left and from the bottom of the page."""

    text: str
    right: float
    baseline: float
    heights: tuple[float, float]  # of the fonts it begins and ends in: a bullet or a term in bold may have its own
    first_word: float  # how wide its first word is


def read_pages(document: pypdfium2.PdfDocument) -> tuple[str, tuple[int, ...], list[int]]:
    """Return the text, the offsets where the pages begin, and the numbers of the pages that lost their text."""
    texts, pages, silent = [], [], []
    offset = 0
    for number in range(len(document)):
        try:
            text, blank = _read_page(document[number])
        except pypdfium2.PdfiumError:
            text, blank = "", False
        if not text and not blank:
            silent.append(number + 1)
        pages.append(offset)
        texts.append(text)
        offset += len(text) + 2 if text else 0
    text = "\n\n".join(filter(None, texts))
    return text, tuple(min(page, len(text)) for page in pages), silent


def _read_page(page: pypdfium2.PdfPage) -> tuple[str, bool]:
    """Return the text of a page, and whether nothing at all is on it."""
    blank = raw.FPDFPage_CountObjects(page) == 0
    characters = page.get_textpage()
    text = "\n\n".join(_paragraphs(list(_blocks(list(_lines(characters))))))
    characters.close()
    page.close()
    return text, blank


def _lines(characters: pypdfium2.PdfTextPage) -> Iterator[Line]:
    """Yield the lines of a page that are not blank, in PDFium's order of reading."""
    text = characters.get_text_range()
    if len(text) != characters.count_chars():  # what PDFium leaves out of its text would shift all places
        text = "".join(chr(raw.FPDFText_GetUnicode(characters, n)) for n in range(characters.count_chars()))
    start = 0
    for piece in text.split("\r\n"):
        line = piece.strip()
        # subtle: surrogates are two characters to PDFium; together they are one
        shown = HYPHEN.sub("", line).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if shown:
            first = start + piece.index(line)
            last = first + len(line) - 1
            word_end = first + len(line.split(maxsplit=1)[0]) - 1
            left, _, begun = _box(characters, first)
            _, right, ended = _box(characters, last)
            width = _box(characters, word_end)[1] - left
            yield Line(shown, right, _baseline(characters, last), (begun, ended), width)
        start += len(piece) + 2


def _box(characters: pypdfium2.PdfTextPage, index: int) -> tuple[float, float, float]:
    """The left and right edge of a character, and the height of its font."""
    box = raw.FS_RECTF()
    raw.FPDFText_GetLooseCharBox(characters, index, byref(box))
    return box.left, box.right, box.top - box.bottom


def _baseline(characters: pypdfium2.PdfTextPage, index: int) -> float:
    x, y = c_double(), c_double()
    raw.FPDFText_GetCharOrigin(characters, index, byref(x), byref(y))
    return y.value


def _blocks(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Cut a page where two lines differ in height or are not as near to each other as lines usually are."""
    steps = [above.baseline - below.baseline for above, below in pairwise(lines)]
    usual = median([step for step in steps if step > 0] or [0])
    block = list(lines[:1])
    for (above, below), step in zip(pairwise(lines), steps, strict=True):
        alike = any(abs(one - other) <= 0.1 * one for one in above.heights for other in below.heights)
        if not (alike and 0 < step <= LEADING * usual):
            yield block
            block = []
        block.append(below)
    if block:
        yield block


def _paragraphs(blocks: Sequence[Sequence[Line]]) -> Iterator[str]:
    """Yield the text of every block, its wrapped lines joined.

    As proof that lines were wrapped at the block's right margin, one must go on with a small letter: in this block or
    in another one of the page with the same margin.
    """
    margins = [max(line.right for line in block) for block in blocks]
    proven = [margin for block, margin in zip(blocks, margins, strict=True) if _has_proof(block, margin)]
    for block, margin in zip(blocks, margins, strict=True):
        wrapped = any(abs(margin - other) <= MARGIN * other for other in proven)
        text = block[0].text
        for above, below in pairwise(block):
            joined = wrapped and _is_full(above, below, margin) and _goes_on(above.text, below.text)
            text += ("" if above.text[-1] == "-" else " ") if joined else "\n"
            text += below.text
        yield text


def _has_proof(block: Sequence[Line], margin: float) -> bool:
    return any(below.text[0].islower() and _is_full(above, below, margin) for above, below in pairwise(block))


def _is_full(above: Line, below: Line, margin: float) -> bool:
    """Whether the first word of the line below would not have fitted."""
    return above.right + 0.2 * above.heights[1] + below.first_word > margin  # a blank is about a fifth as wide


def _goes_on(above: str, below: str) -> bool:
    """Whether the lines can be of one sentence: they are not where one ends, nor rows that end in numbers."""
    return below[0].islower() or (below[0].isalnum() and above[-1] not in ".!?:;0123456789")
