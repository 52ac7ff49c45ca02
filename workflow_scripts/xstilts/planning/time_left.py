"""How far a run of a study is: how many jobs are done, which run now, and about how long the rest takes.

What has to be made is found as Snakemake finds it: the missing results, and what of their parents is missing. A job
takes the time of starting it and that of its operations (``estimate.py``), at the rate of the jobs that are done.
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from xstilts.errors import UserError
from xstilts.planning import estimate, registry
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.settings import Settings
from xstilts.store.files import written
from xstilts.store.manifest import path_of
from xstilts.store.specs.base import MODEL
from xstilts.store.specs.evaluation import EmbeddingsSpec, PredictionsSpec
from xstilts.store.stages import COMPUTING, STAGES

# before any job is done: seconds to start one, without and with a model, and operations a second of one core
_START, _START_WITH_MODEL, _OPERATIONS_PER_SECOND = 1.5, 6.0, 5e10
# what texts have of the longest input, before they are counted
_LENGTH = 0.3
STUDY = "study"
# the rules that make a study's own outputs, and files of theirs in the study's folder
PRODUCTS = {
    "scores": "scores.parquet",
    "estimates": "estimates.parquet",
    "analyses": "analyses/*",
    "tables": "tables/*",
    "figures": "figures/*",
    "report": "report.*",
}


def missing_nodes(plan: Plan, results: Path) -> list[Node]:
    """Return the nodes that have to be made, parents first."""
    found: dict[str, Node] = {}

    def visit(name: str) -> None:
        if name not in found and not path_of(results, name).exists():
            for parent in plan.nodes[name].parents:
                visit(parent)
            found[name] = plan.nodes[name]

    for name in plan.predictions():
        visit(name)
    return list(found.values())


class Progress(NamedTuple):
    """How far a run is.

    Attributes:
        stages: jobs done and jobs in all, by stage; the last are the study's own outputs.
        running: for how many seconds each job that runs has run, by its stage and name.
        left: about how long the rest takes, in words.
    """

    stages: Mapping[str, tuple[int, int]]
    running: Mapping[str, float]
    left: str


class Watch:
    """Follows a run while it lasts."""

    def __init__(self, plan: Plan, settings: Settings) -> None:
        """Begin with what has to be made now."""
        self._plan, self._settings, self._known = plan, settings, registry.load(settings.registries)
        # where there are scores, nothing before them is made again
        self.nodes = missing_nodes(plan, settings.results) if "scores" in self._missing_products() else []
        self._since = time.time()
        # when each job was first seen to run, and the operations of those whose data are measured
        self._began: dict[str, float] = {}
        self._measured: dict[str, float] = {}

    def progress(self) -> Progress:
        """Return how far the run is now."""
        now, results = time.time(), self._settings.results
        # not by manifests: that of a model goes when the model is deleted
        missing = {node.id for node in missing_nodes(self._plan, results)}
        done = [node for node in self.nodes if node.id not in missing]
        logs = {node.id: results / f"logs/{node.id}.log" for node in self.nodes if node.id in missing}
        products = self._missing_products()
        changed = {name: written(log) for name, log in logs.items()}
        # a rule may have several jobs, each with its log
        of_products = {rule: (results / self._plan.folder / "logs").glob(f"{rule}*.log") for rule in products}
        changed |= {f"{STUDY}/{rule}": max(map(written, found), default=0.0) for rule, found in of_products.items()}
        for name, latest in changed.items():
            # file times are coarser than the clock
            if latest > self._since - 1:
                self._began.setdefault(name, now)
        running = {name: now - began for name, began in self._began.items() if name in changed}
        work = self._operations()
        seconds = _expected(self.nodes, done, work, results)
        left = {name: max(1.0, seconds[name] - running.get(name, 0.0)) for name in seconds if name in missing}
        rest = _rest(self.nodes, left, max(1, len(running)))
        all_jobs, done_jobs = Counter(node.stage for node in self.nodes), Counter(node.stage for node in done)
        stages = {stage: (done_jobs[stage], all_jobs[stage]) for stage in STAGES if all_jobs[stage]}
        stages[STUDY] = (len(PRODUCTS) - len(products), len(PRODUCTS))
        ages = {self._name(name): age for name, age in running.items()}
        return Progress(stages, ages, _in_words(rest))

    def _missing_products(self) -> set[str]:
        """Return the rules whose files are missing in the study's folder."""
        study = self._settings.results / self._plan.folder
        return {rule for rule, pattern in PRODUCTS.items() if not any(study.glob(pattern))}

    def names(self) -> dict[str, str]:
        """Return what each node that has to be made is called, by the path of its manifest."""
        return {str(path_of(self._settings.results, node.id)): self._name(node.id) for node in self.nodes}

    def _name(self, node_id: str) -> str:
        """Return the stage of a node and the study's first name for it; of the study's own outputs the name alone."""
        node = self._plan.nodes.get(node_id)
        return f"{node.stage}/{self._plan.made.names[node_id][0]}" if node else node_id

    def _operations(self) -> dict[str, float]:
        """Return the operations of those nodes that compute with a model of known size, by id."""
        found = {}
        for node in self.nodes:
            if node.id in self._measured or node.stage not in COMPUTING:
                continue
            try:
                cost = estimate.of_node(node, self._plan, self._known, self._settings.results, self._settings.hardware)
            except UserError:
                continue
            # what is bounded is asked for again: once tokens are there, their lengths are known
            if cost.certainty == "measured":
                self._measured[node.id] = cost.operations
            else:
                found[node.id] = _LENGTH * cost.operations
        work = {**self._measured, **found}
        for node in self.nodes:
            # the job that trains a model makes what is asked of it
            if isinstance(node.spec, PredictionsSpec | EmbeddingsSpec) and node.spec.parents[MODEL] in work:
                work[node.spec.parents[MODEL]] += work.pop(node.id, 0.0)
        return work


def _in_words(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{10 * max(1, round(seconds / 10))} s"


def _expected(
    nodes: Sequence[Node], done: Sequence[Node], work: Mapping[str, float], results: Path
) -> dict[str, float]:
    """Return the seconds that each node takes, in the light of those that are done."""
    start = {node.id: _START_WITH_MODEL if node.id in work else _START for node in nodes}
    took = {node.id: _seconds(results / f"benchmarks/{node.id}.tsv") for node in done}
    measured = [name for name, value in took.items() if value is not None and value > start[name]]
    computed = sum(work.get(name, 0.0) for name in measured)
    spent = sum((took[name] or 0.0) - start[name] for name in measured if name in work)
    speed = computed / spent if computed else _OPERATIONS_PER_SECOND
    return {name: value + work.get(name, 0.0) / speed for name, value in start.items()}


def _seconds(path: Path) -> float | None:
    """Return the seconds that Snakemake measured of a job; None before it has."""
    try:
        return float(path.read_text(encoding="utf-8").splitlines()[1].split("\t")[0])
    except (OSError, IndexError, ValueError):
        return None


def _rest(nodes: Sequence[Node], left: Mapping[str, float], at_once: int) -> float:
    """Return the time of what is left: of all by so many at once, or of the longest chain of jobs that wait in turn."""
    ends: dict[str, float] = {}
    for node in nodes:
        ends[node.id] = left.get(node.id, 0.0) + max((ends.get(parent, 0.0) for parent in node.parents), default=0.0)
    return max(sum(left.values()) / at_once, max(ends.values(), default=0.0))
