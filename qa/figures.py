"""A folded text -> the one figure it gives, in digits or words: its magnitude, unit, sign and bounds.

In: texts as `qa.values.fold` leaves them; out: Quantities. A year or a date is read as any other figure here.
"""

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache

ROUGH = Decimal("0.06")  # how far, as a share of it, a round figure may be from what it stands for: "nearly 1,000", 946
_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SMALL_NUMBERS = {**{word: n for n, word in enumerate(_ONES)}, **{word: 20 + 10 * n for n, word in enumerate(_TENS)}}
_TIMES = {"dozen": 12, "hundred": 100}
_POWERS = {"thousand": 3, "lakh": 5, "million": 6, "crore": 7, "billion": 9, "trillion": 12}
_SHORT_POWERS = {"k": 3, "m": 6, "mn": 6, "mln": 6, "bn": 9, "tn": 12}
_UNITS = {  # what it is measured in -> how that is written, as whole words
    "%": r"%|per ?cent",
    "percentage point": r"percentage points?",
    "dollar": r"(?:us|u\.s\. ?)?\$|(?:us |u\.s\.? )?dollars?|usd",
    "euro": r"€|euros?|eur",
    "pound": r"£|pounds?|gbp",
    "yuan": r"yuan|renminbi|rmb|cny",  # "¥" may be yen
    "penny": r"pence|penny|pennies",
    "cent": r"cents?",
    **{unit: f"{unit}s?" for unit in "year month week day hour minute degree mile hectare".split()},
    "foot": r"feet|foot|ft",
    "metre": r"met(?:re|er)s?",
    "kilometre": r"kilomet(?:re|er)s?|km",
    "kilogram": r"kilograms?|kilos?|kg",
    "ton": r"tonnes?|tons?",
}
_SHARES = {"%", "percentage point"}
_IN = {"year": ("month", 12), "week": ("day", 7), "hour": ("minute", 60), "kilometre": ("metre", 1000)}

# The figure itself. Wherever one of these words may stand, a word boundary follows.
_WORD = "|".join([*_SMALL_NUMBERS, *_TIMES, *_POWERS])
_MULTIPLE = "|".join([*_TIMES, *_POWERS, *_SHORT_POWERS])
_DIGITS = r"(?:\d{1,3}(?:,\d{2,3}){0,6},\d{3}(?!\d)|\d+)(?:\.\d+)?|(?<![\w.])\.\d+"
_CURRENCY = r"(?:[a-z.]{0,4}[$€£¥₹₩₽]|\b(?:usd|eur|gbp|rmb|cny)(?![a-z]))"
_FIGURE = re.compile(  # "1,200", "31 million", "$118m" from its digits on, "thirty-nine", "half a dozen"
    rf"(?:\bhalf (?:an? )?(?=(?:{_MULTIPLE})\b)|(?<![^\W_])(?:{_DIGITS})|\b(?:{_WORD})\b)"
    rf"(?:(?:[ -]?|(?<=d) and |(?<=lion) and )(?:{_WORD}|{'|'.join(_SHORT_POWERS)})\b)*"
)
_FIGURE_FIRST = re.compile(rf"{_CURRENCY}? ?(?:{_FIGURE.pattern})")  # a value that begins with its figure
_LEFT_OVER = re.compile(  # words of a number that is none of ours: "two [thirds]", "two and a [half] million"
    r"\b(?:half|halves|(?:dozen|hundred|thousand|million|billion|trillion)s|quarters?|"
    r"(?:third|fourth|fifth|sixth|seventh|eighth|ninth|tenth)s?)\b"
)
_PRONOUN = re.compile(  # a "one" that counts nothing
    r"\bone\W+(?:of|who|that|which|by|or|and|another)\b|\b(?:no|any|every|some|each|which|this|that)\W+one\b"
)
NUMERAL = re.compile(rf"\d(?:[\w,.]*\w)?|\b(?:{_WORD})\b|{_LEFT_OVER.pattern}")  # each number, or word of one

