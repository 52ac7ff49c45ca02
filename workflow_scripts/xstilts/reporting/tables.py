"""Tables for people: mixtures by targets, and by language, as Markdown, CSV and LaTeX.

Every table says what its cells are not: ``†`` not the official split, ``‡`` a sample of its rows, ``!`` a collapsed
run among those averaged.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.evaluation import benchmarks, worlds
from xstilts.evaluation.distance import distances
from xstilts.evaluation.scores import AXES, axes_of, headline, is_source_language, with_gain
from xstilts.evaluation.table import records
from xstilts.forms import metric_named
from xstilts.forms.declaration import PERCENT
from xstilts.reporting import claims, layout, verdict_tables
from xstilts.reporting.layout import Cells
from xstilts.store.study_plan import Benchmark, StudyPlan

LEGEND = (
    "† not on the official split; ‡ a sample of the rows; ! averaged over a run that collapsed: one prediction for all"
    " dev rows."
)
# what the marks of tables mean
_LEGENDS = dict.fromkeys(("main", "by_language", "benchmark"), LEGEND) | dict.fromkeys(
    ("answer", "contrasts", "worlds"), verdict_tables.LEGEND
)
# how the flags of several scores become one
_FLAGS = {"official": "all", "sample": "any", "collapsed": "any"}
_MODEL_AXES = ["model", "recipe", "method", "mixture"]
_CELL_AXES = [axis for axis in AXES if axis != "seed"]


def main_frame(scores: pd.DataFrame) -> pd.DataFrame:
    """Return model x recipe x method x mixture x target with means over seeds and languages.

    ``metric`` is the target's headline metric; all are in percent but a loss, which is in nats.
    ``zero_shot`` is the mean over languages other than the source language, ``source`` the score in that language
    (NaN where the target is not evaluated in it), ``gain`` the difference of ``zero_shot`` to the mixture ``none``.
    """
    frame = with_gain(headline(scores))
    frame = frame.assign(is_source=is_source_language(frame))
    rows = []
    for key, cell in frame.groupby(_CELL_AXES, sort=False):
        zero_shot, source = cell[~cell["is_source"]], cell[cell["is_source"]]
        means = {
            "metric": cell["metric"].iloc[0],
            "zero_shot": zero_shot["score"].mean(),
            "gain": zero_shot["gain"].mean(),
            "source": source["score"].mean(),
            "languages": zero_shot["language"].nunique(),
            "seeds": cell["seed"].nunique(),
            "n": int(cell["n"].sum()),
        }
        rows.append(dict(zip(_CELL_AXES, key, strict=True)) | means | _flags(zero_shot if len(zero_shot) else cell))
    return pd.DataFrame(rows)


def language_frame(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the headline scores and gains with the mean over seeds."""
    groups = [*_CELL_AXES, "language", "metric", "split"]
    how = {"score": "mean", "gain": "mean", "seeds": "nunique", "n": "first", **_FLAGS}
    frame = with_gain(headline(scores))
    return frame.assign(seeds=frame["seed"]).groupby(groups, sort=False, as_index=False).agg(how)


def _unit(metric: str) -> str:
    return metric_named(metric).unit


