"""Hypothesis strategies: texts that are mostly ordinary words, and full of what breaks offsets."""

import os

from hypothesis import settings
from hypothesis import strategies as st

thorough = settings(max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "200")), deadline=None)

WORDS = ("China", "fugitives", "the", "said", "He", "We", "946", "10.14", "iPhone", "naïve", "Zürich")
ENDS = (". ", "? ", "! ", "... ", "\u2026 ", ".", '." ', ".\u201d ", "\u3002")
ABBREVIATIONS = ("U.S. ", "Dec. 31", "Mr. ", "No. 5 ", "e.g. ", "J. R. R. ", "1. ", "a) ", "[1] ")
QUOTES = ('"', "'", "\u201c", "\u201d", "\u2018", "\u2019", "\u00ab", "(", ")")
BREAKS = ("\n", "\n\n", "\r\n", "\r", "\u2028", "\u2029", "\x85", "\v", "\f", "\x1c", "\x1f")
BLANKS = ("   ", "\t", "\u00a0", "\u3000", " \n  \n ")
CLUSTERS = (
    "e\u0301",  # a letter and its accent
    "\u0301",  # an accent without a letter
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",  # a family: three people and two joiners
    "\U0001f44d\U0001f3fd",  # a thumb with a skin tone
    "\U0001f1e9\U0001f1ea",  # a flag: two letters
    "\u0e19\u0e49\u0e33",  # Thai
    "\u1112\u1161\u11ab",  # Korean, in three pieces
)
ODD = (
    "\0",
    "\ufeff",
    "\u00ad",
    "\u200b",
    "\u200d",
    "\u202e",
    "\u2067",
    "\u05e9\u05dc\u05d5\u05dd",
    "\u0645\u0631",
    "你好",
    "</s>",  # a mark of the reader's tokenizer
)


def texts(*, max_size: int = 60) -> st.SearchStrategy[str]:
    """Texts of up to max_size pieces; about half of the pieces are words with a blank."""
    word = st.sampled_from(WORDS).map(lambda word: word + " ")
    odd = st.one_of(*map(st.sampled_from, (ENDS, ABBREVIATIONS, QUOTES, BREAKS, BLANKS, CLUSTERS, ODD)))
    return st.lists(st.one_of(word, word, odd, odd | st.text(max_size=3)), max_size=max_size).map("".join)
