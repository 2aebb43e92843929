"""Indexes of changing folders: an update equals a rebuild, and `qa index` says what it did."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from strategies import texts
from toys import FERRY, HARBOUR, MUSEUM, VOCABULARY, ToyEncoder, document, toy_retriever

from embeddings import store
from embeddings.store import IndexStoreError, NoIndexError
from qa import assistant as assistant_module
from qa import documents, inventory
from qa.assistant import Assistant, Indexed, indexed
from qa.chunking import chunk_document
from qa.documents import NoDocumentsError, read_folder
from qa.retriever import LAYOUT, Retriever, read_documents

Run = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.usefixtures("toy_models")
SEQUENCES = int(os.environ.get("INDEX_SEQUENCES", "100"))


def update(folder: Path, index: Path, encoder: ToyEncoder | None = None) -> Indexed:
    return indexed(folder, index=index, encoder=encoder or ToyEncoder(), progress=None)


def anew(folder: Path) -> Retriever:
    corpus, _ = read_folder(folder)
    return Retriever.build([p for document in corpus.documents for p in chunk_document(document)], ToyEncoder())


# updates

NAMES = st.sampled_from(("a.txt", "b.md", "ordner/ü.txt", "z.txt"))
WORDS = st.lists(st.sampled_from((*VOCABULARY, "the", "Ilse Brandt", "12", ". ", "\n\n")), max_size=40).map(" ".join)


class Folder(RuleBasedStateMachine):
    """A folder in which files come, change, move and go, and its index, updated after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.place = Path(tempfile.mkdtemp())
        self.folder, self.index = self.place / "documents", self.place / "index"
        (self.folder / "ordner").mkdir(parents=True)

    def teardown(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.place)

    @rule(name=NAMES, text=WORDS | texts())
    def write(self, name: str, text: str) -> None:
        """Add a file or write another text into it."""
        (self.folder / name).write_bytes(text.encode())

    @rule(name=NAMES, text=WORDS)
    def append(self, name: str, text: str) -> None:
        """Keep what a file says and add to it."""
        with (self.folder / name).open("ab") as file:
            file.write(text.encode())

    @rule(old=NAMES, new=NAMES)
    def rename(self, old: str, new: str) -> None:
        """Move a file, over another one perhaps."""
        if (self.folder / old).exists():
            (self.folder / old).rename(self.folder / new)

    @rule(old=NAMES, new=NAMES)
    def copy(self, old: str, new: str) -> None:
        """Make a file the twin of another."""
        if (self.folder / old).exists() and old != new:
            shutil.copy(self.folder / old, self.folder / new)

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        """Remove a file."""
        (self.folder / name).unlink(missing_ok=True)

    @invariant()
    def update_equals_rebuild(self) -> None:
        """The same bytes, so the same passages, vectors, terms and counts; and the same hits."""
        try:
            wanted = anew(self.folder)
        except NoDocumentsError:
            with pytest.raises(NoDocumentsError):
                update(self.folder, self.index)
            return
        updated = update(self.folder, self.index).retriever
        assert updated.to_blobs() == wanted.to_blobs() == store.load(self.index).blobs
        assert Retriever.from_blobs(wanted.to_blobs(), ToyEncoder(), wanted.probe).passages[:] == updated.passages[:]
        for question in ("Who runs the ferry?", "museum of Ilse Brandt", "Zürich fugitives"):
            assert updated.retrieve(question) == wanted.retrieve(question)


def test_update_after_any_steps_equals_rebuild(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # a thousand saves need not wait for the disk
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Folder, settings=settings(max_examples=SEQUENCES, stateful_step_count=10, deadline=None)
    )


def test_update_embeds_only_what_changed(folder: Path, index: Path) -> None:
    update(folder, index)
    (folder / "harbour.txt").write_text(HARBOUR.replace("12", "13"), encoding="utf-8")
    (folder / "museum.txt").rename(folder / "a.txt")
    (folder / "ferry.txt").unlink()
    encoder = ToyEncoder()
    done = update(folder, index, encoder)
    assert encoder.documents_seen == [HARBOUR.replace("12", "13"), "The harbour has 13 cranes."]
    assert [one.document_id for one in done.before.documents] == ["ferry.txt", "harbour.txt", "museum.txt"]
    assert done.retriever.to_blobs() == anew(folder).to_blobs()


