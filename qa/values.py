"""A quoted value -> what it says, so that two ways of writing it compare. In: texts; out: whether they say the same.

Figures with their magnitude and unit, days, and names with their initials; other text is compared by its words.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache

from dateutil.parser import ParserError  # type: ignore[import-untyped]  # it ships no types
from dateutil.parser import parse as parse_date

MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"
_WORDS = (  # "one" is left out: it is more often no figure
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen "
    "nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_DIGITS = "|".join(["one", *_WORDS[:8]])
_SPELT = rf"(?:(?:{'|'.join(_TENS)})(?:[ -](?:{_DIGITS}))?|{'|'.join(sorted(_WORDS, key=len, reverse=True))})"
NUMBER = re.compile(rf"\d[\d,]*(?:\.\d+)?|\b{_SPELT}\b")
LOOSE = re.compile(r"\b(?:than|over|least|most|up to|under|below|above)\b")
_MAGNITUDES = {
    "hundred": 2,
    "thousand": 3,
    "k": 3,
    "million": 6,
    "mln": 6,
    "m": 6,
    "billion": 9,
    "bn": 9,
    "trillion": 12,
}
_UNITS = {  # what it is measured in -> how that is written, as whole words
    "%": r"%|per ?cent|percentage points?",
    "dollar": r"(?:us|u\.s\. ?)?\$|us dollars?|dollars?|usd",
    "euro": r"€|euros?|eur",
    "pound": r"£|pounds?|gbp",
    "yuan": r"¥|yuan|renminbi|rmb",
    "cent": r"pence|cents?",
    **{
        f"{unit}": rf"{unit}s?"
        for unit in ("year", "month", "week", "day", "hour", "minute", "degree", "mile", "hectare")
    },
    "metre": r"met(?:re|er)s?",
    "kilometre": r"kilomet(?:re|er)s?|km",
    "kilogram": r"kilograms?|kilos?|kg",
    "ton": r"tonnes?|tons?",
}
_UNIT = re.compile(
    "|".join(rf"(?P<u{i}>(?<![^\W\d_])(?:{words})(?![^\W\d_]))" for i, words in enumerate(_UNITS.values()))
)
_WORDS_OF_A_DAY = re.compile(rf"\b(?:{MONTHS}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b")
_LEADING = re.compile(r"^(?:the|a|an|about|around|some|nearly|almost|roughly|approximately|in|on|at|by|to|of|for)\s+")
_EDGES = " .,;:!?\"'“”‘()[]-–—"
_NEGATIONS = frozenset({"not", "no", "never", "without", "nor", "neither"})
_SMALL = frozenset({"of", "the", "and", "for"})


def fold(text: str) -> str:
    """A text as it is compared: case, accents, width, punctuation at the edges and leading small words do not count.

    >>> fold("The  United States,") == fold("united states")
    True
    """
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    plain = "".join(letter for letter in decomposed if not unicodedata.combining(letter))
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", plain).replace("’", "'")
    plain = " ".join(plain.split()).strip(_EDGES)
    while (shorter := _LEADING.sub("", plain).strip(_EDGES)) != plain:  # what a small word leaves may be in quotes
        plain = shorter
    return plain


@dataclass(frozen=True)
class Quantity:
    """The one figure of a value, with its magnitude; what it counts or is measured in."""

    number: Decimal
    unit: str  # a key of _UNITS; "" if none of them is named
    rest: tuple[str, ...]  # the value's other words, in order


@dataclass(frozen=True)
class Day:
    """A day of the calendar; the year may be left open."""

    year: int | None
    month: int
    day: int


@lru_cache(maxsize=4096)
def quantity(value: str) -> Quantity | None:
    """The figure a folded value gives; None if it holds none, or several, or is a day.

    >>> quantity("us$31 million").number == quantity("31000000 dollars").number
    True
    """
    figures = list(NUMBER.finditer(value))
    if len(figures) != 1 or day(value):
        return None
    number = _number(figures[0].group())
    before, after = value[: figures[0].start()], value[figures[0].end() :]
    magnitude = re.match(rf"[ -]?({'|'.join(_MAGNITUDES)})\b", after)
    if magnitude:
        number = number.scaleb(_MAGNITUDES[magnitude[1]])
        after = after[magnitude.end() :]
    around = f"{before} {after}"
    unit = _UNIT.search(around)
    if unit:
        around = around[: unit.start()] + " " + around[unit.end() :]
    name = list(_UNITS)[int(str(unit.lastgroup)[1:])] if unit else ""
    return Quantity(number.normalize(), name, tuple(re.findall(r"\w+", around)))


def _number(written: str) -> Decimal:
    """A figure in digits or in words: "1,200", "seven", "thirty-nine"."""
    if written[0].isdigit():
        return Decimal(written.replace(",", ""))
    tens, _, units = written.replace(" ", "-").partition("-")
    if tens in _WORDS:
        return Decimal(2 + _WORDS.index(tens))
    return Decimal(20 + 10 * _TENS.index(tens) + (["", "one", *_WORDS].index(units)))


@lru_cache(maxsize=4096)
def day(value: str) -> Day | None:
    """The day a folded value names, with or without its year; None if it names none, or says more.

    >>> day("dec. 31"), day("31 december 2014")
    (Day(year=None, month=12, day=31), Day(year=2014, month=12, day=31))
    """
    if not _WORDS_OF_A_DAY.search(value) or len(value) > 40:
        return None
    try:
        one, other = (parse_date(value, default=datetime(year, 2, date)) for year, date in ((1904, 1), (1908, 2)))
    except (ParserError, OverflowError):
        return None
    if one.day != other.day:
        return None
    return Day(one.year if one.year == other.year else None, one.month, one.day)


def same_value(one: str, other: str) -> bool:
    """Whether two folded values say the same: equal, or one is the other with more words around it.

    Figures must be equal with their magnitude and unit, and neither the looser ("more than"); days must be one day, and
    of one year if both name it; a name may be given by its initials. Words that turn the meaning round ("not") may not
    be the difference.

    >>> same_value("946", "946 corrupt fugitives"), same_value("46", "46 million"), same_value("40", "more than 40")
    (True, False, False)
    """
    if one == other:
        return True
    if (this_day := day(one)) and (other_day := day(other)):
        return this_day == other_day or _but_for_the_year(this_day, other_day)
    if (figure := quantity(one)) and (other_figure := quantity(other)):
        return _same_quantity(figure, other_figure) and bool(LOOSE.search(one)) == bool(LOOSE.search(other))
    return _same_words(one, other) or _initials(one, other) or _initials(other, one)


def _but_for_the_year(one: Day, other: Day) -> bool:
    return (one.month, one.day) == (other.month, other.day) and None in (one.year, other.year)


def _same_quantity(one: Quantity, other: Quantity) -> bool:
    if (one.number, one.unit) != (other.number, other.unit):
        return False
    short, long = sorted((Counter(one.rest), Counter(other.rest)), key=Counter.total)
    return short <= long and not set(long - short) & _NEGATIONS and long.total() <= 6


def _same_words(one: str, other: str) -> bool:
    short, long = sorted((one.split(), other.split()), key=len)
    if not short or len(long) > 3 * len(short) + 3 or NUMBER.findall(one) != NUMBER.findall(other):
        return False
    at = next((i for i in range(len(long) - len(short) + 1) if long[i : i + len(short)] == short), None)
    if at is None or {*long[:at], *long[at + len(short) :]} & _NEGATIONS:
        return False
    return len(" ".join(short)) > 2


def _initials(short: str, long: str) -> bool:
    """Whether a value is the initials of a name: "u.s" and "united states"."""
    words = [word for word in re.findall(r"\w+", long) if word not in _SMALL]
    letters = short.replace(".", "").replace(" ", "")
    return 2 <= len(words) == len(letters) <= 6 and letters == "".join(word[0] for word in words)
