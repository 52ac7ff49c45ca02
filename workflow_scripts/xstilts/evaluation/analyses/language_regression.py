"""Gains by language, regressed on what is known of the languages, with language as a random effect.

For each model and mixture, for each target in percent and for all of them together:

    gain[target, language] = a[target] + sum of b * predictor[language] + u[language] + e[target, language]

``mixed_model.py`` fits it; with one target u and e are one. Languages other than the source language are in it,
controls too. Every predictor is there alone, and all that vary are there together. The intervals are over languages:
those of the study stand for others that might have been chosen. They take the gains as these runs have them; what other
runs would change in languages with some feature, and not in others, is not in them.

All of it is exploratory. Languages are few and their features go together (large languages have few tokens per word,
and script and family of the source language), so a slope is no effect of its predictor: the table says in words with
what it is confounded. ``p_holm`` is corrected for all slopes of the table.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xstilts.evaluation import confounding, intervals, mixed_model
from xstilts.evaluation.pretraining import NO, YES
from xstilts.evaluation.scores import headline
from xstilts.evaluation.subwords import TOKENS_PER_WORD
from xstilts.evaluation.table import Column, Table
from xstilts.forms import metric_named
from xstilts.forms.declaration import PERCENT
from xstilts.store.study_plan import NONE, StudyPlan

MADE_FROM = ("language_features",)
# degrees of freedom below which there is no regression: with two an interval is 4.3 standard errors to each side
FEWEST_DEGREES = 3
# percent of unknown tokens above which fertility says nothing: a word of unknown letters is one token, however long
MOST_UNKNOWN = 10.0
# values of terms
ALONE, TOGETHER = "alone", "together"
COLUMNS = (
    Column("model", "text", "the model"),
    Column("recipe", "text", "the recipe"),
    Column("mixture", "text", "the mixture, whose gains over none these are"),
    Column("source", "text", "the source language of the targets"),
    Column("target", "text", "the one target; empty for all together"),
    Column("targets", "integer", "how many targets"),
    Column("terms", "text", "alone: no other predictor is in the regression; together: all that vary"),
    Column("predictor", "text", "what is known of the languages"),
    Column("unit", "text", "of the slope, in points of gain"),
    Column("slope", "number", "b; missing where there is no regression", optional=True),
    Column("low", "number", "lower end of its 95 % interval, over languages", optional=True),
    Column("high", "number", "upper end of its 95 % interval, over languages", optional=True),
    Column("standard_error", "number", "of the slope", optional=True),
    Column("degrees", "number", "degrees of freedom: languages less predictors less one", optional=True),
    Column("p", "number", "two-sided p of no slope", optional=True),
    Column("p_holm", "number", "p, corrected for all slopes of this table (Holm 1979)", optional=True),
    Column("slopes", "integer", "how many these are"),
    Column("languages", "integer", "languages in the regression"),
    Column("n", "integer", "gains in the regression, one for each language and target"),
    Column("language_sd", "number", "standard deviation of u; 0 with one target, where e has it", optional=True),
    Column("residual_sd", "number", "standard deviation of e", optional=True),
    Column("variance_inflation", "number", "of the slope's variance, by the other predictors", optional=True),
    Column("confounded", "text", "with what the predictor is confounded in these languages; empty for nothing seen"),
    Column("left_out", "text", "languages that are not in it, for the predictor is not known of them"),
    Column("reason", "text", "why there is no regression; empty if there is one"),
)
TABLE = Table("regression of gains on features of languages", COLUMNS)
# what a slope is in points of gain, by predictor
_TEXT, _SIZE, _FERTILITY, _SHARED = "in pretraining", "pretraining size", "fertility", "shared tokens"
_AGAINST = "like the source language against unlike it"
UNITS = {
    _TEXT: "with text against without",
    _SIZE: "per doubling of the text",
    _FERTILITY: "per token a word",
    _SHARED: "per 10 % of tokens",
    "same script": _AGAINST,
    "same family": _AGAINST,
    "same word order": _AGAINST,
}
_NAMES = [column.name for column in COLUMNS]


def collect(
    plan: StudyPlan, results: Path, estimates: pd.DataFrame, scores: pd.DataFrame, features: pd.DataFrame
) -> pd.DataFrame:
    """Return the regressions of a study; of several worlds those of means over worlds.

    Args:
        plan: the study's plan.
        results: the results folder, of which nothing is needed.
        estimates: the table of estimates, of which nothing is needed.
        scores: the table of scores.
        features: the features of its languages.
    """
    return regress(gains_of(plan, scores), features)


def gains_of(plan: StudyPlan, scores: pd.DataFrame) -> pd.DataFrame:
    """Return the gains over ``none`` in percent by target and language, means over runs and worlds.

    Args:
        plan: the study's plan.
        scores: the table of scores.
    """
    shown = headline(scores)
    shown = shown[[metric_named(name).unit == PERCENT for name in shown["metric"]]]
    arm = ["model", "recipe", "target", "language"]
    means = shown.groupby([*arm, "mixture"], sort=False)["score"].mean().reset_index()
    none = means[means["mixture"] == NONE][[*arm, "score"]].rename(columns={"score": "baseline"})
    joined = means[means["mixture"] != NONE].merge(none, on=arm)
    source = joined["target"].map({name: target.language for name, target in plan.targets.items()})
    found = joined.assign(gain=joined["score"] - joined["baseline"], source=source)
    return found[found["language"] != found["source"]]


def regress(gains: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Return the regressions of gains on features.

    Args:
        gains: ``model``, ``recipe``, ``mixture``, ``source``, ``target``, ``language`` and ``gain`` in points.
        features: the table of features.
    """
    rows = []
    known = {key: _Known(predictors(found)) for key, found in features.groupby(["model", "source"])}
    keys = ["model", "recipe", "mixture", "source"]
    for key, found in gains.groupby(keys, sort=False):
        arm = dict(zip(keys, key, strict=True))
        languages = known[arm["model"], arm["source"]]
        targets = list(dict.fromkeys(found["target"]))
        together = _Gains(
            found["gain"].to_numpy(float),
            languages.languages.get_indexer(pd.Index(found["language"])),
            np.array([targets.index(target) for target in found["target"]]),
        )
        parts = {"": together} if len(targets) > 1 else {}
        parts |= {target: together.of(number) for number, target in enumerate(targets)}
        for target, part in parts.items():
            same = {**arm, "target": target, "targets": len(np.unique(part.target))}
            rows += [{**same, **row} for row in _rows(part, languages)]
    tested = [index for index, row in enumerate(rows) if row.get("p") is not None]
    for index, p in zip(tested, intervals.holm([rows[index]["p"] for index in tested]), strict=True):
        rows[index]["p_holm"] = p
    frame = pd.DataFrame([{**row, "slopes": len(tested)} for row in rows], columns=_NAMES)
    return frame.astype({column.name: float for column in COLUMNS if column.type == "number"})


