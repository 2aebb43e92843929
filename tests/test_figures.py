"""qa/figures.py: the one figure of a folded text, its unit, and what it leaves open."""

from decimal import Decimal

import pytest

from qa.figures import Quantity, binding, quantity


def figure(value: str) -> Quantity:
    found = quantity(value)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("value", "number", "unit"),
    [
        ("946", 946, ""),
        ("us$31 million", 31_000_000, "dollar"),
        ("2.5bn yuan", 2_500_000_000, "yuan"),
        ("12 years", 144, "month"),
        ("39 percent", 39, "%"),
        ("more than 40 treaties", 40, ""),
        ("40 percentage points", 40, "percentage point"),
        ("one", 1, ""),
        ("one thousand two hundred", 1200, ""),
        ("one hundred and one thousand", 101_000, ""),
        ("half a dozen people", 6, ""),
        ("-5 degrees", -5, "degree"),
        ("5 million canadian dollars", 5_000_000, "canadian dollar"),
        ("2,014", 2014, ""),
        ("40 a day", 40, ""),
        ("seven children", 7, ""),
        ("twelve days", 12, "day"),
        ("seventeen", 17, ""),
        ("thirty-nine percent", 39, "%"),
        ("forty", 40, ""),
        ("ninety one", 91, ""),
        ("two million", 2_000_000, ""),
    ],
)
def test_quantity_is_the_one_figure_with_its_magnitude_and_unit(value: str, number: int, unit: str) -> None:
    found = figure(value)
    assert (found.number, found.unit) == (Decimal(number), unit)


@pytest.mark.parametrize(
    "value",
    [
        *("", "sky net", "39 or 48", "often", "two of the seven", "two or three", "one of them", "no one", "hundreds"),
        *("two thirds", "two and a half million", "nineteen eighty-four", "five and six", "1990s", "3rd", "118 m"),
    ],
)
def test_quantity_of_no_figure_several_or_a_part_of_one_is_none(value: str) -> None:
    assert quantity(value) is None


@pytest.mark.parametrize(
    ("value", "rest"),
    [("946", ()), ("only 946 fugitives", ("fugitives",)), ("nearly us$5m a year or so later", ("year", "later"))],
)
def test_quantity_keeps_the_words_that_are_no_part_of_the_figure(value: str, rest: tuple[str, ...]) -> None:
    assert figure(value).rest == rest


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("946 fugitives", "946 officials", True),
        ("more than 40", "40 or more", True),
        ("about 40", "40", True),
        ("at least 40", "40", False),
        ("at least 40", "at most 40", False),
        ("5%", "5", False),
        ("5 degrees", "-5 degrees", False),
    ],
)
def test_same_figure_is_of_number_unit_and_open_side(one: str, other: str, *, same: bool) -> None:
    assert figure(one).same_figure(figure(other)) is same
    assert figure(other).same_figure(figure(one)) is same


def excludes(one: str, other: str) -> bool:
    this, that = figure(one), figure(other)
    assert this.excludes(that) is that.excludes(this)
    return this.excludes(that)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("39", "40"),
        ("39 treaties", "48 treaties"),
        ("110", "120"),
        ("2,600", "4,000"),
        ("500 officers", "540 officers"),
        ("946", "fewer than 500"),
        ("946", "no more than 500"),
        ("946", "1,000 or more"),
        ("more than 4,000 economic fugitives", "around 2,600 fugitives"),
        ("6 million pounds", "13.6 million"),
        ("-5 degrees", "5 degrees"),
        ("2 years", "12 months"),
    ],
)
def test_excludes_holds_for_what_cannot_both_be(one: str, other: str) -> None:
    assert excludes(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("946", "more than 900"),
        ("946", "900"),
        ("946", "nearly 1,000"),
        ("946", "just over 900"),
        ("more than 90", "more than 70 countries"),
        ("up to 500", "fewer than 300"),
        ("1,234,567", "1.2 million"),
        ("$31.2 million", "$31 million"),
        ("12 months", "1 year"),
        ("30 percent", "46 members"),
        ("30 percent", "46"),
        ("13 percent", "15 percentage points"),
        ("hk$31 million", "$40 million"),
    ],
)
def test_excludes_does_not_hold_for_what_may_both_be_or_is_of_another_kind(one: str, other: str) -> None:
    assert not excludes(one, other)


@pytest.mark.parametrize(
    ("value", "before", "bound"),
    [
        ("900", "It has signed more\nthan ", "more\nthan "),
        ("31 million", "It cost nearly US$", "nearly US$"),
        ("5 degrees", "It fell to minus ", "minus "),
        ("hk$31 million", "Up to ", "Up to "),
        *(("40", before, "") for before in ("", "rather than ", "more than that, ", "from 2010-")),
        ("sky net", "more than ", ""),
        ("all 40", "more than ", ""),
    ],
)
def test_binding_is_what_belongs_to_the_figure_at_once_before_it(value: str, before: str, bound: str) -> None:
    assert binding(value, before) == bound
