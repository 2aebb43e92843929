"""qa/retriever.py: hits by meaning and by words, and the bytes they are kept in."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from toys import FERRY, HARBOUR, MUSEUM, ToyEncoder, document, toy_documents, toy_retriever

from embeddings.store import IndexStoreError
from qa.datatypes import Document, Passage, Span
from qa.retriever import Retriever, default_k, indexed_text


def whole(document: Document) -> Passage:
    return Passage(document, Span(0, len(document.text)))


def test_retrieve_puts_the_passage_that_all_three_scores_like_first() -> None:
    first = toy_retriever(toy_documents()).retrieve("How many cranes has the harbour?")[0]
    assert first.passage.text == HARBOUR
    assert first.score == pytest.approx(
        2 / np.sqrt(2 * 3) + 1.0 + 0.2, abs=1e-3
    )  # cosines of passage and sentence, all of the words
    assert first.similarity == pytest.approx(
        1.0, abs=1e-3
    )  # its first sentence has harbour and cranes, as the question


def test_retrieve_takes_the_similarity_of_the_passage_if_no_sentence_is_nearer() -> None:
    hit = toy_retriever(toy_documents()).retrieve("Who runs the cranes in the harbour?", k=1)[0]
    assert hit.passage.text == HARBOUR
    # the passage has all three words; of its sentences each has two: 2 / (√2 * √3)
    assert hit.similarity == pytest.approx(1.0, abs=1e-3)


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
        assert -1 <= hit.similarity <= 1 + 1e-3


@pytest.mark.parametrize("k", [0, -1])
def test_retrieve_refuses_k_below_1(k: int) -> None:
    with pytest.raises(ValueError, match=f"k must be at least 1, got {k}"):
        toy_retriever(toy_documents()).retrieve("harbour", k=k)


@pytest.mark.parametrize(("passages", "k"), [(1, 1), (12, 12), (40, 12), (41, 24), (100_000, 24)])
def test_default_k_follows_the_corpus(passages: int, k: int) -> None:
    assert default_k(passages) == k


def test_indexed_text_begins_with_the_title() -> None:
    assert indexed_text(whole(document("a.txt", "Text.", title="Title"))) == "Title\nText."
    assert indexed_text(whole(document("a.txt", "Text."))) == "Text."


def test_build_tells_progress_how_many_texts_were_done_and_of_how_many() -> None:
    told: list[tuple[int, int]] = []
    Retriever.build([whole(one) for one in toy_documents()], ToyEncoder(), progress=lambda *done: told.append(done))
    assert told == [(9, 9)]  # three passages of two sentences each


def test_retriever_refuses_another_number_of_vectors() -> None:
    blobs = toy_retriever(toy_documents()).to_blobs()
    blobs["sentences.faiss"] = blobs["passages.faiss"]
    with pytest.raises(ValueError, match="passages and vectors are not as many; build it again"):
        Retriever.from_blobs(blobs, ToyEncoder(), [])


AWKWARD = [
    document("crlf.txt", "The harbour\r\nopened.\r\n\r\nIt has\u2028two lines. \U0001f468\u200d\U0001f469 e\u0301."),
    document("ordner/zürich.txt", "\ufeffThe ferry.\0 \x85 \x1c End.", title='Ti"tle'),
    document("bad\udcff.txt", "A museum."),
    replace(document("scan.pdf", "One page. Another."), pages=(0, 10), lost="page 3 holds no text", date="2026-11-22"),
]


def stored(retriever: Retriever, encoder: ToyEncoder | None = None) -> Retriever:
    return Retriever.from_blobs(retriever.to_blobs(), encoder or ToyEncoder(), retriever.probe)


def test_blobs_round_trip_documents_passages_and_hits() -> None:
    retriever = toy_retriever(AWKWARD)
    again = stored(retriever)
    assert again.passages[:] == retriever.passages[:]
    assert again.corpus == retriever.corpus
    assert again.corpus.sha256 == retriever.corpus.sha256
    assert again.retrieve("the ferry", k=2) == retriever.retrieve("the ferry", k=2)


def test_blobs_give_passages_of_one_document_the_same_document() -> None:
    one = document("long.txt", "\n".join(f"Sentence number {n} says a little about the harbour." for n in range(60)))
    again = stored(toy_retriever([one]))
    assert len(again.passages) > 2
    assert len({id(passage.document) for passage in again.passages}) == 1


def test_blobs_hold_no_text_but_the_documents() -> None:
    blobs = toy_retriever(toy_documents()).to_blobs()
    names = ("documents.json", "passages.i8", "passages.faiss", "sentences.i8", "sentences.faiss")
    assert sorted(blobs) == sorted([*names, "documents.txt", "lengths.i4", "postings.i4", "terms.json", "words.json"])
    assert blobs["documents.txt"].decode() == FERRY + HARBOUR + MUSEUM
    assert np.frombuffer(blobs["passages.i8"], "<i8").tolist()[3:6] == [1, 0, len(HARBOUR)]


# updates


def test_build_embeds_only_texts_that_are_not_known() -> None:
    documents = toy_documents()
    known = stored(toy_retriever(documents))
    encoder = ToyEncoder()
    changed = document("harbour.txt", "The harbour has 13 cranes. Ilse Brandt runs the harbour.")
    moved = document("a/ferry.txt", FERRY)
    told: list[tuple[int, int]] = []
    passages = [whole(one) for one in (moved, changed, documents[2])]
    updated = Retriever.build(passages, encoder, known=known, progress=lambda *done: told.append(done))
    assert encoder.documents_seen == [changed.text, "The harbour has 13 cranes."]
    assert told == [(2, 2)]
    anew = Retriever.build(passages, ToyEncoder())
    assert updated.to_blobs() == anew.to_blobs()
    assert updated.retrieve("the cranes and the ferry") == anew.retrieve("the cranes and the ferry")


def test_build_counts_the_words_of_every_document_once() -> None:
    long = document("long.txt", "\n".join(f"The ferry carries {n} boats to the harbour every day." for n in range(60)))
    twin = document("twin.txt", FERRY)
    known = stored(toy_retriever([long, twin, document("ferry.txt", FERRY)]))
    assert (known.words["harbour"], known.words["aas"]) == (60, 2)
    fewer = Retriever.build([whole(twin), whole(document("museum.txt", MUSEUM))], ToyEncoder(), known=known)
    assert (fewer.words["harbour"], fewer.words["aas"], fewer.words["museum"]) == (0, 1, 1)


def test_build_embeds_a_repeated_text_once() -> None:
    encoder = ToyEncoder()
    Retriever.build([whole(document(f"{name}.txt", HARBOUR)) for name in "abc"], encoder)
    assert len(encoder.documents_seen) == len(set(encoder.documents_seen)) == 3  # the text and its two sentences


def test_build_embeds_a_text_again_under_another_title() -> None:
    encoder = ToyEncoder()
    known = stored(toy_retriever([document("ferry.txt", FERRY)]))
    Retriever.build([whole(document("ferry.txt", FERRY, title="Boats"))], encoder, known=known)
    assert encoder.documents_seen == [f"Boats\n{FERRY}"]


class Tilted(ToyEncoder):
    """A toy whose vectors are a little different, under the same fingerprint."""

    tilt = 0.01

    def encode_query(self, texts: list[str], /) -> NDArray[np.float32]:
        """Return unit vectors that lean towards the first word of the vocabulary."""
        vectors = super().encode_query(texts) + np.eye(1, 10, dtype=np.float32) * self.tilt
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def test_an_encoder_that_gives_other_vectors_is_noticed_when_it_is_used() -> None:
    documents = toy_documents()
    opened = stored(toy_retriever(documents), Tilted())
    with pytest.raises(IndexStoreError, match="'toy-encoder' gives other vectors than when this index was made"):
        opened.retrieve("the ferry")
    with pytest.raises(IndexStoreError, match="build it again"):
        Retriever.build([whole(document("new.txt", "A museum."))], opened.encoder, known=opened)
    shorter = Retriever.build([whole(documents[0])], opened.encoder, known=opened)  # nothing to embed, nothing to mix
    with pytest.raises(IndexStoreError):
        shorter.retrieve("the ferry")


def test_an_encoder_whose_vectors_differ_by_rounding_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tilted, "tilt", 1e-4)
    assert stored(toy_retriever(toy_documents()), Tilted()).retrieve("the ferry")


def test_opening_does_not_use_the_encoder() -> None:
    class Absent(ToyEncoder):
        def encode_query(self, texts: list[str], /) -> NDArray[np.float32]:
            raise AssertionError("the encoder's weights are not here")

    known = toy_retriever(toy_documents())
    opened = stored(known, Absent())
    assert opened.to_blobs() == known.to_blobs()
    fewer = Retriever.build(opened.passages[:1], opened.encoder, known=opened)
    assert fewer.passages[:] == known.passages[:1]


def test_corpus_is_in_order_of_ids() -> None:
    corpus = toy_retriever(toy_documents()[::-1]).corpus
    assert [one.document_id for one in corpus.documents] == ["ferry.txt", "harbour.txt", "museum.txt"]


def test_retrieve_among_some_documents_gives_what_an_index_of_them_would_rank_alike() -> None:
    documents = toy_documents()
    everything = toy_retriever(documents)
    hits = everything.retrieve("Who runs the harbour?", among=lambda one: one.document_id != "harbour.txt")
    assert [hit.passage.document.document_id for hit in hits] == ["ferry.txt", "museum.txt"]
    assert everything.retrieve("Who runs the harbour?", among=lambda one: False) == []


def test_retrieve_scores_equal_passages_alike_in_whatever_company() -> None:
    """Products of matrices may round the last rows of a batch otherwise than the first."""

    class Dense(ToyEncoder):
        def encode_query(self, texts: list[str], /) -> NDArray[np.float32]:
            vectors = [np.random.default_rng(sum(map(ord, text))).normal(size=384) for text in texts]
            return np.array([vector / np.linalg.norm(vector) for vector in vectors], dtype=np.float32)

    for n in range(5, 40, 3):
        twins = [whole(document(f"{number:02d}.txt", HARBOUR)) for number in range(n)]
        hits = Retriever.build(twins, Dense()).retrieve("Who runs the ferry?", k=n)
        assert len({hit.score for hit in hits}) == 1
        assert [hit.passage.document.document_id for hit in hits] == sorted(p.document.document_id for p in twins)
