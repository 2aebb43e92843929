"""qa/answers.py: spans become values, values become answers, figures that differ become a disagreement."""

import math
from dataclasses import replace

import pytest
from toys import document

from qa.answers import LARGEST, Rivalry, RivalryFit, cite, conflicting, load_rivalry_fit, merge, rivalry
from qa.datatypes import Answer, Document, ScoredSpan, Span

A = document("a.txt", "The agency hunts 946 corrupt fugitives. It said so in 2014.")
B = document("b.txt", "The agency hunts 946 people. Sky Net began in 2015.")
C = document("c.txt", "The agency hunts 1,200 fugitives. It cost 5 million yuan.")


def span(document: Document, text: str, score: float) -> ScoredSpan:
    start = document.text.index(text)
    return ScoredSpan(document, Span(start, start + len(text)), score)


def texts_of(answers: list[Answer]) -> list[list[tuple[str, str]]]:
    return [[(c.document.document_id, c.quote) for c in answer.citations] for answer in answers]


def test_merge_takes_overlapping_spans_as_one_place() -> None:
    merged = merge([span(A, "946 corrupt", 2.0), span(A, "946", 5.0), span(A, "corrupt fugitives", 1.0)], limit=5)
    assert texts_of(merged) == [[("a.txt", "946")], [("a.txt", "corrupt fugitives")]]


def test_merge_joins_the_same_value_of_two_documents_into_one_answer_with_two_citations() -> None:
    merged = merge([span(B, "946", 1.0), span(A, "946 corrupt fugitives", 3.0)], limit=5)
    assert texts_of(merged) == [[("a.txt", "946 corrupt fugitives"), ("b.txt", "946")]]
    assert (merged[0].score, merged[0].confidence, merged[0].value) == (3.0, None, "946 corrupt fugitives")


def test_merge_joins_a_place_only_with_all_that_say_the_same() -> None:
    dates = document("d.txt", "Signed on 12 May. Signed on 12 May 2014. Signed on 12 May 2015.")
    first, second, third = "12 May", "12 May 2014", "12 May 2015"
    merged = merge([span(dates, first, 3.0), span(dates, second, 2.0), span(dates, third, 1.0)], limit=5)
    assert texts_of(merged) == [[("d.txt", first), ("d.txt", second)], [("d.txt", third)]]


def test_merge_joins_a_figure_whatever_it_is_said_to_count() -> None:
    counts = document("d.txt", "There were 946. There were 946 people. There were 946 fugitives.")
    spans = [span(counts, "946", 3.0), span(counts, "946 people", 2.0), span(counts, "946 fugitives", 1.0)]
    assert texts_of(merge(spans, limit=5)) == [[("d.txt", "946"), ("d.txt", "946 people"), ("d.txt", "946 fugitives")]]


def test_merge_takes_both_scores_from_the_best_place() -> None:
    spans = [replace(span(A, "946", 1.0), skim_score=9.0), replace(span(B, "946", 3.0), skim_score=-2.0)]
    (merged,) = merge(spans, limit=5)
    assert (merged.score, merged.skim_score) == (3.0, -2.0)


def test_merge_cites_no_further_place_that_is_rather_not_there() -> None:
    assert texts_of(merge([span(A, "946", 3.0), span(B, "946", -0.5)], limit=5)) == [[("a.txt", "946")]]


def test_merge_keeps_at_most_limit_answers_best_first() -> None:
    spans = [span(A, "2014", 1.0), span(B, "2015", 2.0), span(C, "1,200", 3.0)]
    assert [answer.text for answer in merge(spans, limit=2)] == ["1,200", "2015"]


def test_merge_does_not_depend_on_the_order_of_the_spans() -> None:
    spans = [span(A, "946", 2.0), span(B, "946", 2.0), span(C, "1,200", 2.0)]
    assert merge(spans, limit=5) == merge(spans[::-1], limit=5)


def test_merge_of_nothing_is_nothing() -> None:
    assert merge([], limit=5) == []


