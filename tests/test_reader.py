"""qa/reader.py: whatever the logits, however odd the text, a span is an exact slice of one sentence."""

from collections.abc import Mapping
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import texts, thorough
from tokenizers import Tokenizer
from toys import document

from embeddings.encoder import ModelNotFoundError
from embeddings.runtime import INPUTS, Outputs
from qa.answers import cite
from qa.chunking import chunk_document, split_sentences
from qa.datatypes import Passage, ScoredSpan, Span
from qa.reader import DEFAULT_READER, MAX_QUESTION, PROMISE, READ_WHOLE, SKIMMER, Reader, _promising, _skim_score


class Guessing:
    """A network of random logits."""

    inputs = INPUTS

    def __init__(self, folder: Path = Path(DEFAULT_READER)) -> None:
        self.tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.about: dict[str, Any] = {}
        self.random = np.random.default_rng(0)

    def run(self, arrays: Mapping[str, NDArray[np.int64]]) -> Outputs:
        """Start and end logits, (n_rows, length) each."""
        return [self.random.normal(size=arrays["input_ids"].shape).astype(np.float32) for _ in range(2)]


class GuessingReader(Reader):
    """The shipped tokenizers, and no weights."""

    def __init__(self, folder: str = DEFAULT_READER) -> None:
        super().__init__(folder)
        self._skimmer: GuessingReader | None = GuessingReader(str(self._skimmer.folder)) if self._skimmer else None

    @cached_property
    def _network(self) -> Guessing:
        return Guessing(self.folder)

    def seed(self, seed: int) -> None:
        """Begin the guesses anew."""
        self._network.random = np.random.default_rng(seed)
        if self._skimmer:
            self._skimmer.seed(seed + 1)


reader = GuessingReader()


@thorough
@given(texts(), texts(max_size=8), st.integers(0, 2**32 - 1))
@pytest.mark.offsets
def test_spans_are_exact_slices_of_one_sentence_and_cut_no_cluster(text: str, question: str, seed: int) -> None:
    reader.seed(seed)
    place = document("odd.txt", text)
    sentences = split_sentences(text)
    clusters = [found for found in regex.finditer(r"\X", text) if not found.group()[0].isspace()]
    inside = {i for found in clusters for i in range(found.start() + 1, found.end())}
    for span in reader.read(question, chunk_document(place), k=5):
        citation = cite(span)
        assert citation.span == span.span
        assert citation.quote == citation.quote.strip() != ""
        assert citation.context == text[citation.sentence.start : citation.sentence.end]
        assert sum(one.contains(span.span) for one in sentences) == 1
        assert not inside & {span.span.start, span.span.end}


@pytest.mark.parametrize("seed", range(40))
def test_pieces_of_one_word_are_one_place(seed: int) -> None:
    reader.seed(seed)
    text = "Kowalskiewicz met Xyzzyplughova in Szczebrzeszyn."  # four words of many pieces, and two of one
    spans = reader.read("who", [Passage(document("a.txt", text), Span(0, len(text)))], k=8)
    assert spans
    assert not [(one, other) for one, other in combinations(spans, 2) if one.span.overlaps(other.span)]


@pytest.mark.parametrize("end", ["\f", "\v", "\x85", "\x1c", "\u2028", "\n"])
def test_words_on_both_sides_of_a_break_are_two(end: str) -> None:
    place = document("page.txt", f"A{end}China")
    found = reader.read("", chunk_document(place), k=9)
    assert {place.slice(span.span) for span in found} <= {"A", "China"}
    assert found


def test_a_passage_may_begin_and_end_within_a_sentence() -> None:
    place = document("cut.txt", "Hello wide cafe\u0301. More here.")
    found = reader.read("What?", [Passage(place, Span(6, 15))], k=3)
    assert found
    assert all(place.slice(span.span) in "wide cafe\u0301" for span in found)


class Remembering(Guessing):
    """Keeps what it was given."""

    def run(self, arrays: Mapping[str, NDArray[np.int64]]) -> Outputs:
        """Random logits."""
        self.seen = [self.tokenizer.decode(row.tolist()) for row in arrays["input_ids"]]
        return super().run(arrays)


