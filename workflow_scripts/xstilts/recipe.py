"""Which settings of a recipe hold for one phase and one task."""

from collections.abc import Mapping
from typing import Any

from xstilts.forms import FORMS
from xstilts.registry import Task, parse_reference

OPTIMISER_KEYS = ("learning_rate", "warmup", "weight_decay", "adam_epsilon", "gradient_norm")


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
    """Return what decides the optimiser and its schedule."""
    return {key: settings[key] for key in OPTIMISER_KEYS}


def lengths(settings: Mapping[str, Any], form: str) -> dict[str, Any]:
    """Return what decides how a task of a form becomes token ids."""
    return {"max_length": settings["max_length"], **{key: settings[form][key] for key in FORMS[form].lengths}}


def decoding(settings: Mapping[str, Any], form: str) -> dict[str, Any]:
    """Return what decides how a model's outputs become predictions."""
    return {key: settings[form][key] for key in FORMS[form].decoding}
