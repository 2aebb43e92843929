"""Cut a Document into Passages at sentence ends.

Every range is found in the text as it is and returned as offsets; no text is copied into a result.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise

import regex  # type: ignore[import-untyped]  # it ships no types; needed for \X, grapheme clusters
from sentencex import get_sentence_boundaries

from qa.datatypes import Document, Passage, Span
from qa.documents import LINE

MAX_CHARS = 700  # of a passage, and of a sentence; some 150 word pieces of English: one window of the reader
OVERLAP_SENTENCES = 1
WINDOW_CHARS = 3_000  # the splitter sees this much at a time: it takes quadratic time for quotations that never end
WRAP_COLUMNS = range(40, 121)  # the widths at which programs wrap paragraphs
CLUSTER = regex.compile(r"\X")
JOINS_PREVIOUS = regex.compile(r"[\p{GCB=Extend}\p{GCB=SpacingMark}\p{GCB=ZWJ}]")
OPENING_QUOTE = regex.compile(r'["“„«]')
LIST_ITEM = regex.compile(r"(?:[-*+•#>|]|\d+[.)])\s")
BREAK_TO_BLANK = str.maketrans("\r\n", "  ")


def split_sentences(text: str) -> list[Span]:
    """Split text into sentences, in order, not overlapping; every character that is not blank is in exactly one.

    A sentence begins and ends with a character that is not blank, has at most MAX_CHARS characters, and crosses a
    line break only where a program wrapped a paragraph. Quotations are opened: each sentence in one counts.
    """
    return list(_sentences(text))


def chunk_document(
    document: Document, *, max_chars: int = MAX_CHARS, overlap: int = OVERLAP_SENTENCES
) -> list[Passage]:
    """Cut a document into runs of whole sentences of at most max_chars characters, in order.

    A passage repeats the last `overlap` sentences of the one before, or as many as leave room for a new one.
    Only a single sentence can be longer than max_chars. Raises ValueError if max_chars < 1 or overlap < 0.
    """
    if max_chars < 1:
        raise ValueError(f"max_chars must be at least 1, got {max_chars}")
    if overlap < 0:
        raise ValueError(f"overlap must be at least 0, got {overlap}")
    sentences = _sentences(document.text)
    passages: list[Passage] = []
    first = last = 0
    while last < len(sentences):  # sentences before `last` are in passages; first..last fit together
        start = sentences[first].start
        while last + 1 < len(sentences) and sentences[last + 1].end - start <= max_chars:
            last += 1
        passages.append(Passage(document, Span(start, sentences[last].end)))
        last += 1
        first = max(first + 1, last - overlap)
        while first < last < len(sentences) and sentences[last].end - sentences[first].start > max_chars:
            first += 1
    return passages


def sentence_around(document: Document, span: Span) -> Span:
    """Return the smallest run of whole sentences that contains a span; the span itself if it touches none.

    Raises ValueError if the span ends after the text.
    """
    document.slice(span)
    sentences = _sentences(document.text)
    first = bisect_right(sentences, span.start, key=lambda sentence: sentence.end)
    last = bisect_left(sentences, max(span.end, span.start + 1), key=lambda sentence: sentence.start) - 1
    if first > last:
        return span
    return Span(min(span.start, sentences[first].start), max(span.end, sentences[last].end))


def sentences_in(passage: Passage) -> list[Span]:
    """The sentences of a passage, in order, as ranges of its document."""
    sentences = _sentences(passage.document.text)
    first = bisect_left(sentences, passage.span.start, key=lambda sentence: sentence.start)
    last = bisect_right(sentences, passage.span.end, key=lambda sentence: sentence.end)
    return list(sentences[first:last])


def whole_clusters(document: Document, span: Span) -> Span:
    """Widen a span so that no edge cuts a cluster: a letter with its marks, an emoji with its joiners.

    Source: Unicode Standard Annex 29, extended grapheme clusters.
    """
    start, end = span.start, span.end
    around = sentence_around(document, span)  # no sentence's edge cuts one
    for cluster in CLUSTER.finditer(document.text, around.start, around.end):
        if cluster.group()[0].isspace():  # a mark on a blank
            continue
        if cluster.start() < start < cluster.end():
            start = cluster.start()
        if cluster.start() < end < cluster.end():
            end = cluster.end()
    return Span(start, end)


@lru_cache(maxsize=64)
def _sentences(text: str) -> tuple[Span, ...]:
    """Split as split_sentences does; remembered, because every citation asks for its sentence."""
    return tuple(
        Span(*piece)
        for paragraph in _paragraphs(text)
        for sentence in _split_paragraph(text, *paragraph)
        for piece in _split_long(text, *sentence)
    )


def _paragraphs(text: str) -> Iterator[tuple[int, int]]:
    """Yield the ranges that no sentence crosses: lines, or the lines of a wrapped paragraph together."""
    block: list[tuple[int, int]] = []  # lines with one line break between them
    for line in LINE.finditer(text):
        start, end = _trim(text, *line.span())
        if start == end:
            continue
        if block and text[block[-1][1] : start].strip(" \t") not in ("\n", "\r\n", "\r"):
            yield from _unwrap(text, block)
            block = []
        block.append((start, end))
    yield from _unwrap(text, block)


def _unwrap(text: str, lines: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Join lines that a program wrapped: where the next line's first word would not have fitted.

    As proof, one of them must go on with a small letter; otherwise each line stands for itself.
    """
    width = max((end - start for start, end in lines), default=0)
    wrapped = []
    for (start, end), (following, stop) in pairwise(lines):
        word = text[following:stop].split(maxsplit=1)[0] if width in WRAP_COLUMNS else ""
        full = bool(word) and end - start + 1 + len(word) > width
        wrapped.append(full and not LIST_ITEM.match(text, following, stop))
    if not any(joined and text[start].islower() for joined, (start, _) in zip(wrapped, lines[1:], strict=True)):
        yield from lines
        return
    paragraph = lines[0][0]
    for joined, (_, end), (following, _) in zip(wrapped, lines, lines[1:], strict=False):
        if not joined:
            yield paragraph, end
            paragraph = following
    yield paragraph, lines[-1][1]


