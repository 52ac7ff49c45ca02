"""The few-shot table: means after a training on a few rows of each language, by their number, and the gains there.

A column for each number of rows, 0 for zero-shot, over the same languages in all: whether a mixture still gains over
``none`` once there are some rows of the language.
"""

import pandas as pd

from xstilts.evaluation import few_shot
from xstilts.evaluation.few_shot import SHOTS
from xstilts.evaluation.table import records
from xstilts.reporting import captions, main_table, marks
from xstilts.reporting.layout import Cells, Shown
from xstilts.reporting.main_table import CELL_AXES, MEAN
from xstilts.store.study_plan import StudyPlan


def of_study(scores: pd.DataFrame, estimates: pd.DataFrame, plan: StudyPlan) -> Shown:
    """Return the few-shot table of a study.

    Its frame has the columns of the main table's, with ``score`` in place of ``zero_shot``, and ``shots``.

    Args:
        scores: the table of few-shot scores.
        estimates: the table of estimates.
        plan: the study's plan.
    """
    by_shots = [
        main_table.averaged(
            scores[scores[SHOTS] == shots], estimates, plan.controls, few_shot.outcome_name(shots)
        ).assign(**{SHOTS: shots})
        for shots in sorted(set(scores[SHOTS]))
    ]
    frame = pd.concat(by_shots, ignore_index=True)
    shared = marks.shared(records(frame.dropna(subset=["zero_shot"])))
    cells = _cells(frame, shared)
    caption = _caption(frame, plan) + marks.of_all_cells(shared)
    shown = frame.drop(columns="source").rename(columns={"zero_shot": "score"})
    return Shown(shown, cells, caption, marks.legend(cells))


def _cells(frame: pd.DataFrame, shared: str) -> Cells:
    """Return header and rows: targets and mixtures by the number of rows."""
    numbers = sorted(set(frame[SHOTS]))
    rows = []
    for key, cells in frame.groupby([*CELL_AXES[:3], "target", "mixture"], sort=False):
        model, recipe, _, target, mixture = map(str, key)
        texts = {row[SHOTS]: main_table.mean_cell(row, shared) for row in records(cells)}
        rows.append([model, recipe, target, mixture, *(texts.get(shots, "–") for shots in numbers)])
    return ["model", "recipe", "target", "mixture", *(f"{shots} shots" for shots in numbers)], rows


def _caption(frame: pd.DataFrame, plan: StudyPlan) -> str:
    targets = frame[frame["target"] != MEAN]
    languages = {str(target): cells["languages"] for target, cells in targets.groupby("target", sort=False)}
    of_targets = ", ".join(f"{target} {int(number.iloc[0])}" for target, number in languages.items())
    examples = {str(target): cells["n"] for target, cells in targets.groupby("target", sort=False)}
    return (
        "means over languages after a training on so many rows of each (0: zero-shot), drawn by the seed of the run, in"
        f" percent; languages by target: {of_targets}{main_table.of_gains(frame)}."
        f" {captions.counts(frame['runs'], examples, 'a target', plan)}"
    )
