"""Development questions, asked of their documents -> `qa/calibration.json` and `qa/rivalry.json`.

Four kinds of development corpora, on none of which the shipped reader was trained: small running stories of five
articles, those in `DATA/corpora` and this project's own in `questions/corpora`; affairs of six passages whose questions
were written before the text that answers them, some of each (the `.json` files of `questions/inquiries`; the others are
trained on); corpora made here from SQuAD's development titles (with unanswerable twins and questions about other
titles); and the development half of the evaluation questions. The regressions are fitted on all but the last, the
threshold is chosen on the running stories and the development half: the lowest at which the wanted share of
unanswerable questions is refused.

What tells the sides of a disagreement is fitted on all running stories, and on more of this project's own in
`questions/disagreements`, whose documents give different figures for one thing and like figures for others.

With `--every N`, for a slow machine, each Nth question of a corpus is asked (they stand by kind, so that all kinds are
among them), but every one about a disagreement, and of the development half.
"""

import argparse
import json
import math
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from embeddings.encoder import fingerprint
from qa.answers import Rivalry, RivalryFit, rivalry, save_rivalry_fit
from qa.assistant import Assistant
from qa.confidence import Calibration, Features, features, logistic, save_calibration
from qa.datatypes import Answer, Span
from qa.followup import Turn
from qa.metrics import Rated, auroc, token_f1
from qa.reader import DEFAULT_READER
from qa.training.prepare import (
    OWN,
    Example,
    development_examples,
)

REFUSED = 0.87  # share of unanswerable questions that must be refused at the threshold: 0.85, and a margin for others
CONTENDERS = 2  # best-scored candidates of a question that are fitted on: further ones hardly ever come first
ALARMS = 0.03  # share of the answerable questions without a disagreement that may be shown one: few, for each misleads
INQUIRIES = 80  # questions asked of each affair of `questions/inquiries`: they do not outnumber all others
PARTS = 10
NAMES = tuple(Features.__dataclass_fields__)
Gold = tuple[str, int, str]  # document_id, start, text


@dataclass(frozen=True)
class Question:
    """A development question; it has no golds if it cannot be answered."""

    text: str
    golds: tuple[Gold, ...]
    history: tuple[Turn, ...] = ()


@dataclass(frozen=True)
class Candidate:
    """What one candidate answer was like, and whether it was right."""

    described: Features
    right: bool
    answer: Answer


@dataclass(frozen=True)
class Outcome:
    """The candidates of one question, at least one, shown or not."""

    candidates: tuple[Candidate, ...]
    answerable: bool


def outcomes(assistant: Assistant, questions: Sequence[Question]) -> Iterator[Outcome]:
    """Ask every question and describe its candidates; a question without any is left out."""
    for question in tqdm(questions, unit="question", mininterval=10):
        found = assistant.find(question.text, history=question.history)
        described = features(found.asked, found.candidates, found.hits)
        candidates = [
            Candidate(one, matches(answer, question.golds), answer)
            for answer, one in zip(found.candidates, described, strict=True)
        ]
        if candidates:
            yield Outcome(tuple(candidates), bool(question.golds))


def matches(answer: Answer, golds: Sequence[Gold]) -> bool:
    """Whether one of an answer's places overlaps a gold one, with a token F1 of at least a half."""
    return any(
        name == place.document.document_id
        and place.span.overlaps(Span(at, at + len(text)))
        and token_f1(place.quote, [text]) >= 0.5
        for place in answer.citations
        for name, at, text in golds
    )


def stories(corpora: Path) -> Iterator[tuple[Path, list[Question]]]:
    """Yield the documents folder and the questions of every running story."""
    for story in sorted(path for path in corpora.iterdir() if path.is_dir()):
        lines = (story / "questions.jsonl").read_text(encoding="utf-8").split("\n")
        yield story / "documents", [_question(json.loads(line)) for line in lines if line]


