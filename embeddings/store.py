"""An index folder on disk: named blobs of bytes, written once, checked before use.

    index/CURRENT              one line: the generation in force and its manifest's sha256; replacing it is the commit
    index/LOCK                 held by the one writer, and says who that is
    index/gen-00000007/        never edited: the blobs, and manifest.json with their sizes and sha256, and its own

A reader takes no lock and sees the old generation or the new one, never a mixture. The two newest generations are
kept, so that a reader that has just read CURRENT still finds its files. What the blobs mean is not known here.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

FORMAT_VERSION = 2
REMEDY = "build it again with: qa index DIR"
UNREADABLE = "cannot be read"
NO_DIGEST = "0" * 64  # stands for the manifest's own sha256 while that is computed


class IndexStoreError(ValueError):
    """The index cannot be used as it is; the message names the file and the remedy."""


class NoIndexError(IndexStoreError):
    """There is no index in the folder, or none of this version: an older one can only be built again."""


@dataclass(frozen=True)
class Stored:
    """What one generation holds."""

    generation: str
    blobs: dict[str, bytes]
    about: dict[str, Any]  # whatever the writer said of it: models, chunking, sources


@dataclass(frozen=True)
class Checked:
    """A file of an index, and what is wrong with it: "" if it is byte for byte what was written."""

    path: Path
    problem: str


def save(folder: Path, blobs: Mapping[str, bytes], *, about: Mapping[str, Any]) -> None:
    """Write a new generation and make it the current one.

    Raises IndexStoreError if another process is writing; OSError if the disk refuses: the old generation is then
    still in force (or the new one, whole, if it was only the last sync that failed).
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _writer_lock(folder):
        _remove_unfinished(folder)
        number = 1 + max((int(path.name[4:]) for path in _generations(folder)), default=0)
        unfinished = folder / f".gen-{number:08d}"
        try:
            unfinished.mkdir()
            digest = _write_generation(unfinished, blobs, about)
            generation = folder / f"gen-{number:08d}"
            unfinished.rename(generation)
            _make_current(generation, digest)
        except OSError:
            _remove_unfinished(folder)  # a full disk needs the room
            raise
        with suppress(OSError):  # the new one is in force, whatever becomes of the old
            for old in _generations(folder)[:-2]:
                _remove(old)


def load(folder: Path) -> Stored:
    """Read the current generation and check every byte of it.

    Raises NoIndexError if there is none, IndexStoreError if a file is missing, damaged or of a newer version.
    """
    gone = ""
    for _ in range(100):  # a writer may have removed the generation between two of our reads, and the next one too
        name, digest = _read_current(folder)
        if name == gone:
            break
        try:
            data = (folder / name / "manifest.json").read_bytes()
            if hashlib.sha256(data).hexdigest() != digest:
                both = f"{folder / name / 'manifest.json'} or {folder / 'CURRENT'}"
                raise IndexStoreError(f"{both} is damaged (checksums differ); {REMEDY}")
            return _read_generation(folder / name, data)
        except FileNotFoundError as error:
            gone, missing = name, Path(error.filename)
    blamed = f", or {folder / 'CURRENT'} is damaged" if missing.name == "manifest.json" else ""
    raise IndexStoreError(f"{missing} is missing{blamed}; {REMEDY}")


def verify(folder: Path) -> list[Checked]:
    """Read every byte of CURRENT and of every kept generation, and say of each file whether it is as it was written.

    Raises NoIndexError if there is no index.
    """
    checked = []
    try:
        name, digest = _read_current(folder)
        right = _sha256(folder / name / "manifest.json") == digest
        checked.append(Checked(folder / "CURRENT", "" if right else "is not the digest of its manifest"))
    except OSError as error:
        checked.append(Checked(folder / "CURRENT", f"names a generation whose manifest {_explain(error)}"))
    except NoIndexError:
        if not _generations(folder):
            raise
        checked.append(Checked(folder / "CURRENT", "is missing"))
    except IndexStoreError:
        checked.append(Checked(folder / "CURRENT", "is damaged"))
    for generation in _generations(folder):
        found = _check_generation(generation)
        checked += found if generation.exists() else []  # a writer may have removed it meanwhile
    return checked


def repair(folder: Path) -> list[str]:
    """Make the newest generation that verifies the current one, remove damaged and unfinished ones; say what was done.

    Raises IndexStoreError, and removes nothing, if no generation verifies, a file cannot be read (it may be whole), or
    another process is writing.
    """
    if not _generations(folder):
        raise NoIndexError(f"no index in {folder}; build one with: qa index DIR")
    with _writer_lock(folder):
        problems = {path: [one for one in _check_generation(path) if one.problem] for path in _generations(folder)}
        unread = [one for found in problems.values() for one in found if one.problem.startswith(UNREADABLE)]
        if unread:
            path, problem = unread[0].path, unread[0].problem
            raise IndexStoreError(f"{path} {problem}; make it readable or delete {path.parent}, then repair")
        good = [path for path, found in problems.items() if not found]
        if not good:
            raise IndexStoreError(f"no generation in {folder} is whole; {REMEDY}")
        done = []
        digest = _sha256(good[-1] / "manifest.json")
        try:
            current = _read_current(folder)
        except IndexStoreError:
            current = ("", "")
        if current != (good[-1].name, digest):
            _make_current(good[-1], digest)
            done.append(f"made {good[-1].name} the current generation")
        for path, found in problems.items():
            if found:
                _remove(path)
                done.append(f"removed {path.name}: {found[0].path.name} {found[0].problem}")
        return done + [f"removed unfinished {name}" for name in _remove_unfinished(folder)]


