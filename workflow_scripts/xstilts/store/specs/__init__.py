"""Specs: all that decides the result of a node and nothing else, one frozen dataclass a stage.

The planner makes them, the commands of rules read them. A field with a default is one that not every node has, or one
that was added after results existed: then its default is its neutral value, which means exactly what the code did
before and never changes. JSON leaves a field out where it has its default, and the digest of a node is that of its
JSON, so that a new setting moves no result.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from xstilts.errors import UserError
from xstilts.store.specs.base import Spec
from xstilts.store.specs.data import DataSpec, EvaluationDataSpec, PreparedSpec, TokensSpec, TrainingDataSpec, UnionSpec
from xstilts.store.specs.evaluation import EmbeddingsSpec, PredictionsSpec, RetrievalSpec
from xstilts.store.specs.models import (
    IntermediateSpec,
    LearningRatesSpec,
    MergedSpec,
    ModelSpec,
    PretrainedSpec,
    TargetSpec,
    TokenizerSpec,
)

_SPECS: dict[str, Any] = {
    cls.stage: cls
    for cls in (
        DataSpec,
        TokensSpec,
        ModelSpec,
        TokenizerSpec,
        PretrainedSpec,
        LearningRatesSpec,
        IntermediateSpec,
        MergedSpec,
        TargetSpec,
        PredictionsSpec,
        EmbeddingsSpec,
        RetrievalSpec,
    )
} | {PreparedSpec.stage: TrainingDataSpec | UnionSpec | EvaluationDataSpec}


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


def to_json(spec: Spec) -> dict[str, Any]:
    """Return a spec as JSON values, its stage with it, and without what has its neutral value."""
    content = _adapter(type(spec)).dump_python(spec, mode="json", exclude_defaults=True, warnings="none")
    kind = {"kind": spec.kind} if hasattr(spec, "kind") else {}
    return _one_spelling({"stage": spec.stage, **kind, **content})


def from_json(content: Any) -> Spec:
    """Return the spec that JSON values state.

    Raises:
        UserError: if they state none.
    """
    stage = content.get("stage") if isinstance(content, dict) else None
    if stage not in _SPECS:
        raise UserError(f"spec: its stage is {stage!r}; it must be one of {', '.join(_SPECS)}")
    try:
        spec: Spec = _adapter(_SPECS[stage]).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(map(str, first["loc"]))
        raise UserError(f"spec of the stage {stage}: {path}: {first['msg']}") from None
    return spec


def _one_spelling(value: Any) -> Any:
    """Return JSON values in which whole numbers are integers, so that 1 and 1.0 have one digest."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _one_spelling(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_one_spelling(item) for item in value]
    return value
