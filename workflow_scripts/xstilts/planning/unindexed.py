"""The plan of a study whose models and mirror need not be on this machine: their configurations are enough."""

from collections.abc import Mapping
from typing import Any

from xstilts.planning import index
from xstilts.planning.nodes import Plan
from xstilts.planning.plan import make_plan
from xstilts.planning.registry import Registry
from xstilts.planning.settings import Settings
from xstilts.planning.sourcing import Indexes, on_machine, uses_mirror
from xstilts.planning.study import Study
from xstilts.store.files import digest

_NO_HASH = "0" * 64


def plan_unindexed(study: Study, registry: Registry, settings: Settings) -> Plan:
    """Return the plan; what this machine has is planned as it is here.

    Raises:
        UserError: if a source lacks what the study asks for.
    """
    names = study.registered(registry)
    # a model with a download keeps its path, under which it and its tokens may be here; others have a hash of their
    # own, or they would be one model
    models: dict[str, Any] = {
        name: {"config.json": {"sha256": digest(name)}}
        for name in names
        if all(registry.models[name][way] is None for way in ("revision", "pretrained", "generated"))
    }
    for name in names & set(settings.model_folders):
        key = f"model_folders.{name}"
        models[name] = index.read(settings.model_folders[name], "model.yaml", settings.results, key)
    mirror: Mapping[str, Any] | None = None
    if uses_mirror(study) and settings.mirror is not None:
        mirror = index.read(settings.mirror, "mirror.yaml", settings.results, "mirror")
    elif uses_mirror(on_machine(study, has_mirror=False)):
        mirror = _AnyFile(registry)
    return make_plan(study, registry, Indexes(mirror, models))


class _AnyFile(dict[str, Any]):
    """The index of a mirror that has every file, for a machine that has no mirror."""

    def __init__(self, registry: Registry) -> None:
        super().__init__()
        self._file = {"sha256": _NO_HASH, "tasks": dict.fromkeys(registry.tasks, {})}

    def get(self, name: str, default: Any = None) -> Any:
        return self._file

    def __getitem__(self, name: str) -> Any:
        return self._file
