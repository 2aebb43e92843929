"""The command `qa`: ask, ask --batch, why, verify, index, chat. Reads arguments and prints; the work is done elsewhere.

Exit codes: 0 answered or abstained cleanly, or every quote verified; 1 failure; 2 bad usage; 3 `index --strict` left a
file out, or a part of one. Messages go to stderr, one line, saying what to do.
"""

import argparse
import json
import logging
import os
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from qa.formats import FORMATS

if TYPE_CHECKING:
    from qa.assistant import Assistant
    from qa.datatypes import Reply
    from qa.documents import Progress, Selection
    from qa.followup import Turn

EXAMPLES = (
    "How many corrupt fugitives are still at large abroad?",
    "Why have Western countries been reluctant to help?",
    "When was the crackdown on corruption launched?",
    "How much does a flight to Beijing cost?",
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong in one line and exit with 2."""
        self.exit(2, f"{self.prog}: {' '.join(message.split())}; see {self.prog} --help\n")


def shipped_documents() -> Path:
    """The five articles: beside the code in a checkout, inside the package when installed."""
    package = Path(__file__).parent
    beside = package.parent / "seeds"
    return beside if beside.is_dir() else package / "seeds"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        arguments = _parser().parse_args(argv)
    except SystemExit:  # --help, or bad usage
        _let_go_of_stdout()
        raise
    logging.basicConfig(level=logging.WARNING, format="qa: %(message)s")
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that cannot show a character shows its number
    try:
        code: int = arguments.run(arguments)
        print(end="", flush=True)
    except BrokenPipeError:  # whoever read our output, like `head`, has had enough
        _let_go_of_stdout()
        return 1
    except (ValueError, OSError) as error:  # every error of ours is a ValueError with a message for people
        _say(_explained(error).replace("qa index DIR", _index_command(arguments)))
        _let_go_of_stdout()
        return 1
    except KeyboardInterrupt:
        print("qa: stopped", file=sys.stderr)
        return 130
    return code


def _say(message: str) -> None:
    """Print a message on stderr as one line, in which no name of a file can move the cursor."""
    from qa.citation import escape_terminal

    print(f"qa: {escape_terminal(' '.join(message.split()))}", file=sys.stderr)


def _index_command(arguments: argparse.Namespace, action: str = "") -> str:
    """The command for the index that is meant, as it has to be typed; with DIR if the documents are not named."""
    given = vars(arguments)
    folder = given["words"][-1] if "words" in given else given.get("docs")
    if folder is None and given.get("index") is None:
        folder = shipped_documents()
    words = ["qa", "index", *action.split(), shlex.quote(str(folder)) if folder else "DIR"]
    for option in ("index", "encoder"):
        if given.get(option) is not None:
            words += [f"--{option}", shlex.quote(str(given[option]))]
    return " ".join(words)


def _let_go_of_stdout() -> None:
    """Where stdout takes no more, drop what it still holds, which Python would try to write again at exit."""
    try:
        print(end="", flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explained(error: ValueError | OSError) -> str:
    """The message of an error; the system's own, which only say what failed, get the file first and a remedy."""
    if not isinstance(error, OSError) or error.filename is None:
        return str(error)
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | os.PathLike) else error.filename
    return f"{name}: {error.strerror}; check the path and your permissions, or name another place"


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="qa", description="Ask your documents: exact quotes with their sources. Nothing leaves this machine."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    models = _Parser(add_help=False)
    models.add_argument("--index", type=Path, metavar="DIR", help="where the index lives (default: your cache folder)")
    models.add_argument("--encoder", metavar="NAME", help="a sentence-transformers model (default: the shipped one)")
    reading = _Parser(add_help=False)
    reading.add_argument(
        "--docs", type=Path, metavar="DIR", help="the documents (default: those of --index, or five shipped articles)"
    )
    reading.add_argument("--reader", metavar="NAME", help="a question-answering checkpoint (default: the shipped one)")

    selecting = _Parser(add_help=False)
    pattern = "answer only from such documents, as in 'reports/*' (may be repeated)"
    selecting.add_argument("--only", action="append", default=[], metavar="PATTERN", help=pattern)
    dated = "only from documents that are known to date from then or {} (2014, 2014-12 or 2014-12-31)"
    selecting.add_argument("--since", type=_bound, default="", metavar="DAY", help=dated.format("later"))
    selecting.add_argument("--until", type=_bound, default="", metavar="DAY", help=dated.format("earlier"))

    ask = commands.add_parser("ask", parents=[models, reading, selecting], help="answer a question, or a file of them")
    ask.add_argument("question", nargs="?", help="the question, in quotation marks")
    ask.add_argument("--k", type=_positive, metavar="N", help="how many passages to look at (default: by corpus size)")
    ask.add_argument("--json", action="store_true", help="print the reply as JSON")
    ask.add_argument("--format", choices=FORMATS, help="the form of the JSON (default: quotewise); implies --json")
    ask.add_argument("--batch", type=Path, metavar="FILE", help='JSON Lines: {"id", "question", "history"?}')
    ask.add_argument("--out", type=Path, metavar="FILE", help="where the replies of --batch go, as JSON Lines")
    ask.set_defaults(run=_ask, parser=ask)

    why = commands.add_parser(
        "why", parents=[models, reading, selecting], help="tell where an expected answer was lost"
    )
    why.add_argument("question", help="the question, in quotation marks")
    why.add_argument("--expect", required=True, metavar="TEXT", help="words of the passage that should have answered")
    why.add_argument("--doc", metavar="NAME", help="the document they stand in (default: any)")
    why.add_argument("--k", type=_positive, metavar="N", help="how many passages to look at (default: by corpus size)")
    why.add_argument("--json", action="store_true", help="print the explanation as JSON")
    why.set_defaults(run=_why)

    verify = commands.add_parser("verify", help="check that the quotes of a reply still stand")
    verify.add_argument("--docs", type=Path, metavar="DIR", help="the documents (default: the five shipped articles)")
    verify.add_argument("reply", type=Path, metavar="REPLY.json", help="what ask --json printed or ask --batch wrote")
    verify.add_argument("--json", action="store_true", help="print the verdicts as JSON")
    verify.set_defaults(run=_verify)

    index = commands.add_parser(
        "index",
        parents=[models],
        usage="qa index [update | status | verify | repair] DIR [--report FILE] [--include PATTERN] [options]",
        help="read a folder of documents and build its index anew, or look after it",
        description="Build the index of a folder anew; or bring it up to date (update), compare it with the folder "
        "(status), check every byte of it (verify), or go back to its newest whole state (repair). A single word is "
        "always the folder.",
    )
    index.add_argument("words", nargs="+", metavar="DIR", help="the documents; before it at most one of the four words")
    index.add_argument("--update", action="store_true", help="read and embed only what changed, as the word update")
    index.add_argument("--include", action="append", metavar="PATTERN", help="read only such paths; may be repeated")
    index.add_argument("--exclude", action="append", metavar="PATTERN", help="leave such paths out; may be repeated")
    index.add_argument("--report", type=Path, metavar="FILE", help="write what became of every file, as JSON")
    index.add_argument("--strict", action="store_true", help="exit with 3 if a file was skipped or only partly read")
    index.set_defaults(run=_index, parser=index)

    chat = commands.add_parser("chat", parents=[models, reading], help="open the chat page")
    chat.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    chat.add_argument("--port", type=int, default=7860)
    chat.set_defaults(run=_chat)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, got {text!r}")
    return int(text)


