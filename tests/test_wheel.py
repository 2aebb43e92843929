"""The wheel: what is in it, and that what it installs answers from an empty folder, without the checkout."""

import importlib.util
import json
import os
import subprocess
import sys
import venv
import zipfile
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

pytestmark = pytest.mark.model
ROOT = Path(__file__).parent.parent
NOT_TRACKED = [
    ".git",
    *(line.rstrip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").split() if line),
]
LIBRARIES = [place for place in sys.path if Path(place).name in ("site-packages", "dist-packages")]
DATA = (  # besides Python files
    "qa/*.css",
    "qa/*.json",
    "qa/reader_model/**/*",
    "qa/training/*.md",
    "qa/training/*.toml",
    "eval/*.jsonl",
    "eval/*.toml",
)


def run(*command: str | Path, cwd: Path, **env: str) -> str:
    """Run a command that must succeed, in a folder and an environment that do not lead back to the checkout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(command, cwd=cwd, env=kept | env, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout without what git ignores, so that the build leaves nothing behind."""
    place = tmp_path_factory.mktemp("tree") / "quotewise"
    return Path(copytree(ROOT, place, ignore=ignore_patterns(*NOT_TRACKED)))


@pytest.fixture(scope="module")
def wheel(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built wheel; with the setuptools that is here, or with pip fetching one where there is none."""
    place = tmp_path_factory.mktemp("wheel")
    here = importlib.util.find_spec("setuptools") and int(version("setuptools").split(".")[0]) >= 77
    isolation = ["--no-build-isolation"] if here else []
    pip = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-cache-dir", *isolation]
    run(*pip, "--wheel-dir", place, tree, cwd=place)
    (built,) = place.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a new environment: the wheel, and the libraries of this one behind it, but no checkout."""
    place = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(place, symlinks=True)
    folder = place / "bin"
    pip = [sys.executable, "-m", "pip", "--python", folder / "python", "install", "--no-deps", "--no-index"]
    run(*pip, wheel, cwd=place)
    (site_packages,) = place.glob("lib/python*/site-packages")
    # Plain lines only lengthen sys.path: the .pth files in those folders, an editable install's too, are not run.
    (site_packages / "libraries.pth").write_text("".join(f"{library}\n" for library in LIBRARIES), encoding="utf-8")
    return folder


def test_wheel_holds_the_packages_their_data_and_nothing_else(tree: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        notes = {name.split(".dist-info/")[1] for name in archive.namelist() if ".dist-info/" in name}
    packages = ("qa", "qa/training", "embeddings", "eval")
    expected = {path.relative_to(tree).as_posix() for package in packages for path in (tree / package).glob("*.py")}
    expected |= {path.relative_to(tree).as_posix() for pattern in DATA for path in tree.glob(pattern) if path.is_file()}
    expected |= {f"qa/{path.relative_to(tree).as_posix()}" for path in tree.glob("seeds/*.txt")}
    assert names == expected
    assert notes == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt", "licenses/LICENSE"}


@pytest.mark.parametrize(
    "name",
    [
        "qa/reader_model/model.safetensors.index.json",
        "qa/reader_model/model-00001-of-00002.safetensors",
        "qa/reader_model/model-00002-of-00002.safetensors",
        "qa/reader_model/config.json",
        "qa/reader_model/tokenizer.json",
        "qa/reader_model/skimmer/model.safetensors",
        "qa/calibration.json",
        "qa/chat.css",
        "eval/questions.jsonl",
        *(f"qa/seeds/{path.name}" for path in sorted((ROOT / "seeds").glob("*.txt"))),
    ],
)
def test_wheel_holds_this_file_byte_for_byte(wheel: Path, name: str) -> None:
    source = ROOT / name.removeprefix("qa/") if name.startswith("qa/seeds/") else ROOT / name
    with zipfile.ZipFile(wheel) as archive:
        assert sha256(archive.read(name)).digest() == sha256(source.read_bytes()).digest()


def test_wheel_holds_five_articles(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        assert sum(name.startswith("qa/seeds/") for name in archive.namelist()) == 5


def test_the_installed_code_is_not_the_checkout(installed: Path, tmp_path: Path) -> None:
    program = "import sys, qa, embeddings, eval; print(qa.__file__, embeddings.__file__, eval.__file__, *sys.path)"
    places = run(installed / "python", "-P", "-c", program, cwd=tmp_path).split()
    site_packages = str(installed.parent)
    assert all(place.startswith(site_packages) for place in places[:3]), places
    assert str(ROOT) not in places
    assert not any("__editable__" in place for place in places)


def test_the_installed_qa_answers_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    question = "How many corrupt fugitives are still at large in foreign countries?"
    env = {"PYTHONSAFEPATH": "1", "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    reply = json.loads(run(installed / "qa", "ask", question, "--json", cwd=empty, **env))
    near_misses = reply["no_answer"]["near_misses"] if reply["no_answer"] else []
    cited = [citation for answer in reply["answers"] for citation in answer["citations"]] + near_misses
    assert cited
    for citation in cited:
        source = (ROOT / "seeds" / citation["document_id"]).read_bytes()
        assert source.decode("utf-8")[citation["start"] : citation["end"]] == citation["quote"]
        assert citation["source_sha256"] == sha256(source).hexdigest()
    assert list(empty.iterdir()) == []
    assert reply["manifest"]["version"] == version("quotewise")


def test_the_installed_qa_says_what_to_do(installed: Path, tmp_path: Path) -> None:
    help_text = run(installed / "qa", "--help", cwd=tmp_path, PYTHONSAFEPATH="1")
    assert help_text.startswith("usage: qa")
