"""Runs of a study's arms: their outcome, as measured and under every draw of examples, and the chosen single task."""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from xstilts.errors import UserError
from xstilts.evaluation import intervals, resampling
from xstilts.evaluation.comparisons import ORACLE, Arm, Side, pool_of
from xstilts.evaluation.intervals import RunVariance
from xstilts.evaluation.outcomes import Outcome, Term, is_retrieval
from xstilts.evaluation.resampling import Examples
from xstilts.evaluation.trainings import varies
from xstilts.forms import FORMS, metric_named
from xstilts.forms.declaration import PERCENT
from xstilts.store import manifest
from xstilts.store.claims import BEST_BY_TARGET
from xstilts.store.manifest import EvaluationResults, Run
from xstilts.store.specs.base import EMBEDDINGS, MODEL
from xstilts.store.specs.models import TargetSpec
from xstilts.store.study_plan import StudyPlan


@dataclass(frozen=True)
class Dev:
    """The dev scores of a run, in percent, of all targets of the study but those of retrieval.

    Attributes:
        of_targets: of the targets that are trained.
        mean: over the trainings, each once even where it is that of several targets; NaN without any.
    """

    of_targets: Mapping[str, float]
    mean: float


@dataclass(frozen=True)
class Measured:
    """What is known of the nodes behind a study's cells.

    Attributes:
        nodes: the node of each target, by arm and seed.
        scores: by node, language and metric the score, then that of every draw; of shape (1 + draws,).
        varying: nodes that differ from seed to seed.
        collapsed: nodes behind which a training collapsed, of the intermediate phase or the target's own.
        constant: nodes of which the target's own training collapsed: one prediction for all rows.
        dev: by arm and seed what the best arm is chosen by.
        pools: the pool of each arm.
    """

    nodes: Mapping[Arm, Mapping[int, Mapping[str, str]]]
    scores: Mapping[str, Mapping[tuple[str, str], np.ndarray]]
    varying: Collection[str]
    collapsed: Collection[str]
    constant: Collection[str]
    dev: Mapping[tuple[Arm, int], Dev]
    pools: Mapping[Arm, str]


@dataclass(frozen=True)
class Runs:
    """The runs of an arm on an outcome.

    Attributes:
        seeds: of the runs.
        values: the outcome, then that of every draw; of shape (runs, 1 + draws).
        collapsed: whether a training of each run collapsed.
        constant: whether each run has one prediction for all rows on every target.
        deterministic: whether no seed decides anything in it, so that all runs are one and the same.
        pool: arms of one pool have the same variance between runs.
        chosen: the mixture of each run, where it is chosen among several.
    """

    seeds: tuple[int, ...]
    values: np.ndarray
    collapsed: tuple[bool, ...]
    constant: tuple[bool, ...]
    deterministic: bool
    pool: str
    chosen: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        """How many different runs these are."""
        return 1 if self.deterministic else len(self.seeds)

    def as_arm(self, coefficient: float) -> intervals.WeightedArm:
        """Return the arm of a difference."""
        runs, draws = self.values[:, 0], self.values[:, 1:].T
        return intervals.WeightedArm(coefficient, runs, draws, self.pool, self.deterministic, all(self.constant))


