"""What people really give it: missing, broken, changed and odd folders, indexes, models, questions and documents."""

import json
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from test_assistant import CRANES, citations
from toys import HARBOUR

from embeddings import encoder as encoder_module
from embeddings import store
from embeddings.encoder import DEFAULT_MODEL, ModelNotFoundError, SentenceEncoder, model_folder
from embeddings.store import IndexStoreError
from qa import cli
from qa.assistant import Assistant
from qa.datatypes import Reply
from qa.documents import NoDocumentsError
from qa.reader import DEFAULT_READER, SKIMMER, Reader

INDEX_FILES = (
    *("CURRENT", "manifest.json", "documents.json", "documents.txt", "words.json", "passages.i8", "passages.faiss"),
    *("sentences.faiss", "sentences.i8", "terms.json", "lengths.i4", "postings.i4"),
)
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(toy_models: None, run: Run) -> Run:
    """The command line with toys behind it; tests without `run` load what they name."""
    return run


def assert_one_line(message: str, *parts: str) -> None:
    assert message.startswith("qa: ")
    assert message.endswith("\n")
    assert message.count("\n") == 1, message
    assert all(part in message for part in parts), message


def assert_exact(reply: Reply, folder: Path) -> None:
    """Every citation slices out of its file's bytes, decoded as UTF-8 without any newline translation."""
    for citation in citations(reply):
        data = citation.to_dict()
        source = (folder / data["document_id"]).read_bytes()
        assert source.decode("utf-8")[data["start"] : data["end"]] == data["quote"] != ""
        assert sha256(source).hexdigest() == data["source_sha256"]


# folders


def test_a_missing_folder_is_named(run: Run, tmp_path: Path) -> None:
    code, out, err = run("ask", CRANES, "--docs", tmp_path / "nowhere")
    assert (code, out) == (1, "")
    assert_one_line(err, f"'{tmp_path}/nowhere' does not exist; name a folder with")


def test_a_file_in_place_of_a_folder_is_named(run: Run, folder: Path) -> None:
    code, out, err = run("ask", CRANES, "--docs", folder / "ferry.txt")
    assert (code, out) == (1, "")
    assert_one_line(err, "ferry.txt' is a file; name a folder with")


@pytest.mark.parametrize("command", [("ask", CRANES, "--docs"), ("index",)])
def test_an_empty_folder_is_named(run: Run, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "empty").mkdir()
    code, out, err = run(*command, tmp_path / "empty")
    assert (code, out) == (1, "")
    assert_one_line(err, f"'{tmp_path}/empty' has no readable", "it is empty", "put some there")


