"""A quoted value -> what it says, so that two ways of writing it compare. In: texts; out: whether they say the same.

Figures (`qa/figures.py`), dates, and names with their initials; other text is compared by its words.
"""

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from dateutil.parser import ParserError  # type: ignore[import-untyped]  # it ships no types
from dateutil.parser import parse as parse_date

from qa.figures import NUMERAL, Quantity, binding, quantity

MONTHS = "january|february|march|april|may|june|july|august|september|october|november|december"

# What does not count when texts are compared.
_LEADING = re.compile(r"^(?:the|an?|in|on|at(?! least\b| most\b)|by|to|of|for|mrs?\.?|ms\.?)\s+")
_FRACTIONS = {"½": ".5", "¼": ".25", "¾": ".75"}  # normalised, "1½" would be 11/2
_POWERS_OF_UNITS = {"²": "square", "2": "square", "³": "cubic", "3": "cubic"}
_COMPARISONS = {"<": "less than", ">": "more than", "≤": "at most", "≥": "at least"}
_EDGES = " .,;:!?\"'“”‘()[]-–—"

# Dates.
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
_ISO = re.compile(r"^\d{4}-\d\d(?:-\d\d)?$")
_CLOCK = re.compile(  # says nothing of the day
    r"\b(?:at )?\d{1,2}(?:[:.]\d\d(?![\d.])(?: ?[ap]\.?m\b\.?)?| ?[ap]\.?m\b\.?)|\bat (?:noon|midnight)\b"
)
_SHORT_YEAR = re.compile(r"^\d{1,2}([ /-])[a-z]{3,9}\.?\1'?\d\d$")
_DATE_WORD = re.compile(  # without one of these nothing is a date but a bare year
    rf"\b(?:{MONTHS}|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)\b|{_ISO.pattern}"
)
_PART_OF_DATE = re.compile(  # may stand in a date; only the first kind says something of it
    r"\b(early|mid|late|end|beginning|middle|spring|summer|autumn|fall|winter|before|after|since|until|till|from)\b-?"
    r"|\b(?:of|the|in|on|year|about|around|circa)\b"
)
_OPEN = {"before", "after", "until", "till", "since"}  # such a date is open on a side
_TIME_BEFORE_QUOTE = re.compile(rf"\b(?:{'|'.join(sorted(_OPEN))})\s+$", re.IGNORECASE)

# Words that only one of two values has.
_NEGATIONS = {*"not no never without nor neither none cannot deny denies denied denying refuse refuses refused".split()}
_OTHER = frozenset(  # such a word more makes it another person, place or thing
    "north northern south southern east eastern west western new vice deputy former ex acting interim assistant non "
    "anti attempted alleged and or of & against outside except near jr sr ii iii".split()
)


def fold(text: str) -> str:
    """A text as it is compared: case, accents, width, punctuation at the edges and leading small words do not count.

    The comma of a lone "2,014" stays: it tells a count from a year.

    >>> fold("The  United States,") == fold("united states")
    True
    """
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", _spelt_out(text)).casefold())
    plain = "".join(letter for letter in decomposed if not _unseen(letter)).replace("’", "'")
    plain = re.sub(
        r"(?<![\w=>/'\"-])([<>≤≥]) ?(?=[\d.$€£¥₹₩₽])", lambda m: f"{_COMPARISONS[m[1]]} ", " ".join(plain.split())
    )
    plain = _stripped(plain)
    while (shorter := _stripped(_LEADING.sub("", plain))) != plain:  # what a small word leaves may be in quotes
        plain = shorter
    whole = re.sub(r"(?<=\d),(?=(?:\d\d,){0,4}\d{3}(?!\d))", "", plain)
    return plain if _YEAR.fullmatch(whole) else whole


def _spelt_out(text: str) -> str:
    """The text with the signs at its figures in digits or words, and without the marks of footnotes after them."""
    text = re.sub(r"(\d?)([½¼¾])", lambda m: f"{m[1] or 0}{_FRACTIONS[m[2]]}", text)
    text = re.sub(r"(?<![^\W\d])([kc]?m|ft)([²³]|[23](?!\w))", lambda m: f"{_POWERS_OF_UNITS[m[2]]} {m[1]}", text)
    return re.sub(r"(?<=\d)(?<!\b10)[¹²³⁰⁴-⁹]+", "", text)


