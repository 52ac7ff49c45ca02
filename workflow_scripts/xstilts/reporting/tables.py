"""Tables for people: mixtures by targets, and by language, as Markdown, CSV and LaTeX.

Every table says what its cells are not: ``†`` not the official split, ``‡`` a sample of its rows, ``!`` a collapsed
run among those averaged.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.evaluation import benchmarks, statistics
from xstilts.evaluation.scores import headline, is_source_language, with_gain
from xstilts.forms import metric_named
from xstilts.forms.declaration import PERCENT

LEGEND = (
    "† not on the official split; ‡ a sample of the rows; ! averaged over a run that collapsed: one prediction for all"
    " dev rows."
)
# tables whose cells have marks
_MARKED = ("main", "by_language", "benchmark")
_LATEX = {"†": r"$\dagger$", "‡": r"$\ddagger$", "_": r"\_", "%": r"\%", "&": r"\&", "Δ": r"$\Delta$"}


def main_frame(scores: pd.DataFrame) -> pd.DataFrame:
    """Return model x recipe x method x mixture x target with means over seeds and languages.

    ``metric`` is the target's headline metric; all are in percent but a loss, which is in nats.
    ``zero_shot`` is the mean over languages other than the source language, ``source`` the score in that language
    (NaN where the target is not evaluated in it), ``gain`` the difference of ``zero_shot`` to the mixture ``none``.
    """
    frame = with_gain(headline(scores))
    frame = frame.assign(is_source=is_source_language(frame))
    groups = ["model", "recipe", "method", "mixture", "target"]
    rows = []
    for key, part in frame.groupby(groups, sort=False):
        others, source = part[~part["is_source"]], part[part["is_source"]]
        shown = others if len(others) else part
        rows.append(
            dict(zip(groups, key, strict=True))
            | {
                "metric": part["metric"].iloc[0],
                "zero_shot": others["score"].mean(), "gain": others["gain"].mean(), "source": source["score"].mean(),
                "languages": others["language"].nunique(), "seeds": part["seed"].nunique(), "n": int(part["n"].sum()),
                "official": bool(shown["official"].all()), "sample": bool(shown["sample"].any()),
                "collapsed": bool(shown["collapsed"].any()),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def language_frame(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the headline scores and gains with the mean over seeds."""
    groups = ["model", "recipe", "method", "mixture", "target", "language", "metric", "split"]
    frame = with_gain(headline(scores)).groupby(groups, sort=False, as_index=False)
    return frame.agg(
        score=("score", "mean"), gain=("gain", "mean"), seeds=("seed", "nunique"), n=("n", "first"),
        official=("official", "all"), sample=("sample", "any"), collapsed=("collapsed", "any"),
    )  # fmt: skip


def _unit(metric: str) -> str:
    return metric_named(metric).unit


