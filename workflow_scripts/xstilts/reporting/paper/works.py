"""What the registry says of what a study uses, as sentences: titles with citations, names of languages."""

from collections.abc import Iterable

from xstilts.errors import UserError
from xstilts.references import parse_reference
from xstilts.reporting.paper.prose import Cite, Sentence
from xstilts.store import documentation
from xstilts.store.documentation import Registered
from xstilts.store.study_plan import StudyPlan


class Works(documentation.Works):
    """What the plan of a study has of the registry, as sentences need it."""

    def task(self, reference: str) -> Registered:
        """Return the task of a reference.

        Raises:
            UserError: if the plan does not have it, as one of an earlier version.
        """
        name = parse_reference(reference)[0]
        if name not in self.tasks:
            raise UserError(f"paper: the plan says nothing of the task {name!r}; run the study again")
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


def of_plan(plan: StudyPlan) -> Works:
    """Return what the plan of a study has of the registry."""
    return Works(**vars(plan.documentation.works))
