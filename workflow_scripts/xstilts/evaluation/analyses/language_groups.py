"""Gains in groups of languages: by script, and by whether the text that the model was pretrained on has them.

A group is two languages or more, other than the source language; controls are in it too. Its gain is every mixture
minus ``none`` on the mean over its languages, so its interval is over runs and examples, as that of a zero-shot mean;
what other languages would say is asked by ``language_regression.py``. Groups differ in more than their name (those
without text are mostly small and far from the source language), so all of it is exploratory, and no verdict is
corrected.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.evaluation import arms, resampling
from xstilts.evaluation.analyses.language_gains import COMPARED, GAINED, gains_over_none, of_estimate, over_worlds
from xstilts.evaluation.estimates import estimated, size_of
from xstilts.evaluation.outcomes import Outcome, Term
from xstilts.evaluation.pretraining import NO, UNKNOWN, YES
from xstilts.evaluation.scores import headline
from xstilts.evaluation.table import Column, Table
from xstilts.store.study_plan import StudyPlan

MADE_FROM = ("language_features",)
# values of feature
SCRIPT, PRETRAINING = "script", "in pretraining"
COLUMNS = (
    *COMPARED,
    Column(
        "feature",
        "text",
        "what the languages of a group have in common: script, or in pretraining (as in language_features)",
    ),
    Column(
        "group",
        "text",
        "ISO 15924 code of the script, or yes or no; `minus` between two: by how much the gain of the first is larger",
    ),
    Column("languages", "text", "the languages of the group; of two groups those of the first"),
    Column(
        "score",
        "number",
        "mean over languages and runs with the mixture, in the unit of the metric; of two groups their difference",
    ),
    Column("baseline", "number", "the same with none"),
    *GAINED,
)
TABLE = Table("gains in groups of languages", COLUMNS)
_KEYS = ["model", "recipe", "mixture", "target", "metric", "feature", "group", "languages"]
_NAMES = [column.name for column in COLUMNS]


def collect(
    plan: StudyPlan, results: Path, estimates: pd.DataFrame, scores: pd.DataFrame, features: pd.DataFrame
) -> pd.DataFrame:
    """Return the gains in groups of languages; of several worlds those over worlds, then those of each world.

    Args:
        plan: the study's plan.
        results: the results folder.
        estimates: the table of estimates, of which nothing is needed.
        scores: the table of scores.
        features: the features of its languages.

    Raises:
        UserError: if models have not predicted the same examples.
    """
    rows = []
    for world, part in plan.parts().items():
        of_world, known = (table if world is None else table[table["world"] == world] for table in (scores, features))
        for target in part.targets:
            for model in dict.fromkeys(cell.model for cell in part.cells if cell.target == target):
                source = part.targets[target].language
                here = known[(known["model"] == model) & (known["source"] == source)].set_index("language")
                rows += [{"world": world, **row} for row in _of_model(part, results, target, model, of_world, here)]
    frame = pd.DataFrame(rows, columns=_NAMES)
    if plan.worlds:
        together = pd.DataFrame(over_worlds(plan, frame, _KEYS, ("score", "baseline")))
        frame = pd.concat([together, frame], ignore_index=True).reindex(columns=_NAMES)
    return frame.astype({column.name: float for column in COLUMNS if column.type == "number"})


def _of_model(
    plan: StudyPlan, results: Path, name: str, model: str, scores: pd.DataFrame, features: pd.DataFrame
) -> Iterator[dict[str, Any]]:
    """Yield the gains of a model on a target; the features are its rows by language."""
    plan = replace(plan, cells=tuple(cell for cell in plan.cells if cell.target == name and cell.model == model))
    examples = {name: resampling.examples_of(plan, results, name)}
    metric = plan.targets[name].metric
    groups = _groups(features, list(examples[name]), plan.targets[name].language)
    on = {(feature, group): _outcome(name, metric, weights) for (feature, group), weights in groups.items()}
    compared = gains_over_none(plan, list(dict.fromkeys(on.values())))
    measured = arms.measure(plan, results, examples, [term for outcome in compared for term in outcome.terms])
    shown = headline(scores)
    shown = shown[(shown["model"] == model) & (shown["target"] == name)]
    means = shown.groupby(["recipe", "mixture", "language"])["score"].mean()
    for (feature, group), outcome in on.items():
        if outcome not in compared:
            continue
        runs, size = arms.runs_of(measured, outcome), size_of(outcome, examples)
        for one in compared[outcome]:
            found = next(estimated(measured, runs, one, size))
            yield {
                "model": model,
                "recipe": one.recipe,
                "mixture": one.a,
                "target": name,
                "metric": metric,
                "feature": feature,
                "group": group,
                "languages": ", ".join(term.language for term in outcome.terms if term.weight > 0),
                "score": _mean(outcome, means[one.recipe, one.a]),
                "baseline": _mean(outcome, means[one.recipe, one.b]),
                "n": size.n,
                "clusters": size.clusters,
                "runs": found.described["runs_a"],
                "runs_none": found.described["runs_b"],
                "collapsed": found.described["collapsed"],
                **of_estimate(plan, metric, found.estimate),
            }


def _groups(features: pd.DataFrame, evaluated: Sequence[str], source: str) -> dict[tuple[str, str], dict[str, float]]:
    """Return the weights of languages by feature and group; nothing of a feature in which all languages are alike.

    Args:
        features: ``script`` and ``in_pretraining`` by language.
        evaluated: the languages in which there are predictions.
        source: the source language, which is in no group, whether there are predictions in it or not.
    """
    others = features.loc[[language for language in evaluated if language != source]]
    of_scripts = {str(script): list(rows.index) for script, rows in others.groupby("script")}
    of_text = {str(text): list(rows.index) for text, rows in others.groupby("in_pretraining") if text != UNKNOWN}
    script = str(features.loc[source, "script"])
    elsewhere = [language for one, languages in of_scripts.items() if one != script for language in languages]
    found: dict[tuple[str, str], dict[str, float]] = {}
    for feature, groups, first, second, rest in (
        (SCRIPT, of_scripts, script, "others", elsewhere),
        (PRETRAINING, of_text, YES, NO, of_text.get(NO, [])),
    ):
        if len(groups) < 2:
            continue
        large = {group: _weights(languages) for group, languages in groups.items() if len(languages) > 1}
        found |= {(feature, group): weights for group, weights in large.items()}
        if first in large and len(rest) > 1:
            subtracted = {language: -weight for language, weight in _weights(rest).items()}
            found[feature, f"{first} minus {second}"] = large[first] | subtracted
    return found


def _weights(languages: Sequence[str]) -> dict[str, float]:
    return dict.fromkeys(languages, 1 / len(languages))


def _outcome(target: str, metric: str, weights: Mapping[str, float]) -> Outcome:
    terms = tuple(Term(target, language, metric, weight) for language, weight in weights.items())
    return Outcome("in a group of languages", target, terms)


def _mean(outcome: Outcome, scores: pd.Series) -> float:
    """Return the outcome of scores by language."""
    return float(sum(term.weight * scores[term.language] for term in outcome.terms))
