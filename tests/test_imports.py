"""What is loaded when, seen from a fresh interpreter."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "sentence_transformers", "gradio", "faiss", "sklearn", "pandas")


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
    assert not loaded & set(HEAVY)


def test_an_assistant_loads_no_model_library_before_it_is_used() -> None:
    assert not loaded_after("from qa import Assistant") & {"torch", "transformers", "sentence_transformers", "gradio"}


def test_an_unknown_name_of_qa_is_an_attribute_error() -> None:
    import qa

    with pytest.raises(AttributeError, match="module 'qa' has no attribute 'Answerer'"):
        qa.Answerer  # noqa: B018