def test_a_folder_with_nothing_readable_says_why(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "odd"
    place.mkdir()
    (place / "photo.png").write_bytes(b"\x89PNG")
    (place / "none.txt").write_bytes(b"")
    code, _, err = run("ask", CRANES, "--docs", place)
    assert code == 1
    assert_one_line(err.splitlines(keepends=True)[-1], "2 skipped", "1 unsupported", "1 empty")


def test_an_undecodable_file_is_named_and_the_rest_answered(
    run: Run, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "broken.txt").write_bytes("The harbour has café 99 cranes, naïve früh ".encode() + b"\xff.")
    code, out, _ = run("ask", CRANES, "--docs", folder, "--json")
    assert code == 0
    assert json.loads(out)["answers"][0]["text"] == "12"
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith("skipped     1 undecodable      broken.txt: ")
    assert "save it as UTF-8" in message


# documents that change after indexing


@pytest.mark.usefixtures("toy_models")
def test_from_folder_reads_again_what_changed_or_vanished(folder: Path, index: Path) -> None:
    assert Assistant.from_folder(folder, index=index).ask(CRANES).answers[0].text == "12"
    (folder / "harbour.txt").write_text(HARBOUR.replace("12", "13"), encoding="utf-8")
    (folder / "ferry.txt").unlink()
    after = Assistant.from_folder(folder, index=index)
    assert [one.document_id for one in after.corpus.documents] == ["harbour.txt", "museum.txt"]
    reply = after.ask(CRANES)
    assert reply.answers[0].text == "13"
    assert_exact(reply, folder)


@pytest.mark.usefixtures("toy_models")
def test_open_answers_from_the_index_as_it_was(folder: Path, index: Path) -> None:
    before = Assistant.from_folder(folder, index=index).ask(CRANES)
    (folder / "harbour.txt").write_text(HARBOUR.replace("12", "13"), encoding="utf-8")
    (folder / "museum.txt").unlink()
    (citation,) = Assistant.open(index).ask(CRANES).answers[0].citations
    assert citation == replace(before.answers[0].citations[0], outdated=True)
    assert citation.document.source_sha256 == sha256(HARBOUR.encode()).hexdigest()


def test_ask_with_an_index_alone_needs_no_documents(run: Run, folder: Path, index: Path) -> None:
    assert run("index", folder, "--index", index)[0] == 0
    shutil.rmtree(folder)
    code, out, err = run("ask", CRANES, "--index", index)
    assert (code, err) == (0, "")
    assert out.startswith("12  (")


# indexes


def test_an_index_of_another_encoder_is_named_and_index_repairs_it(run: Run, folder: Path, index: Path) -> None:
    assert run("index", folder, "--index", index, "--encoder", "one-encoder")[0] == 0
    code, out, err = run("ask", CRANES, "--docs", folder, "--index", index, "--encoder", "other-encoder")
    assert (code, out) == (1, "")
    remedy = f"qa index {folder} --index {index} --encoder other-encoder"
    assert_one_line(err, str(index), "'one-encoder'", "'other-encoder'", remedy)
    assert run("index", folder, "--index", index, "--encoder", "other-encoder")[0] == 0
    assert run("ask", CRANES, "--docs", folder, "--index", index, "--encoder", "other-encoder")[0] == 0


def test_an_index_of_a_newer_format_is_named_and_index_repairs_it(
    run: Run, folder: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as newer:
        newer.setattr(store, "FORMAT_VERSION", store.FORMAT_VERSION + 1)
        assert run("index", folder, "--index", index)[0] == 0
    for arguments, named in ((("--index", index), "DIR"), (("--index", index, "--docs", folder), folder)):
        code, out, err = run("ask", CRANES, *arguments)
        assert (code, out) == (1, "")
        assert_one_line(err, str(index), f"format {store.FORMAT_VERSION + 1}", f"qa index {named} --index {index}")
    assert run("index", folder, "--index", index)[0] == 0
    assert run("ask", CRANES, "--index", index)[0] == 0


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [flip, cut, empty, Path.unlink])
@pytest.mark.parametrize("name", INDEX_FILES)
def test_a_damaged_index_file_is_named_and_index_repairs_it(
    run: Run, folder: Path, index: Path, name: str, damage: Callable[[Path], Any]
) -> None:
    assert run("index", folder, "--index", index)[0] == 0
    (path,) = index.rglob(name)
    damage(path)
    code, out, err = run("ask", CRANES, "--index", index)
    assert (code, out) == (1, "")
    named = str(index) if (name, damage) == ("CURRENT", Path.unlink) else str(path)  # without CURRENT there is no index
    assert_one_line(err, named, f"qa index DIR --index {index}")
    code, out, err = run("index", folder, "--index", index)
    assert (code, err) == (0, "")
    assert out.startswith("3 documents, 3 passages, index in ")
    assert run("ask", CRANES, "--index", index)[1].startswith("12  (")


def test_index_files_are_all_damaged_above(run: Run, folder: Path, index: Path) -> None:
    run("index", folder, "--index", index)
    assert {path.name for path in index.rglob("*") if path.is_file()} == {*INDEX_FILES, "LOCK"}


@pytest.mark.parametrize("command", [("index",), ("ask", CRANES, "--docs")])
def test_an_index_folder_that_is_a_file_is_named(run: Run, folder: Path, index: Path, command: tuple[str, ...]) -> None:
    index.write_text("a file")
    code, out, err = run(*command, folder, "--index", index)
    assert (code, out) == (1, "")
    assert_one_line(err, str(index))
    assert index.read_text() == "a file"


@pytest.mark.parametrize("place", ["locked/index", "locked"])
def test_an_unwritable_index_folder_is_named(
    run: Run, folder: Path, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    if os.geteuid() == 0:  # root may write anywhere, so the refusal is played
        refused = PermissionError(13, "Permission denied", str(tmp_path / place))
        monkeypatch.setattr(store, "_writer_lock", lambda folder: (_ for _ in ()).throw(refused))
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        code, out, err = run("ask", CRANES, "--docs", folder, "--index", tmp_path / place)
    finally:
        locked.chmod(stat.S_IRWXU)
    assert (code, out) == (1, "")
    assert_one_line(err, str(tmp_path / place), "Permission denied; check the path and your permissions")


def test_an_index_folder_on_a_filesystem_that_refuses_is_named(run: Run, folder: Path) -> None:
    code, out, err = run("ask", CRANES, "--docs", folder, "--index", "/proc/quotewise/index")
    assert (code, out) == (1, "")
    assert_one_line(err, "/proc/quotewise", "check the path and your permissions, or name another place")


def test_the_folder_of_documents_is_left_as_it_was(run: Run, folder: Path, index: Path) -> None:
    """Nothing a question does writes into the documents' folder."""
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*")}
    run("ask", CRANES, "--docs", folder)
    run("index", folder, "--index", index)
    run("ask", CRANES, "--docs", folder, "--index", index)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*")} == before


# model folders


def no_tokenizer(folder: Path) -> None:
    for name in encoder_module.TOKENIZER_FILES:
        (folder / name).unlink(missing_ok=True)


def weights(folder: Path) -> Path:
    """The file of a model's weights, or the last of several."""
    return sorted(folder.glob("*.safetensors"))[-1]


MODEL_DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no tokenizer": (no_tokenizer, "holds no tokenizer.json; put the model's tokenizer files there"),
    "tokenizer cut": (lambda folder: cut(folder / "tokenizer.json"), "holds no model that can be read"),
    "weights cut": (lambda folder: cut(weights(folder)), "holds no model that can be read"),
    "weights empty": (lambda folder: empty(weights(folder)), "holds no model that can be read"),
    "weights missing": (lambda folder: weights(folder).unlink(), "holds no model that can be read"),
    "config cut": (lambda folder: cut(folder / "config.json"), "holds no model that can be read"),
}


@pytest.mark.parametrize("make", [SentenceEncoder, Reader], ids=["encoder", "reader"])
def test_a_missing_model_folder_is_named(make: Callable[[str], Any], tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError) as caught:
        make(str(tmp_path / "nowhere"))
    assert f"no model '{tmp_path}/nowhere': it is not a folder here" in str(caught.value)
    assert "name a folder that holds a model" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [SentenceEncoder, Reader], ids=["encoder", "reader"])