def predictors(features: pd.DataFrame) -> pd.DataFrame:
    """Return the predictors, a row a language and a column for each of UNITS; NaN for what is not known.

    Args:
        features: rows of one model and source language in the table of features, the source language's among them;
            numbers of several worlds are averaged.
    """
    counted = ["pretraining_size", "fertility", "shared_tokens", "unknown_tokens"]
    numbers = features.groupby("language", sort=False)[counted].mean()
    texts = features.drop_duplicates("language").set_index("language")
    source = texts.loc[features["source"].iloc[0]]
    comparable = (texts["fertility_unit"] == TOKENS_PER_WORD) & (numbers["unknown_tokens"] <= MOST_UNKNOWN)
    family = texts["family"].str.partition(",")[0]
    return pd.DataFrame(
        {
            _TEXT: texts["in_pretraining"].map({YES: 1.0, NO: 0.0}),
            # to a tenth of a doubling, so that 39,890 texts are as many as 39,900
            _SIZE: np.log2(numbers["pretraining_size"]).round(1),
            _FERTILITY: numbers["fertility"].where(comparable),
            _SHARED: numbers["shared_tokens"] / 10,
            "same script": _same(texts["script"], source["script"]),
            "same family": _same(family, family[source.name]),
            "same word order": _same(texts["word_order"], source["word_order"]),
        }
    )[list(UNITS)]


def _same(values: pd.Series, of_source: str) -> pd.Series:
    return (values == of_source).astype(float).where((values != "") & (of_source != ""))


class _Known:
    """What is known of the languages of one model and source language.

    Attributes:
        languages: their codes.
        values: the predictors; of shape (languages, predictors).
    """

    def __init__(self, values: pd.DataFrame) -> None:
        self.languages, self.values = values.index, values.to_numpy(float)
        self._frame = values
        self._confounded: dict[tuple[str, str], str] = {}

    def confounded(self, predictor: str, languages: np.ndarray) -> str:
        """Return with what a predictor is confounded in languages, given by number; each set is looked at once."""
        there = self._frame.iloc[languages]
        key = (predictor, " ".join(there.index))
        if key not in self._confounded:
            self._confounded[key] = confounding.with_others(predictor, there)
        return self._confounded[key]


@dataclass(frozen=True)
class _Gains:
    """The gains of one mixture, of shape (gains,): with the number of the language, and of the target."""

    gain: np.ndarray
    language: np.ndarray
    target: np.ndarray

    def of(self, target: int) -> "_Gains":
        """Return the gains on one target."""
        there = self.target == target
        return _Gains(self.gain[there], self.language[there], self.target[there])


