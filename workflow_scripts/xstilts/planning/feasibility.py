"""What a plan asks for and no job can do, as far as it is known beforehand.

Inputs longer than a model reads, attention both ways where it cannot be, prompts for a model that continues no text, a
language-model head that a model has not, batches that cannot be divided among the tasks of a step, and few shots
where there are no rows.
"""

from collections.abc import Sequence

from xstilts.errors import UserError, counted
from xstilts.forms import FORMS
from xstilts.forms.declaration import Answering, Role
from xstilts.forms.prompting import fields
from xstilts.model_config import MADE_HERE, positions, predicts_masked, why_not_both_ways
from xstilts.planning import few_shot
from xstilts.planning.index import LANGUAGE_HEAD
from xstilts.planning.mixtures import MixtureTask
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.registry import Registry
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import Study, with_pinned
from xstilts.references import parse_reference
from xstilts.store.specs.base import BASE, MODEL, PREPARED
from xstilts.store.specs.data import TokensSpec
from xstilts.store.specs.evaluation import PredictionsSpec
from xstilts.store.specs.models import TokenizerSpec, TrainingSpec

_LENGTHS = ("max_length", "max_query_length")


def check(plan: Plan, registry: Registry, indexes: Indexes, location: str) -> None:
    """Refuse what no job of a plan can do.

    Args:
        plan: the plan.
        registry: its models.
        indexes: what local model folders contain.
        location: what to call the study's file in an error.

    Raises:
        UserError: naming what cannot be done, and the model.
    """
    check_unindexed(plan, registry, location)
    _check_heads(plan, indexes, location)


def check_unindexed(plan: Plan, registry: Registry, location: str) -> None:
    """Refuse what no job of a plan can do, but for what only model folders on this machine say; as ``check``."""
    check_attention(plan.study, registry, location)
    check_prompts(plan.study, registry, location)
    _check_lengths(plan, with_pinned(registry, plan.study.pinned), location)
    _check_batches(plan, location)
    _check_few_shots(plan, location)


def _check_few_shots(plan: Plan, location: str) -> None:
    """Refuse few shots where no arm has a result with any."""
    if plan.study.shots and not plan.few_shot:
        reasons = "; ".join(note for note in plan.notes if few_shot.NO_RESULTS in note)
        raise UserError(
            f"{location}: shots: there would be no result with any{f' ({reasons})' if reasons else ''}; leave the key"
            " out, or add a target that is trained and has rows in other languages than its source language"
        )


def _check_batches(plan: Plan, location: str) -> None:
    """Refuse batches of a step that would differ in size, or would be too small for their task."""
    for node in plan.stage("intermediate").values():
        assert isinstance(node.spec, TrainingSpec)
        batches = node.spec.sampling.tasks_per_step
        for task in node.spec.tasks if batches > 1 else ():
            size, rest = divmod(task.batch_size, batches)
            if rest or (size == 1 and not FORMS[task.form].separable):
                why = (
                    "is no multiple of it"
                    if rest
                    else "leaves one example a batch, and this task compares the examples of a batch"
                )
                raise UserError(
                    f"{location}: {plan.made.names[node.id][0]}: `tasks_per_step` is {batches}, and the batch size of"
                    f" {task.task}, {task.batch_size}, {why}; change one of the two"
                )


def _check_heads(plan: Plan, indexes: Indexes, location: str) -> None:
    """Refuse a task with the model's own language-model head where the model has none.

    The index of a model folder says so; of a download the job finds out.
    """
    for node in plan.nodes.values():
        spec = node.spec
        if not isinstance(spec, TrainingSpec | PredictionsSpec) or BASE not in spec.parents:
            continue
        model = plan.made.names[spec.parents[BASE]][0]
        known = indexes.models.get(model, {}).get("config.json", {}).get(LANGUAGE_HEAD)
        if spec.numerics.submodel is not None or known is False:
            why = "the encoder alone has" if spec.numerics.submodel is not None else "its weights have"
            raise UserError(
                f"{location}: {plan.made.names[node.id][0]} needs the language-model head of {model}, and"
                f" {why} none; leave out the task or the model"
            )


def check_attention(study: Study, registry: Registry, location: str) -> None:
    """Refuse attention to both sides in models that are no decoders, and where a text's next token is predicted.

    Of models without a ``shape`` in registry or pins the job that reads them finds out.

    Raises:
        UserError: naming the model and the recipe.
    """
    registry = with_pinned(registry, study.pinned)
    for name, use in study.models.items():
        for recipe in use.recipes:
            if study.recipes[recipe]["attention"] is None:
                continue
            here = f"{location}: models.{name}: the recipe {recipe}"
            kind = _kind(name, registry)
            reason = None if kind is None else why_not_both_ways(kind)
            if reason is not None:
                raise UserError(f"{here}: {reason}; give it another recipe: models: {{{name}: {{recipes: [...]}}}}")
            members = [task.task for mixture in use.mixtures for task in _tasks(study, mixture)]
            stages = [stage for target in study.targets.values() for stage in (target.task, *target.trained_on)]
            for task in (*members, *stages):
                if FORMS[registry.tasks[parse_reference(task)[0]].form].pretrained_head:
                    raise UserError(
                        f"{here} has `attention: bidirectional`, so it sees the tokens that it has to predict in"
                        f" {task}; leave one out"
                    )


