"""Where a node's weights come from, and what it can take over from a sibling with the same weights and data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xstilts.errors import UserError
from xstilts.store import manifest, specs
from xstilts.store.manifest import EvaluationResults, Results, Run, TrainingResults
from xstilts.store.specs.base import EMBEDDINGS, MODEL, Spec


def folders(spec: Spec, results: Path) -> list[Path]:
    """Return the folders of the model that a node starts from: its own, and where that is an adapter those below it."""
    return [results / parent for parent in spec.parents_of(MODEL)]


def fingerprint(spec: Spec, results: Path) -> dict[str, str]:
    """Return the SHA-256 of all weights of the model that a node uses, by file name, below an adapter by level too."""
    hashes: dict[str, str] = {}
    for level, folder in enumerate(folders(spec, results)):
        prefix = f"{level}/" if level else ""
        files = manifest.read(folder / manifest.MANIFEST).files.items()
        hashes |= {f"{prefix}{name}": file.sha256 for name, file in files if name.endswith(".safetensors")}
    return hashes


def uses_other_weights(spec: Spec, stated: Results, results: Path) -> bool:
    """Tell whether a node was made with other weights than those that its parents have now.

    The same spec on another machine can give weights that differ in the last digits. Weights that were deleted
    (``keep_models``) are taken to be the same.
    """
    if not isinstance(stated, EvaluationResults):
        return False
    try:
        if EMBEDDINGS in spec.parents:
            now = manifest.results_of(results, spec.parents[EMBEDDINGS], EvaluationResults).fingerprint
        else:
            now = fingerprint(spec, results)
    except UserError:
        return False
    return now != stated.fingerprint


def runs(results: Path, node_id: str) -> dict[str, Run]:
    """Return the training runs behind a model by node id: its own and those before it; none for a base model.

    They stay with what was made from a model, which may be deleted (``keep_models``).
    """
    training = manifest.read(manifest.path_of(results, node_id)).results
    if not isinstance(training, TrainingResults):
        return {}
    return {**training.trained_before, **({node_id: training.run} if training.run else {})}


def collapsed(training: Mapping[str, Run]) -> bool:
    """Tell whether one of the runs behind a model collapsed."""
    return any(run.collapsed for run in training.values())


@dataclass(frozen=True)
class Sibling:
    """A complete node that differs from another one in its data alone."""

    folder: Path
    results: EvaluationResults


def siblings(output: Path, spec: Spec, fingerprint: Mapping[str, str]) -> Iterator[Sibling]:
    """Yield the siblings of a node that use the same weights.

    Args:
        output: this node's manifest path; a sibling's folder has the same name but for the digest.
        spec: this node's spec; all but its parents must be the same.
        fingerprint: that of the weights that this node uses.
    """
    label = output.parent.name.rpartition("-")[0]
    for path in sorted(output.parent.parent.glob(f"{label}-*/{manifest.MANIFEST}")):
        if path == output or path.parent.name.rpartition("-")[0] != label:
            continue
        try:
            other = manifest.read(path)
        except UserError:
            continue
        same = _without_parents(other.spec_json) == _without_parents(specs.to_json(spec))
        if same and isinstance(other.results, EvaluationResults) and other.results.fingerprint == fingerprint:
            yield Sibling(path.parent, other.results)


def _without_parents(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key != "parents"}
