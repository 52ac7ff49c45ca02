"""What leaves a study for others: by arm its scores over runs, what they are of, and what they come from.

A format of export (``every_eval_ever.py``, ``model_card.py``) writes these down. What a study does not know is None.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.data.sources.made_up import MADE_UP
from xstilts.evaluation import pretraining, resampling
from xstilts.evaluation.table import records
from xstilts.forms import FORMS
from xstilts.forms.declaration import Metric
from xstilts.store import provenance
from xstilts.store.documentation import Registered
from xstilts.store.files import digest
from xstilts.store.provenance import Provenance
from xstilts.store.specs.base import DATA
from xstilts.store.specs.data import DataSpec, EvaluationDataSpec
from xstilts.store.specs.evaluation import PredictionsSpec, Prompting
from xstilts.store.specs.models import ModelSpec
from xstilts.store.study_plan import WORLD, Cell, StudyPlan

# kind of content that is a data set or a model of the hub
HUB = "hub"


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """The test data of a target in one language.

    Attributes:
        title: as papers write it.
        kind: of the source, as in ``Content``.
        repository: of the hub, with ``revision``, ``configuration`` and ``split`` as the hub calls them; else None.
        files: names of the raw files, each with its SHA-256 where the study knows it.
        licence: None where the registry states none.
    """

    title: str
    kind: str
    repository: str | None
    revision: str | None
    configuration: str | None
    split: str | None
    files: Mapping[str, str | None]
    licence: str | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """A score of an arm: of a target in a language, by one metric.

    Attributes:
        target: its name in the study; ``trained_on`` is what it was trained on, empty for nothing.
        prompt_examples: number of examples in a prompt; None where the model is not prompted.
        form: of its task.
        language: the language that is predicted.
        metric: its name.
        declared: unit and direction of the metric.
        headline: whether it is the target's headline metric.
        of_runs: the score by seed, each different run once; where nothing is trained there is one.
        collapsed: seeds of those that collapsed.
        examples: their number.
        split: the study's name of it.
        official: whether that is the task's official test split.
        sample: whether the examples are a sample of the published ones.
        data: where they are from.
    """

    target: str
    trained_on: Sequence[str]
    prompt_examples: int | None
    form: str
    language: str
    metric: str
    declared: Metric
    headline: bool
    of_runs: Mapping[int, float]
    collapsed: Sequence[int]
    examples: int
    split: str
    official: bool
    sample: bool
    data: DataSet

    @property
    def mean(self) -> float:
        """The mean over runs."""
        return math.fsum(self.of_runs.values()) / len(self.of_runs)

    @property
    def standard_error(self) -> float | None:
        """Standard deviation between runs (n - 1) over the root of their number; None with one run."""
        number = len(self.of_runs)
        if number < 2:
            return None
        squares = math.fsum((score - self.mean) ** 2 for score in self.of_runs.values())
        return math.sqrt(squares / (number - 1) / number)


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The pretrained model that an arm starts from.

    Attributes:
        name: the study's name of it.
        title: as papers write it.
        repository: of the hub, with ``revision``; None where the study has it from elsewhere.
        parameters: of a published model.
    """

    name: str
    title: str
    repository: str | None
    revision: str | None
    parameters: int | None


@dataclass(frozen=True, kw_only=True)
class ExportedArm:
    """An arm with its scores; in a study of several worlds there is one for each.

    Attributes:
        study: its name.
        recipe, method, mixture, world: as in the study.
        tasks: references of the intermediate tasks.
        checkpoint: what it starts from.
        settings: of the recipe, by their paths.
        nodes: by target and seed the node of each different run.
        prepared: the evaluation data of each target.
        results: its scores.
        provenance: how the predictions were made, as far as something says so.
    """

    study: str
    recipe: str
    method: str
    mixture: str
    world: int | None
    tasks: Sequence[str]
    checkpoint: Checkpoint
    settings: Mapping[str, Any]
    nodes: Mapping[str, Mapping[int, str]]
    prepared: Mapping[str, str]
    results: Sequence[Result]
    provenance: Sequence[Provenance]

    @property
    def name(self) -> str:
        """Its name, such as ``xlm-roberta-base.jiant.nine``."""
        world = [] if self.world is None else [f"w{self.world}"]
        return ".".join([*world, self.checkpoint.name, self.recipe, self.mixture])

    @property
    def seeds(self) -> list[int]:
        """The seeds of its runs."""
        return sorted({seed for of_target in self.nodes.values() for seed in of_target})

    @property
    def prompted(self) -> bool:
        """Whether the pretrained model answers prompts, so that nothing is trained."""
        return any(result.prompt_examples is not None for result in self.results)

    @property
    def digest(self) -> str:
        """SHA-256 (64 hex digits) of what it is and of its runs: the same whenever it is exported."""
        return digest([self.study, self.name, sorted(node for runs in self.nodes.values() for node in runs.values())])

    def versions(self, package: str) -> str | None:
        """Return the versions of a package that made the predictions, joined by commas; None where none is known."""
        found = {one.versions.get(package) for one in self.provenance} - {None}
        return ", ".join(sorted(map(str, found))) or None


