"""What the registry knows of what a study uses: what a report says of it, and what a paper states and cites.

Nothing here decides a result, or the place of a study's outputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A setting of a recipe.

    Attributes:
        key: its path, such as ``target.overrides.span.max_length``.
        value: as the recipe has it.
        origin: where the value comes from: ``jiant``, ``XTREME``, ``ours`` or ``this study``.
    """

    key: str
    value: Any
    origin: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """What the registry says of a task or of a model; None for what it does not know."""

    title: str
    licence: str | None
    citation: str | None


@dataclass(frozen=True, kw_only=True)
class Registered:
    """What papers say of a task, a model, a benchmark or a tool.

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
    """What papers say of what a study uses, and the works that they cite.

    Attributes:
        tasks: by name.
        models: by name.
        benchmarks: by name.
        tools: software by package, and procedures.
        languages: English names by code.
        entries: BibTeX entries by key.
    """

    tasks: Mapping[str, Registered] = field(default_factory=dict)
    models: Mapping[str, Registered] = field(default_factory=dict)
    benchmarks: Mapping[str, Registered] = field(default_factory=dict)
    tools: Mapping[str, Registered] = field(default_factory=dict)
    languages: Mapping[str, str] = field(default_factory=dict)
    entries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Documentation:
    """What the registry knows of what a study uses.

    Attributes:
        settings: those of each recipe.
        tasks: cards of the tasks whose data are used.
        models: cards of the models.
        prompt_sources: whose wording the prompts of a target are, for those that a model is prompted with.
        works: what papers need; a report reads nothing of it.
    """

    settings: Mapping[str, tuple[Setting, ...]] = field(default_factory=dict)
    tasks: Mapping[str, Card] = field(default_factory=dict)
    models: Mapping[str, Card] = field(default_factory=dict)
    prompt_sources: Mapping[str, str] = field(default_factory=dict)
    works: Works = Works()