def test_update_of_nothing_new_writes_nothing(folder: Path, index: Path) -> None:
    update(folder, index)
    before = {path: path.stat().st_mtime_ns for path in index.rglob("*")}
    os.utime(folder / "ferry.txt", (0, 0))
    moved = folder.rename(folder.with_name("moved"))
    update(moved, index)
    assert {path: path.stat().st_mtime_ns for path in index.rglob("*")} == before


def test_update_does_not_parse_again_what_failed(folder: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "scan.pdf").write_bytes(b"%PDF-1.4 no pdf")
    first = update(folder, index)
    monkeypatch.setattr(documents, "run_confined", lambda *_: pytest.fail("parsed"))
    before = {path: path.stat().st_mtime_ns for path in index.rglob("*")}
    again = update(folder, index)
    assert [(one.path, one.reason) for one in again.skipped] == [("scan.pdf", "damaged")]
    assert again.skipped == first.skipped
    assert {path: path.stat().st_mtime_ns for path in index.rglob("*")} == before


def test_update_cuts_no_text_anew_when_only_a_failure_came(
    folder: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = update(folder, index).retriever.to_blobs()
    (folder / "scan.pdf").write_bytes(b"%PDF-1.4 no pdf")
    monkeypatch.setattr(assistant_module, "chunk_document", lambda *_: pytest.fail("cut"))
    assert [one.path for one in update(folder, index).skipped] == ["scan.pdf"]
    stored = store.load(index)
    assert stored.blobs == made
    assert [one["path"] for one in stored.about["left_out"]] == ["scan.pdf"]


def test_a_deleted_document_is_in_no_file_of_the_new_generation(folder: Path, index: Path) -> None:
    (folder / "secret.txt").write_text("Kumquats ripen. The passwort is xylophon.", encoding="utf-8")
    update(folder, index)
    (folder / "secret.txt").unlink()
    update(folder, index)
    for word in (b"secret", b"umquat", b"#kumq", b"xylophon", b"#xylo"):
        held = {path.parent.name for path in index.glob("gen-*/*") if word in path.read_bytes()}
        assert held == {"gen-00000001"}, word
    (folder / "ferry.txt").unlink()
    update(folder, index)  # and now the older generation is gone, too
    assert not [path for path in index.rglob("*") if path.is_file() and b"xylophon" in path.read_bytes()]


def test_an_index_of_an_older_layout_is_built_anew_but_not_opened(
    run: Run, folder: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assistant_module, "SentenceEncoder", ToyEncoder)
    with monkeypatch.context() as other:
        other.setattr(assistant_module, "LAYOUT", LAYOUT - 1)
        update(folder, index)
    with pytest.raises(NoIndexError, match="made by an older version of quotewise; build it again with"):
        Assistant.open(index)
    code, out, err = run("index", "status", folder, "--index", index)
    assert (code, out) == (1, "")
    assert err.endswith(f"older version of quotewise; build it again with: qa index {folder} --index {index}\n")
    encoder = ToyEncoder()
    assert update(folder, index, encoder).retriever.to_blobs() == anew(folder).to_blobs()
    assert len(encoder.documents_seen) == 9


def test_an_index_of_a_newer_layout_is_left_alone(
    run: Run, folder: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as other:
        other.setattr(assistant_module, "LAYOUT", LAYOUT + 1)
        update(folder, index)
    with pytest.raises(IndexStoreError, match="made by a newer version of quotewise; use that, or build it again"):
        update(folder, index)
    assert run("index", "status", folder, "--index", index)[0] == 1
    assert store.load(index).generation == "gen-00000001"


@pytest.mark.parametrize("within", [".", "index", "deep/index"])
def test_an_index_cannot_lie_within_the_documents(run: Run, folder: Path, within: str) -> None:
    before = sorted(folder.rglob("*"))
    code, out, err = run("index", folder, "--index", folder / within)
    assert (code, out) == (1, "")
    assert "the index cannot lie within the documents" in err
    assert sorted(folder.rglob("*")) == before


def test_an_index_of_an_older_format_is_built_anew(folder: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as older:
        older.setattr(store, "FORMAT_VERSION", store.FORMAT_VERSION - 1)
        update(folder, index)
    with pytest.raises(NoIndexError, match="index format"):
        store.load(index)
    update(folder, index)
    assert store.load(index).generation == "gen-00000002"


# the command


def test_index_builds_and_update_says_what_changed(run: Run, folder: Path, index: Path) -> None:
    code, out, err = run("index", folder, "--index", index)
    assert (code, out, err) == (0, f"3 documents, 3 passages, index in {index}\n", "")
    assert run("index", "update", folder, "--index", index)[1].splitlines()[1:] == ["nothing had changed"]
    (folder / "more.txt").write_text("A guide.", encoding="utf-8")
    (folder / "ferry.txt").write_text("A ferry.", encoding="utf-8")
    (folder / "museum.txt").unlink()
    for words in (("index", "update", folder), ("index", folder, "--update")):
        code, out, err = run(*words, "--index", index)
        assert (code, err) == (0, "")
        assert out.splitlines() == [
            f"3 documents, 3 passages, index in {index}",
            "1 added, 1 changed, 1 gone" if words[1] == "update" else "nothing had changed",
        ]


def test_index_without_a_word_builds_everything_anew(run: Run, folder: Path, index: Path) -> None:
    run("index", folder, "--index", index)
    run("index", folder, "--index", index)
    assert store.load(index).generation == "gen-00000002"


def test_index_lists_what_was_left_out_by_reason(run: Run, folder: Path, index: Path, tmp_path: Path) -> None:
    for number in range(5):
        (folder / f"photo{number}.png").write_bytes(b"\x89PNG")
    (folder / "twin.txt").write_text(MUSEUM, encoding="utf-8")
    (folder / "em\x1bpty.txt").write_bytes(b"")
    report = tmp_path / "report.json"
    code, out, err = run("index", folder, "--index", index, "--report", report)
    assert (code, err) == (0, "")
    lines = [line.split(maxsplit=3) for line in out.splitlines()[1:]]
    assert [line[:3] for line in lines] == [
        ["skipped", "1", "duplicate"],
        ["skipped", "1", "empty"],
        ["skipped", "5", "unsupported"],
    ]
    assert lines[2][3].startswith("photo0.png, photo1.png, photo2.png and 2 more: ")
    assert "\x1b" not in out
    told = json.loads(report.read_text(encoding="utf-8"))
    assert (told["passages"], len(told["files"])) == (3, 10)
    by_path = {file["path"]: file for file in told["files"]}
    assert by_path["museum.txt"] == {
        "path": "museum.txt",
        "status": "indexed",
        "reason": None,
        "detail": "",
        "sha256": by_path["museum.txt"]["sha256"],
        "decoded": "utf-8",
        "characters": len(MUSEUM),
        "passages": 1,
    }
    assert by_path["twin.txt"].keys() == {"path", "status", "reason", "detail"}
    assert (by_path["twin.txt"]["status"], by_path["twin.txt"]["reason"]) == ("skipped", "duplicate")


def test_index_names_what_was_read_in_part() -> None:
    partial = replace(document("scan.pdf", MUSEUM), decoded="pdf", pages=(0, 20), lost="pages 3, 7 hold no text")
    retriever = toy_retriever([document("ferry.txt", FERRY), partial])
    files = inventory.files_of(retriever, ())
    assert [(file["path"], file["status"], file["reason"]) for file in files] == [
        ("ferry.txt", "indexed", None),
        ("scan.pdf", "partial", "lost"),
    ]
    (line,) = inventory.table(files)
    assert line.split(maxsplit=3) == ["partial", "1", "lost", "scan.pdf: pages 3, 7 hold no text"]


def test_index_strict_exits_3_when_a_text_is_not_in_the_index(run: Run, folder: Path, index: Path) -> None:
    (folder / "twin.txt").write_text(MUSEUM, encoding="utf-8")
    assert run("index", folder, "--index", index, "--strict")[0] == 0
    (folder / "none.txt").write_bytes(b"")
    assert run("index", folder, "--index", index)[0] == 0
    assert run("index", folder, "--index", index, "--strict")[0] == 3
    assert len(store.load(index).about["corpus_sha256"]) == 64  # what could be read is there


def test_index_of_nothing_readable_fails_and_keeps_the_index(run: Run, folder: Path, index: Path) -> None:
    run("index", folder, "--index", index)
    before = store.load(index)
    for path in folder.iterdir():
        path.write_bytes(b"")
    for words in (("index", folder), ("index", "update", folder)):
        code, out, err = run(*words, "--index", index)
        assert (code, out) == (1, "")
        assert "3 empty" in err
    assert store.load(index) == before


def test_patterns_stay_with_the_index_until_it_is_built_anew(run: Run, folder: Path, index: Path) -> None:
    run("index", folder, "--index", index, "--exclude", "m*", "--exclude", "ferry*")
    for words in (("index", "update", folder), ("ask", "How many cranes?", "--docs", folder)):
        assert run(*words, "--index", index)[0] == 0
        assert [one.document_id for one in read_documents(store.load(index).blobs)] == ["harbour.txt"]
    assert run("index", "status", folder, "--index", index)[1].endswith("up to date\n")
    code, out, _ = run("index", "update", folder, "--index", index, "--include", "*r.txt", "--exclude", "ferry*")
    assert (code, out.splitlines()[0]) == (0, f"1 documents, 1 passages, index in {index}")
    assert run("index", folder, "--index", index)[1].startswith("3 documents")


def test_status_says_what_is_there_and_what_has_changed(run: Run, folder: Path, index: Path) -> None:
    run("index", folder, "--index", index)
    before = {path: path.stat().st_mtime_ns for path in index.rglob("*")}
    code, out, err = run("index", "status", folder, "--index", index)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == f"index       {index}, gen-00000001"
    assert out.splitlines()[1].endswith("with all-MiniLM-L6-v2")
    assert out.splitlines()[2:] == ["holds       3 documents, 3 passages", "up to date"]
    (folder / "more.txt").write_text("A guide.", encoding="utf-8")
    (folder / "ferry.txt").write_text("A ferry.", encoding="utf-8")
    (folder / "museum.txt").unlink()
    code, out, err = run("index", "status", folder, "--index", index)
    assert (code, err) == (0, "")
    changes = ["added       more.txt", "changed     ferry.txt", "gone        museum.txt"]
    assert out.splitlines()[3:] == [*changes, f"bring it up to date with: qa index update {folder} --index {index}"]
    assert {path: path.stat().st_mtime_ns for path in index.rglob("*")} == before


def test_verify_and_repair(run: Run, folder: Path, index: Path) -> None:
    run("index", folder, "--index", index)
    run("index", folder, "--index", index)
    code, out, err = run("index", "verify", folder, "--index", index)
    assert (code, err) == (0, "")
    assert {line[:5] for line in out.splitlines()} == {"OK   "}
    assert len(out.splitlines()) == 1 + 2 * 11
    (index / "gen-00000002" / "passages.faiss").write_bytes(b"")
    code, out, err = run("index", "verify", folder, "--index", index)
    assert code == 1
    assert "BAD  gen-00000002/passages.faiss  is damaged (its checksum differs)" in out.splitlines()
    assert err == f"qa: the index in {index} is damaged; mend it with: qa index repair {folder} --index {index}\n"
    code, out, err = run("index", "repair", folder, "--index", index)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "made gen-00000001 the current generation"
    assert run("index", "verify", folder, "--index", index)[0] == 0
    assert run("index", "repair", folder, "--index", index)[1] == "nothing to repair\n"


@pytest.mark.parametrize("action", ["status", "verify", "repair"])
def test_looking_after_no_index_fails(run: Run, folder: Path, index: Path, action: str) -> None:
    code, out, err = run("index", action, folder, "--index", index)
    assert (code, out) == (1, "")
    assert err == f"qa: no index in {index}; build one with: qa index {folder} --index {index}\n"
    assert not index.exists()


def test_looking_after_an_index_uses_the_place_in_the_cache(run: Run, folder: Path, tmp_path: Path) -> None:
    run("index", folder)
    for action in ("status", "verify", "repair", "update"):
        code, _, err = run("index", action, folder)
        assert (code, err) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["documents", "cache"] or (tmp_path / "cache").is_dir()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mend", "documents"], "after update, status, verify, repair or nothing; got 'mend'"),
        (["status", "verify", "documents"], "got 'status'"),
        (["repair"], "expected a folder after repair, as in: qa index repair DIR"),
        (["verify", "documents", "--strict"], "verify takes no option but --index"),
        (["status", "documents", "--include", "*.md"], "status takes no option but --index"),
        (["repair", "documents", "--encoder", "other"], "repair takes no option but --index"),
    ],
)
def test_index_explains_bad_usage(run: Run, words: list[str], said: str) -> None:
    code, out, err = run("index", *words)
    assert (code, out) == (2, "")
    assert said in err
    assert err.count("\n") == 1


def test_a_folder_named_status_is_a_folder(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "status").mkdir()
    (tmp_path / "status" / "ferry.txt").write_text(FERRY, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run("index", "status", "--index", "index")[1] == "1 documents, 1 passages, index in index\n"
    assert run("index", "status", "status", "--index", "index")[1].endswith("up to date\n")


def test_index_refuses_a_report_that_has_no_place_before_it_reads(run: Run, folder: Path, index: Path) -> None:
    code, out, err = run("index", folder, "--index", index, "--report", folder / "none" / "report.json")
    assert (code, out) == (1, "")
    assert "cannot write the report to" in err
    assert not index.exists()
