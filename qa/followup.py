"""A question and the conversation before it -> a question that stands alone. Rules, no model.

A follow-up leans on what was said: it has a pronoun with nothing to refer to, or hardly any words of
its own. Then the words of the last question that stood alone are put before it.
"""

import re
from collections.abc import Sequence
from typing import TypedDict

REFERRING = frozenset(
    "it its they them their theirs he him his she her hers that this those these there then one ones former latter "
    "same such else another others both".split()
)
OPENERS = ("and ", "but ", "so ", "what about", "how about", "why", "since when", "by whom", "or ")
SMALL = frozenset(
    "a an the is are was were be been do does did of in on at to for by with from and or but so what who whom whose "
    "which when where why how many much long often far about any have has had not no yes ok please".split()
)


class Turn(TypedDict):
    """One earlier question and what was answered."""

    question: str
    answer: str


def leans_on_history(question: str) -> bool:
    """Whether a question cannot be understood without what went before.

    >>> leans_on_history("And how many of them came back?"), leans_on_history("Who is Liu Jianchao?")
    (True, False)
    """
    words = re.findall(r"[\w'’]+", question.lower())
    own = [word for word in words if word not in SMALL and word not in REFERRING]
    return any(word in REFERRING for word in words) or len(own) < 2 or question.lower().startswith(OPENERS[:5])


def resolve(question: str, history: Sequence[Turn]) -> str:
    """Return the question with what it needs of the history before it, or unchanged.

    >>> resolve("And where are they?", [{"question": "How many fugitives are abroad?", "answer": "946"}])
    'How many fugitives are abroad? 946. And where are they?'
    """
    if not history or not leans_on_history(question):
        return question
    earlier = [turn["question"].strip() for turn in history]
    standing = next((i for i in range(len(earlier) - 1, -1, -1) if i == 0 or not leans_on_history(earlier[i])), 0)
    answer = history[-1]["answer"].strip().rstrip(".")
    latest = earlier[-1] if standing < len(earlier) - 1 else ""
    parts = [earlier[standing], latest, f"{answer}." if answer else "", question.strip()]
    return " ".join(part for part in parts if part)