def _split_paragraph(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield a paragraph's sentences, window by window; an unfinished sentence is left to the next window."""
    while start < end:
        stop = _break(text, start, end, WINDOW_CHARS)
        cuts = [start, *(start + offset for offset in _starts(text[start:stop].translate(BREAK_TO_BLANK))), stop]
        if stop < end and cuts[-2] > start + WINDOW_CHARS // 2:
            stop = cuts.pop(-2)
            cuts[-1] = stop
        yield from (_trim(text, *cut) for cut in pairwise(cuts))
        start = stop


def _starts(text: str) -> list[int]:
    """Find where sentences after the first begin.

    Only the splitter's starts are used, so that its ranges can neither lose nor repeat a character. It keeps a
    quotation whole: what follows an opening quote is split again, except before "he said".
    """
    found = []
    for boundary in get_sentence_boundaries("en", text):
        start, end = boundary["start_index"], boundary["end_index"]
        found.append(start)
        if quote := OPENING_QUOTE.search(text, start, end):
            inner = [quote.end() + b["start_index"] for b in get_sentence_boundaries("en", text[quote.end() : end])]
            found += [offset for offset in inner[1:] if not text[offset].islower()]
    starts: list[int] = []
    for start, end in pairwise([*found, len(text)]):  # what has no letter or digit goes with the sentence before
        if start > 0 and any(map(str.isalnum, text[start:end])) and not JOINS_PREVIOUS.match(text, start):
            starts.append(start)
    return starts


def _split_long(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield a sentence in pieces of at most MAX_CHARS characters; nothing if it is blank."""
    while start < end:
        stop = _break(text, start, end, MAX_CHARS)
        piece = _trim(text, start, stop)
        if piece[0] < piece[1]:
            yield piece
        start = stop


def _break(text: str, start: int, end: int, limit: int) -> int:
    """Return where to cut start..end after at most limit characters: at a blank, else between two visible characters.

    A cluster (a letter with its marks, an emoji with its joiners) is cut only if it is longer than limit.
    """
    if end - start <= limit:
        return end
    blank = edge = start
    for cluster in CLUSTER.finditer(text, start, start + limit + 1):  # subtle: one more shows where the last one ends
        if cluster.end() > start + limit:
            break
        edge = cluster.end()
        if cluster.group().isspace():
            blank = edge
    return next(cut for cut in (blank, edge, start + limit) if cut > start)


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Leave out the blanks at both ends."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return start, start + len(piece.strip())
