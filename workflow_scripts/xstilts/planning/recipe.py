"""Which settings of a recipe hold for one phase and one task."""

from collections.abc import Mapping
from typing import Any

from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.planning.registry import Task
from xstilts.references import parse_reference

OPTIMISER_KEYS = ("learning_rate", "warmup", "weight_decay", "adam_beta2", "adam_epsilon", "gradient_norm")
# settings of each method of tuning, and those whose adapter is no part of the weights
METHOD_KEYS = {
    "full": (),
    "lora": ("rank", "alpha", "dropout", "modules"),
    "prompt": ("prompt_length",),
    "prefix": ("prompt_length",),
}
LASTING = ("prompt", "prefix")


def settings(phase: Mapping[str, Any], reference: str, task: Task) -> dict[str, Any]:
    """Return the phase's settings for a task: its own overrides win over its form's, which win over the phase's.

    Args:
        phase: ``recipe["intermediate"]`` or ``recipe["target"]``.
        reference: the task as the study names it, ``mnli`` or ``mnli@de``.
        task: its registry entry.
    """
    result = {key: value for key, value in phase.items() if key != "overrides"}
    for key in (task.form, parse_reference(reference)[0], reference):
        result.update(phase["overrides"].get(key, {}))
    return result


def optimiser(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides the optimiser and its schedule; the learning rate only where there is no grid of rates."""
    return {key: settings[key] for key in OPTIMISER_KEYS if not isinstance(settings[key], list)}


def grid(settings: Mapping[str, Any]) -> list[float] | None:
    """Return the grid of learning rates of which the best is taken, or None."""
    return sorted(settings["learning_rate"]) if isinstance(settings["learning_rate"], list) else None


def method(phase: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides the tuning: the method and its own settings."""
    chosen = phase["method"]
    return {"name": chosen["name"], **{key: chosen[key] for key in METHOD_KEYS[chosen["name"]]}}


def check_phases(recipe: Mapping[str, Any], place: str) -> None:
    """Refuse a tuning of the target phase that cannot follow that of the intermediate phase.

    Raises:
        UserError: if the adapter of the intermediate phase is neither added to the weights nor gone on with.
    """
    before, after = method(recipe["intermediate"]), method(recipe["target"])
    if before["name"] in LASTING and before != after:
        raise UserError(
            f"{place}.target.method: a {before['method']} of the intermediate phase can only be gone on with; give the"
            f" target phase the same tuning, {before}"
        )


def numerics(phase: Mapping[str, Any], submodel: str | None) -> dict[str, Any]:
    """Return how a model is held and computed: its part, the type of its weights, and that of products of matrices."""
    reduced = phase["precision"] == "bfloat16" and phase["method"]["name"] != "full"
    return {"submodel": submodel, "dtype": "bfloat16" if reduced else "float32", "precision": phase["precision"]}


def pooling(bitext: Mapping[str, Any]) -> dict[str, Any]:
    """Return which layer's vectors are pooled, by number or as a fraction of the depth, and whether all are scored."""
    key = "layer_fraction" if bitext["layer"] is None else "layer"
    return {key: bitext[key], "sweep": bitext["sweep"]}


def lengths(settings: Mapping[str, Any], form: str) -> dict[str, Any]:
    """Return what decides how a task of a form becomes token ids."""
    return {"max_length": settings["max_length"], **{key: settings[form][key] for key in FORMS[form].lengths}}


def decoding(settings: Mapping[str, Any], form: str) -> dict[str, Any]:
    """Return what decides how a model's outputs become predictions."""
    return {key: settings[form][key] for key in FORMS[form].decoding}
