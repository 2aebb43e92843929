"""An index under bad luck: killed writers, failing disks, damaged files, two writers, readers beside a writer.

FAULT_SCALE=5 runs the long form, whose figures are in docs/reliability.md.
"""

import builtins
import errno
import fcntl
import io
import os
import random
import signal
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from toys import FERRY, HARBOUR, MUSEUM, ToyEncoder, document, toy_retriever

from embeddings import store
from embeddings.store import IndexStoreError
from qa.datatypes import Hit
from qa.retriever import Retriever

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # of forking beside idle threads
SCALE = int(os.environ.get("FAULT_SCALE", "1"))
KILLED = 9
RENAME, REPLACE = os.rename, os.replace
Blobs = dict[str, bytes]


def blobs_of(number: int) -> Blobs:
    """What the generation of a number holds: every file says which it is, on each of its 4 KiB pages and beyond."""
    return {f"{name}.bin": f"{number:04d}{name}".encode() * size for name, size in (("a", 2500), ("b", 900), ("c", 1))}


OLD, NEW = blobs_of(1), blobs_of(2)


def fsync(descriptor: int) -> None:
    """Wait for nothing: whether bytes have reached the disk is kept account of below, see `lose_power`."""


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", fsync)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An index folder with one generation, OLD."""
    store.save(tmp_path / "index", OLD, about={})
    return tmp_path / "index"


def assert_sound(folder: Path, *wanted: Blobs) -> Blobs:
    """What is in force is one of the wanted generations, byte for byte, and the next save is not hindered."""
    found = store.load(folder).blobs
    assert found in wanted
    assert not [one for one in store.verify(folder) if one.problem]
    store.save(folder, NEW, about={})
    assert store.load(folder).blobs == NEW
    assert len(list(folder.glob("gen-*"))) <= 2
    assert not list(folder.glob(".*"))
    return found


# a file system that fails at its n-th call