def measure(
    plan: StudyPlan, results: Path, examples: Mapping[str, Mapping[str, Examples]], terms: Iterable[Term]
) -> Measured:
    """Return the scores of all cells of a study that some outcomes need.

    Args:
        plan: the study's plan.
        results: the results folder.
        examples: the examples of each target by language.
        terms: of the outcomes.
    """
    nodes: dict[Arm, dict[int, dict[str, str]]] = {}
    nodes_of: dict[str, list[str]] = {}
    for cell in plan.cells:
        arm = Arm(cell.model, cell.recipe, cell.mixture)
        nodes.setdefault(arm, {}).setdefault(cell.seed, {})[cell.target] = cell.node
        nodes_of.setdefault(cell.target, []).append(cell.node)
    asked: dict[str, dict[str, set[str]]] = {}
    for term in terms:
        asked.setdefault(term.target, {}).setdefault(term.language, set()).add(term.metric)
    scores: dict[str, dict[tuple[str, str], np.ndarray]] = {}
    for target, metrics in asked.items():
        form, of_target = FORMS[plan.targets[target].form], dict.fromkeys(nodes_of[target])
        # two targets of a study may be one and the same node
        for node, found in resampling.scores(results, of_target, form, examples[target], metrics):
            scores.setdefault(node, {}).update(found)
    evaluated = {cell.node: manifest.results_of(results, cell.node, EvaluationResults) for cell in plan.cells}
    return Measured(
        nodes=nodes,
        scores=scores,
        varying={node for node in evaluated if varies(plan, node)},
        collapsed={node for node, found in evaluated.items() if found.collapsed},
        constant={node for node, found in evaluated.items() if _is_constant(plan, node, found.training)},
        dev={
            (arm, seed): dev_of_run(plan, of_targets, evaluated)
            for arm, of_seeds in nodes.items()
            for seed, of_targets in of_seeds.items()
        },
        pools={arm: pool_of(plan, arm) for arm in nodes},
    )


def _is_constant(plan: StudyPlan, node: str, training: Mapping[str, Run]) -> bool:
    """Tell whether the target's own training collapsed; another one behind it may leave a model that learns."""
    model = _trained(plan, node)
    return model.partition("/")[0] == TargetSpec.stage and model in training and training[model].collapsed


def dev_of_run(plan: StudyPlan, nodes: Mapping[str, str], evaluated: Mapping[str, EvaluationResults]) -> Dev:
    """Return the dev scores of a run, whose nodes are given by target.

    Retrieval has none where it is not trained, so it takes the arm that is chosen on the other targets throughout.
    """
    of_targets = {
        target: float(np.mean(scores))
        for target, node in nodes.items()
        if not is_retrieval(plan, target) and (scores := dev_scores(plan, node, evaluated[node].training))
    }
    of_trainings = {_trained(plan, nodes[target]): score for target, score in of_targets.items()}
    return Dev(of_targets, float(np.mean(list(of_trainings.values()))) if of_trainings else math.nan)


def _trained(plan: StudyPlan, node: str) -> str:
    """Return the node of the model that a target's predictions are of."""
    parents = plan.nodes[node].parents
    if EMBEDDINGS in parents:
        parents = plan.nodes[parents[EMBEDDINGS]].parents
    return parents.get(MODEL, "")


def dev_scores(plan: StudyPlan, node: str, training: Mapping[str, Run]) -> list[float]:
    """Return the dev scores of the target's own training, in percent; none where the target is not trained."""
    model = _trained(plan, node)
    if model not in training:
        return []
    spec = plan.nodes[model].spec
    if not isinstance(spec, TargetSpec):
        return []
    return [
        training[model].dev[task.task].scores[task.metric]
        for task in spec.tasks
        if metric_named(task.metric).unit == PERCENT
    ]


def runs_of(measured: Measured, outcome: Outcome) -> dict[Arm, Runs]:
    """Return the runs of every arm of the study that has all targets of an outcome."""
    asked = set(outcome.targets)
    return {
        arm: _runs(measured, arm, outcome)
        for arm, of_seeds in measured.nodes.items()
        if all(asked <= set(of_targets) for of_targets in of_seeds.values())
    }


def _runs(measured: Measured, arm: Arm, outcome: Outcome) -> Runs:
    behind = [[nodes[target] for target in outcome.targets] for nodes in measured.nodes[arm].values()]
    return Runs(
        seeds=tuple(measured.nodes[arm]),
        values=np.array([_values(measured, nodes, outcome) for nodes in measured.nodes[arm].values()]),
        collapsed=tuple(any(node in measured.collapsed for node in nodes) for nodes in behind),
        constant=tuple(all(node in measured.constant for node in nodes) for nodes in behind),
        deterministic=not any(node in measured.varying for nodes in behind for node in nodes),
        pool=measured.pools[arm],
    )


