"""The registry: tasks, mixtures, models, recipes and languages, read from the YAML files in ``registry/``.

The science lives there; the code knows forms of tasks, not tasks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from xstilts import schema
from xstilts.errors import UserError, suggestion
from xstilts.forms import FORMS
from xstilts.forms.declaration import PERCENT
from xstilts.planning import bibliography, registry_files
from xstilts.planning.languages import check_language
from xstilts.planning.tasks import Task, check_task, choices, frozen, known, read_task
from xstilts.references import SOURCE_LANGUAGE, in_language, parse_reference
from xstilts.store.study_plan import Benchmark, BenchmarkTask

FOLDER = schema.REGISTRY
MINIATURE = "miniature"


@dataclass(frozen=True)
class Registry:
    """Everything that can be named in a study."""

    tasks: Mapping[str, Task]
    mixtures: Mapping[str, Sequence[Any]]
    mixture_files: Mapping[str, Path]
    models: Mapping[str, Mapping[str, Any]]
    recipes: Mapping[str, Mapping[str, Any]]
    languages: Mapping[str, Mapping[str, Any]]
    benchmarks: Mapping[str, Benchmark]
    claims: Mapping[str, Mapping[str, Any]]
    checksums: Mapping[str, str]
    miniature: Mapping[str, Mapping[str, Any]]
    origins: Mapping[str, str | Mapping[str, str]]
    tools: Mapping[str, Mapping[str, Any]]
    bibliography: Mapping[str, str]
    benchmark_bibtex: Mapping[str, tuple[str, ...]]

    def of(self, source: str) -> "Registry":
        """Return the registry as it is for studies of a source: the miniature world has languages of its own."""
        return self._in_miniature if source == MINIATURE else self

    @cached_property
    def _in_miniature(self) -> "Registry":
        return _in_miniature(self)

    @property
    def bibtex(self) -> dict[str, Sequence[str]]:
        """What papers cite for whatever can be cited, such as ``task xnli``: keys of the bibliography."""
        named: dict[str, Sequence[str]] = {f"task {name}": task.bibtex for name, task in self.tasks.items()}
        named |= {f"model {name}": model["bibtex"] for name, model in self.models.items()}
        named |= {f"tool {name}": tool["bibtex"] for name, tool in self.tools.items()}
        return named | {f"benchmark {name}": keys for name, keys in self.benchmark_bibtex.items()}

    def task(self, name: str, place: str) -> Task:
        """Return a task by name.

        Raises:
            UserError: naming ``place`` and the nearest name of a task.
        """
        if name not in self.tasks:
            raise UserError(f"{place}: unknown task {name!r}; {suggestion(name, self.tasks)}")
        return self.tasks[name]


def check_reference(reference: str, registry: Registry, place: str) -> tuple[str, str]:
    """Return task and source language of a reference; a task in the source language is written without it.

    Raises:
        UserError: if there is no such task or language, or the reference can be shorter.
    """
    name, language = parse_reference(reference)
    registry.task(name, place)
    check_language(language, registry.languages, place)
    if reference != in_language(name, language):
        raise UserError(f"{place}: write {name!r} for {reference!r}; {SOURCE_LANGUAGE} is the default")
    return name, language


def check_known(name: str, registered: Mapping[str, Any], place: str, kind: str) -> None:
    """Refuse a name that the registry does not have.

    Raises:
        UserError: with the name that is most like it.
    """
    if name not in registered:
        raise UserError(f"{place}: unknown {kind} {name!r}; {suggestion(name, registered)}")


@cache
def load(registries: tuple[Path, ...] = ()) -> Registry:
    """Read the registry that is part of the package, and a user's own.

    Args:
        registries: folders in the layout of the package's; what is registered cannot be given another meaning there.

    Raises:
        UserError: naming the file and the key that is wrong.
    """
    for folder in registries:
        registry_files.check_folder(folder)
    folders = (FOLDER, *registries)
    paths = registry_files.files(folders, "tasks")
    mixtures = registry_files.table(folders, "mixtures.yaml")
    for name in mixtures.entries:
        if name in paths:
            raise UserError(
                f"{paths[name]}: {name!r} is the name of a mixture in {mixtures.files[name]}; give one another"
            )
    languages = registry_files.table(folders, "languages.yaml").entries
    tasks = {name: read_task(path, languages) for name, path in paths.items()}
    for name, task in tasks.items():
        check_task(task, str(paths[name]), tasks, languages)
    files = registry_files.files(folders, "benchmarks")
    contents = {
        name: schema.check(schema.read_yaml(file), "benchmark.yaml", str(file), choices())
        for name, file in files.items()
    }
    benchmarks = {name: _benchmark(name, content, str(files[name]), tasks) for name, content in contents.items()}
    models = registry_files.table(folders, "models.yaml")
    for name, model in models.entries.items():
        if model["weights_of"] is not None:
            place = f"{models.files[name]}: {name}.weights_of"
            check_known(model["weights_of"], models.entries, place, "model")
    registry = Registry(
        tasks=tasks,
        mixtures=mixtures.entries,
        mixture_files=mixtures.files,
        models=models.entries,
        recipes=registry_files.table(folders, "recipes.yaml").entries,
        languages=languages,
        benchmarks=benchmarks,
        claims=registry_files.table(folders, "claims.yaml").entries,
        checksums=registry_files.table(folders, "checksums.yaml").entries,
        miniature=_own_table("miniature.yaml"),
        origins=_own_table("origins.yaml"),
        tools=_own_table("tools.yaml"),
        bibliography=registry_files.works(folders),
        benchmark_bibtex={name: tuple(content["bibtex"]) for name, content in contents.items()},
    )
    bibliography.check(registry.bibtex, registry.bibliography)
    return registry


def _in_miniature(real: Registry) -> Registry:
    """Return the registry with the languages of the miniature world in place of the real ones.

    The source language is there where the real task has it; all others are there. What holds for real data only is
    left out: published numbers of rows, other codes in file names, and MLQA's rules, which are by language.
    """
    tasks = {name: _task_in_miniature(task, real.miniature) for name, task in real.tasks.items()}
    benchmarks = {
        name: replace(
            benchmark,
            tasks={
                task: replace(entry, languages=tasks[task].languages, rows={})
                for task, entry in benchmark.tasks.items()
            },
        )
        for name, benchmark in real.benchmarks.items()
    }
    return replace(real, tasks=tasks, languages=real.miniature, benchmarks=benchmarks)


def _task_in_miniature(task: Task, languages: Mapping[str, Any]) -> Task:
    def renamed(real: tuple[str, ...]) -> tuple[str, ...]:
        others = bool(set(real) - {SOURCE_LANGUAGE})
        return tuple(
            language for language in languages if (language in real if language == SOURCE_LANGUAGE else others)
        )

    sources = tuple(
        replace(
            source,
            training_languages=renamed(source.training_languages),
            evaluation=tuple(replace(split, languages=None) for split in source.evaluation),
        )
        for source in task.sources
    )
    scoring = "squad" if task.scoring == "mlqa" else task.scoring
    return replace(
        task,
        languages=renamed(task.languages),
        codes={},
        rows={},
        tokens=None,
        versions={},
        sources=sources,
        scoring=scoring,
    )


def _own_table(name: str) -> dict[str, Any]:
    """Return a table that the package alone has."""
    return schema.check(schema.read_yaml(FOLDER / name), name, str(FOLDER / name))


def _benchmark(name: str, content: Mapping[str, Any], place: str, tasks: Mapping[str, Task]) -> Benchmark:
    """Return a benchmark.

    Raises:
        UserError: if it names tasks or versions of data that there are not, or metrics that a form lacks or that cannot
            be averaged.
    """
    entries = {}
    for task, entry in content["tasks"].items():
        if task not in tasks:
            raise UserError(f"{place}: tasks: unknown task {task!r}; {suggestion(task, tasks)}")
        form, versions = tasks[task].form, entry.pop("versions")
        percents = [metric for metric, declared in FORMS[form].metrics.items() if declared.unit == PERCENT]
        for metric in entry["metrics"]:
            if metric not in percents:
                raise UserError(
                    f"{place}: tasks.{task}.metrics: the form {form} has no {metric!r} in percent; {known(percents)}"
                )
        for version in versions:
            check_known(version, tasks[task].versions, f"{place}: tasks.{task}.versions", "version")
        rows = _official_rows(tasks[task], versions, entry["languages"])
        entries[task] = BenchmarkTask(**frozen(entry), rows=rows)
    return Benchmark(name, content["title"], content["citation"], entries)


def _official_rows(
    task: Task, versions: Mapping[str, Sequence[str] | None], languages: Sequence[str]
) -> dict[str, int | None]:
    """Return how many rows a benchmark's official labels have, by language; see ``BenchmarkTask.rows``."""
    rest = next((version for version, of_version in versions.items() if of_version is None), None)
    version_of = {language: version for version, of_version in versions.items() for language in of_version or ()}
    rows: dict[str, int | None] = {}
    for language in languages:
        rows |= task.official_rows(version_of.get(language, rest), language)
    return rows
