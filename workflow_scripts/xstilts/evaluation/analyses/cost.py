"""Cost: the time of each arm's trainings as it was measured, beside what the arm gains over ``none``."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.evaluation import outcomes, trainings
from xstilts.evaluation.analyses import differences, measured
from xstilts.evaluation.analyses.differences import Differences
from xstilts.evaluation.comparisons import Arm
from xstilts.evaluation.table import Column, Table
from xstilts.evaluation.trainings import INTERMEDIATE, TARGET
from xstilts.store import provenance
from xstilts.store.study_plan import NONE, StudyPlan

# units of time
GPU_SECONDS, CPU_SECONDS, MIXED = "GPU-seconds", "CPU-seconds", "mixed"
COLUMNS = (
    *measured.ARM,
    Column("runs", "integer", "runs: seeds, in a study of several worlds those of each"),
    Column("unit", "text", "GPU-seconds, without a GPU CPU-seconds, or mixed; empty where nothing was measured"),
    Column("hardware", "text", "names of the GPUs or processors, as far as provenance has them"),
    Column("intermediate", "number", "time of the intermediate phase, mean over runs; missing if any is", True),
    Column("target", "number", "the same of the target phase, over all targets", True),
    Column("trainings", "integer", "trainings in the two phases, searches of a learning rate among them"),
    Column("measured", "integer", "trainings of these whose time is known"),
    Column("outcome", "text", "what the gain is on: `zero-shot`, or `benchmark`, the mean that the study asks for"),
    *differences.COLUMNS,
)
TABLE = Table("cost", COLUMNS)


@dataclass(frozen=True)
class Cost:
    """What a training took: seconds times GPUs, or without a GPU seconds of the processor; and on what."""

    seconds: float
    unit: str
    hardware: str


def collect(plan: StudyPlan, results: Path, estimates: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return the cost of every arm: what its trainings took, each once, pretraining left out.

    What arms share counts in each of them, so a row says what the arm alone would have taken.

    Args:
        plan: the study's plan.
        results: the results folder.
        estimates: the table of estimates.
        scores: the table of scores.
    """
    found = Differences(estimates)
    main = outcomes.of_analyses(plan, measured.rows_of(plan, scores))[0]
    runs: dict[Arm, set[tuple[int | None, int]]] = {}
    nodes: dict[Arm, dict[str, set[str]]] = {}
    for cell in plan.cells:
        arm = Arm(cell.model, cell.recipe, cell.mixture)
        runs.setdefault(arm, set()).add((cell.world, cell.seed))
        of_phases = nodes.setdefault(arm, {INTERMEDIATE: set(), TARGET: set()})
        for training in trainings.behind(plan, cell.node):
            if training.phase in of_phases:
                of_phases[training.phase] |= {training.node, *([training.search] if training.search else [])}
    costs = {node: cost_of(results / node) for phases in nodes.values() for each in phases.values() for node in each}
    return measured.table_of(
        [
            arm._asdict()
            | {"runs": len(runs[arm]), **_of_arm(nodes[arm], costs, len(runs[arm])), "outcome": main.name}
            | found.minus(arm, NONE, main)
            for arm in runs
        ],
        COLUMNS,
    )


def cost_of(folder: Path) -> Cost | None:
    """Return what a node took by its provenance; None without one.

    Args:
        folder: of the node.
    """
    stated = provenance.read(folder)
    if stated is None:
        return None
    if stated.gpu:
        return Cost(stated.gpu_seconds, GPU_SECONDS, stated.gpu)
    return Cost(stated.cpu_seconds, CPU_SECONDS, stated.processor or "")


def _of_arm(nodes: Mapping[str, Iterable[str]], costs: Mapping[str, Cost | None], runs: int) -> dict[str, Any]:
    """Return unit, hardware and time by phase of an arm, whose trainings are given by phase."""
    each = [costs[node] for phase in nodes.values() for node in phase]
    known = [cost for cost in each if cost is not None]
    units = {cost.unit for cost in known}
    times = {phase: _sum([costs[node] for node in of_phase]) / runs for phase, of_phase in nodes.items()}
    return {
        "unit": MIXED if len(units) > 1 else next(iter(units), ""),
        "hardware": ", ".join(sorted({cost.hardware for cost in known} - {""})),
        **(dict.fromkeys(times, math.nan) if len(units) > 1 else times),
        "trainings": len(each),
        "measured": len(known),
    }


def _sum(costs: Iterable[Cost | None]) -> float:
    """Return the sum of times; missing where one of them is, since times of two units cannot be added."""
    return math.fsum(math.nan if cost is None else cost.seconds for cost in costs)