# What stands before the figure, up to it.
_BOUND = (  # the figure is a round one, one that is not passed, one that is
    r"\b(?:(?P<rough>about|around|some|nearly|almost|roughly|approximately|circa|estimated|close to|"
    r"(?:just|slightly|(?:a )?little) (?:over|under|above|below|(?:more|less|fewer) than))|"
    r"(?P<most>(?:fewer|less|lower|smaller|shorter|younger) than|under|below|up to|at most|maximum of|"
    r"(?:no|not) (?:more|higher|greater) than|as (?:many|much) as|maximum)|"
    r"(?P<least>(?:more|greater|higher|larger|longer|older) than|over|above|exceeding|upwards? of|in excess of|"
    r"at least|minimum of|(?:no|not) (?:fewer|less|lower) than|as few as|minimum)) (?:an? )?"
).replace(" ", r"\s+")
_SIGN = r"(?:(?<!\w)[-\u2212]|\bminus\s+)"
_BOUND_BEFORE = re.compile(rf"{_BOUND}$")  # "more than ", "a maximum of "
_SIGN_BEFORE = re.compile(rf"{_SIGN}$")  # "-", "minus "
_SYMBOL_BEFORE = re.compile(rf"({_CURRENCY}) ?$")  # "us$"
_BEFORE_QUOTE = re.compile(  # all of these, in a text as it was written: "nearly US$"
    rf"(?:{_BOUND}|(?:(?:(?<=[^\s>] )|(?<=[(,;|\t]))[<>]|[≤≥])\s?)?"
    rf"(?:{_SIGN}|(?:\b[a-z.]{{1,4}})?[$€£¥₹₩₽]\s?|\b(?:usd|eur|gbp|rmb|cny)\s)?$",
    re.IGNORECASE,
)

# What stands after the figure.
_BOUND_AFTER = re.compile(
    r"(?P<rough>\bor so)\b|(?P<most>\bor (?:less|fewer|under|below|younger|lower)|\bat most)\b|"
    r"(?P<least>(?:\b(?:or|and) (?:more|over|above|older|longer|higher|greater)|\bat least|^[ -]plus)\b|^\+)"
)
_UNIT_AFTER = re.compile(  # a unit at once, perhaps with a word that makes it another: " square kilometres"
    r"^[ -]?(?:(?!(?:an?|the|per|of|in|or|and) )(?P<kind>[^\W\d_]+) )??"
    rf"(?P<unit>{'|'.join(_UNITS.values())})(?![^\W\d_])"
)
_MONEY = re.compile(r"dollar|euro|pound|yuan|[$€£¥₹₩₽]")
_VAGUE = re.compile(r"\b(?:several|few|many|couple of) $")  # "several hundred" is no 100


@dataclass(frozen=True)
class Quantity:
    """The one figure of a value, with its magnitude; what it counts or is measured in; what it leaves open."""

    number: Decimal
    unit: str  # a key of _UNITS, or one of them with a word before it: "square metre"; "" if none is named
    low: Decimal  # what it stands for lies between low and high, neither included
    high: Decimal
    rest: tuple[str, ...]  # the value's other words, in order
    factor: int = 1  # of `unit` in the unit that was written: 12 of "7 years", whose number is 84, in months

    def same_figure(self, other: "Quantity") -> bool:
        """Whether the two are one figure of one unit and open on the same side; their other words do not count."""
        one, another = ((q.number, q.unit, q.low.is_infinite(), q.high.is_infinite()) for q in (self, other))
        return one == another

    def excludes(self, other: "Quantity") -> bool:
        """Whether the two are of one kind and no figure is within the bounds of both."""
        less, more = sorted((self, other), key=lambda one: one.unit)  # one without a unit comes first
        kin = less.unit == more.unit or not (less.unit or less.rest or more.unit in _SHARES)
        less = less.read_beside(more)
        return kin and max(less.low, more.low) >= min(less.high, more.high)

    def read_beside(self, other: "Quantity") -> "Quantity":
        """This figure; if it has no unit, as if it had the one that the other was written in: "7" beside "8 years"."""
        times = 1 if self.unit else other.factor
        return replace(self, number=self.number * times, low=self.low * times, high=self.high * times)


