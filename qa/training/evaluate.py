"""A reader's checkpoint and the measuring sets -> F1, exact match, best F1 with unanswerable questions, AUROC."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from qa.datatypes import Document, Passage, Span
from qa.metrics import auroc, best_f1, exact_match, token_f1
from qa.reader import Reader
from qa.training.prepare import Example, development_examples, misspell, read_set

logger = logging.getLogger(__name__)
RESAMPLES = 1000


def predictions(reader: Reader, examples: Sequence[Example]) -> Iterator[tuple[str, float]]:
    """Yield the best span's text and its score (logit over "not here") for every example, in order."""
    for example in tqdm(examples, desc="reading", unit="example", mininterval=10):
        document = Document(example.example_id, example.context, "", "", "utf-8")
        spans = reader.read(example.question, [Passage(document, Span(0, len(example.context)))], k=1)
        yield (spans[0].document.slice(spans[0].span), spans[0].score) if spans else ("", -100.0)


def measure(reader: Reader, examples: Sequence[Example]) -> dict[str, float]:
    """F1 and exact match of the best span on the answerable ones; with unanswerable ones also best F1 and AUROC.

    Each comes with `_low` and `_high`, its 95 % percentile bootstrap interval over RESAMPLES of the examples, of which
    there must be so many of either kind that none lacks one.
    Source: Efron and Tibshirani 1993, chapter 13.
    """
    texts, logits = zip(*predictions(reader, examples), strict=True)
    scores, answerable = np.array(logits), np.array([bool(e.answers) for e in examples])
    f1, exact = (
        np.array([score(text, e.answer_texts) if e.answers else 0.0 for text, e in zip(texts, examples, strict=True)])
        for score in (token_f1, exact_match)
    )

    def figures_of(rows: NDArray[np.int64]) -> dict[str, float]:
        positive = answerable[rows]
        figures = {"f1": float(f1[rows][positive].mean()), "exact_match": float(exact[rows][positive].mean())}
        if not answerable.all():
            figures["best_f1"] = best_f1(scores[rows], f1[rows], positive).f1
            figures["auroc"] = auroc(scores[rows][positive], scores[rows][~positive])
        return figures

    rng, n = np.random.default_rng(0), len(examples)
    figures = figures_of(np.arange(n))
    resamples = [figures_of(rng.integers(n, size=n)) for _ in range(RESAMPLES)]
    intervals = {name: np.quantile([one[name] for one in resamples], [0.025, 0.975]).tolist() for name in figures}
    ends = {f"{name}_{end}": intervals[name][at] for name in figures for at, end in enumerate(("low", "high"))}
    return {"n": n, **figures, **ends}


def evaluate(checkpoint: Path, data: Path) -> dict[str, dict[str, float]]:
    """Measure a checkpoint on every set."""
    import random

    reader = Reader(str(checkpoint))
    wiki = list(read_set(data, "squadshifts_new_wiki"))
    rng = random.Random(0)
    sets = {
        "squadshifts_new_wiki": wiki,
        "squadshifts_new_wiki, first 1,000, misspelt": [
            Example(e.example_id, e.source, e.title, misspell(e.question, rng), e.context, e.answers)
            for e in wiki[:1000]
        ],
        "squadshifts_new_wiki, first 1,000": wiki[:1000],
        "development titles of SQuAD": development_examples(data),
        "clapnq_dev": list(read_set(data, "clapnq_dev")),
    }
    figures = {}
    for name, examples in sets.items():
        figures[name] = measure(reader, examples)
        logger.info("%s: %s", name, {key: round(value, 4) for key, value in figures[name].items()})
    return figures
