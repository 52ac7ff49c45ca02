"""The data of one task, by plans of small studies that use the task in every way it can be used."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.planning.mixtures import Mixture, MixtureTask
from xstilts.planning.nodes import Plan
from xstilts.planning.plan import make_plan
from xstilts.planning.question import ModelUse
from xstilts.planning.registry import Registry
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import Limits, Study, Target
from xstilts.planning.tasks import Task
from xstilts.references import SOURCE_LANGUAGE, in_language
from xstilts.store.specs.base import DATA
from xstilts.store.specs.data import Content, DataSpec, EvaluationDataSpec, TrainingDataSpec
from xstilts.store.study_plan import NONE, FigureOptions

_NO_LIMITS = Limits(train_rows=None, dev_rows=10**9, test_rows=None)


@dataclass(frozen=True)
class TaskData:
    """Data of a task.

    Attributes:
        name: what a study calls the node of prepared data.
        spec: its spec.
        source: where the raw files are from.
        raw: the id of the node of raw files.
    """

    name: str
    spec: TrainingDataSpec | EvaluationDataSpec
    source: Content
    raw: str


def data_of(task: Task, source: str, registry: Registry, indexes: Indexes) -> tuple[list[TaskData], list[str]]:
    """Return the data of a task in a source, and what the source lacks.

    Args:
        task: the task.
        source: the kind of source: mirror, download, miniature or tiny.
        registry: the registry.
        indexes: that of the mirror, where the source is one.

    Raises:
        UserError: if the source has none of the task's data.
    """
    data: list[TaskData] = []
    lacking, reasons = [], []
    for use, study in _studies(task, source, registry):
        try:
            plan = make_plan(study, registry, indexes)
        except UserError as error:
            lacking.append(use)
            reasons.append(str(error))
        else:
            data += _data_in(plan, f"{task.name}.evaluation" if study.targets else None)
    if not data:
        raise UserError(reasons[0])
    return data, lacking


def _data_in(plan: Plan, evaluation: str | None) -> Iterator[TaskData]:
    """Yield the training data of a plan, or the evaluation data of this name; others are there for their contexts."""
    for node in plan.stage("prepared").values():
        spec = node.spec
        if isinstance(spec, EvaluationDataSpec) and evaluation not in plan.made.names[node.id]:
            continue
        if isinstance(spec, TrainingDataSpec if evaluation is None else EvaluationDataSpec):
            raw = plan.nodes[spec.parents[DATA]]
            assert isinstance(raw.spec, DataSpec)
            yield TaskData(plan.made.names[node.id][0], spec, raw.spec.source, raw.id)


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
        worlds=(0,),
        contrasts={},
        answer=None,
        claims={},
        recipes={recipe: registry.recipes[recipe]},
        mixtures=mixtures,
        benchmark=None,
        targets=targets,
        seeds=(1,),
        default_limits=_NO_LIMITS,
        task_limits={},
        task_sources={},
        figures=FigureOptions(),
    )
