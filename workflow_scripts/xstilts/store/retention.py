"""What is kept: trained weights go once everything that needs them is complete; old nodes when a person says so.

Of a training whose weights go there stays what it cost, and how it went.
"""

import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from xstilts.store import provenance, runs, study_plan
from xstilts.store.files import written
from xstilts.store.manifest import MANIFEST
from xstilts.store.node import HISTORY, remove
from xstilts.store.specs.models import TrainingSpec
from xstilts.store.stages import STAGES, STUDIES
from xstilts.store.study_plan import FILE, PlannedNode, StudyPlan

log = logging.getLogger(__name__)

# files of a training that outlive its weights
_KEPT = (provenance.FILE, HISTORY)


def delete_unneeded(results: Path, plan: StudyPlan, parents: Iterable[str], keep_models: str) -> list[str]:
    """Delete those trained parents whose every user is complete, and return their ids.

    That goes for the plan, and for the latest plan of every study whose results stand here, which another checkout may
    run. What a job reads stays too, and what another run has in its plan, for that run has counted on it when it began
    (``delete_left``). The manifest goes with the weights, so a job that comes to need them later makes them anew.
    Adapters stay.

    Args:
        results: the results folder.
        plan: the study's plan.
        parents: ids of nodes that a job which has just ended has read.
        keep_models: the setting of that name.
    """
    users = _users({name: node.parents for name, node in plan.nodes.items()})

    def may_go(name: str) -> bool:
        return _may_go(plan.nodes.get(name), name, keep_models)

    deleted = []
    for parent in parents:
        unneeded = may_go(parent) and _has_more(results / parent) and _is_complete(results, parent, users, may_go)
        if not unneeded or _is_needed_elsewhere(results, parent, may_go):
            continue
        if not remove(results / parent, keep=_KEPT):
            log.info("%s: its weights stay, for another process reads them", parent)
            continue
        log.info("%s: every node that reads it is complete; its weights are deleted", parent)
        deleted.append(parent)
        if parent in plan.nodes:
            deleted += delete_unneeded(results, plan, plan.nodes[parent].parents.values(), keep_models)
    return deleted


def delete_left(results: Path, plan: StudyPlan, began: float, keep_models: str) -> None:
    """Delete, when a run has ended, the weights that its jobs have read and had to leave for another run.

    Args:
        results: the results folder.
        plan: the study's plan.
        began: when the run did, in seconds since the epoch.
        keep_models: the setting of that name.
    """
    read = [
        parent
        for name, node in plan.nodes.items()
        if written(results / name / MANIFEST) >= began
        for parent in node.parents.values()
    ]
    delete_unneeded(results, plan, dict.fromkeys(read), keep_models)


def _users(parents: Mapping[str, Mapping[str, str]]) -> dict[str, list[str]]:
    """Return the nodes that read a node, by its id, from the parents of each by role."""
    users: dict[str, list[str]] = {}
    for name, of_node in parents.items():
        for parent in of_node.values():
            users.setdefault(parent, []).append(name)
    return users


def _is_complete(results: Path, name: str, users: Mapping[str, Collection[str]], may_go: Callable[[str], bool]) -> bool:
    """Tell whether every node that reads one is there, or was deleted after all that reads it was.

    What a job of this run is still to make again is not: Snakemake goes by what its parents are, not by what is there.
    """
    waiting = runs.waiting(results)

    def is_done(user: str) -> bool:
        if user in waiting:
            return False
        if (results / user / MANIFEST).exists():
            return True
        return may_go(user) and user in users and all(map(is_done, users[user]))

    return all(map(is_done, users.get(name, [])))


def _is_needed_elsewhere(results: Path, name: str, may_go: Callable[[str], bool]) -> bool:
    """Tell whether nodes that read this one are in the latest plan of a study and not complete, or in another run's."""
    others = {Path(run.study).stem for run in runs.live(results) if run.id != os.environ.get(runs.VARIABLE)}
    for study, path in _latest_plans(results):
        # one that cannot be read is of no study that runs
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            text = path.read_text(encoding="utf-8")
            # a plan may have thousands of nodes, and most plans not this one
            if json.dumps(name, ensure_ascii=False) not in text:
                continue
            if study in others:
                log.info("%s: its weights stay, for another run has it in its plan (%s)", name, path)
                return True
            users = _users({user: node["content"]["parents"] for user, node in json.loads(text)["nodes"].items()})
            if not _is_complete(results, name, users, may_go):
                log.info("%s: its weights stay, for %s needs them", name, path)
                return True
    return False


def _latest_plans(results: Path) -> Iterator[tuple[str, Path]]:
    """Yield the plan of each study that has made its outputs last, and the one that was started last."""
    for study in (results / STUDIES).glob("*"):
        plans = {path.resolve() for path in study.glob(f"latest/{FILE}")}
        started = [path for path in study.glob(f"*/{FILE}") if not path.parent.is_symlink()]
        plans |= set(sorted(started, key=lambda path: path.stat().st_mtime)[-1:])
        yield from ((study.name, path) for path in sorted(plans))


def _has_more(folder: Path) -> bool:
    """Tell whether a node's folder has more than what stays of a deleted one."""
    return folder.is_dir() and any(path.name not in _KEPT for path in folder.iterdir())


def _may_go(node: PlannedNode | None, name: str, keep_models: str) -> bool:
    """Tell whether a node may be deleted once nothing needs it."""
    if keep_models not in STAGES[name.partition("/")[0]].deleted_under:
        return False
    is_adapter = node is not None and isinstance(node.spec, TrainingSpec) and node.spec.method.is_adapter
    return not is_adapter


@dataclass(frozen=True)
class Unused:
    """A folder that no current plan of a registered study names: size in bytes, age in days, studies that made it."""

    path: Path
    size: int
    age: float
    studies: tuple[str, ...]


def unused(results: Path, current: Iterable[str]) -> list[Unused]:
    """Return the nodes and study outputs that are in none of the current plans.

    Args:
        results: the results folder.
        current: ids of the nodes, and folders of the study outputs, of all registered studies.
    """
    named, makers = set(current), _makers(results)
    found = []
    for stage in (*STAGES, STUDIES):
        pattern = "*/*" if stage == STUDIES else "*"
        for folder in sorted((results / stage).glob(pattern)):
            name = folder.relative_to(results).as_posix()
            if folder.is_dir() and not folder.is_symlink() and not folder.name.startswith(".") and name not in named:
                made_by = (folder.parent.name,) if stage == STUDIES else makers.get(name, ())
                age = (time.time() - folder.stat().st_mtime) / 86400
                found.append(Unused(folder, _size(folder), age, tuple(made_by)))
    return found


def named_by_plans(results: Path, study: str, which: str = "*") -> list[str]:
    """Return what the plans of a study, past ones included, name: ids of nodes and folders of outputs."""
    named: list[str] = []
    folder = results / "studies" / study
    for path in folder.glob(f"{which}/{FILE}"):
        named += study_plan.node_ids(path)
        named.append(f"studies/{study}/{path.parent.resolve().name}")
    return named


def _makers(results: Path) -> dict[str, tuple[str, ...]]:
    """Return for each node id the studies whose plans, past ones included, name it."""
    makers: dict[str, set[str]] = {}
    for folder in (results / "studies").glob("*"):
        for name in named_by_plans(results, folder.name):
            makers.setdefault(name, set()).add(folder.name)
    return {name: tuple(sorted(studies)) for name, studies in makers.items()}


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
