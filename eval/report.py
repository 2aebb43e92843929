"""A function that answers questions, and Examples -> a Report: one Row per question, and the figures derived from them.

Scores the same Reply that people see. A question that raises is scored as wrong and stays in every denominator.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from eval.dataset import HALVES, KINDS, Example
from eval.metrics import (
    aurc,
    contains_phrase,
    expected_calibration_error,
    gold_rank,
    recall_at_k,
    reciprocal_rank,
)
from qa.datatypes import Answer, Citation, Manifest, Reply, Span
from qa.followup import Turn
from qa.metrics import bootstrap_interval, exact_match, token_f1

Ask = Callable[[str, Sequence[Turn]], Reply]  # question, history -> reply
ReadGold = Callable[[str, str, Span], str]  # question, document id, gold span -> what the reader says given its passage

K_VALUES = (1, 3, 5, 10)
CEILINGS = "ceilings"  # the table of floors.toml whose figures must not rise; over all questions asked


@dataclass(frozen=True)
class Row:
    """One question and how it went. The defaults are those of a question that raised."""

    question_id: str
    kind: str
    half: str
    question: str
    answerable: bool
    golds: tuple[str, ...]
    sides_shown: float | None  # share of a disagreement's sides that some answer gives; None for other kinds
    items_found: float | None  # share of a list's entries that some quote gives; None for other kinds
    status: str = "error"  # or the reply's
    predicted: str = ""  # the first answer; "" for none
    confidence: float | None = None  # of the first answer, a calibrated probability
    exact_match: float = 0.0
    f1: float = 0.0
    right: bool = False  # see `is_right`
    gold_rank: int | None = None  # of the first hit that holds a gold, from 1
    gold_passage_exact_match: float | None = None  # of the reader alone, given the passage that holds the first gold
    gold_passage_f1: float | None = None
    citations: int = 0  # all that were checked, near misses too
    misquotes: int = 0  # citations whose words are not those of the document
    milliseconds: float | None = None
    error: str = ""

    @property
    def answered(self) -> bool:
        """Whether the reply gave an answer, or several."""
        return self.status in ("answered", "conflicting")

    @property
    def reciprocal_rank(self) -> float | None:
        """1 / gold_rank, 0.0 if no hit holds a gold, None if there is no gold."""
        return reciprocal_rank(self.gold_rank) if self.golds else None

    def to_dict(self) -> dict[str, Any]:
        """The row as plain data."""
        return {**asdict(self), "reciprocal_rank": self.reciprocal_rank}


@dataclass(frozen=True)
class Figure:
    """A number over n questions (citations for `misquotes`), and for a mean its 95 % bootstrap interval."""

    value: float | None  # None: there was nothing to compute it from
    n: int
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        """Value, interval and n, as the tables have them: a mean with three decimals."""
        if self.value is None:
            return "-"
        if self.low is None:
            return f"{self.value:.4g} (n={self.n})"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] (n={self.n})"


Figures = dict[str, Figure]  # by name


@dataclass(frozen=True)
class Report:
    """The rows of one evaluation; every figure is derived from them."""

    rows: tuple[Row, ...]
    k_values: tuple[int, ...] = K_VALUES
    manifests: tuple[Manifest, ...] = ()  # what made the replies; one, unless the models changed on the way

    @cached_property
    def figures(self) -> dict[str, Figures]:
        """The figures of "all" rows and of each half."""
        halves = {half: [row for row in self.rows if row.half == half] for half in HALVES}
        return {group: derive_figures(rows, self.k_values) for group, rows in {"all": self.rows, **halves}.items()}

    @cached_property
    def kinds(self) -> dict[str, Figures]:
        """The figures of each kind that was asked, in the order of KINDS."""
        by_kind = {kind: [row for row in self.rows if row.kind == kind] for kind in KINDS}
        return {kind: derive_figures(rows, self.k_values) for kind, rows in by_kind.items() if rows}

    def to_dict(self) -> dict[str, Any]:
        """Manifests, figures and rows as plain data."""
        return {
            "manifests": [manifest.to_dict() for manifest in self.manifests],
            "figures": {group: _plain(named) for group, named in self.figures.items()},
            "kinds": {kind: _plain(named) for kind, named in self.kinds.items()},
            "rows": [row.to_dict() for row in self.rows],
        }

    def to_markdown(self) -> str:
        """The figures as a table with a column for each half, then the main ones for each kind.

        Of the recalls each kind has the one at the middle k. A kind that cannot be answered is `right` when refused.
        """
        asked = {group: named for group, named in self.figures.items() if named["right"].n}
        recall = f"recall_at_{self.k_values[len(self.k_values) // 2]}"
        per_kind = ["right", "answered_precision", "exact_match", "f1", recall, "mrr", "gold_passage_f1"]
        per_kind += ["sides_shown", "items_found"]
        lines = [", ".join(f"{name} {value}" for name, value in each.to_dict().items()) for each in self.manifests]
        names = derive_figures((), self.k_values)
        lines += ["", *markdown_table(["figure", *asked], [[name, *(asked[g][name] for g in asked)] for name in names])]
        rows = [[kind, *(named[name] for name in per_kind)] for kind, named in self.kinds.items()]
        return "\n".join([*lines, "", *markdown_table(["kind", *per_kind], rows), ""])


def _plain(named: Figures) -> dict[str, Any]:
    return {name: asdict(figure) for name, figure in named.items()}


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown."""
    yield f"| {' | '.join(header)} |"
    yield f"|{' --- |' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"


