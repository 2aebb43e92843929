"""embeddings/store.py: the old index or the new one, never a damaged one."""

import builtins
import fcntl
import io
import json
import os
import re
from collections.abc import Callable
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
REPLACE = os.replace  # the commit
ABOUT = {"encoder": "toy", "chunking": [700, 1]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An index folder with one generation, OLD."""
    store.save(tmp_path / "index", OLD, about=ABOUT)
    return tmp_path / "index"


def generations(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("gen-"))


def test_save_and_load_round_trip(folder: Path) -> None:
    assert store.load(folder) == store.Stored(OLD, ABOUT)


@given(
    blobs=st.dictionaries(st.sampled_from("abc"), st.binary(max_size=30)), about=st.dictionaries(st.text(), st.text())
)
@settings(thorough, max_examples=25)  # every one of them waits for the disk
def test_any_bytes_round_trip(
    tmp_path_factory: pytest.TempPathFactory, blobs: dict[str, bytes], about: dict[str, str]
) -> None:
    folder = tmp_path_factory.mktemp("index", numbered=True)
    store.save(folder, blobs, about=about)
    assert store.load(folder) == store.Stored(blobs, about)


def test_save_again_replaces_the_index(folder: Path) -> None:
    store.save(folder, NEW, about={"encoder": "other"})
    assert store.load(folder) == store.Stored(NEW, {"encoder": "other"})


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


def test_load_refuses_another_format_version_whose_checksums_are_right(folder: Path) -> None:
    path = folder / "gen-00000001" / "manifest.json"
    forged = json.dumps(json.loads(path.read_bytes()) | {"format_version": 2}).encode()
    path.write_bytes(forged)
    (folder / "CURRENT").write_text(f"gen-00000001 {sha256(forged).hexdigest()}")
    with pytest.raises(IndexStoreError, match="index format 2, this version of quotewise reads format 1"):
        store.load(folder)


def test_load_survives_a_generation_removed_between_two_reads(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = store._read_generation

    def slow(generation: Path, *, manifest_sha256: str) -> store.Stored:
        monkeypatch.setattr(store, "_read_generation", read)
        for _ in range(2):  # another process writes twice, so that the generation we have just read of goes away
            store.save(folder, NEW, about=ABOUT)
        return read(generation, manifest_sha256=manifest_sha256)

    monkeypatch.setattr(store, "_read_generation", slow)
    assert store.load(folder).blobs == NEW


class Disk:
    """Fails at the n-th call of any of the functions it stands before; n = 0: only counts."""

    def __init__(self, n: int) -> None:
        self.n, self.calls, self.committed = n, 0, False

    def guard(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Stand before a function."""

        def guarded(*args: Any, **options: Any) -> Any:
            self.calls += 1
            if self.calls == self.n:
                raise OSError(28, "No space left on device")
            result = function(*args, **options)
            self.committed = self.committed or function is REPLACE
            return result

        return guarded


def save_on(disk: Disk, folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((os, "replace"), (os, "open"), (os, "fsync"), (os, "mkdir"), (os, "rename")):
            patch.setattr(module, name, disk.guard(getattr(module, name)))
        guarded = disk.guard(io.open)
        patch.setattr(io, "open", guarded)
        patch.setattr(builtins, "open", guarded)
        store.save(folder, NEW, about=ABOUT)


def test_a_failing_disk_leaves_the_old_generation_in_force(tmp_path: Path) -> None:
    count = Disk(0)
    store.save(tmp_path / "count", OLD, about=ABOUT)
    save_on(count, tmp_path / "count")
    assert count.calls > 10  # files, syncs, one rename, one replace
    for n in range(1, count.calls + 1):
        folder = tmp_path / f"index-{n}"
        store.save(folder, OLD, about=ABOUT)
        disk = Disk(n)
        try:
            save_on(disk, folder)
        except OSError:
            pass
        else:
            assert disk.committed  # what failed did not matter: a folder that was there, an old generation to remove
        assert store.load(folder).blobs == (NEW if disk.committed else OLD), f"call {n} of {count.calls}"
        store.save(folder, NEW, about=ABOUT)  # and nothing is in the way of the next attempt
        assert store.load(folder).blobs == NEW
        assert len(generations(folder)) <= 2
        assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_a_second_writer_is_refused_with_the_first_ones_pid(folder: Path) -> None:
    with (folder / "LOCK").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write("4711")
        lock.flush()
        with pytest.raises(IndexStoreError, match="is being written by process 4711; wait for it"):
            store.save(folder, NEW, about=ABOUT)
    assert store.load(folder).blobs == OLD
    store.save(folder, NEW, about=ABOUT)
    assert (folder / "LOCK").read_text() == str(os.getpid())