def _unseen(letter: str) -> bool:
    return bool(unicodedata.combining(letter)) or unicodedata.category(letter) == "Cf"  # accents; soft hyphens


def _stripped(text: str) -> str:
    """The text without what stands at its edges, but for the sign and the point of a figure: "-5", "0.5%"."""
    plain = text.strip(_EDGES)
    if not plain[:1].isdigit():
        return plain
    edge = text[: text.index(plain)]
    sign = "-" if re.search(r"[-\u2212\u2013]\.?$", edge) else ""
    return f"{sign}0.{plain}" if re.search(r"(?<!\.)\.$", edge) else f"{sign}{plain}"


def said(quote: str, before: str) -> str:
    """The folded quote, with what binds or signs its figure or date but stands just before it in the text.

    >>> said("900", "It has signed more than "), said("2014", "not one since "), said("900", "There are ")
    ('more than 900', 'since 2014', '900')
    """
    value = fold(quote)
    time = _TIME_BEFORE_QUOTE.search(before) if date(value) else None
    return fold((time[0] if time else binding(value, before)) + quote)


@dataclass(frozen=True)
class Date:
    """A year, or what is said of a month or day; what is not said is None."""

    year: int | None
    month: int | None = None
    day: int | None = None
    words: tuple[str, ...] = ()  # what part of it, or which side: "early", "before"

    def same(self, other: "Date") -> bool:
        """Whether the two agree and the one says at most one thing more: the year of a day, the month of a year."""
        lacks = sum((one is None) != (another is None) for one, another in self._pairs(other))
        if self._differs(other) or lacks > 1:
            return False
        return self.words == other.words if lacks else _only_more_words(self.words, other.words)

    def excludes(self, other: "Date") -> bool:
        """Whether no day is both; of dates that are open on a side, none is told."""
        sides = [{*one.words} & _OPEN for one in (self, other)]
        return sides[0] == sides[1] <= {"since"} and self._differs(other)

    def _pairs(self, other: "Date") -> list[tuple[int | None, int | None]]:
        return [(self.year, other.year), (self.month, other.month), (self.day, other.day)]

    def _differs(self, other: "Date") -> bool:
        return any(one != another and None not in (one, another) for one, another in self._pairs(other))


@lru_cache(maxsize=4096)
def date(value: str) -> Date | None:
    """The date a folded value names, a day perhaps without its year; None if it names none, or says more.

    >>> date("dec. 31"), date("late 2014")
    (Date(year=None, month=12, day=31, words=()), Date(year=2014, month=None, day=None, words=('late',)))
    """
    dated = _CLOCK.sub(" ", value)
    words = tuple(word for word in _PART_OF_DATE.findall(dated) if word)
    plain = " ".join(_PART_OF_DATE.sub(" ", dated).split()).strip(" ,")
    if _YEAR.fullmatch(plain):
        return Date(int(plain), words=words)
    if not _DATE_WORD.search(plain) or len(plain) > 40:
        return None
    try:  # what the text leaves out is what differs between two parses
        one, other = (parse_date(plain, default=datetime(*default)) for default in ((1904, 1, 1), (1908, 3, 2)))
    except (ParserError, OverflowError):
        return None
    year, month, day = (
        this if this == that else None
        for this, that in ((one.year, other.year), (one.month, other.month), (one.day, other.day))
    )
    numbers = re.findall(r"\d+", plain)
    short = sum(len(number) < 4 for number in numbers)
    if not (_ISO.match(plain) or _SHORT_YEAR.match(plain)) and (
        short > 1 or len(numbers) > 2 or (day and not short) or (year and len(numbers) == short)
    ):
        return None  # "10-12 May 2014", "a Friday in May 2014", "May '68": the parser made something up
    return Date(year, month, day, words) if month and (day or year) and (year is None or year >= 1500) else None


