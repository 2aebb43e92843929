"""qa/values.py: what two ways of writing a value have in common."""

from decimal import Decimal

import pytest
from hypothesis import given
from strategies import texts, thorough

from qa.values import Day, day, fold, quantity, same_value


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The  United States,", "united states"),
        ("in Zürich", "ZURICH"),
        ("1,200", "1200"),
        ("“Sky Net”", "Sky Net"),
        ("the “Sky Net”", "Sky Net"),
        ("in about 2014", "2014"),
        ("\uff19\uff14\uff16", "946"),
        ("China’s", "China's"),
    ],
)
def test_fold_makes_equal_what_reads_the_same(one: str, other: str) -> None:
    assert fold(one) == fold(other)


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
        ("1.2bn yuan", "1200000000 renminbi"),
        ("5%", "5 per cent"),
        ("thirty-nine", "39 treaties"),
        ("9.5 km", "9.5 kilometres"),
        ("dec. 31", "31 december"),
        ("31 december 2014", "dec 31"),
        ("us", "united states"),
        ("u.s", "united states"),
        ("who", "world health organization"),
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
    ("value", "number", "unit"),
    [
        ("946", 946, ""),
        ("us$31 million", 31_000_000, "dollar"),
        ("2.5bn yuan", 2_500_000_000, "yuan"),
        ("12 years", 12, "year"),
        ("39 percent", 39, "%"),
        ("more than 40 treaties", 40, ""),
        ("december 2014", 2014, ""),
        ("seven children", 7, ""),
        ("twelve years", 12, "year"),
        ("seventeen", 17, ""),
        ("thirty-nine percent", 39, "%"),
        ("forty", 40, ""),
        ("ninety one", 91, ""),
        ("two million", 2_000_000, ""),
    ],
)
def test_quantity_is_the_one_figure_with_its_magnitude_and_unit(value: str, number: int, unit: str) -> None:
    found = quantity(value)
    assert found is not None
    assert (found.number, found.unit) == (Decimal(number), unit)


@pytest.mark.parametrize("value", ["", "sky net", "39 or 48", "dec. 31", "one of them", "often", "two of the seven"])
def test_quantity_of_no_figure_several_or_a_day_is_none(value: str) -> None:
    assert quantity(value) is None


def test_day_needs_a_month_and_a_day() -> None:
    assert day("31 december 2014") == Day(2014, 12, 31)
    assert day("dec. 31") == Day(None, 12, 31)
    assert day("feb. 29") == Day(None, 2, 29)
    assert [day(value) for value in ("december 2014", "2014", "may", "the may fair", "31", "40 may 2014")] == [None] * 6
