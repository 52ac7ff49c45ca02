"""The plan: study and registry become nodes with canonical specs, and specs become paths.

A pure function of the study, the registry, the indexes and the stage versions; never of hardware, network, clock or
file times. No torch, transformers or datasets here.

Every node has a spec: all that decides its result and nothing else. Its path is
``results/<stage>/<what the spec says>-<12 hex digits of its digest>/manifest.json``. So a changed mixture moves exactly
the nodes that depend on it, going back is free, a stale result cannot be picked up, and a renaming moves nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from xstilts.errors import UserError
from xstilts.planning import documentation, few_shot, question
from xstilts.planning.data_nodes import DataPlanner
from xstilts.planning.evaluation_nodes import EvaluationPlanner
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.registry import Registry
from xstilts.planning.sourcing import Indexes, Sourcing, on_machine
from xstilts.planning.study import PHASES, Study, Target, with_pinned
from xstilts.planning.training_nodes import Arm, TrainingPlanner
from xstilts.references import parse_reference
from xstilts.store import halving
from xstilts.store.specs.models import LearningRatesSpec
from xstilts.store.study_plan import NONE, PROMPTED, Cell, Corpus, PlannedLanguage, PlannedTarget

# of the sizes that languages.yaml has, by corpus
_UNITS = {"cc100": "GiB", "mc4": "billions of tokens"}


def make_plan(study: Study, registry: Registry, indexes: Indexes) -> Plan:
    """Return the plan of a study.

    Raises:
        UserError: if a source lacks what the study asks for (ring three of the checks).
    """
    study = on_machine(study, indexes.mirror is not None)
    registry = with_pinned(registry, study.pinned)
    files = {name: model.pin.files for name, model in study.pinned.items()}
    indexes = replace(indexes, models={**indexes.models, **files})
    plans = {world: _plan_in_one_world(replace(study, worlds=(world,)), registry, indexes) for world in study.worlds}
    plan = _together(study, plans) if len(plans) > 1 else plans[study.worlds[0]]
    plan.documentation = documentation.of_study(study, (node.spec for node in plan.nodes.values()), registry)
    return plan


def _together(study: Study, plans: Mapping[int, Plan]) -> Plan:
    """Return the plans of a study's worlds as one.

    Names of nodes begin with the world, as in ``w4.mini-small``, but for the nodes that all worlds share.

    Raises:
        UserError: if a target has the same results in every world.
    """
    first, *others = plans.values()
    whole = Plan(
        study, targets=first.targets, distance=first.distance, languages=first.languages, corpora=first.corpora
    )
    shared = {name for name in first.nodes if all(name in other.nodes for other in others)}
    for world, plan in plans.items():
        for name, node in plan.nodes.items():
            for known in plan.made.names[name]:
                whole.made.know(known if name in shared else f"w{world}.{known}", node)
        for cell in plan.cells:
            if cell.node in shared:
                raise UserError(
                    f"targets.{cell.target}: {cell.model} has the same results in every world; name one `world`, or"
                    " leave out what is not made from it"
                )
            whole.cells.append(replace(cell, world=world))
        whole.few_shot += [replace(few, cell=replace(few.cell, world=world)) for few in plan.few_shot]
        whole.urls |= plan.urls
        whole.notes += [note for note in plan.notes if note not in whole.notes]
    return whole


def _plan_in_one_world(study: Study, registry: Registry, indexes: Indexes) -> Plan:
    registry = registry.of(study.source)
    plan = _empty_plan(study, registry)
    plan.notes += question.notes(study.answer, study.mixtures)
    data = DataPlanner(study, registry, Sourcing(study, registry, indexes, plan.notes), plan.made, plan.urls)
    training = TrainingPlanner(study, registry, indexes, plan.made, data)
    evaluation = EvaluationPlanner(study, plan.made, data, training)
    few = few_shot.languages(study, data, plan.notes)
    for model, use in study.models.items():
        base = training.model(model)
        for recipe in use.recipes:
            method = "+".join(dict.fromkeys(study.recipes[recipe][phase]["method"]["name"] for phase in PHASES))
            for name in use.mixtures:
                mixture = study.mixtures[name]
                for seed in study.seeds:
                    arm = Arm(model, recipe, name, seed)
                    start = base if mixture is None else training.intermediate(arm, mixture, base)
                    for target in study.targets:
                        node = evaluation.result(arm, target, start, base)
                        cell = Cell(model, recipe, method, name, seed, target, node.id)
                        plan.cells.append(cell)
                        plan.few_shot += few_shot.cells(cell, arm, few.get(target, ()), start, base, evaluation)
                        unlabelled = study.unlabelled_tests and evaluation.unlabelled(arm, target, start, base)
                        if unlabelled:
                            plan.unlabelled[node.id] = unlabelled.id
        _plan_prompts(plan, evaluation, model, base)
    if study.unlabelled_tests and not plan.unlabelled:
        plan.notes.append("unlabelled_tests: no target has an official test without labels in its source")
    plan.notes += _short_searches(plan)
    return plan


def _short_searches(plan: Plan) -> Iterator[str]:
    """Yield a note on each search that compares learning rates by trainings of one step, where steps are known."""
    for node in plan.stage(LearningRatesSpec.stage).values():
        spec = node.spec
        if isinstance(spec, LearningRatesSpec) and spec.budget is not None and spec.sampling.steps is not None:
            first = halving.rungs(len(spec.learning_rates), spec.budget)[0]
            if halving.steps(spec.sampling.steps, first.share) == 1:
                yield (
                    f"{plan.made.names[node.id][0]}: grid_budget {spec.budget:g} of {spec.sampling.steps} steps gives"
                    " each learning rate one step at first, which decides nothing; raise the recipe's grid_budget"
                )


def _plan_prompts(plan: Plan, evaluation: EvaluationPlanner, model: str, base: Node) -> None:
    """Plan the arms of a model that answers prompts, on the targets that can be put to it as such."""
    study, use = plan.study, plan.study.models[model]
    left_out = [name for name in study.targets if not evaluation.can_prompt(name)] if use.prompted else []
    mixtures = [name for name in use.mixtures if name != NONE]
    if use.prompted and mixtures:
        by = " and ".join(use.prompted)
        plan.notes.append(f"models.{model}: by {by} nothing is trained, so not on {', '.join(mixtures)} either")
    for recipe in use.prompted:
        if left_out:
            note = f"recipes.{recipe}: without {', '.join(left_out)}, whose tasks have no `prompt`"
            plan.notes += [note] if note not in plan.notes else []
        for seed in study.seeds:
            arm = Arm(model, recipe, NONE, seed)
            for target in study.targets:
                if target in left_out:
                    continue
                node = evaluation.prompted(arm, target, base)
                plan.cells.append(Cell(model, recipe, PROMPTED, NONE, seed, target, node.id))
                unlabelled = study.unlabelled_tests and evaluation.prompted_unlabelled(arm, target, base)
                if unlabelled:
                    plan.unlabelled[node.id] = unlabelled.id


def _empty_plan(study: Study, registry: Registry) -> Plan:
    """Return a plan without nodes: what the study says of its targets, and the registry of languages."""
    plan = Plan(study)
    for name, target in study.targets.items():
        task = registry.tasks[target.task]
        plan.targets[name] = PlannedTarget(
            target.task,
            task.form,
            task.metric,
            target.language,
            study.source_of(name),
            target.trained_on,
            _same_data(target, registry),
        )
    named = dict.fromkeys(code for target in study.targets.values() for code in (target.language, *target.languages))
    plan.languages = {code: _language(registry.languages[code]) for code in named}
    plan.corpora = {
        model: Corpus(
            unit=_UNITS[corpus],
            sizes={code: size for code in named if (size := registry.languages[code].get(corpus)) is not None},
        )
        for model in study.models
        if (corpus := registry.models[model]["corpus"]) is not None
    }
    plan.distance = {code: row["distance"] for code, row in registry.languages.items() if "distance" in row}
    return plan


def _language(row: Mapping[str, Any]) -> PlannedLanguage:
    return PlannedLanguage(
        name=row["name"], script=row["script"], family=row["family"] or "", word_order=row["word_order"] or ""
    )


def _same_data(target: Target, registry: Registry) -> tuple[str, ...]:
    """Return the intermediate tasks that share data with a target, as the benchmarks that have it say."""
    of_benchmarks = [
        benchmark.tasks[target.task] for benchmark in registry.benchmarks.values() if target.task in benchmark.tasks
    ]
    named = [name for entry in of_benchmarks for name in entry.same_data]
    return tuple(dict.fromkeys([*named, *(parse_reference(stage)[0] for stage in target.trained_on)]))
