"""The path of a node says its spec: it ends with the first digits of the spec's digest."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xstilts.errors import UserError
from xstilts.store import manifest
from xstilts.store.files import digest
from xstilts.store.manifest import Manifest

# hex digits of a digest in a node's name
DIGITS = 12
_NAME = re.compile(rf".*-([0-9a-f]{{{DIGITS}}})")


def spec_digest(spec: Mapping[str, Any], parents: Mapping[str, str]) -> str:
    """Return the digest of a spec.

    Args:
        spec: as JSON values.
        parents: the digests of its parents by role, which stand in place of their ids.
    """
    return digest({**spec, "parents": dict(parents)})


def is_at_its_path(results: Path, node_id: str, found: Manifest, known: dict[str, str | None]) -> bool:
    """Tell whether what stands at a path is what the path says; where an ancestor is gone, only the stage can tell.

    Args:
        results: the results folder.
        node_id: stage and name.
        found: what the node at this path says of itself.
        known: digests of ancestors that were looked up before, by id; more are added.
    """
    stage, _, name = node_id.partition("/")
    if found.spec_json["stage"] != stage:
        return False
    digits = _NAME.fullmatch(name)
    own = _digest(results, found, known) if digits else None
    return digits is None or own is None or own.startswith(digits[1])


def _digest(results: Path, found: Manifest, known: dict[str, str | None]) -> str | None:
    """Return the digest of what a node says of itself; None where that of a parent is not known."""
    parents = {role: _digest_at(results, parent, known) for role, parent in found.parents.items()}
    digests = {role: parent for role, parent in parents.items() if parent is not None}
    return spec_digest(found.spec_json, digests) if len(digests) == len(parents) else None


def _digest_at(results: Path, node_id: str, known: dict[str, str | None]) -> str | None:
    """Return the digest of a node by its id; None where it is gone, or is itself not what its path says."""
    if node_id not in known:
        try:
            found = _digest(results, manifest.of_node(results / node_id), known)
        except UserError:
            found = None
        known[node_id] = found if found is not None and node_id.endswith(f"-{found[:DIGITS]}") else None
    return known[node_id]
