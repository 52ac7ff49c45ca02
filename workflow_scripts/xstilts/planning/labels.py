"""The readable part of a node's name: a function of its spec and those of its parents, never of a study's own names."""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from xstilts.references import in_language
from xstilts.store.specs.base import EMBEDDINGS, MEMBER, MODEL, PREPARED, TOKENS, Spec, role
from xstilts.store.specs.data import (
    Content,
    DataSpec,
    EvaluationDataSpec,
    PreparedSpec,
    TokensSpec,
    TrainingDataSpec,
    UnionSpec,
)
from xstilts.store.specs.evaluation import EmbeddingsSpec, PredictionsSpec, Prompting
from xstilts.store.specs.models import (
    IntermediateSpec,
    LearningRatesSpec,
    MergedSpec,
    ModelSpec,
    PretrainedSpec,
    TargetSpec,
    TokenizerSpec,
    TrainingSpec,
)

# tasks that a label lists before it only counts them, and its length at most: file names have 255 bytes
_LISTED, _LONGEST = 3, 160


class Labelled(Protocol):
    """A node that has its label."""

    @property
    def label(self) -> str:
        """The readable part of its name."""

    @property
    def spec(self) -> Spec:
        """Its spec."""


def label(spec: Spec, parents: Mapping[str, Labelled]) -> str:
    """Return what a spec says in a few words, in characters that file names may have.

    Args:
        spec: the spec.
        parents: the parents by role.
    """
    text = _text(spec, parents)
    return re.sub(r"[^A-Za-z0-9_.+@-]", "_", text)[:_LONGEST]


def _text(spec: Spec, parents: Mapping[str, Labelled]) -> str:
    match spec:
        case DataSpec(source=source):
            return _files(source)
        case ModelSpec(source=source):
            return _weights(source)
        case TokenizerSpec():
            return f"unigram{spec.vocabulary_size}"
        case PreparedSpec():
            return _rows(spec)
        case TokensSpec():
            model = parents[MODEL].label
            examples = "" if spec.prompt is None else f".{spec.prompt.examples}examples"
            return f"{parents[PREPARED].label}.{spec.lengths['max_length']:g}{examples}.{model}"
        case PretrainedSpec(shape=shape):
            return f"xlm-r-{shape.layers}x{shape.hidden_size}.{spec.sampling.steps}steps.s{spec.seed}"
        case MergedSpec():
            return _merged(spec, parents)
        case TrainingSpec():
            return _training(spec, parents[MODEL])
        case PredictionsSpec(prompting=Prompting(examples=examples)):
            return f"{parents[MODEL].label}.{examples}examples.on.{_evaluated(parents[TOKENS])}"
        case PredictionsSpec() | EmbeddingsSpec():
            return f"{parents[MODEL].label}.on.{_evaluated(parents[TOKENS])}"
        case _:
            return parents[EMBEDDINGS].label


def _files(source: Content) -> str:
    names = sorted(source.files)
    if source.repository is not None:
        return source.repository.rpartition("/")[2]
    folder = names[0].partition("/")[0]
    return names[0].replace("/", ".") if len(names) == 1 else f"{folder}.{len(names)}files"


def _weights(source: Content) -> str:
    if source.repository is not None:
        return source.repository.rpartition("/")[2]
    if source.shape is not None:
        kind = "random" if source.architecture is None else f"random-{source.architecture}"
        return f"{kind}-{source.shape['layers']}x{source.shape['hidden_size']}"
    return source.kind


def _rows(spec: PreparedSpec) -> str:
    match spec:
        case TrainingDataSpec(seed=None):
            return f"{in_language(spec.task, spec.language)}.training"
        case TrainingDataSpec():
            return f"{in_language(spec.task, spec.language)}.{spec.train_rows}shots.s{spec.seed}"
        case UnionSpec(shuffled_labels=True):
            return f"{in_language(spec.task, spec.language)}.shuffled"
        case UnionSpec():
            return f"{in_language(spec.task, spec.language)}.{len(spec.members)}sets"
        case EvaluationDataSpec():
            languages = list(spec.languages)
            return f"{spec.task}.{languages[0] if len(languages) == 1 else f'{len(languages)}languages'}"
    return spec.task


def _training(spec: TrainingSpec, start: Labelled) -> str:
    """Return the model's label, and what this training adds; method and seed stand once where they are the same."""
    before, seed = start.label, f".s{spec.seed}"
    method = spec.method.name
    if isinstance(start.spec, IntermediateSpec | TargetSpec):
        before = before.removesuffix(seed)
        method = "" if method == start.spec.method.name else method
    elif isinstance(start.spec, MergedSpec):
        before = before.removesuffix(seed)
    end = f"{seed}.grid" if isinstance(spec, LearningRatesSpec) else seed
    return ".".join(filter(None, [before, method, _tasks([task.task for task in spec.tasks])])) + end


def _merged(spec: MergedSpec, parents: Mapping[str, Labelled]) -> str:
    """Return the pretrained model's label, how others were trained and are merged, on which tasks, and their seed."""
    trained = [parents[role(MEMBER, number)].spec for number in range(len(spec.members))]
    members = [member for member in trained if isinstance(member, IntermediateSpec)]
    tasks = dict.fromkeys(task.task for member in members for task in member.tasks)
    first = members[0]
    how = f"{first.method.name}.{spec.merging.method}"
    return f"{parents[MODEL].label}.{how}.{_tasks(list(tasks))}.s{first.seed}"


def _tasks(names: Sequence[str]) -> str:
    return "+".join(names) if len(names) <= _LISTED else f"{len(names)}tasks"


def _evaluated(tokens: Labelled) -> str:
    """Return the task of evaluation data, with which the label of its tokens begins."""
    return tokens.label.partition(".")[0]
