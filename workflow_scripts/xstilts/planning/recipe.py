"""Which settings of a recipe hold for one phase and one task."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from xstilts import schema
from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.forms.declaration import Answering, Form
from xstilts.phase import Optimisation
from xstilts.planning.tasks import Task
from xstilts.references import parse_reference
from xstilts.store.specs.evaluation import Pooling, Prompting
from xstilts.store.specs.models import EarlyStopping, Numerics

# what becomes of an earlier LoRA adapter; specs say it in how a model is computed, for predictions have to know it, too
EARLIER_ADAPTER = "earlier_adapter"
# settings of each fine-tuning method, and the methods whose adapter cannot be merged into the weights
METHOD_KEYS = {
    "full": (),
    "lora": ("rank", "alpha", "dropout", "modules", EARLIER_ADAPTER),
    "prompt": ("prompt_length",),
    "prefix": ("prompt_length",),
}
UNMERGEABLE = ("prompt", "prefix")


def settings(phase: Mapping[str, Any], reference: str, task: Task) -> dict[str, Any]:
    """Return a section's settings for a task: its own overrides win over its form's, which win over the section's.

    Args:
        phase: ``recipe["intermediate"]``, ``recipe["target"]`` or ``recipe["bitext"]``.
        reference: the task as the study names it, ``mnli`` or ``mnli@de``.
        task: its registry entry.
    """
    result = {key: value for key, value in phase.items() if key != "overrides"}
    for key in (task.form, parse_reference(reference)[0], reference):
        result.update(phase["overrides"].get(key, {}))
    return result


def optimisation(settings: Mapping[str, Any]) -> Optimisation:
    """Return the settings that reach the spec as they are; see ``phase.py``."""
    return Optimisation(**{field.name: settings[field.name] for field in dataclasses.fields(Optimisation)})


def grid(settings: Mapping[str, Any]) -> list[float] | None:
    """Return the grid of learning rates of which the best is taken, or None."""
    return sorted(settings["learning_rate"]) if isinstance(settings["learning_rate"], list) else None


def early_stopping(recipe: Mapping[str, Any], phase: str, settings: Mapping[str, Any]) -> EarlyStopping | None:
    """Return when a training is evaluated so that its best step is kept; None where its last step is.

    Args:
        recipe: the recipe.
        phase: ``intermediate``, which never ends early, or ``target``.
        settings: those of the phase for what is trained on.
    """
    intermediate = phase == "intermediate"
    if (settings["keep"] or ("last" if intermediate else "best")) == "last":
        return None
    evaluations = recipe["early_stopping"]
    patience = None if intermediate else evaluations["patience"]
    return EarlyStopping(evaluate_every=evaluations["evaluate_every"], patience=patience)


def method(phase: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fine-tuning method and its own settings, as specs have them."""
    chosen = phase["method"]
    keys = [key for key in METHOD_KEYS[chosen["name"]] if key != EARLIER_ADAPTER]
    return {"name": chosen["name"], **{key: chosen[key] for key in keys}}


def check_phases(recipe: Mapping[str, Any], location: str) -> None:
    """Refuse a method of the target phase that cannot follow that of the intermediate phase, and weights in 4 bits.

    Raises:
        UserError: if the adapter of the intermediate phase is neither merged into the weights nor trained further, or
            weights are quantised where they cannot be.
    """
    for phase in ("intermediate", "target"):
        check_quantised(recipe[phase], f"{location}.{phase}")
    _check_quantised_phases(recipe["intermediate"], recipe["target"], location)
    before, after = method(recipe["intermediate"]), method(recipe["target"])
    if before["name"] in UNMERGEABLE and before != after:
        raise UserError(
            f"{location}.target.method: a {before['name']} of the intermediate phase can only be trained further; give"
            f" the target phase the same method, {before}"
        )


def check_quantised(phase: Mapping[str, Any], location: str) -> None:
    """Refuse quantised weights in a phase that trains them, or multiplies in another type than bfloat16.

    Raises:
        UserError: naming the key.
    """
    if phase["quantised"] is None:
        return
    name, precision = phase["method"]["name"], phase["precision"]
    if name != "lora":
        raise UserError(
            f"{location}.quantised: {phase['quantised']} holds weights that stay as they are, below a LoRA adapter, and"
            f" `method` is {name}; set `method: {{name: lora}}`, or leave the key out"
        )
    if precision != "bfloat16":
        raise UserError(
            f"{location}.quantised: weights in {phase['quantised']} are multiplied in bfloat16, and `precision` is"
            f" {precision}; set `precision: bfloat16`, or leave the key out"
        )