def evaluate(
    ask: Ask,
    examples: Iterable[Example],
    *,
    k_values: Sequence[int] = K_VALUES,
    read_gold: ReadGold | None = None,
) -> Report:
    """Ask every example and report how it went.

    Args:
        ask: gives the reply to a question and its history; what it raises is noted, and the question counts as wrong.
        examples: with distinct ids.
        k_values: the cut-offs of recall. A reply with fewer hits than k is judged by those it has.
        read_gold: gives what the reader alone says about a question (as the reply resolved it), a document and a
            gold span when it is given the passage that holds the span; None leaves those figures out.
    """
    rows, manifests = [], []
    for example in examples:
        row, question = _failed(example), example.question
        try:
            reply = ask(example.question, example.history)
        except Exception as err:
            row = replace(row, error=f"{type(err).__name__}: {err}")
        else:
            row, question = _scored(row, example, reply), reply.resolved_question
            manifests.append(reply.manifest)
        rows.append(row if read_gold is None else _with_gold_passage(row, example, question, read_gold))
    return Report(tuple(rows), tuple(k_values), tuple(dict.fromkeys(manifests)))


def _failed(example: Example) -> Row:
    return Row(
        question_id=example.question_id,
        kind=example.kind,
        half=example.half,
        question=example.question,
        answerable=example.answerable,
        golds=example.gold_texts,
        sides_shown=0.0 if example.values else None,
        items_found=0.0 if example.items else None,
    )


def _scored(row: Row, example: Example, reply: Reply) -> Row:
    predicted = reply.answer.text if reply.answer else ""
    quoted = [citation for answer in reply.answers for citation in answer.citations]
    shown = quoted + list(reply.no_answer.near_misses if reply.no_answer else ())
    return replace(
        row,
        status=reply.status,
        predicted=predicted,
        confidence=reply.answer.confidence if reply.answer else None,
        exact_match=exact_match(predicted, row.golds),
        f1=token_f1(predicted, row.golds),
        right=is_right(example, reply),
        gold_rank=gold_rank(reply.hits, example.golds),
        sides_shown=_share_given(example.values, [answer.text for answer in reply.answers]),
        items_found=_share_given(example.items, [citation.quote for citation in quoted]),
        citations=len(shown),
        misquotes=sum(is_misquote(citation) for citation in shown),
        milliseconds=reply.timings_ms["total"],
    )


def _with_gold_passage(row: Row, example: Example, question: str, read_gold: ReadGold) -> Row:
    if not example.golds:
        return row
    gold = example.golds[0]
    predicted = ""
    try:
        predicted = read_gold(question, gold.document_id, gold.span)
    except Exception as err:
        row = replace(row, error=row.error or f"given the gold passage: {type(err).__name__}: {err}")
    match, f1 = exact_match(predicted, row.golds), token_f1(predicted, row.golds)
    return replace(row, gold_passage_exact_match=match, gold_passage_f1=f1)


def is_right(example: Example, reply: Reply) -> bool:
    """Whether the reply says what the example wants.

    An unanswerable question wants no answer. For an answerable one the first answer decides: it equals a gold text
    (after `normalise`), wherever it was found; or a citation of it overlaps a gold span and its token F1 with some
    gold text is at least 0.5, or it gives some side of a disagreement. Whether all sides are shown is `sides_shown`.
    """
    if not example.answerable:
        return reply.status == "no_answer"
    return reply.answer is not None and is_right_answer(example, reply.answer)


def is_right_answer(example: Example, answer: Answer) -> bool:
    """Whether an answer, shown or not, is what an answerable example wants (see `is_right`)."""
    in_place = any(
        citation.document.document_id == gold.document_id and citation.span.overlaps(gold.span)
        for citation in answer.citations
        for gold in example.golds
    )
    near = token_f1(answer.text, example.gold_texts) >= 0.5 or bool(_share_given(example.values, [answer.text]))
    return exact_match(answer.text, example.gold_texts) == 1 or (in_place and near)


def is_misquote(citation: Citation) -> bool:
    """Whether the JSON of a citation fails its promise.

    The quote must be the document's characters start..end and not blank, the context the document's characters from
    context_start, and the quote must lie within the context.
    """
    given, text = citation.to_dict(), citation.document.text
    start, end, context_start = given["start"], given["end"], given["context_start"]
    context_end = context_start + len(given["context"])
    kept = given["quote"].strip() and given["quote"] == text[start:end]
    return not (
        kept and given["context"] == text[context_start:context_end] and context_start <= start <= end <= context_end
    )


