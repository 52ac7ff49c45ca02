"""Which source each data set comes from, and whether it has what the study asks for: ring three of the checks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from xstilts.data.sources.made_up import MADE_UP
from xstilts.errors import UserError, suggestion
from xstilts.planning.mirror_index import UNLABELLED, why_not
from xstilts.planning.registry import MINIATURE, Registry
from xstilts.planning.study import Study, Target
from xstilts.planning.tasks import Source, Split, Task
from xstilts.store.specs.data import Content

# the source of a study that is the mirror where a machine has one
_MIRROR_OR_DOWNLOAD = "mirror_or_download"


@dataclass(frozen=True)
class Indexes:
    """What the plan may know of this machine: the content of its mirror and of its model folders, by SHA-256."""

    mirror: Mapping[str, Mapping[str, Any]] | None = None
    models: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)


def uses_mirror(study: Study) -> bool:
    """Tell whether data of a study may come from a mirror."""
    return not {"mirror", _MIRROR_OR_DOWNLOAD}.isdisjoint((study.source, *study.task_sources.values()))


def on_machine(study: Study, has_mirror: bool) -> Study:
    """Return a study with the one source that it has on a machine."""
    if study.source != _MIRROR_OR_DOWNLOAD:
        return study
    return replace(study, source="mirror" if has_mirror else "download")


@dataclass(frozen=True)
class SplitFiles:
    """A split of one language: its name, whether it is official, its files, and those that a threshold is chosen on."""

    split: str
    official: bool
    files: tuple[str, ...]
    threshold: tuple[str, ...]
    labelled: bool = True


class _Lacking(NamedTuple):
    """A file that a source does not have, or why what it has cannot be used."""

    name: str
    reason: str | None


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

    def _has(self, kind: str, source: Source, task: Task, name: str, labelled: bool = True) -> bool:
        """Tell whether a file can be had, with its labels or without them, which only a mirror's can be.

        What a hub has is unknown before it is asked.
        """
        if kind == "mirror":
            use = self._use(task, name)
            return use is not None and (why_not(use) is None if labelled else UNLABELLED in use)
        if not labelled or source.kind == "hub":
            return labelled
        return name in self.registry.checksums if kind == "download" else MADE_UP[kind].makes(name)

    def _use(self, task: Task, name: str) -> Mapping[str, Any] | None:
        """Return what the index says that a file is to a task; None where it is nothing to it."""
        use: Mapping[str, Any] | None = self._mirror.get(name, {}).get("tasks", {}).get(task.name)
        return use

    def evaluation(self, name: str, target: Target) -> dict[str, tuple[Source, SplitFiles]]:
        """Return for every language of a target the split to score, and its source.

        A language comes from the first of the task's sources that has it. All come from the hub or all from files, for
        they are one node of raw data.
        """
        task, location = self.registry.tasks[target.task], f"targets.{name}"
        sources = [source for source in self._sources(task, name, location) if source.evaluation]
        splits = [entry.split for source in sources for entry in source.evaluation]
        if target.split and target.split not in splits:
            raise UserError(
                f"{location}.split: {task.title} has no {target.split!r}; {suggestion(target.split, splits)}"
            )
        found: dict[str, tuple[Source, SplitFiles]] = {}
        for source in sources:
            if found and source.kind != next(iter(found.values()))[0].kind:
                continue
            for language in target.languages:
                if language not in found and (split := self.split(task, name, source, language, target.split)):
                    found[language] = (source, split)
        reasons = self._passed_over(task, name, target, sources, found)
        if not found:
            raise UserError(f"{location}: {self._why_none(name, target, reasons)}")
        found = {language: found[language] for language in target.languages if language in found}
        left_out = {language: reasons.get(language, "") for language in target.languages if language not in found}
        if left_out and target.strict:
            language, reason = next(iter(left_out.items()))
            raise UserError(
                f"{location}.languages: the source {self.study.source_of(name)!r} has no {language!r} for {task.title}"
                f"{_in_brackets({language: reason})}"
            )
        if left_out:
            lacking = f"{', '.join(left_out)}{_in_brackets(left_out)}"
            self.notes.append(f"{name}: no data in {lacking}; evaluated in {', '.join(found)}")
        second = {language: reason for language, reason in reasons.items() if language in found}
        if second:
            chosen = ", ".join(f"{language} on {found[language][1].split}" for language in second)
            self.notes.append(f"{name}: evaluated in {chosen}{_in_brackets(second)}")
        if unlabelled := self.unlabelled(name, target, found):
            what = "predicted for export-xtreme" if self.study.unlabelled_tests else "`unlabelled_tests` predicts them"
            self.notes.append(f"{name}: tests without labels are not scored; {what}: {', '.join(unlabelled)}")
        return found

    def _why_none(self, name: str, target: Target, reasons: Mapping[str, str]) -> str:
        """Return why a source has no language of a target to score, with the reasons of its files by language."""
        title, kind = self.registry.tasks[target.task].title, self.study.source_of(name)
        if unlabelled := self.unlabelled(name, target, {}):
            return (
                f"{title} has no labels in its test ({', '.join(unlabelled)}); scores need a split that has, such as"
                f" the dev files{_in_brackets(reasons)}"
            )
        more = "; add its files and run xstilts index-mirror again" if kind == "mirror" else ""
        return (
            f"none of the languages {', '.join(target.languages)} is there for {title} in the source {kind!r}"
            f"{_in_brackets(reasons)}{more}"
        )

    def unlabelled(
        self, name: str, target: Target, scored: Mapping[str, tuple[Source, SplitFiles]]
    ) -> dict[str, tuple[Source, SplitFiles]]:
        """Return by language the official test of a target that has no labels, and its source.

        Args:
            name: the target's name in the study.
            target: the target.
            scored: what is scored; a language whose official test is among it needs no other one.
        """
        task = self.registry.tasks[target.task]
        found: dict[str, tuple[Source, SplitFiles]] = {}
        for source in self._sources(task, name, f"targets.{name}"):
            for entry in (entry for entry in source.evaluation if entry.official):
                for language in target.languages:
                    known = language in found or (language in scored and scored[language][1].official)
                    if not known and (split := self.split(task, name, source, language, entry.split, labelled=False)):
                        found[language] = (source, split)
        return {language: found[language] for language in target.languages if language in found}

    def _passed_over(
        self,
        task: Task,
        reference: str,
        target: Target,
        sources: Sequence[Source],
        found: Mapping[str, tuple[Source, SplitFiles]],
    ) -> dict[str, str]:
        """Return for each language the first file that is preferred to what is used and cannot be, and why."""
        reasons: dict[str, str] = {}
        if self.study.source_of(reference) != "mirror":
            return reasons
        entries = [(source, entry) for source in sources for entry in source.evaluation]
        for language in target.languages:
            for source, entry in entries:
                if language in found and (source, entry.split) == (found[language][0], found[language][1].split):
                    break
                for name in self._files(task, entry, language, target.split):
                    if reason := self._why_not(task, name):
                        reasons.setdefault(language, reason)
        return reasons

    def _files(self, task: Task, entry: Split, language: str, asked: str | None) -> tuple[str, ...]:
        """Return the files of a split in a language; none where it has not the language or is not the one asked for."""
        if asked not in (None, entry.split) or language not in (entry.languages or task.languages):
            return ()
        return tuple(task.file(template, language) for template in entry.templates(language))

    def split(
        self, task: Task, reference: str, source: Source, language: str, asked: str | None, labelled: bool = True
    ) -> SplitFiles | None:
        """Return the best split that a source has in a language, with the names of its files.

        Args:
            task: the task.
            reference: what the study calls it.
            source: one of the task's.
            language: the language.
            asked: the split that must be it; None for any.
            labelled: whether its files have labels.
        """
        kind = self.study.source_of(reference)
        for entry in source.evaluation:
            files = self._files(task, entry, language, asked)
            if files and all(self._has(kind, source, task, name, labelled) for name in files):
                # without another split to choose a threshold on, it is chosen on a half of this one
                threshold = tuple(task.file(template, language) for template in entry.threshold)
                threshold = threshold if all(self._has(kind, source, task, name) for name in threshold) else ()
                return SplitFiles(entry.split, entry.official, files, threshold, labelled)
        return None

    def contexts(self, name: str, target: Target, language: str, kind: str) -> tuple[Source, SplitFiles] | None:
        """Return where contexts are that no training data may have; without labels where no split has them.

        Args:
            name: the target's name.
            target: the target.
            language: the language of the training data.
            kind: what kind of source the target is evaluated from.
        """
        task = self.registry.tasks[target.task]
        sources = [source for source in self._sources(task, name, f"targets.{name}") if source.kind == kind]
        for labelled in (True, False):
            for source in sources:
                split = self.split(task, name, source, language, target.split, labelled)
                if split is not None:
                    return source, split
        return None

    def few_shot(
        self, name: str, target: Target, language: str, scored: SplitFiles
    ) -> tuple[Source, SplitFiles] | None:
        """Return where the few rows of a language are from: a dev split that is not scored, or training data.

        Dev comes first: training data of other languages than the source may be machine translations (PAWS-X). Never of
        a test. None where there is neither.

        Args:
            name: the target's name.
            target: the target.
            language: one of its languages.
            scored: what is scored in it.
        """
        task = self.registry.tasks[target.task]
        sources = self._sources(task, name, f"targets.{name}")
        for source in sources:
            split = self.split(task, name, source, language, "dev")
            if split is not None and set(scored.files).isdisjoint(split.files):
                return source, split
        for source in (one for one in sources if one.training and language in one.training_languages):
            if not self._lacking(task, name, source, language):
                files = tuple(task.file(template, language) for template in source.training)
                return source, SplitFiles("train", False, files, ())
        return None

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
        missing: list[_Lacking] = []
        for source in sources:
            lacking = self._lacking(task, reference, source, language)
            if not lacking:
                return source
            missing += lacking[:1]
        unusable = [each.reason for each in missing if each.reason]
        if unusable:
            mend = "put another file in its place and run xstilts index-mirror again"
            raise UserError(f"{reference} (training data): {' and '.join(unusable)}; {mend}")
        mend = "add it to the mirror and run xstilts index-mirror again" if kind == "mirror" else "use a mirror for it"
        where = {"mirror": "not in the mirror's index", "download": "without a known checksum"}.get(kind, "not made up")
        raise UserError(f"{reference} (training data): {' and '.join(each.name for each in missing)}: {where}; {mend}")

    def _lacking(self, task: Task, reference: str, source: Source, language: str) -> list[_Lacking]:
        """Return what a source names as training data and does not have, or not so that it can be used."""
        kind = self.study.source_of(reference)
        names = [task.file(template, language) for template in (*source.training, *source.dev)]
        lacking = [
            _Lacking(name, self._why_not(task, name)) for name in names if not self._has(kind, source, task, name)
        ]
        for member in (self.registry.tasks[member] for member in source.union):
            ways = [
                self._lacking(member, member.name, each, language)
                for each in self._sources(member, member.name, task.name)
                if each.trains() and language in each.training_languages
            ]
            shortest = sorted(ways, key=len)[:1] or [[_Lacking(f"training data of {member.name}", None)]]
            lacking += shortest[0]
        return lacking

    def _why_not(self, task: Task, name: str) -> str | None:
        """Return why a task cannot use a file of the mirror, by the name of the file; None where nothing is known."""
        use = self._use(task, name)
        reason = None if use is None else why_not(use)
        return reason if reason is None or reason.startswith(name) else f"{name}: {reason}"

    def content(self, task: Task, reference: str, files: Mapping[str, Source]) -> tuple[Content, dict[str, list[str]]]:
        """Return what decides the content of files, for the spec of their node, and where they can be downloaded.

        Args:
            task: the task.
            reference: the task or target.
            files: names, each with its source.

        Raises:
            UserError: if a hub source has no pinned revision.
        """
        kind, names = self.study.source_of(reference), sorted(files)
        source = files[names[0]]
        unhashed: dict[str, str | None] = dict.fromkeys(names)
        if source.kind == "hub":
            if source.revision is None:
                raise UserError(f"{task.title}: its hub source has no pinned revision")
            return Content(kind="hub", files=unhashed, repository=source.repository, revision=source.revision), {}
        if kind == "mirror":
            return Content(kind=kind, files={name: self._mirror[name]["sha256"] for name in names}), {}
        if kind == "download":
            content = Content(kind="url", files={name: self.registry.checksums[name] for name in names})
            return content, {name: _urls(files[name], name) for name in names}
        if kind == MINIATURE:
            # each world of a study is planned by itself
            (seed,), generator = self.study.worlds, MADE_UP[kind].VERSION
            return Content(kind=kind, files=unhashed, seed=seed, generator=generator), {}
        return Content(kind=kind, files=unhashed), {}

    @property
    def _mirror(self) -> Mapping[str, Mapping[str, Any]]:
        return {} if self.indexes.mirror is None else self.indexes.mirror


def _in_brackets(reasons: Mapping[str, str]) -> str:
    """Return the first reason as it stands behind what it is a reason of, and how many there are beside it."""
    first, *others = [reason for reason in reasons.values() if reason] or [""]
    more = f"; {len(others)} more, which xstilts index-mirror names" if others else ""
    return f" ({first}{more})" if first else ""


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
