"""Exact match and F1 of SQuAD v1.1 and v2.0, after the official scripts (evaluate-v1.1.py, evaluate-v2.0.py).

XQuAD and TyDiQA use v1.1's rules in every language. v2.0 differs where there is nothing to compare: a question without
answers is unanswerable, and a prediction of which normalisation leaves nothing is correct. v2.0 also leaves out answers
of which nothing is left (``answers_of_v2``); v1.1 keeps them: they can match exactly, but with an F1 of 0.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalise(text: str) -> str:
    """Return the text in lower case, without ASCII punctuation and English articles, white space collapsed."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def answers_of_v2(answers: Sequence[str]) -> list[str]:
    """Return the answers that v2.0 compares with: those of which normalisation leaves something."""
    return [answer for answer in answers if normalise(answer)]


def exact_match(prediction: str, answers: Sequence[str]) -> float:
    """Return 1 if the prediction equals one of the answers after normalisation, else 0.

    Without answers: 1 if the prediction is empty after normalisation.
    """
    return float(normalise(prediction) in {normalise(answer) for answer in answers or [""]})


def f1(prediction: str, answers: Sequence[str]) -> float:
    """Return the best F1 (0 to 1) over the answers, of the overlap of words.

    Without answers: 1 if the prediction is empty after normalisation, else 0.
    """
    predicted = normalise(prediction).split()
    if not answers:
        return float(not predicted)
    return max(overlap(predicted, normalise(answer).split()) for answer in answers)


def overlap(predicted: Sequence[str], gold: Sequence[str]) -> float:
    """Return the F1 (0 to 1) of two bags of words; 0 if they share none, two empty ones too."""
    common = sum((Counter(predicted) & Counter(gold)).values())
    if common == 0:
        return 0.0
    precision, recall = common / len(predicted), common / len(gold)
    return 2 * precision * recall / (precision + recall)
