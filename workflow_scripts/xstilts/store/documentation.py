"""What a report says of a study beside its results: where settings, data sets and models come from.

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
class Documentation:
    """What the registry knows of what a study uses.

    Attributes:
        settings: those of each recipe.
        tasks: cards of the tasks whose data are used.
        models: cards of the models.
    """

    settings: Mapping[str, tuple[Setting, ...]] = field(default_factory=dict)
    tasks: Mapping[str, Card] = field(default_factory=dict)
    models: Mapping[str, Card] = field(default_factory=dict)
