"""eval/dataset.py: lines that are read or refused, and labels that do not agree with the documents."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.__main__ import main
from eval.dataset import Example, Gold, check_examples, read_examples
from qa.datatypes import Corpus, Document
from qa.followup import Turn

TEXT = "Liu said 946 fugitives are abroad.\r\nParis is far 🦊 from Beijing."
CORPUS = Corpus((Document("a.md", TEXT, "", "", "utf-8"),))
LINE: dict[str, Any] = {
    "id": "q001",
    "question": "How many are abroad?",
    "kind": "number",
    "half": "report",
    "answerable": True,
    "answers": [{"document_id": "a.md", "start": 9, "text": "946"}],
}
EXAMPLE = Example("q001", LINE["question"], "number", "report", True, (Gold("a.md", 9, "946"),), source="q.jsonl:1")


def write(folder: Path, *rows: object) -> Path:
    """Write the rows, one JSON value per line, and return the file."""
    path = folder / "q.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_read_examples_gives_what_the_line_says(tmp_path: Path) -> None:
    """The optional fields are empty when they are left out."""
    assert read_examples(write(tmp_path, LINE)) == [EXAMPLE]


def test_read_examples_reads_the_optional_fields(tmp_path: Path) -> None:
    """Sides, entries and history become tuples; a line separator inside a string does not end the line."""
    turn: Turn = {"question": "Who\u2028said it?", "answer": "Liu"}
    [example] = read_examples(
        write(tmp_path, {**LINE, "values": [["39"]], "items": [["Peru", "PE"]], "history": [turn]})
    )
    assert (example.values, example.items, example.history) == ((("39",),), (("Peru", "PE"),), (turn,))


def test_read_examples_counts_blank_lines_but_skips_them(tmp_path: Path) -> None:
    """The second example is on line 3."""
    path = tmp_path / "q.jsonl"
    path.write_text(f"{json.dumps(LINE)}\n \n{json.dumps(LINE)}", encoding="utf-8")
    assert [example.source for example in read_examples(path)] == ["q.jsonl:1", "q.jsonl:3"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([1], "q.jsonl:2: expected an object with id, question"),
        ({"id": "q1"}, "q.jsonl:2: missing question, kind"),
        ({**LINE, "answerable": "no"}, "q.jsonl:2: 'answerable' should be bool, got 'no'"),
        ({**LINE, "value": [["39"]]}, "q.jsonl:2: unknown field 'value'; choose from id"),
        ({**LINE, "values": ["39"]}, "q.jsonl:2: a side or an item is a list of ways to write it, got '39'"),
        ({**LINE, "answers": [{"document_id": "a.md", "start": -1, "text": "."}]}, "q.jsonl:2: 'start' should be at"),
        ({**LINE, "answers": [{"document_id": "a.md", "start": True, "text": "."}]}, "'start' should be int, got True"),
        ({**LINE, "history": [{"question": "Who?"}]}, "q.jsonl:2: missing answer"),
    ],
)
def test_read_examples_names_file_and_line_of_a_bad_line(tmp_path: Path, row: object, message: str) -> None:
    """The message says what was expected."""
    path = write(tmp_path, LINE, row)
    with pytest.raises(ValueError, match=r"q\.jsonl:2: ") as caught:
        read_examples(path)
    assert message in str(caught.value)


@pytest.mark.parametrize("line", [b"{", b'"\xff"'])
def test_read_examples_names_file_and_line_of_what_is_no_json(tmp_path: Path, line: bytes) -> None:
    """Neither broken JSON nor broken UTF-8 escapes without its place."""
    (tmp_path / "q.jsonl").write_bytes(line)
    with pytest.raises(ValueError, match=r"q\.jsonl:1: "):
        read_examples(tmp_path / "q.jsonl")


def test_check_examples_finds_nothing_in_good_labels() -> None:
    """Offsets count code points: the fox is one, and CRLF is two."""
    paris, beijing = Gold("a.md", TEXT.index("Paris"), "Paris"), Gold("a.md", TEXT.index("Beijing"), "Beijing")
    other = replace(EXAMPLE, question_id="q002", question="Where?", half="development", golds=(paris, beijing))
    assert check_examples([EXAMPLE, other], CORPUS) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"golds": (Gold("a.md", 8, "946"),)}, "'946' is not at 8 in a.md"),
        ({"golds": (Gold("a.md", 10, "46"),)}, "'46' at 10 in a.md cuts a word"),
        ({"golds": (Gold("a.md", 9, "94"),)}, "'94' at 9 in a.md cuts a word"),
        ({"golds": (Gold("a.md", 9, "946 "),)}, "'946 ' is blank or has blanks at its ends"),
        ({"golds": (Gold("a.md", 9, ""),)}, "'' is blank or has blanks at its ends"),
        ({"golds": (Gold("b.md", 9, "946"),)}, "unknown document 'b.md'"),
        ({"golds": ()}, "answerable, but has no answers"),
        ({"answerable": False}, "not answerable, but has answers"),
        ({"kind": "unanswerable_far"}, "answerable, but of kind unanswerable_far"),
        ({"half": "test"}, "unknown half 'test'; choose from development, report"),
        ({"kind": "disagreement", "values": (("39",),)}, "disagreement needs two or more entries in 'values', got 1"),
        ({"items": (("Peru",), ("Chile",))}, "'items' is for kind list only"),
    ],
)
def test_check_examples_names_the_one_thing_that_is_wrong(change: dict[str, Any], problem: str) -> None:
    """File, line and id come first."""
    assert check_examples([replace(EXAMPLE, **change)], CORPUS) == [f"q.jsonl:1 q001: {problem}"]


def test_check_examples_names_the_kinds() -> None:
    """An unknown kind gets the list."""
    [problem] = check_examples([replace(EXAMPLE, kind="whom")], CORPUS)
    assert problem.startswith("q.jsonl:1 q001: unknown kind 'whom'; choose from direct, paraphrase")


def test_check_examples_finds_repeated_ids_and_questions() -> None:
    """Case and spacing do not make another question."""
    again = replace(EXAMPLE, question="how many  are abroad?", half="development", source="q.jsonl:2")
    assert check_examples([EXAMPLE, again], CORPUS) == [
        "q.jsonl:2 q001: repeated id",
        "q.jsonl:2 q001: repeated question 'how many  are abroad?'",
    ]


def test_check_examples_allows_one_question_after_another_history() -> None:
    """What was said before makes it another question."""
    history: tuple[Turn, ...] = ({"question": "Who?", "answer": "Liu"},)
    after = replace(EXAMPLE, question_id="q002", half="development", history=history)
    assert check_examples([EXAMPLE, after], CORPUS) == []


def test_check_examples_finds_halves_out_of_balance() -> None:
    """Two report questions and none for development."""
    two = [EXAMPLE, replace(EXAMPLE, question_id="q002", question="Where?")]
    problem = "kind number: 0 development and 2 report questions; they may differ by one"
    assert check_examples(two, CORPUS) == [problem]


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=4))
def test_check_examples_catches_every_shifted_offset(shifts: Sequence[int]) -> None:
    """946 occurs once, so every shift but 0 is a problem."""
    golds = tuple(Gold("a.md", 9 + shift, "946") for shift in shifts)
    assert len(check_examples([replace(EXAMPLE, golds=golds)], CORPUS)) == sum(shift != 0 for shift in shifts)


def test_command_check_compares_with_the_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Newlines count as they are in the file: read as text, CRLF would be one character and Paris at 35."""
    (tmp_path / "a.md").write_bytes(TEXT.encode())
    for start, code in [(36, 0), (35, 1)]:
        path = write(tmp_path, {**LINE, "answers": [{"document_id": "a.md", "start": start, "text": "Paris"}]})
        assert main(["check", "--questions", str(path), "--docs", str(tmp_path)]) == code
    assert capsys.readouterr().err == "q.jsonl:1 q001: 'Paris' is not at 35 in a.md\n"


def test_command_refuses_a_missing_file_as_bad_usage(tmp_path: Path) -> None:
    """Exit code 2."""
    with pytest.raises(SystemExit) as caught:
        main(["check", "--questions", str(tmp_path / "none.jsonl")])
    assert caught.value.code == 2


def test_shipped_questions_agree_with_the_shipped_articles() -> None:
    """The labels of eval/questions.jsonl against the bytes of seeds/."""
    assert main(["check"]) == 0