def _bound(text: str) -> str:
    from qa.documents import Selection

    try:
        return Selection(since=text).since
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _selection(arguments: argparse.Namespace) -> "Selection | None":
    """The documents that may answer; None: all of them."""
    from qa.documents import Selection

    chosen = Selection(tuple(arguments.only), arguments.since, arguments.until)
    return chosen if chosen != Selection() else None


def _ask(arguments: argparse.Namespace) -> int:
    if (arguments.question is None) == (arguments.batch is None):
        arguments.parser.error('expected a question, as in: qa ask "How many are at large?", or --batch FILE')
    if (arguments.batch is None) != (arguments.out is None):
        arguments.parser.error("--batch FILE and --out FILE go together")
    if arguments.batch is not None and arguments.json:
        arguments.parser.error("--batch writes JSON in any case; leave --json out")
    if arguments.batch is not None:
        return _ask_batch(arguments)
    if not arguments.question.strip():
        arguments.parser.error("the question is empty; type one in quotation marks")
    from qa.assistant import clean_question
    from qa.citation import to_text

    try:
        clean_question(arguments.question)
    except ValueError as error:
        arguments.parser.error(str(error))
    reply = _assistant(arguments).ask(arguments.question, k=arguments.k, among=_selection(arguments))
    if arguments.json or arguments.format:
        _print_json(reply.to_dict(arguments.format or "quotewise"))
    else:
        print(to_text(reply), end="")
    return 0