def test_merge_gives_the_sentence_around_a_place() -> None:
    assert merge([span(A, "2014", 1.0)], limit=1)[0].citations[0].context == "It said so in 2014."


def sides(*spans: ScoredSpan) -> list[str]:
    return [answer.text for answer in conflicting(merge(spans, limit=5))]


@pytest.mark.usefixtures("regression")
def test_conflicting_shows_figures_of_different_documents() -> None:
    assert sides(span(A, "946", 3.0), span(C, "1,200", 1.0)) == ["946", "1,200"]


@pytest.mark.usefixtures("regression")
def test_conflicting_shows_years_of_different_documents() -> None:
    one, other = document("1.txt", "Sky Net began in 2014."), document("2.txt", "The start of Sky Net was late 2015.")
    assert sides(span(one, "2014", 3.0), span(other, "late 2015", 1.0)) == ["2014", "late 2015"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("The debt is 6 million pounds.", "6 million pounds"), ("The debt is 13.6 million.", "13.6 million")),
        (("The wall is 118 metres high.", "118 metres"), ("The wall has 121 metres.", "121 metres")),
        (("It signed 39 extradition treaties.", "39"), ("It signed treaties with 48 countries.", "48 countries")),
        (("It found 2,014 people.", "2,014"), ("It found 946 people.", "946")),
        (("It hunts 946 people.", "946"), ("It hunts fewer than 500 people.", "fewer than 500")),
        (("It hunts 946 people.", "946"), ("It hunts fewer than 500 people.", "500")),
        (
            ("It hunts more than 4,000 economic fugitives.", "more than 4,000 economic fugitives"),
            ("Around 2,600 fugitives are free.", "Around 2,600 fugitives"),
        ),
        (("It began on 31 December 2014.", "31 December 2014"), ("It began on 30 December.", "30 December")),
        (("It has 12 overseas offices.", "12 overseas offices"), ("It has 15 offices.", "15 offices")),
    ],
)
@pytest.mark.usefixtures("regression")
def test_conflicting_shows_figures_of_one_kind(one: tuple[str, str], other: tuple[str, str]) -> None:
    spans = span(document("1.txt", one[0]), one[1], 5.0), span(document("2.txt", other[0]), other[1], 3.0)
    assert sides(*spans) == [one[1], other[1]]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (span(B, "2015", 2.0), "a year is not a count"),
        (span(B, "Sky Net", 2.0), "no figure"),
        (span(document("d.txt", "The agency hunts more than 40."), "more than 40", 2.0), "a looser form"),
        (span(document("d.txt", "The agency hunts 3 or 4 people."), "3 or 4", 2.0), "two figures"),
        (span(document("d.txt", "It took 946 days."), "946 days", 2.0), "the same number"),
    ],
)
def test_rivalry_is_none_where_both_may_be_right_or_are_not_of_one_kind(other: ScoredSpan, why: str) -> None:
    first, second = merge([span(A, "946", 3.0)], limit=1) + merge([other], limit=1)
    assert rivalry(first, second) is None, why


@pytest.mark.parametrize(
    ("one", "other"), [("7 years", "9 dollars"), ("7 percent", "9"), ("8 years", "8"), ("8", "8 km")]
)
def test_rivalry_is_none_for_another_measure_and_for_one_figure_without_its_unit(one: str, other: str) -> None:
    spans = [span(document(f"{at}.txt", f"It was {text}."), text, 3.0) for at, text in enumerate((one, other))]
    first, second = (merge([place], limit=1)[0] for place in spans)
    assert rivalry(first, second) is None


def test_rivalry_reads_a_bare_figure_in_the_unit_that_the_other_was_written_in() -> None:
    spans = [span(document(f"{at}.txt", f"It took {text}."), text, 3.0) for at, text in enumerate(("8 years", "6"))]
    first, second = (merge([place], limit=1)[0] for place in spans)
    for pair in ((first, second), (second, first)):
        assert rivalry(*pair) == Rivalry(0.0, pytest.approx(math.log(8 / 6)), 0.0, 0.0)


