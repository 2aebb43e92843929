"""How predictions are compared with gold answers, and how sure a figure is: texts and scores in, numbers out.

Shared by `qa/training` and `eval`. Knows strings and arrays only; what concerns hits and calibration is in
`eval/metrics.py`.
"""

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalise(text: str) -> str:
    """Lower the case, drop ASCII punctuation and articles, and put one space between words.

    Example: "The  U.S. Senate" -> "us senate". Typographic quotes and currency signs stay, as in the source.

    Source: Rajpurkar et al. 2018 (SQuAD 2.0), `normalize_answer` of evaluate-v2.0.py.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(prediction: str, golds: Sequence[str]) -> float:
    """Return 1.0 if the prediction equals some gold answer after `normalise`, else 0.0.

    No golds means that the right prediction is "".

    Source: Rajpurkar et al. 2018 (SQuAD 2.0), evaluate-v2.0.py.
    """
    return _best(lambda ours, gold: float(ours == gold), prediction, golds)


def token_f1(prediction: str, golds: Sequence[str]) -> float:
    """Return the best F1 between the prediction's words and those of some gold answer, in [0, 1].

    Words are counted as often as they occur. Empty against empty is 1, empty against anything else 0.
    No golds means that the right prediction is "".

    Example: "in central Paris", "Paris" -> precision 1/3, recall 1 -> 2 * (1/3) / (4/3) = 1/2.

    Source: Rajpurkar et al. 2018 (SQuAD 2.0), evaluate-v2.0.py.
    """
    return _best(_f1, prediction, golds)


def _best(compare: Callable[[str, str], float], prediction: str, golds: Sequence[str]) -> float:
    """Compare with every gold that has words left, or with "" if none has; return the best, as the script does."""
    wanted = [gold for gold in map(normalise, golds) if gold] or [""]
    ours = normalise(prediction)
    return max(compare(ours, gold) for gold in wanted)


def _f1(prediction: str, gold: str) -> float:
    ours, theirs = prediction.split(), gold.split()
    if not ours or not theirs:
        return float(ours == theirs)
    shared = (Counter(ours) & Counter(theirs)).total()
    return 2 * shared / (len(ours) + len(theirs))  # the harmonic mean of shared/len(ours) and shared/len(theirs)


def auroc(scores_positive: ArrayLike, scores_negative: ArrayLike) -> float:
    """Return the chance that a positive scores higher than a negative; a tie counts half.

    Both arrays are one-dimensional, of any length from 1; higher is meant to be positive.

    Example: positives [2, 3], negatives [1, 2] -> of four pairs three are won and one is tied: 7/8.

    Raises ValueError if either side is empty.
    Source: Hanley and McNeil 1982 (the area equals the Mann-Whitney statistic).
    """
    positive, negative = np.asarray(scores_positive, dtype=float), np.sort(np.asarray(scores_negative, dtype=float))
    if not positive.size or not negative.size:
        raise ValueError(f"auroc needs scores on both sides, got {positive.size} positive and {negative.size} negative")
    below = np.searchsorted(negative, positive, side="left")
    not_above = np.searchsorted(negative, positive, side="right")
    return float(np.mean((below + not_above) / 2) / negative.size)


class BestF1(NamedTuple):
    """The best mean F1 a threshold can give."""

    f1: float  # mean over all questions, in [0, 1]
    threshold: float  # answer when score >= threshold; inf: best never to answer


def best_f1(scores: ArrayLike, f1_if_answered: ArrayLike, answerable: ArrayLike) -> BestF1:
    """Sweep the threshold on `scores` (higher: rather answer) and return the best mean F1 with its threshold.

    All three have shape (n_questions,). `f1_if_answered` is `token_f1` of the prediction (or `exact_match`,
    for the best exact match); a question that is refused scores 1 if it is not answerable, else 0. Of equally good
    thresholds the highest is returned. subtle: questions with equal scores are answered together, so that the
    threshold gives the F1 it is returned with; SQuAD's script may stop between them.

    Example: scores [3, 2, 1], F1 [1, 0, 1/2], answerable [yes, no, yes]: refusing all gives 1/3, answering
    one 2/3, two 1/3, three 1/2 -> BestF1(2/3, threshold 3).

    Raises ValueError if there are no questions or the lengths differ.
    Source: Rajpurkar et al. 2018 (SQuAD 2.0), `find_best_thresh` of evaluate-v2.0.py.
    """
    score, answered = np.asarray(scores, dtype=float), np.asarray(f1_if_answered, dtype=float)
    refused = 1.0 - np.asarray(answerable, dtype=bool)
    if not score.size or not score.shape == answered.shape == refused.shape:
        raise ValueError(f"best_f1 needs equal lengths from 1, got {score.shape}, {answered.shape}, {refused.shape}")
    order = np.argsort(-score, kind="stable")
    thresholds = np.append(np.inf, score[order])
    totals = refused.sum() + np.append(0.0, np.cumsum((answered - refused)[order]))  # (n_questions + 1,)
    complete = np.append(thresholds[:-1] != thresholds[1:], True)  # False: the next question has the same score
    best = np.argmax(np.where(complete, totals, -np.inf))
    return BestF1(float(totals[best] / score.size), float(thresholds[best]))


class Rated(NamedTuple):
    """What a question's first answer, shown or not, is worth as a test of its confidence."""

    confidence: float  # in [0, 1]; 0.0 if there was no candidate
    plausibility: float  # the highest of its candidates, in [0, 1]: what the threshold is for; 0.0 if there was none
    right: bool
    answerable: bool


def bootstrap_interval(
    figure: Callable[[NDArray[np.int64]], float | None], n: int, *, resamples: int = 1000
) -> tuple[float, float]:
    """Return the 95 % percentile interval of a figure over resamples of the n things it is computed from.

    `figure` gets the places of one resample, shape (n,), drawn with replacement, always the same ones; None, where a
    resample does not give the figure, is left out. A figure that is always the same has an interval of width 0, which
    says nothing about how few the things are.

    Example: `bootstrap_interval(lambda at: values[at].mean(), len(values))`.

    Raises ValueError if there is nothing to resample, or no resample gives the figure.
    Source: Efron and Tibshirani 1993, chapter 13.
    """
    rng = np.random.default_rng(0)
    values = [value for _ in range(resamples if n else 0) if (value := figure(rng.integers(n, size=n))) is not None]
    if not values:
        raise ValueError(f"an interval needs a figure: no resample of {n} things gives one")
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