def test_an_empty_model_folder_is_named(make: Callable[[str], Any], tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"config\.json; name the folder of a") as caught:
        make(str(tmp_path))
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def copied_model(source: Path, place: Path) -> Path:
    return Path(shutil.copytree(source, place, copy_function=shutil.copyfile))


READER_DAMAGE = MODEL_DAMAGE | {
    "index of the weights missing": (
        lambda folder: (folder / "model.safetensors.index.json").unlink(),
        "holds no model that can be read",
    ),
}


@pytest.mark.model
@pytest.mark.parametrize(
    ("damage", "part"), [*((damage, ".") for damage in READER_DAMAGE), *((damage, SKIMMER) for damage in MODEL_DAMAGE)]
)
def test_a_damaged_reader_is_named(tmp_path: Path, damage: str, part: str) -> None:
    break_it, said = READER_DAMAGE[damage]
    whole = copied_model(Path(DEFAULT_READER), tmp_path / "reader")
    place = whole / part
    break_it(place)
    reader = Reader(str(whole))
    with pytest.raises(ModelNotFoundError) as caught:
        reader.read("How many cranes?", toy_passages())
    message = str(caught.value)
    assert message.startswith(f"{place} {said}")
    assert "name another" in message
    assert "\n" not in message


@pytest.mark.model
@pytest.mark.parametrize("damage", MODEL_DAMAGE)
def test_a_damaged_encoder_is_named(tmp_path: Path, damage: str) -> None:
    break_it, said = MODEL_DAMAGE[damage]
    place = copied_model(model_folder(DEFAULT_MODEL), tmp_path / "encoder")
    break_it(place)
    encoder = SentenceEncoder(str(place))
    with pytest.raises(ModelNotFoundError) as caught:
        encoder.encode_query(["How many cranes?"])
    message = str(caught.value)
    assert message.startswith(f"{place} {said}")
    assert "name another" in message
    assert "\n" not in message


