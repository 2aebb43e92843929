"""qa/values.py: what two ways of writing a value have in common."""

import pytest
from hypothesis import given
from strategies import texts, thorough

from qa.figures import Quantity
from qa.values import Date, date, fold, reading, said, same_value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The  United States,", "united states"),
        ("in Zürich", "ZURICH"),
        ("1,200", "1200"),
        ("“Sky Net”", "Sky Net"),
        ("the “Sky Net”", "Sky Net"),
        ("in 2014", "2014"),
        ("Mr. Liu Jianchao", "Liu Jianchao"),
        ("(-5 degrees)", "-5 degrees"),
        ("\uff19\uff14\uff16", "946"),
        ("China’s", "China's"),
        ("Jian\u00adchao", "Jianchao"),
        ("946¹", "946"),
        (".5%", "0.5%"),
        ("1½ million", "1.5 million"),
        ("½ a point", "0.5 a point"),
        ("–5 degrees", "-5 degrees"),
        ("5 km²", "5 square km"),
        ("120 m2", "120 m²"),
        ("≤\u00a05", "at most 5"),
        ("<5%", "less than 5%"),
        ("≥ $5", "at least $5"),
        ("1,00,000", "100000"),
    ],
)
def test_fold_makes_equal_what_reads_the_same(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2,014", "2014"),
        ("-5", "5"),
        ("at least 40", "40"),
        ("about 40", "40"),
        ("3,5%", "35%"),
        ("3,1415", "31415"),
        ("...5", "0.5"),
        ("10⁶", "10⁹"),
        ("-> 946", "more than 946"),
    ],
)
def test_fold_keeps_what_makes_another_figure(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(texts(max_size=8))
@thorough
def test_fold_of_a_folded_text_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("946", "946 corrupt fugitives"),
        ("sky net", "operation sky net"),
        ("2014", "december 2014"),
        ("liu jianchao", "liu jianchao"),
        ("us$31 million", "31 million dollars"),
        ("usd 31 million", "$31 million"),
        ("31 million u.s. dollars", "$31 million"),
        ("$5 mn", "5 million dollars"),
        ("rs 5 crore", "rs 50 million"),
        ("5 or higher", "at least 5"),
        ("u.s. government", "us government"),
        ("12 may 2014", "12 may 2014 at 10:30"),
        ("5-sep-14", "5 september 2014"),
        ("j.r.r. tolkien", "j. r. r. tolkien"),
        ("kim jong-un", "kim jong un"),
        ("johnson & johnson", "johnson and johnson"),
        ('operation "sky net', "operation sky net"),
        ("1.2bn yuan", "1200000000 renminbi"),
        ("5%", "5 per cent"),
        ("thirty-nine", "39 treaties"),
        ("9.5 km", "9.5 kilometres"),
        ("dec. 31", "31 december"),
        ("31 december 2014", "dec 31"),
        ("us", "united states"),
        ("u.s", "united states"),
        ("who", "world health organization"),
        ("usa", "us"),
        ("usa", "united states"),
        ("wildlife protection bureau (wpb", "wpb"),
        ("wildlife protection bureau (wpb", "wildlife protection bureau"),
        ("liu jianchao", "director liu jianchao"),
        ("j. smith", "john smith"),
        ("one hundred and twenty", "120"),
        ("two hundred thousand soldiers", "200000"),
        ("two dozen", "24"),
        ("dozen", "12"),
        ("half a million", "500000"),
        ("one million", "1 million"),
        ("one official", "1"),
        ("12 months", "1 year"),
        ("two weeks", "14 days"),
        ("2 km", "2000 metres"),
        ("6 ft", "6 feet"),
        ("10-20", "10 to 20"),
        ("$118m", "118 million us dollars"),
        ("minus 5 degrees", "-5 degrees"),
        ("about 40", "40"),
        ("more than 40", "over 40 treaties"),
        ("at least 40", "40 or more"),
        ("2,014", "2014 people"),
        ("nov. 2012", "november 2012"),
        ("2014-12-31", "31 december 2014"),
        ("late 2014", "2014"),
    ],
)
def test_same_value_holds_for_the_same_with_more_words(one: str, other: str) -> None:
    assert same_value(one, other)
    assert same_value(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("46", "46 million"),
        ("40", "more than 40"),
        ("46", "46 percent"),
        ("12", "13"),
        ("946", "9460"),
        ("2014", "31 december 2014"),
        ("sky net", "fox hunt"),
        ("31 million", "$31 million"),
        ("31 million dollars", "31 million euros"),
        ("12 years", "12 months"),
        ("946 fugitives", "946 officials"),
        ("dec. 31", "dec. 30"),
        ("31 december 2014", "31 december 2015"),
        ("march 2014", "december 2014"),
        ("un", "united states"),
        ("guilty", "not guilty"),
        ("li", "li keqiang"),
        ("", "946"),
        ("sudan", "south sudan"),
        ("ireland", "northern ireland"),
        ("president", "vice president"),
        ("director", "former deputy director"),
        ("liu jianchao", "son of liu jianchao"),
        ("peru", "peru and chile"),
        ("safe", "isn't safe"),
        ("leave", "cannot leave"),
        ("theft", "denied theft"),
        ("r. smith", "john smith"),
        ("wildlife protection bureau (wpb", "wwf"),
        ("two", "two thirds"),
        ("several hundred", "100"),
        ("guinea-bissau", "guinea"),
        ("semi-final", "final"),
        ("by-election", "election"),
        ("a few thousand", "1000"),
        ("eur 5 million", "usd 5 million"),
        ("50 pence", "50 cents"),
        ("less than 5%", "more than 5%"),
        ("10-12 may 2014", "12 may 2010"),
        ("may 5 and 6", "5 may 2006"),
        ("a friday in may 2014", "2 may 2014"),
        ("may '68", "may 2068"),
        ("two thirds", "2"),
        ("one", "one of them"),
        ("two million", "two and a half million"),
        ("5 degrees", "-5 degrees"),
        ("5 degrees", "minus 5 degrees"),
        ("2014", "before 2014"),
        ("2014", "since 2014"),
        ("early 2014", "december 2014"),
        ("december 31", "december 2014"),
        ("2014", "2,014"),
        ("$5 million", "5 million canadian dollars"),
        ("$31 million", "hk$31 million"),
        ("5 kilometres", "5 square kilometres"),
        ("13 percent", "13 percentage points"),
        ("1990", "1990s"),
        ("40", "40 or more"),
        ("fewer than 500", "more than 500"),
        ("118 m", "118 metres"),
        ("118 m", "118 million"),
        ("40 days", "40 a day"),
        ("peru", "peru and every other country that has signed a treaty"),
    ],
)
def test_same_value_does_not_hold_for_another_value(one: str, other: str) -> None:
    assert not same_value(one, other)
    assert not same_value(other, one)


