"""eval/report.py: replies made by hand in, figures worked by hand out."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from eval.__main__ import main
from eval.dataset import Example, Gold
from eval.report import Figure, Report, below_floors, evaluate, is_misquote, is_right
from qa.datatypes import (
    Answer,
    Citation,
    Corpus,
    Document,
    Hit,
    Manifest,
    NoAnswer,
    Passage,
    Reply,
    ScoredSpan,
    Span,
    Status,
)
from qa.followup import Turn

A = Document("a.txt", "China has signed 39 extradition treaties. Peru and Chile signed.", "", "a", "utf-8")
B = Document("b.txt", "China has treaties with 48 countries. It paid 39 million.", "", "b", "utf-8")
MANIFEST = Manifest("toy", "toy", "0", "1")


def place(document: Document, text: str) -> Citation:
    """Cite the first place of the text, with the whole document as its sentence."""
    start = document.text.index(text)
    return Citation(document, Span(start, start + len(text)), Span(0, len(document.text)))


def gold(document: Document, text: str) -> Gold:
    """Label the first place of the text."""
    return Gold(document.document_id, document.text.index(text), text)


def answered(*citations: Citation, hits: Sequence[Hit] = (), confidence: float | None = None) -> Reply:
    """Answer with one answer per citation: conflicting if there are two or more."""
    answers = tuple(Answer(citation.quote, 1.0, confidence, (citation,)) for citation in citations)
    status: Status = "answered" if len(answers) == 1 else "conflicting"
    return Reply("?", "?", status, answers, None, MANIFEST, {"total": 10.0}, tuple(hits))


def refused(*near: Citation) -> Reply:
    """Answer nothing."""
    return Reply("?", "?", "no_answer", (), NoAnswer("no_span", 0.5, None, near), MANIFEST, {"total": 30.0})


def example(name: str, *golds: Gold, kind: str = "number", half: str = "report", **more: Any) -> Example:
    """Make an example whose question is its name; answerable if it has golds."""
    return Example(name, name, kind, half, bool(golds), golds, **more)


TREATIES = example("treaties", gold(A, "39 extradition treaties"))
NOWHERE = example("nowhere", kind="unanswerable_far", half="development")
SIDES = example("sides", gold(A, "39"), gold(B, "48"), kind="disagreement", values=(("39",), ("48", "forty-eight")))
HIT_A, HIT_B = (Hit(Passage(document, Span(0, len(document.text))), 1.0, 0.5) for document in (A, B))


def report_of(*pairs: tuple[Example, Reply | None], **more: Any) -> Report:
    """Evaluate a function that knows these replies, and raises for None."""
    replies = {example.question: reply for example, reply in pairs}

    def ask(question: str, history: Sequence[Turn]) -> Reply:
        reply = replies[question]
        if reply is None:
            raise RuntimeError("out of ink")
        return reply

    return evaluate(ask, [example for example, _ in pairs], **more)


@pytest.mark.parametrize(
    ("asked", "reply", "expected"),
    [
        (TREATIES, answered(place(A, "39 extradition treaties")), True),
        (TREATIES, answered(place(A, "signed 39")), False),  # F1 2 * 1 / (2 + 3) = 2/5
        (TREATIES, answered(place(A, "39 extradition")), True),  # F1 2 * 2 / (2 + 3) = 4/5
        (TREATIES, answered(place(B, "39")), False),  # F1 1/2, but of another place
        (example("n", gold(A, "39")), answered(place(B, "39")), True),  # equal, wherever it was found
        (TREATIES, answered(place(B, "48"), place(A, "39 extradition treaties")), False),  # only the second is right
        (TREATIES, refused(), False),
        (NOWHERE, refused(), True),
        (NOWHERE, answered(place(A, "39")), False),
        (SIDES, answered(place(B, "treaties with 48 countries. It paid")), True),  # F1 2/7, but gives a side, in place
        (SIDES, answered(place(B, "It paid 39 million")), False),  # has the digits of a side, but elsewhere
    ],
)
def test_is_right_wants_the_first_answer_in_place_or_equal(asked: Example, reply: Reply, expected: bool) -> None:
    """Overlap and F1 of at least 1/2, or equal text, or a side of a disagreement."""
    assert is_right(asked, reply) is expected


def test_is_right_takes_any_citation_of_the_first_answer() -> None:
    """The labelled place is the second one that says it."""
    reply = answered(place(B, "39"))
    both = Answer("39", 1.0, None, (*reply.answers[0].citations, place(A, "39")))
    assert is_right(TREATIES, Reply("?", "?", "answered", (both,), None, MANIFEST, {"total": 1.0}))


def test_a_question_that_raises_counts_as_wrong_in_every_denominator() -> None:
    """One right, one raised, of two answerable; the raised unanswerable one is not refused."""
    ok = answered(place(A, "39 extradition treaties"), hits=[HIT_A])
    report = report_of((TREATIES, ok), (example("b", gold(B, "48")), None), (NOWHERE, None))
    named = report.figures["all"]
    assert named["right"].value == pytest.approx(1 / 3)
    assert named["right"].n == 3
    assert (named["answerable_right"].value, named["answerable_right"].n) == (1 / 2, 2)
    assert (named["unanswerable_refused"].value, named["unanswerable_refused"].n) == (0, 1)
    assert (named["f1"].value, named["recall_at_1"].value, named["mrr"].value) == (1 / 2, 1 / 2, 1 / 2)
    assert (named["errors"].value, named["answered_precision"].n) == (2, 1)
    assert [row.error for row in report.rows] == ["", "RuntimeError: out of ink", "RuntimeError: out of ink"]


def test_figures_are_worked_by_hand() -> None:
    """Two answered, one of them right; one unanswerable refused; gold passages at ranks 2 and none."""
    wrong = example("b", gold(B, "48 countries"))
    report = report_of(
        (TREATIES, answered(place(A, "39 extradition"), hits=[HIT_B, HIT_A], confidence=0.9)),
        (wrong, answered(place(A, "39"), hits=[HIT_A], confidence=0.7)),
        (NOWHERE, refused(place(A, "39"))),
        k_values=(1, 2),
    )
    values = {name: figure.value for name, figure in report.figures["all"].items()}
    assert values == {
        "right": pytest.approx(2 / 3),
        "answerable_right": 1 / 2,
        "unanswerable_refused": 1,
        "answered_precision": 1 / 2,
        "exact_match": 0,
        "f1": pytest.approx((4 / 5 + 0) / 2),
        "recall_at_1": 0,
        "recall_at_2": 1 / 2,
        "mrr": (1 / 2 + 0) / 2,
        "gold_passage_exact_match": None,
        "gold_passage_f1": None,
        "sides_shown": None,
        "items_found": None,
        "calibration_error": pytest.approx((0.1 + 0.7) / 2),
        "aurc": (0 + 1 / 2) / 2,
        "misquotes": 0,
        "errors": 0,
        "latency_p50_ms": 10,
        "latency_p95_ms": pytest.approx(28),  # a tenth of the way back from 30 to 10
    }
    assert report.figures["all"]["misquotes"].n == 3  # near misses are checked too
    assert report.figures["development"]["right"].n == 1
    assert report.kinds["number"]["right"].value == 1 / 2
    assert list(report.kinds) == ["number", "unanswerable_far"]


def test_sides_and_items_are_shares() -> None:
    """One of two sides in any answer's text; two of three entries in any quote."""
    entries = (("Peru",), ("Chile",), ("Bolivia", "Plurinational State"))
    asked = example("list", gold(A, "Peru and Chile"), kind="list", items=entries)
    report = report_of((SIDES, answered(place(B, "48"))), (asked, answered(place(A, "Peru"), place(A, "Chile"))))
    assert report.figures["all"]["sides_shown"].value == 1 / 2
    assert report.figures["all"]["items_found"].value == pytest.approx(2 / 3)


