"""An index folder on disk: named blobs of bytes, written once, checked before use.

    index/CURRENT              one line: the generation in force and its manifest's sha256; replacing it is the commit
    index/LOCK                 held by the one writer
    index/gen-00000007/        never edited: the blobs, and manifest.json with their sizes and sha256

A reader sees the old generation or the new one, never a mixture. The two newest generations are kept, so that
a reader that has just read CURRENT still finds its files.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT_VERSION = 1
REMEDY = "build it again with: qa index DIR"


class IndexStoreError(ValueError):
    """The index cannot be used as it is; the message names the file and the remedy."""


class NoIndexError(IndexStoreError):
    """There is no index in the folder."""


@dataclass(frozen=True)
class Stored:
    """What one generation holds."""

    blobs: dict[str, bytes]
    about: dict[str, Any]  # whatever the writer said of it: models, chunking, sources


def save(folder: Path, blobs: Mapping[str, bytes], *, about: Mapping[str, Any]) -> None:
    """Write a new generation and make it the current one.

    Raises IndexStoreError if another process is writing; OSError if the disk refuses: the old generation is then
    still in force (or the new one, whole, if it was only the last sync that failed).
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _writer_lock(folder):
        number = 1 + max((int(path.name[4:]) for path in _generations(folder)), default=0)
        unfinished = folder / f".unfinished-{number:08d}"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        files = {}
        for name, blob in blobs.items():
            _write(unfinished / name, blob)
            files[name] = [len(blob), hashlib.sha256(blob).hexdigest()]
        manifest = {"format_version": FORMAT_VERSION, "about": dict(about), "files": files}
        manifest_bytes = json.dumps(manifest, indent=1).encode()
        _write(unfinished / "manifest.json", manifest_bytes)
        _sync_folder(unfinished)
        generation = folder / f"gen-{number:08d}"
        unfinished.rename(generation)
        _write(folder / ".CURRENT", f"{generation.name} {hashlib.sha256(manifest_bytes).hexdigest()}".encode())
        os.replace(folder / ".CURRENT", folder / "CURRENT")
        _sync_folder(folder)
        for old in _generations(folder)[:-2]:
            shutil.rmtree(old, ignore_errors=True)


def load(folder: Path) -> Stored:
    """Read the current generation and check every byte of it.

    Raises NoIndexError if there is none, IndexStoreError if a file is missing, damaged or of a newer version.
    """
    current = folder / "CURRENT"
    for _ in range(3):  # a writer may have removed the generation between two of our reads
        try:
            line = current.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise NoIndexError(f"no index in {folder}; build one with: qa index DIR") from None
        except (OSError, UnicodeDecodeError) as error:
            raise IndexStoreError(f"{current} cannot be read ({error}); {REMEDY}") from error
        if not (match := re.fullmatch(r"(gen-\d{8}) ([0-9a-f]{64})", line)):
            raise IndexStoreError(f"{current} is damaged; {REMEDY}")
        try:
            return _read_generation(folder / match[1], manifest_sha256=match[2])
        except FileNotFoundError as error:
            missing = error
    raise IndexStoreError(f"{missing.filename} is missing; {REMEDY}")


def _read_generation(generation: Path, *, manifest_sha256: str) -> Stored:
    manifest_bytes = (generation / "manifest.json").read_bytes()
    if hashlib.sha256(manifest_bytes).hexdigest() != manifest_sha256:
        current = generation.parent / "CURRENT"
        raise IndexStoreError(f"{generation / 'manifest.json'} or {current} is damaged (checksums differ); {REMEDY}")
    manifest = json.loads(manifest_bytes)
    if (version := manifest["format_version"]) != FORMAT_VERSION:
        raise IndexStoreError(
            f"{generation} has index format {version}, this version of quotewise reads format {FORMAT_VERSION}; "
            f"use the version that made it, or {REMEDY}"
        )
    blobs = {}
    for name, (size, digest) in manifest["files"].items():
        blob = (generation / name).read_bytes()
        if len(blob) != size or hashlib.sha256(blob).hexdigest() != digest:
            raise IndexStoreError(f"{generation / name} is damaged (its checksum differs); {REMEDY}")
        blobs[name] = blob
    return Stored(blobs, manifest["about"])


def _generations(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("gen-*") if re.fullmatch(r"gen-\d{8}", path.name))


@contextmanager
def _writer_lock(folder: Path) -> Iterator[None]:
    with (folder / "LOCK").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise IndexStoreError(f"{folder} is being written by process {lock.read() or '?'}; wait for it") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
