"""python -m qa.training --data DIR --run DIR: prepare, train, average, evaluate, export. Resumes."""

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

from embeddings.encoder import DEFAULT_MODEL, model_folder
from qa.training.evaluate import evaluate
from qa.training.export import export
from qa.training.prepare import features, training_examples
from qa.training.train import Features, train


def main() -> None:
    """Parse the command line and run the steps."""
    parser = argparse.ArgumentParser(prog="python -m qa.training", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the question-answering sets")
    parser.add_argument("--run", type=Path, default=Path("runs/reader"), help="folder for features and checkpoints")
    parser.add_argument("--config", type=Path, default=Path(__file__).parent / "config.toml")
    parser.add_argument("--measure", type=Path, metavar="CHECKPOINT", help="measure this checkpoint, do nothing else")
    parser.add_argument("--export", type=Path, help="write the shipped form of the checkpoint to this folder")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = tomllib.loads(arguments.config.read_text())
    arguments.run.mkdir(parents=True, exist_ok=True)
    start_from = str(model_folder(DEFAULT_MODEL))

    def measure(checkpoint: Path) -> None:
        figures = evaluate(checkpoint, arguments.data)
        (arguments.run / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")

    if arguments.measure:
        measure(arguments.measure)
        return
    tokenizer = AutoTokenizer.from_pretrained(start_from)
    tokenizer.save_pretrained(arguments.run / "checkpoint")

    def load(mix: str) -> Features:
        stored = arguments.run / f"features-{mix}.npz"
        if not stored.exists():
            wanted = config["mixes"][mix]
            examples = training_examples(arguments.data, wanted, config["augment"])
            arrays: dict[str, Any] = features(
                examples, tokenizer, max_length=wanted["max_length"], stride=wanted["stride"]
            )
            np.savez(stored, **arrays)
        return dict(np.load(stored))

    averaged = train(load, arguments.run, start_from=start_from, config=config)
    measure(averaged)
    if arguments.export:
        export(averaged, arguments.export)


if __name__ == "__main__":
    main()
