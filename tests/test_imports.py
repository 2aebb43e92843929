"""What is loaded when, seen from a fresh interpreter, and that all that is imported is declared."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODELS = {"torch", "transformers", "sentence_transformers", "openvino"}
PAGE = {"gradio", "uvicorn", "fastapi", "starlette"}
HEAVY = MODELS | PAGE | {"faiss", "lxml", "sklearn", "pandas"}


def loaded_after(code: str) -> set[str]:
    program = f"import sys\ntry:\n    {code}\nexcept SystemExit: pass\nprint('\\n' + ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return {name.split(".")[0] for name in done.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize(
    "code",
    ["import qa", "from qa import Span, Document, Reply", "from qa.cli import main; main(['--help'])"],
    ids=["import qa", "datatypes", "qa --help"],
)
def test_nothing_heavy_is_loaded_by(code: str) -> None:
    loaded = loaded_after(code)
    assert "qa" in loaded
    assert not loaded & HEAVY


def test_an_assistant_loads_no_model_library_before_it_is_used() -> None:
    assert not loaded_after("from qa import Assistant") & (MODELS | PAGE)


def test_an_unknown_name_of_qa_is_an_attribute_error() -> None:
    import qa

    with pytest.raises(AttributeError, match="module 'qa' has no attribute 'Answerer'"):
        qa.Answerer  # noqa: B018


def imported_by(*folders: str) -> set[str]:
    """The top-level modules that the sources of some folders import, wherever in a file."""
    found: set[str] = set()
    for path in chain.from_iterable((ROOT / folder).rglob("*.py") for folder in folders):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    return found


def plain(name: str) -> str:
    """A distribution's name as the packaging rules compare them, without its bounds."""
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!~ \[;]", name)[0]).lower()


def test_what_the_shipped_code_imports_is_declared() -> None:
    """What only training and pictures need may be of the development tools."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {plain(name) for name in (*project["dependencies"], *project["optional-dependencies"]["dev"])}
    installed = packages_distributions()
    foreign = imported_by("qa", "embeddings", "eval") - sys.stdlib_module_names - {"qa", "embeddings", "eval"}
    assert {"numpy", "sklearn", "starlette"} <= foreign
    assert {name for name in foreign if not {plain(d) for d in installed.get(name, [name])} & declared} == set()
