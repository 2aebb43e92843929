"""A question as typed -> the question without its slips: an unknown word becomes the likeliest known one near to it.

Known are the documents' own words and an English word list; the documents' words are preferred. A capitalised word may
be anybody's name, so only the documents' words replace it; acronyms, short words and figures are left alone. To leave a
slip costs little, to spoil a right word the answer: where in doubt, a word stays.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from functools import cached_property
from typing import Any

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
POSSESSIVE = re.compile(r"['’]s$", re.IGNORECASE)
SHORTEST = 5  # letters; one letter away from a shorter word there are too many others
LONG = 8  # letters; a word so long is hardly another's neighbour by chance
COMMON = 2e-6  # of running English: the list's first ten thousand words or so; rarer ones are names, or rarely meant


def count_words(texts: Iterable[str]) -> Counter[str]:
    """How often the texts have each word, in lower case."""
    return Counter(word.group().lower() for text in texts for word in WORD.finditer(text))


class Speller:
    """Corrects questions by the words of some documents."""

    def __init__(self, words: Counter[str]) -> None:
        """Take the documents' words as `count_words` counts them."""
        self._words = words

    @cached_property
    def _own(self) -> Counter[str]:
        """The documents' words as they are looked up: of "Jinping’s" and "jinping's" the "jinping"."""
        own: Counter[str] = Counter()
        for word, count in self._words.items():
            own[_looked_up(word)] += count
        return own

    @cached_property
    def _long(self) -> dict[tuple[str, int], list[str]]:
        """The documents' long words by first letter and length."""
        long: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
        for word in self._own:
            if len(word) >= LONG:
                long[word[0], len(word)].append(word)
        return long

    @cached_property
    def _english(self) -> Any:
        from spellchecker import SpellChecker

        return SpellChecker(distance=1)

    def corrected(self, question: str) -> str:
        """The question with each unknown word replaced by the likeliest known one, if there is one; else unchanged."""
        return WORD.sub(lambda match: self._likeliest(match.group()), question)

    def _likeliest(self, typed: str) -> str:
        ending = POSSESSIVE.search(typed)
        word = typed[: ending.start()] if ending else typed
        plain = _looked_up(word)
        if len(word) < SHORTEST or sum(map(str.isupper, word)) > 1 or not plain.isascii():
            return typed
        if plain in self._own or plain in self._english:
            return typed
        near = self._near(plain, a_name=word[0].isupper())
        if not near:
            return typed
        best = max(sorted(near), key=lambda other: (self._own[other], self._english[other]))
        return (best.capitalize() if word[0].isupper() else best) + typed[len(word) :]

    def _near(self, plain: str, *, a_name: bool) -> set[str]:
        """The words that an unknown one may stand for.

        All begin as it does: slips seldom fall on a first letter (Kukich 1992, a survey).
        """
        slips = {other for other in self._english.edit_distance_1(plain) if other[:1] == plain[0]}
        own = {other for other in slips if other in self._own}
        if a_name:
            return own if len(plain) >= LONG else {other for other in own if not self._is_common(other)}
        if own or len(plain) < LONG:
            return own
        common = {other for other in slips if self._is_common(other)}
        return common or self._two_letters_off(plain)

    def _is_common(self, word: str) -> bool:
        return bool(self._english.word_usage_frequency(word) >= COMMON)

    def _two_letters_off(self, plain: str) -> set[str]:
        """The one long word of the documents that is two slips away; none if there are several."""
        letters = set(plain)
        near = {
            other
            for length in range(len(plain) - 2, len(plain) + 3)
            for other in self._long.get((plain[0], length), ())
            if len(letters.symmetric_difference(other)) <= 4 and _within(plain, other, slips=2)
        }
        return near if len(near) == 1 else set()


def _looked_up(word: str) -> str:
    return POSSESSIVE.sub("", word.lower()).replace("’", "'")


def _within(one: str, other: str, *, slips: int) -> bool:
    """Whether so many slips turn one word into the other: a letter left out, put in or changed, or two swapped.

    Damerau 1964.
    """
    shared = min(len(one), len(other))
    same = next((at for at in range(shared) if one[at] != other[at]), shared)
    one, other = one[same:], other[same:]
    if not (slips and one and other):
        return max(len(one), len(other)) <= slips
    swapped = one[:2] == other[1::-1] and _within(one[2:], other[2:], slips=slips - 1)
    return swapped or any(_within(one[i:], other[j:], slips=slips - 1) for i, j in ((1, 1), (1, 0), (0, 1)))