def test_both_sides_of_a_conflict_are_shown() -> None:
    """Each answer gives one."""
    report = report_of((SIDES, answered(place(A, "39"), place(B, "48"))))
    assert report.figures["all"]["sides_shown"].value == 1


def test_the_reader_is_given_the_first_gold() -> None:
    """It reads 39 for one example and raises for the other, which stays in the denominator with 0."""
    given = []

    def read_gold(question: str, document_id: str, span: Span) -> str:
        given.append((question, document_id, span))
        if document_id == "b.txt":
            raise RuntimeError("out of ink")
        return "39"

    other = example("b", gold(B, "48"))
    report = report_of((SIDES, refused()), (other, None), (NOWHERE, refused()), read_gold=read_gold)
    assert given == [("?", "a.txt", Span(17, 19)), ("b", "b.txt", Span(24, 26))]
    figure = report.figures["all"]["gold_passage_exact_match"]
    assert (figure.value, figure.n) == (1 / 2, 2)


def test_is_misquote_notices_a_quote_that_is_not_the_documents() -> None:
    """A citation cannot be built wrong, so this one lies."""

    class Liar(Citation):
        @property
        def quote(self) -> str:
            return "49"

    honest = place(A, "39")
    assert not is_misquote(honest)
    assert is_misquote(Liar(honest.document, honest.span, honest.sentence))
    assert is_misquote(Citation(A, Span(3, 3), Span(0, 9)))  # empty
    assert is_misquote(Citation(A, honest.span, Span(0, 18)))  # the context ends within the quote