def own_stories(folder: Path, kind: str = "corpora") -> Iterator[tuple[Path, list[Question]]]:
    """Write the documents of every running story of this project's own of one kind; yield them with their questions."""
    for path in sorted((OWN / kind).glob("*.json")):
        story, place = json.loads(path.read_text(encoding="utf-8")), folder / path.stem / "documents"
        place.mkdir(parents=True)
        for name, text in story["documents"].items():
            (place / name).write_text(text, encoding="utf-8", newline="")
        yield place, [_question(row) for row in story["questions"]]


def _question(row: dict[str, Any]) -> Question:
    golds = tuple((a.get("document_id", a.get("doc")), a["start"], a["text"]) for a in row.get("answers", ()))
    return Question(row["question"], golds, tuple(row.get("history", ())))


def made_corpora(
    examples: Sequence[Example], folder: Path, *, titles: int, seed: int
) -> Iterator[tuple[Path, list[Question]]]:
    """Write up to 25 contexts of each of some titles as documents of one corpus; yield it with its questions.

    Ten questions beside up to 30 of a corpus's own belong to other titles: about something its documents do not hold.
    """
    rng = random.Random(seed)
    by_title: dict[str, list[Example]] = defaultdict(list)
    for example in examples:
        by_title[example.title].append(example)
    for number, title in enumerate(rng.sample(sorted(by_title), min(titles, len(by_title)))):
        contexts = sorted({e.context for e in by_title[title]})[:25]
        questions = written([e for e in by_title[title] if e.context in contexts], folder / f"{number:02d}")
        own = rng.sample(questions, min(30, len(questions)))
        foreign = rng.sample([e for e in examples if e.title != title], 10)
        yield folder / f"{number:02d}", own + [Question(e.question, ()) for e in foreign]


def written(examples: Sequence[Example], folder: Path) -> list[Question]:
    """Write the contexts of some examples as documents of a new folder; return their questions, in order."""
    folder.mkdir()
    names = {context: f"{i:03d}.txt" for i, context in enumerate(sorted({e.context for e in examples}))}
    for context, name in names.items():
        (folder / name).write_text(context, encoding="utf-8", newline="")
    return [
        Question(e.question, tuple((names[e.context], start, e.context[start:end]) for start, end in e.answers))
        for e in examples
    ]


def fit(rows: Sequence[Outcome]) -> Calibration:
    """Fit both regressions; the calibration names no reader yet, and its threshold is 0.5.

    Plausibility is fitted on every question's CONTENDERS, confidence on the share of its likeliest candidate.
    Source of the second: Platt 1999, section 2, with scikit-learn's penalty in place of his smoothed targets.
    """
    by_score = [sorted(row.candidates, key=lambda c: -c.described.score) for row in rows]  # they come by a former fit
    contenders = [candidate for found in by_score for candidate in found[:CONTENDERS]]
    values = np.array([[getattr(candidate.described, name) for name in NAMES] for candidate in contenders])
    mean, scale = values.mean(axis=0), values.std(axis=0) + 1e-9
    weights, intercept = _regression((values - mean) / scale, [candidate.right for candidate in contenders])
    named = {name: round(float(weight), 5) for name, weight in zip(NAMES, weights / scale, strict=True)}
    intercept -= float(weights / scale @ mean)
    by_share = Calibration("", named, round(intercept, 5), threshold=0.5, slope=1.0, shift=0.0)
    rated = [rate(by_share, row) for row in rows]
    shares = np.array([[math.log(one.confidence / (1 - one.confidence))] for one in rated])
    (slope,), shift = _regression(shares, [one.right for one in rated])
    return replace(by_share, slope=round(float(slope), 5), shift=round(shift, 5))


def _regression(values: np.ndarray, right: Sequence[bool] | np.ndarray) -> tuple[np.ndarray, float]:
    """Fit a logistic regression on values, (n_rows, n_columns): its weights and its intercept."""
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # it ships no types

    model = LogisticRegression(C=1.0, max_iter=1000).fit(values, right)
    return model.coef_[0], float(model.intercept_[0])


