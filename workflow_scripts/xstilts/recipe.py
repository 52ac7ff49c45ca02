"""Which settings of a recipe hold for one phase and one task."""

from collections.abc import Mapping
from typing import Any

from xstilts.registry import Task, parse_reference

OPTIMISER_KEYS = ("learning_rate", "warmup", "weight_decay", "adam_epsilon", "gradient_norm")
SPAN_TOKEN_KEYS = ("stride", "max_question_length")
SPAN_DECODE_KEYS = ("max_answer_length", "n_best")


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
    result = {"max_length": settings["max_length"]}
    if form == "span":
        result.update({key: settings["span"][key] for key in SPAN_TOKEN_KEYS})
    return result


def decoding(settings: Mapping[str, Any], form: str) -> dict[str, Any]:
    """Return what decides how a model's outputs become predictions."""
    return {key: settings["span"][key] for key in SPAN_DECODE_KEYS} if form == "span" else {}
