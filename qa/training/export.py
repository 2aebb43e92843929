"""The average of a run's stages -> the folder that ships, in half precision, with its tokenizer."""

import shutil
from pathlib import Path

import torch
from transformers import AutoModelForQuestionAnswering

FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def export(checkpoint: Path, folder: Path) -> None:
    """Write the shipped form of a checkpoint into folder; its model card and calibration are left as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    model = AutoModelForQuestionAnswering.from_pretrained(checkpoint, dtype=torch.float32)
    model.config.hidden_dropout_prob = model.config.attention_probs_dropout_prob = (
        0.1  # as published; unused at run time
    )
    model.to(torch.float16).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(checkpoint / name, folder / name)
    if missing := [name for name in FILES if not (folder / name).exists()]:
        raise FileNotFoundError(f"{folder}: {', '.join(missing)} did not get written")
