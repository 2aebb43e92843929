"""embeddings/lexical.py: words found by stem, by piece, and not found at all."""

import pytest
import Stemmer
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import texts, thorough

from embeddings.lexical import LexicalIndex, terms

TEXTS = ["China signed 39 extradition treaties.", "Zürich has a naïve poet.", "The fugitives fled to Peru.", ""]


def rows(query: str, *, among: list[str] = TEXTS, k: int = 9) -> list[int]:
    return [row for row, _ in LexicalIndex(among).search(query, k=k)]


def test_terms_are_stems_and_pieces_of_long_words() -> None:
    stemmer = Stemmer.Stemmer("english")
    assert terms("The Treaties", stemmer) == ["treati", "#trea", "#reat", "#eati", "#atie", "#ties"]
    assert terms("Peru", stemmer) == ["peru"]
    assert terms("What is the", stemmer) == []


def test_search_finds_the_row_that_shares_a_word() -> None:
    assert rows("treaty") == [0]
    assert rows("Who is in Peru?") == [2]


@pytest.mark.parametrize(("query", "row"), [("extradiction", 0), ("fugatives", 2), ("extraditoin treatise", 0)])
def test_search_finds_the_row_in_spite_of_a_typo(query: str, row: int) -> None:
    assert rows(query)[0] == row


@pytest.mark.parametrize("query", ["zurich", "ZÜRICH", "Zu\u0308rich", "\uff3a\uff35\uff32\uff29\uff23\uff28", "NAIVE"])
def test_search_folds_case_accents_and_width(query: str) -> None:
    assert rows(query) == [1]


@pytest.mark.parametrize("query", ["the", "What is the who of it?", "", "?!", "unheard"])
def test_search_finds_nothing_for_stop_words_and_unknown_words(query: str) -> None:
    assert rows(query) == []


def test_search_of_empty_texts_finds_nothing() -> None:
    assert rows("poet", among=["", "?", "the"]) == []


def test_search_never_returns_an_empty_text() -> None:
    assert rows("poet", among=["", "poet", ""]) == [1]


def test_search_breaks_ties_by_row_number() -> None:
    assert rows("poet", among=["a poet", "nobody", "a poet", "a poet"]) == [0, 2, 3]
    assert rows("poet", among=["a poet", "nobody", "a poet", "a poet"], k=2) == [0, 2]


def test_search_puts_the_rare_word_first() -> None:
    assert rows("poet boat", among=["a poet", "a poet", "a boat"])[0] == 2


@given(among=st.lists(texts(max_size=8), min_size=1, max_size=6), query=texts(max_size=5), k=st.integers(1, 8))
@settings(thorough, max_examples=50)
def test_search_returns_positive_scores_best_first(among: list[str], query: str, k: int) -> None:
    found = LexicalIndex(among).search(query, k=k)
    assert len(found) <= k
    assert all(score > 0 for _, score in found)
    assert found == sorted(found, key=lambda scored: (-scored.score, scored.row))
