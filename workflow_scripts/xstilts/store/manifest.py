"""Manifests: what a node that is made says of itself, one frozen dataclass a stage.

``record.json`` states the spec that decided the result and the hash of every file; nothing volatile is in it, so that
equal work gives an equal record. Results that are data in it stand beside these two. ``manifest.json``, which rules
declare and Snakemake deletes before a job, is a copy.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from xstilts.errors import UserError
from xstilts.relative_path import RelativePath
from xstilts.store import specs
from xstilts.store.specs.base import Spec

MANIFEST, RECORD = "manifest.json", "record.json"


@dataclass(frozen=True, kw_only=True)
class File:
    """A file of a node."""

    sha256: str
    bytes: int


@dataclass(frozen=True, kw_only=True)
class Results:
    """What a stage's manifest says beside spec and files: nothing, where the files say it all."""


@dataclass(frozen=True, kw_only=True)
class PreparedSplit:
    """One split of prepared rows: ``train``, ``dev`` or, of evaluation data, a language.

    Attributes:
        rows: their number; of evaluation data those that are scored.
        labels: how often each label is there.
        available: rows before any limit, of evaluation data.
        split: the name of the split in its source, of evaluation data.
        official: whether published results are on it, of evaluation data.
        sample: whether these are not all rows, of evaluation data.
        labelled: whether the rows have labels.
    """

    rows: int
    labels: Mapping[str, int]
    available: int | None = None
    split: str | None = None
    official: bool | None = None
    sample: bool | None = None
    labelled: bool = True


@dataclass(frozen=True, kw_only=True)
class PreparedResults(Results):
    """Rows by split, and how many were left out by reason.

    Attributes:
        splits: by name.
        left_out: rows by reason.
        available: training rows before the limit; None of evaluation data.
        language: of training data.
        sample: whether training data are not all rows.
        labels: label names of training data, which the data may bring themselves.
    """

    splits: Mapping[str, PreparedSplit]
    left_out: Mapping[str, int]
    available: int | None = None
    language: str | None = None
    sample: bool | None = None
    labels: Sequence[str] | None = None


@dataclass(frozen=True, kw_only=True)
class TokensSplit:
    """One split of token ids.

    Attributes:
        instances: their number.
        tokens: their number.
        digest: of all that they depend on, whatever other splits there are.
        longest: tokens of the longest sequence; None where an earlier version did not count them.
        cut: instances whose prompt was too long, and cut; None of what is no prompt, and where an earlier version did
            not count them.
    """

    instances: int
    tokens: int
    digest: str
    longest: int | None = None
    cut: int | None = None


@dataclass(frozen=True, kw_only=True)
class TokensResults(Results):
    """Token ids: the padding token, the one that ends a first segment, and the splits by name."""

    pad: int
    segment_end: int | None
    splits: Mapping[str, TokensSplit]


@dataclass(frozen=True, kw_only=True)
class TaskCounts:
    """How a task was sampled.

    Attributes:
        probability: that of a batch to be its.
        rows: training rows.
        instances: training instances.
        steps: batches drawn; a step has one, or as many as the mixture says.
        examples: instances drawn.
    """

    probability: float
    rows: int
    instances: int
    steps: int
    examples: int


@dataclass(frozen=True, kw_only=True)
class DevScores:
    """Scores on dev rows by metric, and whether the model predicts one and the same for all of them."""

    scores: Mapping[str, float]
    collapsed: bool


@dataclass(frozen=True, kw_only=True)
class Run:
    """What stays known of a training run when its model is deleted.

    Attributes:
        steps_done: optimiser steps.
        best_step: the step whose weights were kept.
        dev: scores by task.
        tasks: counts by task.
        collapsed: whether the model collapsed on the dev rows of a task.
    """

    steps_done: int
    best_step: int
    dev: Mapping[str, DevScores]
    tasks: Mapping[str, TaskCounts]
    collapsed: bool