def test_of_a_long_question_its_end_is_read() -> None:
    network = Remembering()
    asked = GuessingReader()
    asked.__dict__["_network"] = network
    asked.read("Once upon a time, " * 50 + "who paid for the pier?", chunk_document(document("pier.txt", "A clerk.")))
    (seen,) = network.seen
    assert seen.endswith("who paid for the pier? a clerk.")
    assert len(network.tokenizer.encode(seen).ids) <= MAX_QUESTION + 8


@pytest.mark.parametrize("mark", ["<s>", "</s>", "<pad>", "<mask>", "[UNK]"])
def test_the_marks_of_the_tokenizer_are_plain_text_in_a_document(mark: str) -> None:
    place = document("markup.txt", f"It is {mark}old{mark} now.")
    (window,) = reader._windows("who?", chunk_document(place))
    tokens = window.encoding.tokens
    assert [token for token in tokens if token.startswith("<") and token != "<"] == ["<s>", "</s>", "</s>", "</s>"]
    assert f"{mark}old{mark}now".lower() in "".join(tokens).replace("##", "")


# skimming

PLACE = document("ten.txt", "One two three four five six seven eight nine ten.")


def offered(*scores: float) -> list[ScoredSpan]:
    """Spans of one passage with these scores, four characters each, side by side."""
    return [ScoredSpan(PLACE, Span(4 * at, 4 * at + 4), score) for at, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("skimmed", "read"),
    [
        ([], []),
        ([offered()], []),  # nothing in it can be an answer
        ([offered(-20.0)], [0]),  # the best of all is always read
        ([offered(1.0), offered(), offered(0.0, 2.0)], [2, 0]),
        ([offered(1.0), offered(1.0)], [0, 1]),
        ([offered(3.0), offered(3.0 - PROMISE), offered(2.9 - PROMISE)], [0, 1]),
        ([offered(float(at)) for at in range(9)], [8, 7, 6, 5]),
    ],
)
def test_the_passages_that_promise_most_are_read(skimmed: list[list[ScoredSpan]], read: list[int]) -> None:
    assert _promising(skimmed) == read


def test_a_span_is_worth_to_the_skimmer_the_best_that_overlaps_it_else_its_worst() -> None:
    skimmed = offered(1.0, 4.0, -2.0)  # of 0..4, 4..8, 8..12
    assert _skim_score(ScoredSpan(PLACE, Span(3, 6), 0.0), skimmed) == 4.0
    assert _skim_score(ScoredSpan(PLACE, Span(0, 4), 0.0), skimmed) == 1.0
    assert _skim_score(ScoredSpan(PLACE, Span(20, 24), 0.0), skimmed) == -2.0


@pytest.mark.parametrize("seed", range(5))
def test_only_what_promises_most_is_read_and_every_span_has_both_scores(seed: int) -> None:
    skimmer = reader._skimmer
    assert skimmer is not None
    passages = [chunk_document(document(f"{at}.txt", f"In {at} the clerk counted {at} boats."))[0] for at in range(9)]
    reader.seed(seed)
    skimmed = skimmer._offered("who?", passages, k=2)
    reader.seed(seed)
    spans = reader.read("who?", passages, k=2)
    read = [passages[at] for at in _promising(skimmed)]
    assert {span.document for span in spans} == {passage.document for passage in read}
    assert len(read) <= READ_WHOLE
    for span in spans:
        (at,) = (at for at, passage in enumerate(passages) if passage.document is span.document)
        assert span.skim_score == _skim_score(span, skimmed[at])


def test_a_shipped_reader_that_has_lost_its_skimmer_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert Reader(str(tmp_path))._skimmer is None  # one of yours needs none
    monkeypatch.setattr("qa.reader.DEFAULT_READER", str(tmp_path))
    with pytest.raises(ModelNotFoundError, match=r"skimmer': it is not a folder here"):
        Reader(str(tmp_path))


def test_a_reader_without_a_skimmer_reads_all() -> None:
    alone = GuessingReader(str(Path(DEFAULT_READER) / SKIMMER))
    passages = [chunk_document(document(f"{at}.txt", f"In {at} the clerk counted boats."))[0] for at in range(9)]
    spans = alone.read("who?", passages, k=1)
    assert {span.document for span in spans} == {passage.document for passage in passages}
    assert {span.skim_score for span in spans} == {0.0}
