"""Tables for people: mixtures by targets, by language and by layer, as Markdown, CSV and LaTeX.

What the scores of cells are not, stands in marks (``marks.py``); what all cells of a table are not, in its caption.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.evaluation import benchmarks, worlds
from xstilts.evaluation.distance import distances
from xstilts.evaluation.scores import axes_of, headline, with_gain
from xstilts.evaluation.table import records
from xstilts.reporting import captions, claims, few_shot_table, layout, main_table, marks, verdict_tables
from xstilts.reporting.layout import Cells, Shown
from xstilts.reporting.main_table import CELL_AXES, MODEL_AXES
from xstilts.store.files import write_atomically
from xstilts.store.study_plan import NONE, Benchmark, StudyPlan

# over tasks, in the benchmark's table
_MEANS = ("all", "without English", "without retrieval", "without same data", "gap")
# what stands behind a finding in text; in HTML it is a link
_ROWS = "A number alone in square brackets is a row of the table of estimates."


def of_scores(scores: pd.DataFrame, estimates: pd.DataFrame, plan: StudyPlan) -> dict[str, Shown]:
    """Return the tables of a study's scores by name.

    Args:
        scores: the table of scores.
        estimates: the table of estimates.
        plan: the study's plan.
    """
    tables = {"main": main_table.of_study(scores, estimates, plan), "by_language": by_language(scores, plan)}
    if plan.benchmark is not None:
        tables["benchmark"] = of_benchmark(scores, plan.benchmark, plan)
    return tables


def by_language(scores: pd.DataFrame, plan: StudyPlan) -> Shown:
    """Return the table by language."""
    frame = language_frame(scores)
    shared = marks.shared(records(frame))
    cells = _language_cells(frame, shared)
    gains = frame[(frame["mixture"] != NONE) & frame["gain"].notna()]
    brackets = "" if gains.empty else "; in brackets the gain over no intermediate training, without an interval"
    examples = {str(target): rows["n"] for target, rows in frame.groupby("target", sort=False)}
    counts = captions.counts(frame["runs"], examples, "a language", plan)
    caption = f"scores by language, in percent{brackets}. {counts}{marks.of_all_cells(shared)}"
    return Shown(frame, cells, caption, marks.legend(cells))


def language_frame(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the headline scores and gains with the mean over seeds; ``n`` counts the examples."""
    groups = [*CELL_AXES, "language", "metric", "split"]
    how = {"score": "mean", "gain": "mean", "runs": "nunique", "n": "first", **marks.FLAGS}
    frame = with_gain(headline(scores))
    return frame.assign(runs=frame["seed"]).groupby(groups, sort=False, as_index=False).agg(how)


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.1f}"


def _language_cells(frame: pd.DataFrame, shared: str) -> Cells:
    """Return header and rows: targets and mixtures by languages, with the marks that not all cells share."""
    languages = list(dict.fromkeys(frame["language"]))
    targets = list(dict.fromkeys(frame["target"]))
    rows = []
    for key, cells in frame.groupby(["model", "recipe", "method", "target", "mixture"], sort=False):
        model, recipe, _, target, mixture = map(str, key)
        splits = "/".join(dict.fromkeys(cells["split"]))
        texts = {row["language"]: main_table.score(row, row["score"], shared) for row in records(cells)}
        shown = [texts.get(language, "–") for language in languages]
        rows.append([model, recipe, target, splits, mixture, *shown])
    rows.sort(key=lambda row: (row[0], row[1], targets.index(row[2])))
    return ["model", "recipe", "target", "split", "mixture", *languages], rows


def of_benchmark(scores: pd.DataFrame, benchmark: Benchmark, plan: StudyPlan) -> Shown:
    """Return the benchmark's table."""
    frame = benchmark_frame(scores, benchmark, plan.mixtures)
    tasks = [name.removesuffix(".n") for name in frame.columns if name.endswith(".n")]
    shared = marks.shared(flags for row in records(frame) for flags in _task_flags(row, tasks).values())
    cells = _benchmark_cells(frame, tasks, shared)
    examples = {task: frame[f"{task}.n"].dropna() for task in tasks}
    counts = captions.counts(frame["runs"], examples, "a task", plan)
    asked = plan.answer is not None and plan.answer.outcome == "benchmark"
    intervals = " Differences with intervals stand in the table `answer`." if asked else ""
    caption = (
        f"{benchmark.title}, means over languages, English included unless named, in percent."
        f" {counts}{intervals}{marks.of_all_cells(shared)}"
    )
    return Shown(frame, cells, caption, marks.legend(cells))


