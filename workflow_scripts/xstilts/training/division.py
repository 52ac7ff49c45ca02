"""How a batch is divided among processes, and each one's share into micro-batches: a pure function of lengths.

Processes that have shards of one model gather its weights together in every forward and backward pass. So all of them
make equally many passes, or the ones with more wait for ever: whoever has fewer micro-batches computes the cheapest
instance again, and does not count it. Every process finds the division of all from the lengths alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from xstilts.tokenization.tokens import Tokens


@dataclass(frozen=True)
class Portion:
    """The instances of a micro-batch, and whether they count or are there for the other processes' sake."""

    instances: np.ndarray
    counts: bool = True


def divide(tokens: Tokens, instances: np.ndarray, processes: int, limit: int | None) -> list[list[Portion]]:
    """Return the micro-batches of every process, as many for each.

    Args:
        tokens: what the instances are of.
        instances: those of the whole batch, of shape (instances,).
        processes: the number of processes.
        limit: tokens, padding included, that are computed at once; None for a process's whole share.
    """
    shares = [_micro_batches(tokens, share, limit) for share in np.array_split(instances, processes)]
    most = max(map(len, shares))
    costs = tokens.lengths[instances] * np.diff(tokens.arrays["instances"])[instances]
    padding = Portion(instances[[int(costs.argmin())]], counts=False)
    return [[Portion(each) for each in share] + [padding] * (most - len(share)) for share in shares]


def _micro_batches(tokens: Tokens, instances: np.ndarray, limit: int | None) -> Sequence[np.ndarray]:
    """Return instances in groups of at most so many tokens, padding included; instances of similar length together."""
    if limit is None:
        return [instances] if len(instances) else []
    sequences = np.diff(tokens.arrays["instances"])
    order = instances[np.argsort(-tokens.lengths[instances], kind="stable")]
    groups: list[list[int]] = []
    used = width = 0
    for instance in order:
        size = int(sequences[instance])
        if not groups or used + size * width > limit:
            groups.append([])
            used, width = 0, int(tokens.lengths[instance])
        groups[-1].append(instance)
        used += size * width
    return [np.array(group) for group in groups]
