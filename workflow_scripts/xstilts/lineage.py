"""Where a node's weights come from, and what it can take over from a sibling with the same weights and data."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xstilts import manifest
from xstilts.errors import UserError

_OF_A_RUN = ("steps_done", "best_step", "dev", "tasks", "collapsed")


def weights(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of a node's weights by file name."""
    facts = manifest.read(folder / manifest.MANIFEST)
    return {name: entry["sha256"] for name, entry in facts["files"].items() if name.endswith(".safetensors")}


def runs(results: Path, node_id: str) -> dict[str, dict[str, Any]]:
    """Return facts of the training runs behind a model by node id: its own and those before it; none for a base model.

    They stay with what was made from a model, whose folder may go (``keep_models``).
    """
    facts = manifest.read(results / node_id / manifest.MANIFEST)
    before = facts.get("trained_before", {})
    return {**before, node_id: {key: facts[key] for key in _OF_A_RUN}} if "steps_done" in facts else before


def collapsed(training: Mapping[str, Mapping[str, Any]]) -> bool:
    """Tell whether one of the runs behind a model collapsed."""
    return any(run["collapsed"] for run in training.values())


def siblings(output: Path, spec: Mapping[str, Any], checkpoint: Mapping[str, str]) -> Iterator[tuple[Path, dict]]:
    """Yield folder and manifest of complete nodes that differ from this one in their data alone.

    Args:
        output: this node's manifest path; a sibling's folder has the same name but for the digest.
        spec: this node's spec; all but its parents must be the same.
        checkpoint: the weights that this node uses, as ``weights`` gives them.
    """
    name = output.parent.name.rpartition("-")[0]
    for path in sorted(output.parent.parent.glob(f"{name}-*/{manifest.MANIFEST}")):
        if path == output or path.parent.name.rpartition("-")[0] != name:
            continue
        try:
            facts = manifest.read(path)
        except UserError:
            continue
        if _own(facts["spec"]) == _own(spec) and facts["checkpoint"] == checkpoint:
            yield path.parent, facts


def _own(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key != "parents"}