def _share_given(wanted: Sequence[Sequence[str]], texts: Sequence[str]) -> float | None:
    """The share of the wanted things that some text contains, in any of the ways to write it; None if none wanted."""
    if not wanted:
        return None
    return sum(any(contains_phrase(text, way) for text in texts for way in ways) for ways in wanted) / len(wanted)


def derive_figures(rows: Sequence[Row], k_values: Sequence[int]) -> Figures:
    """Return every figure over these rows, by name, in the order of the tables.

    right: share of all questions; answerable_right and unanswerable_refused: of either sort; answered_precision:
    share right of those that were answered. exact_match and f1: of the first answer, over answerable questions.
    recall_at_k and mrr: over questions with golds. gold_passage_*: the reader alone, given the gold's passage.
    sides_shown: over disagreements; items_found: over lists. calibration_error and aurc: over answers with a
    confidence, lower is better, without interval. misquotes and errors: counts, over citations and questions.
    """
    answerable = [row for row in rows if row.answerable]
    answered = [row for row in rows if row.answered]
    labelled = [row for row in rows if row.golds]
    sure = [row for row in answered if row.confidence is not None]
    confidences, correct = np.array([row.confidence for row in sure], dtype=float), [row.right for row in sure]
    citations = sum(row.citations for row in rows)
    times = [row.milliseconds for row in rows if row.milliseconds is not None]
    return {
        "right": mean(row.right for row in rows),
        "answerable_right": mean(row.right for row in answerable),
        "unanswerable_refused": mean(row.right for row in rows if not row.answerable),
        "answered_precision": mean(row.right for row in answered),
        "exact_match": mean(row.exact_match for row in answerable),
        "f1": mean(row.f1 for row in answerable),
        **{f"recall_at_{k}": mean(recall_at_k(row.gold_rank, k=k) for row in labelled) for k in k_values},
        "mrr": mean(row.reciprocal_rank for row in labelled),
        "gold_passage_exact_match": mean(row.gold_passage_exact_match for row in labelled),
        "gold_passage_f1": mean(row.gold_passage_f1 for row in labelled),
        "sides_shown": mean(row.sides_shown for row in rows),
        "items_found": mean(row.items_found for row in rows),
        "calibration_error": Figure(expected_calibration_error(confidences, correct) if sure else None, len(sure)),
        "aurc": Figure(aurc(confidences, correct) if sure else None, len(sure)),
        "misquotes": Figure(sum(row.misquotes for row in rows) if citations else None, citations),
        "errors": Figure(sum(bool(row.error) for row in rows) if rows else None, len(rows)),
        "latency_p50_ms": Figure(float(np.quantile(times, 0.5)) if times else None, len(times)),
        "latency_p95_ms": Figure(float(np.quantile(times, 0.95)) if times else None, len(times)),
    }


def mean(values: Iterable[float | None]) -> Figure:
    """The mean of the values that are known, with its interval; no value if none is."""
    known = [value for value in values if value is not None]
    if not known:
        return Figure(None, 0)
    sample = np.array(known, dtype=float)
    interval = bootstrap_interval(lambda at: float(sample[at].mean()), sample.size, resamples=2000)  # a mean is cheap
    return Figure(float(sample.mean()), sample.size, *interval)


def below_floors(report: Report, floors: Mapping[str, Mapping[str, float]]) -> list[str]:
    """Return what fell below its floor, one line each; empty if nothing did.

    The tables "all", "development" and "report" hold the least each figure may be over that group; the table
    "ceilings" holds the most it may be over all questions. A figure that could not be computed has fallen.

    Example: "report.unanswerable_refused: 0.71 is below its floor 0.75".

    Raises ValueError naming a table or figure that does not exist.
    """
    fallen = []
    for table, limits in floors.items():
        group = "all" if table == CEILINGS else table
        if group not in report.figures:
            raise ValueError(f"unknown table [{table}]; choose from {', '.join([*report.figures, CEILINGS])}")
        named = report.figures[group]
        for name, limit in limits.items():
            if name not in named:
                raise ValueError(f"unknown figure {name!r} in [{table}]; choose from {', '.join(named)}")
            value, bound = named[name].value, "ceiling" if table == CEILINGS else "floor"
            if value is None:
                fallen.append(f"{group}.{name}: could not be computed, its {bound} is {limit:.4g}")
            elif table == CEILINGS and value > limit:
                fallen.append(f"{group}.{name}: {value:.4g} is above its ceiling {limit:.4g}")
            elif table != CEILINGS and value < limit:
                fallen.append(f"{group}.{name}: {value:.4g} is below its floor {limit:.4g}")
    return fallen
