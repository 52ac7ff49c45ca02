"""Studies of any size with a report: predictions, scores, estimates and tables, and the page."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
from xstilts.evaluation import estimates, resampling, scores
from xstilts.reporting import analyses, report, tables
from xstilts.reporting.outputs import REPORT
from xstilts.store import study_plan
from xstilts.store.answer import Answer, Budget, Contrast, Family
from xstilts.store.claims import ClaimComparison, Lacking, PlannedClaim
from xstilts.store.study_plan import PlannedTarget, StudyPlan

from tests.builders.pages import Page
from tests.builders.papers import leave_provenance
from tests.builders.predicted import Predicted, correct

TARGETS = {
    "xnli": PlannedTarget("xnli", "classification", "accuracy", "en", "miniature", ("mnli",), ("mnli",)),
    "tatoeba": PlannedTarget("tatoeba", "bitext", "accuracy", "en", "miniature"),
}
MIXTURES: Mapping[str, tuple[str, ...]] = {"none": (), "mnli": ("mnli",), "nine": ("mnli", "qqp")}


@dataclass(frozen=True)
class Reported:
    """A study that has a report."""

    plan: StudyPlan
    results: Path
    folder: Path
    scores: pd.DataFrame
    estimates: pd.DataFrame

    @cached_property
    def html(self) -> str:
        """The page as text."""
        return (self.folder / REPORT).read_text(encoding="utf-8")

    @cached_property
    def page(self) -> Page:
        """The page as a reader has it."""
        return Page(self.html)


def reported(
    root: Path, models: int = 2, languages: int = 5, seeds: int = 2, rows: int = 10,
    figures: Mapping[str, str] | None = None,
) -> Reported:  # fmt: skip
    """Make the study and its report.

    Args:
        root: an empty folder.
        models: their number; the first two are the sizes of a family.
        languages: of the first target, the source language among them; the other has at most three of them.
        seeds: runs of each arm.
        rows: examples in each language.
        figures: SVG files by name.
    """
    made = Predicted(root / "results", TARGETS, MIXTURES)
    names = [f"model{number}" for number in range(models)]
    codes = ["en", *(f"q{number:03}" for number in range(1, languages))]
    for place, model in enumerate(names):
        for number, mixture in enumerate(MIXTURES):
            for seed in range(1, seeds + 1):
                for target in TARGETS:
                    shift = place + 2 * number + seed % 3
                    there = codes if target == "xnli" else codes[:3]
                    answers = {code: correct(rows, (shift + index) % (rows + 1)) for index, code in enumerate(there)}
                    made.add((model, mixture), seed, target, answers, None if target == "tatoeba" else 50.0)
    plan = made.plan(**_asked(names))
    folder = made.results / "studies/test/0123abcd"
    for name in ("tables", "figures"):
        (folder / name).mkdir(parents=True)
    for name, svg in (figures or {}).items():
        (folder / "figures" / f"{name}.svg").write_text(svg, encoding="utf-8")
    (folder / study_plan.FILE).write_text(study_plan.text(plan), encoding="utf-8")
    (folder / "index.tsv").write_text("", encoding="utf-8")
    (folder / "study.yaml").write_text("description: a test # with <a comment>\n", encoding="utf-8")
    # of what is not looked at, few draws
    with mock.patch.object(resampling, "DRAWS", 20):
        of_scores, compared = scores.collect(plan, made.results), estimates.collect(plan, made.results)
    scores.write(of_scores, folder / scores.FILE)
    estimates.write(compared, folder / estimates.FILE)
    tables.write(tables.of_study(of_scores, None, compared, plan), plan.title, folder / "tables")
    analyses.write(plan, made.results, folder, compared, of_scores)
    for stage in ("predictions", "targets"):
        leave_provenance(plan, made.results, stage)
    report.write(plan, made.results, folder)
    return Reported(plan, made.results, folder, of_scores, compared)


def _asked(models: list[str]) -> dict[str, Any]:
    comparison = ClaimComparison(model=models[0], first="nine", second="none")
    return {
        "made_up": True,
        "notes": ("xcopa: left out.",),
        "tables": ("main", "by_language", "answer", "contrasts", "claims"),
        "answer": Answer(
            budgets={"equal epochs": Budget(multi="nine", single="best", singles=("mnli",))},
            families={"family": Family(small=models[0], large=models[1])},
            recipes=("r",),
            controls=("q002",),
            primary=("small", "interaction"),
        ),
        "contrasts": {"gain": Contrast("mixture", ("nine", "none"), expected="higher")},
        "claims": {
            "2": PlannedClaim(
                text="Nine are best.", source="Someone", figure="+8.7 & more", holds=None, comparisons=(comparison,),
                lacking={models[0]: Lacking()},
            ),
            "3": PlannedClaim(
                text="XCOPA gains.", source="", figure="", holds=None, comparisons=(),
                lacking={models[0]: Lacking(targets=("xcopa",))},
            ),
            "fact": PlannedClaim(text="It is so.", source="", figure="", holds=True, comparisons=(), lacking={}),
        },
    }  # fmt: skip