def test_rivalry_says_how_likely_how_far_apart_and_whether_of_one_document() -> None:
    first, other = merge([span(A, "946", 3.0), span(C, "1,200", -2.0)], limit=5)
    apart = pytest.approx(math.log(1200 / 946))
    assert rivalry(first, other) == Rivalry(-2.0, apart, 0.0, 0.0)
    assert rivalry(first, replace(other, score=7.0)) == Rivalry(0.0, apart, 0.0, 0.0)  # no certainty
    assert rivalry(first, replace(other, plausibility=0.75)) == Rivalry(pytest.approx(math.log(3)), apart, 0.0, 0.0)
    told = "It opened on 4 May 2010. Critics say: on 6 May 2010. It cost 0 euros. Or 9 euros. Or 4,000 euros."
    one = document("1.txt", told)
    spans = [span(one, text, -1.0) for text in ("4 May 2010", "6 May 2010", "0 euros", "9 euros", "4,000 euros")]
    may, later, nothing, nine, thousands = merge(spans, limit=5)
    assert rivalry(may, later) == Rivalry(-1.0, 0.0, 1.0, 1.0)
    assert rivalry(nine, nothing) == rivalry(nine, thousands) == Rivalry(-1.0, math.log(LARGEST), 1.0, 0.0)


def test_rivalry_compares_figures_too_large_for_a_float() -> None:
    texts = ["9" * 400, "4" + "9" * 399]
    first, other = merge([span(document(f"{at}.txt", f"It is {t}."), t, 3.0) for at, t in enumerate(texts)], limit=5)
    assert rivalry(first, other) == Rivalry(0.0, pytest.approx(math.log(2)), 0.0, 0.0)


def test_rivalry_is_none_within_a_sentence() -> None:
    one = document("2.txt", "Its offices abroad rose from 12 offices in spring to 15 offices abroad.")
    assert rivalry(*merge([span(one, "12 offices", 3.0), span(one, "15 offices", 1.0)], limit=5)) is None


@pytest.mark.usefixtures("regression")
@pytest.mark.parametrize(("score", "shown"), [(-2.0, 2), (-2.001, 1)])  # a logit of 0: a probability of a half
def test_conflicting_shows_what_reaches_the_threshold(score: float, shown: int) -> None:
    one, other = document("1.txt", "It opened in May 2010."), document("2.txt", "It opened in May 2014.")
    assert len(sides(span(one, "May 2010", 3.0), span(other, "May 2014", score))) == shown


def test_the_probability_is_the_logistic_function_of_what_is_weighed(regression: RivalryFit) -> None:
    assert regression.probability(Rivalry(math.log(3) - 2, 0.0, 0.0, 1.0)) == pytest.approx(0.75)
    assert regression.probability(Rivalry(1.0, 0.0, 1.0, 0.0)) == pytest.approx(0.5)
    assert regression.probability(Rivalry(0.0, 1.0, 0.0, 0.0)) == pytest.approx(0.5)


@pytest.mark.usefixtures("regression")
def test_conflicting_shows_only_rivals_of_every_side() -> None:
    texts = ("The agency hunts 946.", "The agency hunts 1,300.", "The agency hunts more than 1,100.")
    quotes = ("946", "1,300", "more than 1,100")
    spans = [span(document(f"{at}.txt", texts[at]), quotes[at], 3.0 - at / 2) for at in range(3)]
    assert sides(*spans) == ["946", "1,300"]


