"""What a study has cost and on what it ran, as its nodes measured it: ``provenance.json`` of each."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from xstilts.reporting import durations
from xstilts.reporting.wording import counted, listed
from xstilts.store import provenance
from xstilts.store.provenance import Provenance
from xstilts.store.stages import STAGES
from xstilts.store.study_plan import StudyPlan


@dataclass
class Cost:
    """What the nodes of a study that compute with a model have cost.

    Attributes:
        gpu_seconds: by the name of the GPU: seconds of work times GPUs.
        cpu_seconds: seconds of work without a GPU, by processor and number of its cores, if known; of earlier versions,
            which did not note what they ran on, by nothing.
        jobs: nodes that were measured.
        lacking: nodes without such a file.
        versions: of each package, the versions with which nodes were made.
        commits: of this library.
    """

    gpu_seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    cpu_seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    jobs: int = 0
    lacking: int = 0
    versions: dict[str, set[str]] = field(default_factory=dict)
    commits: set[str] = field(default_factory=set)


def measured(plan: StudyPlan, results: Path) -> Cost:
    """Return what the nodes of a plan have cost.

    Args:
        plan: the study's plan.
        results: the results folder.
    """
    cost = Cost()
    made = provenance.of_nodes(results, plan.nodes)
    for node in plan.nodes:
        computes = STAGES[node.partition("/")[0]].computes
        if node not in made:
            cost.lacking += computes
            continue
        _add_versions(cost, made[node])
        if computes:
            _add_time(cost, made[node])
    return cost


def _add_versions(cost: Cost, stated: Provenance) -> None:
    for package, version in {**stated.versions, "Python": stated.python}.items():
        if version is not None:
            cost.versions.setdefault(package, set()).add(version)
    if stated.commit is not None:
        cost.commits.add(stated.commit)


def _add_time(cost: Cost, stated: Provenance) -> None:
    cost.jobs += 1
    if stated.gpu:
        cost.gpu_seconds[stated.gpu] += stated.gpu_seconds
    else:
        on = stated.processor or ""
        if on and stated.processors is not None:
            on += f", {counted(stated.processors, 'core')}"
        cost.cpu_seconds[on] += stated.wall_seconds


def budget(cost: Cost) -> str:
    """Return the computing time in a sentence or two, and of how many nodes it is not known."""
    said = [f"{_time(seconds, 'GPU-')} on {gpu}" for gpu, seconds in cost.gpu_seconds.items()]
    for processor, seconds in cost.cpu_seconds.items():
        on = f"on processors alone ({processor})" if processor else "on hardware that was not recorded"
        said.append(f"{_time(seconds)} {on}")
    if not said:
        return "Nothing was measured."
    lacking = ""
    if cost.lacking:
        lacking = f" This is less than all: what {counted(cost.lacking, 'node')} cost is not known."
    measured = f"Measured over {counted(cost.jobs, 'job')} that compute with a model: {listed(said)}."
    return f"{measured}{lacking} What other studies or attempts cost is not in it."


def _time(seconds: float, of: str = "") -> str:
    """Return a time with its unit, such as ``1.5 GPU-hours``."""
    unit = durations.unit(seconds)
    return f"{durations.number(seconds, unit)} {of}{unit}"


def versions(cost: Cost) -> str:
    """Return packages with their versions, such as ``torch 2.13.0, numpy 2.4.6``."""
    return ", ".join(f"{package} {_joined(found)}" for package, found in sorted(cost.versions.items()))


def _joined(values: Iterable[str]) -> str:
    return " and ".join(sorted(values))