def in_percent(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose scores are in percent, and so can be averaged and compared in points."""
    return frame[frame["metric"].map(_unit) == PERCENT]


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


def main_rows(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the main table: mixtures by targets."""
    targets = list(dict.fromkeys(frame["target"]))
    header = ["model", "recipe", "mixture", *targets, "mean"]
    rows = []
    for (model, recipe, _, mixture), part in frame.groupby(["model", "recipe", "method", "mixture"], sort=False):
        cells = {row["target"]: _cell(row, row["zero_shot"]) for row in part.to_dict("records")}
        percents = in_percent(part)
        gain = percents["gain"].mean()
        delta = "" if mixture == "none" or pd.isna(gain) else f" ({gain:+.1f})"
        averaged = percents.dropna(subset=["zero_shot"])
        marks = {
            "official": averaged["official"].all(),
            **{name: averaged[name].any() for name in ("sample", "collapsed")},
        }
        mean = f"{_number(percents['zero_shot'].mean())}{delta}{_marks(marks) if len(averaged) else ''}"
        rows.append([model, recipe, mixture, *[cells.get(target, "–") for target in targets], mean])
    return header, rows


def language_rows(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table by language: targets and mixtures by languages."""
    languages = list(dict.fromkeys(frame["language"]))
    header = ["model", "recipe", "target", "split", "mixture", *languages]
    rows = []
    groups = ["model", "recipe", "method", "target", "mixture"]
    for (model, recipe, _, target, mixture), part in frame.groupby(groups, sort=False):
        cells = {row["language"]: _cell(row, row["score"]) for row in part.to_dict("records")}
        splits = "/".join(dict.fromkeys(part["split"]))
        rows.append([model, recipe, target, splits, mixture, *[cells.get(language, "–") for language in languages]])
    return header, sorted(rows, key=lambda row: (row[0], row[1], [*dict.fromkeys(frame["target"])].index(row[2])))


def study_title(plan: Mapping[str, Any]) -> str:
    """Return the name of a study as tables have it, which says where its data are made up."""
    return f"Study {plan['study']}" + (" (made-up data)" if plan["made_up"] else "")


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], title: str, legend: str = LEGEND) -> str:
    """Return a Markdown table with its title and, where its cells have marks, their legend."""
    widths = [max(len(row[place]) for row in [header, *rows]) for place in range(len(header))]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in [header, *rows]]
    lines.insert(1, ["-" * width for width in widths])
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{title}\n\n{table}\n" + (f"\n{legend}\n" if legend else "")


def latex(header: Sequence[str], rows: Sequence[Sequence[str]], title: str, legend: str = LEGEND) -> str:
    """Return a LaTeX tabular (booktabs) with its title and, where its cells have marks, their legend as comments."""
    columns = "l" * len(header)
    body = "\n".join(" & ".join(map(_escape, row)) + r" \\" for row in rows)
    head = " & ".join(map(_escape, header)) + r" \\"
    comments = "".join(f"% {line}\n" for line in (title, legend) if line)
    return (
        f"{comments}\\begin{{tabular}}{{{columns}}}\n\\toprule\n{head}\n\\midrule\n{body}\n"
        "\\bottomrule\n\\end{tabular}\n"
    )


def _escape(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)


def benchmark_frame(scores: pd.DataFrame, plan: Mapping[str, Any]) -> pd.DataFrame:
    """Return model x recipe x method x mixture with the benchmark's scores, means over seeds.

    A column for each task, ``all`` for the mean over them, and the means without English, without retrieval and
    without the tasks that share data with the mixture; ``<task>.official`` and the like say what marks a task has;
    ``gap`` is the mean transfer gap. ``missing`` counts the languages of tasks that have no score: with any, ``all`` is
    no score of the benchmark.
    """
    benchmark, groups = plan["benchmark"], ["model", "recipe", "method", "mixture"]
    rows = []
    for (*axes, _), part in scores.assign(task=scores["target"]).groupby([*groups, "seed"], sort=False):
        axes = dict(zip(groups, axes, strict=True))
        whole = benchmarks.overall(part, benchmark)
        means = {
            "all": whole,
            "without English": benchmarks.without_english(part, benchmark),
            "without retrieval": benchmarks.without_retrieval(part, benchmark),
            "without same data": benchmarks.without_same_data(part, benchmark, plan["mixtures"][axes["mixture"]]),
        }
        gaps = [gap for gap in benchmarks.transfer_gaps(part, benchmark).values() if gap is not None]
        rows.append(
            axes
            | {task: found.score for task, found in benchmarks.task_scores(part, benchmark).items()}
            | {f"{task}.{name}": flag for task, flags in _flags(part).items() for name, flag in flags.items()}
            | {name: mean.score for name, mean in means.items()}
            | {
                "gap": sum(gaps) / len(gaps) if gaps else None,
                "missing": sum(map(len, whole.missing.values())),
            }
        )
    frame = pd.DataFrame(rows)
    how = {
        name: {"official": "all", "sample": "any", "collapsed": "any"}.get(name.rpartition(".")[2], "mean")
        for name in frame.columns
        if name not in groups
    }
    return frame.groupby(groups, sort=False, as_index=False).agg(how)


def _flags(scores: pd.DataFrame) -> dict[str, dict[str, bool]]:
    """Return for each task whether all its scores are official, and whether any is of a sample or a collapsed run."""
    found = {}
    for task, part in scores.groupby("task", sort=False):
        found[task] = {
            "official": bool(part["official"].all()), "sample": bool(part["sample"].any()),
            "collapsed": bool(part["collapsed"].any()),
        }  # fmt: skip
    return found


def benchmark_rows(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the benchmark's table: mixtures by tasks and means."""
    names = [name for name in frame.columns if name not in ("method", "missing") and "." not in name]
    rows = []
    for row in frame.to_dict("records"):
        cells = []
        for name in names:
            flags = {
                flag: row[f"{name}.{flag}"] for flag in ("official", "sample", "collapsed") if f"{name}.{flag}" in row
            }
            number = row[name] if isinstance(row[name], str) else _number(row[name])
            cells.append(number + (_marks(flags) if f"{name}.official" in row else ""))
        rows.append([*cells, "" if row["missing"] == 0 else f"{row['missing']:.0f} missing"])
    return [*names, ""], rows


def layer_frame(layers: pd.DataFrame) -> pd.DataFrame:
    """Return the scores by layer, means over languages and seeds."""
    groups = ["model", "recipe", "method", "mixture", "target", "layer"]
    return layers.groupby(groups, sort=False, as_index=False).agg(
        score=("score", "mean"), languages=("language", "nunique"), seeds=("seed", "nunique")
    )


def layer_rows(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table of layers: targets and mixtures by layers."""
    numbers = sorted(set(frame["layer"]))
    rows = []
    groups = ["model", "recipe", "method", "target", "mixture"]
    for (model, recipe, _, target, mixture), part in frame.groupby(groups, sort=False):
        cells = dict(zip(part["layer"], part["score"], strict=True))
        rows.append([model, recipe, target, mixture, *[_number(cells.get(number, math.nan)) for number in numbers]])
    return ["model", "recipe", "target", "mixture", *map(str, numbers)], rows


def contrast_rows(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table of contrasts."""
    axes = [axis for axis in ("model", "recipe", "mixture") if axis in frame.columns]
    header = ["contrast", *axes, "target", "difference", "95 % interval", "verdict", "expected", "outcome"]
    rows = []
    for row in frame.fillna("").to_dict("records"):
        digits = 1 if _unit(row["metric"]) == PERCENT else 3
        difference, low, high = (f"{row[name]:+.{digits}f}" for name in ("difference", "low", "high"))
        sides = f"{row['contrast']}: {row['one']} − {row['other']}"
        others = [row[axis] or "–" for axis in axes]
        said = [row[name] for name in ("verdict", "expected", "outcome")]
        rows.append([sides, *others, row["target"], difference, f"{low} to {high}", *said])
    return header, rows


def distance_rows(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table of rank correlations with the declared distance."""
    header = ["model", "recipe", "target", "languages", "rank correlation", "p"]
    return header, [
        [row["model"], row["recipe"], row["target"], str(row["languages"]), f"{row['correlation']:+.2f}",
         f"{row['p']:.3f}"]
        for row in frame.to_dict("records")
    ]  # fmt: skip


def write(
    scores: pd.DataFrame, layers: pd.DataFrame | None, contrasts: pd.DataFrame | None, plan: Mapping[str, Any],
    folder: Path,
) -> None:  # fmt: skip
    """Write a study's tables as .md, .csv and .tex into a folder.

    Args:
        scores: all scores, as ``scores.collect`` gives them.
        layers: those of all layers, where the study asks for them.
        contrasts: as ``statistics.contrasts`` gives them, where the study states some.
        plan: the content of plan.json.
        folder: where to.
    """
    shown = "in percent; in brackets the gain over no intermediate training, where the study has that."
    kinds = {
        "main": (
            main_frame(scores),
            main_rows,
            f"zero-shot mean over languages other than the source language, {shown}",
        ),
        "by_language": (language_frame(scores), language_rows, f"scores by language, {shown}"),
    }
    if plan["benchmark"] is not None:
        what = f"{plan['benchmark']['title']}, means over languages, English included unless named, in percent."
        kinds["benchmark"] = (benchmark_frame(scores, plan), benchmark_rows, what)
    if layers is not None:
        what = "scores by layer, 0 for the embeddings; means over languages and seeds, in percent."
        kinds["layers"] = (layer_frame(layers), layer_rows, what)
    if contrasts is not None:
        what = "one minus the other, zero-shot means in points; intervals are paired bootstraps over examples."
        kinds["contrasts"] = (contrasts, contrast_rows, what)
    if "distance" in plan["tables"]:
        what = "rank correlation of scores with the languages' declared distance, without an intermediate phase."
        kinds["distance"] = (statistics.distances(scores, plan["distance"]), distance_rows, what)
    for name, (frame, layout, what) in kinds.items():
        title = f"{study_title(plan)}: {what}"
        header, rows = layout(frame)
        legend = LEGEND if name in _MARKED else ""
        (folder / f"{name}.md").write_text(markdown(header, rows, title, legend), encoding="utf-8")
        (folder / f"{name}.tex").write_text(latex(header, rows, title, legend), encoding="utf-8")
        frame.to_csv(folder / f"{name}.csv", index=False)