@lru_cache(maxsize=4096)
def quantity(value: str) -> Quantity | None:
    """The figure a folded value gives; None if it holds none, or several, or parts of one more.

    >>> quantity("us$31 million").number == quantity("31000000 dollars").number
    True
    """
    figures = list(_FIGURE.finditer(value))
    if len(figures) != 1:
        return None
    written, before, after = figures[0][0], value[: figures[0].start()], value[figures[0].end() :]
    number = _number(written)
    pronoun = written == "one" and _PRONOUN.search(value)
    vague = written[0].isalpha() and _VAGUE.search(before)
    if number is None or pronoun or vague or _LEFT_OVER.search(f"{before} {after}"):
        return None
    bound_after, after = _cut(_BOUND_AFTER, after)
    named, after = _cut(_UNIT_AFTER, after)
    if after[:1].isalpha() and not named:  # "1990s", "3rd"
        return None
    symbol, before = _cut(_SYMBOL_BEFORE, before)
    sign, before = _cut(_SIGN_BEFORE, before)
    bound_before, before = _cut(_BOUND_BEFORE, before)
    unit = f"{named['kind'] or ''} {_unit(named['unit'])}".strip() if named else ""
    unit = _unit(symbol[1]) if symbol else unit
    if written.endswith("m") and not _MONEY.search(unit):  # metres, millions?
        return None
    number = -number if sign else number
    bound = bound_before or bound_after
    low, high = _range(number, bound.lastgroup if bound else None)
    unit, factor = _IN.get(unit, (unit, 1))
    rest = tuple(word for word in re.findall(r"[\w']+", f"{before} {after}") if word not in ("a", "an", "the", "only"))
    return Quantity(number * factor, unit, low * factor, high * factor, rest, factor)


def binding(value: str, text: str) -> str:
    """What at the end of a text binds, signs or prices the figure that a folded value begins with; "" if nothing does.

    >>> binding("900 people", "It has signed more than "), binding("sky net", "more than ")
    ('more than ', '')
    """
    found = _BEFORE_QUOTE.search(text) if _FIGURE_FIRST.match(value) else None
    return found[0] if found else ""


def _cut(pattern: re.Pattern[str], text: str) -> tuple[re.Match[str] | None, str]:
    """What a pattern finds in a text, and the text without it."""
    found = pattern.search(text)
    return found, text[: found.start()] + text[found.end() :] if found else text


def _unit(written: str) -> str:
    """The unit that is written so; what is written itself if it is none of _UNITS: "hk$"."""
    return next((unit for unit, forms in _UNITS.items() if re.fullmatch(forms, written)), written)


def _range(number: Decimal, bound: str | None) -> tuple[Decimal, Decimal]:
    """Where what a figure stands for lies: as wide as its last written digit, or as its bound says.

    Of an integer, a last nought counts as written, two and more do not: 110 is exact, 900 may be 946.
    """
    if bound in ("least", "most"):
        return (number, Decimal("Infinity")) if bound == "least" else (Decimal("-Infinity"), number)
    places = int(number.normalize().as_tuple().exponent)
    width = Decimal((0, (5,), (places if places != 1 else 0) - 1))
    if places > 1:
        width = min(width, ROUGH * abs(number))
    if bound:
        width = max(width, ROUGH * abs(number))
    return number - width, number + width


def _number(written: str) -> Decimal | None:
    """A figure in digits or words: "1,200", "31 million", "thirty-nine"; None if the words make no one number."""
    total, part, last_power = Decimal(0), None, 99  # part: what is not multiplied by a power yet
    for word in re.findall(r"\.?\d[\d,.]*|[a-z]+", written):
        if word[-1].isdigit():
            part = Decimal(word.replace(",", ""))
        elif word == "half":
            part = Decimal("0.5")
        elif word in _SMALL_NUMBERS:
            number = _SMALL_NUMBERS[word]
            after_tens = part is not None and part % 100 >= 20 and part % 10 == 0 and number < 10
            if part is not None and not after_tens and (part == 0 or part % 100):
                return None
            part = (part or 0) + Decimal(number)
        elif word in _TIMES:
            if part is not None and part >= 100:
                return None
            part = (1 if part is None else part) * Decimal(_TIMES[word])
        elif power := (_POWERS | _SHORT_POWERS).get(word):
            if power >= last_power:
                return None
            total, part, last_power = total + (Decimal(1) if part is None else part).scaleb(power), None, power
    return (total + (part or 0)).normalize()
