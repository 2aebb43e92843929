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

from embeddings.runtime import INPUTS, Outputs
from qa.answers import cite
from qa.chunking import chunk_document, split_sentences
from qa.datatypes import Passage, Span
from qa.reader import DEFAULT_READER, MAX_QUESTION, Reader


class Guessing:
    """A network of random logits."""

    inputs = INPUTS

    def __init__(self) -> None:
        self.tokenizer: Any = Tokenizer.from_file(str(Path(DEFAULT_READER) / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.about: dict[str, Any] = {}
        self.random = np.random.default_rng(0)

    def run(self, arrays: Mapping[str, NDArray[np.int64]]) -> Outputs:
        """Start and end logits, (n_rows, length) each."""
        return [self.random.normal(size=arrays["input_ids"].shape).astype(np.float32) for _ in range(2)]


class GuessingReader(Reader):
    """The shipped tokenizer, and no weights."""

    @cached_property
    def _network(self) -> Guessing:
        return Guessing()


reader = GuessingReader()


@thorough
@given(texts(), texts(max_size=8), st.integers(0, 2**32 - 1))
@pytest.mark.offsets
def test_spans_are_exact_slices_of_one_sentence_and_cut_no_cluster(text: str, question: str, seed: int) -> None:
    reader._network.random = np.random.default_rng(seed)
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
    reader._network.random = np.random.default_rng(seed)
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
