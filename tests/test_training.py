"""qa/training: which examples are trained on, how they become targets, and that a stopped run goes on where it was."""

import difflib
import json
import lzma
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import thorough

from qa.training.prepare import (
    MEASURING_ONLY,
    Example,
    augment,
    development_examples,
    features,
    hard_negatives,
    is_development,
    misspell,
    read_set,
    training_examples,
)

CONTEXTS = (
    "The harbour of Marlow opened in 1931. It has 12 cranes.",
    "The harbour of Norrby opened in 1888 and has 7 cranes.",
    "Ilse Brandt runs the harbour.",
    "The ferry carries 300 passengers to Norrby.",
    "Nobody counted the boats.",
)
ALWAYS = {"drop_question_mark": 1.0, "keywords": 0.0, "typo": 0.0}
NEVER = dict.fromkeys(ALWAYS, 0.0)


def example(context: str, question: str = "When?", *answers: str, title: str = "T", source: str = "s") -> Example:
    spans = tuple((context.index(text), context.index(text) + len(text)) for text in answers)
    return Example(f"{source}-{question}", source, title, question, context, spans)


def row(number: int, title: str, context: str, question: str, *answers: str) -> dict[str, Any]:
    found = [{"text": text, "start": context.index(text)} for text in answers]
    return {"id": f"q{number}", "title": title, "context": context, "question": question, "answers": found}


def write_set(data: Path, name: str, rows: Sequence[dict[str, Any]]) -> None:
    with lzma.open(data / f"{name}.jsonl.xz", "wt", preset=0, encoding="utf-8") as file:
        file.writelines(json.dumps(one) + "\n" for one in rows)


