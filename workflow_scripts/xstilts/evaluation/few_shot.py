"""Few-shot results: scores after a training on a few rows of a language, and the gain that a mixture keeps there.

A plan of its own has a target for each target, language and number of shots, so that scores and estimates are computed
as those of zero-shot results are; beside them the zero-shot scores (0 shots) of the same languages.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from xstilts.evaluation import scores as of_cells
from xstilts.evaluation.comparisons import Arm, Comparison, of_arms, of_contrast
from xstilts.evaluation.outcomes import Outcome, Term
from xstilts.evaluation.table import Column, Table
from xstilts.evaluation.unasked import FEW_SHOT
from xstilts.forms import metric_named
from xstilts.forms.declaration import PERCENT
from xstilts.store.answer import Contrast
from xstilts.store.study_plan import NONE, Cell, StudyPlan

SHOTS = "shots"
FILE = "few_shot_scores.parquet"
COLUMNS = (
    *of_cells.COLUMNS,
    Column(SHOTS, "integer", "how many rows of the language were trained on after the target phase; 0 for zero-shot"),
)
TABLE = Table("few-shot scores", COLUMNS)
write, read = TABLE.write, TABLE.read


def outcome_name(shots: int) -> str:
    """Return the name of the outcome after so many shots."""
    return f"{shots}-shot"


@dataclass(frozen=True)
class FewShot:
    """The few-shot results of a study.

    Attributes:
        study: the study's plan, which has few-shot cells, of one world or without any.
    """

    study: StudyPlan

    @cached_property
    def languages(self) -> dict[str, tuple[str, ...]]:
        """The languages of each target that has them."""
        found: dict[str, dict[str, None]] = {}
        for few in self.study.few_shot:
            found.setdefault(few.cell.target, {})[few.language] = None
        return {target: tuple(languages) for target, languages in found.items()}

    @cached_property
    def shots(self) -> tuple[int, ...]:
        """The numbers of shots, 0 first."""
        return (0, *dict.fromkeys(few.shots for few in self.study.few_shot))

    @cached_property
    def plan(self) -> StudyPlan:
        """The plan in which every target in a language after a number of shots is a target of its own.

        Arms that are trained on no shots are left out.
        """
        arms = {_arm(few.cell) for few in self.study.few_shot}
        there = (cell for cell in self.study.cells if cell.target in self.languages and _arm(cell) in arms)
        zero = [replace(cell, target=_name(cell.target, 0)) for cell in there]
        few = [replace(one.cell, target=_name(one.cell.target, one.shots, one.language)) for one in self.study.few_shot]
        targets = {
            name: self.study.targets[target]
            for target, languages in self.languages.items()
            for shots in self.shots
            for name in ([_name(target, shots, language) for language in languages] if shots else [_name(target, 0)])
        }
        return replace(self.study, targets=targets, cells=(*zero, *few), few_shot=())

    @property
    def outcomes(self) -> list[Outcome]:
        """For each number of shots the mean over targets in percent, and each target; without controls."""
        return [outcome for shots in self.shots for outcome in self._outcomes(shots)]

    def _outcomes(self, shots: int) -> Iterator[Outcome]:
        name, parts = outcome_name(shots), {}
        for target in self.languages:
            parts[target] = self._terms(target, shots)
            if parts[target]:
                yield Outcome(name, target, parts[target])
        percent = [terms for terms in parts.values() if terms and metric_named(terms[0].metric).unit == PERCENT]
        if len(percent) > 1:
            together = (replace(term, weight=term.weight / len(percent)) for terms in percent for term in terms)
            yield Outcome(name, "", tuple(together))

    def _terms(self, target: str, shots: int) -> tuple[Term, ...]:
        """Return the mean over the languages of a target."""
        metric = self.study.targets[target].metric
        languages = [one for one in self.languages[target] if one not in self.study.controls]
        return tuple(
            Term(_name(target, shots, language), language, metric, 1 / len(languages)) for language in languages
        )

    def comparisons(self) -> list[Comparison]:
        """Return each mixture minus ``none`` on each outcome."""
        on = self.outcomes
        pairs = [Contrast("mixture", (mixture, NONE)) for mixture in self.study.mixtures if mixture != NONE]
        found = (one for pair in pairs for one in of_contrast(self.plan, FEW_SHOT, pair, on)) if on else ()
        return of_arms(self.plan, found)

    @cached_property
    def targets_in(self) -> dict[tuple[str, str], int]:
        """How many targets of the study are in an outcome, by its name and target."""
        return {
            (one.name, one.target): len({term.target.partition(" ")[0] for term in one.terms}) for one in self.outcomes
        }


def _arm(cell: Cell) -> Arm:
    return Arm(cell.model, cell.recipe, cell.mixture)


def _name(target: str, shots: int, language: str = "") -> str:
    """Return the name of a target after a number of shots: of all languages at 0, which one node predicts."""
    return f"{target} {language} {shots}" if shots else f"{target} 0"


def collect(plan: StudyPlan, results: Path) -> pd.DataFrame:
    """Return the table of few-shot scores: a row for each of a study's few-shot results, language and metric.

    The rows of 0 shots are those of the same languages.

    Args:
        plan: the study's plan, which has few-shot cells.
        results: the results folder.
    """
    found = FewShot(plan)
    frame = of_cells.collect(found.plan, results)
    names = frame["target"].str.split(" ")
    frame = frame.assign(target=names.str[0], **{SHOTS: names.str[-1].astype(int)})
    there = [
        language in found.languages[target] for target, language in zip(frame["target"], frame["language"], strict=True)
    ]
    return frame[there].reset_index(drop=True)
