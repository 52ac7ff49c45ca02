"""Which source each data set comes from, and whether it has what the study asks for: ring three of the checks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from xstilts.data.sources.made_up import MADE_UP
from xstilts.errors import UserError, suggestion
from xstilts.planning.registry import MINIATURE, Registry
from xstilts.planning.study import Study, Target
from xstilts.planning.tasks import Source, Task
from xstilts.store.specs.data import Content


@dataclass(frozen=True)
class Indexes:
    """What the plan may know of this machine: the content of its mirror and of its model folders, by SHA-256."""

    mirror: Mapping[str, Mapping[str, Any]] | None = None
    models: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitFiles:
    """A split of one language: its name, whether it is official, its files, and those that a threshold is chosen on."""

    split: str
    official: bool
    files: tuple[str, ...]
    threshold: tuple[str, ...]
    labelled: bool = True


@dataclass(frozen=True)
class Sourcing:
    """Finds sources and files for a study; ``notes`` collects what is left out and why."""

    study: Study
    registry: Registry
    indexes: Indexes
    notes: list[str]

    def _sources(self, task: Task, reference: str, location: str) -> list[Source]:
        """Return the sources of a task that the study allows, in the task's order of preference."""
        kind = self.study.source_of(reference)
        if kind == "mirror" and self.indexes.mirror is None:
            raise UserError(f"{location}: its data comes from a mirror; set `mirror` in config.yaml to a folder")
        allowed = _allowed(task, kind)
        if not allowed:
            instead = "download" if kind == "mirror" else "mirror"
            raise UserError(
                f"{location}: {task.title} cannot be had from the source {kind!r}; give it another one under `tasks`, "
                f"such as {task.name}: {{source: {instead}}}"
            )
        return allowed

    def _has(self, kind: str, source: Source, task: Task, name: str) -> bool:
        """Tell whether a file can be had; what a hub has is unknown before it is asked."""
        if source.kind == "hub":
            return True
        if kind == "mirror":
            return task.name in self._mirror.get(name, {}).get("tasks", {})
        return name in self.registry.checksums if kind == "download" else MADE_UP[kind].makes(name)

    def evaluation(self, name: str, target: Target) -> tuple[Source, dict[str, SplitFiles]]:
        """Return the source of a target, and for every language the split to score with its files."""
        task, location = self.registry.tasks[target.task], f"targets.{name}"
        sources = [source for source in self._sources(task, name, location) if source.evaluation]
        splits = [entry.split for source in sources for entry in source.evaluation]
        if target.split and target.split not in splits:
            raise UserError(
                f"{location}.split: {task.title} has no {target.split!r}; {suggestion(target.split, splits)}"
            )
        for source in sources:
            found = {
                language: split
                for language in target.languages
                if (split := self.split(task, name, source, language, target.split)) is not None
            }
            if found:
                break
        else:
            raise UserError(f"{location}: {self._why_none(name, target)}")
        left_out = [language for language in target.languages if language not in found]
        if left_out and target.strict:
            raise UserError(
                f"{location}.languages: the source {self.study.source_of(name)!r} has no {left_out[0]!r} for"
                f" {task.title}"
            )
        if left_out:
            self.notes.append(f"{name}: no data in {', '.join(left_out)}; evaluated in {', '.join(found)}")
        if unlabelled := self.unlabelled(name, target, found):
            what = "predicted for export-xtreme" if self.study.unlabelled_tests else "`unlabelled_tests` predicts them"
            self.notes.append(f"{name}: tests without labels are not scored; {what}: {', '.join(unlabelled[1])}")
        return source, found

    def _why_none(self, name: str, target: Target) -> str:
        """Return why a source has no language of a target to score."""
        title, kind = self.registry.tasks[target.task].title, self.study.source_of(name)
        if unlabelled := self.unlabelled(name, target, {}):
            without = ", ".join(unlabelled[1])
            return f"{title} has no labels in its test ({without}); scores need a split that has, such as the dev files"
        more = "; add its files and run xstilts index-mirror again" if kind == "mirror" else ""
        return f"none of the languages {', '.join(target.languages)} is there for {title} in the source {kind!r}{more}"

    def unlabelled(
        self, name: str, target: Target, scored: Mapping[str, SplitFiles]
    ) -> tuple[Source, dict[str, SplitFiles]] | None:
        """Return the source whose official test of a target has no labels, with its files by language; None without.

        Args:
            name: the target's name in the study.
            target: the target.
            scored: the splits that are scored; a language whose official test is among them needs no other one.
        """
        task = self.registry.tasks[target.task]
        languages = [code for code in target.languages if code not in scored or not scored[code].official]
        for source in self._sources(task, name, f"targets.{name}"):
            found = {
                language: split
                for language in languages
                if (split := self.split(task, name, source, language, None, labelled=False)) is not None
            }
            if found:
                return source, found
        return None

    def split(
        self, task: Task, reference: str, source: Source, language: str, asked: str | None, labelled: bool = True
    ) -> SplitFiles | None:
        """Return the best split that a source has in a language, with the names of its files.

        Args:
            task: the task.
            reference: what the study calls it.
            source: the source.
            language: the language.
            asked: the split that must be it; None for any.
            labelled: whether its files have labels; of those without, the official split alone is one.
        """
        kind = self.study.source_of(reference)
        for entry in source.evaluation:
            files, threshold = (
                tuple(task.file(template, language) for template in templates)
                for templates in (entry.templates(language), entry.threshold)
            )
            listed = entry.languages or task.languages
            there = files and all(self._has(kind, source, task, name) for name in files)
            if self._labelled(kind, task, files) != labelled or not (labelled or entry.official):
                continue
            if asked in (None, entry.split) and language in listed and there:
                # without another split to choose a threshold on, it is chosen on a half of this one
                threshold = threshold if all(self._has(kind, source, task, name) for name in threshold) else ()
                return SplitFiles(entry.split, entry.official, files, threshold, labelled)
        return None

    def _labelled(self, kind: str, task: Task, files: tuple[str, ...]) -> bool:
        """Tell whether files have labels; those of a mirror may not, as its index knows."""
        uses = [self._mirror.get(name, {}).get("tasks", {}).get(task.name, {}) for name in files]
        return kind != "mirror" or all(use.get("labelled", True) for use in uses)

    def rows(self, task: Task, reference: str, name: str) -> dict[str, Any]:
        """Return what the index says of a file's rows before it is read: their number, and whether it is a sample."""
        indexed: Mapping[str, Any] = {}
        if self.study.source_of(reference) == "mirror":
            indexed = self._mirror.get(name, {}).get("tasks", {}).get(task.name, {})
        return {"rows": indexed.get("rows"), "sample": indexed.get("sample", False)}

    def training(self, task: Task, reference: str, language: str) -> Source:
        """Return the first source with training data in a language, all of whose files are there."""
        kind = self.study.source_of(reference)
        sources = [source for source in self._sources(task, reference, reference) if source.trains()]
        available = sorted({code for source in sources for code in source.training_languages})
        sources = [source for source in sources if language in source.training_languages]
        if not sources:
            hint = suggestion(language, available) if available else f"nor in any other from the source {kind!r}"
            raise UserError(f"{reference}: no training data in {language!r}; {hint}")
        missing: list[str] = []
        for source in sources:
            lacking = self._lacking(task, reference, source, language)
            if not lacking:
                return source
            missing += lacking[:1]
        mend = "add it to the mirror and run xstilts index-mirror again" if kind == "mirror" else "use a mirror for it"
        where = {"mirror": "not in the mirror's index", "download": "without a known checksum"}.get(kind, "not made up")
        raise UserError(f"{reference} (training data): {' and '.join(missing)}: {where}; {mend}")

    def _lacking(self, task: Task, reference: str, source: Source, language: str) -> list[str]:
        """Return the files of training data that a source names and that are not there."""
        kind = self.study.source_of(reference)
        names = [task.file(template, language) for template in (*source.training, *source.dev)]
        lacking = [name for name in names if not self._has(kind, source, task, name)]
        for member in (self.registry.tasks[member] for member in source.union):
            ways = [
                self._lacking(member, member.name, each, language)
                for each in self._sources(member, member.name, task.name)
                if each.trains() and language in each.training_languages
            ]
            shortest = sorted(ways, key=len)[:1] or [[f"training data of {member.name}"]]
            lacking += shortest[0]
        return lacking

    def content(
        self, task: Task, reference: str, names: list[str], source: Source
    ) -> tuple[Content, dict[str, list[str]]]:
        """Return what decides the content of files, for the spec of their node, and where they can be downloaded.

        Raises:
            UserError: if a hub source has no pinned revision.
        """
        kind = self.study.source_of(reference)
        unhashed: dict[str, str | None] = dict.fromkeys(names)
        if source.kind == "hub":
            if source.revision is None:
                raise UserError(f"{task.title}: its hub source has no pinned revision")
            return Content(kind="hub", files=unhashed, repository=source.repository, revision=source.revision), {}
        if kind == "mirror":
            return Content(kind=kind, files={name: self._mirror[name]["sha256"] for name in names}), {}
        if kind == "download":
            content = Content(kind="url", files={name: self.registry.checksums[name] for name in names})
            return content, {name: _urls(source, name) for name in names}
        if kind == MINIATURE:
            # each world of a study is planned by itself
            (seed,), generator = self.study.worlds, MADE_UP[kind].VERSION
            return Content(kind=kind, files=unhashed, seed=seed, generator=generator), {}
        return Content(kind=kind, files=unhashed), {}

    @property
    def _mirror(self) -> Mapping[str, Mapping[str, Any]]:
        return {} if self.indexes.mirror is None else self.indexes.mirror


def _urls(source: Source, name: str) -> list[str]:
    short = name.rpartition("/")[2]
    below = name.partition("/")[2]
    return [
        address.replace("{name}", short).replace("{path}", below).replace("{file}", name) for address in source.urls
    ]


def _allowed(task: Task, kind: str) -> list[Source]:
    """Return the sources of a task that a study's source allows, in the task's order of preference."""
    if kind == "download":
        return [source for source in task.sources if source.kind == "hub" or source.urls]
    return [source for source in task.sources if source.kind == "files"]
