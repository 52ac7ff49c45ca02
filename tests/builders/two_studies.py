"""Pairs of studies by hand: what two studies found of the same arms, in folders of outputs."""

from pathlib import Path
from typing import Any

from xstilts.evaluation import estimates
from xstilts.evaluation.study_differences import collect
from xstilts.evaluation.two_studies import Outputs
from xstilts.reporting import study_results
from xstilts.store import study_plan as study_plans

from tests.builders.compared import MIXTURES, XNLI
from tests.builders.estimates import estimates as estimates_by_hand
from tests.builders.predicted import Predicted, correct

ARM = ("s", "mnli")
LANGUAGES = ("de", "fr", "sw", "th")


def study(folder, scores, targets=None, arms=(ARM,), **settings) -> Predicted:
    """Return a study of runs by their seeds.

    Args:
        folder: the results folder.
        scores: by target and seed the percent that is right in German.
        targets: of the study; XNLI.
        arms: models and mixtures, all with these scores.
        settings: of ``Predicted``.
    """
    made = Predicted(folder, targets or {"xnli": XNLI}, MIXTURES, **settings)
    for arm in arms:
        for target, of_seeds in scores.items():
            for seed, percent in of_seeds.items():
                made.add(arm, seed, target, {"en": correct(100, 90), "de": correct(100, percent)})
    return made


def without_noise_of_examples(folder, scores, **settings) -> Predicted:
    """Return a study of runs with scores of 0, 25, 50, 75 or 100: all examples of a language are right, or none."""
    made = Predicted(folder, {"xnli": XNLI}, MIXTURES, **settings)
    for seed, percent in scores.items():
        made.add(ARM, seed, "xnli", shares_of(percent))
    return made


def shares_of(percent):
    """Return answers of which those in 0 to 4 of four languages are right, all or none."""
    right = {name: correct(20, 20 if (index + 1) * 25 <= percent else 0) for index, name in enumerate(LANGUAGES)}
    return {"en": correct(20, 20), **right}


def differences(first, second, differs=lambda pairs: "", changes=({}, {})):
    """Return the table of differences of two studies, with changes to their plans."""
    outputs = (Outputs(made.plan(**own), made.results) for made, own in zip((first, second), changes, strict=True))
    return collect(*outputs, differs)


def difference(first, second, target="xnli", **options) -> dict[str, Any]:
    """Return the one row of a target."""
    frame = differences(first, second, **options)
    (row,) = frame[frame["target"] == target].to_dict("records")
    return row


def outputs(made: Predicted, name: str, *rows: dict[str, Any], **changes: Any) -> study_results.StudyResults:
    """Write the outputs of a study, with rows of estimates by hand, and return its results."""
    folder: Path = made.results / "studies" / name / "1234"
    folder.mkdir(parents=True)
    (folder / study_plans.FILE).write_text(study_plans.text(made.plan(study=name, **changes)))
    estimates.write(estimates_by_hand(*rows), folder / estimates.FILE)
    return study_results.load(folder)
