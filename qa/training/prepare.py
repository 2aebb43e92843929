"""Question-answering sets on disk -> numbered training features. In: the data folder; out: `features-MIX.npz`.

Does not train anything. The sets and their licences are listed in the model's card. Development
examples are cut off by title, so no article is on both sides.

Beside the sets there are this project's own passages and questions: `authored` in the data folder, and `conversations`
on its passages; `own`, which is `questions/*.jsonl` beside this file; and OF_AFFAIRS in folders there, six passages to
an affair (`questions/development` is never trained on).
"""

import hashlib
import heapq
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
from tqdm import trange

from qa.followup import Turn, resolve

MEASURING_ONLY = frozenset(
    {"squadshifts_new_wiki", "clapnq_dev", "chroma_quotes", "quotesum_dev", "mtrag_un", "canard_dev", "selqa"}
)
MAX_QUESTION_CHARS = 400  # the rest of a longer question is cut off
OF_AFFAIRS = (
    "stories",
    "affairs",
    "allusions",
    "whereabouts",
    "counterparts",
    "rivals",
    "excerpts",
    "contenders",
    "inquiries",
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
    """Yield the examples of one set: `name.jsonl.xz`, or `authored`, `conversations`, `own` or one of OF_AFFAIRS.

    Raises FileNotFoundError when the set is not there.
    """
    ours = {"authored": data / "authored", "own": OWN} | {name: OWN / name for name in OF_AFFAIRS}
    if name == "conversations":
        yield from conversations(data)
        return
    if name in ours:
        if not (paths := sorted(ours[name].glob("*.jsonl"))):
            raise FileNotFoundError(
                f"{ours[name]} holds no .jsonl file; take {name} out of the mix, or get its passages"
            )
        for path in paths:
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
    if not title:  # its context stands for it
        title = hashlib.sha1(row["context"].encode()).hexdigest()
    return Example(row["id"], source, title, row["question"].strip(), row["context"], tuple(answers))


def passages_with_questions(path: Path, source: str) -> Iterator[Example]:
    """Yield the examples of one file of this project's own: a passage a line, its questions inside.

    Passages of one `story` share it as their title, so they are each other's neighbours, and on one side of the split.
    """
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            passage = json.loads(line)
            shared = {"context": passage["context"], "title": passage.get("story", passage["id"])}
            for row in passage["questions"]:
                yield _example(row | shared, source)


def conversations(data: Path) -> Iterator[Example]:
    """Yield the later turns of conversations on passages of `authored`, each with what `resolve` puts before it."""
    first = {e.title: e for e in read_set(data, "authored")}
    with (data / "authored" / "conversations.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            conversation = json.loads(line)
            passage = first[conversation["passage_id"]]
            history: list[Turn] = []
            for number, turn in enumerate(conversation["turns"]):
                texts = turn["answers"]
                if history:
                    places = tuple((at := passage.context.index(text), at + len(text)) for text in texts)
                    asked, name = resolve(turn["question"], history), f"{conversation['id']}-{number}"
                    yield replace(passage, example_id=name, source="conversations", question=asked, answers=places)
                history.append({"question": turn["question"], "answer": next(iter(texts), "")})


def follow_ups(examples: Iterable[Example], *, share: float, rng: random.Random) -> Iterator[Example]:
    """Yield a share of the examples with another question on the same passage, and its answer, before their own.

    That is the form in which `qa.followup` puts a question that leans on an earlier one; these do not lean on it, so
    that only the last one is to be answered is all they teach. What would be cut off as too long is left out.
    """
    examples = list(examples)
    answered: dict[str, list[Example]] = defaultdict(list)
    for e in examples:
        if e.answers:
            answered[e.context].append(e)
    for e in examples:
        if rng.random() < share and (others := [o for o in answered[e.context] if o.question != e.question]):
            other = rng.choice(others)
            asked = f"{other.question} {other.answer_texts[0].rstrip('.')}. {e.question}"
            if len(asked) <= MAX_QUESTION_CHARS:
                yield replace(e, example_id=f"{e.example_id}-follow-up", question=asked)


def is_development(example: Example) -> bool:
    """Whether this example's title belongs to the development split: about one title in twenty, for ever the same."""
    return hashlib.sha1(example.title.encode()).digest()[0] < 13


def content_words(text: str) -> frozenset[str]:
    """Lower-cased words that are not stop words."""
    return frozenset(re.findall(r"\w+", text.lower())) - STOP_WORDS


class Neighbours:
    """The contexts of some examples, to be asked for those that look like one and lack its answers."""

    def __init__(self, examples: Iterable[Example], rng: random.Random) -> None:
        examples = list(examples)
        by_source: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for e in examples:
            by_source[e.source][e.title].add(e.context)
        self._everything = {source: sorted(set().union(*titles.values())) for source, titles in by_source.items()}
        self._siblings = {
            s: {title: sorted(found) for title, found in titles.items()} for s, titles in by_source.items()
        }
        self._words = {context: content_words(context) for found in self._everything.values() for context in found}
        self._rng = rng

    def nearest(self, example: Example, n: int) -> list[Example]:
        """Return this question on the n other contexts with most content words in common with it, answers left out.

        They are contexts of the same title, or of up to DRAWN of the whole set where a title has hardly any other,
        and hold no answer as text. What the example's own context does not answer, another of its title may, and how it
        would be put is not known: then they are of other titles only. Fewer than n if there are not enough.
        """
        title = self._siblings[example.source][example.title]
        pool, left_out = (title, {example.context}) if example.answers else ([], set(title))
        if len(pool) <= 3:
            everything = self._everything[example.source]
            pool = self._rng.sample(everything, min(DRAWN, len(everything)))
        wanted, golds = content_words(example.question), [text.lower() for text in example.answer_texts]
        strangers = [c for c in pool if c not in left_out and not any(gold in c.lower() for gold in golds)]
        nearest = heapq.nlargest(n, strangers, key=lambda c: len(wanted & self._words[c]))
        negative = replace(example, example_id=f"{example.example_id}-negative", answers=())
        return [replace(negative, context=c) for c in nearest]


def hard_negatives(examples: Iterable[Example], *, share: float, rng: random.Random) -> Iterator[Example]:
    """Yield a share of the answerable questions, each paired with its nearest neighbour: unanswerable there."""
    examples = [e for e in examples if e.answers]
    neighbours = Neighbours(examples, rng)
    for e in examples:
        if rng.random() < share:
            yield from neighbours.nearest(e, 1)


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


def training_examples(data: Path, mix: dict[str, Any], augmentation: dict[str, float]) -> list[tuple[Example, ...]]:
    """Read, mix, add unanswerable twins and augment: the examples of one pass, in a fixed order.

    Each is a group of `mix["passages"]` examples, which put one question to several passages; an answer is only in
    the first.
    Raises ValueError if the mix names a set that is for measuring only.
    """
    if forbidden := MEASURING_ONLY & mix["sets"].keys():
        raise ValueError(
            f"for measuring only, never trained on: {', '.join(sorted(forbidden))}; take it out of the mix"
        )
    rng = random.Random(mix["seed"])
    groups: list[tuple[Example, ...]] = []
    for name, times in mix["sets"].items():
        examples = [e for e in read_set(data, name) if not is_development(e)]
        whole, part = divmod(times, 1)
        chosen = examples * int(whole) + rng.sample(examples, int(part * len(examples)))
        neighbours = Neighbours(examples, rng)
        chosen += hard_negatives(chosen, share=mix["hard_negatives"], rng=rng)
        if mix["swapped"]:
            chosen += swapped(chosen, share=mix["swapped"], rng=rng)
        if mix.get("follow_ups") and name != "conversations":
            chosen += follow_ups(chosen, share=mix["follow_ups"], rng=rng)
        for e in chosen:
            asked = replace(e, question=augment(e.question, augmentation, rng))
            others = mix["passages"] - 1
            near = neighbours.nearest(asked, 2 * others) if others else []
            if len(near) >= others:
                groups.append((asked, *rng.sample(near, others)))
    rng.shuffle(groups)
    return groups


def development_examples(data: Path) -> list[Example]:
    """The SQuAD examples, answerable and not, of the development titles."""
    sets = ("squad1_train", "squad2_unans_train")
    return [e for name in sets for e in read_set(data, name) if is_development(e)]


def features(
    groups: list[tuple[Example, ...]], tokenizer: Any, *, max_length: int, stride: int
) -> dict[str, np.ndarray]:
    """Tokenise groups of examples into windows with token targets.

    Returns flat arrays: `ids` (n_tokens,) uint16, `length`, `context_at` (where the passage's tokens begin),
    `first`, `last` (target tokens, 0 and 0 for "not here"), each (n_windows,).
    A window has at most max_length word pieces.
    Of a group of several passages each gives one window, side by side: the first the one that holds the answer, the
    others one at random. A lone example gives all its windows, but one without the answer of an answerable
    question only once in ten times, and of an unanswerable one, after the first window, once in four.
    """
    ids: list[np.ndarray] = []
    rows: list[tuple[int, int, int, int]] = []
    backend = tokenizer.backend_tokenizer
    backend.no_padding()
    keep = random.Random(0)
    backend.enable_truncation(max_length=max_length, stride=stride, strategy="only_second")
    for at in trange(0, len(groups), 1000, desc="tokenising", unit="k groups", mininterval=10):
        batch = groups[at : at + 1000]
        asked = [(e.question[:MAX_QUESTION_CHARS], e.context) for group in batch for e in group]
        encodings = iter(backend.encode_batch(asked))
        for group in batch:
            found = [_windows(example, next(encodings)) for example in group]
            if len(group) > 1:
                lone = next(((window, target) for window, target in found[0] if target or not group[0].answers), None)
                kept = [lone, *(keep.choice(windows) for windows in found[1:])] if lone else []
            else:
                kept = []
                for number, (window, target) in enumerate(found[0]):
                    if target is None and group[0].answers and keep.random() > 0.1:
                        continue
                    if not group[0].answers and number and keep.random() > 0.25:
                        continue
                    kept.append((window, target))
            for window, target in kept:
                ids.append(np.array(window.ids, dtype=np.uint16))
                rows.append((len(window.ids), window.sequence_ids.index(1), *(target or (0, 0))))
    columns = np.array(rows, dtype=np.int32).T
    return {"ids": np.concatenate(ids), **dict(zip(("length", "context_at", "first", "last"), columns, strict=True))}


def _windows(example: Example, encoding: Any) -> list[tuple[Any, tuple[int, int] | None]]:
    """Every window of an example with its target, None where the answer is not in it."""
    return [(window, _target(example, window)) for window in (encoding, *encoding.overflowing)]


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
