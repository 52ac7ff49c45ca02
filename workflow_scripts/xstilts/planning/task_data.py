"""The nodes of one task's data, by plans of small studies that use the task in every way it can be used."""

from collections.abc import Iterator, Mapping

from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.planning.mixtures import NONE, Mixture, MixtureTask
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.plan import make_plan
from xstilts.planning.registry import Registry, Task
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import Limits, ModelUse, Study, Target
from xstilts.references import SOURCE_LANGUAGE, in_language
from xstilts.store.specs import DATA, EvaluationDataSpec, TrainingDataSpec

_NO_LIMITS = Limits(train_rows=None, dev_rows=10**9, test_rows=None)


def data_nodes(
    task: Task, source: str, registry: Registry, indexes: Indexes
) -> tuple[list[tuple[Node, Node]], list[str]]:
    """Return the nodes of the task's prepared data, each with that of its raw data, and what the source lacks.

    Args:
        task: the task.
        source: the kind of source: mirror, download, miniature or tiny.
        registry: the registry.
        indexes: that of the mirror, where the source is one.

    Raises:
        UserError: if the source has none of the task's data.
    """
    nodes: list[tuple[Node, Node]] = []
    lacking, reasons = [], []
    for use, study in _studies(task, source, registry):
        try:
            plan = make_plan(study, registry, indexes)
        except UserError as error:
            lacking.append(use)
            reasons.append(str(error))
            continue
        nodes += [(node, plan.nodes[node.spec.parents[DATA]]) for node in _own(plan, task.name, bool(study.targets))]
    if not nodes:
        raise UserError(reasons[0])
    return nodes, lacking


def _own(plan: Plan, task: str, evaluated: bool) -> list[Node]:
    """Return the nodes of the task's own data; other evaluation data is there for its contexts."""
    nodes = plan.stage("prepared").values()
    if evaluated:
        name = f"{task}.evaluation"
        return [
            node for node in nodes if isinstance(node.spec, EvaluationDataSpec) and name in plan.made.names[node.id]
        ]
    return [node for node in nodes if isinstance(node.spec, TrainingDataSpec)]


def _studies(task: Task, source: str, registry: Registry) -> Iterator[tuple[str, Study]]:
    """Yield studies that train on the task in each language, and one that evaluates it, where it can be used so."""
    languages = {language for each in task.sources if each.trains() for language in each.training_languages}
    for language in sorted(languages, key=lambda language: (language != SOURCE_LANGUAGE, language)):
        mixture = Mixture((MixtureTask(in_language(task.name, language)),))
        yield f"training data in {language}", _study(source, registry, {"card": mixture}, {})
    if any(each.evaluation for each in task.sources):
        form = FORMS[task.form]
        # the vectors of a dual encoder are those of its training
        stages = (task.trained_on or (task.name,)) if form.trained and form.embedded else ()
        target = Target(task.name, SOURCE_LANGUAGE, stages, task.languages, False, None)
        yield "evaluation data", _study(source, registry, {NONE: None}, {task.name: target})


def _study(
    source: str, registry: Registry, mixtures: Mapping[str, Mixture | None], targets: Mapping[str, Target]
) -> Study:
    recipe, model = next(iter(registry.recipes)), next(iter(registry.models))
    return Study(
        name="card",
        description="",
        source=source,
        models={model: ModelUse((recipe,), tuple(mixtures))},
        world=0,
        contrasts={},
        recipes={recipe: registry.recipes[recipe]},
        mixtures=mixtures,
        benchmark=None,
        targets=targets,
        seeds=(1,),
        default_limits=_NO_LIMITS,
        task_limits={},
        task_sources={},
        figures={},
    )
