"""Read files into Documents: bytes once, a hash of those bytes, and their text, how it was read recorded with it.

The text of a plain text file is what it holds, decoded and never changed; of others it is what `extract.py` finds.
What cannot be read is reported with a reason, never guessed at. Nothing here cuts text into pieces: see `chunking.py`.
"""

import errno
import json
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

from qa.charset import UnreadableError, decode_text
from qa.confine import run_confined
from qa.datatypes import Corpus, Document

MAX_BYTES = 50_000_000
MAX_FILES = 10_000
MAX_DEPTH = 32
MAX_TITLE_CHARS = 150
AT_ONCE = min(4, os.cpu_count() or 1)  # files that are read side by side
RULES = (
    1  # of `extract.py` and `pdf.py`: when they read the same bytes otherwise, count up, and known texts are read anew
)
Progress = Callable[[str, str, int, int], Any]  # "file" or "text", a file's name, how many since last told, of how many
LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")  # between any two line breaks Unicode knows
HEADING = re.compile(r"#{1,6}\s+(.*?)(\s+#+)?")
SENTENCE_END = re.compile(r"""[.!?\u2026\u3002,;]["'\u2019\u201d\u00bb)\]]*$""")
KINDS = {  # suffix -> what it promises; the bytes decide
    **dict.fromkeys((".csv", ".markdown", ".md", ".text", ".tsv", ".txt"), "text"),
    **dict.fromkeys((".htm", ".html", ".xhtml"), "html"),
    **dict.fromkeys((".docx", ".epub", ".odt"), "archive"),
    ".eml": "mail",
    ".pdf": "pdf",
}
SUPPORTED = ", ".join(sorted(KINDS))
PARSERS = {"archive": "lxml", "html": "lxml", "mail": "lxml", "pdf": "pypdfium2"}
OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
PASSING = frozenset({"crashed", "memory_limit", "time_limit"})  # reasons that another time may not hold
NOT_OURS = ("__MACOSX", "~$*", "Thumbs.db", "desktop.ini", "CVS")  # beside what is hidden: left by other programs


@dataclass(frozen=True)
class Skipped:
    """A file or folder that was left out, and why."""

    path: str  # relative to the documents folder, with forward slashes
    reason: str  # a stable code, as in UnreadableDocumentError
    detail: str  # for people: what is wrong and what to do, one line
    source: str = ""  # if the same bytes would fail again: these and their parser, as `Known` has them


# what became of a file, by the sha256 of its bytes, its suffix and its parser
Known = Mapping[str, "Document | Skipped"]


class UnreadableDocumentError(ValueError):
    """A file that cannot become a Document.

    `reason` is one of: bad_name, binary, crashed, damaged, dtd_present, empty, encrypted, link, memory_limit, missing,
    no_text, not_regular, permission, symlink_outside, time_limit, too_deep, too_large, undecodable, unreadable,
    unsupported; a Skipped may also be a duplicate or too_many. `detail` says what is wrong and what to do.
    """

    def __init__(self, document_id: str, reason: str, detail: str, source: str = "") -> None:
        """Keep code, detail and source; the message is the file's name and the detail, on one line."""
        super().__init__(f"{document_id!r} {detail}")
        self.reason = reason
        self.detail = detail
        self.source = source


class NoDocumentsError(ValueError):
    """A folder without a readable document."""


