"""qa/retriever.py: hits by meaning and by words, and the bytes they are kept in."""

import json

import numpy as np
import pytest
from toys import HARBOUR, ToyEncoder, document, toy_documents, toy_retriever

from embeddings.dense import DenseIndex
from qa.datatypes import Document, Passage, Span
from qa.retriever import Retriever, default_k, indexed_text


def whole(document: Document) -> Passage:
    return Passage(document, Span(0, len(document.text)))


def test_retrieve_puts_the_passage_that_all_three_rankings_like_first() -> None:
    first = toy_retriever(toy_documents()).retrieve("How many cranes has the harbour?")[0]
    assert first.passage.text == HARBOUR
    assert first.score == pytest.approx(3 / 61)
    assert first.similarity == pytest.approx(1.0)  # its first sentence has harbour and cranes, as the question


def test_retrieve_takes_the_similarity_of_the_passage_if_no_sentence_is_nearer() -> None:
    hit = toy_retriever(toy_documents()).retrieve("Who runs the cranes in the harbour?", k=1)[0]
    assert hit.passage.text == HARBOUR
    # the passage has all three words; of its sentences each has two: 2 / (√2 * √3)
    assert hit.similarity == pytest.approx(1.0)


def test_retrieve_finds_a_passage_by_one_sentence_of_many() -> None:
    blurred = document("a.txt", "The museum opened. The ferry carries passengers. The cranes run. The boats sail.")
    other = document("b.txt", "The boats and the museum.")
    hits = {
        hit.passage.document.document_id: hit.similarity for hit in toy_retriever([blurred, other]).retrieve("cranes")
    }
    assert hits == {"a.txt": pytest.approx(1.0), "b.txt": pytest.approx(0.0)}


def test_retrieve_finds_by_words_what_the_encoder_does_not_know() -> None:
    assert toy_retriever(toy_documents()).retrieve("Ilse Brandt")[0].passage.document.document_id == "harbour.txt"


def test_retrieve_gives_k_hits_best_first() -> None:
    hits = toy_retriever(toy_documents()).retrieve("the ferry", k=2)
    assert len(hits) == 2
    assert hits[0].score >= hits[1].score
    assert hits[0].passage.document.document_id == "ferry.txt"


def test_retrieve_with_k_beyond_the_passages_gives_each_once() -> None:
    hits = toy_retriever(toy_documents()).retrieve("harbour", k=99)
    assert sorted(hit.passage.document.document_id for hit in hits) == ["ferry.txt", "harbour.txt", "museum.txt"]


def test_retrieve_breaks_ties_by_the_order_of_the_passages() -> None:
    twins = [document(f"{name}.txt", HARBOUR) for name in "abcd"]
    hits = toy_retriever(twins).retrieve("How many cranes has the harbour?", k=4)
    assert [hit.passage.document.document_id for hit in hits] == ["a.txt", "b.txt", "c.txt", "d.txt"]


def test_retrieve_gives_similarities_that_are_cosines() -> None:
    for hit in toy_retriever(toy_documents()).retrieve("How many boats?"):
        assert -1 <= hit.similarity <= 1 + 1e-6


@pytest.mark.parametrize("k", [0, -1])
def test_retrieve_refuses_k_below_1(k: int) -> None:
    with pytest.raises(ValueError, match=f"k must be at least 1, got {k}"):
        toy_retriever(toy_documents()).retrieve("harbour", k=k)


@pytest.mark.parametrize(("passages", "k"), [(1, 1), (8, 8), (100, 8), (101, 12), (10_000, 12), (10_001, 16)])
def test_default_k_grows_slowly(passages: int, k: int) -> None:
    assert default_k(passages) == k


def test_indexed_text_begins_with_the_title() -> None:
    assert indexed_text(whole(document("a.txt", "Text.", title="Title"))) == "Title\nText."
    assert indexed_text(whole(document("a.txt", "Text."))) == "Text."


def test_build_tells_progress_how_many_texts_were_done_and_of_how_many() -> None:
    told: list[tuple[int, int]] = []
    Retriever.build([whole(one) for one in toy_documents()], ToyEncoder(), progress=lambda *done: told.append(done))
    assert told == [(9, 9)]  # three passages of two sentences each


def test_retriever_refuses_another_number_of_vectors() -> None:
    dense = DenseIndex.build(np.eye(2, 10, dtype=np.float32))
    with pytest.raises(ValueError, match="passages and vectors are not as many; build the index again"):
        Retriever([whole(one) for one in toy_documents()], dense, dense, ToyEncoder())


AWKWARD = [
    document("crlf.txt", "The harbour\r\nopened.\r\n\r\nIt has\u2028two lines. \U0001f468\u200d\U0001f469 e\u0301."),
    document("ordner/zürich.txt", "\ufeffThe ferry.\0 \x85 \x1c End.", title='Ti"tle'),
    document("bad\udcff.txt", "A museum."),
]


def test_blobs_round_trip_documents_passages_and_hits() -> None:
    retriever = toy_retriever(AWKWARD)
    again = Retriever.from_blobs(retriever.to_blobs(), ToyEncoder())
    assert again.passages == retriever.passages
    assert again.corpus == retriever.corpus
    assert again.corpus.sha256 == retriever.corpus.sha256
    assert again.retrieve("the ferry", k=2) == retriever.retrieve("the ferry", k=2)


def test_blobs_give_passages_of_one_document_the_same_document() -> None:
    one = document("long.txt", "\n".join(f"Sentence number {n} says a little about the harbour." for n in range(60)))
    again = Retriever.from_blobs(toy_retriever([one]).to_blobs(), ToyEncoder())
    assert len(again.passages) > 2
    assert len({id(passage.document) for passage in again.passages}) == 1


def test_blobs_hold_no_text_but_the_documents() -> None:
    blobs = toy_retriever(toy_documents()).to_blobs()
    assert sorted(blobs) == ["documents.jsonl", "passages.faiss", "passages.json", "sentences.faiss"]
    assert json.loads(blobs["passages.json"])[1] == ["harbour.txt", 0, len(HARBOUR)]


def test_corpus_is_in_order_of_ids() -> None:
    corpus = toy_retriever(toy_documents()[::-1]).corpus
    assert [one.document_id for one in corpus.documents] == ["ferry.txt", "harbour.txt", "museum.txt"]
