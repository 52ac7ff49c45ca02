"""Settings of this machine (config.yaml), and the plan of the study that they name."""

import contextlib
import os
import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xstilts import schema
from xstilts.errors import UserError, suggestion
from xstilts.hardware import Hardware
from xstilts.planning import feasibility, index, registry, sourcing
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.plan import make_plan
from xstilts.planning.study import Study, read_study
from xstilts.store.manifest import MANIFEST


@dataclass(frozen=True)
class Settings:
    """Checked machine settings; see ``schemas/config.yaml``."""

    study: Path
    results: Path
    mirror: Path | None
    registries: tuple[Path, ...]
    model_folders: Mapping[str, Path]
    offline: bool
    gpu_type: str | None
    gpus_per_training: int
    max_tokens_per_device: int | None
    gradient_checkpointing: bool | None
    checkpoint_seconds: int
    reproducible_kernels: bool
    keep_models: str

    @property
    def hardware(self) -> Hardware:
        """What a training job may use without a memory plan."""
        return Hardware(self.max_tokens_per_device, bool(self.gradient_checkpointing))


def from_config(config: Mapping[str, Any], location: str = "config.yaml") -> Settings:
    """Check the content of config.yaml, environment variables filled in.

    Raises:
        UserError: naming the key that is wrong.
    """
    value = schema.check(_expand(dict(config)), "config.yaml", location)
    # unlike those of Path, these functions take a name that no file can have
    if os.path.exists(value["results"]) and not os.path.isdir(value["results"]):
        raise UserError(f"{location}: results: {value['results']} is a file, not a folder")
    registries = tuple(map(Path, value["registries"]))
    models = registry.load(registries).models
    for name in value["model_folders"]:
        if name not in models:
            raise UserError(f"{location}: model_folders: unknown model {name!r}; {suggestion(name, models)}")
    return Settings(
        study=Path(value["study"]),
        results=Path(value["results"]),
        mirror=Path(value["mirror"]) if value["mirror"] else None,
        registries=registries,
        model_folders={name: Path(folder) for name, folder in value["model_folders"].items() if folder},
        offline=value["offline"],
        gpu_type=value["gpu_type"],
        gpus_per_training=value["gpus_per_training"],
        max_tokens_per_device=value["max_tokens_per_device"],
        gradient_checkpointing=value["gradient_checkpointing"],
        checkpoint_seconds=value["checkpoint_seconds"],
        reproducible_kernels=value["reproducible_kernels"],
        keep_models=value["keep_models"],
    )


def _expand(value: Any) -> Any:
    """Put in environment variables and the home folder; drop what is one variable alone, which is not set."""
    if isinstance(value, Mapping):
        pairs = [(key, _expand(item)) for key, item in value.items()]
        return {key: item for key, item in pairs if not (item is None and isinstance(value[key], str))}
    if isinstance(value, list):
        items = [(item, _expand(item)) for item in value]
        return [found for item, found in items if not (found is None and isinstance(item, str))]
    if isinstance(value, str) and re.fullmatch(r"\$\w+", value):
        return os.environ.get(value[1:]) or None
    if isinstance(value, str):
        expanded = os.path.expanduser(os.path.expandvars(value))
        if "$" in expanded:
            raise UserError(f"config.yaml: {value!r}: names an environment variable that is not set")
        return expanded
    return value


def plan_of(settings: Settings, study: Study | None = None) -> Plan:
    """Read the study and the indexes it needs, and plan it.

    Raises:
        UserError: for anything wrong in study, registry or indexes, and what no job can do.
    """
    entries = registry.load(settings.registries)
    study = study or read_study(settings.study, entries)
    mirror = None
    if sourcing.uses_mirror(study) and settings.mirror is not None:
        mirror = index.read(settings.mirror, "mirror.yaml", settings.results, "mirror")
    models = {
        name: index.read(folder, "model.yaml", settings.results, f"model_folders.{name}")
        for name, folder in settings.model_folders.items()
        if name in study.registered(entries)
    }
    indexes = sourcing.Indexes(mirror, models)
    plan = make_plan(study, entries, indexes)
    feasibility.check(plan, entries, indexes, str(settings.study))
    return plan


def local(config: Mapping[str, Any] | None = None) -> Settings:
    """Return the settings that hold in this folder: those of ./config.yaml, with XSTILTS_STUDY on top."""
    path = Path("config.yaml")
    content = config if config is not None else schema.read_yaml(path)
    if not isinstance(content, Mapping):
        raise UserError(f"{path}: must be keys with values, found {content!r}")
    content = dict(content)
    if os.environ.get("XSTILTS_STUDY"):
        content["study"] = os.environ["XSTILTS_STUDY"]
    return from_config(content, str(path))


def set_environment(settings: Settings) -> None:
    """Make the processes of rules use this Python, this checkout's library and this study, whatever is activated."""
    front = {"PATH": str(Path(sys.executable).parent), "PYTHONPATH": str(Path(__file__).parents[2])}
    for name, folder in front.items():
        rest = os.environ.get(name, "").split(os.pathsep)
        os.environ[name] = os.pathsep.join([folder, *(entry for entry in rest if entry and entry != folder)])
    os.environ["XSTILTS_STUDY"] = str(settings.study)


def find_nodes(plan: Plan, asked: str) -> list[Node]:
    """Return the nodes that a study calls so, or the one at a path, which may be a link of the study's.

    Raises:
        UserError: if there is none.
    """
    path = asked.removesuffix(f"/{MANIFEST}").rstrip("/")
    if Path(path).is_symlink():
        path = Path(path).resolve().as_posix()
    found = [
        node
        for node in plan.nodes.values()
        if asked in plan.made.names[node.id] or path == node.node or f"/{path}".endswith(f"/{node.id}")
    ]
    if not found:
        hint = suggestion(asked, {name for name, _ in plan.named()} | {node.node for node in plan.nodes.values()})
        hint = hint if hint.startswith("did you mean") else "xstilts where lists them"
        raise UserError(f"{asked}: no node of study {plan.study.name}; {hint}")
    return found


def link_nodes(plan: Plan, results: Path) -> None:
    """Link the study's names of its nodes to them: ``<the study's folder>/nodes/<stage>/<name>``.

    A name that several nodes of a stage have is followed by a node's digits.
    """
    folder = results / plan.folder / "nodes"
    up = "../" * (len(Path(plan.folder).parts) + 2)
    nodes_of = Counter((node.stage, name) for name, node in plan.named())
    for name, node in plan.named():
        several = nodes_of[node.stage, name] > 1
        link = folder / node.stage / (f"{name}-{node.node.rpartition('-')[2]}" if several else name)
        if not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            # another checkout may write the same ones
            with contextlib.suppress(FileExistsError):
                link.symlink_to(f"{up}{node.id}")


def unknown_node(plan: Plan, stage: str, node: str) -> str:
    """Return the line that says that a node is not one of the plan's."""
    hint = suggestion(node, plan.stage(stage))
    hint = hint if hint.startswith("did you mean") else "xstilts where lists them"
    return f"{stage}/{node}: no such node in the plan of study {plan.study.name}; {hint}"
