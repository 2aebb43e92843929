"""What split_sentences, chunk_document and sentence_around promise."""

import time
from itertools import pairwise
from pathlib import Path

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from strategies import texts, thorough

from qa.chunking import MAX_CHARS, chunk_document, sentence_around, split_sentences, whole_clusters
from qa.datatypes import Document, Span
from qa.documents import read_folder

SEEDS = Path(__file__).parent.parent / "seeds"


def document_of(text: str) -> Document:
    return Document("a.txt", text, title="", source_sha256="", decoded="utf-8")


def sentences_of(text: str) -> list[str]:
    return [text[span.start : span.end] for span in split_sentences(text)]


def uncovered(text: str, spans: list[Span]) -> str:
    """The characters of no span that are not blank."""
    covered = {i for span in spans for i in range(span.start, span.end)}
    return "".join(c for i, c in enumerate(text) if i not in covered and not c.isspace())


@pytest.mark.parametrize(
    "sentences",
    [
        ["He lived in the U.S. from 2001 to 2009.", "Then he left."],
        ["It ended on Dec. 31, with 680 arrests.", "It began in July."],
        ["10.14 billion yuan (1.63 billion U.S. dollars) was confiscated.", "The SPP said so."],
        ["Mr. Smith met Dr. Jones and Rev. William Corby at 5 p.m. on Monday.", "They talked."],
        ["He beat No. 5 seed Federer.", "The match lasted two hours."],
        ["Use tools, e.g. a hammer.", "Then stop."],
        ["He waited... and waited.", "Then it came."],
        ["\u201cWe left.", "We came back,\u201d he said.", "It was late."],
        ['"We will uphold the law, ... and we will make every effort."', "He left."],
        ["Naïve 👨‍👩‍👧 cafe\u0301.", "Next."],
    ],
)
def test_split_sentences_ends_sentences_only_where_they_end(sentences: list[str]) -> None:
    assert sentences_of(" ".join(sentences)) == sentences


def test_split_sentences_keeps_the_one_who_speaks_with_the_quotation() -> None:
    assert sentences_of('"We left. We came," he said. "It rained."') == [
        '"We left.',
        'We came," he said.',
        '"It rained."',
    ]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\n\n", "\u2028", "\u2029", "\x85", "\v", "\f"])
def test_split_sentences_ends_a_title_at_the_line_break(newline: str) -> None:
    assert sentences_of(f"A title without a stop{newline}The article begins.") == [
        "A title without a stop",
        "The article begins.",
    ]


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_split_sentences_joins_the_lines_of_a_wrapped_paragraph(newline: str) -> None:
    lines = [
        "A short heading",
        "The commission has urged members of the public to report",
        "valuable clues about fugitives. Officials of the United",
        "States agreed.",
    ]
    assert sentences_of(newline.join(lines)) == [
        "A short heading",
        f"The commission has urged members of the public to report{newline}valuable clues about fugitives.",
        f"Officials of the United{newline}States agreed.",
    ]


def test_split_sentences_keeps_lines_of_a_list_apart() -> None:
    items = ["- a first item that is rather long, all in all", "- a second item that is rather long, too"]
    assert sentences_of("\n".join(items)) == items


def test_split_sentences_leaves_no_quotation_mark_alone() -> None:
    assert sentences_of('He said: "It works. We know. " Then he left.')[-2:] == ['We know. "', "Then he left."]


def test_split_sentences_of_blank_text_is_empty() -> None:
    assert split_sentences("") == split_sentences(" \r\n\u2028\u00a0") == []


def test_split_sentences_cuts_a_long_sentence_at_blanks() -> None:
    text = "word " * 1000
    assert set(" ".join(sentences_of(text)).split()) == {"word"}
    assert max(map(len, sentences_of(text))) <= MAX_CHARS


