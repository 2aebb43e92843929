"""Places that may answer a question -> one text that holds their sentences, for the reader to compare.

Read one passage at a time, a reader takes a reason for the reason and a place for the place; among the others, it sees
that another sentence is what the question is about.
"""

import re
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from qa.chunking import sentence_around
from qa.datatypes import Citation, Document, Span

SEPARATOR = " [SEP] "  # BERT's mark between two texts
MAX_AROUND = 400  # characters of a place's surroundings: its sentence, and the one before if both fit


class Evidence(NamedTuple):
    """The surroundings of some places, one after another, and where in the text each place stands."""

    text: str
    spans: list[Span]


def gather(places: Sequence[Citation]) -> Evidence:
    """Join the surroundings of places, by document and position; what overlaps is given once.

    So the text does not depend on the places' order; `spans` are in it.
    """
    order = sorted(range(len(places)), key=lambda n: (places[n].document.document_id, places[n].span.start))
    pieces: list[tuple[Document, Span]] = []
    piece_of: dict[int, int] = {}
    for number in order:
        document, around = places[number].document, _surroundings(places[number])
        if pieces and pieces[-1][0] is document and around.start < pieces[-1][1].end:
            last = pieces.pop()[1]
            around = Span(min(last.start, around.start), max(last.end, around.end))
        pieces.append((document, around))
        piece_of[number] = len(pieces) - 1
    texts = [document.slice(piece) for document, piece in pieces]
    begins = list(accumulate((len(text) + len(SEPARATOR) for text in texts), initial=0))
    moved = [begins[piece_of[n]] - pieces[piece_of[n]][1].start for n in range(len(places))]
    spans = [Span(place.span.start + by, place.span.end + by) for place, by in zip(places, moved, strict=True)]
    return Evidence(SEPARATOR.join(texts), spans)


def _surroundings(place: Citation) -> Span:
    """The place's sentence, with the one before if there is room; of a long one, what is around the place."""
    sentence, span, text = place.sentence, place.span, place.document.text
    if sentence.end - sentence.start > MAX_AROUND:
        margin = max(0, MAX_AROUND - (span.end - span.start)) // 2
        start, end = max(sentence.start, span.start - margin), min(sentence.end, span.end + margin)
        blank = re.search(r"\s", text[start : span.start]) if start > sentence.start else None
        start += blank.end() if blank else 0
        blank = re.search(r"\s\S*$", text[span.end : end]) if end < sentence.end else None
        return Span(start, span.end + blank.start() if blank else end)
    stop = len(text[: sentence.start].rstrip())
    if not stop:
        return sentence
    before = sentence_around(place.document, Span(stop - 1, stop))
    return Span(before.start, sentence.end) if sentence.end - before.start <= MAX_AROUND else sentence