@given(texts(max_size=8), texts(max_size=8))
@thorough
def test_same_value_does_not_mind_the_order_and_takes_any_text(one: str, other: str) -> None:
    one, other = fold(one), fold(other)
    assert same_value(one, other) is same_value(other, one)
    assert same_value(one, one)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("31 december 2014", Date(2014, 12, 31)),
        ("2014-12-31", Date(2014, 12, 31)),
        ("dec. 31", Date(None, 12, 31)),
        ("feb. 29", Date(None, 2, 29)),
        ("sept. 2014", Date(2014, 9)),
        ("2014", Date(2014)),
        ("the end of 2014", Date(2014, words=("end",))),
        ("before may 2014", Date(2014, 5, words=("before",))),
        *((value, None) for value in ("may", "the may fair", "31", "40 may 2014", "2,014", "1990s", "2014 people")),
    ],
)
def test_date_is_a_year_or_says_two_things_at_least(value: str, named: Date | None) -> None:
    assert date(value) == named


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        *((value, Date) for value in ("2014", "december 2014", "dec. 31", "before may 2014")),
        *((value, Quantity) for value in ("946", "2,014", "2014 people", "31 days")),
        *((value, type(None)) for value in ("", "sky net", "39 or 48", "may")),
    ],
)
def test_reading_is_a_date_before_it_is_a_figure(value: str, kind: type) -> None:
    assert type(reading(value)) is kind


def excludes(one: str, other: str) -> bool:
    this, that = date(one), date(other)
    assert this is not None
    assert that is not None
    assert this.excludes(that) is that.excludes(this)
    return this.excludes(that)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("31 december 2014", "30 december 2014"),
        ("3 may 2014", "7 june 2015"),
        ("november 2012", "december 2012"),
        ("nov. 2012", "2013"),
        ("since 2012", "since 2014"),
    ],
)
def test_excludes_holds_for_dates_that_share_no_day(one: str, other: str) -> None:
    assert excludes(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2014", "3 may 2014"),
        ("dec. 31", "31 december 2014"),
        ("march 5", "march 2014"),
        ("before 2014", "2016"),
        ("since 2014", "2012"),
    ],
)
def test_excludes_does_not_hold_for_dates_that_may_share_a_day(one: str, other: str) -> None:
    assert not excludes(one, other)


@pytest.mark.parametrize(
    ("before", "quote", "value"),
    [
        ("It has signed more\nthan ", "900", "more than 900"),
        ("It cost nearly US$", "31 million", "nearly us$31 million"),
        ("It fell to minus ", "5 degrees", "minus 5 degrees"),
        ("not one since ", "2014", "since 2014"),
        ("This came after ", "946 people fled", "946 people fled"),
        ("people, rather than ", "40", "40"),
        ("from 2010-", "20", "20"),
        ("more than ", "Sky Net", "sky net"),
    ],
)
def test_said_takes_in_what_binds_a_figure_just_before_the_quote(before: str, quote: str, value: str) -> None:
    assert said(quote, before) == value


@pytest.mark.parametrize("before", ["> ", "<b>", "-> ", "<td>", "Reply: >> "])
def test_marks_of_other_kinds_bind_no_figure(before: str) -> None:
    assert said("946 people", before) == "946 people"


@pytest.mark.parametrize("before", ["p < ", "it is > ", "(<"])
def test_a_comparison_before_a_figure_binds_it(before: str) -> None:
    assert said("5%", before).endswith(" than 5%")


def test_a_date_that_names_no_day_is_no_figure() -> None:
    assert reading("a friday in may 2014") is None
