"""Training features -> a fine-tuned checkpoint. Resumes where it stopped; runs on CPU or GPU.

In: the features of each mix and the base's weights; out: what every stage gives (`RUN/stage-1`, ...: a transformers
folder with the running average of its weights), and `RUN/state.pt` (what a resumed run needs: this module alone reads
it).
"""

import json
import logging
import math
import os
import random
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import get_ema_multi_avg_fn
from transformers import AutoModelForQuestionAnswering

logger = logging.getLogger(__name__)
Batch = dict[str, torch.Tensor]
Features = dict[str, np.ndarray]  # as prepare.features makes them


def batches(features: Features, *, passages: int, tokens_per_batch: int, seed: int) -> list[np.ndarray]:
    """Put window numbers into batches of like length, about tokens_per_batch each, in a random but fixed order.

    Windows that belong together, `passages` of them side by side, stay together. A CPU compiles a kernel for every new
    tensor shape, so lengths are padded to multiples of 32 and every batch of one padded length has one number of rows.
    """
    rng = random.Random(seed)
    by_length: dict[int, list[int]] = {}
    for group, length in enumerate(features["length"].reshape(-1, passages).max(axis=1)):
        by_length.setdefault(-(-int(length) // 32) * 32, []).append(group)
    grouped: list[np.ndarray] = []
    for padded, groups in sorted(by_length.items()):
        rng.shuffle(groups)
        size = max(1, tokens_per_batch // (padded * passages))
        for at in range(0, len(groups), size):
            begins = np.array(groups[at : at + size]) * passages
            grouped.append((begins[:, None] + np.arange(passages)).ravel())
    rng.shuffle(grouped)
    return grouped


def collate(features: Features, begins: np.ndarray, rows: np.ndarray) -> Batch:
    """One batch as tensors, all (n_rows, padded_length) but the targets (n_rows,)."""
    lengths = features["length"][rows]
    positions = np.arange(-(-int(lengths.max()) // 32) * 32)
    ids = np.zeros((len(rows), len(positions)), dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : lengths[i]] = features["ids"][begins[row] : begins[row] + lengths[i]]
    mask = positions < lengths[:, None]
    in_passage = mask & (positions >= features["context_at"][rows][:, None])
    arrays = {"input_ids": ids, "attention_mask": mask.astype(np.int64), "in_passage": in_passage}
    arrays |= {"first": features["first"][rows].astype(np.int64), "last": features["last"][rows].astype(np.int64)}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def rate_at(progress: float, stage: dict[str, Any], *, warmup: float) -> float:
    """The learning rate at this share of a stage: up in a straight line, then straight to the stage's final rate."""
    if progress < warmup:
        return float(stage["rate"] * progress / warmup)
    left = (1 - progress) / (1 - warmup)
    return float(stage["final_rate"] + (stage["rate"] - stage["final_rate"]) * left)


def train(load: Callable[[str], Features], run: Path, *, start_from: str, config: dict[str, Any]) -> Path:
    """Train through all stages of config; load gives the features of a mix by its name. Returns the last one's folder.

    The model is the lowest `layers` layers of the base. A stage begins with the weights the last one ended with, and
    gives an exponential average of them, in which `running_average` is the share of the one before.
    A run stopped by force resumes from the last save (one every five minutes, and one after every stage).
    """
    settings, stages = config["train"], config["stages"]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    state_file = run / "state.pt"
    saved = torch.load(state_file, weights_only=True) if state_file.exists() else None
    torch.manual_seed(0)
    model = AutoModelForQuestionAnswering.from_pretrained(
        start_from,
        num_hidden_layers=config["base"]["layers"],
        hidden_dropout_prob=0.0,  # drawing random numbers would take most of the time on a CPU
        attention_probs_dropout_prob=0.0,
        dtype=torch.float32,
    ).to(device)
    words = model.get_input_embeddings().requires_grad_(False).weight
    words.copy_(as_shipped(words.detach()))
    trained = {name: weights for name, weights in model.named_parameters() if weights.requires_grad}
    masters = {name: weights.detach().clone() for name, weights in trained.items()}
    means = {name: weights.clone() for name, weights in masters.items()}
    model.to(torch.bfloat16)
    optimizer = torch.optim.AdamW(masters.values(), lr=0.0, weight_decay=settings["weight_decay"], fused=True)
    reached, done, seconds = 0, 0, 0.0
    if saved:
        _put(saved["masters"], masters)
        _put(saved["means"], means)
        optimizer.load_state_dict(saved["optimizer"])
        reached, done, seconds = saved["stage"], saved["done"], saved["seconds"]
        logger.info("resuming in stage %d after %d batches, %.1f minutes in all", reached + 1, done, seconds / 60)
    model.train()
    clock, last_save, losses = time.monotonic() - seconds, time.monotonic(), []

    def save(stage: int, done: int) -> None:
        seconds = time.monotonic() - clock
        state = {"optimizer": optimizer.state_dict(), "masters": masters, "means": means}
        torch.save(state | {"stage": stage, "done": done, "seconds": seconds}, run / "state.tmp")
        os.replace(run / "state.tmp", run / "state.pt")
        (run / "progress.json").write_text(json.dumps({"stage": stage, "batches": done, "minutes": seconds / 60}))

    for number in range(reached, len(stages)):
        stage = stages[number]
        if not done:
            _put(masters, means)
        _put_as_shipped(masters, trained)
        update_means = get_ema_multi_avg_fn(stage["running_average"])
        features = load(stage["mix"])
        begins = np.concatenate([[0], np.cumsum(features["length"])[:-1]])
        mix = config["mixes"][stage["mix"]]
        plan = _plan(features, stage, mix, tokens_per_batch=settings["tokens_per_batch"])
        for at in range(done, len(plan)):
            for group in optimizer.param_groups:
                group["lr"] = rate_at(at / len(plan), stage, warmup=settings["warmup"])
            batch = {name: tensor.to(device) for name, tensor in collate(features, begins, plan[at]).items()}
            how = {"passages": mix["passages"], "clip": settings["clip"]}
            losses.append(_step(model, trained, masters, optimizer, batch, **how))
            update_means(list(means.values()), list(masters.values()), None)
            if len(losses) == 100:
                minutes = (time.monotonic() - clock) / 60
                message = "stage %d, batch %d/%d, %.1f min, loss %.3f"
                logger.info(message, number + 1, at + 1, len(plan), minutes, np.mean(losses))
                losses = []
            if time.monotonic() - last_save > 300:
                save(number, at + 1)
                last_save = time.monotonic()
        whole = {name: tensor.float() for name, tensor in model.state_dict().items()} | means
        model.save_pretrained(run / f"stage-{number + 1}", state_dict=whole)
        done = 0
        save(number + 1, done)
    return run / f"stage-{len(stages)}"


def _put(weights: Mapping[str, torch.Tensor], into: Mapping[str, torch.Tensor]) -> None:
    """Overwrite weights with those of the same name. Raises KeyError if one is not there."""
    with torch.no_grad():
        for name, tensor in into.items():
            tensor.copy_(weights[name])


def as_shipped(weights: torch.Tensor) -> torch.Tensor:
    """A matrix in the eight bits it ships in, any other tensor as it is; the head, two rows, counts as no matrix.

    Source: Micikevicius et al. 2022, FP8 formats for deep learning, E4M3.
    """
    return weights.to(torch.float8_e4m3fn) if weights.ndim == 2 and len(weights) > 2 else weights


def _put_as_shipped(masters: Mapping[str, torch.Tensor], into: Mapping[str, torch.Tensor]) -> None:
    """Overwrite weights with the master weights of the same name, rounded as they will ship."""
    _put({name: as_shipped(weights) for name, weights in masters.items()}, into)


def _plan(features: Features, stage: dict[str, Any], mix: dict[str, Any], *, tokens_per_batch: int) -> list[np.ndarray]:
    """The batches of one stage, in order: `passes` over its mix."""
    whole: list[np.ndarray] = []
    for turn in range(math.ceil(stage["passes"])):
        seed = mix["seed"] + turn
        whole += batches(features, passages=mix["passages"], tokens_per_batch=tokens_per_batch, seed=seed)
    return whole[: round(len(whole) * stage["passes"] / math.ceil(stage["passes"]))]


def loss_of(logits: torch.Tensor, target: torch.Tensor, passages: int) -> torch.Tensor:
    """Cross entropy of the target token, (n_rows,), among a row's, (n_rows, length), and among its group's.

    Token 0 is "not here"; a group's rows lie side by side, `passages` of them, and share one "not here": every logit is
    taken relative to it, as when reading. Only a group's first row may hold the answer. With one passage a group the
    two are the same.
    Source: Clark & Gardner 2018, section 3 (shared normalisation and a no-answer option), both at once.
    """
    each = cross_entropy(logits, target)
    if passages == 1:
        return each
    relative = (logits - logits[:, :1]).unflatten(0, (-1, passages))  # (n_groups, passages, length)
    relative[:, 1:, 0] = -1e4
    return (each + cross_entropy(relative.flatten(1), target[::passages])) / 2


def _step(
    model: Any,
    trained: dict[str, torch.Tensor],
    masters: dict[str, torch.Tensor],
    optimizer: Any,
    batch: Batch,
    *,
    passages: int,
    clip: float,
) -> float:
    """One step: gradients in bfloat16, of the weights as they ship; sums of them in the float32 master weights."""
    first, last, in_passage = batch.pop("first"), batch.pop("last"), batch.pop("in_passage")
    output = model(**batch)
    length = batch["input_ids"].shape[1]
    outside = ~in_passage & (torch.arange(length, device=first.device) > 0)
    start = output.start_logits.float().masked_fill(outside, -1e4)  # only the passage, or token 0: "not here"
    end = output.end_logits.float().masked_fill(outside, -1e4)
    loss = (loss_of(start, first, passages) + loss_of(end, last, passages)) / 2
    loss.backward()
    for name, master in masters.items():
        gradient = trained[name].grad
        master.grad = None if gradient is None else gradient.float()
    torch.nn.utils.clip_grad_norm_(list(masters.values()), clip)
    optimizer.step()
    _put_as_shipped(masters, trained)
    for weights in trained.values():
        weights.grad = None
    return float(loss.detach())
