"""A reader's candidates for training questions -> `compared.jsonl.xz`, one more set to train on.

In: the affairs among this project's own questions; each is a small corpus, asked end to end. A row's context is what
the reader compares (`qa.evidence`); its answer is the first right candidate. If none is right, the row is unanswerable.
"""

import argparse
import json
import lzma
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from qa.assistant import Assistant
from qa.datatypes import Answer
from qa.evidence import gather
from qa.reader import DEFAULT_READER
from qa.training.calibrate import Gold, matches, written
from qa.training.prepare import OF_AFFAIRS, Example, is_development, read_set

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
