"""Claims as a plan has them: what a study can compare of each, and what it lacks."""

from collections.abc import Mapping
from dataclasses import dataclass

# arms that are no mixture of a study: chosen anew in every run, on dev rows of the source language
BEST_SINGLE, BEST_BY_TARGET = "best single", "best by target"
HIGHER, LOWER, NOT_HIGHER = "higher", "lower", "not higher"


@dataclass(frozen=True, kw_only=True)
class ClaimComparison:
    """One comparison of a claim: the first arm minus the second, in one model.

    Attributes:
        model: the model.
        first: a mixture of the study, or BEST_BY_TARGET.
        second: a mixture of the study, or BEST_SINGLE.
        among: the mixtures that one of the arms is chosen from; none where both are mixtures.
        target: the one target on which they are compared; empty for the mean over all.
        against: a target whose difference is subtracted from that of ``target``; empty for none.
        expected: what is claimed, ``higher``, ``lower`` or ``not higher``.
    """

    model: str
    first: str
    second: str
    among: tuple[str, ...] = ()
    target: str = ""
    against: str = ""
    expected: str = HIGHER


@dataclass(frozen=True)
class Lacking:
    """Mixtures, by their meaning, and targets that a study would need to check a claim."""

    mixtures: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.mixtures or self.targets)


@dataclass(frozen=True, kw_only=True)
class PlannedClaim:
    """A claim, and how a study can check it.

    Attributes:
        text: the claim in words.
        source: who makes it.
        figure: what was reported with it, unverified.
        holds: for a fact of the set-up, whether it is one of this study; None for what comparisons decide.
        comparisons: those that the study can make, of all models.
        lacking: by model, what the study would need for all others.
    """

    text: str
    source: str
    figure: str
    holds: bool | None
    comparisons: tuple[ClaimComparison, ...]
    lacking: Mapping[str, Lacking]
