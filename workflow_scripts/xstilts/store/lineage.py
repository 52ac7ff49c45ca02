"""Where a node's weights come from, and what it can take over from a sibling with the same weights and data."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xstilts.errors import UserError
from xstilts.store import lock, manifest, opening, specs
from xstilts.store.files import file_sha256_once
from xstilts.store.manifest import EvaluationResults, MergedResults, Results, Run, TrainingResults
from xstilts.store.opening import is_weights
from xstilts.store.specs.base import EMBEDDINGS, MODEL, Spec

log = logging.getLogger(__name__)


def folders(spec: Spec, results: Path) -> list[Path]:
    """Return the folders of the model that a node starts from: its own, and where that is an adapter those below it."""
    return [results / parent for parent in spec.parents_of(MODEL)]


def fingerprint(spec: Spec, results: Path) -> dict[str, str]:
    """Return the SHA-256 of all weights of the model that a node uses, by file name, below an adapter by level too.

    They are computed from the weights, not taken from what the model's node says of them.
    """
    return _hashes(spec, results, lambda path, _: file_sha256_once(path))


def _hashes(spec: Spec, results: Path, hash_of: Callable[[Path, str], str]) -> dict[str, str]:
    """Return the hashes of a model's weights, each by a function of its path and of what its node says of it."""
    hashes: dict[str, str] = {}
    for level, folder in enumerate(folders(spec, results)):
        prefix = f"{level}/" if level else ""
        files = manifest.of_node(folder).files.items()
        hashes |= {f"{prefix}{name}": hash_of(folder / name, file.sha256) for name, file in files if is_weights(name)}
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
            now = _hashes(spec, results, lambda _, stated: stated)
    except UserError:
        return False
    return now != stated.fingerprint


def runs(results: Path, node_id: str) -> dict[str, Run]:
    """Return the training runs behind a model by node id: its own and those before it; none for a base model.

    They stay with what was made from a model, which may be deleted (``keep_models``).
    """
    made = manifest.of_node(results / node_id).results
    if not isinstance(made, TrainingResults | MergedResults):
        return {}
    own = made.run if isinstance(made, TrainingResults) else None
    return {**made.trained_before, **({node_id: own} if own else {})}


def collapsed(training: Mapping[str, Run]) -> bool:
    """Tell whether one of the runs behind a model collapsed."""
    return any(run.collapsed for run in training.values())


@dataclass(frozen=True)
class Sibling:
    """A complete node that differs from another one in its data alone."""

    folder: Path
    results: EvaluationResults


def siblings(output: Path, spec: Spec, fingerprint: Mapping[str, str]) -> Iterator[Sibling]:
    """Yield the siblings of a node that use the same weights, checked, and held until the next one is asked for.

    Args:
        output: this node's manifest path; a sibling's folder has the same name but for the digest.
        spec: this node's spec; all but its parents must be the same.
        fingerprint: that of the weights that this node uses.
    """
    label = output.parent.name.rpartition("-")[0]
    for path in sorted(output.parent.parent.glob(f"{label}-*/{manifest.MANIFEST}")):
        if path == output or path.parent.name.rpartition("-")[0] != label:
            continue
        with lock.held(path.parent, shared=True, wait=False) as is_held:
            other = _same_but_parents(path.parent, spec, fingerprint) if is_held else None
            if other is not None:
                yield Sibling(path.parent, other)


def _same_but_parents(folder: Path, spec: Spec, fingerprint: Mapping[str, str]) -> EvaluationResults | None:
    """Return what a node says of itself if its spec is the same but for the parents, and so are its weights."""
    try:
        other = manifest.of_node(folder)
        same = _without_parents(other.spec_json) == _without_parents(specs.to_json(spec))
        if not same or not isinstance(other.results, EvaluationResults) or other.results.fingerprint != fingerprint:
            return None
        results = folder.parents[1]
        opening.checked(results, folder.relative_to(results).as_posix())
    except UserError as error:
        log.warning("nothing is taken over from %s", error)
        return None
    return other.results


def _without_parents(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key != "parents"}
