"""Successive halving: how many settings are compared in each rung, and how long each of them is trained.

Jamieson and Talwalkar 2016, Non-stochastic Best Arm Identification and Hyperparameter Optimization (AISTATS): of n
settings ceil(log2 n) rungs, each with the same part of the budget, which its settings share; the better half goes on.
Here every rung is a short training of its own, from the start to a learning rate of 0, so that settings are compared at
the end of a schedule and not in its middle.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """How many settings are compared, and for which share of a whole training's steps each is trained."""

    settings: int
    share: float


def rungs(settings: int, budget: float) -> list[Rung]:
    """Return the rungs, whose steps together are the budget.

    Args:
        settings: number of settings, two or more.
        budget: steps in all, as a share of those of a whole training.
    """
    number = math.ceil(math.log2(settings))
    found = []
    while settings > 1:
        found.append(Rung(settings, budget / (number * settings)))
        settings = math.ceil(settings / 2)
    return found


def steps(whole: int, share: float) -> int:
    """Return the steps of a training that is a share of a whole one: one at least."""
    return max(1, round(share * whole))
