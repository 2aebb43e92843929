"""One checkpoint, the same questions and passages, several engines in turn: how fast is each, and do they agree?

Prints a Markdown table. See README.md beside this file.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
OURS, PEERS = ("compiled", "torch"), ("haystack", "txtai")
REFERENCE = "torch"
PASSAGES = 5  # read for every question
WARM_UP = 3  # questions not counted
Read = Callable[[str, list[str]], list[str | None]]  # the best span of every passage, None where there is none


def our_reader(checkpoint: str, engine: str) -> Read:
    """The project's own reader."""
    sys.path.insert(0, str(ROOT))
    from qa.datatypes import Document, Passage, Span
    from qa.reader import Reader

    reader = Reader(checkpoint, runtime="torch" if engine == "torch" else "compiled")

    def read(question: str, texts: list[str]) -> list[str | None]:
        documents = [Document(str(i), text, "", "", "utf-8") for i, text in enumerate(texts)]
        spans = reader.read(question, [Passage(d, Span(0, len(d.text))) for d in documents], k=1)
        best = {span.document.document_id: span.document.slice(span.span) for span in reversed(spans)}
        return [best.get(document.document_id) for document in documents]

    return read


def haystack(checkpoint: str) -> Read:
    """Haystack's reader, one answer a passage."""
    os.environ["HAYSTACK_TELEMETRY_ENABLED"] = "False"
    from haystack import Document
    from haystack_integrations.components.readers.transformers import TransformersExtractiveReader

    reader = TransformersExtractiveReader(checkpoint, token=None, no_answer=False, answers_per_seq=1, top_k=PASSAGES)
    reader.warm_up()

    def read(question: str, texts: list[str]) -> list[str | None]:
        documents = [Document(content=text, id=str(i)) for i, text in enumerate(texts)]
        answers = reader.run(query=question, documents=documents, overlap_threshold=None)["answers"]
        best = {answer.document.id: answer.data for answer in reversed(answers) if answer.document}
        return [best.get(document.id) for document in documents]

    return read


def txtai(checkpoint: str) -> Read:
    """The Questions pipeline of txtai."""
    from txtai.pipeline import Questions

    pipeline = Questions(checkpoint, gpu=False)

    def one(question: str, text: str) -> str | None:
        try:
            span: str | None = pipeline([question], [text])[0]
        except TypeError:  # its best span was "not here", which has no words
            return None
        return span

    return lambda question, texts: [one(question, text) for text in texts]


def peak_memory() -> float:
    """The most MiB that this process has held; `getrusage` would count those of the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def work(engine: str, checkpoint: str) -> None:
    """Answer JSON lines of [question, passages] on stdin with [milliseconds, spans, peak MiB] on stdout."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever the libraries print
    read = our_reader(checkpoint, engine) if engine in OURS else globals()[engine](checkpoint)
    for line in sys.stdin:
        question, passages = json.loads(line)
        begun = time.perf_counter()
        spans = read(question, passages)
        took = 1000 * (time.perf_counter() - begun)
        print(json.dumps([took, spans, peak_memory()]), file=out, flush=True)


def requests(count: int) -> list[tuple[str, list[str]]]:
    """Questions of the evaluation set with the passages that the project retrieves for them."""
    sys.path.insert(0, str(ROOT))
    from qa import Assistant

    assistant = Assistant.from_folder(ROOT / "seeds")
    lines = (ROOT / "eval" / "questions.jsonl").read_text(encoding="utf-8").split("\n")
    questions = [json.loads(line)["question"] for line in lines if line][:count]
    return [(q, [hit.passage.text for hit in assistant.retriever.retrieve(q, k=PASSAGES)]) for q in questions]


def in_float32(checkpoint: str, folder: str) -> str:
    """The same checkpoint in float32, which every engine's libraries read, whatever they make of eight bits."""
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    AutoModelForQuestionAnswering.from_pretrained(checkpoint, dtype=torch.float32).save_pretrained(folder)
    AutoTokenizer.from_pretrained(checkpoint).save_pretrained(folder)
    return folder


def compare(checkpoint: str, peers: str | None, count: int) -> None:
    """Run all engines in turn over the questions and print the table."""
    asked = requests(count)
    interpreters = dict.fromkeys(OURS, sys.executable) | (dict.fromkeys(PEERS, peers) if peers else {})
    workers = {
        engine: subprocess.Popen(
            [python, __file__, "--worker", engine, "--checkpoint", checkpoint],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )
        for engine, python in interpreters.items()
    }
    replies: dict[str, list[Any]] = {engine: [] for engine in workers}
    for request in asked[:WARM_UP] + asked:
        for engine, worker in workers.items():
            assert worker.stdin is not None and worker.stdout is not None  # noqa: PT018 for the type checker
            worker.stdin.write(json.dumps(request) + "\n")
            worker.stdin.flush()
            replies[engine].append(json.loads(worker.stdout.readline()))
    print(
        "| engine | questions/s | p50 ms | p95 ms | peak MiB | spans as by the reference |\n|---|---|---|---|---|---|"
    )
    reference = [span for _, spans, _ in replies[REFERENCE][WARM_UP:] for span in spans]
    for engine, answered in replies.items():
        times = sorted(took for took, _, _ in answered[WARM_UP:])
        spans = [span for _, found, _ in answered[WARM_UP:] for span in found]
        same = statistics.mean(one == other for one, other in zip(spans, reference, strict=True))
        figures = (1000 * len(times) / sum(times), statistics.median(times), times[int(0.95 * len(times))])
        print(f"| {engine} | " + " | ".join(f"{f:.1f}" for f in figures) + f" | {answered[-1][2]:.0f} | {same:.3f} |")
        workers[engine].terminate()


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="benchmarks/readers.py", description=__doc__)
    parser.add_argument("--peers", help="the Python that has benchmarks/requirements.txt installed")
    parser.add_argument("--checkpoint", default=str(ROOT / "qa" / "reader_model"))
    parser.add_argument("--questions", type=int, default=100)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(arguments.worker, arguments.checkpoint)
    else:
        with tempfile.TemporaryDirectory() as folder:
            compare(in_float32(arguments.checkpoint, folder), arguments.peers, arguments.questions)


if __name__ == "__main__":
    main()
