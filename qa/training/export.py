"""A run's last checkpoint -> the folder that ships, its matrices in eight bits, with its tokenizer."""

import shutil
from pathlib import Path

import torch
from transformers import AutoModelForQuestionAnswering

from qa.training.train import as_shipped

MAX_SHARD = "45MB"  # of one file of weights


def export(checkpoint: Path, folder: Path) -> None:
    """Write the shipped form of a checkpoint into folder; its model card is left as it is.

    Matrices are kept as float8 (E4M3), as they were trained, and all else in half precision; transformers turns both
    into what it is asked for.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = AutoModelForQuestionAnswering.from_pretrained(checkpoint, dtype=torch.float32)
    model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = 0.1  # as published; unused here
    shipped = {name: _in_half(as_shipped(weights)) for name, weights in model.state_dict().items()}
    for old in folder.glob("model*.safetensors*"):
        old.unlink()
    model.save_pretrained(folder, state_dict=shipped, max_shard_size=MAX_SHARD)
    for path in folder.glob("model*.safetensors"):
        path.chmod(0o644)  # safetensors gives files to their owner alone
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(checkpoint / name, folder / name)


def _in_half(weights: torch.Tensor) -> torch.Tensor:
    return weights.half() if weights.dtype is torch.float32 else weights
