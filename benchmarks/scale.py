"""An index of many passages: how long do making, opening and searching it take, and how large is it?

    python benchmarks/scale.py --data DIR [--passages 100000]

DIR holds `squad1_train`: its paragraphs, and the same with their sentences in other orders, are the documents. The vectors
are random, because embedding so many takes hours and a search takes as long whatever they are: so
nothing is said here about what is found. Prints a Markdown table.
"""

import argparse
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from outside import rows

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

    def encode_query(self, texts: list[str], /) -> Vectors:
        """Return one vector per text, shape (n_texts, 384)."""
        return self.encode_document(texts)

    def encode_document(self, texts: list[str], /, *, progress: Callable[[int], Any] | None = None) -> Vectors:
        """Return the same."""
        vectors = np.array([np.random.default_rng(crc32(text.encode())).normal(size=384) for text in texts])
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def write_documents(paragraphs: list[str], folder: Path, *, passages: int) -> None:
    """Write about so many passages: the paragraphs over and over, their sentences shuffled from the second time on."""
    rng = random.Random(0)
    sentences = [[text[span.start : span.end] for span in split_sentences(text)] for text in paragraphs]
    for at in range(0, passages, PARAGRAPHS):
        chosen = [sentences[number % len(sentences)] for number in range(at, at + PARAGRAPHS)]
        orders = [one if at < len(sentences) else rng.sample(one, len(one)) for one in chosen]
        text = "\n\n".join(" ".join(order) for order in orders)
        (folder / f"{at:07d}.txt").write_text(text, encoding="utf-8", newline="")


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the question-answering sets")
    parser.add_argument("--passages", type=int, default=100_000)
    arguments = parser.parse_args()
    asked = list(rows(arguments.data, "squad1_train"))
    paragraphs = sorted({row["context"] for row in asked if len(row["context"]) <= 700})  # one passage each
    questions = [row["question"] for row in random.Random(1).sample(asked, QUESTIONS)]
    encoder = RandomEncoder()
    with tempfile.TemporaryDirectory() as scratch:
        folder, place = Path(scratch) / "documents", Path(scratch) / "index"
        folder.mkdir()
        write_documents(paragraphs, folder, passages=arguments.passages)
        begun = time.perf_counter()
        indexed(folder, index=place, encoder=encoder, progress=None)
        made = time.perf_counter() - begun
        size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
        begun = time.perf_counter()
        stored = store.load(place)
        retriever = Retriever.from_blobs(stored.blobs, encoder, stored.about["probe"])
        opened = time.perf_counter() - begun
        speller = Speller(document.text for document in retriever.corpus.documents)
        begun = time.perf_counter()
        speller.corrected(questions[0])
        spelled = time.perf_counter() - begun
        retriever.retrieve(questions[0])
        taken = []
        for question in questions:
            begun = time.perf_counter()
            retriever.retrieve(question)
            taken.append(1000 * (time.perf_counter() - begun))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {
        "passages": f"{len(retriever.passages):,}",
        "s to read, cut and store, vectors made up": f"{made:.0f}",
        "MiB on disk": f"{size / 2**20:.0f}",
        "s to check and open": f"{opened:.2f}",
        "s more before the first question": f"{spelled:.2f}",
        "ms to search, p50": f"{np.percentile(taken, 50):.1f}",
        "ms to search, p95": f"{np.percentile(taken, 95):.1f}",
        "peak MiB": f"{peak:.0f}",
    }
    print("\n".join(markdown_table(("figure", "value"), list(figures.items()))))  # noqa: T201 a program's output


if __name__ == "__main__":
    main()