def reading(value: str) -> Date | Quantity | None:
    """The date or the figure a folded value gives."""
    found = date(value)
    if found is None and _DATE_WORD.search(value) and re.search(rf"\b{_YEAR.pattern}\b|'\d\d\b", value):
        return None  # a date that names no one day, "a Friday in May 2014", is no figure either
    return found or quantity(value)


def same_value(one: str, other: str) -> bool:
    """Whether two folded values say the same: equal, or one is the other with more words around it.

    Figures must be equal with their magnitude and unit, and bound alike ("more than"); dates must agree, and the one
    say at most one thing more; a name may be given by its initials. No word more may turn the meaning ("not", "vice").

    >>> same_value("946", "946 corrupt fugitives"), same_value("46", "46 million"), same_value("40", "more than 40")
    (True, False, False)
    """
    if one == other or _span_of_figures(one) == _span_of_figures(other):
        return True
    this, that = reading(one), reading(other)
    if isinstance(this, Date) and isinstance(that, Date):
        return this.same(that)
    if isinstance(this, Quantity) and isinstance(that, Quantity):
        return this.same_figure(that) and _only_more_words(this.rest, that.rest)
    if this or that:
        return False
    return any(_same_name(name, another) for name in _names(one) for another in _names(other))


def _only_more_words(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    short, long = sorted((Counter(one), Counter(other)), key=Counter.total)
    return short <= long and not _turns({*(long - short)}) and long.total() <= 6


def _turns(words: set[str]) -> bool:
    """Whether words that only one of two values has make it say something else."""
    return bool(words & (_NEGATIONS | _OPEN)) or any(word.endswith("n't") for word in words)


def _span_of_figures(value: str) -> str:
    """The value with "10 to 20" written "10-20"."""
    return re.sub(r"(?<=\d) ?(?:-|–|to) ?(?=\d)", "-", value)


def _names(value: str) -> list[str]:
    """A name, or both names where its initials follow it: "world health organization (who"."""
    value = re.sub(r"\bu\.?s\.?a\b|\bunited states of america\b", "united states", value)
    value = re.sub(r"\bu\.s\.(?=\s)", "us", value)
    value = re.sub(r"(?<=\b[a-z]\.)(?=[a-z]\.)", " ", value) if " " in value else value  # "j.r.r. tolkien"
    value = value.replace("&", "and")
    value = " ".join(re.sub(r"[\"“”]", " ", value).split())
    both = re.fullmatch(r"(.+?) \(([\w.]+)\)?", value)
    return [both[1], both[2]] if both and _initials(both[2], both[1]) else [value]


def _same_name(one: str, other: str) -> bool:
    parts = [re.split(r"(?<=[^\W\d_])-(?=[^\W\d_])| ", name) for name in (one, other)]
    if _initials(one, other) or _initials(other, one) or parts[0] == parts[1]:
        return True
    short, long = sorted((one.split(), other.split()), key=len)
    if not short or len(long) > 3 * len(short) + 3 or NUMERAL.findall(one) != NUMERAL.findall(other):
        return False
    if len(short) == len(long):
        return short[-1] == long[-1] and all(map(_same_forename, short, long))
    at = next((i for i in range(len(long) - len(short) + 1) if long[i : i + len(short)] == short), None)
    if at is None or len(" ".join(short)) <= 2:
        return False
    more = {*long[:at], *long[at + len(short) :]}
    return not (more & _OTHER or _turns(more))


def _same_forename(one: str, other: str) -> bool:
    """Whether two words are one, or one is the other's first letter: "j." and "john"."""
    short, long = sorted((one.rstrip("."), other.rstrip(".")), key=len)
    return short == long or (len(short) == 1 and long.startswith(short) and f"{short}." in (one, other))


def _initials(short: str, long: str) -> bool:
    """Whether a value is the initials of a name: "u.s" and "united states"."""
    words = [word for word in re.findall(r"\w+", long) if word not in ("of", "the", "and", "for")]
    letters = short.replace(".", "").replace(" ", "")
    return 2 <= len(words) == len(letters) <= 6 and letters == "".join(word[0] for word in words)
