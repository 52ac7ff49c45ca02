"""Tasks of the registry: how their files are read, and what a form lets a task have."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xstilts import schema
from xstilts.errors import UserError, suggestion
from xstilts.forms import FORMS, prompting
from xstilts.planning.languages import Languages, check_language, codes_in_files
from xstilts.references import in_language, parse_reference
from xstilts.store.specs.data import Reading, Where


@dataclass(frozen=True)
class Split:
    """One split that can be scored: its name, whether it is the official one, and its files.

    ``files`` are those of one language, or templates of them, or by language; ``threshold`` those of another split, on
    which a threshold is chosen.
    """

    split: str
    official: bool
    languages: tuple[str, ...] | None
    files: tuple[str, ...] | Mapping[str, tuple[str, ...]]
    threshold: tuple[str, ...] = ()

    def templates(self, language: str) -> tuple[str, ...]:
        """Return the templates of the files of a language; none if the split does not name it."""
        return tuple(self.files.get(language, ())) if isinstance(self.files, Mapping) else self.files


@dataclass(frozen=True)
class Source:
    """One place where a task's raw data can be had, and how it is read; see ``schemas/source.yaml``."""

    kind: str
    urls: tuple[str, ...]
    repository: str | None
    revision: str | None
    union: tuple[str, ...]
    reader: str | None
    header: tuple[str, ...] | None
    columns: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]]
    where: Mapping[str, str] | None
    labels: tuple[str | int | bool, ...] | None
    drop_labels: tuple[str | int | bool, ...]
    unanswerable: str
    training: tuple[str, ...]
    training_languages: tuple[str, ...]
    dev: tuple[str, ...]
    evaluation: tuple[Split, ...]

    def trains(self) -> bool:
        """Tell whether there is training data here."""
        return bool(self.training or self.union)

    @property
    def reading(self) -> Reading:
        """What of the source decides the rows of its files."""
        return Reading(
            reader=self.reader or "",
            header=self.header,
            columns=self.columns,
            values=self.values,
            labels=self.labels,
            drop_labels=self.drop_labels,
            unanswerable=self.unanswerable,
        )


@dataclass(frozen=True)
class TaskPrompt:
    """How a row is put to a language model that is not trained; see ``prompt`` in ``schemas/task.yaml``."""

    context: str
    answer: str
    words: Mapping[str, str] | None
    source: str


@dataclass(frozen=True)
class Task:
    """One data set in one form; see ``schemas/task.yaml``."""

    name: str
    version: int
    title: str
    form: str
    metric: str
    labels: tuple[str, ...] | None
    scoring: str | None
    trained_on: tuple[str, ...] | None
    languages: tuple[str, ...]
    codes: Mapping[str, str]
    prompt: TaskPrompt | None
    cluster_rows: int
    parallel: bool
    licence: str | None
    citation: str | None
    bibtex: tuple[str, ...]
    rows: Mapping[str, int | Mapping[str, int]]
    tokens: float | None
    versions: Mapping[str, Mapping[str, Mapping[str, int | None]] | None]
    sources: tuple[Source, ...]

    def file(self, template: str, language: str) -> str:
        """Return the name of a file for a language."""
        return template.replace("{language}", language).replace("{code}", self.codes.get(language, language))

    def where(self, source: Source, language: str) -> Where | None:
        """Return which rows of a source's file are in a language, or None if all are."""
        if source.where is None:
            return None
        return Where(column=source.where["column"], starts_with=self.file(source.where["starts_with"], language))

    def published(self, split: str, language: str, found: int | None = None) -> int | None:
        """Return how many rows a split has by its paper, or None where that is not known.

        Args:
            split: its name.
            language: its language.
            found: rows that files have; a version that has as many is the one that is meant.
        """
        rows = self.rows.get(split)
        stated = rows.get(language) if isinstance(rows, Mapping) else rows
        return stated if stated is None or found not in self._counts(split, language) else found

    def is_sample(self, split: str, language: str, found: int) -> bool:
        """Tell whether files have fewer rows than were published, and as many as no version has."""
        counts = self._counts(split, language)
        return found not in counts and any(found < count for count in counts)

    def official_rows(self, version: str | None, language: str) -> dict[str, int | None]:
        """Return how many rows the official split of a language has in a version of the data.

        None stands where the version has other rows, and nobody knows how many; nothing where rows are not known.

        Args:
            version: one of ``versions``; None where they do not differ.
            language: the language.
        """
        splits = [entry.split for source in self.sources for entry in source.evaluation if entry.official]
        if not splits:
            return {}
        of_version = (self.versions[version] or {}).get(splits[0], {}) if version is not None else {}
        if language in of_version:
            return {language: of_version[language]}
        published = self.published(splits[0], language)
        return {} if published is None else {language: published}

    def _counts(self, split: str, language: str) -> set[int]:
        rows = self.rows.get(split)
        stated = rows.get(language) if isinstance(rows, Mapping) else rows
        of_versions = [(version or {}).get(split, {}).get(language) for version in self.versions.values()]
        return {count for count in (stated, *of_versions) if count is not None}

    def trains(self) -> bool:
        """Tell whether the task has training data of its own anywhere."""
        return any(source.trains() for source in self.sources)


