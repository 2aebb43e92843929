"""qa/evidence.py: the surroundings of places, joined, in which every place is where it is said to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import texts, thorough
from toys import document

from qa.answers import cite
from qa.datatypes import Citation, Document, ScoredSpan, Span
from qa.evidence import MAX_AROUND, SEPARATOR, gather

PORT = document("port.txt", "Cars wait at noon. The ferry takes 300. Jo Vale owns it. Nobody knows why.")
TOWN = document("town.txt", "A museum opened. It has 4 rooms.")


def place(page: Document, text: str) -> Citation:
    start = page.text.index(text)
    return cite(ScoredSpan(page, Span(start, start + len(text)), 0.0))


def test_gather_gives_each_sentence_with_the_one_before() -> None:
    made = gather([place(PORT, "Jo Vale"), place(TOWN, "4")])
    assert made.text == "The ferry takes 300. Jo Vale owns it. [SEP] A museum opened. It has 4 rooms."
    assert [made.text[span.start : span.end] for span in made.spans] == ["Jo Vale", "4"]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_gather_gives_what_overlaps_once_in_any_order(order: tuple[int, ...]) -> None:
    places = [place(PORT, "Jo Vale"), place(TOWN, "museum"), place(PORT, "300"), place(PORT, "Nobody")]
    made = gather([places[number] for number in order])
    assert made.text == PORT.text + " [SEP] A museum opened."
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
