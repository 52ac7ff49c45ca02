"""GPU-hours of a study, and of a part of its results, by the number of runs, before any is made."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from xstilts.planning import estimate, memory_plan
from xstilts.planning.gpu_types import GpuType
from xstilts.planning.nodes import Plan
from xstilts.planning.registry import Registry
from xstilts.planning.settings import Settings
from xstilts.planning.study import Study
from xstilts.planning.unindexed import plan_unindexed
from xstilts.store.stages import COMPUTING
from xstilts.store.study_plan import Cell


@dataclass(frozen=True)
class Hours:
    """Hours of one GPU, all jobs one after the other.

    Attributes:
        once: of what all runs share: searches of learning rates, and what no seed decides.
        per_run: of each run of all arms.
    """

    once: float
    per_run: float

    def at(self, runs: int) -> float:
        """Return the hours with so many runs an arm."""
        return self.once + runs * self.per_run


@dataclass(frozen=True)
class _PlanHours:
    """A plan, and the hours of each of its nodes that computes with a model, by id."""

    plan: Plan
    of_nodes: Mapping[str, float]

    def of(self, results: Collection[Cell]) -> float:
        """Return the hours of the nodes of some results, whatever their seeds, and of all that these stand on."""
        asked = {_without_seed(cell) for cell in results}
        needed = self.plan.with_parents(cell.node for cell in self.plan.cells if _without_seed(cell) in asked)
        return sum(hours for node, hours in self.of_nodes.items() if node in needed)


@dataclass(frozen=True)
class StudyHours:
    """The hours of a study's nodes, in its plans with one seed and with two: each seed adds the same nodes."""

    one: _PlanHours
    two: _PlanHours

    def whole(self) -> Hours:
        """Return the hours of all nodes."""
        return _by_runs(sum(self.one.of_nodes.values()), sum(self.two.of_nodes.values()))

    def of(self, results: Collection[Cell]) -> Hours:
        """Return the hours of what some results need, whatever their seeds: their nodes, and all these stand on."""
        return _by_runs(self.one.of(results), self.two.of(results))


def _without_seed(cell: Cell) -> tuple[str, str, str, str]:
    return cell.model, cell.recipe, cell.mixture, cell.target


def _by_runs(one: float, two: float) -> Hours:
    """Return hours from those of one seed and of two."""
    return Hours(once=2 * one - two, per_run=two - one)


def of_study(study: Study, registry: Registry, settings: Settings, gpu_type: GpuType) -> StudyHours:
    """Return the hours of a study's nodes.

    Raises:
        UserError: as ``plan_unindexed`` and ``memory_plan.of_node``.
    """
    first = study.seeds[0]
    one, two = (
        _plan_hours(replace(study, seeds=seeds), registry, settings, gpu_type)
        for seeds in ((first,), (first, first + 1))
    )
    return StudyHours(one, two)


def _plan_hours(study: Study, registry: Registry, settings: Settings, gpu_type: GpuType) -> _PlanHours:
    plan = plan_unindexed(study, registry, settings)
    hours = {}
    for node in (node for stage in COMPUTING for node in plan.stage(stage).values()):
        cost = memory_plan.of_node(node, plan, registry, settings, gpu_type).cost
        hours[node.id] = cost.gpus * cost.hours(gpu_type, estimate.numerics_of(node.spec).precision)
    return _PlanHours(plan, hours)
