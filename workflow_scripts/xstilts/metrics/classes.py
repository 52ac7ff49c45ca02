"""Macro-averaged F1 of classes."""

import numpy as np


def macro_f1(gold: np.ndarray, predictions: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the unweighted mean of the F1 of the classes (0 to 1), of shape (samples,).

    A class counts where it is the gold or the predicted class of an example of the sample; scikit-learn's ``f1_score``
    with ``average="macro"`` has the same value.

    Args:
        gold: the class of each example, of shape (examples,).
        predictions: the predicted class of each example, of the same shape.
        counts: how often each example is in each sample, of shape (samples, examples).
    """
    f1, present = np.zeros(len(counts)), np.zeros(len(counts))
    for name in sorted({*gold, *predictions}):
        is_gold, is_predicted = (gold == name).astype(float), (predictions == name).astype(float)
        # the sum of precision's and recall's denominators
        denominator = counts @ (is_gold + is_predicted)
        there = denominator > 0
        f1[there] += (2 * (counts @ (is_gold * is_predicted)))[there] / denominator[there]
        present += there
    return f1 / present
