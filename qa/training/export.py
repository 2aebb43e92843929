"""The weights after several stages -> their average -> the folder that ships, in half precision, with its tokenizer."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForQuestionAnswering

FILES = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def average(run: Path, shares: Mapping[str, float]) -> Path:
    """Average the weights after some stages of a run, by their shares, into `RUN/averaged`; return that folder.

    Source: Wortsman et al. 2022 (model soups), section 2, with shares.
    Raises ValueError unless the shares add up to 1, FileNotFoundError if a stage has not been reached.
    """
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(f"the shares of the stages must add up to 1, they are {dict(shares)}")
    averaged: dict[str, torch.Tensor] = {}
    for stage, share in shares.items():
        for name, weights in load_file(run / f"stage-{stage}.safetensors").items():
            averaged[name] = (
                averaged.get(name, torch.zeros_like(weights, dtype=torch.float32)) + share * weights.float()
            )
    folder = run / "averaged"
    shutil.copytree(run / "checkpoint", folder, dirs_exist_ok=True)
    save_file(averaged, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


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
