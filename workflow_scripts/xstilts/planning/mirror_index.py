"""The index of a mirror: which files of which tasks are there, and what each can be used for."""

import logging
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xstilts.errors import UserError, counted
from xstilts.planning.registry import Registry
from xstilts.planning.tasks import Source, Task
from xstilts.store.files import file_sha256
from xstilts.store.specs.data import FileGroup

log = logging.getLogger(__name__)

# keys of what a file is to a task, each with the reason: it is of no use at all, or has no labels
UNUSABLE, UNLABELLED = "unusable", "unlabelled"
# how many rows files have, and why these have no labels; raises UserError where the files are of no use
Check = Callable[[FileGroup, Path, bool], tuple[int, str | None]]


@dataclass(frozen=True)
class TaskFiles:
    """Files of a task that are read together, in a source that can be a mirror."""

    source: Source
    group: FileGroup
    split: str
    language: str
    evaluated: bool


def index_mirror(folder: Path, registry: Registry, check: Check) -> dict[str, dict[str, Any]]:
    """Return the index of a mirror: the SHA-256 of every file that a task reads, and what it is to each such task.

    Args:
        folder: the mirror.
        registry: its tasks say which files there are.
        check: ``usable.check``.

    Raises:
        UserError: if the folder is missing, or no task's files are in it.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such mirror folder")
    files: dict[str, dict[str, Any]] = {}
    totals: Counter[tuple[str, str, str]] = Counter()
    for task in registry.tasks.values():
        found: set[str] = set()
        for each in files_of(task):
            names = each.group.files
            if not all((folder / name).is_file() for name in names):
                continue
            use = _use(each, folder, check)
            found.update(names)
            totals[task.name, each.split, each.language] += use.get("rows", 0)
            for name in names:
                if name not in files:
                    files[name] = {"sha256": _sha256(folder / name), "tasks": {}}
                uses = files[name]["tasks"]
                uses[task.name] = _worse(uses.get(task.name, use), use)
        if found:
            rows = sum(total for (name, _, _), total in totals.items() if name == task.name)
            log.info("%s: %s, %s", task.name, counted(len(found), "file"), counted(rows, "row"))
    for file in files.values():
        for name, use in ((name, use) for name, use in file["tasks"].items() if UNUSABLE not in use):
            split, language = use["split"], use["language"]
            use["sample"] = registry.tasks[name].is_sample(split, language, totals[name, split, language])
    if not files:
        raise UserError(f"{folder}: none of the registry's files is here; see `sources` in registry/tasks")
    return files


def _use(files: TaskFiles, folder: Path, check: Check) -> dict[str, Any]:
    """Return what files are to a task."""
    use: dict[str, Any] = {"split": files.split, "language": files.language}
    try:
        rows, unlabelled = check(files.group, folder, files.evaluated)
    except UserError as error:
        return {**use, UNUSABLE: str(error).replace(f"{folder}{os.sep}", "")}
    return {**use, "rows": rows} | ({} if unlabelled is None else {UNLABELLED: unlabelled})


def _worse(known: dict[str, Any], use: dict[str, Any]) -> dict[str, Any]:
    """Return the worse of two uses of a file by one task, of equal ones the first."""
    # a file without labels is no training data, but its contexts can be read
    return max(known, use, key=lambda each: 2 if UNLABELLED in each else int(UNUSABLE in each))


def _sha256(path: Path) -> str | None:
    """Return the SHA-256 of a file; None for one that this user may not read, which no task can use either."""
    try:
        return file_sha256(path)
    except OSError:
        return None


def why_not(use: Mapping[str, Any]) -> str | None:
    """Return why a task cannot use a file with its labels; None where it can."""
    reason: str | None = use.get(UNUSABLE, use.get(UNLABELLED))
    return reason


def remarks(files: Mapping[str, Mapping[str, Any]], registry: Registry) -> Iterator[str]:
    """Yield a line for each file that a task cannot use, and one for languages that a task has in several layouts."""
    for name, file in sorted(files.items()):
        tasks_of: dict[str, list[str]] = {}
        for task, use in file["tasks"].items():
            if reason := why_not(use):
                tasks_of.setdefault(reason, []).append(task)
        for reason, tasks in tasks_of.items():
            yield f"{name}: not used by {', '.join(tasks)}: {reason}"
    for task in registry.tasks.values():
        layouts: dict[str, dict[int, str]] = {}
        for each in files_of(task):
            uses = [files.get(name, {}).get("tasks", {}).get(task.name) for name in each.group.files]
            if each.evaluated and all(use and not why_not(use) for use in uses):
                number = task.sources.index(each.source)
                layouts.setdefault(each.language, {}).setdefault(number, each.group.files[0])
        several = {language: tuple(found.values()) for language, found in layouts.items() if len(found) > 1}
        if several:
            first, *others = next(iter(several.values()))
            yield (
                f"{task.name}: several layouts in {', '.join(several)}; the first that its `sources` name is used,"
                f" such as {first} and not {', '.join(others)}"
            )


def files_of(task: Task) -> Iterator[TaskFiles]:
    """Yield the files of a task that are read together."""
    for source in (source for source in task.sources if source.kind == "files"):
        for split, templates in (("train", source.training), ("dev", source.dev)):
            for template in templates:
                for language in source.training_languages:
                    yield _files(task, source, (template,), split, language, evaluated=False)
        for entry in source.evaluation:
            for language in entry.languages or task.languages:
                for split, templates in ((entry.split, entry.templates(language)), ("threshold", entry.threshold)):
                    if templates:
                        yield _files(task, source, templates, split, language, evaluated=True)


def _files(
    task: Task, source: Source, templates: Sequence[str], split: str, language: str, evaluated: bool
) -> TaskFiles:
    group = FileGroup(
        form=task.form,
        labels=task.labels,
        reading=source.reading,
        files=[task.file(template, language) for template in templates],
        prefix=split,
        where=task.where(source, language),
        cluster_rows=task.cluster_rows if evaluated else 1,
    )
    return TaskFiles(source, group, split, language, evaluated)