@dataclass(frozen=True, kw_only=True)
class TrainingResults(Results):
    """A training; ``run`` is None for a model whose random weights were not trained.

    Attributes:
        run: what happened.
        steps: optimiser steps that were planned.
        learning_rate: the peak.
        parameters: of the model, and those that were trained.
        trained_before: the runs behind the model it started from, by node id.
    """

    run: Run | None = None
    steps: int = 0
    learning_rate: float | None = None
    parameters: Mapping[str, int] = field(default_factory=dict)
    trained_before: Mapping[str, Run] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class MergedResults(Results):
    """A model that is merged of others: the runs behind these, by node id."""

    trained_before: Mapping[str, Run]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One learning rate of a grid and its dev score.

    Attributes:
        learning_rate: the rate.
        score: None where the loss exploded.
        steps: of its last training where that was a short one; None for all steps.
    """

    learning_rate: float
    score: float | None
    steps: int | None = None


@dataclass(frozen=True, kw_only=True)
class LearningRatesResults(Results):
    """The trials of a grid of learning rates, and the best."""

    trials: Sequence[Trial]
    best: float


@dataclass(frozen=True, kw_only=True)
class EvaluatedSplit:
    """One language: its split, whether that is official, a sample and labelled, and the digest of its tokens.

    Of a prompted model ``cut`` is the number of rows whose prompt was cut, as ``TokensSplit`` has it.
    """

    split: str | None = None
    official: bool | None = None
    sample: bool | None = None
    digest: str | None = None
    labelled: bool = True
    cut: int | None = None


@dataclass(frozen=True, kw_only=True)
class EvaluationResults(Results):
    """Predictions, vectors or what was retrieved.

    Attributes:
        fingerprint: SHA-256 of all weights of the model, by file name.
        training: the runs behind the model, by node id.
        collapsed: whether one of them collapsed.
        splits: by language.
        layer: the hidden state whose mean is a vector; None with a head.
    """

    fingerprint: Mapping[str, str]
    training: Mapping[str, Run]
    collapsed: bool
    splits: Mapping[str, EvaluatedSplit]
    layer: int | None = None


RESULTS: dict[str, type[Results]] = {
    "data": Results,
    "models": Results,
    "prepared": PreparedResults,
    "tokens": TokensResults,
    "tokenizers": Results,
    "pretrained": TrainingResults,
    "learning_rates": LearningRatesResults,
    "intermediate": TrainingResults,
    "merged": MergedResults,
    "targets": TrainingResults,
    "predictions": EvaluationResults,
    "embeddings": EvaluationResults,
    "retrieval": EvaluationResults,
}
R = TypeVar("R", bound=Results)


@dataclass(frozen=True)
class Manifest:
    """A manifest: the spec as JSON values, the files by name, and the results of the stage."""

    spec_json: Mapping[str, Any]
    files: Mapping[str, File]
    results: Results

    @property
    def parents(self) -> Mapping[str, str]:
        """Role of each parent, and its node id."""
        parents: Mapping[str, str] = self.spec_json["parents"]
        return parents

    @property
    def spec(self) -> Spec:
        """The spec."""
        return specs.from_json(self.spec_json)


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


def text(spec: Spec, files: Mapping[str, File], results: Results) -> str:
    """Return the text of manifest.json."""
    stated = _adapter(type(results)).dump_python(results, mode="json", exclude_defaults=True)
    listed = _adapter(dict[str, File]).dump_python(files, mode="json")
    content = {"spec": specs.to_json(spec), "files": listed, **stated}
    return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def read(path: Path) -> Manifest:
    """Read a manifest.

    Args:
        path: the file, ``<results>/<stage>/<node>/manifest.json``.

    Raises:
        UserError: if it is missing, or no manifest of a known stage.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: missing; the stage that makes it has not run") from None
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: not a readable manifest ({error}); delete its folder and run again") from None
    try:
        spec, files = content.pop("spec"), _adapter(dict[RelativePath, File]).validate_python(content.pop("files"))
        _adapter(dict[str, str]).validate_python(spec["parents"])
        return Manifest(spec, files, _adapter(RESULTS[spec["stage"]]).validate_python(content))
    except (ValidationError, KeyError, TypeError, AttributeError):
        raise UserError(f"{path}: not a manifest; delete its folder and run again") from None


def path_of(results: Path | str, node_id: str) -> Path:
    """Return the path of a node's manifest."""
    return Path(results) / node_id / MANIFEST


def of_node(folder: Path) -> Manifest:
    """Return what a node says of itself: its record, and without one its manifest.

    Args:
        folder: of the node.

    Raises:
        UserError: as ``read``.
    """
    record = folder / RECORD
    return read(record if record.exists() else folder / MANIFEST)


def results_of(results: Path, node_id: str, kind: type[R]) -> R:
    """Return what a node says of itself beside spec and files.

    Args:
        results: the results folder.
        node_id: stage and name of the node.
        kind: the dataclass of its stage.

    Raises:
        UserError: as ``read``, or if the node is of another stage.
    """
    found = of_node(results / node_id).results
    if not isinstance(found, kind):
        raise UserError(f"{path_of(results, node_id)}: of another stage than expected; delete its folder and run again")
    return found
