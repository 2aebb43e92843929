"""A question as typed -> the question without its slips: an unknown word becomes the likeliest one a letter away.

Known are the documents' own words and an English word list; the documents' words are preferred. A capitalised word
may be anybody's name, so only a word of the documents replaces it; acronyms, short words and figures are left alone.
"""

import re
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import Any

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
SHORTEST = 5  # letters; one letter away from a shorter word there are too many others


def count_words(texts: Iterable[str]) -> Counter[str]:
    """How often the texts have each word, in lower case."""
    return Counter(word.group().lower() for text in texts for word in WORD.finditer(text))


class Speller:
    """Corrects questions by the words of some documents."""

    def __init__(self, words: Counter[str]) -> None:
        """Take the documents' words as `count_words` counts them."""
        self._own = words

    @cached_property
    def _english(self) -> Any:
        from spellchecker import SpellChecker

        checker = SpellChecker(distance=1)
        checker.word_frequency.load_words(self._own)
        return checker

    def corrected(self, question: str) -> str:
        """The question with each unknown word replaced by the likeliest known one, if there is one; else unchanged."""
        return WORD.sub(lambda match: self._likeliest(match.group(), first=match.start() == 0), question)

    def _likeliest(self, word: str, *, first: bool) -> str:
        plain = word.lower()
        if len(word) < SHORTEST or word.isupper() or not word.isascii() or plain in self._own:
            return word
        if self._english.known([plain]):
            return word
        near = self._english.candidates(plain) or set()
        if word[0].isupper() and not first:
            near = {other for other in near if other in self._own}
        if not near:
            return word
        best: str = max(sorted(near), key=lambda other: (self._own[other], self._english.word_usage_frequency(other)))
        return best.capitalize() if word[0].isupper() else best