def read_folder(
    folder: Path,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    known: Known | None = None,
    progress: Progress | None = None,
) -> tuple[Corpus, tuple[Skipped, ...]]:
    """Read every supported file below a folder; return the documents and what was left out, both in order of path.

    Hidden files and folders are passed over, as is what the patterns leave out (see `matches`). A link is read if it
    names a file in the folder that is not read under its own name; links to folders are not followed. Of files with
    the same bytes the first is read. What `known` has of a file's bytes and their parser is not parsed again. Progress
    is told after every file. Raises NoDocumentsError if nothing can be read.
    """
    if not os.path.isdir(folder):
        found = "is a file" if os.path.lexists(folder) else "does not exist"
        raise NoDocumentsError(f"{str(folder)!r} {found}; name a folder with {SUPPORTED} files")
    files, skipped = _find_files(Path(os.path.realpath(folder)), include, exclude)
    with ThreadPoolExecutor(AT_ONCE) as pool:  # most of the time is spent waiting for the processes of `confine.py`
        names, results = sorted(files), []
        read = pool.map(lambda document_id: _try(files[document_id], document_id, known or {}), names)
        for document_id, result in zip(names, read, strict=True):
            results.append(result)
            if progress:
                progress("file", document_id, 1, len(files))
    documents: dict[str, Document] = {}  # by hash
    for result in results:
        if isinstance(result, Skipped):
            skipped.append(result)
        elif (first := documents.setdefault(result.source_sha256, result)) is not result:
            detail = f"has the same bytes as {first.document_id!r}, which is read; remove one of them"
            skipped.append(Skipped(result.document_id, "duplicate", detail))
    left_out = tuple(sorted(skipped, key=lambda one: one.path))
    if not documents:
        reasons = Counter(one.reason for one in left_out)
        why = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
        why = why or ("nothing matches the patterns" if include or exclude else "it is empty")
        message = f"{str(folder)!r} has no readable {SUPPORTED} file ({len(left_out)} skipped: {why}); put some there"
        raise NoDocumentsError(message)
    return Corpus(tuple(documents.values())), left_out


def matches(document_id: str, patterns: Sequence[str]) -> bool:
    """Whether a document is meant by one of the patterns: "*.pdf", "reports/*", "reports", "**/notes/*.md".

    `*` stands for any characters, those between folders too; `**/` for any folders or none.
    """
    forms = {form for p in patterns for form in (p, p.replace("**/", ""), f"{p.rstrip('/')}/*")}
    return any(fnmatchcase(document_id, form) for form in forms)


@dataclass(frozen=True)
class Selection:
    """Which documents may answer: those that a pattern means and whose own date is within the bounds.

    Bounds are days, months or years, both included: "2014-12-31", "2014-12", "2014". A document that gives no date is
    outside of any. Raises ValueError for another kind of bound.
    """

    only: tuple[str, ...] = ()  # patterns as `matches` takes them; none: all documents
    since: str = ""
    until: str = ""

    def __post_init__(self) -> None:
        """Check the bounds."""
        for bound in (self.since, self.until):
            if bound and not re.fullmatch(r"\d{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?)?", bound):
                raise ValueError(f"expected a day, month or year such as 2014-12-31, 2014-12 or 2014, got {bound!r}")

    def holds(self, document: Document) -> bool:
        """Whether the document is one of them."""
        if self.only and not matches(document.document_id, self.only):
            return False
        if not self.since and not self.until:
            return True
        day = document.date
        if day is None or (self.since and day[: len(self.since)] < self.since):
            return False
        return not self.until or day[: len(self.until)] <= self.until


def known_of(documents: Iterable[Document], skipped: Iterable[Skipped]) -> Known:
    """What is known of the files behind some documents, and of those that were left out."""
    of_documents = {
        _source(one.source_sha256, Path(one.document_id), one.decoded[one.decoded.find(",") :]): one
        for one in documents
        if "," in one.decoded
    }
    return of_documents | {one.source: one for one in skipped if one.source}


def _source(digest: str, path: Path, parser: str) -> str:
    """The key of Known."""
    return f"{digest}{path.suffix.lower()}{parser}"