@pytest.mark.parametrize("cluster", ["e\u0301", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea"])
def test_split_sentences_cuts_text_without_blanks_between_clusters(cluster: str) -> None:
    pieces = sentences_of(cluster * 1000)
    assert len(pieces) > 1
    assert all(piece == cluster * (len(piece) // len(cluster)) for piece in pieces)


def test_split_sentences_finishes_a_sentence_across_windows() -> None:
    sentence = "The commission has urged members of the public to report clues."
    assert set(sentences_of(" ".join([sentence] * 500))) == {sentence}


@pytest.mark.parametrize("piece", ["a", "word ", "\u201c", "\u201cOne here. ", "e\u0301", "\u0301", ". ", "A. ", "1. "])
def test_split_sentences_takes_linear_time(piece: str) -> None:
    def once(text: str) -> float:
        start = time.process_time()
        split_sentences(text)
        return time.process_time() - start

    def seconds(count: int) -> float:
        return min(once(piece * (count // len(piece)) + " " * number) for number in range(3))  # not from a cache

    seconds(1_000)  # warm up
    assert seconds(48_000) < 12 * seconds(12_000) + 0.1  # 4 if linear, 16 if quadratic


@thorough
@given(texts())
@pytest.mark.offsets
def test_sentences_cover_the_text_in_order_without_blanks_at_their_ends(text: str) -> None:
    spans = split_sentences(text)
    assert uncovered(text, spans) == ""
    assert all(one.end <= other.start for one, other in pairwise(spans))
    assert all(sentence and sentence == sentence.strip() for sentence in sentences_of(text))


@thorough
@given(texts())
@pytest.mark.offsets
def test_sentences_cut_no_cluster(text: str) -> None:
    inside = {
        i for c in regex.finditer(r"\X", text) if not c.group()[0].isspace() for i in range(c.start() + 1, c.end())
    }
    assert not inside & {offset for span in split_sentences(text) for offset in (span.start, span.end)}


@thorough
@given(texts(), st.integers(1, 200), st.integers(0, 3))
@pytest.mark.offsets
def test_passages_cover_the_text_with_whole_sentences(text: str, max_chars: int, overlap: int) -> None:
    document = document_of(text)
    passages = chunk_document(document, max_chars=max_chars, overlap=overlap)
    spans = [passage.span for passage in passages]
    sentences = split_sentences(text)
    assert uncovered(text, spans) == ""
    assert {span.start for span in spans} <= {sentence.start for sentence in sentences}
    assert {span.end for span in spans} <= {sentence.end for sentence in sentences}
    assert all(one.start < other.start and one.end < other.end for one, other in pairwise(spans))
    assert all(span in sentences for span in spans if span.end - span.start > max_chars)
    assert all(passage.text == text[passage.span.start : passage.span.end] for passage in passages)
    assert passages == chunk_document(document, max_chars=max_chars, overlap=overlap)


@thorough
@given(texts(), st.data())
@pytest.mark.offsets
def test_sentence_around_contains_the_span_and_no_sentence_too_many(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    span = Span(start, data.draw(st.integers(start, len(text))))
    around = sentence_around(document_of(text), span)
    assert around.contains(span)
    if start < span.end:
        inside = [sentence for sentence in split_sentences(text) if around.overlaps(sentence)]
        assert all(sentence.overlaps(span) for sentence in inside)
        assert all(around.contains(sentence) for sentence in inside)


def test_chunk_document_repeats_the_last_sentence_when_it_fits() -> None:
    document = document_of("One one one. Two two. Three three. Four.")
    assert [passage.text for passage in chunk_document(document, max_chars=24, overlap=1)] == [
        "One one one. Two two.",
        "Two two. Three three.",
        "Three three. Four.",
    ]


def test_chunk_document_leaves_the_overlap_out_when_there_is_no_room() -> None:
    document = document_of("One one one. Two two. Three three three.")
    assert [passage.text for passage in chunk_document(document, max_chars=21, overlap=1)] == [
        "One one one. Two two.",
        "Three three three.",
    ]


def test_chunk_document_keeps_a_sentence_whole_that_is_too_long() -> None:
    document = document_of("A short one. A much longer sentence than allowed. Another.")
    assert [passage.text for passage in chunk_document(document, max_chars=15)] == [
        "A short one.",
        "A much longer sentence than allowed.",
        "Another.",
    ]


def test_chunk_document_of_blank_text_is_empty() -> None:
    assert chunk_document(document_of(" \n")) == []


def test_chunk_document_refuses_impossible_sizes() -> None:
    with pytest.raises(ValueError, match="max_chars must be at least 1, got 0"):
        chunk_document(document_of("a"), max_chars=0)
    with pytest.raises(ValueError, match="overlap must be at least 0, got -1"):
        chunk_document(document_of("a"), overlap=-1)


def test_chunk_document_puts_the_title_with_the_first_passage() -> None:
    for document in read_folder(SEEDS)[0].documents:
        first, *others = chunk_document(document)
        assert first.text.startswith(document.title)
        assert all(len(passage.text) <= MAX_CHARS for passage in (first, *others))


def test_sentence_around_finds_the_sentence_of_a_seed() -> None:
    document = read_folder(SEEDS)[0].documents[2]
    start = document.text.index("1.63 billion")
    around = document.slice(sentence_around(document, Span(start, start + 12)))
    assert around.startswith("In 2013, 762 people")
    assert around.endswith("Procuratorate (SPP).")


def test_sentence_around_takes_both_sentences_of_a_span_that_crosses() -> None:
    document = document_of("One here. Two here. Three here.")
    assert sentence_around(document, Span(4, 13)) == Span(0, 19)


def test_sentence_around_of_blanks_is_the_span() -> None:
    assert sentence_around(document_of("One.   \n  Two."), Span(5, 8)) == Span(5, 8)


def test_sentence_around_refuses_a_span_after_the_text() -> None:
    with pytest.raises(ValueError, match=r"no characters 0\.\.9"):
        sentence_around(document_of("One."), Span(0, 9))


@pytest.mark.parametrize(
    ("text", "span", "whole"),
    [
        ("He said cafe\u0301.", (8, 12), "cafe\u0301"),
        ("A \U0001f44d\U0001f3fd for it", (2, 3), "\U0001f44d\U0001f3fd"),
        ("A \U0001f44d\U0001f3fd for it", (3, 8), "\U0001f44d\U0001f3fd for"),
        ("Plain words", (0, 5), "Plain"),
    ],
)
def test_whole_clusters_widens_what_would_be_cut(text: str, span: tuple[int, int], whole: str) -> None:
    place = document_of(text)
    assert place.slice(whole_clusters(place, Span(*span))) == whole
