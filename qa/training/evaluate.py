"""A reader's checkpoint and the measuring sets -> F1, exact match, best F1 with unanswerable questions, AUROC."""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from qa.datatypes import Document, Passage, Span
from qa.metrics import auroc, best_f1, bootstrap_interval, exact_match, token_f1
from qa.reader import Reader
from qa.training.prepare import Example, development_examples, misspell, read_set

logger = logging.getLogger(__name__)


def predictions(reader: Reader, examples: Sequence[Example]) -> Iterator[tuple[str, float]]:
    """Yield the best span's text and its score (logit over "not here") for every example, in order."""
    for example in tqdm(examples, desc="reading", unit="example", mininterval=10):
        document = Document(example.example_id, example.context, "", "", "utf-8")
        spans = reader.read(example.question, [Passage(document, Span(0, len(example.context)))], k=1)
        yield (spans[0].document.slice(spans[0].span), spans[0].score) if spans else ("", -100.0)


def measure(reader: Reader, examples: Sequence[Example]) -> dict[str, float]:
    """F1 and exact match of the best span on the answerable ones; with unanswerable ones also best F1 and AUROC.

    Each comes with `_low` and `_high`, its 95 % bootstrap interval over the examples, of which there must be so many of
    either kind that no resample lacks one.
    """
    texts, logits = zip(*predictions(reader, examples), strict=True)
    scores, answerable = np.array(logits), np.array([bool(e.answers) for e in examples])
    f1, exact = (
        np.array([score(text, e.answer_texts) if e.answers else 0.0 for text, e in zip(texts, examples, strict=True)])
        for score in (token_f1, exact_match)
    )

    statistics: dict[str, Callable[[NDArray[np.int64]], float]] = {  # the places of some examples -> a figure
        "f1": lambda at: float(f1[at][answerable[at]].mean()),
        "exact_match": lambda at: float(exact[at][answerable[at]].mean()),
    }
    if not answerable.all():
        statistics["best_f1"] = lambda at: best_f1(scores[at], f1[at], answerable[at]).f1
        statistics["auroc"] = lambda at: auroc(scores[at][answerable[at]], scores[at][~answerable[at]])
    n = len(examples)
    figures: dict[str, float] = {"n": n}
    for name, statistic in statistics.items():
        figures[name] = statistic(np.arange(n))
        figures[f"{name}_low"], figures[f"{name}_high"] = bootstrap_interval(statistic, n)
    return figures


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
