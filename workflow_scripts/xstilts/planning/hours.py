"""GPU-hours of a study by its number of runs, before any is made."""

from dataclasses import dataclass, replace

from xstilts.planning import estimate, memory_plan
from xstilts.planning.gpu_types import GpuType
from xstilts.planning.registry import Registry
from xstilts.planning.settings import Settings
from xstilts.planning.study import Study
from xstilts.planning.unindexed import plan_unindexed
from xstilts.store.stages import COMPUTING


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
        """Return the hours of a study with so many runs an arm."""
        return self.once + runs * self.per_run


def by_runs(study: Study, registry: Registry, settings: Settings, gpu_type: GpuType) -> Hours:
    """Return the hours of a study: those of plans with one seed and with two, for each seed adds the same nodes.

    Raises:
        UserError: as ``plan_unindexed`` and ``memory_plan.of_node``.
    """
    first = study.seeds[0]
    one, two = (
        _hours(replace(study, seeds=seeds), registry, settings, gpu_type) for seeds in ((first,), (first, first + 1))
    )
    return Hours(once=2 * one - two, per_run=two - one)


def _hours(study: Study, registry: Registry, settings: Settings, gpu_type: GpuType) -> float:
    plan = plan_unindexed(study, registry, settings)
    hours = 0.0
    for node in (node for stage in COMPUTING for node in plan.stage(stage).values()):
        cost = memory_plan.of_node(node, plan, registry, settings, gpu_type).cost
        hours += cost.gpus * cost.hours(gpu_type, estimate.numerics_of(node.spec).precision)
    return hours
