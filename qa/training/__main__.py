"""python -m qa.training --data DIR --base DIR --run DIR: prepare, train, export, evaluate. Resumes."""

import argparse
import json
import logging
import os
import tomllib
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from transformers import AutoTokenizer

from qa.training.evaluate import evaluate
from qa.training.export import export
from qa.training.prepare import features, training_examples
from qa.training.train import Features, train


def main() -> None:
    """Parse the command line and run the steps."""
    parser = argparse.ArgumentParser(prog="python -m qa.training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the question-answering sets")
    parser.add_argument("--base", type=Path, help="folder of all-mpnet-base-v2, in transformers form, to begin with")
    parser.add_argument("--run", type=Path, default=Path("runs/reader"), help="folder for features and checkpoints")
    parser.add_argument("--config", type=Path, default=Path(__file__).parent / "config.toml")
    parser.add_argument("--measure", type=Path, metavar="CHECKPOINT", help="measure this checkpoint, do nothing else")
    parser.add_argument("--export", type=Path, help="folder for what ships; default: RUN/reader")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = tomllib.loads(arguments.config.read_text())
    if not arguments.measure and not (arguments.base and (arguments.base / "config.json").exists()):
        parser.error("--base must name the folder of all-mpnet-base-v2; qa/training/README.md says where to get it")
    arguments.run.mkdir(parents=True, exist_ok=True)

    def measure(checkpoint: Path) -> None:
        figures = evaluate(checkpoint, arguments.data)
        (arguments.run / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")

    if arguments.measure:
        measure(arguments.measure)
        return
    tokenizer = AutoTokenizer.from_pretrained(arguments.base)

    def load(mix: str) -> Features:
        stored = arguments.run / f"features-{mix}.npz"
        if not stored.exists():
            examples = training_examples(arguments.data, config["mixes"][mix], config["augment"])
            arrays: dict[str, Any] = features(examples, tokenizer, **config["windows"])
            np.savez(arguments.run / "scratch.npz", **arrays)
            os.replace(arguments.run / "scratch.npz", stored)
        return dict(np.load(stored))

    checkpoint = train(load, arguments.run, start_from=str(arguments.base), config=config)
    tokenizer.save_pretrained(checkpoint)
    shipped = arguments.export or arguments.run / "reader"
    export(checkpoint, shipped)
    measure(shipped)


if __name__ == "__main__":
    main()
