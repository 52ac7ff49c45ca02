"""Studies as text or content, and their plans; the nodes of a plan, made in this process."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import yaml
from xstilts.commands import main
from xstilts.data import usable
from xstilts.planning import registry
from xstilts.planning.mirror_index import Check, index_mirror
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.plan import make_plan
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import Study, read_study
from xstilts.planning.tasks import Source, Task
from xstilts.store import manifest
from xstilts.store import node as nodes
from xstilts.store.files import canonical
from xstilts.store.manifest import Results, path_of
from xstilts.store.specs import to_json
from xstilts.store.specs.base import Spec
from xstilts.store.specs.data import Content

from tests.builders.projects import ROOT, STUDY

COMMANDS = {
    "data": "fetch", "models": "fetch", "prepared": "prepare", "tokenizers": "make-tokenizer", "tokens": "tokenize",
    "targets": "train", "intermediate": "train", "merged": "merge", "predictions": "predict", "embeddings": "embed",
}  # fmt: skip
# what training reads
INPUTS = ("data", "models", "prepared", "tokens")


def study_file(folder: Path, study: str | Mapping[str, Any]) -> Path:
    """Write a study, as text or content, into a folder."""
    path = folder / "study.yaml"
    path.write_text(study if isinstance(study, str) else yaml.safe_dump(dict(study), sort_keys=False))
    return path


def study_of(folder: Path, study: str | Mapping[str, Any], entries: registry.Registry | None = None) -> Study:
    """Read a study, as text or content, with this registry or the shipped one."""
    return read_study(study_file(folder, study), entries or registry.load())


def matrix_with(folder: Path, **changes: object) -> Path:
    """Write the study of the rebuild matrix with other values for some keys."""
    return study_file(folder, yaml.safe_load(STUDY.read_text()) | changes)


def study_with(folder: Path, entries: registry.Registry | None = None, **changes: object) -> Study:
    """Read the study of the rebuild matrix with other values for some keys."""
    return read_study(matrix_with(folder, **changes), entries or registry.load())


@cache
def plan_of_study(name: str) -> Plan:
    """Return the plan of a study that comes with the project and needs neither mirror nor models; made once."""
    entries = registry.load()
    return make_plan(read_study(ROOT / f"studies/{name}.yaml", entries), entries, Indexes(None, {}))


def plan_study(
    folder: Path, study: str | Mapping[str, Any], mirror: Path | None = None,
    entries: registry.Registry | None = None, models: Mapping[str, Any] | None = None, check: Check = usable.check,
) -> Plan:  # fmt: skip
    """Plan a study, as text or content, on a folder of raw files, where there is one, indexed by ``check``."""
    entries = entries or registry.load()
    files = index_mirror(mirror, entries, check) if mirror is not None and mirror.exists() else None
    return make_plan(study_of(folder, study, entries), entries, Indexes(files, models or {}))


def named(plan: Plan, stage: str) -> dict[str, Node]:
    """Return the nodes of a stage by the names that the study has for them."""
    return {name: node for name, node in plan.named() if node.stage == stage}


def node_of(plan: Plan, stage: str, name: str) -> Node:
    """Return the node of a stage with this name."""
    return named(plan, stage)[name]


def name_of(plan: Plan, node: Node) -> str:
    """Return the name that the study has for a node, the first of several."""
    return plan.made.names[node.id][0]


def spec_text(spec: Spec) -> str:
    """Return a spec as commands are given it."""
    return canonical(to_json(spec))


def content_of(files: Iterable[str] | Mapping[str, str | None], kind: str = "url", **more: Any) -> Content:
    """Return what a source is asked for."""
    return Content(kind=kind, files=files if isinstance(files, Mapping) else dict.fromkeys(files), **more)


def tiny_model(layers: int = 2, hidden_size: int = 16) -> Content:
    """Return what the tiny source is asked for a model."""
    return content_of((), "tiny", seed=0, shape={"hidden_size": hidden_size, "layers": layers, "heads": 2})


def make(
    plan: Plan, name: str, results: Path, mirror: Path | None = None, hub: Mapping[str, Any] | None = None
) -> Path:
    """Make a node and what it needs in this process, and return its folder.

    Args:
        plan: the plan.
        name: the node's id.
        results: the results folder.
        mirror: where raw files are.
        hub: the rows of a hub's files by their names.
    """
    path, node = path_of(results, name), plan.nodes[name]
    if path.exists():
        return path.parent
    for parent in node.parents:
        make(plan, parent, results, mirror, hub)
    if node.stage == "data" and node.spec.source.kind == "hub":
        with nodes.making(path, node.spec) as made:
            for file in node.spec.source.files:
                (made.scratch / file).parent.mkdir(exist_ok=True)
                pyarrow.parquet.write_table(pyarrow.Table.from_pylist(hub[file]), made.scratch / file)
        return path.parent
    arguments = [COMMANDS[node.stage], "--spec", spec_text(node.spec), "--output", str(path)]
    folder = ["--folder", str(mirror)] if node.stage == "data" and mirror is not None else []
    assert main([*arguments, *folder]) == 0
    return path.parent


def make_stages(plan: Plan, results: Path, stages: Iterable[str] = INPUTS) -> None:
    """Make all nodes of some stages in this process."""
    for stage in stages:
        for node in plan.stage(stage).values():
            make(plan, node.id, results)


def results_of(results: Path, name: str) -> Any:
    """Return what a node's manifest says beside spec and files."""
    return manifest.read(path_of(results, name)).results


def write_manifest(results: Path, node: Node, stated: Results) -> None:
    """Write the manifest of a node without its files."""
    path = path_of(results, node.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(manifest.text(node.spec, {}, stated))


def file_groups(task: Task) -> Iterator[tuple[Source, tuple[str, ...], str, str]]:
    """Yield the files of a task in the layout of a mirror that are read together: source, names, split and language."""
    for source in (source for source in task.sources if source.kind == "files"):
        for split, templates in (("train", source.training), ("dev", source.dev)):
            for template in templates:
                for language in source.training_languages:
                    yield source, (task.file(template, language),), split, language
        for entry in source.evaluation:
            for language in entry.languages or task.languages:
                for split, templates in ((entry.split, entry.templates(language)), ("threshold", entry.threshold)):
                    if templates:
                        yield source, tuple(task.file(template, language) for template in templates), split, language


def index_of_all() -> dict[str, Any]:
    """Return an index of a mirror with every file that the registry names, without the files."""
    files = {}
    for task in registry.load().tasks.values():
        for _, names, split, _ in file_groups(task):
            for name in names:
                entry = files.setdefault(name, {"sha256": hashlib.sha256(name.encode()).hexdigest(), "tasks": {}})
                entry["tasks"].setdefault(task.name, {"split": split, "rows": None, "sample": False})
    return files


def plan_shipped(path: Path, mirror: Mapping[str, Any] | None = None) -> Plan:
    """Plan a study file on the index of a mirror, as if all models were here, without any file."""
    entries = registry.load()
    study = read_study(path, entries)
    models = {
        name: {"model.safetensors": {"sha256": hashlib.sha256(name.encode()).hexdigest()}}
        for name in study.models
        if not (entries.models[name]["generated"] or entries.models[name]["pretrained"])
    }
    return make_plan(study, entries, Indexes(mirror, models))
