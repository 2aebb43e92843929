"""qa/training/compare.py: a reader's candidates become rows whose answer is where it is said to be."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import texts, thorough
from toys import document

from qa.answers import cite, merge
from qa.datatypes import Citation, Document, ScoredSpan, Span
from qa.training.compare import MAX_AROUND, SEPARATOR, compared, corpora, gather
from qa.training.prepare import is_development

PORT = document("port.txt", "The ferry takes 300 cars.")
TOWN = document("town.txt", "The museum has 4 rooms.")
ISLE = document("isle.txt", "The isle has 9 goats.")


def span(page: Document, text: str, score: float) -> ScoredSpan:
    start = page.text.index(text)
    return ScoredSpan(page, Span(start, start + len(text)), score)


CANDIDATES = merge([span(PORT, "300", 3.0), span(TOWN, "4", 2.0), span(ISLE, "9", 1.0)], limit=5)


def test_compared_answers_with_the_first_right_candidate() -> None:
    row = compared("How many?", CANDIDATES, [("town.txt", 15, "4"), ("port.txt", 16, "300")])
    assert row is not None
    assert row["context"] == SEPARATOR.join(page.text for page in (ISLE, PORT, TOWN))
    assert row["answers"] == [{"start": row["context"].index("300"), "text": "300"}]
    assert not row["is_impossible"]


def test_compared_without_a_right_candidate_is_unanswerable() -> None:
    row = compared("How many?", CANDIDATES, [("elsewhere.txt", 5, "seven")])
    assert row is not None
    assert (row["answers"], row["is_impossible"]) == ([], True)
    assert compared("How many?", CANDIDATES, []) == row


def test_compared_gives_no_row_where_the_answer_stands_beside_the_candidates() -> None:
    assert compared("Who takes 300?", CANDIDATES, [("port.txt", 0, "The ferry")]) is None


def test_corpora_are_titles_for_training_with_their_own_passages(monkeypatch: pytest.MonkeyPatch) -> None:
    from qa.training import compare
    from qa.training.prepare import Example

    shape = Example("q", "s", "", "When?", "", ())
    names = [f"title {number}" for number in range(60)]
    examples = [
        replace(shape, title=title, context=f"{title} {number % 30}", example_id=f"{title}-{number}")
        for title in names
        for number in range(150)
    ]
    monkeypatch.setattr(compare, "read_set", lambda _, name: iter(examples if name == "rivals" else ()))
    found = list(corpora(None, ["rivals", "excerpts"]))  # type: ignore[arg-type]
    assert [{e.title for e in one} for one in found] == [
        {title} for title in sorted(names) if not is_development(replace(shape, title=title))
    ]
    assert len(found) < len(names)
    for one in found:
        assert len(one) == compare.QUESTIONS == 60
        assert 15 < len({e.context for e in one}) <= compare.PASSAGES == 20
    assert found == list(corpora(None, ["rivals", "excerpts"]))  # type: ignore[arg-type]


# the surroundings of places, joined

PIER = document("port.txt", "Cars wait at noon. The ferry takes 300. Jo Vale owns it. Nobody knows why.")
HALL = document("town.txt", "A museum opened. It has 4 rooms.")


def place(page: Document, text: str) -> Citation:
    return cite(span(page, text, 0.0))


def test_gather_gives_each_sentence_with_the_one_before() -> None:
    made = gather([place(PIER, "Jo Vale"), place(HALL, "4")])
    assert made.text == "The ferry takes 300. Jo Vale owns it. [SEP] A museum opened. It has 4 rooms."
    assert [made.text[span.start : span.end] for span in made.spans] == ["Jo Vale", "4"]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_gather_gives_what_overlaps_once_in_any_order(order: tuple[int, ...]) -> None:
    places = [place(PIER, "Jo Vale"), place(HALL, "museum"), place(PIER, "300"), place(PIER, "Nobody")]
    made = gather([places[number] for number in order])
    assert made.text == PIER.text + " [SEP] A museum opened."
    assert [made.text[span.start : span.end] for span in made.spans] == [places[number].quote for number in order]


def test_gather_leaves_out_a_sentence_before_that_does_not_fit() -> None:
    page = document("long.txt", "Long " * 90 + "ago. " + "The king said no.")
    assert gather([place(page, "no")]).text == "The king said no."


@pytest.mark.parametrize("at", [0, 40, 160])
def test_gather_cuts_a_long_sentence_around_the_place(at: int) -> None:
    words = [f"word{n:03d}" for n in range(161)]
    page = document("long.txt", " ".join(words))  # one sentence, cut at 700 characters
    made = gather([place(page, words[at])])
    assert MAX_AROUND / 2 - 10 < len(made.text) <= MAX_AROUND
    assert set(made.text.split()) <= set(words)  # no word is cut
    assert made.text[made.spans[0].start : made.spans[0].end] == words[at]


def test_gather_cuts_a_long_sentence_without_blanks_too() -> None:
    page = document("long.txt", "\u6e2f" * 300 + "\u53e3" + "\u6e2f" * 300)
    made = gather([place(page, "\u53e3")])
    assert len(made.text) == MAX_AROUND - 1
    assert (made.spans[0].start, made.text[made.spans[0].start]) == (199, "\u53e3")


@thorough
@given(st.lists(texts().filter(bool), min_size=1, max_size=3), st.data())
@pytest.mark.offsets
def test_every_place_is_found_again_in_the_joined_text(texts: list[str], data: st.DataObject) -> None:
    pages = [document(f"{number}.txt", text) for number, text in enumerate(texts)]
    places = []
    for page in data.draw(st.lists(st.sampled_from(pages), min_size=1, max_size=5)):
        start = data.draw(st.integers(0, len(page.text) - 1))
        end = data.draw(st.integers(start + 1, len(page.text)))
        places.append(cite(ScoredSpan(page, Span(start, end), 0.0)))
    made = gather(places)
    assert [made.text[span.start : span.end] for span in made.spans] == [one.quote for one in places]
    assert len(made.text) <= sum(map(len, texts)) + len(SEPARATOR) * (len(places) - 1)  # nothing is given twice
    backwards = gather(places[::-1])
    assert (backwards.text, backwards.spans[::-1]) == (made.text, made.spans)