def test_report_as_data_holds_every_row() -> None:
    """It is JSON, and says what made the replies."""
    data = json.loads(json.dumps(report_of((TREATIES, answered(place(A, "39"))), (NOWHERE, None)).to_dict()))
    assert [row["status"] for row in data["rows"]] == ["answered", "error"]
    assert data["rows"][0]["reciprocal_rank"] == 0
    assert data["figures"]["report"]["right"] == {"value": 1.0, "n": 1, "low": 1.0, "high": 1.0}
    assert data["manifests"] == [MANIFEST.to_dict()]


def test_report_as_markdown_has_a_table_of_figures_and_one_of_kinds() -> None:
    """A half without questions has no column; a figure without questions is a dash."""
    lines = report_of((TREATIES, answered(place(A, "39 extradition treaties")))).to_markdown().splitlines()
    assert lines[0] == "reader toy, encoder toy, corpus_sha256 0, version 1"
    assert lines[2] == "| figure | all | report |"
    assert lines[4] == "| right | 1.000 [1.000, 1.000] (n=1) | 1.000 [1.000, 1.000] (n=1) |"
    assert "| sides_shown | - | - |" in lines


def test_report_as_markdown_says_of_each_kind_what_retrieval_and_reader_do() -> None:
    """One question has a wrong answer and its passage second, the other is refused; recall is at the middle k."""
    found = answered(place(A, "Peru"), hits=[HIT_B, HIT_A])
    report = report_of((TREATIES, found), (NOWHERE, refused()), k_values=(1, 2, 3), read_gold=lambda *_: "39")
    header, _, number, nowhere = report.to_markdown().splitlines()[-4:]
    names = ("kind", "right", "answered_precision", "exact_match", "f1", "recall_at_2", "mrr", "gold_passage_f1")
    assert header == f"| {' | '.join(names)} | sides_shown | items_found |"
    cells = dict(zip(names, number.strip("| ").split(" | "), strict=False))
    assert cells["kind"] == "number"
    assert {name: cell.split(" [")[0] for name, cell in cells.items() if name != "kind"} == {
        "right": "0.000",
        "answered_precision": "0.000",
        "exact_match": "0.000",
        "f1": "0.000",
        "recall_at_2": "1.000",
        "mrr": "0.500",
        "gold_passage_f1": "0.500",  # "39" of "39 extradition treaties": 2 * 1 / (1 + 3)
    }
    assert nowhere == f"| unanswerable_far | 1.000 [1.000, 1.000] (n=1) |{' - |' * 8}"


@pytest.mark.parametrize(
    ("figure", "expected"),
    [
        (Figure(0.84567, 128, 0.7654321, 0.9), "0.846 [0.765, 0.900] (n=128)"),
        (Figure(12, 300), "12 (n=300)"),
        (Figure(0.0512345, 40), "0.05123 (n=40)"),
        (Figure(None, 0), "-"),
    ],
)
def test_a_figure_is_written_with_its_interval_and_n(figure: Figure, expected: str) -> None:
    """A mean has three decimals, as its interval; a count or a figure without interval four digits."""
    assert str(figure) == expected


