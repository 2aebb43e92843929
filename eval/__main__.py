"""The command `python -m eval`: ask questions and report, measure the confidence, or check the labels.

Exit code 0: all well. 1: a figure fell below its floor, or the questions do not agree with the documents. 2: bad usage.
"""

import argparse
import json
import sys
import tomllib
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from eval.dataset import HALVES, Example, check_examples, read_examples
from eval.report import CEILINGS, ReadGold, Report, below_floors, evaluate, markdown_table
from qa.cli import shipped_documents
from qa.datatypes import Corpus, Document, Span

if TYPE_CHECKING:
    from qa import Assistant

QUESTIONS = Path(__file__).with_name("questions.jsonl")
FLOORS = Path(__file__).with_name("floors.toml")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    for path in (options.questions, options.docs):
        if not path.exists():
            parser.error(f"{path} does not exist")
    try:
        examples = read_examples(options.questions)
        if options.command == "check":
            return _complain(check_examples(examples, _read_labelled(options.docs, examples)))
        return _run(examples, options)
    except ValueError as err:
        return _complain([str(err)])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m eval", description="Ask questions with known answers and report.")
    parser.add_argument(
        "command",
        nargs="?",
        choices=("run", "calibration", "check"),
        default="run",
        help="calibration: what the confidence is worth; check: only the labels",
    )
    parser.add_argument("--questions", type=Path, default=QUESTIONS, metavar="FILE", help="default: the shipped ones")
    parser.add_argument(
        "--docs", type=Path, default=shipped_documents(), metavar="DIR", help="default: the shipped articles"
    )
    parser.add_argument("--half", choices=(*HALVES, "all"), default="all", help="which questions to ask")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="for report.json and report.md, or calibration.md and calibration.png",
    )
    return parser


def _run(examples: Sequence[Example], options: argparse.Namespace) -> int:
    from qa import Assistant  # here: `check` needs no models

    assistant = Assistant.from_folder(options.docs)
    if problems := check_examples(examples, assistant.corpus):
        return _complain(problems)
    asked = [example for example in examples if options.half in ("all", example.half)]
    if options.command == "calibration":
        return _calibration(assistant, asked, options.out)
    report = evaluate(
        lambda question, history: assistant.ask(question, history=history),
        tqdm(asked, unit="question", file=sys.stderr),
        read_gold=_gold_reader(assistant),
    )
    _write(report, options.out)
    print(report.to_markdown())
    if not options.questions.samefile(QUESTIONS):
        return 0  # floors are measured on the shipped questions
    floors = tomllib.loads(FLOORS.read_text(encoding="utf-8"))
    tables = floors if options.half == "all" else {name: floors.get(name, {}) for name in (options.half, CEILINGS)}
    return _complain(below_floors(report, tables))


def _calibration(assistant: "Assistant", examples: Sequence[Example], folder: Path) -> int:
    """Print the figures of the confidence, and write them and their plots."""
    from eval.calibration import calibration_figures, plot, rated

    rows = rated(assistant, tqdm(examples, unit="question", file=sys.stderr))
    figures = calibration_figures(rows, assistant.threshold)
    lines = markdown_table(["figure", "value"], figures.items())
    text = "\n".join([f"threshold {assistant.threshold:.3f}, {len(rows)} questions", "", *lines, ""])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "calibration.md").write_text(text, encoding="utf-8")
    plot(rows, assistant.threshold, folder / "calibration.png")
    print(text)
    return 0


def _gold_reader(assistant: "Assistant") -> ReadGold:
    """The reader's best span in the first passage that holds the gold; "" if a passage end cuts the gold."""

    def read_gold(question: str, document_id: str, gold: Span) -> str:
        same = (passage for passage in assistant.passages if passage.document.document_id == document_id)
        holding = [passage for passage in same if passage.span.contains(gold)][:1]
        spans = assistant.reader.read(question, holding)
        return spans[0].document.slice(spans[0].span) if spans else ""

    return read_gold


def _read_labelled(docs: Path, examples: Sequence[Example]) -> Corpus:
    """The documents that the labels name, as their bytes have it: a second opinion on what `qa` reads.

    Raises ValueError if one is not UTF-8.
    """
    documents = []
    for document_id in sorted({gold.document_id for example in examples for gold in example.golds}):
        if (docs / document_id).is_file():  # if not, the check says so, with file and line
            content = (docs / document_id).read_bytes()
            try:
                text = content.decode("utf-8")
            except UnicodeDecodeError as err:
                raise ValueError(f"{docs / document_id} is not UTF-8, so its labels cannot be checked: {err}") from err
            documents.append(Document(document_id, text, "", sha256(content).hexdigest(), "utf-8"))
    return Corpus(tuple(documents))


def _write(report: Report, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    content = json.dumps(report.to_dict(), ensure_ascii=False, indent=1, allow_nan=False)
    (folder / "report.json").write_text(content + "\n", encoding="utf-8")
    (folder / "report.md").write_text(report.to_markdown(), encoding="utf-8")


def _complain(problems: Sequence[str]) -> int:
    """Print the problems, one line each, and return the exit code."""
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
