"""What is behind a row of the table of estimates: its arms, and of each arm the manifests of its predictions."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
from markupsafe import Markup

from xstilts.evaluation.comparisons import Arm
from xstilts.evaluation.table import records
from xstilts.reporting import sources
from xstilts.reporting.report.page import NOTHING, Column, Grid, Inputs, Row, columns
from xstilts.reporting.sources import Link
from xstilts.store.manifest import path_of
from xstilts.store.study_plan import StudyPlan


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

    def links(self, row: int) -> Markup:
        """Return links from a row, by its number, to its arms."""
        found = [
            Markup('<a href="#arm-{0}" title="{1}">{0}</a>').format(self._numbers[name], ", ".join(self.arms[name]))
            for name in self._behind.get(row, ())
        ]
        return Markup(", ").join(found)

    def axes(self, row: int) -> dict[str, list[str]]:
        """Return what a row, by its number, is about."""
        arms = [self.arms[name] for name in self._behind.get(row, ())]
        models, mixtures = (list(dict.fromkeys(getattr(arm, axis) for arm in arms)) for axis in ("model", "mixture"))
        return {"model": models, "mixture": mixtures, "target": self._targets[row]}


def grid(inputs: Inputs) -> Grid:
    """Return the table of arms, which leads from each arm and target to the manifests of its predictions."""
    evidence, links = Evidence(inputs.plan, inputs.estimates, inputs.scores), sources.of_arms(inputs.plan)
    rows = []
    for number, (name, arm) in enumerate(evidence.arms.items(), 1):
        by_target = [_manifests(inputs, links[name], target) for target in inputs.plan.targets]
        axes = {"model": [arm.model], "mixture": [arm.mixture]}
        cells = [str(number), arm.mixture, arm.model, arm.recipe, *by_target]
        rows.append(Row(cells=cells, id=f"arm-{number}", axes=axes))
    of_targets = [Column(title=target, axis="target") for target in inputs.plan.targets]
    return Grid(
        id="arms",
        caption="Arms, and the manifests of their predictions by run",
        about="A manifest states the spec that decided the predictions, and leads to the model, the tokens and the data"
        " behind them. Where nothing is trained all runs are one.",
        columns=[*columns(("arm", "mixture", "model", "recipe")), *of_targets],
        rows=rows,
    )


def _manifests(inputs: Inputs, links: Mapping[str, tuple[Link, ...]], target: str) -> str:
    found = [
        Markup('<a href="{}">{}</a>').format(link.path, link.run)
        for link in links.get(target, ())
        if path_of(inputs.folder, link.path).parent.exists()
    ]
    return Markup(" ").join(found) if found else NOTHING
