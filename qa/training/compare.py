"""A reader's candidates for training questions, side by side -> `compared.jsonl.xz`, one more set to train on.

In: the affairs among this project's own questions; each is a small corpus, asked end to end. A row's context is the
sentences of all candidates, joined; its answer is the first right candidate. If none is right, the row is unanswerable.
"""

import argparse
import json
import lzma
import random
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

from tqdm import tqdm

from qa.assistant import Assistant
from qa.chunking import sentence_around
from qa.datatypes import Answer, Citation, Document, Span
from qa.reader import DEFAULT_READER
from qa.training.calibrate import Gold, matches, written
from qa.training.prepare import OF_AFFAIRS, Example, is_development, read_set

SEPARATOR = " [SEP] "  # BERT's mark between two texts
MAX_AROUND = 400  # characters of a place's surroundings: its sentence, and the one before if both fit
PASSAGES = 20  # of a title that has more
QUESTIONS = 60  # of a title that has more


def corpora(data: Path, names: Sequence[str]) -> Iterator[list[Example]]:
    """Yield the training examples of some sets, a title at a time, in a fixed order."""
    by_title: dict[str, list[Example]] = defaultdict(list)
    for name in names:
        for example in read_set(data, name):
            if not is_development(example):
                by_title[example.title].append(example)
    for title in sorted(by_title):
        rng = random.Random(title)
        contexts = sorted({example.context for example in by_title[title]})
        kept = set(rng.sample(contexts, min(PASSAGES, len(contexts))))
        examples = [example for example in by_title[title] if example.context in kept]
        yield rng.sample(examples, min(QUESTIONS, len(examples)))


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


def compared(question: str, candidates: Sequence[Answer], golds: Sequence[Gold]) -> dict[str, Any] | None:
    """The candidates of one question as a row of a set: question, context, answers.

    None if no candidate is right, but what would be stands in the context all the same.
    """
    evidence = gather([candidate.citations[0] for candidate in candidates])
    right = (span for span, answer in zip(evidence.spans, candidates, strict=True) if matches(answer, golds))
    first = next(right, None)
    if first is None and any(text in evidence.text for _, _, text in golds):
        return None
    answers = [] if first is None else [{"start": first.start, "text": evidence.text[first.start : first.end]}]
    return {"question": question, "context": evidence.text, "answers": answers, "is_impossible": not answers}


def rows(examples: Sequence[Example], reader: str) -> Iterator[dict[str, Any]]:
    """Ask the examples of one title over its passages, a document a passage; yield a row a question."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "documents"
        questions = written(examples, folder)
        assistant = Assistant.from_folder(folder, index=Path(scratch) / "index", reader=reader)
        for example, question in zip(examples, questions, strict=True):
            found = assistant.find(question.text)
            if found.candidates and (row := compared(found.asked, found.candidates, question.golds)):
                yield {"id": f"{example.example_id}-compared", "title": example.title, "heading": "", **row}


def main() -> None:
    """Parse the command line, ask, write."""
    parser = argparse.ArgumentParser(prog="python -m qa.training.compare", description=__doc__)
    parser.add_argument(
        "--data", type=Path, required=True, help="folder of the sets; compared.jsonl.xz is written there"
    )
    parser.add_argument("--reader", default=DEFAULT_READER, help="whose candidates")
    parser.add_argument("--sets", nargs="+", default=OF_AFFAIRS, help="sets whose questions are asked")
    arguments = parser.parse_args()
    with lzma.open(arguments.data / "compared.jsonl.xz", "wt", encoding="utf-8") as lines:
        for examples in tqdm(list(corpora(arguments.data, arguments.sets)), unit="title", mininterval=10):
            for row in rows(examples, arguments.reader):
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