class FailingFile:
    """A file whose writes and flushes are calls, too; the failing write has written half."""

    def __init__(self, file: Any, disk: "Disk") -> None:
        self.file, self.disk = file, disk

    def write(self, data: Any) -> Any:
        """Write, or write half and fail."""
        if self.disk.is_due():
            self.file.write(data[: len(data) // 2])
            self.file.flush()
            self.disk.failure()
        self.disk.unsynced.add(os.fstat(self.file.fileno()).st_ino)
        return self.file.write(data)

    def flush(self) -> None:
        """Flush, or fail."""
        self.disk.call(self.file.flush)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the file's own."""
        return getattr(self.file, name)

    def __enter__(self) -> "FailingFile":
        """Stand for the file in a with statement."""
        return self

    def __exit__(self, *error: Any) -> None:
        """Close the file."""
        self.file.close()


class Disk:
    """Stands before every call that `store` makes of the file system, and fails at the n-th; n = 0 only counts."""

    FUNCTIONS = (
        *((os, name) for name in ("open", "mkdir", "rename", "replace", "fsync", "unlink", "rmdir", "scandir", "stat")),
        (fcntl, "flock"),
    )

    def __init__(self, n: int, failure: Callable[[], Any]) -> None:
        self.n, self.failure, self.calls = n, failure, 0
        self.unsynced: set[int] = set()  # files whose bytes are not yet on the disk
        self.renamed: list[tuple[Any, Any]] = []  # and names that are not

    def is_due(self) -> bool:
        """Count a call, and say whether it is the one that fails."""
        self.calls += 1
        return self.calls == self.n

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call a function, or fail."""
        if self.is_due():
            self.failure()
        result = function(*arguments, **options)
        if function is fsync:
            status = os.fstat(arguments[0])
            self.unsynced.discard(status.st_ino)
            self.renamed = [] if stat.S_ISDIR(status.st_mode) else self.renamed
        elif function in (RENAME, REPLACE):
            self.renamed.append(arguments)
        return result

    def lose_power(self, folder: Path) -> None:
        """Leave of the folder the worst that may lie on the disk: bytes that no fsync has sent there are not there.

        Of two renames that no fsync came after, only the later one is.
        """
        for path in folder.rglob("*"):
            if path.is_file() and path.stat().st_ino in self.unsynced:
                os.truncate(path, 0)
        for old, new in self.renamed[:-1]:
            RENAME(new, old)

    def run(self, action: Callable[[], Any]) -> Any:
        """Do something on this disk."""
        plain = io.open

        def open_file(*arguments: Any, **options: Any) -> Any:
            file = self.call(plain, *arguments, **options)
            return FailingFile(file, self) if set(arguments[1] if len(arguments) > 1 else "") & set("wa+") else file

        with pytest.MonkeyPatch.context() as patch:
            for module, name in self.FUNCTIONS:
                function = getattr(module, name)
                patch.setattr(module, name, lambda *a, _f=function, **o: self.call(_f, *a, **o))
            patch.setattr(io, "open", open_file)
            patch.setattr(builtins, "open", open_file)
            return action()


def raising(code: int) -> Callable[[], Any]:
    def fail() -> None:
        raise OSError(code, os.strerror(code))

    return fail


def calls_of(action: Callable[[], Any]) -> int:
    disk = Disk(0, lambda: None)
    disk.run(action)
    return disk.calls


def forked(action: Callable[[], Any]) -> int:
    """Run something in a child process, and return the child's id; its exit code is 0 unless the action raises."""
    if child := os.fork():
        return child
    try:
        action()
        os._exit(0)
    except BaseException:
        os._exit(1)


def exit_code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("power", ["on", "lost"])
def test_death_at_every_call_of_a_save_leaves_one_generation(tmp_path: Path, power: str) -> None:
    def save_and_die(index: Path, n: int) -> None:
        def die() -> None:
            if power == "lost":
                disk.n = 0
                disk.lose_power(index)
            os._exit(KILLED)

        disk = Disk(n, die)
        disk.run(lambda: save_new(index))

    store.save(tmp_path / "index", OLD, about={})
    count = calls_of(lambda: save_new(tmp_path / "index"))
    assert count > 40
    found = []
    for n in range(1, count + 1):
        index = tmp_path / f"index-{n}"
        store.save(index, OLD, about={})
        assert exit_code(forked(lambda i=index, n=n: save_and_die(i, n))) == KILLED
        found.append(assert_sound(index, OLD, NEW))
    assert found == sorted(found, key=lambda blobs: blobs == NEW)  # there is one moment from which on it is the new one
    assert OLD in found
    assert NEW in found


def save_new(index: Path) -> None:
    store.save(index, NEW, about={})


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EROFS], ids=errno.errorcode.get)
def test_a_disk_that_fails_at_any_call_leaves_an_index_that_answers(tmp_path: Path, code: int) -> None:
    store.save(tmp_path / "index", OLD, about={})
    for n in range(1, calls_of(lambda: save_new(tmp_path / "index")) + 1):
        index = tmp_path / f"index-{n}"
        store.save(index, OLD, about={})
        raised = None
        try:
            Disk(n, raising(code)).run(lambda i=index: save_new(i))
        except OSError as error:
            raised = error
        if raised is None:  # what failed did not matter: looking at what was there, removing what was left
            assert store.load(index).blobs == NEW
        assert_sound(index, OLD, NEW)


def test_a_full_disk_gets_its_room_back_and_names_the_file(folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: raising(errno.ENOSPC)())
        with pytest.raises(OSError, match="No space left on device") as caught:
            save_new(folder)
    assert caught.value.filename == str(folder / ".gen-00000002" / "a.bin")
    assert sorted(folder.rglob("*")) == before
    assert_sound(folder, OLD)


@pytest.mark.parametrize("action", [store.load, store.verify, store.repair])
def test_reading_from_a_disk_that_fails_at_any_call_is_refused_or_right(
    folder: Path, action: Callable[[Path], Any]
) -> None:
    wanted = action(folder)
    for n in range(1, calls_of(lambda: action(folder)) + 1):
        try:
            found = Disk(n, raising(errno.EIO)).run(lambda: action(folder))
        except (OSError, IndexStoreError):
            continue
        assert found == wanted or action is not store.load  # what could not be read is reported, or mended
    assert_sound(folder, OLD)


# killed at random


def save_for_ever(index: Path, first: int) -> None:
    number = first
    while True:
        store.save(index, blobs_of(number), about={})
        number += 1


def test_kill_at_random_points_leaves_one_generation(tmp_path: Path) -> None:
    index, chance = tmp_path / "index", random.Random(5)
    store.save(index, blobs_of(0), about={})
    number = 0
    for _ in range(40 * SCALE):
        child = forked(lambda n=number: save_for_ever(index, n + 1))
        time.sleep(chance.uniform(0, 0.08))
        os.kill(child, signal.SIGKILL)
        assert exit_code(child) == -signal.SIGKILL
        found = store.load(index).blobs
        last, number = number, int(found["a.bin"][:4])
        assert found == blobs_of(number)
        assert number >= last
        assert not [one for one in store.verify(index) if one.problem]
    assert number > 0