def rivals(row: Outcome, calibration: Calibration) -> list[tuple[Rivalry, bool]]:
    """The rivals of a question's likeliest candidate, and whether both are right; none if it would not be shown."""
    rated = [(calibration.plausibility(candidate.described), candidate) for candidate in row.candidates]
    (highest, first), *others = sorted(rated, key=lambda pair: -pair[0])
    if highest < calibration.threshold:
        return []
    compared = [
        (rivalry(first.answer, replace(other.answer, plausibility=likely)), other.right) for likely, other in others
    ]
    return [(pair, first.right and right) for pair, right in compared if pair]


def fit_rivalry(corpora: Sequence[Sequence[Outcome]], calibration: Calibration) -> tuple[RivalryFit, dict[str, float]]:
    """Fit what tells whether a rival is right as well, and choose its threshold; also return what was measured.

    Fitted are the rivals of every question that is answered, answerable or not. The threshold is the lowest at which at
    most ALARMS of the answerable questions without a right rival are shown one, by the probabilities that a fit on
    other corpora gives, PARTS in turn (the calibration has seen some of them).
    Raises ValueError if all rivals are right, or none.
    """
    rows = [(part % PARTS, row, rivals(row, calibration)) for part, corpus in enumerate(corpora) for row in corpus]
    pairs = [(part, number, *pair) for number, (part, _, found) in enumerate(rows) for pair in found]
    parts, numbers, both = (np.array([pair[column] for pair in pairs]) for column in (0, 1, 3))
    values = np.array([pair[2] for pair in pairs])
    if both.all() or not both.any():
        raise ValueError("the documents never differ, or always; add corpora that differ, and some that do not")
    likely = np.empty(len(pairs))
    for part in set(parts.tolist()):
        weights, intercept = _regression(values[parts != part], both[parts != part])
        likely[parts == part] = [logistic(logit) for logit in values[parts == part] @ weights + intercept]
    loudest, best = np.zeros(len(rows)), np.zeros(len(rows))  # of each question the likeliest rival, and right one
    np.maximum.at(loudest, numbers, likely)
    np.maximum.at(best, numbers[both], likely[both])
    quiet = np.array([row.answerable for _, row, _ in rows]) & (best == 0)
    threshold = _just_above(loudest[quiet], 1 - ALARMS)
    weights, intercept = _regression(values, both)
    named = {name: round(float(weight), 5) for name, weight in zip(Rivalry._fields, weights, strict=True)}
    return RivalryFit(named, round(intercept, 5), threshold), {
        "rivals": len(pairs),
        "auroc both right or not": round(auroc(likely[both], likely[~both]), 3),
        "disagreements among the candidates": int((best > 0).sum()),
        "of them shown": int((best >= threshold).sum()),
        "other answerable questions": int(quiet.sum()),
        "of them shown a rival": int((loudest[quiet] >= threshold).sum()),
    }


def rate(calibration: Calibration, row: Outcome) -> Rated:
    """Choose as the assistant does where it finds no disagreement."""
    rated = [(calibration.plausibility(candidate.described), candidate.right) for candidate in row.candidates]
    (plausibility, right), *others = sorted(rated, key=lambda pair: -pair[0])
    confidence = calibration.confidence(plausibility, [other for other, _ in others])
    return Rated(confidence, plausibility, right, row.answerable)


def choose_threshold(rows: Sequence[Rated]) -> float:
    """The lowest plausibility at which at least REFUSED of the unanswerable questions stay below it."""
    return _just_above(np.array([row.plausibility for row in rows if not row.answerable]), REFUSED)


def _just_above(values: np.ndarray, share: float) -> float:
    """The lowest number, to three places, that at least this share of the values, each in [0, 1), stay below."""
    return float(round(np.sort(values)[int(np.ceil(share * len(values))) - 1] + 0.001, 3))


