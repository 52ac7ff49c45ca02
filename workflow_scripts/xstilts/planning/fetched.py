"""What a plan gets from elsewhere: raw files and models that are not made here."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xstilts.planning.nodes import Node, Plan
from xstilts.planning.settings import Settings
from xstilts.store.specs.data import DataSpec
from xstilts.store.specs.models import ModelSpec

_ELSEWHERE = ("hub", "url", "mirror", "folder")


@dataclass(frozen=True)
class Fetched:
    """A node that is fetched.

    Attributes:
        name: what the study calls it; of a model in a folder that config.yaml names, its name there.
        spec: its spec.
        folder: the folder that it is in, or that may carry it.
        urls: where each of its files can be downloaded.
        hub: repository and commit of a pinned model that is fetched from the hub.
        study: the study file that a model is pinned for.
    """

    name: str
    spec: DataSpec | ModelSpec
    folder: Path | None
    urls: Mapping[str, Sequence[str]]
    hub: str | None = None
    study: Path | None = None


def fetched(plan: Plan, settings: Settings) -> list[Fetched]:
    """Return the nodes of raw files and models that a plan gets from hub, addresses, mirror or model folders."""
    return [
        of_node(node, plan, settings)
        for node in plan.nodes.values()
        if isinstance(node.spec, DataSpec | ModelSpec) and node.spec.source.kind in _ELSEWHERE
    ]


def of_node(node: Node, plan: Plan, settings: Settings) -> Fetched:
    """Return how a node of raw data or of a model is fetched on this machine."""
    names, spec = plan.made.names[node.id], node.spec
    assert isinstance(spec, DataSpec | ModelSpec)
    if isinstance(spec, DataSpec):
        return Fetched(names[0], spec, settings.mirror, plan.urls.get(node.id, {}))
    name = next((name for name in names if name in settings.model_folders), names[0])
    pinned = next((plan.study.pinned[name] for name in names if name in plan.study.pinned), None)
    folder = settings.model_folders.get(name)
    if pinned is None:
        return Fetched(name, spec, folder or settings.mirror, {})
    # a pinned folder that is not here may be carried, and found by its files
    if folder is None and pinned.folder and (os.path.isdir(pinned.folder) or settings.mirror is None):
        folder = pinned.folder
    return Fetched(name, spec, folder or settings.mirror, {}, None if folder else pinned.hub, settings.study)