def read_document(path: Path, document_id: str, *, known: Known | None = None) -> Document:
    """Read one file; what is known of the same bytes and parser is taken from there.

    The text of a plain text file is `bytes.decode(codec)` with the codec that `decoded` begins with, without the mark.
    Raises UnreadableDocumentError.
    """
    _check_suffix(path, document_id)
    data = _read_bytes(path, document_id)
    digest, suffix, source = sha256(data).hexdigest(), path.suffix.lower(), ""
    try:
        kind = _kind(data, suffix)
        if kind == "text":
            text, decoded = decode_text(data)
            read: dict[str, Any] = {"text": text, "decoded": decoded}
        else:
            source = _source(digest, path, _parser(kind))
            before = (known or {}).get(source)
            if isinstance(before, Document):
                return before if before.document_id == document_id else replace(before, document_id=document_id)
            if before is not None:
                raise UnreadableError(before.reason, before.detail)
            read = _extract(kind, data, suffix)
        if not any(map(str.isalnum, read["text"])):
            raise UnreadableError("no_text", "has no letters or digits; write text into it or remove it")
    except UnreadableError as error:
        lasting = "" if error.reason in PASSING else source
        raise UnreadableDocumentError(document_id, error.reason, error.detail, lasting) from error
    title = read.pop("title", "") or find_title(read["text"])
    return Document(document_id, title=title, source_sha256=digest, **read)


def _try(path: Path, document_id: str, known: Known) -> Document | Skipped:
    try:
        return read_document(path, document_id, known=known)
    except UnreadableDocumentError as error:
        return Skipped(document_id, error.reason, error.detail, error.source)


def _kind(data: bytes, suffix: str) -> str:
    """Say what the bytes are, whatever the file is called. Raises UnreadableError."""
    if data.startswith(OLD_OFFICE):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise UnreadableError("encrypted", "is locked with a password; save it without one")
        raise UnreadableError("unsupported", "is of an old Office program; save it as .docx")
    kind = KINDS[suffix]
    if data.startswith(b"%PDF-") or (kind == "pdf" and b"%PDF-" in data[:1024]):
        return "pdf"
    if data.startswith(b"PK\x03\x04"):
        return "archive"
    if kind in ("archive", "pdf"):
        raise UnreadableError("damaged", f"is no {suffix} file, whatever its name says; save it anew or rename it")
    return kind


def _extract(kind: str, data: bytes, suffix: str) -> dict[str, Any]:
    """Have a file read by `extract.py`; return fields of a Document. Raises UnreadableError."""
    try:
        read: dict[str, Any] = json.loads(run_confined("qa.extract", kind, data))
    except json.JSONDecodeError as error:
        raise UnreadableError("crashed", "stops its parser in the middle; save it anew or convert it") from error
    if "reason" in read:
        raise UnreadableError(**read)
    form = read.pop("form")
    as_named = KINDS[suffix] == kind and (kind != "archive" or suffix == f".{form}")
    return {**read, "decoded": f"{form}{'' if as_named else f' named {suffix}'}{_parser(kind)}"}


@cache
def _parser(kind: str) -> str:
    """What `decoded` ends with for what this version of a parser read."""
    return f", {PARSERS[kind]} {version(PARSERS[kind])}, rules {RULES}"


def find_title(text: str) -> str:
    """Return the first line if it looks like a title: short, not a sentence, and followed by text. Otherwise "".

    A Markdown heading is a title however it ends, and loses its #'s.
    """
    lines = (match.group() for match in LINE.finditer(text) if match.group().strip())
    first, following = next(lines, "").strip(), next(lines, "")
    heading = HEADING.fullmatch(first)
    title = heading.group(1) if heading else first
    goes_on = following[:1].islower()  # the first line of a paragraph that somebody wrapped
    if not following or len(title) > MAX_TITLE_CHARS or not any(map(str.isalnum, title)):
        return ""
    return title if heading or not (goes_on or SENTENCE_END.search(title)) else ""