def _values(measured: Measured, nodes: Mapping[str, str], outcome: Outcome) -> np.ndarray:
    """Return the outcome of a run by its node of each target, then that of every draw; of shape (1 + draws,)."""
    scores = [measured.scores[nodes[term.target]][term.language, term.metric] for term in outcome.terms]
    return np.sum([term.weight * score for term, score in zip(outcome.terms, scores, strict=True)], axis=0)


def without_collapsed(runs: Mapping[Arm, Runs]) -> dict[Arm, Runs]:
    """Return the runs that did not collapse; an arm of which none is left is left out."""
    kept = {
        arm: [seed for seed, collapsed in zip(one.seeds, one.collapsed, strict=True) if not collapsed]
        for arm, one in runs.items()
    }
    return {arm: of_seeds(runs[arm], seeds) for arm, seeds in kept.items() if seeds}


def of_seeds(runs: Runs, seeds: Sequence[int]) -> Runs:
    """Return the runs of these seeds."""
    kept = [runs.seeds.index(seed) for seed in seeds]
    collapsed, constant = (tuple(of_runs[index] for index in kept) for of_runs in (runs.collapsed, runs.constant))
    return replace(runs, seeds=tuple(seeds), values=runs.values[kept], collapsed=collapsed, constant=constant)


def of_side(measured: Measured, runs: Mapping[Arm, Runs], side: Side, outcome: Outcome) -> Runs | None:
    """Return the runs of a side of a comparison; None where none is left.

    Args:
        measured: what is known of the nodes.
        runs: of all arms on the outcome.
        side: an arm, or candidates among which one is chosen in each run, or for each target in each run.
        outcome: the outcome.

    Raises:
        UserError: if there are no dev scores to choose by.
    """
    candidates = [arm for arm in side.arms if arm in runs]
    if not candidates:
        return None
    if side.choice is None:
        return runs[candidates[0]]
    seeds = tuple(dict.fromkeys(seed for arm in candidates for seed in runs[arm].seeds))
    chosen, values, collapsed, constant = [], [], [], []
    for seed in seeds:
        there = [arm for arm in candidates if seed in runs[arm].seeds]
        best = {
            target: max(there, key=lambda arm: _score(measured, runs[arm], side.choice, arm, seed, target))
            for target in outcome.targets
        }
        # chosen for all targets at once, it is the same arm on each
        mixtures = [arm.mixture for arm in best.values()]
        chosen += mixtures if side.choice == BEST_BY_TARGET else mixtures[:1]
        nodes = {target: measured.nodes[arm][seed][target] for target, arm in best.items()}
        values.append(_values(measured, nodes, outcome))
        collapsed.append(any(runs[arm].collapsed[runs[arm].seeds.index(seed)] for arm in best.values()))
        constant.append(all(node in measured.constant for node in nodes.values()))
    pool = f"{side.choice} of {', '.join(map('.'.join, side.arms))}"
    return Runs(seeds, np.array(values), tuple(collapsed), tuple(constant), False, pool, tuple(chosen))


def _score(measured: Measured, runs: Runs, choice: str | None, arm: Arm, seed: int, target: str) -> float:
    """Return by what an arm is chosen in a run: its outcome, its dev score of a target, or the mean over targets.

    The mean stands for the dev score of a target that is not trained, or is one of retrieval.
    """
    if choice == ORACLE:
        return float(runs.values[runs.seeds.index(seed), 0])
    dev = measured.dev[arm, seed]
    if not dev.of_targets:
        raise UserError(
            "answer.budgets: `single: best` is chosen by dev scores, and the study trains no target but those of"
            " retrieval that is scored in percent; name the single task"
        )
    return dev.of_targets.get(target, dev.mean) if choice == BEST_BY_TARGET else dev.mean


def pools_of(runs: Iterable[Runs]) -> dict[str, RunVariance]:
    """Return the variance between runs of each pool in which an arm has two."""
    by_pool: dict[str, list[np.ndarray]] = {}
    for one in runs:
        if not one.deterministic:
            by_pool.setdefault(one.pool, []).append(one.values[:, 0])
    variances = {pool: intervals.run_variance(outcomes) for pool, outcomes in by_pool.items()}
    return {pool: variance for pool, variance in variances.items() if variance is not None}
