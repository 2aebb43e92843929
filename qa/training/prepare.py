"""Question-answering sets on disk -> numbered training features. In: the data folder; out: `features.npz`.

Does not train anything. The sets and their licences are listed in the model's card. Development
examples are cut off by title, so no article is on both sides.

Beside the sets there are this project's own passages and questions: `authored` in the data folder, and `own`, which
is `questions/*.jsonl` beside this file (`questions/development` is never trained on).
"""

import hashlib
import json
import lzma
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

MEASURING_ONLY = frozenset(
    {"squadshifts_new_wiki", "clapnq_dev", "chroma_quotes", "quotesum_dev", "mtrag_un", "canard_dev", "selqa"}
)
DRAWN = 300  # contexts looked through for a similar one
OWN = Path(__file__).parent / "questions"
STOP_WORDS = frozenset(
    "a an the is are was were be been do does did of in on at to for by with from and or that this it its as has have "
    "had which what who whom whose when where why how many much there".split()
)


@dataclass(frozen=True)
class Example:
    """One question on one context; no answers means the context does not answer it."""

    example_id: str
    source: str
    title: str
    question: str
    context: str
    answers: tuple[tuple[int, int], ...]  # half-open character spans of context, best first

    @property
    def answer_texts(self) -> list[str]:
        """The answers as strings."""
        return [self.context[start:end] for start, end in self.answers]


def read_set(data: Path, name: str) -> Iterator[Example]:
    """Yield the examples of one set: `name.jsonl.xz`, or the passages of `authored` or `own`.

    Raises FileNotFoundError when the set is not there.
    """
    if name in ("authored", "own"):
        for path in sorted((OWN if name == "own" else data / name).glob("*.jsonl")):
            if path.stem != "conversations":
                yield from passages_with_questions(path, name)
        return
    with lzma.open(data / f"{name}.jsonl.xz", "rt", encoding="utf-8") as lines:
        for line in lines:
            yield _example(json.loads(line), name)


