"""Gains by language, by hand."""

import dataclasses

import pandas as pd
import pytest
from xstilts.evaluation import scores
from xstilts.evaluation.analyses import language_gains
from xstilts.store.answer import Contrast

from tests.builders.compared import TATOEBA, XNLI, analysed, answer, only, right, study
from tests.builders.predicted import Predicted

MIXTURES = {"none": (), "nine": ("mnli", "squad_v1"), "german": ("mnli@de",), "text": ("text",)}


def made(folder, percents, **settings):
    """Return a study; scores are in percent by mixture, a dict by language for each seed."""
    found = Predicted(folder, {"xnli": XNLI}, MIXTURES, **settings)
    for mixture, of_seeds in percents.items():
        for seed, by_language in enumerate(of_seeds, start=1):
            found.add(("s", mixture), seed, "xnli", right(**by_language))
    return found


def test_scores_and_gains_in_each_language(tmp_path):
    runs = {"none": [{"en": 80, "de": 50, "sw": 30}, {"en": 84, "de": 52, "sw": 34}],
            "nine": [{"en": 81, "de": 58, "sw": 32}, {"en": 83, "de": 60, "sw": 32}]}  # fmt: skip
    frame, _ = analysed(made(tmp_path, runs), language_gains, answer=answer("german", ["german"], controls=("sw",)))
    assert frame.set_index("language")[["score", "baseline", "gain", "role"]].T.to_dict("list") == {
        "en": [82, 82, 0, "source"], "de": [59, 51, 8, "other"], "sw": [32, 32, 0, "control"],
    }  # fmt: skip
    row = only(frame, language="de")
    assert (row["n"], row["clusters"], row["runs"], row["runs_none"], row["collapsed"]) == (100, 100, 2, 2, 0)
    assert row["metric"] == "accuracy" and row["interval"] == "runs and examples"
    assert row["low"] < 8 < row["high"] and row["verdict"] in ("higher", "undecided")


def test_a_language_has_the_interval_that_a_contrast_on_it_alone_has(tmp_path):
    """The zero-shot mean of a study with one other language is that language."""
    found = study(tmp_path, {("s", "none"): [50, 54], ("s", "nine"): [58, 60], ("s", "mnli"): [57, 51]})
    frame, compared = analysed(found, language_gains, contrasts={"gain": Contrast("mixture", ("nine", "none"))})
    theirs, own = only(compared, name="gain", target="xnli"), only(frame, mixture="nine", language="de")
    assert own["gain"] == theirs["estimate"]
    for name in ("low", "high", "standard_error", "p", "verdict", "n", "clusters"):
        assert own[name] == theirs[name]


def test_labels_in_a_language(tmp_path):
    """Translated rows are labelled, text is not."""
    runs = {mixture: [{"en": 80, "de": 50, "sw": 30}] for mixture in MIXTURES}
    frame, _ = analysed(made(tmp_path, runs, languages={"text": ("en", "de")}), language_gains)
    roles = frame[frame["language"] != "en"].set_index(["mixture", "language"])["role"]
    assert roles[roles != "other"].to_dict() == {("german", "de"): "labelled"}
    assert set(frame["interval"]) == {"examples only"} and set(frame["verdict"]) == {""}


def test_chance(tmp_path):
    """It needs a metric that has one, and the labels, which are not stated here."""
    found = study(tmp_path, {("s", "none"): [50], ("s", "nine"): [58]}, targets={"xnli": XNLI, "tatoeba": TATOEBA})
    frame, _ = analysed(found, language_gains)
    assert frame["chance"].isna().all()
    content = found.nodes["prepared/xnli"].content
    labels = {**content, "labels": ["entailment", "neutral", "contradiction"]}
    found.nodes["prepared/xnli"] = dataclasses.replace(found.nodes["prepared/xnli"], content=labels)
    frame, _ = analysed(found, language_gains)
    assert set(frame.loc[frame["target"] == "xnli", "chance"]) == {100 / 3}
    assert frame.loc[frame["target"] == "tatoeba", "chance"].isna().all()


def test_a_study_without_none_has_no_rows(tmp_path):
    frame, _ = analysed(study(tmp_path, {("s", "mnli"): [50, 52], ("s", "nine"): [53, 54]}), language_gains)
    assert frame.empty


def test_several_worlds(tmp_path):
    """Over worlds stands the mean of the gains with the t interval between them."""
    worlds = {"w1": {"none": [50, 50], "nine": [56, 58]}, "w2": {"none": [40, 42], "nine": [46, 44]}}
    found = study(tmp_path, {(world, mixture): of for world, arms in worlds.items() for mixture, of in arms.items()})
    cells = tuple(dataclasses.replace(cell, model="s", world=int(cell.model[1:])) for cell in found.cells)
    plan = found.plan(cells=cells)
    frame = language_gains.collect(plan, tmp_path, pd.DataFrame(), scores.collect(plan, tmp_path))
    assert language_gains.TABLE.problem(frame) is None
    assert only(frame, world=1, language="de")["gain"] == 7 and only(frame, world=2, language="de")["gain"] == 4
    row = only(frame[frame["world"].isna()], language="de")
    # 5.5, with a standard deviation of 3 / sqrt 2 and one degree of freedom, whose t is 12.706
    assert (row["gain"], row["worlds"], row["interval"]) == (5.5, 2, "worlds")
    assert row["high"] - row["gain"] == pytest.approx(12.7062 * 1.5, rel=1e-4)
    assert (row["score"], row["baseline"], row["n"]) == (51, 45.5, 200)
    assert frame["world"].isna().tolist() == [True, True, False, False, False, False]
