"""embeddings/store.py: the old index or the new one, never a damaged one."""

import errno
import io
import json
import os
import re
import shutil
import socket
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import thorough

from embeddings import store
from embeddings.store import IndexStoreError, NoIndexError

OLD = {"documents.jsonl": b"old\n", "vectors.faiss": bytes(range(40))}
NEW = {"documents.jsonl": b"new and longer\n", "vectors.faiss": b"", "extra": b"\0"}
ABOUT = {"encoder": "toy", "chunking": [700, 1]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An index folder with one generation, OLD."""
    store.save(tmp_path / "index", OLD, about=ABOUT)
    return tmp_path / "index"


def generations(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("gen-"))


def test_save_and_load_round_trip(folder: Path) -> None:
    assert store.load(folder) == store.Stored("gen-00000001", OLD, ABOUT)


@given(
    blobs=st.dictionaries(st.sampled_from("abc"), st.binary(max_size=30)), about=st.dictionaries(st.text(), st.text())
)
@settings(thorough, max_examples=25)  # every one of them waits for the disk
def test_any_bytes_round_trip(
    tmp_path_factory: pytest.TempPathFactory, blobs: dict[str, bytes], about: dict[str, str]
) -> None:
    folder = tmp_path_factory.mktemp("index", numbered=True)
    store.save(folder, blobs, about=about)
    assert store.load(folder) == store.Stored("gen-00000001", blobs, about)


def test_save_again_replaces_the_index(folder: Path) -> None:
    store.save(folder, NEW, about={"encoder": "other"})
    assert store.load(folder) == store.Stored("gen-00000002", NEW, {"encoder": "other"})


def test_save_keeps_the_two_newest_generations(folder: Path) -> None:
    for _ in range(3):
        store.save(folder, NEW, about=ABOUT)
    assert generations(folder) == ["gen-00000003", "gen-00000004"]


def test_load_without_an_index_says_how_to_build_one(tmp_path: Path) -> None:
    with pytest.raises(NoIndexError, match=f"no index in {re.escape(str(tmp_path / 'none'))}; build one with"):
        store.load(tmp_path / "none")


def test_load_of_a_file_instead_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(IndexStoreError, match="file/CURRENT cannot be read"):
        store.load(tmp_path / "file")


FILES = ["CURRENT", "gen-00000001/manifest.json", "gen-00000001/documents.jsonl", "gen-00000001/vectors.faiss"]


@pytest.mark.parametrize("name", FILES)
def test_load_names_a_truncated_file(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    for size in range(0, len(whole), 1 + len(whole) // 20):
        (folder / name).write_bytes(whole[:size])
        with pytest.raises(IndexStoreError, match=re.escape(str(folder / name))):
            store.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_load_names_a_file_with_a_byte_too_many(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes() + b"\n")
    with pytest.raises(IndexStoreError, match=re.escape(str(folder / name))):
        store.load(folder)


@pytest.mark.parametrize("name", FILES[1:])
def test_load_names_a_file_with_a_flipped_bit(folder: Path, name: str) -> None:
    whole = (folder / name).read_bytes()
    for at in range(0, len(whole), 1 + len(whole) // 50):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << (at % 8)
        (folder / name).write_bytes(damaged)
        with pytest.raises(IndexStoreError, match=re.escape(str(folder / name))) as caught:
            store.load(folder)
        assert "build it again with: qa index DIR" in str(caught.value)


def test_load_refuses_current_with_any_flipped_bit(folder: Path) -> None:
    store.save(folder, NEW, about=ABOUT)  # so that a flip in the number can lead to the other generation
    whole = (folder / "CURRENT").read_bytes()
    for at in range(len(whole)):
        for bit in (0, 3, 7) if at > 13 else range(8):
            damaged = bytearray(whole)
            damaged[at] ^= 1 << bit
            (folder / "CURRENT").write_bytes(damaged)
            with pytest.raises(IndexStoreError, match=r"CURRENT|gen-\d{8}/manifest.json is missing"):
                store.load(folder)


@pytest.mark.parametrize("name", FILES[1:])
def test_load_names_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(IndexStoreError, match=re.escape(f"{folder / name} is missing")):
        store.load(folder)


@pytest.mark.parametrize("line", ["../../etc", "../../etc " + "0" * 64, "gen-00000001", "", "gen-00000001 " + "g" * 64])
def test_load_refuses_a_current_that_is_no_generation(folder: Path, line: str) -> None:
    (folder / "CURRENT").write_text(line)
    with pytest.raises(IndexStoreError, match=r"CURRENT is damaged"):
        store.load(folder)


@pytest.mark.parametrize(
    ("version", "kind"), [(store.FORMAT_VERSION + 1, IndexStoreError), (store.FORMAT_VERSION - 1, NoIndexError)]
)
def test_load_refuses_another_format_version_whose_checksums_are_right(
    folder: Path, version: int, kind: type[IndexStoreError]
) -> None:
    path = folder / "gen-00000001" / "manifest.json"
    forged = json.dumps(json.loads(path.read_bytes()) | {"format_version": version}).encode()
    path.write_bytes(forged)
    (folder / "CURRENT").write_text(f"gen-00000001 {sha256(forged).hexdigest()}")
    with pytest.raises(
        IndexStoreError, match=f"index format {version}, this version of quotewise reads format"
    ) as caught:
        store.load(folder)
    assert type(caught.value) is kind


def test_load_survives_a_generation_removed_between_two_reads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = store._read_generation

    def slow(generation: Path, manifest_bytes: bytes) -> store.Stored:
        monkeypatch.setattr(store, "_read_generation", read)
        for _ in range(2):  # another process writes twice, so that the generation we have just read of goes away
            store.save(folder, NEW, about=ABOUT)
        return read(generation, manifest_bytes)

    monkeypatch.setattr(store, "_read_generation", slow)
    assert store.load(folder).blobs == NEW


# writers


def test_a_second_writer_is_told_who_the_first_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one comes while the first is in the middle of its save."""
    write = store._write_generation

    def slow(*arguments: Any) -> str:
        monkeypatch.setattr(store, "_write_generation", write)
        for action in (lambda: store.save(folder, OLD, about=ABOUT), lambda: store.repair(folder)):
            with pytest.raises(IndexStoreError) as caught:
                action()
            who = f"{folder} is being written by process {os.getpid()} on {socket.gethostname()} since "
            assert re.fullmatch(re.escape(who) + r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\S+; wait for it", str(caught.value))
        assert store.load(folder).blobs == OLD
        return write(*arguments)

    monkeypatch.setattr(store, "_write_generation", slow)
    store.save(folder, NEW, about=ABOUT)
    assert store.load(folder).blobs == NEW
    store.save(folder, OLD, about=ABOUT)  # nothing is left locked


def test_reading_opens_nothing_for_writing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a folder that is read-only, where the lock cannot be taken, answers."""
    plain = io.open

    def read_only(file: Any, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if set(mode) & set("wax+"):
            raise OSError(errno.EROFS, "Read-only file system", str(file))
        return plain(file, mode, *arguments, **options)

    monkeypatch.setattr(io, "open", read_only)
    assert store.load(folder).blobs == OLD
    assert not [one for one in store.verify(folder) if one.problem]
    with pytest.raises(OSError, match="Read-only file system"):
        store.save(folder, NEW, about=ABOUT)


# verify and repair


def bad(folder: Path) -> dict[str, str]:
    return {one.path.relative_to(folder).as_posix(): one.problem for one in store.verify(folder) if one.problem}


def test_verify_names_every_file_of_both_generations(folder: Path) -> None:
    store.save(folder, NEW, about=ABOUT)
    names = [one.path.relative_to(folder).as_posix() for one in store.verify(folder)]
    first, second = ([f"{name}/{file}" for file in ("manifest.json", *blobs)] for name, blobs in KEPT.items())
    assert names == ["CURRENT", *first, *second]
    assert bad(folder) == {}


KEPT = {"gen-00000001": OLD, "gen-00000002": NEW}


@pytest.mark.parametrize("name", [f"{generation}/{file}" for generation in KEPT for file in ("manifest.json", *OLD)])
def test_verify_finds_damage_in_any_generation(folder: Path, name: str) -> None:
    store.save(folder, NEW, about=ABOUT)
    (folder / name).write_bytes(b"x" + (folder / name).read_bytes()[1:])
    found = bad(folder)
    assert found.pop(name) == "is damaged (its checksum differs)"
    found.pop("CURRENT", None)  # which has the manifest's digest
    assert found == {}
    (folder / name).unlink()
    assert bad(folder)[name] == "is missing"


def test_verify_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoIndexError, match="no index in"):
        store.verify(tmp_path)


@pytest.mark.parametrize("line", ["", "nonsense", "../../etc", "gen-00000009 " + "0" * 64, None])
def test_repair_mends_current(folder: Path, line: str | None) -> None:
    store.save(folder, NEW, about=ABOUT)
    if line is None:
        (folder / "CURRENT").unlink()
    else:
        (folder / "CURRENT").write_text(line)
    assert list(bad(folder)) == ["CURRENT"]
    assert store.repair(folder) == ["made gen-00000002 the current generation"]
    assert bad(folder) == {}
    assert store.load(folder).blobs == NEW
    assert store.repair(folder) == []


@pytest.mark.parametrize("file", ["manifest.json", *NEW])
def test_repair_goes_back_to_the_newest_generation_that_is_whole(folder: Path, file: str) -> None:
    store.save(folder, NEW, about=ABOUT)
    (folder / "gen-00000002" / file).unlink()
    (folder / ".gen-00000003").mkdir()
    assert store.repair(folder) == [
        "made gen-00000001 the current generation",
        f"removed gen-00000002: {file} is missing",
        "removed unfinished .gen-00000003",
    ]
    assert store.load(folder).blobs == OLD
    assert sorted(path.name for path in folder.iterdir()) == ["CURRENT", "LOCK", "gen-00000001"]
    store.save(folder, NEW, about=ABOUT)
    assert store.load(folder).blobs == NEW


def test_repair_of_nothing_whole_removes_nothing(folder: Path) -> None:
    (folder / "gen-00000001" / "vectors.faiss").write_bytes(b"")
    before = sorted(folder.rglob("*"))
    with pytest.raises(IndexStoreError, match=r"no generation in .* is whole; build it again"):
        store.repair(folder)
    assert sorted(folder.rglob("*")) == before


def test_repair_takes_what_cannot_be_read_for_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(folder, NEW, about=ABOUT)
    before = sorted(folder.rglob("*"))

    def failing(path: Path) -> str:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(store, "_sha256", failing)
    with pytest.raises(
        IndexStoreError, match=r"\.jsonl cannot be read \(Input/output error\); make it readable or delete"
    ):
        store.repair(folder)
    assert sorted(folder.rglob("*")) == before


def test_repair_without_an_index_writes_nothing(tmp_path: Path) -> None:
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(NoIndexError, match="no index in"):
            store.repair(folder)
    assert list(tmp_path.iterdir()) == []


def test_save_removes_what_a_killed_writer_left(folder: Path) -> None:
    (folder / ".gen-00000007").mkdir()
    (folder / ".CURRENT").write_text("half")
    shutil.copytree(folder / "gen-00000001", folder / "gen-00000002")  # killed between its rename and its commit
    store.save(folder, NEW, about=ABOUT)
    assert sorted(path.name for path in folder.iterdir()) == ["CURRENT", "LOCK", "gen-00000001", "gen-00000002"]
    assert store.load(folder).blobs == NEW


def test_save_leaves_the_generations_to_repair_while_current_is_damaged(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.save(folder, NEW, about=ABOUT)
    (folder / "CURRENT").write_text((folder / "CURRENT").read_text().replace("gen-00000002", "gen-00000001"))
    monkeypatch.setattr(store, "_write", lambda path, data: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
    with pytest.raises(OSError, match="full"):
        store.save(folder, OLD, about=ABOUT)
    assert generations(folder) == ["gen-00000001", "gen-00000002"]
