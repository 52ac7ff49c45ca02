"""Print what the data of a task are: rows, labels, lengths, languages, licence and source."""

import argparse
import sys
from collections.abc import Iterator, Mapping

from xstilts.data.prepare import prepare
from xstilts.data.sources.raw_files import raw_files
from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.planning import index, registry
from xstilts.planning.mirror_index import why_not
from xstilts.planning.settings import local
from xstilts.planning.sourcing import Indexes
from xstilts.planning.task_data import data_of
from xstilts.planning.tasks import Task
from xstilts.reporting import data_card
from xstilts.store.manifest import path_of

_SOURCES = ("mirror", "download", "miniature", "tiny")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("task", help="a task of the registry")
    where = "where its raw data comes from; by default the mirror, where config.yaml names one, else download"
    parser.add_argument("--source", choices=_SOURCES, help=where)


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    settings = local()
    tasks = registry.load(settings.registries)
    task = tasks.task(arguments.task, "data-card")
    source = arguments.source or ("mirror" if settings.mirror else "download")
    mirror = None
    if source == "mirror" and settings.mirror is not None:
        mirror = index.read(settings.mirror, "mirror.yaml", settings.results, "mirror")
    data, lacking = data_of(task, source, tasks, Indexes(mirror))
    lines, data_sets = [*_about(task), "", f"source: {source}"], []
    for each in data:
        lines.append(data_card.origin(each.source))
        with raw_files(each.source, settings.mirror, path_of(settings.results, each.raw)) as folder:
            if folder is None:
                lines.append(f"{each.name}: not downloaded yet; a study that uses it downloads it")
                continue
            try:
                tables, metadata = prepare(each.spec, folder, ())
            except UserError as error:
                lines.append(f"cannot be used: {error}")
                continue
        member = "" if each.spec.task == task.name else each.spec.task
        data_sets.append(data_card.DataSet(each.spec, tables, metadata, member))
        lines += data_sets[-1].left_out
    for name, file in (mirror or {}).items():
        if reason := why_not(file["tasks"].get(task.name, {})):
            lines.append(f"cannot be used: {reason if reason.startswith(name) else f'{name}: {reason}'}")
    if lacking:
        lines.append(f"not in this source: {', '.join(lacking)}")
    lines += data_card.equal_rows(data_sets)
    sys.stdout.write("\n".join([*lines, *data_card.table(data_sets), ""]))


def _about(task: Task) -> Iterator[str]:
    """Yield the lines of what the registry says."""
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
        yield f"published rows, {split}: {_counts({'': rows} if isinstance(rows, int) else rows)}"
    for version, splits in task.versions.items():
        for split, counts in (splits or {}).items():
            yield f"in {version}, {split}: {_counts(counts)}"
    yield f"licence: {task.licence or 'not stated'}"
    yield f"citation: {task.citation or 'not stated'}"


def _counts(rows: Mapping[str, int | None]) -> str:
    named = {name: "not known" if count is None else f"{count:,}" for name, count in rows.items()}
    return ", ".join(f"{name} {count}".strip() for name, count in named.items())
