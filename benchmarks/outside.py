"""Sets that nobody here wrote, asked end to end: are the right passages found, quoted, and refused where there is none?

    python benchmarks/outside.py --data DIR [--only SET] [--limit N]

DIR holds `chroma_quotes.jsonl.xz` and its documents, `clapnq_dev`, `quotesum_dev` and `multispanqa_dev`. Every set
becomes one folder of text files and is asked through `Assistant.ask`. An answer counts as right when its quote overlaps
a gold quote: golds here are whole sentences more often than phrases. Prints a Markdown table a set.
"""

import argparse
import json
import lzma
import resource
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parent.parent))

from eval.calibration import calibration_figures, first_answer, rate
from eval.dataset import Gold
from eval.metrics import gold_rank
from eval.report import is_misquote, markdown_table, mean
from qa import Assistant
from qa.assistant import Findings
from qa.datatypes import Citation, Reply, Span
from qa.metrics import Rated


@dataclass(frozen=True)
class Asked:
    """One question of a set; no golds: its documents do not answer it."""

    question: str
    golds: tuple[Gold, ...]
    wants_all: bool = False  # the golds are the entries of a list, not alternatives


def rows(data: Path, name: str) -> Iterator[dict[str, Any]]:
    """The rows of a set."""
    with lzma.open(data / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def store(text: str, folder: Path) -> str:
    """Write a text as a document of its own, once, and return its id."""
    name = sha256(text.encode()).hexdigest()[:16] + ".txt"
    (folder / name).write_text(text, encoding="utf-8", newline="")
    return name


def chroma(data: Path, folder: Path) -> list[Asked]:
    """Five documents of 40,000 to 738,000 characters; golds are sentences."""
    with tarfile.open(data / "chroma_docs.tar.xz") as archive:
        for member in archive.getmembers():
            if member.name.endswith(".md") and (stored := archive.extractfile(member)):
                (folder / Path(member.name).name).write_bytes(stored.read())
    return [
        Asked(
            row["question"], tuple(Gold(f"{row['doc']}.md", quote["start"], quote["text"]) for quote in row["quotes"])
        )
        for row in rows(data, "chroma_quotes")
    ]


def clapnq(data: Path, folder: Path) -> list[Asked]:
    """599 passages as 599 documents, and a question on each that it answers or does not."""
    return [_on_context(row, folder) for row in rows(data, "clapnq_dev")]


def multispan(data: Path, folder: Path) -> list[Asked]:
    """Lists: every entry is wanted. The shipped reader was trained on these: what is measured is the rest."""
    return [_on_context(row, folder, wants_all=True) for row in rows(data, "multispanqa_dev")]


def _on_context(row: dict[str, Any], folder: Path, *, wants_all: bool = False) -> Asked:
    name = store(row["context"], folder)
    return Asked(row["question"], tuple(Gold(name, a["start"], a["text"]) for a in row["answers"]), wants_all)


def quotesum(data: Path, folder: Path) -> list[Asked]:
    """Several passages a question, and quotes from them; rows of one question are one, and no quote in other words."""
    golds: dict[str, list[Gold]] = {}
    for row in rows(data, "quotesum_dev"):
        texts = [source["text"] for source in row["sources"]]
        names = [store(text, folder) for text in texts]
        found = golds.setdefault(row["question"], [])
        for quote in row["quotes"]:
            gold = Gold(names[quote["source"]], max(quote["start"], 0), quote["text"])
            if texts[quote["source"]].startswith(gold.text, gold.start):
                found.append(gold)
    return [Asked(question, tuple(found)) for question, found in golds.items() if found]


SETS: dict[str, Callable[[Path, Path], list[Asked]]] = {
    "chroma_quotes": chroma,
    "clapnq_dev": clapnq,
    "quotesum_dev": quotesum,
    "multispanqa_dev": multispan,
}


def overlaps(citation: Citation, golds: tuple[Gold, ...]) -> bool:
    """Whether the quote shares a character with a gold."""
    return any(g.document_id == citation.document.document_id and citation.span.overlaps(g.span) for g in golds)


def character_f1(spans: list[tuple[str, Span]], golds: tuple[Gold, ...]) -> float:
    """F1 of the characters of some spans against those of the golds."""
    ours = {(name, at) for name, span in spans for at in range(span.start, span.end)}
    theirs = {(g.document_id, at) for g in golds for at in range(g.span.start, g.span.end)}
    return 2 * len(ours & theirs) / (len(ours) + len(theirs)) if ours or theirs else 0.0


def figures(asked: list[Asked], replies: list[Reply]) -> dict[str, object]:
    """What is printed of one set."""
    pairs = [(a, r) for a, r in zip(asked, replies, strict=True) if a.golds]
    ranks = [gold_rank(r.hits, a.golds) for a, r in pairs]
    right = [float(bool(r.answer) and any(overlaps(c, a.golds) for c in r.answer.citations)) for a, r in pairs]
    sentences = [
        [(c.document.document_id, c.sentence) for c in r.answer.citations] if r.answer else [] for _, r in pairs
    ]
    refused = [float(not r.answers) for a, r in zip(asked, replies, strict=True) if not a.golds]
    cited = [[c for answer in r.answers for c in answer.citations] for r in replies]
    entries = [
        float(np.mean([any(overlaps(c, (gold,)) for c in citations) for gold in a.golds]))
        for a, citations in zip(asked, cited, strict=True)
        if a.wants_all
    ]
    return {
        "recall@5": mean([float(rank is not None and rank <= 5) for rank in ranks]),
        "recall of all read": mean([float(rank is not None) for rank in ranks]),
        "answerable answered right": mean(right),
        "of the answered, right": mean([one for one, (_, r) in zip(right, pairs, strict=True) if r.answer]),
        "unanswerable refused": mean(refused),
        "entries of lists found": mean(entries),
        "F1 of characters, sentences shown": mean(
            [character_f1(shown, a.golds) for shown, (a, _) in zip(sentences, pairs, strict=True)]
        ),
        "conflicting": mean([float(r.status == "conflicting") for r in replies]),
        "misquotes": f"{sum(map(is_misquote, chain(*cited)))} of {sum(map(len, cited))}",
    }


def rated(found: Findings, reply: Reply, one: Asked) -> Rated:
    """The first answer of a question, shown or not."""
    first = first_answer(reply, found)
    right = first is not None and any(overlaps(c, one.golds) for c in first.citations)
    return rate(first, found, right=right, answerable=bool(one.golds))


def measured(asked: list[Asked], documents: Path, index: Path, name: str) -> dict[str, object]:
    """Index the documents of a set, ask its questions, and return all figures."""
    begun = time.perf_counter()
    assistant = Assistant.from_folder(documents, index=index)
    built = time.perf_counter()
    found = [assistant.find(one.question) for one in tqdm(asked, desc=name, mininterval=10)]
    seconds = time.perf_counter() - built
    replies = [assistant.decide(one.question, each) for one, each in zip(asked, found, strict=True)]
    worth = calibration_figures(list(map(rated, found, replies, asked)), assistant.threshold)
    return {
        **figures(asked, replies),
        **{f"confidence: {key}": value for key, value in worth.items()},
        "passages, seconds to index": f"{len(assistant.passages):,}, {built - begun:.0f}",
        "milliseconds a question": f"{1000 * seconds / max(1, len(asked)):.0f}",
        "peak memory so far, MiB": f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}",
    }


def main() -> None:
    """Measure and print, set after set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--only", choices=list(SETS), help="one set; default: all")
    parser.add_argument("--limit", type=int, help="only the first so many questions of each")
    options = parser.parse_args()
    for name in [options.only] if options.only else SETS:
        with tempfile.TemporaryDirectory() as scratch:
            documents, index = Path(scratch) / "documents", Path(scratch) / "index"
            documents.mkdir()
            asked = SETS[name](options.data, documents)[: options.limit]
            print(
                "\n".join(markdown_table(["figure", name], measured(asked, documents, index, name).items())), flush=True
            )


if __name__ == "__main__":
    main()
