"""Tables for people: mixtures by targets, and by language, as Markdown, CSV and LaTeX.

Every table says what its cells are not: ``†`` not the official split, ``‡`` a sample of its rows, ``!`` a collapsed
run among those averaged.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.scores import headline, is_source_language, with_gain

LEGEND = "† not on the official split; ‡ a sample of the official rows; ! averaged over a run that collapsed."
_LATEX = {"†": r"$\dagger$", "‡": r"$\ddagger$", "_": r"\_", "%": r"\%", "&": r"\&", "Δ": r"$\Delta$"}


def main_frame(scores: pd.DataFrame) -> pd.DataFrame:
    """Return model x recipe x tuning x mixture x target with means over seeds and languages.

    ``zero_shot`` is the mean over languages other than the source language, ``source`` the score in that language
    (NaN where the target is not evaluated in it), ``gain`` the difference of ``zero_shot`` to the mixture ``none``.
    """
    frame = with_gain(headline(scores))
    frame = frame.assign(is_source=is_source_language(frame))
    groups = ["model", "recipe", "tuning", "mixture", "target"]
    rows = []
    for key, part in frame.groupby(groups, sort=False):
        others, source = part[~part["is_source"]], part[part["is_source"]]
        shown = others if len(others) else part
        rows.append(
            dict(zip(groups, key, strict=True))
            | {
                "zero_shot": others["score"].mean(), "gain": others["gain"].mean(), "source": source["score"].mean(),
                "languages": others["language"].nunique(), "seeds": part["seed"].nunique(), "n": int(part["n"].sum()),
                "official": bool(shown["official"].all()), "sample": bool(shown["sample"].any()),
                "collapsed": bool(shown["collapsed"].any()),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def language_frame(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the headline scores and gains with the mean over seeds."""
    groups = ["model", "recipe", "tuning", "mixture", "target", "language", "metric", "split"]
    frame = with_gain(headline(scores)).groupby(groups, sort=False, as_index=False)
    return frame.agg(
        score=("score", "mean"), gain=("gain", "mean"), seeds=("seed", "nunique"), n=("n", "first"),
        official=("official", "all"), sample=("sample", "any"), collapsed=("collapsed", "any"),
    )  # fmt: skip


def _marks(row: Mapping[str, Any]) -> str:
    return ("" if row["official"] else "†") + ("‡" if row["sample"] else "") + ("!" if row["collapsed"] else "")


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.1f}"


def _cell(row: Mapping[str, Any], value: float) -> str:
    """Return a score, its gain over `none` in brackets, and the marks."""
    if pd.isna(value):
        return "–"
    gain = "" if row["mixture"] == "none" or pd.isna(row["gain"]) else f" ({row['gain']:+.1f})"
    return f"{value:.1f}{gain}{_marks(row)}"


def main_rows(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the main table: mixtures by targets."""
    targets = list(dict.fromkeys(frame["target"]))
    header = ["model", "recipe", "mixture", *targets, "mean"]
    rows = []
    for (model, recipe, _, mixture), part in frame.groupby(["model", "recipe", "tuning", "mixture"], sort=False):
        cells = {row["target"]: _cell(row, row["zero_shot"]) for row in part.to_dict("records")}
        gain = part["gain"].mean()
        delta = "" if mixture == "none" or pd.isna(gain) else f" ({gain:+.1f})"
        mean = f"{_number(part['zero_shot'].mean())}{delta}"
        rows.append([model, recipe, mixture, *[cells.get(target, "–") for target in targets], mean])
    return header, rows


def language_rows(frame: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table by language: targets and mixtures by languages."""
    languages = list(dict.fromkeys(frame["language"]))
    header = ["model", "recipe", "target", "split", "mixture", *languages]
    rows = []
    groups = ["model", "recipe", "tuning", "target", "mixture"]
    for (model, recipe, _, target, mixture), part in frame.groupby(groups, sort=False):
        cells = {row["language"]: _cell(row, row["score"]) for row in part.to_dict("records")}
        splits = "/".join(dict.fromkeys(part["split"]))
        rows.append([model, recipe, target, splits, mixture, *[cells.get(language, "–") for language in languages]])
    return header, sorted(rows, key=lambda row: (row[0], row[1], [*dict.fromkeys(frame["target"])].index(row[2])))


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> str:
    """Return a Markdown table with its title and the legend."""
    widths = [max(len(row[place]) for row in [header, *rows]) for place in range(len(header))]
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in [header, *rows]]
    lines.insert(1, ["-" * width for width in widths])
    return f"{title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{LEGEND}\n"


def latex(header: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> str:
    """Return a LaTeX tabular (booktabs) with its title and the legend as comments."""
    columns = "l" * len(header)
    body = "\n".join(" & ".join(map(_escape, row)) + r" \\" for row in rows)
    head = " & ".join(map(_escape, header)) + r" \\"
    return (
        f"% {title}\n% {LEGEND}\n\\begin{{tabular}}{{{columns}}}\n\\toprule\n{head}\n\\midrule\n{body}\n"
        "\\bottomrule\n\\end{tabular}\n"
    )


def _escape(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)


def write(scores: pd.DataFrame, plan: Mapping[str, Any], folder: Path) -> None:
    """Write ``main`` and ``by_language`` as .md, .csv and .tex into a folder."""
    kinds = {
        "main": (main_frame(scores), main_rows, "zero-shot mean over the languages other than the source language"),
        "by_language": (language_frame(scores), language_rows, "scores by language"),
    }
    for name, (frame, layout, what) in kinds.items():
        title = f"Study {plan['study']}: {what}, in percent; in brackets the gain over no intermediate training."
        header, rows = layout(frame)
        (folder / f"{name}.md").write_text(markdown(header, rows, title), encoding="utf-8")
        (folder / f"{name}.tex").write_text(latex(header, rows, title), encoding="utf-8")
        frame.to_csv(folder / f"{name}.csv", index=False)
