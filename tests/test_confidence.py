"""qa/confidence.py: features worked by hand, and what a calibration does with them."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import thorough
from toys import document

from qa.answers import merge
from qa.confidence import Calibration, Features, features, load_calibration, save_calibration
from qa.datatypes import Document, Hit, Passage, ScoredSpan, Span

HARBOUR = document("harbour.txt", "The harbour has 12 cranes. Ilse Brandt runs it.")
SURVEY = document("survey.txt", "The harbour has 15 cranes and 3 boats.")
PLAIN = Features(score=1.0, skim_score=1.0, similarity=0.5, sentence_overlap=0.5)
UNIT = st.floats(0.01, 0.99)
CALIBRATION = Calibration("reader-1", {"score": 0.7, "similarity": 0.2}, -0.6, 0.41, 1.0, 0.0)


def hit(document: Document, similarity: float) -> Hit:
    return Hit(Passage(document, Span(0, len(document.text))), 1 / 61, similarity)


def span(document: Document, text: str, score: float) -> ScoredSpan:
    start = document.text.index(text)
    return ScoredSpan(document, Span(start, start + len(text)), score)


def described(question: str, *spans: ScoredSpan) -> list[Features]:
    return features(question, merge(spans, limit=5), [hit(SURVEY, 0.9), hit(HARBOUR, 0.6)])


def test_features_of_two_answers_are_as_worked_by_hand() -> None:
    # the question's terms: harbour, crane, brandt; "How many ... has" are small words but "many", which no text has
    skimmed = replace(span(HARBOUR, "12", 3.0), skim_score=-1.0)
    first, second = described("How many cranes has Brandt's harbour?", skimmed, span(SURVEY, "15", 1.0))
    asked = 5  # many, crane, brandt, s, harbour
    assert first == Features(
        score=3.0,
        skim_score=-1.0,
        similarity=0.6,
        sentence_overlap=pytest.approx(2 / asked),  # crane, harbour
    )
    assert (second.score, second.skim_score, second.similarity) == (1.0, 0.0, 0.9)
    assert second.sentence_overlap == pytest.approx(2 / asked)


def test_features_do_not_depend_on_other_answers_or_passages() -> None:
    alone = features("How many?", merge([span(HARBOUR, "12", 3.0)], limit=5), [hit(HARBOUR, 0.6)])[0]
    among = described("How many?", span(HARBOUR, "12", 3.0), span(SURVEY, "15", 1.0), span(SURVEY, "3", 2.9))[0]
    assert alone == among


def test_features_of_an_answer_outside_every_hit_have_no_similarity() -> None:
    answers = merge([span(HARBOUR, "12", 3.0)], limit=5)
    alone = features("harbour", answers, [hit(SURVEY, 0.9)])[0]
    assert alone.similarity == 0.0


def test_features_of_a_question_of_small_words_share_nothing() -> None:
    assert described("What is the?", span(HARBOUR, "12", 3.0))[0].sentence_overlap == 0.0


def test_features_of_no_answers_are_none() -> None:
    assert described("How many cranes?") == []


def test_plausibility_is_the_logistic_function_of_the_weighted_sum() -> None:
    # -0.6 + 0.7 * 1 + 0.2 * 0.5 = 0.2
    assert CALIBRATION.plausibility(PLAIN) == pytest.approx(1 / (1 + math.exp(-0.2)))


@given(one=st.floats(-40, 40), other=st.floats(-40, 40))
@thorough
def test_plausibility_grows_with_score(one: float, other: float) -> None:
    low, high = (CALIBRATION.plausibility(replace(PLAIN, score=score)) for score in sorted((one, other)))
    assert 0 < low <= high < 1


def test_absurd_scores_do_not_overflow() -> None:
    sure, never = (CALIBRATION.plausibility(replace(PLAIN, score=score)) for score in (1e300, -1e300))
    assert 0 < never < 1e-9
    assert 1 - 1e-9 < sure < 1
    assert CALIBRATION.confidence(sure, [sure, never]) == pytest.approx(0.5)
    assert 0 < CALIBRATION.confidence(never, [sure, sure]) < 1e-9


def test_confidences_are_shares_of_the_odds_among_the_others_and_none() -> None:
    # odds 3, 1 and 1/3, and 1 of "none of them"
    assert CALIBRATION.confidence(3 / 4, [1 / 2, 1 / 4]) == pytest.approx(9 / 16)
    assert CALIBRATION.confidence(1 / 4, [1 / 2, 3 / 4]) == pytest.approx(1 / 16)
    assert CALIBRATION.confidence(3 / 4, []) == pytest.approx(3 / 4)
    stretched = replace(CALIBRATION, slope=2.0, shift=math.log(5))
    assert stretched.confidence(3 / 4, [1 / 2]) == pytest.approx(45 / 49)  # odds of the share: 3/2


@given(plausibility=UNIT, others=st.lists(UNIT, min_size=1, max_size=4), more=UNIT, rival=UNIT)
@thorough
def test_confidence_grows_with_the_answer_and_falls_with_its_rivals(
    plausibility: float, others: list[float], more: float, rival: float
) -> None:
    confidence = CALIBRATION.confidence(plausibility, others)
    assert CALIBRATION.confidence(max(plausibility, more), others) >= confidence
    assert CALIBRATION.confidence(plausibility, [max(others[0], rival), *others[1:]]) <= confidence
    assert CALIBRATION.confidence(plausibility, [*others, rival]) <= confidence <= plausibility


def test_calibration_round_trip(tmp_path: Path) -> None:
    save_calibration(CALIBRATION, path=tmp_path / "calibration.json")
    assert load_calibration(reader_fingerprint="reader-1", path=tmp_path / "calibration.json") == CALIBRATION


def test_load_calibration_of_another_reader_is_none(tmp_path: Path) -> None:
    save_calibration(CALIBRATION, path=tmp_path / "calibration.json")
    assert load_calibration(reader_fingerprint="reader-2", path=tmp_path / "calibration.json") is None
