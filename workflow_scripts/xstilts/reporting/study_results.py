"""The results of a study as data frames, for a notebook; ``xstilts.load`` gives them."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.errors import UserError
from xstilts.evaluation import estimates, few_shot, predictions, scores
from xstilts.reporting import analyses
from xstilts.store import manifest, provenance, study_plan
from xstilts.store.manifest import EvaluationResults, PreparedResults, Run, TrainingResults, path_of
from xstilts.store.study_plan import StudyPlan

_USE = "give the folder of a study's outputs, such as results/studies/<study>/latest"


@dataclass(frozen=True)
class StudyResults:
    """The results of a study. Frames are read when they are first asked for.

    Attributes:
        folder: the folder of the study's outputs, without links.
        plan: the study's plan.
    """

    folder: Path
    plan: StudyPlan

    @property
    def results(self) -> Path:
        """The results folder, in which the nodes are."""
        return self.folder.parents[2]

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The table of scores; see ``evaluation/scores.py`` for its columns.

        Raises:
            UserError: if the scores have not been made yet.
        """
        return scores.read(self.folder / scores.FILE)

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """The table of estimates; see ``evaluation/estimates.py`` for its columns.

        Raises:
            UserError: if the estimates have not been made yet.
        """
        return estimates.read(self.folder / estimates.FILE)

    def analysis(self, name: str) -> pd.DataFrame:
        """Return an analysis by its name, such as ``task_transfer``; see its module in ``evaluation/analyses``.

        Raises:
            UserError: if there is no analysis of this name, or it has not been made yet.
        """
        return analyses.read(self.folder, name)

    @cached_property
    def few_shot_scores(self) -> pd.DataFrame:
        """The table of few-shot scores: the columns of ``scores``, and ``shots``; see ``evaluation/few_shot.py``.

        Raises:
            UserError: if the study has no `shots`, or the scores have not been made yet.
        """
        if not self.plan.few_shot:
            raise UserError(f"study {self.plan.study} has no few-shot results; name `shots` in its file, and run it")
        return few_shot.read(self.folder / few_shot.FILE)

    @cached_property
    def cells(self) -> pd.DataFrame:
        """The cells of the plan: each combination of the axes, and the node with its predictions."""
        columns = [*self.plan.axes, "node"]
        return pd.DataFrame([cell.at(columns) for cell in self.plan.cells], columns=columns)

    @cached_property
    def nodes(self) -> pd.DataFrame:
        """The nodes of the plan, of the study's names for a node the first.

        Columns: ``stage``, ``name``, ``node`` (a path below the results folder) and ``parents`` (such paths).
        """
        rows = []
        for node, entry in self.plan.nodes.items():
            parents = list(entry.parents.values())
            rows.append({"stage": node.partition("/")[0], "name": entry.names[0], "node": node, "parents": parents})
        return pd.DataFrame(rows)

    @cached_property
    def manifests(self) -> pd.DataFrame:
        """What the nodes' manifests say, a row a node of the plan.

        ``made`` tells whether the node is there; ``bytes`` of its files; ``rows`` of prepared data; ``steps``,
        ``best_step`` and ``collapsed`` of a training run, also of one whose weights were deleted; ``layer`` of vectors;
        ``wall_seconds`` that it took. Values that a node does not have are missing.
        """
        rows = {node: _main_values(path_of(self.results, node)) for node in self.nodes["node"]}
        evaluated = {cell.node for cell in (*self.plan.cells, *(few.cell for few in self.plan.few_shot))}
        for node in self.nodes["node"]:
            # trainings whose weights were deleted are described by what was made with them
            if rows[node]["made"] and node in evaluated:
                for trained, run in manifest.results_of(self.results, node, EvaluationResults).training.items():
                    rows[trained] = {**_values_of(run), **rows.get(trained, {})}
        return self.nodes[["stage", "name", "node"]].join(
            pd.DataFrame([rows[node] for node in self.nodes["node"]], columns=_VALUES)
        )

    def predictions(self) -> pd.DataFrame:
        """Read the predictions of all cells: the axes, and the columns of ``evaluation/predictions.py``.

        This may be large: a row for each cell and example. Nothing is kept; take the rows that you need.

        Raises:
            UserError: if some predictions have not been made yet.
        """
        frames = []
        for node, cells in self.cells.groupby("node", sort=False):
            frame = predictions.read(self.results / str(node) / predictions.FILE)
            frames.append(cells[list(self.plan.axes)].merge(frame, how="cross"))
        return pd.concat(frames, ignore_index=True)


_VALUES = ["made", "bytes", "rows", "steps", "best_step", "collapsed", "layer", "wall_seconds"]


def _main_values(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"made": False}
    made = manifest.read(path)
    values: dict[str, Any] = {"made": True, "bytes": sum(file.bytes for file in made.files.values())}
    if isinstance(made.results, PreparedResults):
        values["rows"] = sum(split.rows for split in made.results.splits.values())
    if isinstance(made.results, TrainingResults) and made.results.run is not None:
        values |= _values_of(made.results.run)
    if isinstance(made.results, EvaluationResults):
        values |= {"collapsed": made.results.collapsed, "layer": made.results.layer}
    if (stated := provenance.read(path.parent)) is not None:
        values["wall_seconds"] = stated.wall_seconds
    return values


def _values_of(run: Run) -> dict[str, Any]:
    return {"steps": run.steps_done, "best_step": run.best_step, "collapsed": run.collapsed}


def load(folder: Path) -> StudyResults:
    """Return the results of a study.

    Args:
        folder: the folder of the study's outputs, or a link to it.

    Raises:
        UserError: if there is no such folder, or it is not that of a study's outputs.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; {_USE}")
    if not (folder / study_plan.FILE).exists():
        raise UserError(f"{folder}: has no {study_plan.FILE}, so it is not the outputs of a study; {_USE}")
    return StudyResults(folder.resolve(), study_plan.read(folder / study_plan.FILE))
