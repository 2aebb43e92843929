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

from qa.datatypes import Passage, ScoredSpan, Span
from qa.reader import DEFAULT_READER
from qa.training.evaluate import measure
from qa.training.prepare import (
    MEASURING_ONLY,
    OF_AFFAIRS,
    Example,
    Neighbours,
    augment,
    development_examples,
    features,
    follow_ups,
    hard_negatives,
    is_development,
    misspell,
    passages_with_questions,
    read_set,
    swapped,
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


def mixed(data: Path, **mix: float) -> list[Example]:
    """The training examples of a mix that puts a question to one passage; questions as they were asked."""
    return [alone for (alone,) in grouped(data, passages=1, **mix)]


def grouped(data: Path, *, passages: int, **mix: float) -> list[tuple[Example, ...]]:
    shares = {name: mix.pop(name, 0.0) for name in ("hard_negatives", "swapped")}
    return training_examples(data, {"seed": 1, "passages": passages, "sets": mix, **shares}, NEVER)


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
    trained = mixed(data, squad1_train=1.0, squad2_unans_train=1.0)
    assert [len(held_out), len(trained)] == [4, 6]
    assert not {e.title for e in held_out} & {e.title for e in trained}
    assert [e.answers for e in held_out].count(()) == 1


def test_training_examples_repeats_and_samples_as_the_mix_says(data: Path) -> None:
    chosen = mixed(data, squad1_train=2.5)
    counts = [sum(e.example_id == name for e in chosen) for name in {e.example_id for e in chosen}]
    assert (len(chosen), sorted(counts)) == (15, [2, 2, 2, 3, 3, 3])


def test_training_examples_are_in_a_fixed_order(data: Path) -> None:
    first, again = (mixed(data, squad1_train=1.5, hard_negatives=0.5, swapped=0.5) for _ in range(2))
    assert first == again


def test_training_examples_put_a_question_to_several_passages_of_which_the_first_may_answer(data: Path) -> None:
    groups = grouped(data, passages=3, squad1_train=1.0)
    assert sorted(group[0].example_id for group in groups) == [f"q{number}" for number in range(6)]
    for first, *others in groups:
        assert len(others) == 2
        assert first.answers
        for other in others:
            assert (other.question, other.title, other.answers) == (first.question, first.title, ())
            assert first.answer_texts[0] not in other.context
        assert len({first.context, *(other.context for other in others)}) == 3


def test_training_examples_leave_out_a_question_with_too_few_passages(data: Path) -> None:
    assert grouped(data, passages=4, squad1_train=1.0) == []  # three contexts are all there are


@pytest.mark.parametrize("name", sorted(MEASURING_ONLY))
def test_training_examples_refuses_a_set_for_measuring_only(data: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"never trained on: {name}; take it out of the mix"):
        mixed(data, squad1_train=1.0, **{name: 0.1})


def test_the_shipped_recipe_trains_on_no_measuring_set() -> None:
    import tomllib

    import qa.training

    recipe = tomllib.loads((Path(qa.training.__file__).parent / "config.toml").read_text())
    assert recipe["mixes"]
    assert not any(MEASURING_ONLY & set(mix["sets"]) for mix in recipe["mixes"].values())
    assert {stage["mix"] for stage in recipe["stages"]} == set(recipe["mixes"])


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
    asked = example(CONTEXTS[0], "When did the harbour of Marlow get its cranes?", "1931")
    others = [example(CONTEXTS[1], "?", "7"), example(CONTEXTS[2], "?", "Ilse"), example(CONTEXTS[3], "?", "300")]
    first = next(hard_negatives([asked, *others], share=1.0, rng=random.Random(0)))
    assert (first.context, first.answers, first.question) == (CONTEXTS[1], (), asked.question)


def test_nearest_of_an_unanswerable_question_are_of_other_titles_for_its_own_may_answer_it_elsewhere() -> None:
    asked = example(CONTEXTS[0], "Who runs the harbour?", title="harbour")
    told = [
        example(c, "?", title=title)
        for c, title in zip(CONTEXTS[1:], ("ferry", "harbour", "ferry", "boats"), strict=True)
    ]
    found = Neighbours([asked, *told], random.Random(0)).nearest(asked, 9)
    assert {e.context for e in found} == {CONTEXTS[1], CONTEXTS[3], CONTEXTS[4]}


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


def test_follow_ups_put_another_question_of_the_passage_and_its_answer_before() -> None:
    asked = [example(CONTEXTS[0], "When did it open?", "1931"), example(CONTEXTS[0], "Is it deep?")]
    stranger = example(CONTEXTS[1], "How many?", "7")
    made = list(follow_ups([*asked, stranger], share=1.0, rng=random.Random(0)))
    assert [e.question for e in made] == ["When did it open? 1931. Is it deep?"]  # the others have nothing before them
    assert (made[0].context, made[0].answers) == (CONTEXTS[0], ())
    grown = list(asked)
    grown += follow_ups(grown, share=1.0, rng=random.Random(0))  # no follow-ups of follow-ups
    assert len(grown) == 3


def test_conversations_ask_as_the_assistant_does(tmp_path: Path) -> None:
    folder = tmp_path / "authored"
    folder.mkdir()
    passage = {"id": "p-1", "context": CONTEXTS[0], "questions": [{"id": "q", "question": "?", "answers": []}]}
    (folder / "passages.jsonl").write_text(json.dumps(passage) + "\n", encoding="utf-8")
    turns = [
        {"question": "When did the harbour open?", "answers": ["1931"]},
        {"question": "And who paid for it?", "answers": []},
        {"question": "when was that", "answers": ["1931"]},
    ]
    conversation = {"id": "c-1", "passage_id": "p-1", "turns": turns}
    (folder / "conversations.jsonl").write_text(json.dumps(conversation) + "\n", encoding="utf-8")
    second, third = read_set(tmp_path, "conversations")
    assert (second.question, second.answers) == ("When did the harbour open? 1931. And who paid for it?", ())
    assert third.question == "When did the harbour open? And who paid for it? when was that"
    assert (third.answer_texts, third.context, third.title) == (["1931"], CONTEXTS[0], "p-1")


def test_swapped_puts_a_name_or_figure_where_the_context_has_another() -> None:
    asked = example(CONTEXTS[0], "Did the harbour of Marlow open in 1931?", "1931")
    other = example(CONTEXTS[3], "Does the ferry to Norrby carry 300 of 1888?", "300")
    made = [next(swapped([asked, other], share=1.0, rng=random.Random(seed))) for seed in range(8)]
    assert {e.question for e in made} == {
        "Did the harbour of Norrby open in 1931?",
        "Did the harbour of Marlow open in 1888?",
    }
    assert {(e.answers, e.context) for e in made} == {((), CONTEXTS[0])}


def test_swapped_leaves_alone_what_it_cannot_make_wrong() -> None:
    asked = [example(c, "When did it open?") for c in CONTEXTS] + [example(CONTEXTS[0], "Who opened Oslo?", "1931")]
    assert list(swapped(asked, share=1.0, rng=random.Random(0))) == []


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
    """The tokenizer of the reader, and of the base that it starts from."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(DEFAULT_READER)


def windows(made: dict[str, np.ndarray]) -> list[tuple[list[int], int, int, int]]:
    ends = np.cumsum(made["length"])
    rows = zip(ends - made["length"], ends, made["context_at"], made["first"], made["last"], strict=True)
    return [(made["ids"][a:b].tolist(), int(at), int(first), int(last)) for a, b, at, first, last in rows]


@pytest.mark.model
def test_features_targets_decode_back_to_the_answers(data: Path, tokenizer: Any) -> None:
    examples = [*mixed(data, squad1_train=1.0), example(CONTEXTS[4], "How many boats?")]
    examples.append(example("It began  1931  .", "When?", "  1931  "))  # blanks around an answer are no tokens
    made = windows(features([(one,) for one in examples], tokenizer, max_length=64, stride=16))
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
    asked = example(long, "Who runs it?", "Ilse Brandt")
    made = windows(features([(asked,)], tokenizer, max_length=48, stride=16))
    held = [tokenizer.decode(ids[first : last + 1]) for ids, _, first, last in made if last]
    assert held
    assert set(held) == {"ilse brandt"}
    assert max(len(ids) for ids, *_ in made) <= 48


@pytest.mark.model
def test_features_of_a_group_are_one_window_a_passage_and_the_first_holds_the_answer(tokenizer: Any) -> None:
    long = "The boats lie in the harbour. " * 30 + "Ilse Brandt runs it. " + "The ferry sails on. " * 30
    asked = example(long, "Who runs it?", "Ilse Brandt")
    other = example(CONTEXTS[3], "Who runs it?")
    groups = [(asked, other), (other, example(long, "Who runs it?"))]
    made = windows(features(groups, tokenizer, max_length=48, stride=16))
    assert [tokenizer.decode(ids[first : last + 1]) for ids, _, first, last in made if last] == ["ilse brandt"]
    assert [bool(last) for *_, last in made] == [True, False, False, False]


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
    dealt = batches(made, passages=1, tokens_per_batch=128, seed=0)
    assert sorted(row for rows in dealt for row in rows) == list(range(len(made["length"])))
    for rows in dealt:
        padded = {-(-int(length) // 32) * 32 for length in made["length"][rows]}
        assert len(padded) == 1
        assert len(rows) == 1 or len(rows) * padded.pop() <= 128
    again, otherwise = (
        [rows.tolist() for rows in batches(made, passages=1, tokens_per_batch=128, seed=seed)] for seed in (0, 1)
    )
    assert again == [rows.tolist() for rows in dealt]
    assert otherwise != again


@pytest.mark.model
def test_batches_keep_the_passages_of_a_question_side_by_side() -> None:
    from qa.training.train import batches

    made = made_features([20, 40, 20, 20, 20, 20, 60, 20, 20])
    dealt = [rows.tolist() for rows in batches(made, passages=3, tokens_per_batch=384, seed=0)]
    assert sorted(sorted(rows) for rows in dealt) == [[0, 1, 2, 6, 7, 8], [3, 4, 5]]  # as long as their longest
    assert all(rows[at] + 2 == rows[at + 2] for rows in dealt for at in range(0, len(rows), 3))


@pytest.mark.model
def test_loss_of_one_passage_is_the_cross_entropy_of_its_tokens() -> None:
    import torch

    from qa.training.train import loss_of

    logits, target = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, 0.0]]), torch.tensor([2, 0])
    expected = -np.mean([2 - np.log(1 + np.e + np.e**2), 3 - np.log(2 + np.e**3)])
    assert float(loss_of(logits, target, 1)) == pytest.approx(expected)


@pytest.mark.model
def test_loss_of_a_group_lets_passages_compete_under_one_not_here() -> None:
    import torch

    from qa.training.train import loss_of

    logits = torch.tensor([[5.0, 6.0, 8.0], [-1.0, 1.0, -1.0]])  # over "not here": 1, 3 and 2, 0
    target = torch.tensor([2, 0])
    alone = -np.mean([8 - np.log(np.exp(logits[0].numpy()).sum()), -1 - np.log(np.exp(logits[1].numpy()).sum())])
    among_all = -(3 - np.log(np.exp([0, 1, 3, 2, 0]).sum()))
    assert float(loss_of(logits, target, 2)) == pytest.approx((alone + among_all) / 2, rel=1e-5)
    shifted = logits + torch.tensor([[0.0], [7.0]])  # what is added to a whole passage changes nothing
    assert float(loss_of(shifted, target, 2)) == pytest.approx((alone + among_all) / 2, rel=1e-5)


@pytest.mark.model
def test_collate_pads_to_a_multiple_of_32_and_marks_the_context() -> None:
    from qa.training.train import collate

    made = made_features([3, 33, 5])
    begins = np.array([0, 3, 36])
    batch = {name: tensor.numpy() for name, tensor in collate(made, begins, np.array([1, 2])).items()}
    assert batch["input_ids"].shape == batch["attention_mask"].shape == batch["in_passage"].shape == (2, 64)
    assert batch["attention_mask"].sum(axis=1).tolist() == [33, 5]
    assert batch["in_passage"].sum(axis=1).tolist() == [31, 3]
    assert batch["input_ids"][1, :6].tolist() == [5, 5, 7, 7, 7, 0]
    assert (batch["first"].tolist(), batch["last"].tolist()) == ([2, 2], [2, 2])


@pytest.mark.model
def test_rate_rises_and_falls_in_straight_lines() -> None:
    from qa.training.train import rate_at

    to_nothing, held = {"rate": 4.0, "final_rate": 0.0}, {"rate": 4.0, "final_rate": 3.0}
    assert [rate_at(at, to_nothing, warmup=0.2) for at in (0.0, 0.1, 0.2, 0.6, 1.0)] == pytest.approx([0, 2, 4, 2, 0])
    assert [rate_at(at, held, warmup=0.2) for at in (0.1, 0.2, 0.6, 1.0)] == pytest.approx([2, 4, 3.5, 3])


@pytest.mark.model
@pytest.mark.parametrize(("passes", "expected"), [(0.5, 5), (1.0, 10), (1.5, 15)])
def test_a_stage_reads_its_mix_as_often_as_it_says(passes: float, expected: int) -> None:
    from qa.training.train import _plan

    made, mix = made_features([20] * 20), {"seed": 3, "passages": 1}
    longest = [rows.tolist() for rows in _plan(made, {"passes": 2.0}, mix, tokens_per_batch=64)]
    plan = [rows.tolist() for rows in _plan(made, {"passes": passes}, mix, tokens_per_batch=64)]
    assert len(plan) == expected
    assert plan == longest[:expected]
    assert sorted(row for rows in longest[:10] for row in rows) == list(range(20))


# a run

SETTINGS = {
    "train": {"tokens_per_batch": 64, "warmup": 0.25, "weight_decay": 0.0, "clip": 1.0},
    "mixes": {"a": {"seed": 3, "passages": 1}, "b": {"seed": 4, "passages": 2}},
    "base": {"layers": 1},
    "stages": [
        {"mix": "a", "passes": 1.0, "rate": 0.01, "final_rate": 0.01, "running_average": 0.0},
        {"mix": "b", "passes": 1.0, "rate": 0.01, "final_rate": 0.0, "running_average": 0.5},
    ],
}


@pytest.fixture
def start_from(tmp_path: Path) -> str:
    """A random checkpoint of a few hundred numbers."""
    import torch
    from transformers import MPNetConfig, MPNetForQuestionAnswering

    torch.manual_seed(0)
    small = MPNetConfig(
        vocab_size=11,
        hidden_size=8,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=8,
        max_position_embeddings=66,
    )
    MPNetForQuestionAnswering(small).save_pretrained(tmp_path / "start")
    return str(tmp_path / "start")


def weights_of(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")


@pytest.mark.model
def test_train_stopped_and_resumed_ends_where_an_unbroken_run_does(
    tmp_path: Path, start_from: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qa.training import train

    made = made_features([20, 20, 20, 20])  # two windows a batch, two batches a stage: four steps
    loaded: list[str] = []

    def load(mix: str) -> dict[str, np.ndarray]:
        loaded.append(mix)
        return made

    for name in ("unbroken", "stopped"):
        (tmp_path / name).mkdir()
    train.train(load, tmp_path / "unbroken", start_from=start_from, config=SETTINGS)

    step, taken = train._step, [0]

    def stops_at_the_fourth(*arguments: Any, **options: Any) -> float:
        taken[0] += 1
        if taken[0] == 4:
            raise KeyboardInterrupt
        return step(*arguments, **options)

    clock = iter(range(0, 10**6, 301))  # every look at the clock is five minutes later: every step is saved
    monkeypatch.setattr(train.time, "monotonic", lambda: float(next(clock)))
    monkeypatch.setattr(train, "_step", stops_at_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        train.train(load, tmp_path / "stopped", start_from=start_from, config=SETTINGS)
    reached = json.loads((tmp_path / "stopped" / "progress.json").read_text())
    assert (reached["stage"], reached["batches"]) == (1, 1)
    loaded.clear()
    train.train(load, tmp_path / "stopped", start_from=start_from, config=SETTINGS)
    assert taken[0] == 5  # three, the one that was cut off, and the one that was left
    assert loaded == ["b"]

    for stage in ("stage-1", "stage-2"):
        unbroken, resumed = (weights_of(tmp_path / name / stage) for name in ("unbroken", "stopped"))
        assert unbroken.keys() == resumed.keys()
        for name, tensor in unbroken.items():
            np.testing.assert_array_equal(tensor.numpy(), resumed[name].numpy(), err_msg=name)
    before = weights_of(Path(start_from))
    moved = {name for name, tensor in unbroken.items() if np.abs(tensor.numpy() - before[name].numpy()).max() > 1e-3}
    assert "qa_outputs.weight" in moved
    words = "mpnet.embeddings.word_embeddings.weight"  # are not trained, only rounded
    assert np.array_equal(unbroken[words].numpy(), train.as_shipped(before[words]).float().numpy())
    assert {name.split(".")[3] for name in unbroken if ".layer." in name} == {"0"}  # the lower one of two


@pytest.mark.model
def test_a_stage_gives_the_running_average_and_the_next_goes_on_from_the_last_weights(
    tmp_path: Path, start_from: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from qa.training import train

    step, path = train._step, []

    def remembers(model: Any, trained: Any, masters: Any, *arguments: Any, **options: Any) -> float:
        path.append(masters["qa_outputs.weight"].numpy().copy())
        return step(model, trained, masters, *arguments, **options)

    monkeypatch.setattr(train, "_step", remembers)
    first = SETTINGS["stages"][0] | {"running_average": 0.5}
    config = SETTINGS | {"stages": [first, SETTINGS["stages"][1], SETTINGS["stages"][0]]}
    folder = train.train(lambda mix: made_features([20] * 4), tmp_path, start_from=start_from, config=config)
    of_stage = [weights_of(tmp_path / f"stage-{n}")["qa_outputs.weight"].numpy() for n in (1, 2, 3)]
    np.testing.assert_allclose(of_stage[0], path[0] / 4 + path[1] / 4 + path[2] / 2, atol=1e-6)
    np.testing.assert_allclose(of_stage[1], path[2] / 4 + path[3] / 4 + path[4] / 2, atol=1e-6)
    assert folder == tmp_path / "stage-3"
    assert (folder / "config.json").exists()


@pytest.mark.model
def test_gradients_are_of_the_weights_as_they_ship(
    tmp_path: Path, start_from: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from qa.training import train

    step, seen = train._step, []

    def looks(model: Any, *arguments: Any, **options: Any) -> float:
        seen.append({name: tensor.float() for name, tensor in model.state_dict().items()})
        return step(model, *arguments, **options)

    monkeypatch.setattr(train, "_step", looks)
    train.train(lambda mix: made_features([20] * 4), tmp_path, start_from=start_from, config=SETTINGS)
    assert len(seen) == 4
    for weights in seen:
        for name, tensor in weights.items():
            if tensor.ndim == 2 and name != "qa_outputs.weight":
                assert torch.equal(tensor, tensor.to(torch.float8_e4m3fn).float()), name
    head = seen[3]["qa_outputs.weight"]
    assert not torch.equal(head, head.to(torch.float8_e4m3fn).float())


@pytest.mark.model
def test_export_writes_small_files_that_transformers_reads_back(
    tmp_path: Path, start_from: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    from qa.training import export

    AutoTokenizer.from_pretrained(DEFAULT_READER).save_pretrained(start_from)
    (tmp_path / "out").mkdir()
    for name in ("model.safetensors", "README.md"):
        (tmp_path / "out" / name).write_text("of another reader")
    monkeypatch.setattr(export, "MAX_SHARD", "1KB")
    export.export(Path(start_from), tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    shards = {name for name in names if name.endswith(".safetensors")}
    assert len(shards) > 1
    assert not shards & {"model.safetensors"}
    assert names - shards == {
        *("README.md", "config.json", "model.safetensors.index.json", "tokenizer.json", "tokenizer_config.json")
    }
    before, after = (
        AutoModelForQuestionAnswering.from_pretrained(place, dtype=torch.float32).state_dict()
        for place in (start_from, tmp_path / "out")
    )
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        half = tensor.ndim == 1 or name == "qa_outputs.weight"
        assert torch.equal(after[name], tensor.to(torch.float16 if half else torch.float8_e4m3fn).float()), name


@pytest.mark.model
def test_a_fresh_head_is_the_same_in_every_run(tmp_path: Path, start_from: str) -> None:
    from transformers import AutoModel

    from qa.training.train import train

    heads, encoder = [], str(tmp_path / "encoder")
    AutoModel.from_pretrained(start_from).save_pretrained(encoder)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        train(lambda mix: made_features([20] * 4), tmp_path / name, start_from=encoder, config=SETTINGS)
        heads.append(weights_of(tmp_path / name / "stage-2")["qa_outputs.weight"].tolist())
    assert heads[0] == heads[1]


# this project's own questions


OWN = sorted((Path(__file__).parents[1] / "qa" / "training" / "questions").rglob("*.jsonl"))


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_own_questions_are_about_what_their_passages_say(path: Path) -> None:
    asked = list(passages_with_questions(path, "own"))
    assert len(asked) > 200
    assert len({(e.title, e.question) for e in asked}) == len(asked)
    for e in asked:
        for start, end in e.answers:
            text = e.context[start:end]
            assert text == text.strip()
            assert text
            around = (e.context[start - 1 : start], e.context[end : end + 1])
            assert not (around[0].isalnum() and text[0].isalnum()), (e.example_id, text)
            assert not (around[1].isalnum() and text[-1].isalnum()), (e.example_id, text)
    assert 0.1 < np.mean([not e.answers for e in asked]) < 0.4


def test_own_stories_are_told_in_several_passages_of_one_title() -> None:
    told: dict[str, set[str]] = {}
    for path in OWN:
        if path.parent.name in OF_AFFAIRS:
            for e in passages_with_questions(path, path.parent.name):
                told.setdefault(e.title, set()).add(e.context)
    assert len(told) == 87 + 132 + 168 + 48 + 84 + 66 + 78 + 108 + 36
    assert {len(contexts) for contexts in told.values()} == {6}


def test_own_questions_for_development_share_no_passage_with_those_for_training() -> None:
    folder = OWN[0].parents[0] if OWN[0].parent.name == "questions" else OWN[0].parents[1]
    sides = [
        [e for p in place.glob("*.jsonl") for e in passages_with_questions(p, "own")]
        for place in (folder, folder / "development")
    ]
    trained, held_out = ({e.context for e in side} for side in sides)
    assert trained
    assert held_out
    assert not trained & held_out


# measuring


class Half:
    """A reader that is right about the first half of the questions, and sure of it."""

    def read(self, question: str, passages: Sequence[Passage], *, k: int) -> list[ScoredSpan]:
        """The first word, or the last."""
        (passage,) = passages
        word, score = (0, 1.0) if int(question) < 30 else (-1, -1.0)
        start = passage.text.index(text := passage.text.split()[word])
        return [ScoredSpan(passage.document, Span(start, start + len(text)), score)]


def test_measure_gives_every_figure_within_its_interval() -> None:
    examples = [example("one two", str(number), *(["one"] if number % 3 else [])) for number in range(60)]
    figures = measure(Half(), examples)  # type: ignore[arg-type]
    assert (figures["n"], figures["f1"], figures["exact_match"]) == (60, 0.5, 0.5)
    assert figures["auroc"] == 0.5  # a third of either half cannot be answered
    for name in ("f1", "exact_match", "best_f1", "auroc"):
        assert figures[f"{name}_low"] < figures[name] < figures[f"{name}_high"]
        assert figures[f"{name}_high"] - figures[f"{name}_low"] < 0.4