def main() -> None:
    """Parse the command line, ask, fit, choose, write; print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m qa.training.calibrate", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the question-answering sets")
    parser.add_argument("--questions", type=Path, required=True, help="the evaluation questions")
    parser.add_argument("--docs", type=Path, required=True, help="their documents")
    parser.add_argument("--reader", default=DEFAULT_READER, help="the reader to calibrate")
    parser.add_argument("--titles", type=int, default=16, help="how many corpora to make of SQuAD titles")
    parser.add_argument("--every", type=int, choices=range(1, 21), default=1, metavar="N", help="ask each Nth question")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)

        def run(documents: Path, questions: list[Question], every: int = arguments.every) -> list[Outcome]:
            index = place / f"index-{documents.parent.name}-{documents.name}"
            assistant = Assistant.from_folder(documents, index=index, reader=arguments.reader)
            return list(outcomes(assistant, questions[::every]))

        examples = development_examples(arguments.data)
        fourteen = [run(*corpus) for corpus in stories(arguments.data / "corpora")]
        told = fourteen + [run(*corpus) for corpus in own_stories(place)]
        disputed = [run(*corpus, every=1) for corpus in own_stories(place, "disagreements")]
        drawn = random.Random(5)
        inquired = [
            run(documents, drawn.sample(questions, INQUIRIES))
            for documents, questions in own_stories(place, "inquiries")
        ]
        made = [run(*corpus) for corpus in made_corpora(examples, place, titles=arguments.titles, seed=0)]
        asked = [json.loads(line) for line in arguments.questions.read_text(encoding="utf-8").split("\n") if line]
        halves = run(arguments.docs, [_question(row) for row in asked if row["half"] == "development"], every=1)
    corpora = told + inquired + made
    crossed: list[list[Rated]] = []  # every corpus rated by a regression that has not seen it
    for i, corpus in enumerate(corpora):
        unseen = fit([row for j, other in enumerate(corpora) if j != i for row in other])
        crossed.append([rate(unseen, row) for row in corpus])
    calibration = fit([row for corpus in corpora for row in corpus])
    half = [rate(calibration, row) for row in halves]
    of_stories = list(chain.from_iterable(crossed[: len(told)]))
    threshold = choose_threshold(of_stories + half)
    calibration = replace(calibration, reader_fingerprint=fingerprint(Path(arguments.reader)), threshold=threshold)
    save_calibration(calibration)
    fitted, measured = fit_rivalry(told + disputed, calibration)
    save_rivalry_fit(fitted)
    print("disagreements", json.dumps(measured))  # noqa: T201 a program's output
    for name, rows in (
        ("corpora, cross-validated", list(chain.from_iterable(crossed))),
        ("running stories, cross-validated", of_stories),
        ("of them those of DATA", list(chain.from_iterable(crossed[: len(fourteen)]))),
        ("and this project's own", list(chain.from_iterable(crossed[len(fourteen) : len(told)]))),
        ("inquiries, cross-validated", list(chain.from_iterable(crossed[len(told) : len(told) + len(inquired)]))),
        ("corpora of SQuAD, cross-validated", list(chain.from_iterable(crossed[len(told) + len(inquired) :]))),
        ("development half", half),
    ):
        print(name, json.dumps(_figures(rows, threshold)))  # noqa: T201 a program's output


def _figures(rated: Sequence[Rated], threshold: float) -> dict[str, float]:
    shown = [row for row in rated if row.plausibility >= threshold]
    answerable = sum(row.answerable for row in rated)
    refused = sum(not row.answerable and row.plausibility < threshold for row in rated)
    figures = {
        "n": len(rated),
        "auroc right/wrong": auroc(
            [r.confidence for r in rated if r.right], [r.confidence for r in rated if not r.right]
        ),
        "answerable, candidate right": sum(row.right for row in rated) / answerable,
        "answerable, answered right": sum(row.right for row in shown) / answerable,
        "unanswerable refused": refused / max(1, len(rated) - answerable),
        "precision": sum(row.right for row in shown) / max(1, len(shown)),
        "all right": (sum(row.right for row in shown) + refused) / len(rated),
    }
    return {name: round(value, 3) for name, value in figures.items()}


if __name__ == "__main__":
    main()
