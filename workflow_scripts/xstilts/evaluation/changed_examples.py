"""Examples that one arm has right and another one wrong: what a difference between the two is made of.

An arm has an example right where more than half of its runs do. An example is *gained* where the first arm has it right
and the second one has not, and *lost* the other way round. What right means is for the form to say (``Judgement``).
"""

from collections import Counter
from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from xstilts.evaluation import predictions
from xstilts.evaluation.arms import dev_of_run
from xstilts.evaluation.comparisons import BEST_SINGLE, MEAN_SINGLE, Arm, pairs_of_contrast
from xstilts.forms import scoring
from xstilts.forms.declaration import Judgement
from xstilts.store import manifest
from xstilts.store.answer import BEST, MEAN, Answer
from xstilts.store.manifest import EvaluationResults
from xstilts.store.study_plan import NONE, StudyPlan

# examples of each direction that are chosen in a language, and of all comparisons together
EACH, LIMIT = 3, 600
RULE = (
    f"Up to {EACH} examples of each language and direction are shown, chosen by rule: those of which the share of runs"
    " that have them right differs most; of equal ones the first by id."
)
RULE_OF_LIMIT = (
    f"To keep the page small they are about {LIMIT} in all, as many of each comparison and target; first come the"
    " languages in which most examples changed."
)
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Side:
    """One side of a pair.

    Attributes:
        name: of the side: a mixture or a model, ``best single`` or ``mean single``.
        arms: whose runs are on this side.
        chosen: whether in each run the arm with the best mean of dev scores is taken, as in the study's answer.
    """

    name: str
    arms: tuple[Arm, ...]
    chosen: bool = False


@dataclass(frozen=True)
class Pair:
    """Two sides whose examples are compared.

    Attributes:
        shared: what both have in common: the model, or the mixture where models are compared.
        targets: on which they are compared.
    """

    shared: str
    first: Side
    second: Side
    targets: tuple[str, ...]


@dataclass(frozen=True)
class Runs:
    """The runs of a side.

    Attributes:
        name: of the side.
        nodes: by target the nodes with predictions, each once.
        chosen: the mixtures that were chosen, and in how many runs: ``mnli 2, squad_v1 1``; else empty.
    """

    name: str
    nodes: Mapping[str, tuple[str, ...]]
    chosen: str = ""


@dataclass(frozen=True)
class Changed:
    """An example that is gained or lost, and how many runs of the two sides have it right."""

    example_id: str
    first: int
    second: int


@dataclass(frozen=True)
class Changes:
    """What changed in one language: its examples, how many are gained and lost, and some of them."""

    language: str
    examples: int
    gained_number: int
    lost_number: int
    gained: tuple[Changed, ...]
    lost: tuple[Changed, ...]

    @property
    def all(self) -> tuple[Changed, ...]:
        """The examples of both directions."""
        return (*self.gained, *self.lost)


def pairs(plan: StudyPlan) -> list[Pair]:
    """Return the pairs that a study is about: those of its answer, without one those of its first contrast.

    The answer's are of its first budget and recipe, in every model: several tasks against none, and against a single.
    """
    there = {Arm(cell.model, cell.recipe, cell.mixture) for cell in plan.cells}
    asked = _of_answer(plan, plan.answer) if plan.answer else _of_first_contrast(plan)
    return [pair for pair in asked if there.issuperset((*pair.first.arms, *pair.second.arms))]


def _of_answer(plan: StudyPlan, answer: Answer) -> Iterator[Pair]:
    budget, recipe = next(iter(answer.budgets.values())), answer.recipes[0]
    name = {BEST: BEST_SINGLE, MEAN: MEAN_SINGLE}.get(budget.single, budget.single)
    for family in answer.families.values():
        for model in (family.small, family.large):
            if model is not None:
                several = Side(budget.multi, (Arm(model, recipe, budget.multi),))
                singles = tuple(Arm(model, recipe, single) for single in budget.singles)
                for second in (
                    Side(NONE, (Arm(model, recipe, NONE),)),
                    Side(name, singles, chosen=budget.single == BEST),
                ):
                    yield Pair(model, several, second, tuple(plan.targets))


def _of_first_contrast(plan: StudyPlan) -> Iterator[Pair]:
    for contrast in list(plan.contrasts.values())[:1]:
        first, second = contrast.pair
        targets = tuple(contrast.targets or plan.targets)
        for shared, (arm, other) in pairs_of_contrast(plan, contrast):
            both = shared["mixture"] if contrast.axis == "model" else shared["model"]
            yield Pair(f"{both}, {shared['recipe']}", Side(first, (arm,)), Side(second, (other,)), targets)