def _write_generation(unfinished: Path, blobs: Mapping[str, bytes], about: Mapping[str, Any]) -> str:
    """Write the files, the manifest last, and return the manifest's sha256."""
    files = {}
    for name, blob in blobs.items():
        _write(unfinished / name, blob)
        files[name] = [len(blob), hashlib.sha256(blob).hexdigest()]
    manifest = {"format_version": FORMAT_VERSION, "sha256": NO_DIGEST, "about": dict(about), "files": files}
    data = json.dumps(manifest, indent=1).encode()
    data = data.replace(NO_DIGEST.encode(), hashlib.sha256(data).hexdigest().encode(), 1)
    _write(unfinished / "manifest.json", data)
    _sync_folder(unfinished)
    return hashlib.sha256(data).hexdigest()


def _make_current(generation: Path, digest: str) -> None:
    folder = generation.parent
    _sync_folder(folder)
    _write(folder / ".CURRENT", f"{generation.name} {digest}".encode())
    os.replace(folder / ".CURRENT", folder / "CURRENT")
    _sync_folder(folder)


def _read_current(folder: Path) -> tuple[str, str]:
    """The name of the generation in force and its manifest's sha256."""
    current = folder / "CURRENT"
    try:
        line = current.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NoIndexError(f"no index in {folder}; build one with: qa index DIR") from None
    except (OSError, UnicodeDecodeError) as error:
        raise IndexStoreError(f"{current} cannot be read ({error}); {REMEDY}") from error
    if not (match := re.fullmatch(r"(gen-\d{8}) ([0-9a-f]{64})", line)):
        raise IndexStoreError(f"{current} is damaged; {REMEDY}")
    return match[1], match[2]


def _read_generation(generation: Path, manifest_bytes: bytes) -> Stored:
    manifest = json.loads(manifest_bytes)
    if (version := manifest["format_version"]) != FORMAT_VERSION:
        raise (NoIndexError if version < FORMAT_VERSION else IndexStoreError)(
            f"{generation} has index format {version}, this version of quotewise reads format {FORMAT_VERSION}; "
            f"use the version that made it, or {REMEDY}"
        )

    def read(name: str) -> bytes:
        blob = (generation / name).read_bytes()
        size, digest = manifest["files"][name]
        if len(blob) != size or hashlib.sha256(blob).hexdigest() != digest:
            raise IndexStoreError(f"{generation / name} is damaged (its checksum differs); {REMEDY}")
        return blob

    with ThreadPoolExecutor() as pool:  # digests are most of the work, and are computed side by side
        blobs = dict(zip(manifest["files"], pool.map(read, manifest["files"]), strict=True))
    return Stored(generation.name, blobs, manifest["about"])


def _check_generation(generation: Path) -> list[Checked]:
    path = generation / "manifest.json"
    try:
        data = path.read_bytes()
    except OSError as error:
        return [Checked(path, _explain(error))]
    own = re.search(rb'"sha256": "([0-9a-f]{64})"', data)
    if not own or hashlib.sha256(data.replace(own[1], NO_DIGEST.encode(), 1)).hexdigest().encode() != own[1]:
        return [Checked(path, "is damaged (its checksum differs)")]
    files = json.loads(data)["files"]
    return [
        Checked(path, ""),
        *(Checked(generation / name, _problem(generation / name, files[name][1])) for name in files),
    ]


def _problem(path: Path, digest: str) -> str:
    try:
        return "" if _sha256(path) == digest else "is damaged (its checksum differs)"
    except OSError as error:
        return _explain(error)


def _explain(error: OSError) -> str:
    return "is missing" if isinstance(error, FileNotFoundError) else f"{UNREADABLE} ({error.strerror})"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _generations(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("gen-*") if re.fullmatch(r"gen-\d{8}", path.name))


def _remove_unfinished(folder: Path) -> list[str]:
    """Remove what writers that failed have left, and return the names; generations count if CURRENT is older."""
    left = [*folder.glob(".gen-*"), *folder.glob(".CURRENT")]
    try:
        name, digest = _read_current(folder)
        if _sha256(folder / name / "manifest.json") == digest:  # otherwise they may be what `repair` needs
            left += [path for path in _generations(folder) if path.name > name]
    except (OSError, IndexStoreError):
        pass
    for path in left:
        _remove(path)
    return sorted(path.name for path in left)


def _remove(path: Path) -> None:
    """Remove a file or a generation; at once for readers, so that dying in the middle leaves no half of one."""
    hidden = path.with_name(f".{path.name.lstrip('.')}")
    path.rename(hidden)
    if hidden.is_dir():
        shutil.rmtree(hidden, ignore_errors=True)
    else:
        hidden.unlink()


@contextmanager
def _writer_lock(folder: Path) -> Iterator[None]:
    with (folder / "LOCK").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read() or "another process"
            raise IndexStoreError(f"{folder} is being written by {holder}; wait for it") from None
        lock.truncate(0)
        now = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        lock.write(f"process {os.getpid()} on {socket.gethostname()} since {now}")
        lock.flush()
        yield


def _write(path: Path, data: bytes) -> None:
    try:
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        error.filename = str(path)  # the system names the file only where it could not be opened
        raise


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
