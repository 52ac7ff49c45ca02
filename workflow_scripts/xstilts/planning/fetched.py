"""What a plan gets from elsewhere: raw files and models that are not made here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xstilts.planning.nodes import Plan
from xstilts.store.specs.data import DataSpec
from xstilts.store.specs.models import ModelSpec

_ELSEWHERE = ("hub", "url", "mirror", "folder")


@dataclass(frozen=True)
class Fetched:
    """A node that is fetched.

    Attributes:
        name: what the study calls it; of a model, its name in the registry.
        spec: its spec.
        urls: where each of its files can be downloaded.
    """

    name: str
    spec: DataSpec | ModelSpec
    urls: Mapping[str, Sequence[str]]


def fetched(plan: Plan) -> list[Fetched]:
    """Return the nodes of raw files and models that a plan gets from hub, addresses, mirror or model folders."""
    return [
        Fetched(plan.made.names[node.id][0], node.spec, plan.urls.get(node.id, {}))
        for node in plan.nodes.values()
        if isinstance(node.spec, DataSpec | ModelSpec) and node.spec.source.kind in _ELSEWHERE
    ]
