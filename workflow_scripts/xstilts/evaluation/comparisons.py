"""What a study compares: the differences of its answer and of its contrasts, before anything is estimated."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from xstilts.evaluation import outcomes
from xstilts.evaluation.outcomes import Outcome, Rows, is_retrieval
from xstilts.forms.declaration import NATS, PERCENT
from xstilts.references import parse_reference
from xstilts.store.answer import ANSWER, BEST, INTERACTION, LARGE, MEAN, SMALL, Answer, Budget, Contrast, Family
from xstilts.store.claims import BEST_BY_TARGET, BEST_SINGLE, PlannedClaim
from xstilts.store.study_plan import Cell, StudyPlan

CLAIM = "claim"
DIFFERENCE = "difference"
POINTS, LOG_ODDS = "points", "log-odds"
# what is subtracted where it is no arm of its own
MEAN_SINGLE, ORACLE_SINGLE = "mean single", "oracle single"
# the candidate that is best on the outcome itself, which nobody could have chosen beforehand
ORACLE = "oracle"
# the scale of a difference by the unit of its outcome
SCALES = {PERCENT: POINTS, NATS: NATS}
# what is compared but for the outcome, and with it: rows of the table of estimates that agree in SAME are one
# comparison, over other runs or in another world
COMPARED = ("name", "kind", "scale", "budget", "family", "size", "recipe", "model", "mixture", "a", "b")
SAME = (*COMPARED, "outcome", "target")


class Arm(NamedTuple):
    """An arm of the study."""

    model: str
    recipe: str
    mixture: str


@dataclass(frozen=True)
class Side:
    """What is compared in one model: an arm, or in each run the arm that is chosen among several.

    Attributes:
        coefficient: in the difference.
        arms: the arm, or the candidates.
        choice: how one of the candidates is chosen in each run, BEST, ORACLE or BEST_BY_TARGET; None for an arm.
    """

    coefficient: float
    arms: tuple[Arm, ...]
    choice: str | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A difference that is asked for; names as in the table of estimates.

    Attributes:
        first: what comes first in the difference, with positive coefficients in the model whose effect comes first.
        second: what is subtracted from it; nothing where the outcome of an arm is itself a difference.
    """

    name: str
    a: str
    b: str
    outcome: Outcome
    first: tuple[Side, ...]
    second: tuple[Side, ...]
    kind: str = DIFFERENCE
    scale: str = POINTS
    primary: bool = False
    budget: str = ""
    family: str = ""
    size: str = ""
    recipe: str = ""
    model: str = ""
    mixture: str = ""
    expected: str = ""

    @property
    def is_of_claim(self) -> bool:
        """Whether it is one of a claim."""
        return self.name.startswith(f"{CLAIM} ")


def comparisons(plan: StudyPlan, rows: Rows) -> list[Comparison]:
    """Return all comparisons that a study asks for, those of its answer first.

    Args:
        plan: the study's plan.
        rows: examples by target and language.
    """
    found = list(_of_answer(plan, plan.answer, rows)) if plan.answer else []
    for name, contrast in plan.contrasts.items():
        targets = [target for target in contrast.targets or rows if target in rows]
        found += of_contrast(plan, name, contrast, outcomes.of_contrast(plan, rows, targets))
    for name, claim in plan.claims.items():
        found += _of_claim(plan, f"{CLAIM} {name}", claim, rows)
    return of_arms(plan, found)


def of_arms(plan: StudyPlan, found: Iterable[Comparison]) -> list[Comparison]:
    """Return the comparisons of arms that the study has, on targets that they have.

    A recipe need not be that of every model, and not every target can be put to a model as prompts.
    """
    targets: dict[Arm, set[str]] = {}
    for cell in plan.cells:
        targets.setdefault(Arm(cell.model, cell.recipe, cell.mixture), set()).add(cell.target)

    def is_there(one: Comparison) -> bool:
        asked = set(one.outcome.targets)
        return all(asked <= targets.get(arm, set()) for side in (*one.first, *one.second) for arm in side.arms)

    return [one for one in found if is_there(one)]


def needed(plan: StudyPlan, one: Comparison) -> frozenset[Cell]:
    """Return the cells that a comparison is made from: its arms on the targets of its outcome.

    An arm that is chosen by dev scores is chosen by those of all targets of the study but retrieval (``arms.py``), so
    its candidates are needed on these too.
    """

    def is_of(side: Side, cell: Cell) -> bool:
        by_dev = side.choice == BEST and not is_retrieval(plan, cell.target)
        is_arm = Arm(cell.model, cell.recipe, cell.mixture) in side.arms
        return is_arm and (by_dev or cell.target in one.outcome.targets)

    sides = (*one.first, *one.second)
    return frozenset(cell for cell in plan.cells if any(is_of(side, cell) for side in sides))


def smallest_on(scale: str, smallest: float) -> float:
    """Return the smallest difference that matters on a scale; 0 in nats and log-odds, where there is none.

    Args:
        scale: of the difference.
        smallest: the smallest that matters, in points.
    """
    return smallest if scale == POINTS else 0.0


def pool_of(plan: StudyPlan, arm: Arm) -> str:
    """Return the pool of an arm: arms of one pool are taken to have the same variance between runs.

    They have model and recipe in common, and whether there is no intermediate task, one, or several: in the miniature,
    runs after nine tasks differ more than those after one, up to three times (docs/miniature.md).
    """
    tasks = {parse_reference(reference)[0] for reference in plan.mixtures[arm.mixture]}
    number = "no intermediate task" if not tasks else "one intermediate task" if len(tasks) == 1 else "several"
    return f"{arm.model}, {arm.recipe}, {number}"