def _example(row: dict[str, Any], source: str) -> Example:
    answers = [(a["start"], a["start"] + len(a["text"])) for a in row["answers"] if a["text"].strip()]
    if source == "multispanqa_dev" and answers:  # all spans are needed: one span that covers the list
        answers = [(min(a for a, _ in answers), max(b for _, b in answers))]
    elif len(answers) > 2:  # several annotators: the middle one by length speaks for them
        answers.sort(key=lambda span: span[1] - span[0])
        answers.insert(0, answers.pop(len(answers) // 2))
    title = row["title"]
    if not title or source == "squadshifts_reddit":  # no title of its own: its context stands for it
        title = hashlib.sha1(row["context"].encode()).hexdigest()
    return Example(row["id"], source, title, row["question"].strip(), row["context"], tuple(answers))


def passages_with_questions(path: Path, source: str) -> Iterator[Example]:
    """Yield the examples of one file of this project's own: a passage a line, its questions inside."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            passage = json.loads(line)
            for row in passage["questions"]:
                yield _example({**row, "context": passage["context"], "title": passage["id"]}, source)


def is_development(example: Example) -> bool:
    """Whether this example's title belongs to the development split: about one title in twenty, for ever the same."""
    return hashlib.sha1(example.title.encode()).digest()[0] < 13


def content_words(text: str) -> frozenset[str]:
    """Lower-cased words that are not stop words."""
    return frozenset(re.findall(r"\w+", text.lower())) - STOP_WORDS


def hard_negatives(examples: Iterable[Example], *, share: float, rng: random.Random) -> Iterator[Example]:
    """Yield questions paired with the most similar other context of the same title that lacks every answer.

    Similar: most content words in common with the question. A title with hardly any other context borrows from up to
    DRAWN contexts of the whole set.
    """
    by_source: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    examples = [e for e in examples if e.answers]
    for e in examples:
        by_source[e.source][e.title].add(e.context)
    everything = {source: sorted(set().union(*titles.values())) for source, titles in by_source.items()}
    siblings = {s: {title: sorted(contexts) for title, contexts in titles.items()} for s, titles in by_source.items()}
    words = {context: content_words(context) for contexts in everything.values() for context in contexts}
    for e in examples:
        if rng.random() >= share:
            continue
        pool = siblings[e.source][e.title]
        if len(pool) <= 3:
            pool = rng.sample(everything[e.source], min(DRAWN, len(everything[e.source])))
        wanted, golds = content_words(e.question), [text.lower() for text in e.answer_texts]
        strangers = (c for c in pool if c != e.context and not any(gold in c.lower() for gold in golds))
        nearest = max(strangers, key=lambda c: len(wanted & words[c]), default=None)
        if nearest is not None:
            yield replace(e, example_id=f"{e.example_id}-negative", context=nearest, answers=())


NAMES_AND_FIGURES = re.compile(r"(?<=[a-z,] )(?:[A-Z]\w+(?: [A-Z]\w+)*|\d[\d,.]*\d|\d)(?!\w)")


def swapped(examples: Iterable[Example], *, share: float, rng: random.Random) -> Iterator[Example]:
    """Yield questions with one name or figure put in place of another, which the context does not hold: unanswerable.

    The new one comes from another question of the same title, or else of the same set, and is a figure of as many
    digits or a name of as many words.
    """

    def shape(name: str) -> tuple[bool, int]:
        return name[0].isdigit(), len(name) if name[0].isdigit() else len(name.split())

    examples = [e for e in examples if e.answers]
    by_shape: dict[tuple[str, tuple[bool, int]], set[str]] = defaultdict(set)
    for e in examples:
        for name in NAMES_AND_FIGURES.findall(e.question):
            for pool in (e.title, e.source):
                by_shape[pool, shape(name)].add(name)
    pools = {key: sorted(names) for key, names in by_shape.items()}
    for e in examples:
        if rng.random() >= share:
            continue
        here = [match for match in NAMES_AND_FIGURES.finditer(e.question) if match.group() in e.context]
        if not here:
            continue
        match = rng.choice(here)
        for pool in (e.title, e.source):
            names = pools[pool, shape(match.group())]
            drawn = rng.sample(names, min(20, len(names)))
            stranger = next((n for n in drawn if not any(word in e.context for word in n.split())), None)
            if stranger is not None:
                question = e.question[: match.start()] + stranger + e.question[match.end() :]
                yield replace(e, example_id=f"{e.example_id}-swapped", question=question, answers=())
                break


def misspell(text: str, rng: random.Random) -> str:
    """Swap, drop or double one letter in one or two of the longer words.

    >>> misspell("extradition", random.Random(0)) != "extradition"
    True
    """
    words = text.split(" ")
    long_ones = [i for i, word in enumerate(words) if len(word) > 3]
    for i in rng.sample(long_ones, min(len(long_ones), rng.choice((1, 1, 2)))):
        word, at = words[i], rng.randrange(1, len(words[i]) - 1)
        kind = rng.randrange(3)
        if kind == 0:
            words[i] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        elif kind == 1:
            words[i] = word[:at] + word[at + 1 :]
        else:
            words[i] = word[:at] + word[at] + word[at:]
    return " ".join(words)


def augment(question: str, settings: dict[str, float], rng: random.Random) -> str:
    """Type the question as people do: without its mark, as keywords, or misspelt."""
    if rng.random() < settings["drop_question_mark"]:
        question = question.rstrip("? ")
    if rng.random() < settings["keywords"]:
        kept = [word for word in question.rstrip("?").split() if word.lower() not in STOP_WORDS]
        question = " ".join(kept) if len(kept) > 1 else question
    if rng.random() < settings["typo"]:
        question = misspell(question, rng)
    return question


def training_examples(data: Path, mix: dict[str, Any], augmentation: dict[str, float]) -> list[Example]:
    """Read, mix, add unanswerable twins and augment: the examples of one pass, in a fixed order.

    Raises ValueError if the mix names a set that is for measuring only.
    """
    rng = random.Random(mix["seed"])
    if forbidden := MEASURING_ONLY & {name for name, times in mix["sets"].items() if times}:
        raise ValueError(
            f"for measuring only, never trained on: {', '.join(sorted(forbidden))}; take it out of the mix"
        )
    chosen: list[Example] = []
    for name, times in mix["sets"].items():
        if not times:
            continue
        examples = [e for e in read_set(data, name) if not is_development(e)]
        whole, part = divmod(times, 1)
        sampled = examples * int(whole) + rng.sample(examples, int(part * len(examples)))
        chosen += sampled + list(hard_negatives(sampled, share=mix["hard_negatives"], rng=rng))
        if mix["swapped"]:
            chosen += swapped(sampled, share=mix["swapped"], rng=rng)
    chosen = [replace(e, question=augment(e.question, augmentation, rng)) for e in chosen]
    rng.shuffle(chosen)
    return chosen


def development_examples(data: Path) -> list[Example]:
    """The SQuAD examples, answerable and not, of the development titles."""
    sets = ("squad1_train", "squad2_unans_train")
    return [e for name in sets for e in read_set(data, name) if is_development(e)]


def features(examples: list[Example], tokenizer: Any, *, max_length: int, stride: int) -> dict[str, np.ndarray]:
    """Tokenise examples into windows with token targets.

    Returns flat arrays: `ids` (n_tokens,) uint16, `length`, `context_at` (where the passage's tokens begin),
    `first`, `last` (target tokens, 0 and 0 for "not here"), each (n_windows,).
    A window without the answer of an answerable example is kept once in ten times, as one more negative; of an
    unanswerable example, the first window is kept, and every other one once in four times.
    """
    ids: list[np.ndarray] = []
    rows: list[tuple[int, int, int, int]] = []
    backend = tokenizer.backend_tokenizer
    backend.enable_truncation(max_length=max_length, stride=stride, strategy="only_second")
    backend.no_padding()
    keep = random.Random(0)
    for at in tqdm(range(0, len(examples), 1000), desc="tokenising", unit="k examples", mininterval=10):
        batch = examples[at : at + 1000]
        encodings = backend.encode_batch([(e.question[:400], e.context) for e in batch])
        for example, encoding in zip(batch, encodings, strict=True):
            for window in (encoding, *encoding.overflowing):
                target = _target(example, window)
                if target is None and example.answers and keep.random() > 0.1:
                    continue
                if not example.answers and window is not encoding and keep.random() > 0.25:
                    continue
                first, last = target or (0, 0)
                ids.append(np.array(window.ids, dtype=np.uint16))
                rows.append((len(window.ids), window.type_ids.index(1), first, last))
    columns = np.array(rows, dtype=np.int32).T
    return {"ids": np.concatenate(ids), **dict(zip(("length", "context_at", "first", "last"), columns, strict=True))}


def _target(example: Example, window: Any) -> tuple[int, int] | None:
    for start, end in example.answers[:1]:
        while start < end and example.context[start].isspace():
            start += 1
        while start < end and example.context[end - 1].isspace():
            end -= 1
        first, last = window.char_to_token(start, 1), window.char_to_token(end - 1, 1)
        if first is not None and last is not None:
            return first, last
    return None
