"""What the registry says of what a study uses: titles, licences, and the works to cite."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from xstilts.errors import UserError
from xstilts.references import parse_reference
from xstilts.reporting.paper.prose import Cite, Sentence


@dataclass(frozen=True, kw_only=True)
class Registered:
    """An entry of the registry: a task, a model, a benchmark or a tool.

    Attributes:
        title: the name as papers write it.
        licence: its licence; None where the registry states none.
        bibtex: keys of the works to cite.
        parameters: of a published model.
    """

    title: str
    licence: str | None = None
    bibtex: tuple[str, ...] = ()
    parameters: int | None = None


@dataclass(frozen=True, kw_only=True)
class Works:
    """The registry as papers need it.

    Attributes:
        tasks: by name.
        models: by name.
        benchmarks: by name.
        tools: software by package, and procedures.
        languages: English names by code.
        entries: BibTeX entries by key.
    """

    tasks: Mapping[str, Registered]
    models: Mapping[str, Registered]
    benchmarks: Mapping[str, Registered]
    tools: Mapping[str, Registered]
    languages: Mapping[str, str]
    entries: Mapping[str, str]

    def task(self, reference: str) -> Registered:
        """Return the task of a reference.

        Raises:
            UserError: if the registry does not have it.
        """
        name = parse_reference(reference)[0]
        if name not in self.tasks:
            raise UserError(f"paper: the registry has no task {name!r}; name your own tasks' folder by --own-tasks")
        return self.tasks[name]

    def cite(self, tool: str) -> Cite:
        """Return the citation of a tool."""
        return Cite(self.tools[tool].bibtex)

    def named_task(self, reference: str) -> Sentence:
        """Return a task's title, its name where that differs, and its citation: ``MNLI (mnli)``."""
        entry = self.task(reference)
        name = "" if entry.title.lower() == reference.lower() else f" (`{reference}`)"
        return (f"{entry.title}{name}", Cite(entry.bibtex))

    def language(self, code: str) -> str:
        """Return the name of a language with its code, such as ``German (de)``."""
        return f"{self.languages[code]} ({code})" if code in self.languages else code

    def bibliography(self, keys: Iterable[str]) -> str:
        """Return the BibTeX entries of works, in the order of their keys."""
        return "\n\n".join(self.entries[key] for key in sorted(set(keys))) + "\n"