def test_the_shipped_fit_prefers_the_likelier_the_nearer_and_another_document() -> None:
    fitted = load_rivalry_fit()
    assert 0 < fitted.threshold < 1
    near = Rivalry(log_odds=1.0, log_ratio=0.2, same_document=0.0, date=0.0)
    worse = [near._replace(log_odds=-1.0), near._replace(log_ratio=2.0), near._replace(same_document=1.0)]
    worse += [near._replace(date=1.0, log_ratio=0.0)]
    assert all(fitted.probability(near) > fitted.probability(one) for one in worse)
    assert fitted.probability(near) > fitted.threshold


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        ("2.80 florins", "2.4 billion florins", 1),  # a ticket and a tunnel
        ("almost 15 florins", "14.8 florins", 1),
        ("almost 15 florins", "13.8 florins", 2),
        ("15.1 florins", "14.8 florins", 2),
    ],
)
@pytest.mark.usefixtures("regression")
def test_conflicting_leaves_out_other_magnitudes_and_rounded_forms(one: str, other: str, shown: int) -> None:
    texts = [f"The new line costs {one} in all.", f"Officials say the new line costs {other}."]
    spans = [span(document(f"{at}.txt", texts[at]), text, 3.0 - at) for at, text in enumerate((one, other))]
    assert len(sides(*spans)) == shown


@pytest.mark.parametrize(
    ("one", "before", "other"),
    [
        ("14.8 florins", "nearly", "15 florins"),
        ("946 florins", "more than", "900 florins"),
        ("946 florins", "at least", "400 florins"),
        ("14 florins", "about HK$", "31"),
    ],
)
@pytest.mark.usefixtures("regression")
def test_conflicting_hears_what_binds_a_figure_just_before_the_quote(one: str, before: str, other: str) -> None:
    first = span(document("1.txt", f"The line costs {one}."), one, 3.0)
    said = f"The line costs {before} {other}.".replace("$ ", "$")
    assert len(sides(first, span(document("2.txt", said), other, 1.0))) == 1


def test_merge_keeps_apart_figures_that_are_bound_just_before_the_quote() -> None:
    texts = ("The agency hunts more than 500.", "The agency hunts fewer than 500.", "The agency hunts over 500.")
    spans = [span(document(f"{at}.txt", text), "500", 3.0 - at) for at, text in enumerate(texts)]
    merged = merge(spans, limit=5)
    assert texts_of(merged) == [[("0.txt", "500"), ("2.txt", "500")], [("1.txt", "500")]]
    assert [answer.value for answer in merged] == ["500", "500"]


@pytest.mark.usefixtures("regression")
def test_conflicting_shows_years_however_near() -> None:
    one, other = document("1.txt", "The line opened around 1990."), document("2.txt", "The line opened in 2015.")
    assert sides(span(one, "around 1990", 3.0), span(other, "2015", 1.0)) == ["around 1990", "2015"]


# voices


def test_voices_are_documents_that_say_it_in_their_own_words() -> None:
    wire = "The agency hunts 946 corrupt fugitives, it said on Monday."
    copy = document("copy.txt", f"{wire} More soon.")
    lightly = document("light.txt", "The agency hunts 946 corrupt fugitives abroad, it said on Monday.")
    own = document("own.txt", "Some 946 people are wanted abroad.")
    said = [cite(span(one, "946", 1.0)) for one in (document("wire.txt", wire), copy, lightly, own)]

    def voices(*numbers: int) -> int:
        return Answer("946", 1.0, None, tuple(said[number] for number in numbers)).voices

    assert [voices(0), voices(0, 0), voices(0, 1, 2), voices(0, 3), voices(0, 1, 2, 3)] == [1, 1, 1, 2, 2]


def test_voices_of_one_wire_paragraph_cited_at_two_of_its_sentences_are_one() -> None:
    wire = "The agency hunts 946 people, it said on Monday. A hotline takes calls about the 946 day and night."
    papers = [document(f"{number}.txt", f"{wire} Paper {number} goes on.") for number in range(2)]
    first, second = (cite(ScoredSpan(one, Span(at, at + 3), 1.0)) for one, at in ((papers[0], 17), (papers[1], 80)))
    assert first.quote == second.quote == "946"
    assert first.context != second.context
    assert Answer("946", 1.0, None, (first, second)).voices == 1
