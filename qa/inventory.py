"""What an index holds of a folder: a row for every file, and lines on what was left out or has changed since.

Reads and describes; nothing is built or written here.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embeddings import store
from qa.citation import escape_terminal
from qa.datatypes import Corpus
from qa.documents import Known, Skipped, known_of, read_folder
from qa.retriever import Retriever, check_layout, read_documents


def files_of(retriever: Retriever, skipped: Sequence[Skipped]) -> list[dict[str, Any]]:
    """What became of every file: indexed, partial (some of it is lost) or skipped, with the reason's code."""
    documents = retriever.corpus.documents
    # counted by number, so that no Passage is made for it
    passages = np.bincount(retriever.passages.numbers[:, 0], minlength=len(documents)).tolist()
    files: list[dict[str, Any]] = [
        {
            "path": document.document_id,
            "status": "partial" if document.lost else "indexed",
            "reason": "lost" if document.lost else None,
            "detail": document.lost,
            "sha256": document.source_sha256,
            "decoded": document.decoded,
            "characters": len(document.text),
            "passages": count,
        }
        for document, count in zip(documents, passages, strict=True)
    ]
    return files + [
        {"path": one.path, "status": "skipped", "reason": one.reason, "detail": one.detail} for one in skipped
    ]


def known_files(corpus: Corpus, about: Mapping[str, Any]) -> Known:
    """What an index knows of the folder's files: its documents, and what its `about` has of those that failed."""
    return known_of(corpus.documents, [Skipped(**one) for one in about.get("left_out", ())])


def table(files: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each reason why files are not wholly indexed: how many, the first three, and the first's detail."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for file in files:
        if file["status"] != "indexed":
            groups.setdefault((file["status"], file["reason"]), []).append(file)
    for (status, reason), group in sorted(groups.items()):
        names = ", ".join(escape_terminal(file["path"]) for file in group[:3])
        more = f" and {len(group) - 3} more" if len(group) > 3 else ""
        yield f"{status} {len(group):>5} {reason:<16} {names}{more}: {escape_terminal(group[0]['detail'])}"


def changes(before: Corpus, now: Corpus) -> dict[str, list[str]]:
    """The ids of the documents that came, changed and went."""
    old, new = ({one.document_id: one.source_sha256 for one in corpus.documents} for corpus in (before, now))
    return {
        "added": [name for name in new if name not in old],
        "changed": [name for name in new if name in old and new[name] != old[name]],
        "gone": [name for name in old if name not in new],
    }


def status(folder: Path, place: Path) -> tuple[list[str], bool]:
    """Lines on what the index in `place` holds, and on what has changed in the folder since; whether anything has.

    Raises IndexStoreError.
    """
    stored = store.load(place)
    check_layout(stored.about, place)
    about, before = stored.about, Corpus(tuple(read_documents(stored.blobs)))
    now, _ = read_folder(folder, include=about["include"], exclude=about["exclude"], known=known_files(before, about))
    changed = changes(before, now)
    lines = [
        f"index       {place}, {stored.generation}",
        f"made        {about['made']} by quotewise {about['version']} with {about['encoder']}",
        f"holds       {len(before.documents)} documents, {about['passages']} passages",
    ]
    lines += [f"{kind:<11} {escape_terminal(name)}" for kind, names in changed.items() for name in names]
    return lines, any(changed.values())
