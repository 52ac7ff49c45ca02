"""The settings of a training phase that decide its result as they stand in a recipe, each declared once, here.

The schema of recipes takes name, type, default and description from here (``x-settings`` in ``schemas/phase.yaml``),
the planner copies the values into the spec, and training reads them there. So a new setting costs a line here, and the
code that it changes.
"""

import dataclasses
from dataclasses import MISSING, dataclass
from typing import Any


def setting(default: float | bool, description: str, neutral: Any = MISSING, **limits: float) -> Any:
    """Return the field of a setting.

    Args:
        default: what a recipe has that does not name it.
        description: for the reference of all keys.
        neutral: for a setting that was added after results existed: the value at which training does exactly what it
            did before. It never changes, and specs leave the setting out where it has this value, so that no result
            moves. A default that moves later does not move it.
        limits: keywords of JSON Schema, such as ``minimum``.
    """
    metadata = {"setting": {**limits, "default": default, "description": description}}
    if neutral is MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=neutral, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """How weights are optimised; the learning rate, which may be searched, stands beside."""

    warmup: float = setting(
        0.1,
        "Part of the steps in which the learning rate rises linearly from 0; then it falls linearly to 0.",
        minimum=0,
        maximum=1,
    )
    weight_decay: float = setting(0.01, "Decoupled weight decay, on matrices only.", minimum=0, maximum=10)
    adam_beta2: float = setting(
        0.999,
        "Decay of AdamW's second moments; RoBERTa and XLM-R were pretrained with 0.98.",
        minimum=0,
        exclusiveMaximum=1,
    )
    adam_epsilon: float = setting(1.0e-8, "Epsilon of AdamW.", exclusiveMinimum=0, maximum=1)
    gradient_norm: float = setting(
        1.0, "Gradients are scaled down to this norm.", exclusiveMinimum=0, maximum=1_000_000
    )
    frozen_embeddings: bool = setting(False, "Whether the token embeddings are frozen.")
    compile: bool = setting(
        False, "Whether the model's layers are compiled (torch.compile) for training, which pays on a GPU in long runs."
    )


GROUPS: dict[str, type] = {"optimisation": Optimisation}
_JSON_TYPES: dict[Any, str] = {float: "number", int: "integer", bool: "boolean"}


def schema_of(group: str) -> dict[str, dict[str, Any]]:
    """Return the settings of a group as properties of JSON Schema."""
    fields = dataclasses.fields(GROUPS[group])
    return {field.name: {"type": _JSON_TYPES[field.type], **field.metadata["setting"]} for field in fields}