def _rows(gains: _Gains, known: _Known) -> Iterator[dict[str, Any]]:
    """Yield the regressions of one mixture: on each predictor alone, then on all that vary, together."""
    usable = []
    for number, name in enumerate(UNITS):
        (row,) = _regression(gains, known, {name: known.values[:, number]}, ALONE)
        usable += [] if row["reason"] else [name]
        yield row
    together = _complete({name: known.values[:, list(UNITS).index(name)] for name in usable}, np.unique(gains.language))
    if len(together) > 1:
        yield from _regression(gains, known, together, TOGETHER)


def _complete(values: dict[str, np.ndarray], languages: np.ndarray) -> dict[str, np.ndarray]:
    """Return the predictors that can stand together: those that vary where all are known.

    Languages without text stay in it. Their size counts as the mean of the others, so that ``in pretraining`` has what
    they differ by, and ``pretraining size`` is a slope among languages with text.

    Args:
        values: by predictor, of shape (languages,).
        languages: the numbers of those that have gains.
    """
    if {_TEXT, _SIZE} <= set(values):
        size = values[_SIZE] - np.nanmean(values[_SIZE][languages])
        values = values | {_SIZE: np.where(values[_TEXT] == 0, 0.0, size)}
    matrix = np.column_stack([np.zeros(len(languages)), *(value[languages] for value in values.values())])
    there = matrix[~np.isnan(matrix).any(axis=1)]
    return {
        name: value for name, value, column in zip(values, values.values(), there.T[1:], strict=True) if _varies(column)
    }


def _varies(values: np.ndarray) -> bool:
    return len(values) > 0 and bool(np.ptp(values) > 0)


def _regression(gains: _Gains, known: _Known, predictors: Mapping[str, np.ndarray], terms: str) -> list[dict[str, Any]]:
    """Return a row for each predictor of a regression.

    Args:
        gains: of one mixture.
        known: the languages.
        predictors: those in it, by name, of shape (languages,).
        terms: ALONE or TOGETHER.
    """
    values = np.column_stack(list(predictors.values()))
    is_known = ~np.isnan(values).any(axis=1)
    languages = np.unique(gains.language)
    there, lacking = languages[is_known[languages]], languages[~is_known[languages]]
    used = is_known[gains.language]
    levels = gains.target[used][:, None] == np.unique(gains.target[used])
    y, x = gains.gain[used], np.column_stack([levels.astype(float), values[gains.language[used]]])
    groups = np.searchsorted(there, gains.language[used])
    reason = _reason(y, x, groups, values[there])
    found = None if reason else mixed_model.fit(y, x, groups)
    inflation = confounding.variance_inflation(values[there]) if found is not None and len(predictors) > 1 else None
    rows = []
    for number, name in enumerate(predictors):
        row = {
            "terms": terms,
            "predictor": name,
            "unit": UNITS[name],
            "languages": len(there),
            "n": len(y),
            "confounded": known.confounded(name, there),
            "left_out": ", ".join(known.languages[lacking]),
            "reason": reason,
        }
        if found is not None:
            row |= _of_fit(found, levels.shape[1] + number)
            row["variance_inflation"] = None if inflation is None else inflation[number]
        rows.append(row)
    return rows


def _reason(gains: np.ndarray, x: np.ndarray, groups: np.ndarray, values: np.ndarray) -> str:
    """Return why there can be no regression; empty if there can.

    Args:
        gains: of shape (gains,).
        x: levels of the targets and predictors, of shape (gains, columns).
        groups: number of each gain's language.
        values: the predictors, of shape (languages, predictors).
    """
    languages, predictors = values.shape
    if not languages:
        return "not known of any language"
    if not all(map(_varies, values.T)):
        return f"the same in all {languages} languages"
    if np.linalg.matrix_rank(values - values.mean(axis=0)) < predictors < languages:
        return "one predictor is a sum of the others in these languages"
    degrees = mixed_model.degrees_between(x, groups)
    if degrees < FEWEST_DEGREES:
        beside = f" for {predictors} predictors" if predictors > 1 else ""
        return f"{languages} languages are too few{beside}: {max(degrees, 0)} degrees of freedom are left"
    if np.linalg.matrix_rank(x) < x.shape[1]:
        return "the targets have too few languages in common"
    return "" if _varies(gains) else "all gains are the same"


def _of_fit(found: mixed_model.Fit, column: int) -> dict[str, Any]:
    """Return what a row has of a fitted model."""
    error, low, high, p = found.interval(column)
    return {
        "slope": float(found.coefficients[column]),
        "low": low,
        "high": high,
        "standard_error": error,
        "degrees": found.degrees,
        "p": p,
        "language_sd": math.sqrt(found.group_variance),
        "residual_sd": math.sqrt(found.residual_variance),
    }