def in_percent(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose scores are in percent, and so can be averaged and compared in points."""
    return frame[frame["metric"].map(_unit) == PERCENT]


def _flags(scores: pd.DataFrame) -> dict[str, bool]:
    """Return whether all scores are official, and whether any is of a sample or of a collapsed run."""
    return {name: bool(getattr(scores[name], how)()) for name, how in _FLAGS.items()}


def _marks(row: Mapping[str, Any]) -> str:
    return ("" if row["official"] else "†") + ("‡" if row["sample"] else "") + ("!" if row["collapsed"] else "")


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.1f}"


def _cell(row: Mapping[str, Any], value: float) -> str:
    """Return a score, its gain over `none` in brackets, and the marks."""
    if pd.isna(value):
        return "–"
    digits = 1 if _unit(row["metric"]) == PERCENT else 3
    gain = "" if row["mixture"] == "none" or pd.isna(row["gain"]) else f" ({row['gain']:+.{digits}f})"
    return f"{value:.{digits}f}{gain}{_marks(row)}"


def main_rows(frame: pd.DataFrame) -> Cells:
    """Return header and rows of the main table: mixtures by targets."""
    targets = list(dict.fromkeys(frame["target"]))
    rows = []
    for key, cells in frame.groupby(_MODEL_AXES, sort=False):
        model, recipe, _, mixture = map(str, key)
        texts = {row["target"]: _cell(row, row["zero_shot"]) for row in records(cells)}
        shown = [texts.get(target, "–") for target in targets]
        rows.append([model, recipe, mixture, *shown, _mean_of_targets(cells)])
    return ["model", "recipe", "mixture", *targets, "mean"], rows


def _mean_of_targets(cells: pd.DataFrame) -> str:
    """Return the mean over the targets that are in percent, its gain and its marks."""
    cells = in_percent(cells)
    averaged = cells.dropna(subset=["zero_shot"])
    if averaged.empty:
        return "–"
    gain = cells["gain"].mean()
    shown = "" if (cells["mixture"] == "none").all() or pd.isna(gain) else f" ({gain:+.1f})"
    return f"{averaged['zero_shot'].mean():.1f}{shown}{_marks(_flags(averaged))}"


def language_rows(frame: pd.DataFrame) -> Cells:
    """Return header and rows of the table by language: targets and mixtures by languages."""
    languages = list(dict.fromkeys(frame["language"]))
    targets = list(dict.fromkeys(frame["target"]))
    rows = []
    for key, cells in frame.groupby(["model", "recipe", "method", "target", "mixture"], sort=False):
        model, recipe, _, target, mixture = map(str, key)
        splits = "/".join(dict.fromkeys(cells["split"]))
        texts = {row["language"]: _cell(row, row["score"]) for row in records(cells)}
        shown = [texts.get(language, "–") for language in languages]
        rows.append([model, recipe, target, splits, mixture, *shown])
    rows.sort(key=lambda row: (row[0], row[1], targets.index(row[2])))
    return ["model", "recipe", "target", "split", "mixture", *languages], rows


def benchmark_frame(scores: pd.DataFrame, benchmark: Benchmark, mixtures: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return model x recipe x method x mixture with the benchmark's scores, means over seeds.

    A column for each task, ``all`` for the mean over them, and the means without English, without retrieval and
    without the tasks that share data with the mixture; ``<task>.official`` and the like say what marks a task has;
    ``gap`` is the mean transfer gap. ``missing`` counts the languages of tasks that have no score: with any, ``all`` is
    no score of the benchmark. ``mixtures`` has the references of the intermediate tasks by the name of the mixture.
    """
    scores = scores.assign(task=scores["target"])
    rows = [
        dict(zip(_MODEL_AXES, key, strict=False)) | _benchmark_scores(run, benchmark, mixtures[str(key[3])])
        for key, run in scores.groupby([axis for axis in axes_of(scores) if axis != "target"], sort=False)
    ]
    frame = pd.DataFrame(rows)
    how = {name: _FLAGS.get(name.rpartition(".")[2], "mean") for name in frame.columns if name not in _MODEL_AXES}
    return frame.groupby(_MODEL_AXES, sort=False, as_index=False).agg(how)


def _benchmark_scores(run: pd.DataFrame, benchmark: Benchmark, mixture: Sequence[str]) -> dict[str, Any]:
    """Return the benchmark's scores of one model with one mixture and seed, in one world; see ``benchmark_frame``."""
    overall = benchmarks.overall(run, benchmark)
    gaps = [gap for gap in benchmarks.transfer_gaps(run, benchmark).values() if gap is not None]
    tasks = {task: score.score for task, score in benchmarks.task_scores(run, benchmark).items()}
    flags = {
        f"{task}.{name}": flag
        for task in dict.fromkeys(run["task"])
        for name, flag in _flags(run[run["task"] == task]).items()
    }
    return {
        **tasks,
        **flags,
        "all": overall.score,
        "without English": benchmarks.without_english(run, benchmark).score,
        "without retrieval": benchmarks.without_retrieval(run, benchmark).score,
        "without same data": benchmarks.without_same_data(run, benchmark, mixture).score,
        "gap": sum(gaps) / len(gaps) if gaps else None,
        "missing": sum(map(len, overall.missing.values())),
    }


def benchmark_rows(frame: pd.DataFrame) -> Cells:
    """Return header and rows of the benchmark's table: mixtures by tasks and means."""
    names = [name for name in frame.columns if name not in ("method", "missing") and "." not in name]
    rows = []
    for row in records(frame):
        cells = []
        for name in names:
            marked = f"{name}.official" in row
            marks = _marks({flag: row[f"{name}.{flag}"] for flag in _FLAGS}) if marked else ""
            cells.append((row[name] if isinstance(row[name], str) else _number(row[name])) + marks)
        rows.append([*cells, "" if row["missing"] == 0 else f"{row['missing']:.0f} missing"])
    return [*names, ""], rows


def layer_frame(layers: pd.DataFrame) -> pd.DataFrame:
    """Return the scores by layer, means over languages and seeds."""
    return layers.groupby([*_CELL_AXES, "layer"], sort=False, as_index=False).agg(
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


def write(
    scores: pd.DataFrame,
    layers: pd.DataFrame | None,
    estimates: pd.DataFrame | None,
    plan: StudyPlan,
    folder: Path,
) -> None:
    """Write a study's tables as .md, .csv and .tex into a folder.

    Args:
        scores: the table of scores.
        layers: those of all layers, where the study asks for them.
        estimates: the table of estimates, where the study compares anything.
        plan: the study's plan.
        folder: where to.
    """
    in_brackets = "in percent; in brackets the gain over no intermediate training, where the study has that."
    caption = f"zero-shot mean over languages other than the source language, {in_brackets}"
    tables: dict[str, tuple[pd.DataFrame, Callable[[pd.DataFrame], Cells], str]] = {
        "main": (main_frame(scores), main_rows, caption),
        "by_language": (language_frame(scores), language_rows, f"scores by language, {in_brackets}"),
    }
    if plan.benchmark is not None:
        caption = f"{plan.benchmark.title}, means over languages, English included unless named, in percent."
        tables["benchmark"] = (benchmark_frame(scores, plan.benchmark, plan.mixtures), benchmark_rows, caption)
    if layers is not None:
        caption = "scores by layer, 0 for the embeddings; means over languages and seeds, in percent."
        tables["layers"] = (layer_frame(layers), layer_rows, caption)
    if estimates is not None and "answer" in plan.tables:
        caption = f"several tasks minus a single one, in points unless named. {verdict_tables.intervals(plan)}"
        tables["answer"] = (verdict_tables.of_answer(estimates), verdict_tables.answer_rows, caption)
    if estimates is not None and "contrasts" in plan.tables:
        caption = f"a − b: zero-shot means, in points unless named. {verdict_tables.intervals(plan)}"
        tables["contrasts"] = (verdict_tables.of_contrasts(estimates), verdict_tables.contrast_rows, caption)
    if estimates is not None and "claims" in plan.tables:
        found = claims.rows(plan, estimates)
        tables["claims"] = (claims.frame(found), lambda _: claims.cells(found), f"claims. {claims.VERDICTS}")
    if estimates is not None and "worlds" in plan.tables:
        caption = (
            "a − b, in points unless named: mean over worlds, its 95 % interval (t), standard deviation between worlds;"
            " worlds by the verdict that each alone would have; pairs of worlds of like and of opposite verdicts."
        )
        tables["worlds"] = (worlds.agreement(estimates), verdict_tables.world_rows, caption)
    if "distance" in plan.tables:
        caption = "rank correlation of scores with the languages' declared distance, without an intermediate phase."
        tables["distance"] = (distances(scores, plan.distance), distance_rows, caption)
    for name, (frame, rows_of, caption) in tables.items():
        cells, title = rows_of(frame), f"{plan.title}: {caption}"
        legend = _LEGENDS.get(name, "")
        (folder / f"{name}.md").write_text(layout.markdown(cells, title, legend), encoding="utf-8")
        (folder / f"{name}.tex").write_text(layout.latex(cells, title, legend), encoding="utf-8")
        frame.to_csv(folder / f"{name}.csv", index=False)
