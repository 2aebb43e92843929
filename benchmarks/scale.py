"""An index of many passages: how long do making, opening and searching it take, and how large is it?

    python benchmarks/scale.py --data DIR [--passages 100000]

DIR holds `squad1_train`: its paragraphs, and the same with their sentences in other orders, are the documents. Their
vectors are random, because embedding so many takes hours: nothing is said here about what is found, and the time
to embed a question or a text is left out. Opening and searching run in a process of their own. Prints a Markdown table.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from outside import rows
from readers import peak_memory

from embeddings import store
from embeddings.encoder import Vectors
from eval.report import markdown_table
from qa.assistant import indexed
from qa.chunking import split_sentences
from qa.retriever import Retriever
from qa.spelling import Speller

PARAGRAPHS = 10  # in one document
QUESTIONS = 200


class RandomEncoder:
    """A random unit vector for every text, always the same one."""

    name = fingerprint = "random"

    def __init__(self) -> None:
        """Begin to count."""
        self.seconds = 0.0  # that making vectors up has taken

    def encode_query(self, texts: list[str], /) -> Vectors:
        """Return one vector per text, shape (n_texts, 384)."""
        return self.encode_document(texts)

    def encode_document(self, texts: list[str], /, *, progress: Callable[[int], Any] | None = None) -> Vectors:
        """Return the same."""
        begun = time.perf_counter()
        vectors = np.empty((len(texts), 384), dtype=np.float32)
        for row, text in enumerate(texts):
            vectors[row] = np.random.default_rng(crc32(text.encode())).normal(size=384)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        self.seconds += time.perf_counter() - begun
        return vectors


def write_documents(paragraphs: list[str], folder: Path, *, passages: int) -> None:
    """Write about so many passages: the paragraphs over and over, their sentences shuffled from the second time on."""
    rng = random.Random(0)
    sentences = [[text[span.start : span.end] for span in split_sentences(text)] for text in paragraphs]
    for at in range(0, passages, PARAGRAPHS):
        numbers = range(at, at + PARAGRAPHS)
        told = [sentences[number % len(sentences)] for number in numbers]
        orders = [
            one if n < len(sentences) else rng.sample(one, len(one)) for n, one in zip(numbers, told, strict=True)
        ]
        text = "\n\n".join(" ".join(order) for order in orders)
        (folder / f"{at:07d}.txt").write_text(text, encoding="utf-8", newline="")


def opened(place: Path, questions: list[str]) -> dict[str, str]:
    """Open the index and search it for every question."""
    begun = time.perf_counter()
    stored = store.load(place)
    retriever = Retriever.from_blobs(stored.blobs, encoder := RandomEncoder(), stored.about["probe"])
    opening = time.perf_counter() - begun
    begun = time.perf_counter()
    Speller(retriever.words).corrected(questions[0])
    spelling = time.perf_counter() - begun
    retriever.retrieve(questions[0])
    taken = []
    for question in questions:
        begun, made_up = time.perf_counter(), encoder.seconds
        retriever.retrieve(question)
        taken.append(1000 * (time.perf_counter() - begun - (encoder.seconds - made_up)))
    return {
        "passages; their sentences": f"{len(retriever.passages):,}; {len(retriever._sentences):,}",
        "s to check and open": f"{opening:.2f}",
        "s more before the first question": f"{spelling:.2f}",
        "ms to search, p50; p95": f"{np.percentile(taken, 50):.1f}; {np.percentile(taken, 95):.1f}",
        "peak MiB of that process": f"{peak_memory():.0f}",
    }


def timed(folder: Path, place: Path, encoder: RandomEncoder) -> float:
    """Bring the index up to date; the seconds that took, without those of making vectors up."""
    begun, made_up = time.perf_counter(), encoder.seconds
    indexed(folder, index=place, encoder=encoder, progress=None)
    return time.perf_counter() - begun - (encoder.seconds - made_up)


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the question-answering sets")
    parser.add_argument("--passages", type=int, default=100_000)
    arguments = parser.parse_args()
    asked = list(rows(arguments.data, "squad1_train"))
    paragraphs = sorted({row["context"] for row in asked if len(row["context"]) <= 700})  # about a passage each
    questions = [row["question"] for row in random.Random(1).sample(asked, QUESTIONS)]
    encoder = RandomEncoder()
    with tempfile.TemporaryDirectory() as scratch:
        folder, place = Path(scratch) / "documents", Path(scratch) / "index"
        folder.mkdir()
        write_documents(paragraphs, folder, passages=arguments.passages)
        made = timed(folder, place, encoder)
        size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        with get_context("spawn").Pool(1) as pool:
            figures = pool.apply(opened, (place, questions))
        with (folder / "0000000.txt").open("a", encoding="utf-8") as file:
            file.write(" One sentence more.")
        updated = timed(folder, place, encoder)
    figures |= {"s to read, cut and store": f"{made:.0f}", "MiB on disk": f"{size / 2**20:.0f}"}
    figures |= {"s to update one document": f"{updated:.1f}"}
    print("\n".join(markdown_table(("figure", "value"), list(figures.items()))))


if __name__ == "__main__":
    main()
