"""The question of a study as data: what is compared with what, on which outcome, and which differences matter."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# the name of an answer's comparisons, which stand beside contrasts by theirs
ANSWER = "answer"
# the budget at which both arms train for as many steps
EQUAL_STEPS = "equal steps"
# how the single-task arm is chosen; any other word is a mixture
BEST, MEAN = "best", "mean"
# the comparisons that an answer makes in each family
SMALL, LARGE, INTERACTION = "small", "large", "interaction"
# at most so many comparisons are primary: their p values are corrected for each other
MOST_PRIMARY = 5
SMALLEST = 1.0


@dataclass(frozen=True)
class Contrast:
    """Two values of an axis that are compared, the first minus the second with all else equal.

    Attributes:
        axis: ``model`` or ``mixture``.
        pair: the two values.
        targets: the targets on which they are compared; None for all.
        models: the models in which two mixtures are compared; None for all.
        expected: ``higher`` or ``lower``, what was expected beforehand; None for nothing.
        primary: whether the study is judged by it.
    """

    axis: str
    pair: tuple[str, str]
    targets: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    expected: str | None = None
    primary: bool = False


@dataclass(frozen=True, kw_only=True)
class Budget:
    """A multi-task and a single-task arm that are comparable because something is equal in both.

    Attributes:
        multi: the mixture of several tasks.
        single: ``best``, the single task with the best mean on dev rows of the source language, chosen anew in every
            run; ``mean``, the mean over all single tasks; or one mixture.
        singles: the mixtures of one task each that ``best`` chooses from and ``mean`` averages.
    """

    multi: str
    single: str
    singles: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Family:
    """A small and a large model of one family; a family of one size has the other one not."""

    small: str | None
    large: str | None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a study asks: multi against single, by family and size.

    Attributes:
        budgets: by what is held equal, ``equal epochs`` or ``equal steps``; the first is primary, others exploratory.
        families: by name.
        recipes: the recipes for which the question is asked; the first is primary.
        outcome: ``zero_shot``, the mean over targets of their mean over languages other than the source language; or
            ``benchmark``, the mean over the benchmark's tasks with the source language.
        controls: languages that are averaged apart from the others.
        smallest: the smallest difference that matters, in points.
        primary: which comparisons of a family are primary: ``small``, ``large``, ``interaction``.
    """

    budgets: Mapping[str, Budget]
    families: Mapping[str, Family]
    recipes: tuple[str, ...]
    outcome: str = "zero_shot"
    controls: tuple[str, ...] = field(default=())
    smallest: float = SMALLEST
    primary: tuple[str, ...] = (SMALL, LARGE, INTERACTION)
