"""A trained PyTorch network -> the same network compiled for this processor. Only this module runs OpenVINO.

Converting takes seconds and needs torch; running needs neither. So what was converted is kept in the user's cache,
under a key of the caller's (the model's fingerprint), with a digest of every file: a damaged copy is made anew.
"""

import json
import logging
import os
import shutil
import tempfile
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

logger = logging.getLogger(__name__)
LAYOUT = 1  # of what is kept; another number, and networks are converted anew
FILES = ("network.xml", "network.bin", "tokenizer.json", "about.json")
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
Outputs = list[NDArray[np.float32]]


@dataclass(frozen=True)
class Source:
    """A network in torch with all that running it needs."""

    module: Any  # torch.nn.Module that takes the inputs in their order and returns a tensor or a tuple of them
    inputs: tuple[str, ...]  # of INPUTS
    tokenizer: Any  # tokenizers.Tokenizer
    about: dict[str, Any]  # whatever the caller wants to have back; JSON


class Network(Protocol):
    """A network that can be run: `inputs` names its arguments, each an int64 array (n_rows, length)."""

    inputs: tuple[str, ...]
    tokenizer: Any
    about: dict[str, Any]

    def run(self, arrays: Mapping[str, NDArray[np.int64]], /) -> Outputs:
        """Return the outputs as float32 arrays; arrays that are no input are left aside."""
        ...


def padded(encodings: Sequence[Any]) -> dict[str, NDArray[np.int64]]:
    """The tokenizer's encodings as a network's inputs, padded at the end: arrays (n_encodings, longest)."""
    longest = max(len(encoding.ids) for encoding in encodings)
    arrays = {name: np.zeros((len(encodings), longest), dtype=np.int64) for name in INPUTS}
    for row, encoding in enumerate(encodings):
        length = len(encoding.ids)
        arrays["input_ids"][row, :length] = encoding.ids
        arrays["attention_mask"][row, :length] = 1
        arrays["token_type_ids"][row, :length] = encoding.type_ids
    return arrays


class TorchNetwork:
    """The network as it was trained, run by torch in float32: the reference, and for what cannot be converted."""

    def __init__(self, source: Source) -> None:
        self.inputs, self.tokenizer, self.about = source.inputs, source.tokenizer, source.about
        self._module = source.module.eval()

    def run(self, arrays: Mapping[str, NDArray[np.int64]], /) -> Outputs:
        """As in Network."""
        import torch

        with torch.inference_mode():
            made = self._module(*(torch.from_numpy(arrays[name]) for name in self.inputs))
        return [tensor.float().numpy() for tensor in (made if isinstance(made, tuple) else (made,))]


class CompiledNetwork:
    """The network run by OpenVINO; safe to run from several threads."""

    def __init__(self, folder: Path, *, exact: bool) -> None:
        """Compile what `convert` wrote. exact: in float32, else in bfloat16 where the processor computes in it."""
        import openvino
        from tokenizers import Tokenizer

        kept = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        self.inputs, self.about = tuple(kept["inputs"]), kept["about"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        settings: dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY"}
        if exact:
            settings["INFERENCE_PRECISION_HINT"] = "f32"
        self._compiled = openvino.Core().compile_model(str(folder / "network.xml"), "CPU", settings)
        self._of_thread = threading.local()

    def run(self, arrays: Mapping[str, NDArray[np.int64]], /) -> Outputs:
        """As in Network."""
        if not hasattr(self._of_thread, "request"):
            self._of_thread.request = self._compiled.create_infer_request()
        made = self._of_thread.request.infer([arrays[name] for name in self.inputs])
        return [np.array(made[at], dtype=np.float32) for at in range(len(made))]


def network(key: str, source: Callable[[], Source], *, exact: bool, folder: Path | None = None) -> Network:
    """The network of this key: compiled from what is kept, else converted, kept and compiled.

    source is only called if nothing is kept. What OpenVINO cannot convert is run by torch.
    """
    place = (folder or user_cache_path("quotewise") / "networks") / f"{key}-{LAYOUT}"
    if not _whole(place):
        made = source()
        try:
            convert(made, place)
        except Exception as error:  # OpenVINO and torch's tracer raise many kinds; a full disk is one more
            first_line = (str(error).strip().splitlines() or [""])[0]
            message = "cannot convert this network and keep it in %s (%s: %s); running it slowly by torch"
            logger.warning(message, place, type(error).__name__, first_line)
            return TorchNetwork(made)
    return CompiledNetwork(place, exact=exact)


def convert(source: Source, place: Path) -> None:
    """Write network, tokenizer and what is known of them into the folder place, in one rename."""
    import openvino
    import torch
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    place.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=place.parent, prefix="making-"))
    try:
        ids = torch.ones((2, 9), dtype=torch.long)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer warns of every branch it takes
            traced = torch.jit.trace(source.module.eval(), (ids,) * len(source.inputs))
        # by the front end itself, not by openvino.convert_model: that one tells its maker what was converted
        front_end = FrontEndManager().load_by_framework("pytorch")
        decoder = TorchScriptPythonDecoder(traced)  # has to outlive the conversion
        model = front_end.convert(front_end.load(decoder))
        for given, name in zip(model.inputs, source.inputs, strict=True):
            given.get_node().set_element_type(openvino.Type.i64)
            given.get_node().set_partial_shape(openvino.PartialShape([-1, -1]))
            given.set_names({name})
        model.validate_nodes_and_infer_types()
        openvino.save_model(model, scratch / "network.xml", compress_to_fp16=False)
        source.tokenizer.save(str(scratch / "tokenizer.json"))
        kept = {"inputs": source.inputs, "about": source.about}
        (scratch / "about.json").write_text(json.dumps(kept), encoding="utf-8")
        (scratch / "sha256.json").write_text(json.dumps({name: digest(scratch / name) for name in FILES}))
        shutil.rmtree(place, ignore_errors=True)
        os.replace(scratch, place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _whole(place: Path) -> bool:
    try:
        digests = json.loads((place / "sha256.json").read_text())
        return all(digests[name] == digest(place / name) for name in FILES)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def digest(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