def _ask_batch(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    _check_out(arguments)
    rows, complaints = _read_batch(arguments.batch)
    for complaint in complaints:
        _say(complaint)
    assistant, among = _assistant(arguments) if rows else None, _selection(arguments)
    with arguments.out.open("w", encoding="utf-8") as out, tqdm(total=len(rows), unit="question", disable=None) as bar:
        for row in rows:
            assert assistant is not None
            reply = assistant.ask(row["question"], k=arguments.k, history=row["history"], among=among)
            out.write(_json(_batch_reply(row["id"], reply, arguments.format or "quotewise")) + "\n")
            bar.update()
    return 1 if complaints else 0


def _batch_reply(name: Any, reply: "Reply", form: str) -> dict[str, Any]:
    if form == "quotewise":
        return {"id": name, **reply.to_dict()}
    return {"id": name, "reply": reply.to_dict(form)}


def _check_out(arguments: argparse.Namespace) -> None:
    """Before anything is read, see that the replies have a place, and one that is not the questions'."""
    out = arguments.out
    if out.exists() and arguments.batch.exists() and out.samefile(arguments.batch):
        arguments.parser.error(f"--out would overwrite the questions in {out}; name another file")
    if out.is_dir() or not out.parent.is_dir():
        raise ValueError(f"cannot write the replies to {out}: name a file in a folder that exists")


def _read_batch(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """The good lines of a batch file, and a complaint naming each bad one."""
    rows, complaints = [], []
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(_batch_row(line))
        except (ValueError, TypeError) as error:
            complaints.append(f"{path}:{number}: {error}; the line was left out")
    return rows, complaints


def _batch_row(line: bytes) -> dict[str, Any]:
    """One line of a batch file.

    Raises ValueError or TypeError that says what is wrong with it.
    """
    from qa.assistant import clean_question
    from qa.followup import check_history

    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON ({error})") from None
    if not isinstance(row, dict) or "id" not in row or "question" not in row:
        raise ValueError('expected {"id": ..., "question": "..."}')
    clean_question(row["question"])
    history = [] if row.get("history") is None else row["history"]
    check_history(history)
    return {"id": row["id"], "question": row["question"], "history": history}


def _print_json(data: Any) -> None:
    print(_json(data, indent=2, encoding=getattr(sys.stdout, "encoding", None) or "utf-8"))


def _json(data: Any, *, indent: int | None = None, encoding: str = "utf-8") -> str:
    """The data as JSON in readable characters; what cannot be written (a lone surrogate, say) becomes an escape."""
    text = json.dumps(data, ensure_ascii=encoding.lower() not in ("utf-8", "utf8"), indent=indent)
    return re.sub(r"[\ud800-\udfff]", lambda match: f"\\u{ord(match[0]):04x}", text)


def _why(arguments: argparse.Namespace) -> int:
    from qa.why import explain, to_text

    explanation = explain(
        _assistant(arguments),
        arguments.question,
        arguments.expect,
        document_id=arguments.doc,
        k=arguments.k,
        among=_selection(arguments),
    )
    if arguments.json:
        _print_json(explanation.to_dict())
    else:
        print(to_text(explanation), end="")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from qa.citation import escape_terminal
    from qa.verify import read_cited, read_claims, to_text, verify

    claims, complaints = read_claims(arguments.reply)
    for complaint in complaints:
        _say(complaint)
    corpus, skipped = read_cited(shipped_documents() if arguments.docs is None else arguments.docs, claims)
    for one in skipped:
        logging.warning("skipped %s (%s): %s", escape_terminal(one.path), one.reason, one.detail)
    verdicts = verify(claims, corpus)
    if arguments.json:
        _print_json([verdict.to_dict() for verdict in verdicts])
    else:
        print(to_text(verdicts), end="")
    return 0 if not complaints and all(verdict.verdict == "exact" for verdict in verdicts) else 1


def _index(arguments: argparse.Namespace) -> int:
    from qa.assistant import default_index

    *action, docs = arguments.words
    folder = Path(docs)
    if len(action) > 1 or not set(action) <= {"update", *INDEX_ACTIONS}:
        arguments.parser.error(f"expected a folder, after update, status, verify, repair or nothing; got {action[0]!r}")
    if not action and docs in ("update", *INDEX_ACTIONS) and not folder.is_dir():
        arguments.parser.error(f"expected a folder after {docs}, as in: qa index {docs} DIR")
    place = arguments.index or default_index(folder)
    if not action or action == ["update"]:
        return _index_build(arguments, folder, place, rebuild=not (action or arguments.update))
    options = ("update", "strict", "include", "exclude", "report", "encoder")
    if any(getattr(arguments, option) for option in options):
        arguments.parser.error(f"{action[0]} takes no option but --index")
    return INDEX_ACTIONS[action[0]](arguments, folder, place)


def _index_build(arguments: argparse.Namespace, folder: Path, place: Path, *, rebuild: bool) -> int:
    from embeddings.encoder import DEFAULT_MODEL, SentenceEncoder
    from qa.assistant import indexed
    from qa.inventory import changes, files_of, table

    if arguments.report is not None and (arguments.report.is_dir() or not arguments.report.parent.is_dir()):
        raise ValueError(f"cannot write the report to {arguments.report}: name a file in a folder that exists")
    _quiet()
    encoder = SentenceEncoder(arguments.encoder or DEFAULT_MODEL)
    with _progress_bar() as progress:
        done = indexed(
            folder,
            index=place,
            encoder=encoder,
            progress=progress,
            rebuild=rebuild,
            include=arguments.include,
            exclude=arguments.exclude,
        )
    files = files_of(done.retriever, done.skipped)
    print(
        f"{len(done.retriever.corpus.documents)} documents, {len(done.retriever.passages)} passages, index in {place}"
    )
    if not rebuild:
        changed = changes(done.before, done.retriever.corpus)
        print(", ".join(f"{len(names)} {kind}" for kind, names in changed.items() if names) or "nothing had changed")
    for line in table(files):
        print(line)
    if arguments.report is not None:
        report = {"folder": str(folder), "index": str(place), "passages": len(done.retriever.passages), "files": files}
        arguments.report.write_text(_json(report, indent=1) + "\n", encoding="utf-8")
    left_out = any(file["status"] != "indexed" and file["reason"] != "duplicate" for file in files)
    return 3 if arguments.strict and left_out else 0


def _index_status(arguments: argparse.Namespace, folder: Path, place: Path) -> int:
    from qa.inventory import status

    lines, changed = status(folder, place)
    print("\n".join(lines))
    print(f"bring it up to date with: {_index_command(arguments, 'update')}" if changed else "up to date")
    return 0


def _index_verify(arguments: argparse.Namespace, folder: Path, place: Path) -> int:
    from embeddings import store

    checked = store.verify(place)
    for one in checked:
        name = one.path.relative_to(place).as_posix()
        print(f"BAD  {name}  {one.problem}" if one.problem else f"OK   {name}")
    if any(one.problem for one in checked):
        _say(f"the index in {place} is damaged; mend it with: {_index_command(arguments, 'repair')}")
        return 1
    return 0


def _index_repair(arguments: argparse.Namespace, folder: Path, place: Path) -> int:
    from embeddings import store

    print("\n".join(store.repair(place)) or "nothing to repair")
    return 0


INDEX_ACTIONS = {"status": _index_status, "verify": _index_verify, "repair": _index_repair}


def _chat(arguments: argparse.Namespace) -> int:
    from qa.chat import build_page, serve

    assistant = _assistant(arguments)

    def ask(question: str, history: "Sequence[Turn]", among: "Selection | None") -> "Reply":
        return assistant.ask(question, history=history, among=among)

    names = [document.document_id for document in assistant.corpus.documents]
    shipped = arguments.docs is None and arguments.index is None
    page = build_page(ask, documents=names, examples=EXAMPLES if shipped else ())
    serve(page, host=arguments.host, port=arguments.port)
    return 0


def _assistant(arguments: argparse.Namespace) -> "Assistant":
    from embeddings.encoder import DEFAULT_MODEL
    from qa.assistant import Assistant
    from qa.reader import DEFAULT_READER

    _quiet()
    encoder, reader = arguments.encoder or DEFAULT_MODEL, arguments.reader or DEFAULT_READER
    if arguments.docs is None and arguments.index is not None:
        if arguments.encoder is not None:
            raise ValueError("--encoder goes with --docs: an index alone is opened with the encoder that made it")
        return Assistant.open(arguments.index, reader=reader)
    with _progress_bar() as progress:
        return Assistant.from_folder(
            arguments.docs or shipped_documents(),
            index=arguments.index,
            encoder=encoder,
            reader=reader,
            progress=progress,
        )


@contextmanager
def _progress_bar() -> Iterator["Progress"]:
    """A bar on stderr for the files that are read, then one for the texts that are embedded; none for half a second."""
    from tqdm import tqdm

    from qa.citation import escape_terminal

    doing = {"file": "reading", "text": "embedding"}
    bar: Any = None
    shown = ""

    def progress(unit: str, current: str, done: int, total: int) -> None:
        nonlocal bar, shown
        if unit != shown:
            if bar is not None:
                bar.close()
            shown = unit
            bar = tqdm(total=total, unit=unit, desc=doing[unit], delay=0.5, disable=None)
        bar.set_postfix_str(escape_terminal(current), refresh=False)
        bar.update(done)

    try:
        yield progress
    finally:
        if bar is not None:
            bar.close()


def _quiet() -> None:
    """Keep transformers' own progress bars and load reports off the terminal, without loading it."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