@pytest.mark.model
def test_a_model_that_was_not_trained_to_answer_is_refused() -> None:
    """Transformers would give it a head of random numbers."""
    reader = Reader(str(model_folder(DEFAULT_MODEL)))
    with pytest.raises(ModelNotFoundError, match="no question-answering checkpoint") as caught:
        reader.read("How many cranes?", toy_passages())
    assert "qa_outputs" in str(caught.value)


@pytest.mark.model
def test_a_damaged_reader_is_one_line_on_the_command_line(
    folder: Path, index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = copied_model(Path(DEFAULT_READER), tmp_path / "reader")
    cut(weights(place))
    code = cli.main(["ask", CRANES, "--docs", str(folder), "--index", str(index), "--reader", str(place)])
    out, err = capsys.readouterr()
    assert (code, out) == (1, "")
    assert_one_line("".join(line for line in err.splitlines(keepends=True) if line.startswith("qa:")), str(place))
    assert "Traceback" not in err


def toy_passages() -> list[Any]:
    from toys import toy_documents, toy_retriever

    return list(toy_retriever(toy_documents()).passages)


# odd questions and documents, with the real models

ODD_QUESTIONS = [
    "港口有多少台起重机？",
    "كم عدد الرافعات في الميناء؟",
    "Сколько кранов в порту?",
    "कितनी क्रेन हैं?",
    "😀🏗️👩‍👩‍👧‍👧",
    "?!… — “”",
    "\x00\x07\x1b[2J",
    "\ud800\udfff\udc80",
    "How many\x00 cranes\ud800 has the \x1b[31mharbour?",
    "e\u0301" * 500,
    "\u202eHow many cranes has the harbour?",
    "\u200b\ufeff\u00ad",
    "How many cranes has the harbour? ".ljust(2000, "x"),
    ("cranes " * 300)[:2000],
    "x" * 2000,
    "<script>alert(1)</script> how many cranes?",
    "../../etc/passwd {0} %s '; DROP TABLE--",
]
ODD_DOCUMENTS = {
    "crlf.txt": "The harbour\r\n\r\nThe harbour has 12 cranes.\r\nIlse Brandt runs it.\r\n",
    "cr.txt": "The museum\r\rIt opened in 1931.\rIt owns 40 boats.\r",
    "emoji.txt": "👩‍👩‍👧‍👧 The ferry 🛳️ carries 300 👍🏽 passengers. Cafe\u0301 Zoe\u0308 runs 🇳🇴 the ferry.",
    "rtl.txt": "יש בנמל 12 מנופים. \u202bThe harbour of חיפה has 15 cranes\u202c. تأسس الميناء عام 1933.",
    "one_line.txt": "The long report says nothing new here, and then it goes on. " * 300 + "The tower has 77 steps.",
    "unbroken.txt": "ab" * 3000 + " The well is 9 metres deep. " + "字" * 3000,
    "separators.txt": "The mill\u2028has 5 wheels.\u2029It\x0bturns\x0call\x85day.\u00a0Ada runs it.",
}


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Assistant, Path]:
    """The shipped models over the odd documents."""
    place = tmp_path_factory.mktemp("odd")
    for name, text in ODD_DOCUMENTS.items():
        (place / name).write_bytes(text.encode())
    return Assistant.from_folder(place, index=tmp_path_factory.mktemp("index")), place


@pytest.mark.model
def test_odd_questions_get_a_reply_with_exact_quotes(odd: tuple[Assistant, Path]) -> None:
    assistant, folder = odd
    for question, reply in zip(ODD_QUESTIONS, assistant.ask_many(ODD_QUESTIONS), strict=True):
        assert reply.question == question
        assert (reply.status == "no_answer") == (reply.no_answer is not None)
        json.dumps(reply.to_dict())
        assert_exact(reply, folder)


@pytest.mark.model
@pytest.mark.parametrize("question", ["?!… — “”", "😀🏗️", "\x00\x07", "\ud800\udfff", "\u200b\ufeff"])
def test_a_question_without_a_word_is_not_understood(odd: tuple[Assistant, Path], question: str) -> None:
    no_answer = odd[0].ask(question).no_answer
    assert no_answer is not None
    assert no_answer.reason == "question_not_understood"


