"""Print what the data of a task are: rows, labels, lengths, languages, licence and source."""

import argparse
import contextlib
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow

from xstilts.data.prepare import prepare
from xstilts.data.rows import labels_of
from xstilts.data.sources import Place
from xstilts.data.sources.made_up import MADE_UP
from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.planning import index, registry
from xstilts.planning.mixtures import NONE, Mixture, MixtureTask
from xstilts.planning.nodes import Node
from xstilts.planning.plan import make_plan
from xstilts.planning.registry import Registry, Task
from xstilts.planning.settings import Settings, local
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import Limits, ModelUse, Study, Target
from xstilts.references import SOURCE_LANGUAGE
from xstilts.store.manifest import PreparedResults, path_of
from xstilts.store.specs import DATA, EvaluationDataSpec, TrainingDataSpec

Row = Mapping[str, Any]
_NO_LIMITS = Limits(train_rows=None, dev_rows=10**9, test_rows=None)
_HEADER = ["split", "language", "rows", "characters: median", "95 %", "longest", "words: median", "95 %", "longest"]
_LEGEND = "† not the official split; ‡ a sample of the published rows."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("task", help="a task of the registry")
    parser.add_argument(
        "--source", choices=("mirror", "download", "miniature", "tiny"),
        help="where its raw data comes from; by default the mirror, where config.yaml names one, else download",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    settings = local()
    known = registry.load(settings.own_tasks)
    task = known.task(arguments.task, "data-card")
    kind = arguments.source or ("mirror" if settings.mirror else "download")
    nodes, lacking = _nodes(task, kind, known, settings)
    lines, labels, rows = [*_facts(task), "", f"source: {kind}"], [], [_HEADER]
    for prepared, data in nodes:
        lines.append(_origin(data))
        with _raw(data, settings) as folder:
            if folder is None:
                lines.append(f"{prepared.label}: not downloaded yet; a study that uses it downloads it")
                continue
            try:
                parts, facts = prepare(prepared.spec, folder, ())
            except UserError as error:
                lines.append(f"cannot be used: {error}")
                continue
        # of a union, the rows of each member
        member = "" if prepared.spec.task == task.name else f"{prepared.spec.task} "
        lines += [f"left out, {reason}: {number:,}" for reason, number in facts.left_out.items() if number]
        for (split, language), group in _groups(prepared, parts).items():
            rows.append(_row(prepared, member + split, language, group, facts))
            labels += _labels(prepared, member + split, language, group, facts)
    if lacking:
        lines.append(f"not in this source: {', '.join(lacking)}")
    table = ["", *_table(rows), _LEGEND, ""] if len(rows) > 1 else []
    sys.stdout.write("\n".join([*lines, *table, *labels, ""]))


def _facts(task: Task) -> Iterator[str]:
    """Yield the lines of what the registry knows."""
    yield f"# {task.title} (`{task.name}`, version {task.version})"
    yield ""
    metric = FORMS[task.form].metrics[task.metric]
    chance = metric.chance(len(task.labels)) if metric.chance is not None and task.labels else None
    by_chance = "" if chance is None else f" ({chance:.1f} by chance)"
    yield f"form: {task.form}, scored by {task.metric} in {metric.unit}{by_chance}"
    if task.languages:
        yield f"languages: {', '.join(task.languages)}"
    if task.trained_on is not None:
        yield f"as a target trained on: {', then '.join(task.trained_on) or 'nothing'}"
    for split, rows in task.rows.items():
        numbers = {"": rows} if isinstance(rows, int) else rows
        yield f"published rows, {split}: {', '.join(f'{name} {number:,}'.strip() for name, number in numbers.items())}"
    yield f"licence: {task.licence or 'not stated'}"
    yield f"citation: {task.citation or 'not stated'}"


def _nodes(task: Task, kind: str, known: Registry, settings: Settings) -> tuple[list[tuple[Node, Node]], list[str]]:
    """Return the nodes of the task's prepared data, each with that of its raw data, and what the source lacks."""
    mirror = None
    if kind == "mirror" and settings.mirror is not None:
        mirror = index.read(settings.mirror, "mirror.yaml", settings.results, "mirror")
    found, lacking, reasons = [], [], []
    for what, study in _studies(task, kind, known):
        try:
            plan = make_plan(study, known, Indexes(mirror))
        except UserError as error:
            lacking.append(what)
            reasons.append(str(error))
            continue
        # other evaluation data than the task's own is there for its contexts
        found += [
            (node, plan.nodes[node.spec.parents[DATA]])
            for node in plan.stage("prepared").values()
            if (
                isinstance(node.spec, EvaluationDataSpec) and f"{task.name}.evaluation" in plan.made.names[node.id]
                if study.targets
                else isinstance(node.spec, TrainingDataSpec)
            )
        ]
    if not found:
        raise UserError(reasons[0])
    return found, lacking


def _studies(task: Task, kind: str, known: Registry) -> Iterator[tuple[str, Study]]:
    """Yield studies that train on the task in each language, and one that evaluates it, as far as it can be used so."""
    languages = {language for source in task.sources if source.trains() for language in source.training_languages}
    for language in sorted(languages, key=lambda language: (language != SOURCE_LANGUAGE, language)):
        reference = task.name if language == SOURCE_LANGUAGE else f"{task.name}@{language}"
        mixture = Mixture((MixtureTask(reference),))
        yield f"training data in {language}", _study(kind, known, {"card": mixture}, {})
    if any(source.evaluation for source in task.sources):
        facts = FORMS[task.form]
        # the vectors of a dual encoder are those of its training
        stages = (task.trained_on or (task.name,)) if facts.trained and facts.embedded else ()
        target = Target(task.name, SOURCE_LANGUAGE, stages, task.languages, False, None)
        yield "evaluation data", _study(kind, known, {NONE: None}, {task.name: target})


def _study(kind: str, known: Registry, mixtures: Mapping[str, Mixture | None], targets: Mapping[str, Target]) -> Study:
    recipe = next(iter(known.recipes))
    models = {next(iter(known.models)): ModelUse((recipe,), tuple(mixtures))}
    return Study(
        name="card", description="", source=kind, models=models, world=0, contrasts={},
        recipes={recipe: known.recipes[recipe]}, mixtures=mixtures, benchmark=None, targets=targets, seeds=(1,),
        default_limits=_NO_LIMITS, task_limits={}, task_sources={}, figures={},
    )  # fmt: skip


@contextlib.contextmanager
def _raw(data: Node, settings: Settings) -> Iterator[Path | None]:
    """Give the folder of the raw files: the mirror, what has been downloaded (else None), or files made up for now."""
    kind = data.spec.source.kind
    if kind == "mirror":
        yield settings.mirror
    elif kind in MADE_UP:
        with tempfile.TemporaryDirectory() as folder:
            MADE_UP[kind].fetch_data(data.spec.source, Path(folder), Place(None, True))
            yield Path(folder)
    else:
        manifest = path_of(settings.results, data.id)
        yield manifest.parent if manifest.exists() else None


def _origin(data: Node) -> str:
    source = data.spec.source
    files = ", ".join(source.files)
    where = f"hub, {source.repository} at {source.revision}" if source.repository is not None else "files"
    return f"{where}: {files}"


def _groups(prepared: Node, parts: Mapping[str, pyarrow.Table]) -> dict[tuple[str, str], list[Row]]:
    """Return the rows by split, with the side of a pool they are on, and language.

    What was carved off for early stopping is training data here.
    """
    carved = isinstance(prepared.spec, TrainingDataSpec) and "dev" not in prepared.spec.splits
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in (row for table in parts.values() for row in table.to_pylist()):
        split = "train" if carved else row["split"]
        groups.setdefault((f"{split} {_side(row)}".strip(), row["language"]), []).append(row)
    return groups


def _side(row: Row) -> str:
    """Return on which side of a pool a row is; nothing where rows are pairs or stand alone."""
    if "query" in row and row["query"] is None:
        return "candidates"
    return "queries" if "query" in row and row["text"] is None else row.get("side", "")


def _row(prepared: Node, split: str, language: str, rows: Sequence[Row], facts: PreparedResults) -> list[str]:
    """Return a row of the table: how many rows there are, how long their texts are together, and marks."""
    fields = FORMS[prepared.spec.form].texts
    texts = [" ".join(text for field in fields for text in _texts(row[field])) for row in rows]
    lengths = [*_spread([len(text) for text in texts]), *_spread([len(text.split()) for text in texts])]
    split_facts = facts.splits[language] if isinstance(prepared.spec, EvaluationDataSpec) else facts
    official = facts.splits[language].official if isinstance(prepared.spec, EvaluationDataSpec) else True
    marks = ("" if official else "†") + ("‡" if split_facts.sample else "")
    return [f"{split}{marks}", language, f"{len(rows):,}", *lengths]


def _texts(field: str | list[str] | None) -> list[str]:
    return [field] if isinstance(field, str) else field or []


def _spread(lengths: Sequence[int]) -> list[str]:
    """Return median, 95th percentile and maximum."""
    return [f"{value:,.0f}" for value in (*np.percentile(lengths, (50, 95)), max(lengths))]


def _labels(prepared: Node, split: str, language: str, rows: Sequence[Row], facts: PreparedResults) -> Iterator[str]:
    """Yield the line of how often each label is there, for tagging by word; none for forms without labels."""
    names = prepared.spec.labels or facts.labels
    if names:
        counts = Counter(label for row in rows for label in labels_of(prepared.spec.form, row))
        found = ", ".join(f"{name} {counts[number]:,}" for number, name in enumerate(names) if counts[number])
        yield f"labels, {split}, {language}: {found}"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for cells in rows:
        yield "  ".join(map(str.rjust, cells, widths))