def read_task(path: Path, table: Languages) -> Task:
    """Read one task file.

    Args:
        path: the file, whose name is the task's.
        table: the languages of the registry.

    Raises:
        UserError: naming the file and the key that is wrong.
    """
    value = schema.check(schema.read_yaml(path), "task.yaml", str(path), choices())
    sources = tuple(map(_source, value.pop("sources")))
    if value["scoring"] is None:
        value["scoring"] = next(iter(FORMS[value["form"]].rules), None)
    if value["prompt"] is not None:
        try:
            prompting.check(FORMS[value["form"]], value["prompt"], value["labels"])
        except ValueError as error:
            raise UserError(f"{path}: prompt: {error}") from None
        value["prompt"] = TaskPrompt(**value["prompt"])
    value["codes"] = codes_in_files(value["codes"], value["languages"], table, str(path))
    return Task(name=path.stem, sources=sources, **frozen(value))


def _source(value: dict[str, Any]) -> Source:
    evaluation = tuple(Split(**frozen(split)) for split in value.pop("evaluation"))
    return Source(evaluation=evaluation, **frozen(value))


def frozen(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a file with tuples in place of lists."""
    return {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}


def choices() -> dict[str, list[str]]:
    """Return the values that schemas call ``x-choices``: names that forms declare."""
    declared = FORMS.values()
    return {
        "forms": list(FORMS),
        "metrics": list(dict.fromkeys(metric for form in declared for metric in form.metrics)),
        "rules": list(dict.fromkeys(rules for form in declared for rules in form.rules)),
    }


def check_task(task: Task, place: str, tasks: Mapping[str, Task], table: Languages) -> None:
    """Refuse a task that names what there is not, or that its form cannot have.

    Args:
        task: the task.
        place: what to call its file in an error.
        tasks: all tasks of the registry.
        table: the languages of the registry.

    Raises:
        UserError: naming the key that is wrong.
    """
    for language in task.languages:
        check_language(language, table, f"{place}: languages")
    names = {reference: parse_reference(reference)[0] for reference in task.trained_on or ()}
    names |= {member: member for source in task.sources for member in source.union}
    for reference, name in names.items():
        if name not in tasks:
            raise UserError(f"{place}: unknown task {reference!r}; {suggestion(reference, tasks)}")
    for reference in task.trained_on or ():
        if reference != (written := in_language(*parse_reference(reference))):
            raise UserError(f"{place}: trained_on: write {written!r} for {reference!r}")
    named = {reference: tasks[name] for reference, name in names.items()}
    _check_form(task, place)
    form = FORMS[task.form]
    for index, source in enumerate(task.sources):
        if source.reader is None and not source.union:
            raise UserError(f"{place}: sources: a source needs a `reader`, or a `union`")
        if source.union and form.labels_from_data and task.labels is None:
            raise UserError(f"{place}: union: needs `labels`, which its members have in common")
        for member in source.union:
            if (named[member].form, named[member].labels) != (task.form, task.labels):
                raise UserError(f"{place}: union: {member!r} has another form or other labels than this task")
        if not source.union:
            _check_fields(task, source, f"{place}: sources.{index}")
    if task.trained_on == () and form.trained and not form.pretrained_head:
        raise UserError(f"{place}: trained_on: the form {task.form} cannot do without training")
    if task.trained_on and form.trained:
        last = named[task.trained_on[-1]]
        if last.form != task.form or (form.label_head and last.labels != task.labels):
            raise UserError(f"{place}: trained_on: {last.name!r} has another form or other labels than this task")
    if any(source.evaluation for source in task.sources) and not task.languages:
        raise UserError(f"{place}: languages: a task that is scored needs the languages of its evaluation data")


def _check_form(task: Task, place: str) -> None:
    """Refuse metric, labels and rules that the form of a task has not."""
    form = FORMS[task.form]
    if task.metric not in form.metrics:
        raise UserError(f"{place}: metric: the form {task.form} has no {task.metric!r}; {known(form.metrics)}")
    if task.scoring is not None and task.scoring not in form.rules:
        expected = known(form.rules) if form.rules else "leave the key out"
        raise UserError(f"{place}: scoring: the form {task.form} has no rules {task.scoring!r}; {expected}")
    if task.labels and not form.takes_labels:
        raise UserError(f"{place}: labels: a task of the form {task.form} has no labels; leave the key out")
    scored = any(source.evaluation for source in task.sources)
    if form.takes_labels and not task.labels and (scored or not form.labels_from_data):
        raise UserError(f"{place}: labels: a task of the form {task.form} needs its label names")


def _check_fields(task: Task, source: Source, place: str) -> None:
    """Refuse fields and labels of a source that do not fit the form of its task."""
    form = FORMS[task.form]
    fields = (*form.required, *form.optional)
    for key, given in (("columns", source.columns), ("values", source.values)):
        for field in given:
            if field not in fields:
                raise UserError(f"{place}.{key}: the form {task.form} has no field {field!r}; {known(fields)}")
    for field in form.required:
        if field not in source.columns:
            raise UserError(f"{place}.columns: the form {task.form} needs the field {field!r}; name its column")
    for field in source.values:
        if field not in source.columns:
            raise UserError(f"{place}.values: {field!r} has no column; name it in `columns`")
    for key, values in (("labels", source.labels), ("drop_labels", source.drop_labels)):
        if values and not form.takes_labels:
            raise UserError(f"{place}.{key}: a task of the form {task.form} has no labels; leave the key out")
    names = task.labels or ()
    if source.labels is not None and len(source.labels) != len(names):
        raise UserError(
            f"{place}.labels: {len(source.labels)} values for {len(names)} labels; give one for each, in their order"
        )


def known(names: Iterable[str]) -> str:
    """Return the names that there are, for an error."""
    return f"known: {', '.join(names)}"