# damage


def damaged(folder: Path, path: Path, data: bytes) -> Iterator[str]:
    """Put other bytes in a file's place; yield what `load` says, and see that `verify` agrees."""
    whole = path.read_bytes()
    path.write_bytes(data)
    with pytest.raises(IndexStoreError) as caught:
        store.load(folder)
    assert [one for one in store.verify(folder) if one.problem]
    yield str(caught.value)
    path.write_bytes(whole)


def files_in_force(folder: Path) -> list[Path]:
    return [folder / "CURRENT", *sorted((folder / store.load(folder).generation).iterdir())]


def test_truncation_at_every_page_is_noticed(folder: Path) -> None:
    save_new(folder)
    cuts = 0
    for path in files_in_force(folder):
        whole = path.read_bytes()
        for size in sorted({0, 1, len(whole) - 1, *range(0, len(whole), 4096)} - {len(whole)}):
            for said in damaged(folder, path, whole[:size]):
                assert str(path) in said
                assert path in [one.path for one in store.verify(folder) if one.problem]
                cuts += 1
    assert cuts > 15
    assert_sound(folder, NEW)


def test_every_flipped_bit_is_noticed(folder: Path) -> None:
    save_new(folder)
    chance = random.Random(5)
    files = files_in_force(folder)
    for turn in range(200 * SCALE):
        path = files[turn % len(files)]  # as often in the small files as in the large ones
        data = bytearray(path.read_bytes())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        for said in damaged(folder, path, bytes(data)):
            assert str(path) in said
            assert path in [one.path for one in store.verify(folder) if one.problem]
    assert_sound(folder, NEW)


def test_files_of_two_generations_do_not_mix(folder: Path) -> None:
    save_new(folder)
    old, new = folder / "gen-00000001", folder / "gen-00000002"
    for path in new.iterdir():
        for said in damaged(folder, path, (old / path.name).read_bytes()):
            assert str(path) in said
    new.rename(folder / "aside")
    old.rename(new)
    with pytest.raises(IndexStoreError, match=r"manifest\.json or .*CURRENT is damaged"):
        store.load(folder)
    assert [one.path.name for one in store.verify(folder) if one.problem] == ["CURRENT"]


# several at once


def test_two_processes_that_write_do_not_spoil_each_other(folder: Path) -> None:
    """Each is refused while the other writes, and says so; none waits, and nothing is mixed."""

    def write(number: int) -> None:
        written = 0
        while written < 10 * SCALE:
            try:
                store.save(folder, blobs_of(number), about={})
                written += 1
            except IndexStoreError as error:
                if "is being written by" not in str(error):
                    raise

    children = [forked(lambda n=n: write(n)) for n in (3, 4)]
    assert [exit_code(child) for child in children] == [0, 0]
    assert store.load(folder).generation == f"gen-{20 * SCALE + 1:08d}"
    assert_sound(folder, blobs_of(3), blobs_of(4))


def test_readers_beside_rebuilds_get_one_generation_without_an_error(tmp_path: Path) -> None:
    index, question = tmp_path / "index", "How many cranes has the harbour, and who runs the ferry?"
    fewer = [document("a.txt", MUSEUM), document("harbour.txt", HARBOUR.replace("12", "13"))]
    more = [document("ferry.txt", FERRY), document("harbour.txt", HARBOUR), document("museum.txt", MUSEUM)]
    states = [toy_retriever(documents) for documents in (fewer, more)]
    answers = [state.retrieve(question) for state in states]
    store.save(index, states[0].to_blobs(), about={"probe": states[0].probe})

    def rebuild() -> None:
        for turn in range(20 * SCALE):
            store.save(index, states[turn % 2].to_blobs(), about={"probe": states[0].probe})

    def read() -> list[list[Hit]]:
        found = []
        while not over:
            stored = store.load(index)
            opened = Retriever.from_blobs(stored.blobs, ToyEncoder(), stored.about["probe"])
            found.append(opened.retrieve(question))
        return found

    over: list[bool] = []
    writer = forked(rebuild)
    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        over.append(exit_code(writer) == 0)
    found = [hits for reader in readers for hits in reader.result()]
    assert over == [True]
    assert len(found) > 2  # on a busy machine few reads fit beside the rebuilds
    assert all(hits in answers for hits in found)
