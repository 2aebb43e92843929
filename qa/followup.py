"""A question and the conversation before it -> a question that stands alone. Rules, no model.

A follow-up leans on what was said: it has a pronoun with nothing to refer to, or hardly any words of its own. Then the
words of the last question that stood alone are put before it. What refers within its own question ("China and its
ambassador") does not lean.
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TypedDict

REFERRING = frozenset(
    "it its they them their theirs he him his she her hers that this those these there then one ones former latter "
    "same such else another others both".split()
)
OPENERS = ("and ", "but ", "so ", "what about", "how about")
SMALL = frozenset(
    "a an the is are was were be been do does did of in on at to for by with from and or but so what who whom whose "
    "which when where why how many much long often far about any have has had not no yes ok please "
    "after before since until during under than "
    "you i me we us my your can could tell more explain thank thanks next".split()
)
DEFINING = re.compile(
    r"(?:who|what|where)(?:['’]s| (?:is|are|was|were)) |"
    r"(?:please )?(?:(?:can|could) you )?(?:explain|tell (?:me|us) (?:more )?about) ",
    re.IGNORECASE,
)
PLURALS = frozenset("people men women children police".split())
BE = frozenset("is are was were be been".split())
COUNTING = re.compile(r"how many (?:are|were|have|had)\b", re.IGNORECASE)  # of what, was said before
FORMAL = re.compile(  # an "it" that stands for nothing; in "did it agree to" it is somebody
    r"\bit (?:(?:true|possible|legal|clear|right|wrong|likely|certain|known) that|(?:possible|legal|take|cost) to)\b",
    re.IGNORECASE,
)
DETERMINERS = frozenset("a an the which whose many much any no some all most each every do does did".split())
MOST_WORDS = 45  # of a resolved question: some 64 word pieces, as many as the reader reads
ANSWER_WORDS = 12


class Turn(TypedDict):
    """One earlier question and what was answered."""

    question: str
    answer: str


def check_history(history: object) -> None:
    """Nothing, if these are turns as `resolve` takes them: a list or a tuple of {"question": text, "answer": text}.

    Raises TypeError if something is of another type, ValueError if a turn lacks its question or its answer.
    """
    if not isinstance(history, list | tuple):
        raise TypeError(f'history must be a list of {{"question": ..., "answer": ...}}, got {type(history).__name__}')
    for number, turn in enumerate(history, start=1):
        if not isinstance(turn, dict):
            raise TypeError(
                f'turn {number} of the history must be {{"question": ..., "answer": ...}}, got {type(turn).__name__}'
            )
        for name in ("question", "answer"):
            if name not in turn:
                raise ValueError(f'turn {number} of the history has no "{name}"')
            if not isinstance(text := turn[name], str):
                raise TypeError(f'"{name}" in turn {number} of the history must be text, got {type(text).__name__}')


def leans_on_history(question: str) -> bool:
    """Whether a question cannot be understood without what went before.

    >>> leans_on_history("And how many of them came back?"), leans_on_history("Is there a treaty with Peru?")
    (True, False)
    """
    if question.lower().startswith(OPENERS):
        return True
    if COUNTING.match(question) and sum(map(_is_own, re.findall(r"[\w'’]+", question))) < 3:
        return True
    question = FORMAL.sub("", question.lower() if question.isupper() else question)
    words = re.findall(r"[\w'’]+", question)
    if any(_refers_back(words, at) for at, word in enumerate(words) if _is_referring(word)):
        return True
    return sum(map(_is_own, words)) < 2 and not (DEFINING.match(question) and _names(words))


def _is_referring(word: str) -> bool:
    return word.lower() in REFERRING and not _is_acronym(word)


def _is_acronym(word: str) -> bool:
    return word in ("IT", "US", "WHO")  # no pronouns, in a question that is not all capitals


def _refers_back(words: Sequence[str], at: int) -> bool:
    """Whether nothing in its own question explains the referring word at this place."""
    before, after = words[:at], words[at + 1 :]
    previous, word, then = (one.lower() for one in ["", *words, ""][at : at + 3])
    match word:
        case "that":  # "said that corruption is a cancer", "a treaty that China signed", but "after that treaty"
            return len(after) < 2 or not _is_own(previous)
        case "there":  # "is there a treaty", but "who lives there"
            return not (after and BE & {previous, then})
        case "one":  # "one reason", "one of the cranes", but "which one has most"
            return not (then == "of" or _is_own(then))
        case "both":  # "both China and Peru"
            return "and" not in words
        case "he" | "she" | "his" | "her":
            return not _names(before)
        case "its":
            return not (_names(before) or _nouns(before))
        case "their":
            joined = "and" in before[1:]
            return not (joined or any(noun.endswith("s") or noun in PLURALS for noun in _nouns(before)))
    return True


def _is_own(word: str) -> bool:
    """Whether a word says something by itself."""
    return _is_acronym(word) or (bool(word) and word.lower() not in SMALL and word.lower() not in REFERRING)


def _names(words: Sequence[str]) -> list[str]:
    """The capitalised words after the first, and acronyms; what somebody has ("Peru's") names something else."""
    named = [word for at, word in enumerate(words) if word[1:] and (word.isupper() or (at and word[0].isupper()))]
    return [word for word in named if _is_own(word) and not word.endswith(("'s", "’s"))]


def _nouns(words: Sequence[str]) -> list[str]:
    """The words of its own right after a determiner: "the agency", "which countries"."""
    return [word for before, word in pairwise(words) if before.lower() in DETERMINERS and _is_own(word)]


def resolve(question: str, history: Sequence[Turn]) -> str:
    """Return the question with what it needs of the history before it, or unchanged.

    Of a long answer the beginning is put; where all is still too long for the reader, the latest question is left out,
    then the answer.

    >>> resolve("And where are they?", [{"question": "How many fugitives are abroad?", "answer": "946"}])
    'How many fugitives are abroad? 946. And where are they?'
    """
    if not history or not leans_on_history(question):
        return question
    earlier = [turn["question"].strip() for turn in history]
    standing = next((i for i in range(len(earlier) - 1, -1, -1) if i == 0 or not leans_on_history(earlier[i])), 0)
    answer = " ".join(history[-1]["answer"].split()[:ANSWER_WORDS]).rstrip(".")
    latest = earlier[-1] if standing < len(earlier) - 1 else ""
    parts = [earlier[standing], latest, f"{answer}." if answer else "", question.strip()]
    for spare in (1, 2):
        if len(" ".join(parts).split()) > MOST_WORDS:
            parts[spare] = ""
    return " ".join(part for part in parts if part)
