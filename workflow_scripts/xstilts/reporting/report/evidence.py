"""What is behind a row of a table: its arms, and its row of the table of estimates, as links within the page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
from markupsafe import Markup

from xstilts.evaluation.comparisons import Arm
from xstilts.evaluation.table import records
from xstilts.evaluation.unasked import is_of_analysis
from xstilts.reporting import sources
from xstilts.store.study_plan import NONE, StudyPlan


@dataclass(frozen=True)
class Evidence:
    """The arms of a study, numbered from 1 as the page has them, and which of them are behind each estimate."""

    plan: StudyPlan
    estimates: pd.DataFrame
    scores: pd.DataFrame

    @cached_property
    def arms(self) -> dict[str, Arm]:
        """The arms by their names, in the order of their numbers."""
        arms = dict.fromkeys(Arm(cell.model, cell.recipe, cell.mixture) for cell in self.plan.cells)
        return {".".join(arm): arm for arm in arms}

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.arms, 1)}

    @cached_property
    def _behind(self) -> dict[int, tuple[str, ...]]:
        return {row: found.arms for row, found in sources.of_rows(self.plan, self.estimates, self.scores).items()}

    @cached_property
    def _targets(self) -> dict[int, list[str]]:
        """The targets of each row by its number; none where it is of a mean over targets."""
        rows = records(self.estimates)
        return {row["row"]: row["target"].split(" minus ") if row["target"] else [] for row in rows}

    @cached_property
    def _on_page(self) -> set[int]:
        """The rows that the page has; those for analyses alone are in the tables of these."""
        return set(self.estimates.loc[~is_of_analysis(self.estimates), "row"])

    def links(self, row: int) -> Markup:
        """Return links from a row, by its number, to its arms."""
        return self._links(self._behind.get(row, ()))

    def _links(self, names: Iterable[str]) -> Markup:
        found = [
            Markup('<a href="#arm-{0}" title="{1}">{0}</a>').format(self._numbers[name], ", ".join(self.arms[name]))
            for name in names
        ]
        return Markup(", ").join(found)

    def of_analysis(self, row: Mapping[str, Any]) -> Markup:
        """Return links from a row of an analysis to its arms; nothing where it is not of an arm.

        A row that is no row of estimates is of an arm alone, or where it has a ``baseline`` or the ``slope`` of gains,
        of the arm and of the same one with ``none``.
        """
        if not pd.isna(row.get("row")):
            return self.links(int(row["row"]))
        if not {"model", "recipe", "mixture"} <= set(row):
            return Markup()
        mixtures = [row["mixture"], NONE] if {"baseline", "slope"} & set(row) else [row["mixture"]]
        return self._links(".".join((row["model"], row["recipe"], mixture)) for mixture in mixtures)

    def row(self, number: str) -> str:
        """Return the number of a row of estimates, as a link where the page has that row."""
        if not number.isdigit() or int(number) not in self._on_page:
            return number
        return Markup('<a href="#estimate-{0}">{0}</a>').format(number)

    def axes(self, row: int) -> dict[str, list[str]]:
        """Return what a row, by its number, is about."""
        arms = [self.arms[name] for name in self._behind.get(row, ())]
        models, mixtures = (list(dict.fromkeys(getattr(arm, axis) for arm in arms)) for axis in ("model", "mixture"))
        return {"model": models, "mixture": mixtures, "target": self._targets[row]}
