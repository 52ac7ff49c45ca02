"""Mining of parallel sentences (BUCC) by the ratio margin.

After XTREME's ``mine_bitext`` and ``bucc_eval`` (third_party/utils_retrieve.py), which are those of LASER
(source/mine_bitexts.py, tasks/bucc/bucc.py). Their optimiser fails with an IndexError when the best cut is the last
candidate; this one does not.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from xstilts.metrics.retrieval import BLOCK, Neighbours, top_both_ways, unit


def mine(
    source: np.ndarray,
    target: np.ndarray,
    source_texts: Sequence[str],
    target_texts: Sequence[str],
    neighbours: int = 4,
    block: int = BLOCK,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the best-scoring one-to-one pairs, best first, and their scores.

    The score of a pair is the ratio margin: its cosine, divided by the mean of the two sentences' mean cosines to their
    nearest neighbours (Artetxe and Schwenk 2019, "Margin-based Parallel Corpus Mining with Multilingual Sentence
    Embeddings", section 3.1). Candidates are the best of each sentence's neighbours, in both directions; from the best
    down, a candidate is taken if both of its sentences are still free (retrieval ``max`` of LASER and XTREME).

    Of a sentence that stands several times in its language only the first takes part in mining (``text_load_unify`` of
    XTREME, ``TextLoadUnify`` of LASER), and a pair with such a sentence is dropped afterwards (``read_sent2id`` of
    XTREME, ``bucc.py`` of LASER). jiant keeps these pairs, once for each occurrence.

    Args:
        source: float32 of shape (sources, width).
        target: float32 of shape (targets, width).
        source_texts: the sources' texts; white space around them does not count.
        target_texts: the targets' texts.
        neighbours: how many nearest neighbours count; all if there are fewer.
        block: how many of each are compared at a time; memory depends on it.

    Returns:
        Indices into ``source`` and ``target``, int64 of shape (pairs, 2); scores above 0, float64 of shape (pairs,).

    Raises:
        UserError: if a vector is not finite.
        ValueError: if there are not as many texts as vectors.
    """
    sources, source_repeated = _distinct(source_texts, source)
    targets, target_repeated = _distinct(target_texts, target)
    pairs, scores = matched(*top_both_ways(unit(source, sources), unit(target, targets), neighbours, block))
    kept = (scores > 0) & ~source_repeated[pairs[:, 0]] & ~target_repeated[pairs[:, 1]]
    return np.stack([sources[pairs[kept, 0]], targets[pairs[kept, 1]]], axis=1), scores[kept]


def matched(forward: Neighbours, backward: Neighbours) -> tuple[np.ndarray, np.ndarray]:
    """Return the one-to-one pairs of the highest ratio margins, best first, and these margins.

    Args:
        forward: the nearest neighbours of each source among the targets.
        backward: those of each target among the sources.

    Returns:
        Indices of sources and targets, int64 of shape (pairs, 2); float64 of shape (pairs,).
    """
    means = [cosines.mean(axis=1, dtype=np.float64) for cosines, _ in (forward, backward)]
    best, best_scores = _best(forward, means[0], means[1])
    best_back, best_back_scores = _best(backward, means[1], means[0])
    sources = np.concatenate([np.arange(len(best)), best_back])
    targets = np.concatenate([best, np.arange(len(best_back))])
    return _one_to_one(np.stack([sources, targets], axis=1), np.concatenate([best_scores, best_back_scores]))


def best_threshold(scores: np.ndarray, is_gold: np.ndarray, gold_total: int) -> float:
    """Return the threshold that gives the best F1 to the pairs that score at least as much.

    It lies halfway between the last score above it and the first below it; without one below it is the last score
    itself. Of equally good thresholds the highest is taken; 0 if no pair is gold. Pairs of equal score are never
    parted.

    Args:
        scores: float64 of shape (pairs,).
        is_gold: whether each is a gold pair; bool of shape (pairs,).
        gold_total: how many gold pairs there are, mined or not.
    """
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.cumsum(is_gold[order])
    can_cut = np.append(scores[1:] < scores[:-1], True)[: len(scores)]
    f1s = np.where(can_cut, 2 * hits / (np.arange(1, len(scores) + 1) + gold_total), 0.0)
    if not f1s.any():
        return 0.0
    last = int(f1s.argmax())
    if last == len(scores) - 1:
        return float(scores[last])
    above, below = scores[last], scores[last + 1]
    # where no number lies between the two, half of their sum may be the lower one
    return float(max((above + below) / 2, np.nextafter(below, above)))


def _distinct(texts: Sequence[str], vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the index of the first of each text, and whether it stands several times; of shape (distinct texts,)."""
    if len(texts) != len(vectors):
        raise ValueError(f"{len(texts)} texts, but {len(vectors)} vectors")
    texts = [text.strip() for text in texts]
    counts = Counter(texts)
    first: dict[str, int] = {}
    for index, text in enumerate(texts):
        first.setdefault(text, index)
    return np.fromiter(first.values(), np.int64), np.array([counts[text] > 1 for text in first], dtype=bool)


def _best(neighbours: Neighbours, means: np.ndarray, other_means: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the neighbour of the highest ratio margin, and that margin; both of shape (sentences,)."""
    cosines, indices = neighbours
    centres = (means[:, None] + other_means[indices]) / 2
    margins = np.divide(cosines, centres, out=np.full(centres.shape, -np.inf), where=centres != 0)
    best = margins.argmax(axis=1)[:, None]
    return np.take_along_axis(indices, best, axis=1)[:, 0], np.take_along_axis(margins, best, axis=1)[:, 0]


def _one_to_one(pairs: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs that are left when each sentence goes to its first pair from the best down."""
    order = np.argsort(-scores, kind="stable")
    sources: set[int] = set()
    targets: set[int] = set()
    kept: list[int] = []
    for index, (source, target) in zip(order.tolist(), pairs[order].tolist(), strict=True):
        if source not in sources and target not in targets:
            sources.add(source)
            targets.add(target)
            kept.append(index)
    return pairs[kept], scores[kept]
