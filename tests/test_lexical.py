"""embeddings/lexical.py: words found by stem, by piece, and not found at all."""

import math
from collections import Counter
from itertools import accumulate, pairwise

import numpy as np
import pytest
import Stemmer
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import texts, thorough

from embeddings.lexical import SAMPLED, LexicalIndex, best_rows, terms

TEXTS = ["China signed 39 extradition treaties.", "Zürich has a naïve poet.", "The fugitives fled to Peru.", ""]


def search(index: LexicalIndex, query: str, *, k: int = 9) -> list[tuple[int, float]]:
    scores = index.scores(query)
    return [(int(row), float(scores[row])) for row in best_rows(scores, k=k)]


def rows(query: str, *, among: list[str] = TEXTS, k: int = 9) -> list[int]:
    return [row for row, _ in search(LexicalIndex.build(among), query, k=k)]


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


@given(seed=st.integers(0, 10_000), n=st.integers(1, 3000), k=st.integers(1, 400), share=st.floats(0, 1))
@settings(thorough, max_examples=100)
def test_best_rows_are_those_of_sorting_all(seed: int, n: int, k: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    scores = np.where(rng.random(n) < share, rng.integers(0, 50, n), 0).astype(np.float32)  # many ties and zeros
    if seed % 2:
        scores[::SAMPLED] = rng.choice([0, 60])  # the rows that are looked at first are no measure of the others
    wanted = [row for row in np.argsort(-scores, kind="stable").tolist() if scores[row] > 0]
    assert best_rows(scores, k=k).tolist() == wanted[:k]


def test_search_scores_are_bm25_in_lucenes_form() -> None:
    among = ["poet poet boat", "boat", "car"]  # 3, 1 and 1 terms: 5/3 on average
    (row, score), *_ = search(LexicalIndex.build(among), "poet", k=1)
    assert row == 0
    assert score == pytest.approx(math.log(1 + 2.5 / 1.5) * 2 / (2 + 1.5 * (0.25 + 0.75 * 3 / (5 / 3))))


def test_search_scores_as_a_kept_library_does() -> None:
    import bm25s

    stemmer, library = Stemmer.Stemmer("english"), bm25s.BM25()
    library.index([terms(text, stemmer) for text in TEXTS], show_progress=False)
    for query in ("treaties of Peru", "a poet who fled", *TEXTS):
        known = [term for term in terms(query, stemmer) if term in library.vocab_dict]
        wanted = dict(enumerate(library.get_scores(known))) if known else {}
        found = dict(search(LexicalIndex.build(TEXTS), query, k=len(TEXTS)))
        assert found == pytest.approx({row: score for row, score in wanted.items() if score > 0}, rel=1e-4)


def brute_force(among: list[str], query: str) -> list[tuple[int, float]]:
    stemmer = Stemmer.Stemmer("english")
    bags = [Counter(terms(text, stemmer)) for text in among]
    mean = max(sum(bag.total() for bag in bags) / len(bags), 1)
    scores = [0.0] * len(bags)
    for term in terms(query, stemmer):
        df = sum(term in bag for bag in bags)
        for row, bag in enumerate(bags):
            damping = 1.5 * (0.25 + 0.75 * bag.total() / mean)
            scores[row] += math.log(1 + (len(bags) - df + 0.5) / (df + 0.5)) * bag[term] / (bag[term] + damping)
    return sorted(((row, s) for row, s in enumerate(scores) if s > 0), key=lambda found: (-found[1], found[0]))


@given(among=st.lists(texts(max_size=8), min_size=1, max_size=6), query=texts(max_size=5), k=st.integers(1, 8))
@settings(thorough, max_examples=100)
def test_search_equals_brute_force(among: list[str], query: str, k: int) -> None:
    wanted = brute_force(among, query)
    found = search(LexicalIndex.build(among), query, k=k)
    assert [score for _, score in found] == pytest.approx([score for _, score in wanted[:k]])
    scores = [score for _, score in wanted]
    if all(above - below > 1e-9 for above, below in pairwise(scores)):
        assert [row for row, _ in found] == [row for row, _ in wanted[:k]]


@given(
    history=st.lists(st.lists(st.sampled_from([*TEXTS, "a poet", "the poet's boats"]), max_size=6), max_size=4),
    query=st.sampled_from(["poet", "treaties of Peru"]),
)
@settings(thorough, max_examples=100)
def test_updated_equals_built_anew(history: list[list[str]], query: str) -> None:
    def update(index: LexicalIndex, step: tuple[list[str], list[str]]) -> LexicalIndex:
        before, now = step
        return index.updated(now, [before.index(text) if text in before else -1 for text in now])

    steps = zip([[], *history], history, strict=False)
    *_, last = accumulate(steps, update, initial=LexicalIndex.build([]))
    anew = LexicalIndex.build(history[-1] if history else [])
    assert last.to_blobs() == anew.to_blobs()
    assert search(last, query, k=9) == search(anew, query, k=9)


def test_updated_keeps_no_term_of_a_text_that_went() -> None:
    index = LexicalIndex.build(["secret plans", "a poet"]).updated(["a poet"], [1])
    assert index.to_blobs()["terms.json"] == b'{"poet": 1}'


def test_blobs_round_trip() -> None:
    index = LexicalIndex.build(TEXTS)
    again = LexicalIndex.from_blobs(index.to_blobs())
    assert search(again, "treaties of the poet in Peru", k=9) == search(index, "treaties of the poet in Peru", k=9)
    assert again.to_blobs() == index.to_blobs()


def test_search_puts_the_rare_word_first() -> None:
    assert rows("poet boat", among=["a poet", "a poet", "a boat"])[0] == 2


@given(among=st.lists(texts(max_size=8), min_size=1, max_size=6), query=texts(max_size=5), k=st.integers(1, 8))
@settings(thorough, max_examples=50)
def test_search_returns_positive_scores_best_first(among: list[str], query: str, k: int) -> None:
    found = search(LexicalIndex.build(among), query, k=k)
    assert len(found) <= k
    assert all(score > 0 for _, score in found)
    assert found == sorted(found, key=lambda scored: (-scored[1], scored[0]))