def _of_answer(plan: StudyPlan, answer: Answer, rows: Rows) -> Iterator[Comparison]:
    for budget_name, budget in answer.budgets.items():
        found = outcomes.of_answer(plan, rows, (budget.multi, *budget.singles))
        for recipe in answer.recipes:
            first_asked = recipe == answer.recipes[0] and budget_name == next(iter(answer.budgets))
            for family_name, family in answer.families.items():
                for outcome in found:
                    for one in _of_family(budget, family, recipe, outcome):
                        kind = INTERACTION if one.kind == INTERACTION else one.size
                        is_main = outcome is found[0] and not outcome.target
                        is_asked = kind in answer.primary and one.scale != LOG_ODDS and one.b != ORACLE_SINGLE
                        yield replace(
                            one, budget=budget_name, family=family_name, primary=first_asked and is_main and is_asked
                        )


def _of_family(budget: Budget, family: Family, recipe: str, outcome: Outcome) -> Iterator[Comparison]:
    """Yield the differences in the models of a family, and the interaction where it has two of them."""
    choices = {BEST: (BEST_SINGLE, ORACLE_SINGLE), MEAN: (MEAN_SINGLE, ORACLE_SINGLE)}.get(
        budget.single, (budget.single,)
    )
    for b in choices:
        differences = {}
        for size, model in ((SMALL, family.small), (LARGE, family.large)):
            if model is not None:
                differences[size] = Comparison(
                    name=ANSWER,
                    a=budget.multi,
                    b=b,
                    outcome=outcome,
                    scale=SCALES[outcome.unit],
                    first=(Side(1, (Arm(model, recipe, budget.multi),)),),
                    second=_singles(budget, b, model, recipe),
                    size=size,
                    recipe=recipe,
                    model=model,
                )
        yield from differences.values()
        if len(differences) == 2:
            interaction = _interaction(differences[LARGE], differences[SMALL])
            yield interaction
            if not outcome.target:
                yield replace(interaction, scale=LOG_ODDS)


def _singles(budget: Budget, b: str, model: str, recipe: str) -> tuple[Side, ...]:
    arms = tuple(Arm(model, recipe, single) for single in budget.singles)
    if b == MEAN_SINGLE:
        return tuple(Side(-1 / len(arms), (arm,)) for arm in arms)
    return (Side(-1, arms, {BEST_SINGLE: BEST, ORACLE_SINGLE: ORACLE}.get(b)),)


def _interaction(large: Comparison, small: Comparison) -> Comparison:
    """Return the large model's difference minus the small one's."""

    def minus(sides: tuple[Side, ...]) -> tuple[Side, ...]:
        return tuple(replace(side, coefficient=-side.coefficient) for side in sides)

    return replace(
        large,
        kind=INTERACTION,
        size="",
        model="",
        first=(*minus(small.first), *large.first),
        second=(*minus(small.second), *large.second),
    )


def of_contrast(plan: StudyPlan, name: str, contrast: Contrast, found: Sequence[Outcome]) -> Iterator[Comparison]:
    """Yield a contrast in every combination of the other axes, on each of the outcomes found for it.

    Of a primary one the first outcome counts: the mean over its targets, or the one target that is in percent.

    Args:
        plan: the study's plan.
        name: of the contrast.
        contrast: the contrast.
        found: the outcomes.
    """
    for shared, pair in pairs_of_contrast(plan, contrast):
        for outcome in found:
            yield Comparison(
                name=name,
                a=contrast.pair[0],
                b=contrast.pair[1],
                outcome=outcome,
                scale=SCALES[outcome.unit],
                primary=contrast.primary and outcome is found[0],
                expected=contrast.expected or "",
                first=(Side(1, pair[:1]),),
                second=(Side(-1, pair[1:]),),
                **shared,
            )


def pairs_of_contrast(plan: StudyPlan, contrast: Contrast) -> Iterator[tuple[Mapping[str, str], tuple[Arm, Arm]]]:
    """Yield what the arms on both sides of a contrast share, all else being equal, and these arms.

    The study need not have the second one.
    """
    first, second = contrast.pair
    for cell in {(cell.model, cell.recipe, cell.mixture): cell for cell in plan.cells}.values():
        arm = Arm(cell.model, cell.recipe, cell.mixture)
        if contrast.axis == "mixture" and arm.mixture == first and arm.model in (contrast.models or (arm.model,)):
            yield {"model": arm.model, "recipe": arm.recipe}, (arm, arm._replace(mixture=second))
        if contrast.axis == "model" and arm.model == first:
            yield {"recipe": arm.recipe, "mixture": arm.mixture}, (arm, arm._replace(model=second))


def _of_claim(plan: StudyPlan, name: str, claim: PlannedClaim, rows: Rows) -> Iterator[Comparison]:
    """Yield the comparisons of a claim in every recipe of their model."""
    chosen = {BEST_SINGLE: BEST, BEST_BY_TARGET: BEST_BY_TARGET}
    for asked in claim.comparisons:
        outcome = outcomes.of_claim(plan, rows, asked.target, asked.against)
        if outcome is None:
            continue
        for recipe in dict.fromkeys(cell.recipe for cell in plan.cells if cell.model == asked.model):
            first, second = (
                Side(sign, tuple(Arm(asked.model, recipe, one) for one in asked.among), chosen[mixture])
                if mixture in chosen
                else Side(sign, (Arm(asked.model, recipe, mixture),))
                for sign, mixture in ((1, asked.first), (-1, asked.second))
            )
            yield Comparison(
                name=name,
                a=asked.first,
                b=asked.second,
                outcome=outcome,
                scale=SCALES[outcome.unit],
                recipe=recipe,
                model=asked.model,
                expected=asked.expected,
                first=(first,),
                second=(second,),
            )