def runs_of(plan: StudyPlan, results: Path, side: Side) -> Runs:
    """Return the runs of a side.

    Raises:
        UserError: if an arm is to be chosen, and there are no manifests to choose by.
    """
    nodes: dict[tuple[Arm, int], dict[str, str]] = {}
    for cell in plan.cells:
        arm = Arm(cell.model, cell.recipe, cell.mixture)
        if arm in side.arms:
            nodes.setdefault((arm, cell.seed), {})[cell.target] = cell.node
    chosen = ""
    if side.chosen:
        nodes = {run: nodes[run] for run in _chosen(plan, results, nodes)}
        counts = Counter(arm.mixture for arm, _ in nodes)
        chosen = ", ".join(f"{mixture} {count}" for mixture, count in counts.most_common())
    of_targets = {
        target: tuple(dict.fromkeys(of_run[target] for of_run in nodes.values() if target in of_run))
        for target in plan.targets
    }
    return Runs(side.name, of_targets, chosen)


def _chosen(
    plan: StudyPlan, results: Path, nodes: Mapping[tuple[Arm, int], Mapping[str, str]]
) -> list[tuple[Arm, int]]:
    """Return the runs that have the best mean of dev scores of their seed."""
    named = {node for of_run in nodes.values() for node in of_run.values()}
    evaluated = {node: manifest.results_of(results, node, EvaluationResults) for node in named}
    dev = {run: dev_of_run(plan, of_run, evaluated).mean for run, of_run in nodes.items()}
    seeds = dict.fromkeys(seed for _, seed in nodes)
    return [max((run for run in nodes if run[1] == seed), key=lambda run: dev[run]) for seed in seeds]


def judged(
    path: Path, judgement: Judgement, more: Sequence[str] = (), ids: Collection[str] | None = None
) -> pd.DataFrame:
    """Return ``language``, ``example_id`` and ``is_right`` of predictions.

    Args:
        path: the file of predictions, which is there.
        judgement: of their form.
        more: columns to return too.
        ids: of the examples; None for all.

    Raises:
        UserError: if the file cannot be read.
    """
    stored = {name: name if name in scoring.TEXTS else f"{predictions.STATISTIC}{name}" for name in judgement.uses}
    returned = ["language", "example_id", *more]
    frame = predictions.read_columns(path, list(dict.fromkeys([*returned, *stored.values()])), ids)
    is_right = judgement.is_right({name: frame[column].to_numpy() for name, column in stored.items()})
    return frame[returned].assign(is_right=is_right)


def changes(examples: pd.DataFrame, first: np.ndarray, second: np.ndarray) -> list[Changes]:
    """Return what changed in each language, with the ``EACH`` examples of each direction that changed most.

    Args:
        examples: ``language`` and ``example_id``.
        first: whether each run of the first side has each example right; bool of shape (runs, examples).
        second: the same of the second side.
    """
    counts = examples.assign(first=first.sum(axis=0), second=second.sum(axis=0))
    runs_a, runs_b = len(first), len(second)
    # shares of runs, times the runs of both sides: equal changes are equal numbers
    counts["change"] = counts["first"] * runs_b - counts["second"] * runs_a
    is_right, was_right = counts["first"] * 2 > runs_a, counts["second"] * 2 > runs_b
    counts["gained"], counts["lost"] = is_right & ~was_right, was_right & ~is_right
    found = []
    for language, rows in counts.groupby("language", sort=False):
        gained, lost = rows[rows["gained"]], rows[rows["lost"]]
        most = (_first(gained, largest=True), _first(lost, largest=False))
        found.append(Changes(str(language), len(rows), len(gained), len(lost), *most))
    return found


def _first(rows: pd.DataFrame, largest: bool) -> tuple[Changed, ...]:
    ordered = rows.sort_values(["change", "example_id"], ascending=[not largest, True])[:EACH]
    columns = ("example_id", "first", "second")
    return tuple(Changed(*values) for values in zip(*(ordered[name].tolist() for name in columns), strict=True))


def within_limit(found: Mapping[Key, Sequence[Changes]], limit: int = LIMIT) -> dict[Key, list[Changes]]:
    """Return the changes with so few examples that there are at most ``limit`` in all, or one of each key.

    Every key may have the same number. Of a key, those that changed most in each language and direction come first,
    then the second ones; and languages come in the order of how much changed in them.

    Args:
        found: the changes by language, of each comparison and target.
        limit: the number of examples.
    """
    share = max(1, limit // max(1, len(found)))
    return {key: _within(of_key, share) for key, of_key in found.items()}


def _within(found: Sequence[Changes], number: int) -> list[Changes]:
    ordered = sorted(found, key=lambda one: (-one.gained_number - one.lost_number, one.language))
    places = [
        (rank, place, one.language, direction)
        for place, one in enumerate(ordered)
        for direction in ("gained", "lost")
        for rank in range(len(getattr(one, direction)))
    ]
    kept = Counter(
        (language, direction) for _, _, language, direction in sorted(places, key=lambda place: place[:2])[:number]
    )
    return [
        replace(one, gained=one.gained[: kept[one.language, "gained"]], lost=one.lost[: kept[one.language, "lost"]])
        for one in found
    ]