def _check_quantised_phases(before: Mapping[str, Any], after: Mapping[str, Any], location: str) -> None:
    """Refuse to merge an adapter into quantised weights, and to put it onto others than it was trained on."""
    if after["quantised"] is not None and after["method"][EARLIER_ADAPTER] == "merged":
        raise UserError(
            f"{location}.target.method.{EARLIER_ADAPTER}: found 'merged', but nothing can be merged into weights in"
            f" {after['quantised']}; set `{EARLIER_ADAPTER}: unmerged`"
        )
    if before["method"]["name"] == "lora" and before["quantised"] != after["quantised"]:
        found, needed = (phase["quantised"] or "null" for phase in (after, before))
        raise UserError(
            f"{location}.target.quantised: found {found}, but in the intermediate phase, whose adapter stands on the"
            f" same weights, it is {needed}; give both phases the same"
        )


def check_prompting(recipe: Mapping[str, Any], location: str) -> None:
    """Refuse settings of a training in a recipe that trains nothing.

    Raises:
        UserError: naming the section.
    """
    if recipe["prompting"] is None:
        return
    usual = schema.check({}, "recipe.yaml", location)
    for section, value in recipe.items():
        if section != "prompting" and value != usual[section]:
            raise UserError(f"{location}.{section}: a recipe with `prompting` trains nothing; leave the section out")


def prompting(recipe: Mapping[str, Any], form: str, seed: int) -> tuple[Prompting, dict[str, float]]:
    """Return how prompts of a form are answered, and how long they are.

    Args:
        recipe: one with ``prompting``.
        form: the form of the task.
        seed: by which examples are drawn, where there are some.
    """
    asked = recipe["prompting"]
    written = FORMS[form].answering is Answering.WRITTEN
    chosen = Prompting(
        examples=asked["examples"],
        seed=seed if asked["examples"] else None,
        length_normalised=asked["length_normalised"] and not written,
        max_answer_tokens=asked["max_answer_tokens"] if written else None,
    )
    lengths = {key: asked[key] for key in ("max_length", *(["max_answer_tokens"] if written else []))}
    return chosen, lengths


def numerics_of_prompts(recipe: Mapping[str, Any], submodel: str | None) -> Numerics:
    """Return how a model that answers prompts is computed: all its weights are held in the type of products."""
    precision = recipe["prompting"]["precision"]
    return Numerics(submodel=submodel, dtype=precision, precision=precision)


def numerics(phase: Mapping[str, Any], submodel: str | None, attention: str | None, adapters: int = 1) -> Numerics:
    """Return how a model is computed.

    Args:
        phase: the recipe's phase.
        submodel: the part of an encoder-decoder model that is used; None for the whole.
        attention: the recipe's.
        adapters: how many stand above the weights, that of a training included: of one nothing is merged.
    """
    method = phase["method"]
    reduced = phase["precision"] == "bfloat16" and method["name"] != "full"
    return Numerics(
        submodel=submodel,
        dtype="bfloat16" if reduced else "float32",
        precision=phase["precision"],
        attention=attention,
        unmerged=adapters > 1 and method["name"] == "lora" and method[EARLIER_ADAPTER] == "unmerged",
        quantised=phase["quantised"],
    )


def pooling(bitext: Mapping[str, Any]) -> Pooling:
    """Return which hidden state is pooled, by number or as a fraction of the depth, how, and whether all are scored."""
    fraction = bitext["layer_fraction"] if bitext["layer"] is None else None
    return Pooling(layer=bitext["layer"], layer_fraction=fraction, sweep=bitext["sweep"], pooler=bitext["pooling"])


def lengths(settings: Mapping[str, Any], form: str) -> dict[str, float]:
    """Return what decides how a task of a form becomes token ids."""
    declared = FORMS[form]
    return {"max_length": settings["max_length"], **_stated(settings.get(form, {}), declared.lengths, declared)}


def decoding(settings: Mapping[str, Any], task: Task) -> dict[str, float]:
    """Return how a model's outputs become predictions; a null threshold only where a question may have no answer."""
    form = FORMS[task.form]
    chosen = _stated(settings.get(task.form, {}), form.decoding, form)
    if not any(source.unanswerable == "keep" for source in task.sources):
        chosen.pop("null_threshold", None)
    return chosen


def retrieval(bitext: Mapping[str, Any], form: Form) -> dict[str, Any]:
    """Return what decides which texts are retrieved."""
    return _stated(bitext, form.retrieval, form)


def _stated(section: Mapping[str, Any], keys: Sequence[str], form: Form) -> dict[str, Any]:
    """Return settings as specs have them: without those at their neutral value."""
    return {key: section[key] for key in keys if key not in form.neutral or section[key] != form.neutral[key]}
