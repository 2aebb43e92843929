"""benchmarks/outside.py: sets become documents and golds, and what is shown is compared with the golds."""

import importlib.util
import json
import lzma
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from toys import document

from eval.dataset import Gold
from qa.datatypes import Citation, Span

TEXTS = ("Anna built the mill in 1820.", "The mill burnt down in 1911.")


@pytest.fixture(scope="module")
def outside() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "outside.py"
    spec = importlib.util.spec_from_file_location("outside", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(data: Path, name: str, rows: list[dict[str, Any]]) -> None:
    with lzma.open(data / f"{name}.jsonl.xz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def test_quotesum_golds_are_where_their_documents_say_them(outside: ModuleType, tmp_path: Path) -> None:
    sources = [{"text": text} for text in TEXTS]
    quotes = [{"source": 1, "text": "1911", "start": 23}, {"source": 0, "text": "eighteen twenty", "start": -1}]
    rows = [{"question": "When?", "sources": sources, "quotes": quotes}]
    rows.append({"question": "When?", "sources": sources, "quotes": [{"source": 0, "text": "1820", "start": 23}]})
    write(tmp_path, "quotesum_dev", rows)
    folder = tmp_path / "documents"
    folder.mkdir()
    (asked,) = outside.quotesum(tmp_path, folder)
    assert [gold.text for gold in asked.golds] == ["1911", "1820"]
    for gold in asked.golds:
        assert (folder / gold.document_id).read_text(encoding="utf-8").startswith(gold.text, gold.start)


def test_an_unanswerable_question_has_no_golds(outside: ModuleType, tmp_path: Path) -> None:
    write(tmp_path, "clapnq_dev", [{"question": "Who?", "context": TEXTS[0], "answers": []}])
    assert [one.golds for one in outside.clapnq(tmp_path, tmp_path)] == [()]


def test_overlaps_needs_the_document_and_a_shared_character(outside: ModuleType) -> None:
    mill = document("mill.txt", TEXTS[0])
    cited = Citation(mill, Span(0, 4), Span(0, len(TEXTS[0])))
    assert outside.overlaps(cited, (Gold("mill.txt", 3, "a built"),))
    assert not outside.overlaps(cited, (Gold("mill.txt", 4, " built"),))
    assert not outside.overlaps(cited, (Gold("other.txt", 0, "Anna"),))


def test_character_f1_counts_characters(outside: ModuleType) -> None:
    golds = (Gold("a.txt", 0, "Anna"), Gold("b.txt", 0, "mill"))
    assert outside.character_f1([("a.txt", Span(2, 6))], golds) == pytest.approx(2 * 2 / (4 + 8))
    assert outside.character_f1([], golds) == 0.0
