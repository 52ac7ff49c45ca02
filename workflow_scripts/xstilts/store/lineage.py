"""Where a node's weights come from, and what it can take over from a sibling with the same weights and data."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xstilts.errors import UserError
from xstilts.store import manifest

# the role of the model that a node starts from; with ".1", ".2" ... those below, where it is an adapter
MODEL = "model"
_OF_A_RUN = ("steps_done", "best_step", "dev", "tasks", "collapsed")


def folders(spec: Mapping[str, Any], results: Path) -> list[Path]:
    """Return the folders of the model that a node starts from: its own, and where that is an adapter those below it."""
    roles = sorted(role for role in spec["parents"] if role == MODEL or role.startswith(f"{MODEL}."))
    return [results / spec["parents"][role] for role in roles]


def weights(spec: Mapping[str, Any], results: Path) -> dict[str, str]:
    """Return the SHA-256 of all weights of the model that a node uses, by file name, below an adapter by level too."""
    hashes = {}
    for level, folder in enumerate(folders(spec, results)):
        files = manifest.read(folder / manifest.MANIFEST)["files"]
        prefix = f"{level}/" if level else ""
        hashes |= {f"{prefix}{name}": entry["sha256"] for name, entry in files.items() if name.endswith(".safetensors")}
    return hashes


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