def _find_files(root: Path, include: Sequence[str], exclude: Sequence[str]) -> tuple[dict[str, Path], list[Skipped]]:
    """Find the files to read, by their ids, and what is left out before it is opened."""
    files: dict[str, Path] = {}
    skipped: list[Skipped] = []
    targets: set[str] = set()
    too_many: list[str] = []
    for path, problem in sorted(_walk(root), key=lambda found: (os.path.islink(found[0]), found[0])):  # links come last
        name = path.relative_to(root).as_posix()
        document_id = os.fsencode(name).decode("utf-8", "backslashreplace")
        if matches(document_id, exclude) or (include and problem is None and not matches(document_id, include)):
            continue
        target = os.path.realpath(path)
        try:
            if problem is not None:
                raise _unreadable(document_id, problem)
            if document_id != name:
                raise UnreadableDocumentError(document_id, "bad_name", "has a name that is not UTF-8; rename it")
            if os.path.islink(path) and os.path.exists(path):
                _check_link(document_id, Path(target), root, known=target in targets)
            _check_suffix(path, document_id)
        except UnreadableDocumentError as error:
            skipped.append(Skipped(document_id, error.reason, error.detail))
            continue
        if len(files) == MAX_FILES:
            too_many.append(document_id)
            continue
        targets.add(target)
        files[document_id] = path
    if too_many:
        detail = (
            f"and {len(too_many) - 1:,} more are over the {MAX_FILES:,} files that are read; name fewer by patterns"
        )
        skipped.append(Skipped(too_many[0], "too_many", detail))
    return files, skipped


def _check_suffix(path: Path, document_id: str) -> None:
    if path.suffix.lower() not in KINDS:
        raise UnreadableDocumentError(document_id, "unsupported", f"is not a {SUPPORTED} file; convert it to one")


def _walk(root: Path) -> Iterator[tuple[Path, OSError | None]]:
    """Yield everything below root that is ours and not a folder, and folders that cannot be listed, with why."""
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            if len(folder.relative_to(root).parts) > MAX_DEPTH:
                raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
            entries = [entry for entry in folder.iterdir() if not _is_not_ours(entry.name)]
        except OSError as error:
            yield folder, error
            continue
        for entry in entries:
            if os.path.isdir(entry) and not os.path.islink(entry):  # unlike Path's, these never raise
                folders.append(entry)
            else:
                yield entry, None


def _is_not_ours(name: str) -> bool:
    return name.startswith(".") or any(fnmatchcase(name, pattern) for pattern in NOT_OURS)


def _check_link(document_id: str, target: Path, root: Path, *, known: bool) -> None:
    """Raise UnreadableDocumentError if a link leaves the folder, names a folder, or names a file already read."""
    if not target.is_relative_to(root):
        raise UnreadableDocumentError(
            document_id, "symlink_outside", "is a link out of the folder; copy the file there"
        )
    if known or target.is_dir():
        raise UnreadableDocumentError(document_id, "link", "is a link to what is read under its own name; remove it")


def _read_bytes(path: Path, document_id: str) -> bytes:
    """Read a regular file of at most MAX_BYTES bytes. Raises UnreadableDocumentError."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # subtle: ask before opening, a pipe would wait for ever
            raise UnreadableDocumentError(document_id, "not_regular", "is not a regular file; put a file in its place")
        if status.st_size > MAX_BYTES:
            raise UnreadableDocumentError(document_id, "too_large", f"has over {MAX_BYTES:,} bytes; split it up")
        data = path.read_bytes()
    except OSError as error:
        raise _unreadable(document_id, error) from error
    if not data:
        raise UnreadableDocumentError(document_id, "empty", "is empty; write text into it or remove it")
    return data


def _unreadable(document_id: str, error: OSError) -> UnreadableDocumentError:
    if isinstance(error, PermissionError):
        return UnreadableDocumentError(document_id, "permission", "may not be read; give yourself permission to")
    if error.errno == errno.ENAMETOOLONG:
        return UnreadableDocumentError(document_id, "too_deep", f"is over {MAX_DEPTH} folders deep; move it up")
    if isinstance(error, FileNotFoundError) or error.errno == errno.ELOOP:
        return UnreadableDocumentError(document_id, "missing", "is gone or links to nothing; put it back or remove it")
    return UnreadableDocumentError(document_id, "unreadable", f"cannot be read ({error.strerror}); copy it elsewhere")