def collect(plan: StudyPlan, results: Path, table: pd.DataFrame) -> Iterator[ExportedArm]:
    """Yield the arms of a study. Of a score that is no finite number in some run, no run is in the results.

    Args:
        plan: the study's plan.
        results: the results folder.
        table: the study's scores.
    """
    by_arm: dict[tuple[str, str, str, str, int | None], list[Cell]] = {}
    for cell in plan.cells:
        by_arm.setdefault((cell.model, cell.recipe, cell.method, cell.mixture, cell.world), []).append(cell)
    rows: dict[tuple[str, str, str, int | None], list[dict[str, Any]]] = {}
    for row in records(table):
        rows.setdefault((row["model"], row["recipe"], row["mixture"], row.get(WORLD)), []).append(row)
    for (model, recipe, method, mixture, world), cells in by_arm.items():
        nodes: dict[str, dict[int, str]] = {}
        for cell in cells:
            if cell.node not in nodes.setdefault(cell.target, {}).values():
                nodes[cell.target][cell.seed] = cell.node
        prepared = {
            target: resampling.evaluation_node(plan, next(iter(runs.values()))) for target, runs in nodes.items()
        }
        behind = dict.fromkeys(node for runs in nodes.values() for node in runs.values())
        yield ExportedArm(
            study=plan.study,
            recipe=recipe,
            method=method,
            mixture=mixture,
            world=world,
            tasks=plan.mixtures.get(mixture, ()),
            checkpoint=_checkpoint(plan, cells[0]),
            settings={one.key: one.value for one in plan.documentation.settings.get(recipe, ())},
            nodes=nodes,
            prepared=prepared,
            results=list(_results(plan, rows.get((model, recipe, mixture, world), []), nodes, prepared)),
            provenance=list(provenance.of_nodes(results, behind).values()),
        )


def _checkpoint(plan: StudyPlan, cell: Cell) -> Checkpoint:
    spec = plan.nodes[pretraining.pretrained(plan, cell.node)].spec
    known = plan.documentation.works.models.get(cell.model, Registered(title=cell.model))
    source = spec.source if isinstance(spec, ModelSpec) else None
    return Checkpoint(
        name=cell.model,
        title=known.title,
        repository=source.repository if source else None,
        revision=source.revision if source else None,
        parameters=known.parameters,
    )


def _results(
    plan: StudyPlan,
    rows: Sequence[Mapping[str, Any]],
    nodes: Mapping[str, Mapping[int, str]],
    prepared: Mapping[str, str],
) -> Iterator[Result]:
    """Yield the scores of an arm, from its rows of the table of scores."""
    by_score: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        if row["seed"] in nodes[row["target"]]:
            by_score.setdefault((row["target"], row["language"], row["metric"]), []).append(row)
    for (name, language, metric), runs in by_score.items():
        of_runs = {int(run["seed"]): float(run["score"]) for run in runs}
        if not all(map(math.isfinite, of_runs.values())):
            continue
        target, first = plan.targets[name], runs[0]
        prompting = _prompting(plan, nodes[name][int(first["seed"])])
        yield Result(
            target=name,
            trained_on=target.trained_on if prompting is None else (),
            prompt_examples=None if prompting is None else prompting.examples,
            form=target.form,
            language=language,
            metric=metric,
            declared=FORMS[target.form].metrics[metric],
            headline=bool(first["headline"]),
            of_runs=of_runs,
            collapsed=[int(run["seed"]) for run in runs if run["collapsed"]],
            examples=int(first["n"]),
            split=str(first["split"]),
            official=bool(first["official"]),
            sample=bool(first["sample"]),
            data=_data(plan, prepared[name], language),
        )


def _prompting(plan: StudyPlan, node: str) -> Prompting | None:
    spec = plan.nodes[node].spec
    return spec.prompting if isinstance(spec, PredictionsSpec) else None


def _data(plan: StudyPlan, prepared: str, language: str) -> DataSet:
    """Return what is known of the test data of a language; what a file of the hub is called is ``config/split``."""
    spec = plan.nodes[prepared].spec
    assert isinstance(spec, EvaluationDataSpec)
    raw = plan.nodes[spec.parents[DATA]].spec
    assert isinstance(raw, DataSpec)
    content, names = raw.source, spec.languages[language].files
    is_made_up = content.kind in MADE_UP
    known = plan.documentation.works.tasks.get(spec.task, Registered(title=spec.task))
    configuration, _, split = names[0].partition("/") if content.kind == HUB else ("", "", "")
    return DataSet(
        title=f"{known.title} (made-up data)" if is_made_up else known.title,
        kind=content.kind,
        repository=content.repository,
        revision=content.revision,
        configuration=configuration or None,
        split=split or None,
        files={name: content.files.get(name) for name in names},
        licence=None if is_made_up else known.licence,
    )
