"""qa/cli.py with toys: what it prints, where, and with which exit code."""

import json
import os
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_assistant import CITATION, CRANES, SURVEY, assert_contract
from toys import HARBOUR, toy_assistant, toy_documents

from qa import cli
from qa.assistant import Assistant

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _toys(assistant: Assistant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command meets the toy assistant over the three documents."""
    monkeypatch.setattr(cli, "_assistant", lambda arguments: assistant)


Run = Callable[..., tuple[int, str, str]]


def assert_one_line(message: str, *parts: str) -> None:
    assert message.startswith("qa")
    assert message.endswith("\n")
    assert message.count("\n") == 1, message
    assert all(part in message for part in parts), message


def write_lines(path: Path, *rows: dict[str, Any] | str | bytes) -> Path:
    """A batch file: dictionaries as JSON, anything else as it is."""
    lines = [json.dumps(row) if isinstance(row, dict) else row for row in rows]
    path.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))
    return path


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


# one question


def test_ask_prints_answer_sentence_file_and_offsets(run: Run) -> None:
    code, out, err = run("ask", CRANES)
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith("12  (")
    assert "The harbour has »12« cranes." in out
    start = HARBOUR.index("12")
    assert f"harbour.txt, characters {start}–{start + 2}" in out


def test_ask_prints_why_there_is_no_answer_and_exits_0(run: Run) -> None:
    code, out, err = run("ask", "Who owns the harbour?")
    assert (code, err) == (0, "")
    assert "I could not find an answer in these documents." in out
    assert "Ilse Brandt runs the harbour." in out


def test_ask_prints_both_sides_of_a_disagreement(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_assistant", lambda arguments: toy_assistant([*toy_documents(), SURVEY]))
    code, out, _ = run("ask", CRANES)
    assert code == 0
    assert out.startswith("The documents disagree.")
    assert "harbour.txt, characters 16–18" in out
    assert "survey.txt, characters" in out


@pytest.mark.parametrize("question", [CRANES, "Who owns the harbour?", "Who wrote Hamlet?", "?!"])
def test_ask_json_is_the_contract_and_nothing_else(run: Run, question: str) -> None:
    code, out, err = run("ask", question, "--json")
    assert (code, err) == (0, "")
    reply = json.loads(out)
    assert_contract(reply)
    assert reply["question"] == question


def test_ask_json_citation_slices_out_of_the_document(run: Run) -> None:
    (citation,) = json.loads(run("ask", CRANES, "--json")[1])["answers"][0]["citations"]
    assert set(citation) == CITATION
    assert HARBOUR[citation["start"] : citation["end"]] == citation["quote"] == "12"


def test_ask_json_keeps_other_scripts_readable_and_bears_lone_surrogates(run: Run) -> None:
    question = "How many cranes has the 港 harbour? \udcff"
    code, out, err = run("ask", question, "--json")
    assert (code, err) == (0, "")
    assert "港" in out
    out.encode("utf-8")
    assert json.loads(out)["question"] == question


def test_ask_shows_no_control_characters_of_the_question(run: Run) -> None:
    code, out, err = run("ask", "How many cranes \x1b[2J has the harbour?")
    assert (code, err) == (0, "")
    assert "\x1b" not in out


def test_ask_format_is_another_json(run: Run) -> None:
    code, out, err = run("ask", CRANES, "--format", "squad")
    assert (code, err) == (0, "")
    assert json.loads(out) == {"id": CRANES, "prediction_text": "12", "no_answer_probability": 0.0}
    assert run("ask", CRANES, "--format", "squad", "--json") == (code, out, err)
    assert_contract(json.loads(run("ask", CRANES, "--format", "quotewise")[1]))


def test_ask_passes_k_on(run: Run) -> None:
    assert run("ask", CRANES, "--k", "1")[0] == 0
    assert run("ask", CRANES, "--k", "9" * 30)[0] == 0


# bad usage: exit 2, one line that says what to do, and no model is loaded


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "COMMAND"),
        (["answer"], "invalid choice: 'answer'"),
        (["ask"], 'expected a question, as in: qa ask "'),
        (["ask", ""], "the question is empty; type one in quotation marks"),
        (["ask", " \n\t "], "the question is empty; type one in quotation marks"),
        (["ask", "x" * 100_000], "the question has 100,000 characters; ask it in at most 2,000"),
        (["ask", "x" * 2_001], "the question has 2,001 characters; ask it in at most 2,000"),
        (["ask", CRANES, "--batch", "b.jsonl", "--out", "o.jsonl"], "expected a question"),
        (["ask", "--batch", "b.jsonl"], "--batch FILE and --out FILE go together"),
        (["ask", "--batch", "b.jsonl", "--out", "o.jsonl", "--json"], "--batch writes JSON in any case"),
        (["ask", CRANES, "--out", "o.jsonl"], "--batch FILE and --out FILE go together"),
        (["ask", CRANES, "--k", "0"], "expected a whole number of at least 1, got '0'"),
        (["ask", CRANES, "--k", "-1"], "--k"),
        (["ask", CRANES, "--k", "x"], "expected a whole number of at least 1, got 'x'"),
        (["ask", CRANES, "--k", "1.5"], "expected a whole number of at least 1, got '1.5'"),
        (["ask", CRANES, "--k", "9" * 5000], "--k"),
        (["ask", CRANES, "--format", "xml"], "invalid choice: 'xml'"),
        (["verify"], "REPLY.json"),
        (["verify", "a.json", "b.json"], "unrecognized arguments: b.json"),
        (["ask", CRANES, "--colour"], "unrecognized arguments: --colour"),
        (["ask", CRANES, "two\nlines"], "unrecognized arguments: two lines"),
        (["ask", "How", "many", "cranes?"], "unrecognized arguments"),
        (["chat", "--port", "x"], "--port"),
        (["index"], "DIR"),
    ],
)
def test_bad_usage_exits_2_with_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setattr(cli, "_assistant", lambda arguments: pytest.fail("loads models before it has read its usage"))
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert_one_line(err, said, "--help")


def test_a_question_of_2000_characters_is_asked(run: Run) -> None:
    assert run("ask", CRANES.ljust(2000, "!"))[0] == 0


@pytest.mark.parametrize("command", [[], ["ask"], ["verify"], ["index"], ["chat"]])
def test_help_exits_0(run: Run, command: list[str]) -> None:
    code, out, err = run(*command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith("usage: qa")


# a file of questions


def test_batch_answers_in_order_under_the_given_ids(run: Run, tmp_path: Path) -> None:
    ids = [*range(20), "b", {"nested": [None]}, None, "\ud800"]  # more than one batch
    questions = [CRANES, "Who runs the ferry?", "Who owns the harbour?", ""] * 6
    rows = [{"id": name, "question": question} for name, question in zip(ids, questions, strict=True)]
    batch, out = write_lines(tmp_path / "batch.jsonl", *rows), tmp_path / "out.jsonl"
    code, printed, _ = run("ask", "--batch", batch, "--out", out)
    assert (code, printed) == (0, "")
    replies = read_lines(out)
    assert [(reply["id"], reply["question"]) for reply in replies] == list(zip(ids, questions, strict=True))
    for reply in replies:
        assert next(iter(reply)) == "id"
        del reply["id"]
        assert_contract(reply)
    assert [reply["status"] for reply in replies[:4]] == ["answered", "answered", "no_answer", "no_answer"]


def test_batch_gives_the_same_replies_as_asking_one_by_one(run: Run, tmp_path: Path) -> None:
    questions = [CRANES, "Who runs the ferry?", "Who owns the harbour?"]
    rows = [{"id": number, "question": question} for number, question in enumerate(questions)]
    run("ask", "--batch", write_lines(tmp_path / "batch.jsonl", *rows), "--out", tmp_path / "out.jsonl")
    alone = [json.loads(run("ask", question, "--json")[1]) for question in questions]
    together = read_lines(tmp_path / "out.jsonl")
    for one, other in zip(alone, together, strict=True):
        del one["timings_ms"], other["timings_ms"], other["id"]
    assert together == alone


def test_batch_writes_another_format_under_reply(run: Run, tmp_path: Path) -> None:
    batch = write_lines(tmp_path / "batch.jsonl", {"id": 7, "question": CRANES}, {"id": None, "question": "?!"})
    out = tmp_path / "out.jsonl"
    assert run("ask", "--batch", batch, "--out", out, "--format", "squad")[0] == 0
    assert read_lines(out) == [
        {"id": 7, "reply": {"id": CRANES, "prediction_text": "12", "no_answer_probability": 0.0}},
        {"id": None, "reply": {"id": "?!", "prediction_text": "", "no_answer_probability": 1.0}},
    ]
    assert run("ask", "--batch", batch, "--out", out, "--format", "quotewise")[0] == 0
    for reply, name in zip(read_lines(out), [7, None], strict=True):
        assert reply.pop("id") == name
        assert_contract(reply)


def test_batch_accepts_a_history(run: Run, tmp_path: Path) -> None:
    turns = [{"question": "Tell me of the harbour.", "answer": "12 cranes", "more": 1}]
    batch = write_lines(
        tmp_path / "batch.jsonl",
        {"id": 1, "question": "And who runs it?", "history": turns},
        {"id": 2, "question": "And who runs it?", "history": []},
        {"id": 3, "question": "And who runs it?", "history": None},
    )
    assert run("ask", "--batch", batch, "--out", tmp_path / "out.jsonl")[0] == 0
    with_history, *without = read_lines(tmp_path / "out.jsonl")
    assert with_history["resolved_question"] == "Tell me of the harbour. 12 cranes. And who runs it?"
    assert with_history["answers"][0]["text"] == "Ilse Brandt"
    assert {reply["resolved_question"] for reply in without} == {"And who runs it?"}


def test_batch_bears_blank_lines_crlf_a_byte_order_mark_and_other_scripts(run: Run, tmp_path: Path) -> None:
    data = b'\xef\xbb\xbf{"id": 1, "question": "Who runs the ferry?"}\r\n\r\n  \n'
    data += json.dumps({"id": "é", "question": "Who 港 runs \u2028 the 😀 ferry?"}, ensure_ascii=False).encode()
    (tmp_path / "batch.jsonl").write_bytes(data)
    assert run("ask", "--batch", tmp_path / "batch.jsonl", "--out", tmp_path / "out.jsonl")[0] == 0
    replies = read_lines(tmp_path / "out.jsonl")
    assert [(reply["id"], reply["answers"][0]["text"]) for reply in replies] == [(1, "Jon Aas"), ("é", "Jon Aas")]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ("nonsense", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b'{"id": 1, "question": "\xff"}', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"id": ' + "1" * 5000 + ', "question": "?"}', "not JSON"),
        ("[]", 'expected {"id": ..., "question": "..."}'),
        ("7", 'expected {"id": ..., "question": "..."}'),
        ({"question": CRANES}, 'expected {"id": ..., "question": "..."}'),
        ({"id": 1}, 'expected {"id": ..., "question": "..."}'),
        ({"id": 1, "question": 7}, "a question must be text, got int"),
        ({"id": 1, "question": None}, "a question must be text, got NoneType"),
        ({"id": 1, "question": "x" * 100_000}, "the question has 100,000 characters; ask it in at most 2,000"),
        ({"id": 1, "question": CRANES, "history": "12"}, "history"),
        ({"id": 1, "question": CRANES, "history": [7]}, "turn 1 of the history"),
        ({"id": 1, "question": CRANES, "history": [{"question": "?"}]}, 'turn 1 of the history has no "answer"'),
        ({"id": 1, "question": CRANES, "history": [{"question": "?", "answer": 12}]}, "turn 1 of the history"),
    ],
    ids=str,
)
def test_batch_names_a_bad_line_and_answers_the_rest(
    run: Run, tmp_path: Path, line: dict[str, Any] | str | bytes, said: str
) -> None:
    first, last = {"id": "first", "question": CRANES}, {"id": "last", "question": "Who runs the ferry?"}
    batch = write_lines(tmp_path / "batch.jsonl", first, line, last)
    code, printed, err = run("ask", "--batch", batch, "--out", tmp_path / "out.jsonl")
    assert (code, printed) == (1, "")
    complaints = [row for row in err.splitlines() if row.startswith("qa:")]
    assert len(complaints) == 1
    assert f"{batch}:2: " in complaints[0]
    assert said in complaints[0]
    assert complaints[0].endswith("; the line was left out")
    replies = read_lines(tmp_path / "out.jsonl")
    assert [(reply["id"], reply["status"]) for reply in replies] == [("first", "answered"), ("last", "answered")]


def test_batch_of_bad_lines_alone_names_each_and_loads_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "_assistant", lambda arguments: pytest.fail("loads models for nothing"))
    batch = write_lines(tmp_path / "batch.jsonl", "{", "", "[]")
    code, _, err = run("ask", "--batch", batch, "--out", tmp_path / "out.jsonl")
    assert code == 1
    assert [line.split(": ")[1] for line in err.splitlines() if line.startswith("qa:")] == [f"{batch}:1", f"{batch}:3"]
    assert (tmp_path / "out.jsonl").read_bytes() == b""


def test_batch_without_a_line_is_answered_by_an_empty_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "batch.jsonl").write_bytes(b"\n\n")
    assert run("ask", "--batch", tmp_path / "batch.jsonl", "--out", tmp_path / "out.jsonl")[0] == 0
    assert (tmp_path / "out.jsonl").read_bytes() == b""


def test_batch_refuses_a_missing_file(run: Run, tmp_path: Path) -> None:
    code, out, err = run("ask", "--batch", tmp_path / "nowhere.jsonl", "--out", tmp_path / "out.jsonl")
    assert (code, out) == (1, "")
    assert_one_line(err, str(tmp_path / "nowhere.jsonl"), "No such file or directory; check the path")
    assert not (tmp_path / "out.jsonl").exists()


def test_batch_refuses_a_folder(run: Run, tmp_path: Path) -> None:
    code, _, err = run("ask", "--batch", tmp_path, "--out", tmp_path / "out.jsonl")
    assert code == 1
    assert_one_line(err, str(tmp_path), "check the path")


@pytest.mark.parametrize("out", ["nowhere/out.jsonl", "."])
def test_batch_refuses_a_place_it_cannot_write_before_it_works(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    monkeypatch.setattr(cli, "_assistant", lambda arguments: pytest.fail("answers before it knows where to write"))
    batch = write_lines(tmp_path / "batch.jsonl", {"id": 1, "question": CRANES})
    before = batch.read_bytes()
    code, _, err = run("ask", "--batch", batch, "--out", tmp_path / out)
    assert code == 1
    assert_one_line(err, f"cannot write the replies to {tmp_path / out}", "name a file in a folder that exists")
    assert [path.name for path in tmp_path.iterdir()] == ["batch.jsonl"]
    assert batch.read_bytes() == before


def test_batch_refuses_to_overwrite_its_questions(run: Run, tmp_path: Path) -> None:
    batch = write_lines(tmp_path / "batch.jsonl", {"id": 1, "question": CRANES})
    (tmp_path / "link.jsonl").symlink_to(batch)
    before = batch.read_bytes()
    for out in (batch, tmp_path / "link.jsonl"):
        code, _, err = run("ask", "--batch", batch, "--out", out)
        assert code == 2
        assert_one_line(err, "would overwrite the questions", "name another file")
    assert batch.read_bytes() == before


def test_batch_keeps_the_earlier_replies_when_no_assistant_can_be_made(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_assistant(arguments: Namespace) -> Assistant:
        raise ValueError("the index is damaged; build it again with: qa index DIR")

    monkeypatch.setattr(cli, "_assistant", no_assistant)
    batch = write_lines(tmp_path / "batch.jsonl", {"id": 1, "question": CRANES})
    (tmp_path / "out.jsonl").write_text("earlier replies")
    code, _, err = run("ask", "--batch", batch, "--out", tmp_path / "out.jsonl")
    assert code == 1
    assert_one_line(err, "the index is damaged")
    assert (tmp_path / "out.jsonl").read_text() == "earlier replies"


# stored replies against the documents


def test_verify_takes_what_ask_printed_and_what_batch_wrote(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    for document in toy_documents():
        (folder / document.document_id).write_text(document.text, encoding="utf-8")
    alone, together = tmp_path / "reply.json", tmp_path / "replies.jsonl"
    alone.write_text(run("ask", CRANES, "--json")[1], encoding="utf-8")
    rows = ({"id": number, "question": question} for number, question in enumerate((CRANES, "Who owns the harbour?")))
    run("ask", "--batch", write_lines(tmp_path / "batch.jsonl", *rows), "--out", together)
    assert run("verify", alone, "--docs", folder)[0] == 0
    code, out, err = run("verify", together, "--docs", folder)
    assert (code, out.splitlines()[-1], err) == (0, "2 citations: 2 exact", "")
    (folder / "harbour.txt").write_text(f"News. {HARBOUR}", encoding="utf-8")
    code, out, err = run("verify", together, "--docs", folder)
    assert (code, out.splitlines()[-1], err) == (1, "2 citations: 2 moved", "")


# failures: exit 1 and one line


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("two\nlines  and blanks"), "qa: two lines and blanks\n"),
        (
            OSError(28, "No space left on device", "/x/y"),
            "qa: /x/y: No space left on device; check the path and your permissions, or name another place\n",
        ),
        (OSError("cannot listen on port 1"), "qa: cannot listen on port 1\n"),
        (KeyboardInterrupt(), "qa: stopped\n"),
    ],
)
def test_a_failure_is_one_line_and_its_exit_code(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, message: str
) -> None:
    def fail(arguments: Namespace) -> Assistant:
        raise error

    monkeypatch.setattr(cli, "_assistant", fail)
    expected = 130 if isinstance(error, KeyboardInterrupt) else 1
    assert run("ask", CRANES) == (expected, "", message)


def test_ask_only_some_documents(run: Run) -> None:
    assert run("ask", CRANES, "--only", "har*")[1].startswith("12 ")
    assert "None of the documents is among those that may answer." in run("ask", CRANES, "--only", "*.pdf")[1]
    assert "None of the documents" in run("ask", CRANES, "--since", "1900")[1]  # none of them gives its date
    code, _, err = run("ask", CRANES, "--since", "yesterday")
    assert (code, err.count("\n")) == (2, 1)
    assert "expected a day, month or year such as 2014-12-31" in err


def test_an_interrupted_batch_keeps_what_was_answered(
    run: Run, tmp_path: Path, assistant: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = []

    def ask(question: str, **options: Any) -> Any:
        if len(answered) == 16:
            raise KeyboardInterrupt
        answered.append(question)
        return Assistant.ask(assistant, question, **options)

    monkeypatch.setattr(assistant, "ask", ask)
    batch = write_lines(tmp_path / "batch.jsonl", *({"id": n, "question": CRANES} for n in range(32)))
    code, _, err = run("ask", "--batch", batch, "--out", tmp_path / "out.jsonl")
    assert (code, err.splitlines()[-1]) == (130, "qa: stopped")
    assert [reply["id"] for reply in read_lines(tmp_path / "out.jsonl")] == list(range(16))


TOY_QA = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
from toys import toy_assistant, toy_documents
from qa import cli
cli._assistant = lambda arguments: toy_assistant(toy_documents())
sys.exit(cli.main())
"""


@pytest.mark.parametrize(
    ("arguments", "expected"), [(["ask", CRANES], 1), (["ask", CRANES, "--json"], 1), (["ask", "--help"], 0)]
)
def test_a_reader_that_goes_away_leaves_no_traceback(arguments: list[str], expected: int) -> None:
    """As in `qa ask ... | head -0`: nobody holds the other end of the pipe when we write."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-c", TOY_QA, *arguments], stdout=write, stderr=subprocess.PIPE, text=True
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (expected, "")


def test_a_full_disk_behind_stdout_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", TOY_QA, "ask", CRANES], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 1
    assert_one_line(done.stderr, "No space left on device")


def test_a_terminal_that_cannot_show_a_character_gets_an_escape() -> None:
    """» and – are not ASCII."""
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    for as_json in ([], ["--json"]):
        done = subprocess.run(
            [sys.executable, "-c", TOY_QA, "ask", f"{CRANES} 港 😀", *as_json], env=env, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["question"] == f"{CRANES} 港 😀"


def test_python_m_qa_is_the_same_program() -> None:
    done = subprocess.run([sys.executable, "-m", "qa", "ask"], capture_output=True, text=True, cwd=HERE.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert_one_line(done.stderr, "expected a question")


def test_the_shipped_documents_are_the_five_articles() -> None:
    assert len(list(cli.shipped_documents().glob("*.txt"))) == 5


def test_progress_is_one_bar_for_the_files_then_one_for_the_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Bar:
        def __init__(self, *, total: int, unit: str, desc: str, **_: Any) -> None:
            told.append(f"{desc} {total} {unit}")

        def set_postfix_str(self, text: str, **_: Any) -> None:
            told.append(text)

        def update(self, done: int) -> None:
            told.append(f"+{done}")

        def close(self) -> None:
            told.append("closed")

    monkeypatch.setattr("tqdm.tqdm", Bar)
    with cli._progress_bar() as progress:
        progress("file", "a.txt", 1, 2)
        progress("file", "b\x1b[2J.txt", 1, 2)
        progress("text", "", 9, 9)
    assert "\x1b" not in "".join(told)
    shown = ["reading 2 file", "a.txt", "+1", told[3], "+1", "closed", "embedding 9 text", "", "+9", "closed"]
    assert told == shown