def test_below_floors_names_what_fell() -> None:
    """Two thirds are below 3/4; the floor of a figure without questions has fallen; equal is not below."""
    right = answered(place(A, "39"))
    report = report_of(*[(example(str(at), gold(A, "39")), reply) for at, reply in enumerate([right, right, None])])
    floors: dict[str, dict[str, float]] = {
        "report": {"right": 0.75, "answered_precision": 1.0},
        "development": {"right": 0.1},
        "ceilings": {"errors": 0, "misquotes": 0},
    }
    assert below_floors(report, floors) == [
        "report.right: 0.6667 is below its floor 0.75",
        "development.right: could not be computed, its floor is 0.1",
        "all.errors: 1 is above its ceiling 0",
    ]


@pytest.mark.parametrize(
    ("floors", "message"),
    [
        ({"report": {"rigth": 0.5}}, r"unknown figure 'rigth' in \[report\]; choose from right, "),
        ({"reports": {"right": 0.5}}, r"unknown table \[reports\]; choose from all, development, report, ceilings"),
    ],
)
def test_below_floors_refuses_an_unknown_name(floors: dict[str, dict[str, float]], message: str) -> None:
    """A floor that is spelt wrong would hold nothing up."""
    with pytest.raises(ValueError, match=message):
        below_floors(report_of((NOWHERE, refused())), floors)


def test_misquotes_of_no_citation_fail_their_ceiling() -> None:
    """A run in which everything raised has shown nothing about quotes."""
    fallen = below_floors(report_of((NOWHERE, None)), {"ceilings": {"misquotes": 0}})
    assert fallen == ["all.misquotes: could not be computed, its ceiling is 0"]


class ToyAssistant:
    """Answers every question with the first "39" of a.txt."""

    corpus = Corpus((A, B))
    passages = (HIT_A.passage, HIT_B.passage)

    def __init__(self) -> None:
        """Give it a reader that quotes the first two characters of a passage."""
        self.reader = SimpleNamespace(
            read=lambda question, passages: [ScoredSpan(p.document, Span(0, 2), 1.0) for p in passages]
        )

    @classmethod
    def from_folder(cls, folder: Path) -> "ToyAssistant":
        """Ignore the folder."""
        return cls()

    def ask(self, question: str, *, k: int | None = None, history: Sequence[Turn] = ()) -> Reply:
        """Answer 39."""
        return answered(place(A, "39"), hits=[HIT_A])


LINES = [
    {"id": "q1", "question": "How many?", "kind": "number", "half": "report", "answerable": True}
    | {"answers": [{"document_id": "a.txt", "start": 17, "text": "39"}]},
    {"id": "q2", "question": "Who?", "kind": "unanswerable_far", "half": "development", "answerable": False}
    | {"answers": []},
]


@pytest.fixture
def questions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two questions about the toy documents, shipped with a floor that the development half is under."""
    monkeypatch.setattr("qa.Assistant", ToyAssistant, raising=False)
    path, floors = tmp_path / "q.jsonl", tmp_path / "floors.toml"
    path.write_text("\n".join(map(json.dumps, LINES)), encoding="utf-8")
    floors.write_text("[report]\nright = 1\n[development]\nright = 1\n[ceilings]\nmisquotes = 0", encoding="utf-8")
    monkeypatch.setattr("eval.__main__.QUESTIONS", path)
    monkeypatch.setattr("eval.__main__.FLOORS", floors)
    return path


def run(questions: Path, *options: str) -> int:
    """Run the command on the toy questions, with its files beside them."""
    folder = str(questions.parent)
    return main(["--questions", str(questions), "--docs", folder, "--out", f"{folder}/out", *options])


def test_command_writes_the_report_and_names_what_fell(questions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The unanswerable question was answered."""
    assert run(questions) == 1
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1] == "development.right: 0 is below its floor 1"
    assert printed.out == (questions.parent / "out" / "report.md").read_text(encoding="utf-8") + "\n"
    data = json.loads((questions.parent / "out" / "report.json").read_text(encoding="utf-8"))
    assert [row["gold_passage_f1"] for row in data["rows"]] == [0, None]


def test_command_holds_one_half_to_its_own_floors(questions: Path) -> None:
    """The report half is above its floor; the development half is not asked."""
    assert run(questions, "--half", "report") == 0


def test_command_refuses_labels_that_do_not_agree(questions: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No figures are made from them."""
    questions.write_text(json.dumps(LINES[0]).replace("17", "18"), encoding="utf-8")
    assert run(questions) == 1
    assert capsys.readouterr().err == "q.jsonl:1 q1: '39' is not at 18 in a.txt\n"
    assert not (questions.parent / "out").exists()