def titles(development: bool) -> list[str]:
    """A few titles of one side of the split."""
    names = (f"title {number}" for number in range(400))
    return [name for name in names if is_development(example("x", title=name)) is development][:6]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder with one set; the last of its titles is for development."""
    named = [*titles(False)[:2], titles(True)[0]]
    rows = [
        row(3 * i + j, title, CONTEXTS[j], question, answer)
        for i, title in enumerate(named)
        for j, (question, answer) in enumerate(
            (
                ("When did the harbour open?", "1931"),
                ("How many cranes has Norrby?", "7"),
                ("Who runs it?", "Ilse Brandt"),
            )
        )
    ]
    write_set(tmp_path, "squad1_train", rows)
    write_set(tmp_path, "squad2_unans_train", [row(99, named[2], CONTEXTS[4], "How many boats?")])
    return tmp_path


def config(**mix: float) -> dict[str, Any]:
    return {"train": {"seed": 1}, "mix": {"hard_negatives": 0.0, **mix}, "augment": NEVER}


# which examples


def test_is_development_goes_by_title_alone() -> None:
    for title in titles(True) + titles(False):
        one, other = example("x", "Who?", title=title), example("y", "When?", title=title, source="other")
        assert is_development(one) is is_development(other)


def test_is_development_is_for_ever_the_same() -> None:
    shares = [is_development(example("x", title=f"title {number}")) for number in range(2000)]
    assert 0.03 < np.mean(shares) < 0.08
    assert [number for number in range(60) if shares[number]] == [15, 26, 32, 42, 46]


def test_development_examples_are_those_left_out_of_training(data: Path) -> None:
    held_out = development_examples(data)
    trained = training_examples(data, config(squad1_train=1.0, squad2_unans_train=1.0))
    assert [len(held_out), len(trained)] == [4, 6]
    assert not {e.title for e in held_out} & {e.title for e in trained}
    assert [e.answers for e in held_out].count(()) == 1


def test_training_examples_repeats_and_samples_as_the_mix_says(data: Path) -> None:
    chosen = training_examples(data, config(squad1_train=2.5))
    counts = [sum(e.example_id == name for e in chosen) for name in {e.example_id for e in chosen}]
    assert (len(chosen), sorted(counts)) == (15, [2, 2, 2, 3, 3, 3])


def test_training_examples_are_in_a_fixed_order(data: Path) -> None:
    settings = config(squad1_train=1.5, hard_negatives=0.5)
    assert training_examples(data, settings) == training_examples(data, settings)


@pytest.mark.parametrize("name", sorted(MEASURING_ONLY))
def test_training_examples_refuses_a_set_for_measuring_only(data: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"never trained on: {name}; take it out of"):
        training_examples(data, config(squad1_train=1.0, **{name: 0.1}))


def test_training_examples_may_name_such_a_set_with_a_share_of_0(data: Path) -> None:
    assert training_examples(data, config(squad1_train=1.0, clapnq_dev=0.0))


def test_the_shipped_recipe_trains_on_no_measuring_set() -> None:
    import tomllib

    import qa.training

    recipe = tomllib.loads((Path(qa.training.__file__).parent / "config.toml").read_text())
    assert not MEASURING_ONLY & set(recipe["mix"])


def test_read_set_takes_the_middle_of_several_answers_first(tmp_path: Path) -> None:
    context = "In the year 1931, on a Monday."
    write_set(
        tmp_path, "some", [row(1, "T", context, "When?", "1931", "In the year 1931, on a Monday", "the year 1931")]
    )
    (one,) = read_set(tmp_path, "some")
    assert one.answer_texts == ["the year 1931", "1931", "In the year 1931, on a Monday"]


def test_read_set_of_a_missing_set_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.jsonl\.xz"):
        list(read_set(tmp_path, "none"))


# hard negatives


def test_hard_negatives_are_the_nearest_context_without_the_answer() -> None:
    asked = example(CONTEXTS[0], "When did the harbour of Marlow open?", "1931")
    others = [example(CONTEXTS[1], "?", "7"), example(CONTEXTS[2], "?", "Ilse"), example(CONTEXTS[3], "?", "300")]
    first = next(hard_negatives([asked, *others], share=1.0, rng=random.Random(0)))
    assert (first.context, first.answers, first.question) == (CONTEXTS[1], (), asked.question)


@given(seed=st.integers(0, 999), share=st.sampled_from([0.0, 0.3, 1.0]))
@settings(thorough, max_examples=100)
def test_hard_negatives_never_hold_the_answer(seed: int, share: float) -> None:
    asked = [example(CONTEXTS[0], "When?", "1931"), example(CONTEXTS[3], "Where to?", "Norrby")]
    asked += [example(CONTEXTS[2], "Who?", "Ilse Brandt"), example(CONTEXTS[1], "How many?", "7")]
    answers = {e.question: e.answer_texts for e in asked}
    for negative in hard_negatives(asked, share=share, rng=random.Random(seed)):
        assert share
        assert negative.answers == ()
        assert not any(text.lower() in negative.context.lower() for text in answers[negative.question])


def test_hard_negatives_of_unanswerable_questions_are_none() -> None:
    assert list(hard_negatives([example(c) for c in CONTEXTS], share=1.0, rng=random.Random(0))) == []


# questions as people type them


@given(seed=st.integers(0, 9999))
@settings(thorough, max_examples=100)
def test_misspell_changes_one_or_two_of_the_longer_words_a_little(seed: int) -> None:
    question = "How many corrupt fugitives are still at large abroad?"
    before, after = question.split(" "), misspell(question, random.Random(seed)).split(" ")
    assert len(after) == len(before)
    changed = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
    assert len(changed) <= 2
    for one, other in changed:
        assert len(one) > 3
        assert abs(len(one) - len(other)) <= 1
        assert one[0] == other[0]
        assert difflib.SequenceMatcher(None, one, other).ratio() > 0.7


def test_misspell_leaves_short_words_alone() -> None:
    assert misspell("who is it", random.Random(0)) == "who is it"
    assert misspell("", random.Random(0)) == ""


def test_augment_drops_the_mark_or_the_small_words() -> None:
    assert augment("Who runs it ?", ALWAYS, random.Random(0)) == "Who runs it"
    assert augment("Who runs the harbour?", NEVER | {"keywords": 1.0}, random.Random(0)) == "runs harbour"
    assert augment("Who is it?", NEVER | {"keywords": 1.0}, random.Random(0)) == "Who is it?"
    assert augment("Who is it?", NEVER, random.Random(0)) == "Who is it?"


# targets


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    """The tokenizer of the encoder that the reader starts from."""
    from transformers import AutoTokenizer

    from embeddings.encoder import DEFAULT_MODEL, model_folder

    return AutoTokenizer.from_pretrained(model_folder(DEFAULT_MODEL))


def windows(made: dict[str, np.ndarray]) -> list[tuple[list[int], int, int, int]]:
    ends = np.cumsum(made["length"])
    rows = zip(ends - made["length"], ends, made["context_at"], made["first"], made["last"], strict=True)
    return [(made["ids"][a:b].tolist(), int(at), int(first), int(last)) for a, b, at, first, last in rows]


@pytest.mark.model
def test_features_targets_decode_back_to_the_answers(data: Path, tokenizer: Any) -> None:
    examples = [*training_examples(data, config(squad1_train=1.0)), example(CONTEXTS[4], "How many boats?")]
    examples.append(example("It began  1931  .", "When?", "  1931  "))  # blanks around an answer are no tokens
    made = windows(features(examples, tokenizer, max_length=64, stride=16))
    assert len(made) == len(examples)
    for one, (ids, context_at, first, last) in zip(examples, made, strict=True):
        assert tokenizer.decode(ids[context_at:-1]) == tokenizer.decode(tokenizer(one.context)["input_ids"][1:-1])
        if one.answers:
            assert context_at <= first <= last < len(ids) - 1
            assert tokenizer.decode(ids[first : last + 1]) == one.answer_texts[0].strip().lower()
        else:
            assert (first, last) == (0, 0)


@pytest.mark.model
def test_features_of_a_long_context_find_the_answer_in_the_window_that_holds_it(tokenizer: Any) -> None:
    long = "The boats lie in the harbour. " * 30 + "Ilse Brandt runs it. " + "The ferry sails on. " * 30
    made = windows(features([example(long, "Who runs it?", "Ilse Brandt")], tokenizer, max_length=48, stride=16))
    held = [tokenizer.decode(ids[first : last + 1]) for ids, _, first, last in made if last]
    assert held
    assert set(held) == {"ilse brandt"}
    assert max(len(ids) for ids, *_ in made) <= 48


def made_features(lengths: Sequence[int]) -> dict[str, np.ndarray]:
    """Windows of these lengths: question tokens 5, context tokens 7 from the third on, the answer is the third."""
    ids = [[5, 5, *[7] * (length - 2)] for length in lengths]
    n = len(lengths)
    numbers = {"length": lengths, "context_at": [2] * n, "first": [2] * n, "last": [2] * n}
    arrays = {name: np.array(values, dtype=np.int32) for name, values in numbers.items()}
    return {"ids": np.array(sum(ids, []), dtype=np.uint16), **arrays}  # noqa: RUF017 a few short lists


@pytest.mark.model
def test_batches_hold_every_window_once_and_not_too_many_tokens() -> None:
    from qa.training.train import batches

    made = made_features([*range(3, 100, 2), 300])
    grouped = batches(made, tokens_per_batch=128, seed=0)
    assert sorted(row for rows in grouped for row in rows) == list(range(len(made["length"])))
    for rows in grouped:
        padded = {-(-int(length) // 32) * 32 for length in made["length"][rows]}
        assert len(padded) == 1
        assert len(rows) == 1 or len(rows) * padded.pop() <= 128
    assert [rows.tolist() for rows in batches(made, tokens_per_batch=128, seed=0)] == [r.tolist() for r in grouped]
    assert [rows.tolist() for rows in batches(made, tokens_per_batch=128, seed=1)] != [r.tolist() for r in grouped]


@pytest.mark.model
def test_collate_pads_to_a_multiple_of_32_and_marks_the_context() -> None:
    from qa.training.train import collate

    made = made_features([3, 33, 5])
    begins = np.array([0, 3, 36])
    batch = {name: tensor.numpy() for name, tensor in collate(made, begins, np.array([1, 2])).items()}
    assert batch["input_ids"].shape == batch["attention_mask"].shape == batch["token_type_ids"].shape == (2, 64)
    assert batch["attention_mask"].sum(axis=1).tolist() == [33, 5]
    assert batch["token_type_ids"].sum(axis=1).tolist() == [31, 3]
    assert batch["input_ids"][1, :6].tolist() == [5, 5, 7, 7, 7, 0]
    assert (batch["first"].tolist(), batch["last"].tolist()) == ([2, 2], [2, 2])


@pytest.mark.model
def test_rate_rises_and_falls_in_straight_lines() -> None:
    from qa.training.train import rate_at

    rates = [rate_at(progress, warmup=0.2) for progress in (0.0, 0.1, 0.2, 0.6, 1.0, 1.5)]
    assert rates == pytest.approx([0, 1 / 2, 1, 1 / 2, 0, 0])


# a run

SETTINGS = {
    "train": {
        "seed": 3,
        "passes": 2.0,
        "tokens_per_batch": 64,
        "learning_rate": 0.01,
        "warmup": 0.25,
        "weight_decay": 0.0,
        "clip": 1.0,
    }
}


@pytest.fixture
def start_from(tmp_path: Path) -> str:
    """A random checkpoint of a few hundred numbers."""
    import torch
    from transformers import BertConfig, BertForQuestionAnswering

    torch.manual_seed(0)
    small = BertConfig(
        vocab_size=11,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=64,
    )
    BertForQuestionAnswering(small).save_pretrained(tmp_path / "start")
    return str(tmp_path / "start")


def weights_of(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


@pytest.mark.model
def test_train_stopped_and_resumed_ends_where_an_unbroken_run_does(
    tmp_path: Path, start_from: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qa.training import train

    made = made_features([20, 20, 20, 20])  # two windows a batch, two batches a pass: four steps
    for name in ("unbroken", "stopped"):
        (tmp_path / name).mkdir()
    train.train(made, tmp_path / "unbroken", start_from=start_from, config=SETTINGS, minutes=None)

    step, taken = train._step, [0]

    def stops_at_the_third(*arguments: Any, **options: Any) -> float:
        taken[0] += 1
        if taken[0] == 3:
            raise KeyboardInterrupt
        return step(*arguments, **options)

    clock = iter(range(0, 10**6, 301))  # every look at the clock is five minutes later: every step is saved
    monkeypatch.setattr(train.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(train, "_step", stops_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        train.train(made, tmp_path / "stopped", start_from=start_from, config=SETTINGS, minutes=None)
    assert json.loads((tmp_path / "stopped" / "progress.json").read_text())["batches"] == 2
    train.train(made, tmp_path / "stopped", start_from=start_from, config=SETTINGS, minutes=None)
    assert taken[0] == 5  # two, the one that was cut off, and the two that were left

    unbroken, resumed = (
        weights_of(tmp_path / "unbroken" / "checkpoint"),
        weights_of(tmp_path / "stopped" / "checkpoint"),
    )
    assert unbroken.keys() == resumed.keys()
    for name, tensor in unbroken.items():
        np.testing.assert_array_equal(tensor.numpy(), resumed[name].numpy(), err_msg=name)
    before = weights_of(Path(start_from))
    moved = {name for name, tensor in unbroken.items() if np.abs(tensor.numpy() - before[name].numpy()).max() > 1e-3}
    assert "qa_outputs.weight" in moved
    assert "bert.embeddings.word_embeddings.weight" not in moved


@pytest.mark.model
def test_train_ends_when_its_minutes_are_used_up(
    tmp_path: Path, start_from: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qa.training import train

    steps: list[float] = []

    def counted(model: Any, batch: Any, masters: Any, optimizer: Any, *, clip: float) -> float:
        steps.append(optimizer.param_groups[0]["lr"])
        return 0.0

    clock = iter(range(0, 10**6, 30))
    monkeypatch.setattr(train.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(train, "_step", counted)
    train.train(made_features([20] * 40), tmp_path, start_from=start_from, config=SETTINGS, minutes=5)
    assert 0 < len(steps) < 40  # of forty batches
    assert steps[-1] < max(steps)