def check_prompts(study: Study, registry: Registry, location: str) -> None:
    """Refuse prompts for an encoder, without a target that can be put to a model as such, and that cannot be worded.

    Of models without a ``shape`` in registry or pins the job that reads them finds out.

    Raises:
        UserError: naming the model and the recipe, or the target.
    """
    registry = with_pinned(registry, study.pinned)
    able = [name for name, target in study.targets.items() if registry.tasks[target.task].prompt is not None]
    for name, use in study.models.items():
        for recipe in use.prompted:
            here, kind = f"{location}: models.{name}: the recipe {recipe}", _kind(name, registry)
            if kind is not None and predicts_masked(kind):
                raise UserError(
                    f"{here} asks a language model to continue a text, and {name} is an encoder, of type {kind}; give"
                    f" it another recipe: models: {{{name}: {{recipes: [...]}}}}"
                )
            if not able:
                raise UserError(
                    f"{here} needs a target whose task has a `prompt`; none of {', '.join(study.targets)} has one"
                )
            for target in able:
                _check_prompt(study, registry, recipe, target, location)


def _check_prompt(study: Study, registry: Registry, recipe: str, name: str, location: str) -> None:
    """Refuse examples that the template of a target's task cannot word, and answers that leave no room for a prompt."""
    prompting, target = study.recipes[recipe]["prompting"], study.targets[name]
    task = registry.tasks[target.task]
    assert task.prompt is not None
    form, longest, answer = FORMS[task.form], prompting["max_length"], prompting["max_answer_tokens"]
    if form.answering is Answering.WRITTEN and answer >= longest:
        raise UserError(
            f"{location}: recipes.{recipe}.prompting.max_answer_tokens: {answer} tokens of an answer for {name} leave"
            f" no room for a prompt within max_length, {longest}; lower the one or raise the other"
        )
    if not prompting["examples"]:
        return
    last = target.trained_on[-1]
    stage = registry.tasks[parse_reference(last)[0]]
    here = f"{location}: targets.{name}.trained_on: the examples of the recipe {recipe} are rows of {last!r}"
    labels, asked = len(stage.labels or ()), len(task.labels or ())
    if labels != asked:
        raise UserError(f"{here}, which has {counted(labels, 'label')} and not {asked}; end with one that has {asked}")
    filled = {*fields(task.prompt.context), *fields(task.prompt.answer)}
    unused = [
        field
        for field in form.of_role(Role.TEXT)
        if field not in filled and any(field in source.columns for source in stage.sources if source.trains())
    ]
    if unused:
        raise UserError(
            f"{here}, whose {unused[0]} the `prompt` of {task.name} leaves out; leave the target out, or ask without"
            " examples"
        )


def _tasks(study: Study, mixture: str) -> Sequence[MixtureTask]:
    """Return the tasks of a mixture; none for the baseline."""
    found = study.mixtures[mixture]
    return () if found is None else found.tasks


def _kind(name: str, registry: Registry) -> str | None:
    """Return the model type of a model of the registry; None where it has none."""
    entry = registry.models[registry.models[name]["weights_of"] or name]
    if entry["pretrained"] is not None:
        return MADE_HERE
    return None if entry["shape"] is None else str(entry["shape"]["model_type"])


def _check_lengths(plan: Plan, registry: Registry, location: str) -> None:
    """Refuse inputs that are longer than their model reads.

    What a model reads is known where the registry has its ``shape``, it is pinned or made here; of others the rule
    ``tokenize`` finds out.
    """
    for node in plan.stage("tokens").values():
        spec = node.spec
        assert isinstance(spec, TokensSpec)
        model = plan.nodes[spec.parents[MODEL]]
        room = _positions(model, plan, registry)
        for key in _LENGTHS:
            if room is not None and spec.lengths.get(key, 0) > room:
                data = plan.made.names[spec.parents[PREPARED]][0]
                raise UserError(
                    f"{location}: recipes: {key} {spec.lengths[key]:g} for {data}: {_name(model, plan)} reads {room}"
                    f" tokens; lower {key} in the recipe, or under its `overrides` or `bitext`"
                )


def _name(model: Node, plan: Plan) -> str:
    """Return the name of a model, or of the first one that is made with a tokenizer."""
    made = [node.id for node in plan.stage("pretrained").values() if model.id in node.parents]
    return plan.made.names[[*made, model.id][0]][0]


def _positions(model: Node, plan: Plan, registry: Registry) -> int | None:
    """Return how many tokens a model reads, or will read of one whose tokenizer is made here; None where unknown."""
    if isinstance(model.spec, TokenizerSpec):
        return positions({"model_type": MADE_HERE, "max_position_embeddings": model.spec.positions})
    name = plan.made.names[model.id][0]
    if name in plan.study.pinned:
        return plan.study.pinned[name].pin.positions
    return positions(registry.models[name]["shape"] or {})
