"""Read files into Documents: bytes once, a hash of those bytes, text decoded as recorded and never changed.

What cannot be read is reported with a reason, never guessed at. Nothing here cuts text into pieces: see `chunking.py`.
"""

import codecs
import errno
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from charset_normalizer import from_bytes

from qa.datatypes import Corpus, Document

MAX_BYTES = 50_000_000
MAX_TITLE_CHARS = 150
LINE = re.compile(r"[^\n\r\v\f\x1c-\x1e\x85\u2028\u2029]+")  # between any two line breaks Unicode knows
MARKS = (  # subtle: UTF-32's mark begins with UTF-16's, so it comes first
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
OTHER_FORMATS = (b"%PDF-", b"{\\rtf")  # files that are partly text, but not to be read as text
CONTROL = re.compile(r"[\x01-\x08\x0e-\x1a\x7f]")
HEADING = re.compile(r"#{1,6}\s+(.*?)(\s+#+)?")
SENTENCE_END = re.compile(r"""[.!?\u2026\u3002,;]["'\u2019\u201d\u00bb)\]]*$""")


@dataclass(frozen=True)
class Skipped:
    """A file or folder that was left out, and why."""

    path: str  # relative to the documents folder, with forward slashes
    reason: str  # a stable code, as in UnreadableDocumentError
    detail: str  # for people: what is wrong and what to do, one line


class UnreadableDocumentError(ValueError):
    """A file that cannot become a Document.

    `reason` is one of: bad_name, binary, empty, link, missing, no_text, not_regular, permission, symlink_outside,
    too_large, undecodable, unreadable, unsupported. `detail` says what is wrong and what to do.
    """

    def __init__(self, document_id: str, reason: str, detail: str) -> None:
        """Keep the code and the detail; the message is the file's name and the detail, on one line."""
        super().__init__(f"{document_id!r} {detail}")
        self.reason = reason
        self.detail = detail


class NoDocumentsError(ValueError):
    """A folder without a readable document."""


def read_folder(folder: Path) -> tuple[Corpus, tuple[Skipped, ...]]:
    """Read every supported file below a folder; return the documents and what was left out, both in order of path.

    Hidden files and folders are passed over. A link is read if it names a file in the folder that is not read under
    its own name; links to folders are not followed. Raises NoDocumentsError if nothing can be read.
    """
    if not os.path.isdir(folder):
        found = "is a file" if os.path.lexists(folder) else "does not exist"
        raise NoDocumentsError(f"{str(folder)!r} {found}; name a folder with {SUPPORTED} files")
    root = Path(os.path.realpath(folder))
    documents: dict[str, Document] = {}  # by real path
    skipped: list[Skipped] = []
    for path, problem in sorted(_walk(root), key=lambda found: (os.path.islink(found[0]), found[0])):  # links come last
        name = path.relative_to(root).as_posix()
        document_id = os.fsencode(name).decode("utf-8", "backslashreplace")
        target = os.path.realpath(path)
        try:
            if problem is not None:
                raise _unreadable(document_id, problem)
            if document_id != name:
                raise UnreadableDocumentError(document_id, "bad_name", "has a name that is not UTF-8; rename it")
            if os.path.islink(path) and os.path.exists(path):
                _check_link(document_id, Path(target), root, known=target in documents)
            documents[target] = read_document(path, document_id)
        except UnreadableDocumentError as error:
            skipped.append(Skipped(document_id, error.reason, error.detail))
    left_out = tuple(sorted(skipped, key=lambda one: one.path))
    if not documents:
        reasons = Counter(one.reason for one in left_out)
        why = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common()) or "it is empty"
        message = f"{str(folder)!r} has no readable {SUPPORTED} file ({len(left_out)} skipped: {why}); put some there"
        raise NoDocumentsError(message)
    return Corpus(tuple(sorted(documents.values(), key=lambda document: document.document_id))), left_out


def read_document(path: Path, document_id: str) -> Document:
    """Read one file. Its text is `bytes.decode(codec)` with the codec that `decoded` begins with, without the mark.

    Raises UnreadableDocumentError.
    """
    decode = READERS.get(path.suffix.lower())
    if decode is None:
        raise UnreadableDocumentError(document_id, "unsupported", f"is not a {SUPPORTED} file; convert it to one")
    data = _read_bytes(path, document_id)
    text, decoded = decode(data, document_id)
    if not any(map(str.isalnum, text)):
        raise UnreadableDocumentError(
            document_id, "no_text", "has no letters or digits; write text into it or remove it"
        )
    return Document(document_id, text, find_title(text), sha256(data).hexdigest(), decoded)


def decode_text(data: bytes, document_id: str) -> tuple[str, str]:
    """Decode a text file's bytes: by their byte order mark, else as UTF-8, else as detected; and say which.

    Raises UnreadableDocumentError (binary, undecodable) where a character would have to be guessed or replaced.
    """
    binary = UnreadableDocumentError(document_id, "binary", "is not plain text; save its text as UTF-8")
    marked = next((codec for mark, codec in MARKS if data.startswith(mark)), None)
    if marked is None and (data.startswith(OTHER_FORMATS) or _is_binary(data.decode("latin-1"))):
        raise binary
    try:
        text, decoded = data.decode(marked or "utf-8"), marked or "utf-8"
    except UnicodeDecodeError as error:
        codec = None if marked else _detect_codec(data)
        if codec is None:
            detail = f"is not {marked or 'utf-8'} at byte {error.start} nor surely anything else; save it as UTF-8"
            raise UnreadableDocumentError(document_id, "undecodable", detail) from error
        text, decoded = data.decode(codec), f"{codec} (detected)"
    if _is_binary(text):
        raise binary
    return text, decoded


READERS: dict[str, Callable[[bytes, str], tuple[str, str]]]  # suffix -> reader: a new format is a new entry
READERS = dict.fromkeys((".markdown", ".md", ".text", ".txt"), decode_text)
SUPPORTED = ", ".join(READERS)


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


def _walk(root: Path) -> Iterator[tuple[Path, OSError | None]]:
    """Yield everything below root that is not hidden and not a folder, and folders that cannot be listed, with why."""
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
        except OSError as error:
            yield folder, error
            continue
        for entry in entries:
            if os.path.isdir(entry) and not os.path.islink(entry):  # unlike Path's, these never raise
                folders.append(entry)
            else:
                yield entry, None


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
    if isinstance(error, FileNotFoundError) or error.errno == errno.ELOOP:
        return UnreadableDocumentError(document_id, "missing", "is gone or links to nothing; put it back or remove it")
    return UnreadableDocumentError(document_id, "unreadable", f"cannot be read ({error.strerror}); copy it elsewhere")


def _is_binary(text: str) -> bool:
    return "\0" in text or len(CONTROL.findall(text)) > 0.05 * len(text)


def _detect_codec(data: bytes) -> str | None:
    """Name the codec of text that is not UTF-8, or None unless it is clear.

    Short text fits many codecs that differ in a letter or two, and the detector's order among them is chance. So
    cp1252, by far the most common, is taken where it is plausible; others must agree on every character.
    """
    rough = data.decode("utf-8", "replace")
    damaged = rough.count("\ufffd")
    if len(rough) - len(rough.encode("ascii", "ignore")) >= 2 * damaged > 0:
        return None  # UTF-8 with a few bad bytes: anything else would turn its good letters into wrong ones
    plausible = [match for match in from_bytes(data) if match.chaos <= 0.1 and match.coherence >= 0.3]
    if any("cp1252" in match.could_be_from_charset for match in plausible):
        return "cp1252"
    return plausible[0].encoding if len({str(match) for match in plausible}) == 1 else None
