"""Who may import whom, and what no module may contain; read from the source, so that nothing has to be loaded."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for name in ("embeddings", "qa", "eval") for path in (ROOT / name).rglob("*.py"))
HOME = {  # heavy libraries and the only modules that may name them
    "gradio": ("qa/chat.py",),
    "openvino": ("embeddings/runtime.py",),
    "torch": ("embeddings/runtime.py", "embeddings/encoder.py", "qa/reader.py", "qa/training/"),
    "transformers": ("qa/reader.py", "qa/training/"),
    "tokenizers": ("embeddings/runtime.py", "qa/training/"),
    "sentence_transformers": ("embeddings/encoder.py",),
    "huggingface_hub": ("embeddings/encoder.py",),
    "faiss": ("embeddings/dense.py",),
    "spellchecker": ("qa/spelling.py",),
    "lxml": ("qa/extract.py", "qa/markup.py"),
    "pypdfium2": ("qa/extract.py", "qa/pdf.py"),
    "dateutil": ("qa/values.py",),
    "matplotlib": ("eval/calibration.py",),
    "sklearn": ("qa/training/",),
}
FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
LAYERS = ("embeddings", "qa", "eval")  # each may import itself and what is before it


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield every imported module's full name, and whether it is imported as `import x` rather than `from x`."""
    package = name_of(path).split("/")[:-1]
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, True) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            yield ".".join([*base, *([node.module] if node.module else [])]), False
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("import_module", "importlib.import_module"):
            yield from ((c.value, False) for c in ast.walk(node) if isinstance(c, ast.Constant) and "." in str(c.value))


def calls(path: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call))


def test_there_are_sources_to_look_at() -> None:
    assert {"qa/assistant.py", "qa/training/train.py", "embeddings/store.py", "eval/report.py"} <= set(
        map(name_of, SOURCES)
    )


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_point_one_way(path: Path) -> None:
    layer = LAYERS.index(name_of(path).split("/")[0])
    above = {module for module, _ in imports(path) if module.split(".")[0] in LAYERS[layer + 1 :]}
    assert not above


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_heavy_libraries_stay_in_their_modules(path: Path) -> None:
    for module, _ in imports(path):
        home = HOME.get(module.split(".")[0])
        assert home is None or name_of(path).startswith(home), f"{module} belongs in {home}"


@pytest.mark.parametrize("path", [path for path in SOURCES if "training" not in path.parts], ids=name_of)
def test_training_is_imported_by_training_only(path: Path) -> None:
    assert not [module for module, _ in imports(path) if module.startswith("qa.training")]


@pytest.mark.parametrize("path", [*SOURCES, *sorted(Path(__file__).parent.glob("*.py"))], ids=name_of)
def test_nobody_imports_eval_as_a_name(path: Path) -> None:
    assert not [module for module, plain in imports(path) if plain and module.split(".")[0] == "eval"]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_unpickles(path: Path) -> None:
    assert not {module for module, _ in imports(path)} & FORBIDDEN
    for call in calls(path):
        options = {option.arg: ast.unparse(option.value) for option in call.keywords}
        assert options.get("allow_pickle", "False") == "False", ast.unparse(call)
        if ast.unparse(call.func) == "torch.load":
            assert options.get("weights_only") == "True", ast.unparse(call)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_nothing_is_evaluated_or_run_by_a_shell(path: Path) -> None:
    for call in calls(path):
        assert ast.unparse(call.func) not in ("eval", "exec", "os.system"), ast.unparse(call)
        assert not any(option.arg == "shell" for option in call.keywords), ast.unparse(call)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_source_names_a_place_of_one_machine(path: Path) -> None:
    strings = [n.value for n in ast.walk(tree(path)) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    assert not [text for text in strings if re.search(r"(?<![\w.])/(?:home|work|root|Users|tmp|mnt)/|[A-Z]:\\\\", text)]


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name not in ("cli.py", "__main__.py")], ids=name_of)
def test_only_programs_print(path: Path) -> None:
    if path.name == "calibrate.py":  # also a program
        return
    assert not [ast.unparse(call) for call in calls(path) if ast.unparse(call.func) == "print"]