def benchmark_frame(scores: pd.DataFrame, benchmark: Benchmark, mixtures: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return model x recipe x method x mixture with the benchmark's scores, means over seeds.

    A column for each task, ``all`` for the mean over them, and means without English, without retrieval and without
    the tasks that share data with the mixture; ``gap`` is the mean transfer gap. ``<task>.n`` counts a task's
    examples, ``<task>.official`` and the like say what marks it has. ``missing`` counts the languages of tasks that
    have no score: with any, ``all`` is no score of the benchmark. An arm that lacks a task of another one has no
    means, which would be over other tasks than those beside them. ``mixtures`` has the references of the intermediate
    tasks by the name of the mixture.
    """
    scores = scores.assign(task=scores["target"])
    rows = [
        dict(zip(MODEL_AXES, key, strict=False))
        | _benchmark_scores(run, benchmark, mixtures[str(key[3])])
        | {"runs": run["seed"].iloc[0]}
        for key, run in scores.groupby([axis for axis in axes_of(scores) if axis != "target"], sort=False)
    ]
    frame = pd.DataFrame(rows)
    how = marks.FLAGS | {"n": "first", "runs": "nunique"}
    of_columns = {name: how.get(name.rpartition(".")[2], "mean") for name in frame.columns if name not in MODEL_AXES}
    frame = frame.groupby(MODEL_AXES, sort=False, as_index=False).agg(of_columns)
    numbers = [name for name in frame.columns if name.endswith(".n")]
    lacking = frame[numbers].isna().any(axis=1)
    return frame.assign(**{name: frame[name].mask(lacking) for name in _MEANS}).astype(dict.fromkeys(numbers, "Int64"))


def _benchmark_scores(run: pd.DataFrame, benchmark: Benchmark, mixture: Sequence[str]) -> dict[str, Any]:
    """Return the benchmark's scores of one model with one mixture and seed, in one world; see ``benchmark_frame``."""
    overall = benchmarks.overall(run, benchmark)
    gaps = [gap for gap in benchmarks.transfer_gaps(run, benchmark).values() if gap is not None]
    tasks = {task: score.score for task, score in benchmarks.task_scores(run, benchmark).items()}
    of_tasks: dict[str, Any] = {}
    for task in tasks:
        scores = run[(run["task"] == task) & run["language"].isin(benchmark.tasks[task].languages)]
        # a language has a row for each metric
        of_tasks[f"{task}.n"] = scores.drop_duplicates("language")["n"].sum()
        of_tasks |= {f"{task}.{name}": flag for name, flag in marks.flags(scores).items()}
    return {
        **tasks,
        **of_tasks,
        "all": overall.score,
        "without English": benchmarks.without_english(run, benchmark).score,
        "without retrieval": benchmarks.without_retrieval(run, benchmark).score,
        "without same data": benchmarks.without_same_data(run, benchmark, mixture).score,
        "gap": sum(gaps) / len(gaps) if gaps else None,
        "missing": sum(map(len, overall.missing.values())),
    }


def _task_flags(row: Mapping[str, Any], tasks: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the flags of each task of a row that has a score, with the row's method."""
    there, method = [task for task in tasks if pd.notna(row[task])], {"method": row["method"]}
    return {task: method | {name: row[f"{task}.{name}"] for name in marks.FLAGS} for task in there}


def _benchmark_cells(frame: pd.DataFrame, tasks: Sequence[str], shared: str) -> Cells:
    """Return header and rows: mixtures by tasks and means, with the marks that not all tasks share."""
    names = [name for name in frame.columns if name not in ("method", "missing", "runs") and "." not in name]
    rows = []
    for row in records(frame):
        flags = _task_flags(row, tasks)
        cells = []
        for name in names:
            text = row[name] if isinstance(row[name], str) else _number(row[name])
            cells.append(text + (marks.of(flags[name], shared) if name in flags else ""))
        rows.append([*cells, "" if row["missing"] == 0 else f"{row['missing']:.0f} missing"])
    return [*names, ""], rows


def layer_frame(layers: pd.DataFrame) -> pd.DataFrame:
    """Return the scores by layer, means over languages and seeds."""
    return layers.groupby([*CELL_AXES, "layer"], sort=False, as_index=False).agg(
        score=("score", "mean"), languages=("language", "nunique"), seeds=("seed", "nunique")
    )


def layer_rows(frame: pd.DataFrame) -> Cells:
    """Return header and rows of the table of layers: targets and mixtures by layers."""
    layers = sorted(set(frame["layer"]))
    rows = []
    for key, cells in frame.groupby(["model", "recipe", "method", "target", "mixture"], sort=False):
        model, recipe, _, target, mixture = map(str, key)
        scores = dict(zip(cells["layer"], cells["score"], strict=True))
        rows.append([model, recipe, target, mixture, *[_number(scores.get(layer, math.nan)) for layer in layers]])
    return ["model", "recipe", "target", "mixture", *map(str, layers)], rows


def distance_rows(frame: pd.DataFrame) -> Cells:
    """Return header and rows of the table of rank correlations with the declared distance."""
    header = ["model", "recipe", "target", "languages", "rank correlation", "p"]
    rows = []
    for row in records(frame):
        correlation, p = f"{row['correlation']:+.2f}", f"{row['p']:.3f}"
        rows.append([row["model"], row["recipe"], row["target"], str(row["languages"]), correlation, p])
    return header, rows


def of_estimates(estimates: pd.DataFrame, plan: StudyPlan) -> dict[str, Shown]:
    """Return the tables of what a study compares, by name.

    Args:
        estimates: the table of estimates.
        plan: the study's plan.
    """
    tables = {}
    intervals, primary = verdict_tables.intervals(plan), verdict_tables.LEGEND
    if "answer" in plan.tables:
        caption = f"several tasks minus a single one, in points unless named. {intervals}"
        frame = verdict_tables.of_answer(estimates)
        tables["answer"] = Shown(frame, verdict_tables.answer_rows(frame), caption, primary)
    if "contrasts" in plan.tables:
        caption = f"a − b on the study's outcome, in points unless named. {intervals}"
        frame = verdict_tables.of_contrasts(estimates)
        tables["contrasts"] = Shown(frame, verdict_tables.contrast_rows(frame), caption, primary)
    if "claims" in plan.tables:
        found = claims.rows(plan, estimates)
        tables["claims"] = Shown(claims.frame(found), claims.cells(found), f"claims. {claims.VERDICTS} {_ROWS}")
    if "worlds" in plan.tables:
        caption = (
            "a − b, in points unless named: mean over worlds, its 95 % interval (t), standard deviation between worlds;"
            " worlds by the verdict that each alone would have; pairs of worlds of like and of opposite verdicts."
        )
        frame = worlds.agreement(estimates)
        caption += f" {verdict_tables.agreement(frame)}"
        tables["worlds"] = Shown(frame, verdict_tables.world_rows(frame), caption, primary)
    return tables


def of_study(
    scores: pd.DataFrame,
    layers: pd.DataFrame | None,
    estimates: pd.DataFrame,
    plan: StudyPlan,
    few: pd.DataFrame | None = None,
) -> dict[str, Shown]:
    """Return all tables of a study by name.

    Args:
        scores: the table of scores.
        layers: those of all layers, where the study asks for them.
        estimates: the table of estimates.
        plan: the study's plan.
        few: the table of few-shot scores, where the study asks for them.
    """
    tables = of_scores(scores, estimates, plan) | of_estimates(estimates, plan)
    if layers is not None:
        frame = layer_frame(layers)
        caption = "scores by layer, 0 for the embeddings; means over languages and seeds, in percent."
        tables["layers"] = Shown(frame, layer_rows(frame), caption)
    if few is not None:
        tables["few_shot"] = few_shot_table.of_study(few, estimates, plan)
    if "distance" in plan.tables:
        frame = distances(scores, plan.distance)
        caption = "rank correlation of scores with the languages' declared distance, without an intermediate phase."
        tables["distance"] = Shown(frame, distance_rows(frame), caption)
    return tables


def write(tables: Mapping[str, Shown], title: str, folder: Path) -> None:
    """Write tables as .md, .csv and .tex into a folder.

    Args:
        tables: by name.
        title: what they are of, before their captions.
        folder: where to.
    """
    for name, table in tables.items():
        said = f"{title}: {table.caption}"
        write_atomically(folder / f"{name}.md", layout.markdown(table.cells, said, table.legend))
        write_atomically(folder / f"{name}.tex", layout.latex(table.cells, said, table.legend))
        write_atomically(folder / f"{name}.csv", table.frame.to_csv(index=False))
