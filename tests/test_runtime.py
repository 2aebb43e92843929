"""embeddings/runtime.py: a compiled network says what the one in torch says, and what is kept is whole or made anew."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from embeddings.runtime import FILES, INPUTS, CompiledNetwork, Network, Source, TorchNetwork, convert, network

pytestmark = pytest.mark.model
BATCH = {
    "input_ids": np.array([[3, 4, 5, 6, 7], [8, 9, 0, 0, 0]]),
    "attention_mask": np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]),
    "token_type_ids": np.array([[0, 0, 1, 1, 1], [0, 0, 0, 0, 0]]),
}


def source() -> Source:
    """A random BERT of a few hundred numbers, and a tokenizer of three words."""
    import torch
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    sizes = {"vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = BertModel(BertConfig(**sizes, intermediate_size=8, max_position_embeddings=64))

    class Hidden(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, ids: object, mask: object, types: object) -> object:
            return self.model(input_ids=ids, attention_mask=mask, token_type_ids=types)[0]

    words = Tokenizer(WordLevel({"a": 0, "b": 1, "c": 2}, unk_token="a"))
    return Source(Hidden(), INPUTS, words, {"dim": 8})


def never() -> Source:
    """Fail: nothing should be converted again."""
    raise AssertionError("converted again")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the random network as key-1."""
    folder = tmp_path_factory.mktemp("networks")
    network("key", source, exact=True, folder=folder)
    return folder


def real(made: Network, batch: dict[str, np.ndarray] = BATCH) -> np.ndarray:
    """What the network says of the tokens that are no padding."""
    (hidden,) = made.run(batch)
    values: np.ndarray = hidden[batch["attention_mask"] == 1]
    return values


def test_compiled_says_what_torch_says(kept: Path) -> None:
    compiled = network("key", never, exact=True, folder=kept)
    assert isinstance(compiled, CompiledNetwork)
    np.testing.assert_allclose(real(compiled), real(TorchNetwork(source())), atol=1e-5)
    assert (compiled.inputs, compiled.about) == (INPUTS, {"dim": 8})
    assert compiled.tokenizer.token_to_id("c") == 2


def test_rows_and_lengths_may_vary(kept: Path) -> None:
    compiled, torch_one = network("key", never, exact=True, folder=kept), TorchNetwork(source())
    for rows, length in ((1, 1), (1, 40), (5, 3), (2, 7)):
        ids = np.random.default_rng(rows).integers(0, 11, (rows, length))
        batch = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        np.testing.assert_allclose(real(compiled, batch), real(torch_one, batch), atol=1e-5)


def test_outputs_stay_as_they_were_when_the_network_runs_again(kept: Path) -> None:
    compiled = network("key", never, exact=True, folder=kept)
    (first,) = compiled.run(BATCH)
    before = first.copy()
    compiled.run({name: array[::-1].copy() for name, array in BATCH.items()})
    np.testing.assert_array_equal(first, before)


def test_several_threads_may_run_one_network(kept: Path) -> None:
    compiled = network("key", never, exact=True, folder=kept)
    expected, wrong = real(compiled), []

    def ask() -> None:
        wrong.extend(1 for _ in range(30) if not np.array_equal(real(compiled), expected))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("name", [*FILES, "sha256.json"])
@pytest.mark.parametrize("harm", ["flipped", "cut", "gone"])
def test_a_damaged_copy_is_made_anew(kept: Path, tmp_path: Path, name: str, harm: str) -> None:
    convert(source(), tmp_path / "key-1")
    file = tmp_path / "key-1" / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.unlink() if harm == "gone" else file.write_bytes(content if harm == "flipped" else content[:-1])
    asked: list[int] = []

    def again() -> Source:
        asked.append(1)
        return source()

    np.testing.assert_allclose(
        real(network("key", again, exact=True, folder=tmp_path)), real(network("key", never, exact=True, folder=kept))
    )
    assert asked
    network("key", never, exact=True, folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["key-1"]


@pytest.mark.parametrize("raised", [RuntimeError("no such operation"), OSError(28, "No space left on device")])
def test_what_cannot_be_converted_or_kept_is_run_by_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, raised: Exception
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("openvino.save_model", fail)
    made = network("key", source, exact=True, folder=tmp_path)
    assert isinstance(made, TorchNetwork)
    assert "running it slowly by torch" in caplog.text
    assert list(tmp_path.iterdir()) == []
    assert real(made).shape == (7, 8)


def test_a_source_that_fails_says_so_itself(tmp_path: Path) -> None:
    def fails() -> Source:
        raise ValueError("no weights here")

    make: Callable[[], Source] = fails
    with pytest.raises(ValueError, match="no weights here"):
        network("key", make, exact=True, folder=tmp_path)
