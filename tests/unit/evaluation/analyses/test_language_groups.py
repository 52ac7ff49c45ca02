"""Gains in groups of languages, by hand."""

import numpy as np
import pandas as pd
import pytest
from xstilts.evaluation import scores
from xstilts.evaluation.analyses import language_groups

from tests.builders.compared import XNLI, only, right
from tests.builders.predicted import Predicted

MIXTURES = {"none": (), "nine": ("mnli", "squad_v1")}
FEATURES = {
    "en": ("Latn", "yes"), "de": ("Latn", "yes"), "sw": ("Latn", "no"), "hi": ("Deva", "yes"), "bho": ("Deva", "no"),
    "th": ("Thai", "no"),
}  # fmt: skip
RUNS = {
    "none": [{"en": 80, "de": 50, "sw": 40, "hi": 60, "bho": 30, "th": 30}] * 2,
    "nine": [{"en": 90, "de": 60, "sw": 42, "hi": 64, "bho": 30, "th": 33},
             {"en": 90, "de": 64, "sw": 44, "hi": 64, "bho": 32, "th": 33}],
}  # fmt: skip


def features_of(known):
    rows = [(language, *values) for language, values in known.items()]
    frame = pd.DataFrame(rows, columns=["language", "script", "in_pretraining"])
    return frame.assign(world=np.nan, model="s", source="en")


def collect(folder, known=FEATURES, mixtures=("none", "nine"), without=()):
    made = Predicted(folder, {"xnli": XNLI}, {name: MIXTURES[name] for name in mixtures})
    for mixture in mixtures:
        for seed, by_language in enumerate(RUNS[mixture], start=1):
            evaluated = {language: score for language, score in by_language.items() if language not in without}
            made.add(("s", mixture), seed, "xnli", right(**evaluated))
    plan = made.plan()
    found = scores.collect(plan, made.results)
    frame = language_groups.collect(plan, made.results, pd.DataFrame(), found, features_of(known))
    assert language_groups.TABLE.problem(frame) is None, language_groups.TABLE.problem(frame)
    assert [column.name for column in language_groups.COLUMNS] == list(frame.columns)
    return frame


def test_groups_and_their_gains(tmp_path):
    """The source language is in none; a script of one language is no group, and stands among the others."""
    frame = collect(tmp_path)
    assert frame[["feature", "group", "languages", "gain"]].to_numpy().tolist() == [
        ["script", "Deva", "hi, bho", pytest.approx(2.5)],
        ["script", "Latn", "de, sw", pytest.approx(7.5)],
        ["script", "Latn minus others", "de, sw", pytest.approx(7.5 - (4 + 1 + 3) / 3)],
        ["in pretraining", "no", "sw, bho, th", pytest.approx((3 + 1 + 3) / 3)],
        ["in pretraining", "yes", "de, hi", pytest.approx(8)],
        ["in pretraining", "yes minus no", "de, hi", pytest.approx(8 - 7 / 3)],
    ]  # fmt: skip
    row = only(frame, group="yes")
    assert (row["score"], row["baseline"], row["n"], row["runs"], row["runs_none"]) == (63, 55, 200, 2, 2)
    assert row["interval"] == "runs and examples" and row["low"] < 8 < row["high"]
    assert row["verdict"] in ("higher", "undecided")
    row = only(frame, group="yes minus no")
    assert row["gain"] == pytest.approx(row["score"] - row["baseline"]) and row["n"] == 500


def test_source_language_without_predictions(tmp_path):
    """A target such as Tatoeba has none in English; that English has the script Latn is known all the same."""
    frame, usual = collect(tmp_path / "without", without=["en"]), collect(tmp_path / "with")
    assert frame["gain"].tolist() == usual["gain"].tolist() and frame["group"].tolist() == usual["group"].tolist()


def test_no_groups_where_all_languages_are_alike_or_nothing_is_known(tmp_path):
    assert collect(tmp_path, dict.fromkeys(FEATURES, ("Latn", ""))).empty


def test_groups_of_one_are_not_compared(tmp_path):
    frame = collect(tmp_path, FEATURES | {"sw": ("Latn", "yes"), "bho": ("Deva", "yes")})
    assert frame.loc[frame["feature"] == "in pretraining", "group"].tolist() == ["yes"]


def test_without_none_there_are_no_gains(tmp_path):
    assert collect(tmp_path, mixtures=["nine"]).empty
