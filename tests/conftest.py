"""What several test files need: three documents, toys that read them, and the command line with toys behind it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from toys import FERRY, HARBOUR, MUSEUM, ToyEncoder, ToyReader, toy_assistant, toy_documents

import qa.answers
from embeddings import encoder as encoder_module
from qa import assistant as assistant_module
from qa import cli
from qa.answers import RivalryFit
from qa.assistant import Assistant
from qa.datatypes import Document


@pytest.fixture
def documents() -> list[Document]:
    """ferry.txt, harbour.txt, museum.txt; one passage each."""
    return toy_documents()


@pytest.fixture
def assistant(documents: list[Document]) -> Assistant:
    """Toys over the three documents, without a calibration."""
    return toy_assistant(documents)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the three documents."""
    place = tmp_path / "documents"
    place.mkdir()
    for name, text in (("ferry.txt", FERRY), ("harbour.txt", HARBOUR), ("museum.txt", MUSEUM)):
        (place / name).write_text(text, encoding="utf-8")
    return place


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Where the index goes."""
    return tmp_path / "index"


@pytest.fixture
def toy_models(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Toys instead of the models, wherever one is loaded; the cache is a temporary folder."""
    monkeypatch.setattr(assistant_module, "SentenceEncoder", ToyEncoder)
    monkeypatch.setattr(encoder_module, "SentenceEncoder", ToyEncoder)
    monkeypatch.setattr(assistant_module, "Reader", ToyReader)
    monkeypatch.setattr(assistant_module, "user_cache_path", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr(cli, "_quiet", lambda: None)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in this process; exit code, stdout, stderr."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        try:
            code = cli.main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(stop.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def regression(monkeypatch: pytest.MonkeyPatch) -> RivalryFit:
    """A regression of round numbers in place of the shipped one."""
    fitted = RivalryFit({"log_odds": 1.0, "log_ratio": -2.0, "same_document": -3.0, "date": 0.0}, 2.0, 0.5)
    monkeypatch.setattr(qa.answers, "load_rivalry_fit", lambda: fitted)
    return fitted
