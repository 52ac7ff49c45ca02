"""Nearest neighbours of vectors, and the average precision of a ranking.

Similarities are computed in blocks: memory does not grow with the number of candidates. Of equal candidates the first
wins.
"""

from collections.abc import Sequence

import numpy as np

from xstilts.errors import UserError

_BLOCK = 2048

# similarities in falling order and the places of their candidates, both of shape (queries, count)
Neighbours = tuple[np.ndarray, np.ndarray]


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return the vectors divided by their norm, of the same shape; a vector of zeros stays one."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def nearest(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Return the candidate with the highest cosine for each query; int64 of shape (queries,).

    As XTREME's ``similarity_search`` (third_party/utils_retrieve.py): vectors are divided by their norm first.

    Args:
        queries: float32 of shape (queries, width).
        candidates: float32 of shape (candidates, width).

    Raises:
        UserError: if a vector is not finite.
    """
    return top(unit(queries), unit(candidates), 1)[:, 0]


def top(queries: np.ndarray, candidates: np.ndarray, count: int) -> np.ndarray:
    """Return the candidates with the highest cosines for each query, best first; int64 of shape (queries, count).

    Args:
        queries: unit vectors, float32 of shape (queries, width).
        candidates: unit vectors, float32 of shape (candidates, width).
        count: how many; all candidates if there are fewer.

    Raises:
        UserError: if a vector is not finite.
    """
    _check_finite(queries, candidates)
    places = np.empty((len(queries), min(count, len(candidates))), np.int64)
    for row in range(0, len(queries), _BLOCK):
        block = queries[row : row + _BLOCK]
        best = _none(block)
        for column in range(0, len(candidates), _BLOCK):
            best = _better(best, block @ candidates[column : column + _BLOCK].T, column, count)
        places[row : row + _BLOCK] = best[1]
    return places


def top_both_ways(one: np.ndarray, other: np.ndarray, count: int) -> tuple[Neighbours, Neighbours]:
    """Return the best of ``other`` for each of ``one``, and the reverse, from one product of the two.

    Args:
        one: unit vectors, float32 of shape (ones, width).
        other: unit vectors, float32 of shape (others, width).
        count: how many; all there are if there are fewer.

    Raises:
        UserError: if a vector is not finite.
    """
    _check_finite(one, other)
    columns = range(0, len(other), _BLOCK)
    forward, backward = [], [_none(other[column : column + _BLOCK]) for column in columns]
    for row in range(0, len(one), _BLOCK):
        block = one[row : row + _BLOCK]
        best = _none(block)
        for number, column in enumerate(columns):
            cosines = block @ other[column : column + _BLOCK].T
            best = _better(best, cosines, column, count)
            backward[number] = _better(backward[number], np.ascontiguousarray(cosines.T), row, count)
        forward.append(best)
    return _joined(forward), _joined(backward)


def average_precision(ranked_is_relevant: Sequence[bool], relevant_total: int, cutoff: int = 20) -> float:
    """Return AP@cutoff (0 to 1): the sum of the precisions at each right answer, divided by min(right answers, cutoff).

    XTREME-R's ``average_precision_at_k`` (third_party/utils_lareqa.py). With one right answer it is the reciprocal of
    its rank, 0 beyond the cutoff: MRR@20, Mewsli-X's score.

    Args:
        ranked_is_relevant: for each candidate, best first, whether it is a right answer.
        relevant_total: how many right answers there are, found or not.
        cutoff: how many candidates count.

    Raises:
        ValueError: if there is no right answer, or the ranking has more of them than there are.
    """
    if relevant_total < 1:
        raise ValueError("a query without a right answer has no average precision")
    hits, total = 0, 0.0
    for rank, is_relevant in enumerate(ranked_is_relevant[:cutoff], start=1):
        if is_relevant:
            hits += 1
            total += hits / rank
    if hits > relevant_total:
        raise ValueError(f"{hits} right answers in a ranking, but only {relevant_total} exist: it repeats a candidate")
    return total / min(relevant_total, cutoff)


def _check_finite(*arrays: np.ndarray) -> None:
    for vectors in arrays:
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            raise UserError(
                f"vector {int(finite.argmin())} of {len(vectors)} is not finite: the model that made it has diverged; "
                "train it with a lower learning rate or another seed"
            )


def _none(vectors: np.ndarray) -> Neighbours:
    """Return no neighbours for each vector."""
    return np.empty((len(vectors), 0), np.float32), np.empty((len(vectors), 0), np.int64)


def _joined(blocks: Sequence[Neighbours]) -> Neighbours:
    return np.concatenate([values for values, _ in blocks]), np.concatenate([places for _, places in blocks])


def _better(best: Neighbours, cosines: np.ndarray, first: int, count: int) -> Neighbours:
    """Return the best of those so far and of the next candidates; cosines of shape (queries, next candidates).

    ``first`` is the place of the first of them. Those so far stand before them, so the first of equals still wins.
    """
    values, places = _highest(cosines, count)
    values, places = np.hstack([best[0], values]), np.hstack([best[1], places + first])
    values, order = _highest(values, count)
    return values, np.take_along_axis(places, order, axis=1)


def _highest(values: np.ndarray, count: int) -> Neighbours:
    """Return the highest values of each row in falling order, and their columns; the first of equals first."""
    count = min(count, values.shape[1])
    least = np.partition(values, -count, axis=1)[:, -count]
    # of those equal to the least, a row may have more than it needs: the stable sort leaves the last of them over
    rows, columns = np.nonzero(values >= least[:, None])
    found = values[rows, columns]
    order = np.lexsort((-found, rows))
    chosen = order[np.searchsorted(rows, np.arange(len(values)))[:, None] + np.arange(count)]
    return found[chosen], columns[chosen]
