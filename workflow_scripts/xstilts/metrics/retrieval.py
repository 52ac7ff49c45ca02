"""Nearest neighbours of vectors, and the average precision of a ranking.

Similarities are computed in blocks: memory grows with the square of a block's side, not with the number of vectors. Of
a block, only those above the least of the neighbours so far are looked at. Of equal candidates the first wins.
"""

from collections.abc import Sequence

import numpy as np

from xstilts.errors import UserError

# side of a block of similarities, of which a few copies are in memory at a time: 16 MB each
BLOCK = 2048
# groups of candidates a neighbour, whose maxima are a bound before there are neighbours
_GROUPS = 16

# similarities in falling order and the indices of their candidates, both of shape (queries, count)
Neighbours = tuple[np.ndarray, np.ndarray]


def unit(vectors: np.ndarray, indices: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
    """Return vectors divided by their norm; a vector of zeros stays one.

    Beside the result only a block of vectors is in memory, where they are mapped from a file.

    Args:
        vectors: of shape (vectors, width).
        indices: those that are returned, in this order; None for all.
    """
    chosen = np.arange(len(vectors)) if indices is None else np.asarray(indices)
    result = np.empty((len(chosen), vectors.shape[1]), vectors.dtype)
    for start in range(0, len(chosen), BLOCK):
        block = vectors[chosen[start : start + BLOCK]]
        norms = np.maximum(np.linalg.norm(block, axis=1, keepdims=True), np.finfo(np.float32).tiny)
        np.divide(block, norms, out=result[start : start + BLOCK])
    return result


def nearest(queries: np.ndarray, candidates: np.ndarray, block: int = BLOCK) -> np.ndarray:
    """Return the candidate with the highest cosine for each query; int64 of shape (queries,).

    As XTREME's ``similarity_search`` (third_party/utils_retrieve.py): vectors are divided by their norm first.

    Args:
        queries: float32 of shape (queries, width).
        candidates: float32 of shape (candidates, width).
        block: how many of each are compared at a time; memory depends on it.

    Raises:
        UserError: if a vector is not finite.
    """
    return top(unit(queries), unit(candidates), 1, block)[:, 0]


def top(queries: np.ndarray, candidates: np.ndarray, count: int, block: int = BLOCK) -> np.ndarray:
    """Return the candidates with the highest cosines for each query, best first; int64 of shape (queries, count).

    Args:
        queries: unit vectors, float32 of shape (queries, width).
        candidates: unit vectors, float32 of shape (candidates, width).
        count: how many; all candidates if there are fewer.
        block: how many of each are compared at a time; memory depends on it.

    Raises:
        UserError: if a vector is not finite.
    """
    _check_finite(queries, candidates)
    indices = np.empty((len(queries), min(count, len(candidates))), np.int64)
    for row in range(0, len(queries), block):
        rows = queries[row : row + block]
        best = _none(rows)
        for column in range(0, len(candidates), block):
            best = _better(best, rows @ candidates[column : column + block].T, 1, column, count)
        indices[row : row + block] = best[1]
    return indices


def top_both_ways(a: np.ndarray, b: np.ndarray, count: int, block: int = BLOCK) -> tuple[Neighbours, Neighbours]:
    """Return the best of ``b`` for each of ``a``, and the reverse, from one product of the two.

    Args:
        a: unit vectors, float32 of shape (vectors of a, width).
        b: unit vectors, float32 of shape (vectors of b, width).
        count: how many; all there are if there are fewer.
        block: how many of each are compared at a time; memory depends on it.

    Raises:
        UserError: if a vector is not finite.
    """
    _check_finite(a, b)
    columns = range(0, len(b), block)
    forward, backward = [], [_none(b[column : column + block]) for column in columns]
    for row in range(0, len(a), block):
        rows = a[row : row + block]
        best = _none(rows)
        for index, column in enumerate(columns):
            cosines = rows @ b[column : column + block].T
            best = _better(best, cosines, 1, column, count)
            backward[index] = _better(backward[index], cosines, 0, row, count)
        forward.append(best)
    return _joined(forward), _joined(backward)


def average_precision(ranked_is_relevant: Sequence[bool], relevant_total: int, cutoff: int = 20) -> float:
    """Return AP@cutoff (0 to 1): the sum of the precisions at each gold answer, divided by min(gold answers, cutoff).

    XTREME-R's ``average_precision_at_k`` (third_party/utils_lareqa.py). With one gold answer it is the reciprocal of
    its rank, 0 beyond the cutoff: MRR@20, Mewsli-X's score.

    Args:
        ranked_is_relevant: for each candidate, best first, whether it is a gold answer.
        relevant_total: how many gold answers there are, ranked or not.
        cutoff: how many candidates count.

    Raises:
        ValueError: if there is no gold answer, or the ranking has more of them than there are.
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
        for start in range(0, len(vectors), BLOCK):
            finite = np.isfinite(vectors[start : start + BLOCK]).all(axis=1)
            if not finite.all():
                raise UserError(
                    f"vector {start + int(finite.argmin())} of {len(vectors)} is not finite: the model that made it has"
                    " diverged; train it with a lower learning rate or another seed"
                )


def _none(vectors: np.ndarray) -> Neighbours:
    """Return no neighbours for each vector."""
    return np.empty((len(vectors), 0), np.float32), np.empty((len(vectors), 0), np.int64)


def _joined(blocks: Sequence[Neighbours]) -> Neighbours:
    return np.concatenate([values for values, _ in blocks]), np.concatenate([indices for _, indices in blocks])


def _better(best: Neighbours, cosines: np.ndarray, axis: int, first: int, count: int) -> Neighbours:
    """Return the best of those so far and of the next candidates.

    Args:
        best: those so far.
        cosines: of shape (queries, next candidates) where ``axis`` is 1, (next candidates, queries) where it is 0.
        axis: the candidates' axis.
        first: the index of the first of the next candidates, which come after all those so far.
        count: how many.
    """
    above = cosines > np.expand_dims(_bound(best, cosines, axis, count), axis)
    nonzero = np.unravel_index(np.flatnonzero(above), cosines.shape)
    so_far = best[0].shape[1]
    queries = np.concatenate([np.arange(len(best[0])).repeat(so_far), nonzero[1 - axis]])
    values = np.concatenate([best[0].ravel(), cosines[nonzero]])
    indices = np.concatenate([best[1].ravel(), nonzero[axis] + first])
    # the sort is stable and indices grow, so the first of equals is before the others
    order = np.lexsort((-values, queries))
    firsts = np.searchsorted(queries[order], np.arange(len(best[0])))
    chosen = order[firsts[:, None] + np.arange(min(count, so_far + cosines.shape[axis]))]
    return values[chosen], indices[chosen]


def _bound(best: Neighbours, cosines: np.ndarray, axis: int, count: int) -> np.ndarray:
    """Return for each query a number that all of the next candidates are above that can be among the best."""
    if best[0].shape[1] == count:
        return best[0][:, -1]
    table = cosines if axis == 1 else cosines.T
    groups = min(table.shape[1], _GROUPS * count)
    if groups < count:
        return np.full(len(table), -np.inf, table.dtype)
    # `count` groups have a candidate that is not below the least of their maxima, and neither are the best
    maxima = table[:, : table.shape[1] // groups * groups].reshape(len(table), -1, groups).max(axis=1)
    return np.nextafter(np.partition(maxima, -count, axis=1)[:, -count], -np.inf)
