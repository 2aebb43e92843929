"""Training features -> a fine-tuned checkpoint. Resumes where it stopped; runs on CPU or GPU.

In: `features.npz` and the encoder's weights; out: `RUN/checkpoint` (a transformers folder) and
`RUN/state.pt` (what a resumed run needs: this module alone reads it back).
"""

import json
import logging
import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import AttentionInterface, AutoModelForQuestionAnswering
from transformers.masking_utils import AttentionMaskInterface, eager_mask

logger = logging.getLogger(__name__)
Batch = dict[str, torch.Tensor]


def batches(features: dict[str, np.ndarray], *, tokens_per_batch: int, seed: int) -> list[np.ndarray]:
    """Group window numbers into batches of like length, about tokens_per_batch each, in a random but fixed order.

    A CPU compiles a kernel for every new tensor shape, so lengths are padded to multiples of 32 and
    every batch of one padded length has one number of rows.
    """
    rng = random.Random(seed)
    by_length: dict[int, list[int]] = {}
    for row, length in enumerate(features["length"]):
        by_length.setdefault(-(-int(length) // 32) * 32, []).append(row)
    grouped: list[np.ndarray] = []
    for padded, rows in sorted(by_length.items()):
        rng.shuffle(rows)
        size = max(1, tokens_per_batch // padded)
        grouped += [np.array(rows[at : at + size]) for at in range(0, len(rows), size)]
    rng.shuffle(grouped)
    return grouped


def collate(features: dict[str, np.ndarray], begins: np.ndarray, rows: np.ndarray) -> Batch:
    """One batch as tensors, all (n_rows, padded_length) but the targets (n_rows,)."""
    lengths = features["length"][rows]
    positions = np.arange(-(-int(lengths.max()) // 32) * 32)
    ids = np.zeros((len(rows), len(positions)), dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : lengths[i]] = features["ids"][begins[row] : begins[row] + lengths[i]]
    mask = positions < lengths[:, None]
    token_type = mask & (positions >= features["context_at"][rows][:, None])
    arrays = {"input_ids": ids, "attention_mask": mask.astype(np.int64), "token_type_ids": token_type.astype(np.int64)}
    arrays |= {"first": features["first"][rows].astype(np.int64), "last": features["last"][rows].astype(np.int64)}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def rate_at(progress: float, *, warmup: float) -> float:
    """The share of the peak learning rate: up in a straight line during warm-up, then down to 0 at progress 1."""
    return progress / warmup if progress < warmup else max(0.0, (1 - progress) / (1 - warmup))


def train(
    features: dict[str, np.ndarray], run: Path, *, start_from: str, config: dict[str, Any], minutes: float | None
) -> None:
    """Train until `passes` are done, or until `minutes` of training time are used up if that comes first.

    The learning rate reaches 0 at whichever end comes first. A run stopped by force resumes
    from the last save (one every five minutes).
    """
    settings = config["train"]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(settings["seed"])
    state_file = run / "state.pt"
    saved = torch.load(state_file, weights_only=True) if state_file.exists() else None
    model = AutoModelForQuestionAnswering.from_pretrained(
        run / "checkpoint" if saved else start_from,
        hidden_dropout_prob=0.0,  # drawing random numbers would take most of the time on a CPU
        attention_probs_dropout_prob=0.0,
        attn_implementation="quotewise_plain",
        dtype=torch.float32,
    ).to(device)
    model.get_input_embeddings().requires_grad_(False)
    masters = {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
    if saved:
        masters = {name: saved["masters"][name].to(device) for name in masters}
    model.to(torch.bfloat16)
    optimizer = torch.optim.AdamW(masters.values(), lr=0.0, weight_decay=settings["weight_decay"], fused=True)
    done, seconds = 0, 0.0
    if saved:
        optimizer.load_state_dict(saved["optimizer"])
        done, seconds = saved["done"], saved["seconds"]
        logger.info("resuming after %d batches, %.1f minutes", done, seconds / 60)
    plan = list(_plan(features, settings))
    begins = np.concatenate([[0], np.cumsum(features["length"])[:-1]])
    model.train()
    clock, last_save, losses = time.monotonic() - seconds, time.monotonic(), []
    for number in range(done, len(plan)):
        seconds = time.monotonic() - clock
        progress = number / len(plan)
        if minutes is not None:
            progress = max(progress, seconds / (60 * minutes))
        if progress >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = settings["learning_rate"] * rate_at(progress, warmup=settings["warmup"])
        batch = {name: tensor.to(device) for name, tensor in collate(features, begins, plan[number]).items()}
        losses.append(_step(model, batch, masters, optimizer, clip=settings["clip"]))
        if len(losses) == 100:
            logger.info(
                "batch %d/%d, %.0f %%, %.1f min, loss %.3f",
                number + 1,
                len(plan),
                100 * progress,
                seconds / 60,
                np.mean(losses),
            )
            losses = []
        if time.monotonic() - last_save > 300:
            _save(model, masters, optimizer, run, done=number + 1, seconds=seconds)
            last_save = time.monotonic()
    _save(model, masters, optimizer, run, done=len(plan), seconds=seconds)


def _plan(features: dict[str, np.ndarray], settings: dict[str, Any]) -> Iterator[np.ndarray]:
    remaining = settings["passes"]
    for turn in range(int(np.ceil(remaining))):
        grouped = batches(features, tokens_per_batch=settings["tokens_per_batch"], seed=settings["seed"] + turn)
        yield from grouped[: int(len(grouped) * min(1.0, remaining - turn))]


def _plain_attention(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, scaling: float, **_: Any
) -> tuple[torch.Tensor, None]:
    """Attention all in the weights' own type: on a CPU faster backwards than the fused kernel, or than in float32."""
    scores = torch.matmul(query * scaling, key.transpose(2, 3))  # (rows, heads, length, length)
    if attention_mask is not None:
        scores = scores + attention_mask.to(scores.dtype)
    return torch.matmul(torch.softmax(scores, dim=-1), value).transpose(1, 2).contiguous(), None


AttentionInterface.register("quotewise_plain", _plain_attention)
AttentionMaskInterface.register("quotewise_plain", eager_mask)


def _step(model: Any, batch: Batch, masters: dict[str, torch.Tensor], optimizer: Any, *, clip: float) -> float:
    """One step: gradients in bfloat16, sums of them in the float32 master weights."""
    first, last = batch.pop("first"), batch.pop("last")
    output = model(**batch)
    length = batch["input_ids"].shape[1]
    outside = (batch["token_type_ids"] == 0) & (torch.arange(length, device=first.device) > 0)
    start = output.start_logits.float().masked_fill(outside, -1e4)  # only the passage, or token 0: "not here"
    end = output.end_logits.float().masked_fill(outside, -1e4)
    loss = (cross_entropy(start, first) + cross_entropy(end, last)) / 2
    loss.backward()
    weights = dict(model.named_parameters())
    for name, master in masters.items():
        gradient = weights[name].grad
        master.grad = None if gradient is None else gradient.float()
    torch.nn.utils.clip_grad_norm_(list(masters.values()), clip)
    optimizer.step()
    with torch.no_grad():
        for name, master in masters.items():
            weights[name].copy_(master)
            weights[name].grad = None
    return float(loss.detach())


def _save(
    model: Any, masters: dict[str, torch.Tensor], optimizer: Any, run: Path, *, done: int, seconds: float
) -> None:
    logging.getLogger("transformers").setLevel(logging.ERROR)
    weights = {name: tensor.float() for name, tensor in model.state_dict().items()} | masters
    model.save_pretrained(run / "checkpoint", state_dict=weights)
    state = {"optimizer": optimizer.state_dict(), "masters": masters, "done": done, "seconds": seconds}
    torch.save(state, run / "state.tmp")
    os.replace(run / "state.tmp", run / "state.pt")
    (run / "progress.json").write_text(json.dumps({"batches": done, "minutes": seconds / 60}))
