"""qa/training/compare.py: a reader's candidates become rows whose answer is where it is said to be."""

from dataclasses import replace

import pytest
from toys import document

from qa.answers import merge
from qa.datatypes import ScoredSpan, Span
from qa.evidence import SEPARATOR
from qa.training.compare import compared, corpora
from qa.training.prepare import is_development

PORT = document("port.txt", "The ferry takes 300 cars.")
TOWN = document("town.txt", "The museum has 4 rooms.")
ISLE = document("isle.txt", "The isle has 9 goats.")


def span(page: object, text: str, score: float) -> ScoredSpan:
    start = page.text.index(text)  # type: ignore[attr-defined]
    return ScoredSpan(page, Span(start, start + len(text)), score)  # type: ignore[arg-type]


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
