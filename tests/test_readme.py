"""README.md and docs/json.md say nothing that is not so: what they show is printed, what they name exists."""

import argparse
import json
import os
import re
import subprocess
import sys
from functools import reduce
from itertools import pairwise
from operator import getitem
from pathlib import Path
from typing import Any, get_args

import pytest
from toys import HARBOUR, document, toy_assistant, toy_documents

from qa import cli
from qa.chunking import sentence_around
from qa.datatypes import Answer, AsOf, Citation, NoAnswer, Reason, Span
from qa.documents import read_document

ROOT = Path(__file__).parent.parent
CRANES = Citation(document("harbour.txt", HARBOUR), Span(16, 25), Span(0, 26))
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


def readme() -> str:
    return (ROOT / "README.md").read_text(encoding="utf-8")


def examples() -> list[tuple[str, str]]:
    """Every ```python block that is followed by a ```text block, with what that shows."""
    blocks = list(BLOCK.finditer(readme())) if (ROOT / "README.md").exists() else []
    return [
        (block.group(2), shown.group(2))
        for block, shown in pairwise(blocks)
        if (block.group(1), shown.group(1)) == ("python", "text")
    ]


def commands() -> list[str]:
    """What README.md has people type: indented lines, lines after "$ " in a block, and code within sentences."""
    text = readme()
    typed = [line[2:] for block in BLOCK.finditer(text) for line in block.group(2).split("\n") if line[:2] == "$ "]
    for block in BLOCK.finditer(text):
        if block.group(1) in ("sh", "bash", "shell"):
            typed += block.group(2).replace("\\\n", " ").split("\n")
    prose = BLOCK.sub("", text)
    return typed + re.findall(r"^(?: {4}|\t)(\S.*)$", prose, re.MULTILINE) + INLINE.findall(prose)


def options() -> dict[str, set[str]]:
    """The options of each command of `qa`, as the program itself knows them; "" has those of `qa` alone."""
    parser = cli._parser()
    (subparsers,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    parsers: dict[str, argparse.ArgumentParser] = {"": parser, **subparsers.choices}
    return {name: set(one._option_string_actions) for name, one in parsers.items()}


def test_readme_has_a_python_example_with_its_output() -> None:
    assert examples(), "README.md needs a ```python block with a ```text block after it that shows what it prints"


@pytest.mark.model
@pytest.mark.parametrize(("program", "shown"), examples(), ids=lambda text: text.split("\n", 1)[0])
def test_readme_example_prints_what_it_shows(program: str, shown: str, tmp_path: Path) -> None:
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=env, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == shown.strip()


@pytest.mark.model
def test_readme_shows_what_the_first_command_prints(tmp_path: Path) -> None:
    """All but blanks and the confidence, which another processor's rounding may turn: it is just "very likely"."""
    ((question, shown),) = re.findall(r'^\$ make ask Q="([^"]+)"\n(.*?)^```', readme(), re.MULTILINE | re.DOTALL)
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path), "PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(
        [sys.executable, "-m", "qa", "ask", question], env=env, capture_output=True, text=True, encoding="utf-8"
    )
    printed, said = (re.sub(r"\([a-z ]+, \d+%\)", "()", " ".join(text.split())) for text in (done.stdout, shown))
    assert printed == said


def test_readme_names_make_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {
        word
        for command in commands()
        if (match := re.match(r"(?:.*&&\s*)?make\s+(.*)", command))
        for word in re.sub(r"#.*|\w+=(\"[^\"]*\"|'[^']*'|\S*)", "", match.group(1)).split()
        if re.fullmatch(r"[a-z]+", word)
    }
    assert named, "README.md names no make target"
    assert named <= targets


def test_readme_names_commands_and_options_of_qa_that_exist() -> None:
    known = options()
    asked = 0
    for command in commands():
        if not (match := re.match(r"(?:\S*/)?(?:python\S*\s+-m\s+)?qa(?:\s+(.*))?$", command)):
            continue
        rest = re.sub(r"\"[^\"]*\"|'[^']*'", "", re.sub(r"\s#.*", "", match.group(1) or ""))
        name = next((word for word in rest.split() if re.fullmatch(r"[a-z]+", word)), "")
        assert name in known, command
        assert set(re.findall(r"(?<!\S)--[a-z-]+", rest)) <= known[name], command
        asked += 1
    assert asked, "README.md names no qa command"


def test_readme_names_no_option_that_does_not_exist() -> None:
    """An option alone, like `--index DIR`, belongs to some command of qa."""
    known = set().union(*options().values())
    alone = {match.group() for command in commands() if (match := re.match(r"--[a-z-]+", command))}
    assert alone <= known


def test_readme_has_no_gap_left_to_fill() -> None:
    assert re.findall(r"@@\w*@@|TODO|FIXME|XXX", readme()) == []


def test_readme_links_to_files_that_exist() -> None:
    links = re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", BLOCK.sub("", readme()))
    assert [link for link in links if not (ROOT / link).exists()] == []


def shown_replies() -> list[Any]:
    """The JSON blocks of docs/json.md: a reply, a side of a disagreement, a refusal's reason."""
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    return [json.loads(block.group(2)) for block in BLOCK.finditer(text) if block.group(1) == "json"]


def test_the_shown_replies_have_the_keys_of_real_ones() -> None:
    answered, side, refused = shown_replies()
    reply = toy_assistant(toy_documents()).ask("How many cranes has the harbour?").to_dict()
    assert (reply["status"], reply["no_answer"]) == (answered["status"], answered["no_answer"])
    for path in ([], ["answers", 0], ["answers", 0, "citations", 0], ["manifest"], ["timings_ms"]):
        real, shown = (reduce(getitem, path, whole) for whole in (reply, answered))
        assert list(real) == list(shown)
    time = AsOf("as of November 2014", "2014-11")
    assert list(side) == list(Answer("39", 6.2, 0.61, (CRANES,), as_of=time).to_dict())
    assert side["as_of"] == time.to_dict()
    assert list(refused) == list(NoAnswer("below_threshold", 0.32, 0.11).to_dict())


def test_the_shown_reply_quotes_its_document() -> None:
    (citation,) = shown_replies()[0]["answers"][0]["citations"]
    document = read_document(ROOT / "seeds" / citation["document_id"], citation["document_id"])
    span = Span(citation["start"], citation["end"])
    assert citation == Citation(document, span, sentence_around(document, span)).to_dict()


def test_every_reason_of_a_refusal_is_explained() -> None:
    text = (ROOT / "docs" / "json.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == set(get_args(Reason))