@pytest.mark.model
@pytest.mark.parametrize(
    ("question", "document_id"),
    [
        ("How many cranes has the harbour?", "crlf.txt"),
        ("When was the museum opened?", "cr.txt"),
        ("How many passengers does the ferry carry?", "emoji.txt"),
        ("How many cranes has the harbour of חיפה?", "rtl.txt"),
        ("How many steps has the tower?", "one_line.txt"),
        ("How deep is the well?", "unbroken.txt"),
        ("How many wheels has the mill?", "separators.txt"),
    ],
)
def test_odd_documents_are_found_and_quoted_exactly(
    odd: tuple[Assistant, Path], question: str, document_id: str
) -> None:
    assistant, folder = odd
    reply = assistant.ask(question)
    assert document_id in {hit.passage.document.document_id for hit in reply.hits}
    assert_exact(reply, folder)
    for hit in reply.hits:  # what was looked at is as exact as what is shown
        source = (folder / hit.passage.document.document_id).read_bytes().decode("utf-8")
        assert source[hit.passage.span.start : hit.passage.span.end] == hit.passage.text


@pytest.mark.usefixtures("toy_models")
@pytest.mark.parametrize("filler", ["The long report says nothing new here. ", "ab", "字", "é 👩‍👩‍👧‍👧 "])
def test_one_line_of_200_kb_is_quoted_exactly(tmp_path: Path, index: Path, filler: str) -> None:
    place = tmp_path / "documents"
    place.mkdir()
    size = len(filler.encode())
    text = filler * (100_000 // size) + f" {HARBOUR} " + filler * (100_000 // size)
    (place / "long.txt").write_bytes(text.encode())
    reply = Assistant.from_folder(place, index=index).ask(CRANES)
    assert reply.answers[0].text == "12"
    assert reply.answers[0].citations[0].span.start == text.index("12")
    assert_exact(reply, place)


@pytest.mark.model
def test_an_undecodable_file_leaves_the_real_models_answering(tmp_path: Path, index: Path) -> None:
    place = tmp_path / "documents"
    place.mkdir()
    (place / "good.txt").write_text(HARBOUR, encoding="utf-8")
    (place / "bad.txt").write_bytes("früh café naïve ".encode() + b"\xff")
    reply = Assistant.from_folder(place, index=index).ask(CRANES)
    assert [hit.passage.document.document_id for hit in reply.hits] == ["good.txt"]
    assert_exact(reply, place)


@pytest.mark.usefixtures("toy_models")
def test_from_folder_refuses_in_one_line(tmp_path: Path) -> None:
    place = tmp_path / "documents"
    place.mkdir()
    (place / "a.txt").write_bytes(b"\0\1\2")
    with pytest.raises(NoDocumentsError) as caught:
        Assistant.from_folder(place)
    assert "\n" not in str(caught.value)
    with pytest.raises(IndexStoreError) as missing:
        Assistant.open(tmp_path)
    assert "\n" not in str(missing.value)


def test_ask_names_many_files_that_it_left_out_in_one_line_without_their_escapes(
    run: Run, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(20):
        (folder / f"{number:02d}\x1b[2J.jpg").write_bytes(b"\xff\xd8")
    assert run("ask", CRANES, "--docs", folder)[0] == 0
    (message,) = [record.getMessage() for record in caplog.records]
    assert "\x1b" not in message
    assert message.startswith("skipped    20 unsupported")
    assert "and 17 more" in message


def test_no_message_moves_the_cursor(run: Run, folder: Path) -> None:
    code, out, err = run("ask", CRANES, "--docs", folder / "none\x1b[2J")
    assert (code, out) == (1, "")
    assert "\x1b" not in err


def test_an_encoder_for_an_index_that_has_one_is_refused(run: Run, folder: Path, index: Path) -> None:
    assert run("index", folder, "--index", index)[0] == 0
    code, out, err = run("ask", CRANES, "--index", index, "--encoder", "other-encoder")
    assert (code, out) == (1, "")
    assert_one_line(err, "--encoder goes with --docs")
