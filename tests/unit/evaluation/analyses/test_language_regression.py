"""Gains regressed on features: planted slopes, what is confounded, and why there is no regression."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from xstilts.evaluation import intervals, scores
from xstilts.evaluation.analyses import language_features, language_regression
from xstilts.evaluation.subwords import CHARACTERS_PER_TOKEN, TOKENS_PER_WORD

from tests.builders.compared import analysed, only, study

CODES = ["bg", "de", "el", "es", "fi", "fr", "hi", "ja", "ko", "ru", "sw", "ta", "th", "tr", "ur", "vi", "yo", "zh"]
USUAL = {
    "world": np.nan, "model": "s", "source": "en", "name": "", "script": "Latn", "family": "Indo-European, Germanic",
    "word_order": "SVO", "in_pretraining": "yes", "pretraining_size": 8.0, "pretraining_unit": "GiB", "fertility": 1.5,
    "fertility_unit": TOKENS_PER_WORD, "shared_tokens": 20.0, "shared_types": 20.0, "unknown_tokens": 0.0,
    "tokens": 100.0, "rows": 10.0, "counted_on": "xnli", "parallel": True, "reason": "",
}  # fmt: skip


def features(**by_language):
    """Return the table of features; English has the usual ones."""
    rows = [{**USUAL, "language": language, **own} for language, own in {"en": {}, **by_language}.items()]
    return pd.DataFrame(rows)


def gains(by_target, **changes):
    rows = [
        {"model": "s", "recipe": "r", "mixture": "nine", "source": "en", "target": target, "language": language}
        | {"gain": gain}
        | changes
        for target, of_target in by_target.items()
        for language, gain in of_target.items()
    ]
    return pd.DataFrame(rows)


def regress(by_target, known):
    frame = language_regression.regress(gains(by_target), known)
    assert language_regression.TABLE.problem(frame) is None
    return frame


def drawn(seed, languages=CODES, slope=3.0):
    """Return gains on two targets that rise by the slope per token a word, and the features."""
    rng = np.random.default_rng(seed)
    fertility = dict(zip(languages, rng.uniform(1.2, 3.0, len(languages)), strict=True))
    effect = {language: rng.normal(0, 0.8) for language in languages}
    by_target = {
        target: {one: level + slope * fertility[one] + effect[one] + rng.normal(0, 0.5) for one in languages}
        for target, level in {"xnli": 1.0, "xquad": -4.0}.items()
    }
    return by_target, features(**{one: {"fertility": value} for one, value in fertility.items()})


def test_a_planted_slope_is_found():
    by_target, known = drawn(1)
    frame = regress(by_target, known)
    row = only(frame, predictor="fertility", target="")
    assert row["low"] < 3 < row["high"] and row["slope"] == pytest.approx(3, abs=0.8)
    assert (row["languages"], row["n"], row["targets"], row["degrees"], row["terms"]) == (18, 36, 2, 16, "alone")
    assert row["unit"] == "per token a word" and row["reason"] == "" and row["confounded"] == ""
    assert row["language_sd"] == pytest.approx(0.8, abs=0.4) and row["residual_sd"] == pytest.approx(0.5, abs=0.25)


def test_planted_slopes_are_in_their_intervals():
    """In 95 % of 60 draws, of which a standard error is 2.8 %; a model for each draw."""
    draws = [drawn(seed, CODES[:8]) for seed in range(60)]
    frame = language_regression.regress(
        pd.concat([gains(by_target, model=f"{seed}") for seed, (by_target, _) in enumerate(draws)]),
        pd.concat([known.assign(model=f"{seed}") for seed, (_, known) in enumerate(draws)]),
    )
    found = frame[(frame["predictor"] == "fertility") & (frame["target"] == "")]
    assert len(found) == 60 and ((found["low"] <= 3) & (found["high"] >= 3)).sum() >= 52


def test_one_target_is_a_line_through_its_gains():
    by_target, known = drawn(2)
    row = only(regress(by_target, known), predictor="fertility", target="xnli")
    fertility = known.set_index("language")["fertility"]
    line = stats.linregress(fertility[list(by_target["xnli"])], list(by_target["xnli"].values()))
    assert (row["slope"], row["standard_error"], row["p"]) == pytest.approx((line.slope, line.stderr, line.pvalue))
    assert row["language_sd"] == 0


def test_every_slope_counts_for_the_correction():
    frame = regress(*drawn(3))
    tested = frame[frame["p"].notna()]
    assert len(tested) == 3 and set(frame["slopes"]) == {3}
    assert tested["p_holm"].tolist() == pytest.approx(intervals.holm(tested["p"].tolist()))
    assert regress({"xnli": {"de": 1.0, "es": 2.0}}, features(de={}, es={}))["slopes"].unique().tolist() == [0]


def test_predictors():
    known = features(
        de={"word_order": "several", "pretraining_size": 16.0},
        hi={"script": "Deva", "family": "Indo-European, Indo-Aryan", "word_order": "SOV"},
        th={"script": "Thai", "family": "Tai-Kadai, Tai", "fertility": 4.0, "fertility_unit": CHARACTERS_PER_TOKEN},
        yo={"family": "", "word_order": "", "in_pretraining": "no", "pretraining_size": np.nan, "unknown_tokens": 11.0},
    )
    found = language_regression.predictors(known).loc[["de", "hi", "th", "yo"]]
    expected = {
        "in pretraining": [1, 1, 1, 0], "pretraining size": [4, 3, 3, np.nan], "fertility": [1.5, 1.5, np.nan, np.nan],
        "shared tokens": [2] * 4, "same script": [1, 0, 0, 1], "same family": [1, 1, 0, np.nan],
        "same word order": [0, 0, 1, np.nan],
    }  # fmt: skip
    pd.testing.assert_frame_equal(
        found, pd.DataFrame(expected, index=found.index), check_dtype=False, check_names=False
    )


def test_worlds_are_averaged():
    known = features(qab={"fertility": 1.0})
    two = pd.concat([known.assign(world=1.0), known.assign(world=2.0, fertility=2.0)])
    assert language_regression.predictors(two).loc["qab", "fertility"] == 1.5


def test_why_there_is_no_regression():
    by_target, _ = drawn(4, CODES[:4])
    size, unknown = {"pretraining_size": 16.0}, {"in_pretraining": ""}
    known = features(bg=size | unknown, de=unknown, el=unknown, es={"fertility": 9.0} | unknown)
    reasons = regress(by_target, known).query("target == ''").set_index("predictor")["reason"].to_dict()
    assert reasons == {
        "in pretraining": "not known of any language",
        "pretraining size": "4 languages are too few: 2 degrees of freedom are left",
        "fertility": "4 languages are too few: 2 degrees of freedom are left",
        **dict.fromkeys(("shared tokens", "same script", "same family", "same word order"),
                        "the same in all 4 languages"),
    }  # fmt: skip


def test_gains_that_are_all_the_same():
    known = features(**{one: {"fertility": float(number)} for number, one in enumerate(CODES)})
    row = only(regress({"xnli": dict.fromkeys(CODES, 2.0)}, known), predictor="fertility")
    assert row["reason"] == "all gains are the same" and pd.isna(row["slope"])


def varied(languages):
    """Return features of which fertility and size vary apart from each other, two languages without text."""
    rng = np.random.default_rng(6)
    found = {one: {"fertility": rng.uniform(1, 3), "pretraining_size": 2.0 ** rng.integers(1, 9)} for one in languages}
    for one in languages[-3:]:
        found[one] |= {"in_pretraining": "no", "pretraining_size": np.nan}
    return found


def test_together():
    """Each slope is that beside the others; languages without text stay in it."""
    own = varied(CODES)
    gain = {
        one: 2 * known["fertility"] + (0 if np.isnan(known["pretraining_size"]) else np.log2(known["pretraining_size"]))
        for one, known in own.items()
    }
    noise = np.random.default_rng(7).normal(0, 0.1, (2, len(CODES)))
    by_target = {
        target: {one: value + more for (one, value), more in zip(gain.items(), of_target, strict=True)}
        for target, of_target in zip(("xnli", "xquad"), noise, strict=True)
    }
    frame = regress(by_target, features(**own)).query("target == '' and terms == 'together'").set_index("predictor")
    assert list(frame.index) == ["in pretraining", "pretraining size", "fertility"]
    assert set(frame["languages"]) == {len(CODES)} and set(frame["degrees"]) == {len(CODES) - 4}
    assert frame["slope"]["fertility"] == pytest.approx(2, abs=0.2)
    assert frame["slope"]["pretraining size"] == pytest.approx(1, abs=0.1)
    assert (frame["variance_inflation"] > 1).all()
    alone = only(regress(by_target, features(**own)), target="", terms="alone", predictor="pretraining size")
    assert alone["left_out"] == ", ".join(CODES[-3:]) and alone["languages"] == len(CODES) - 3
    assert pd.isna(alone["variance_inflation"])


def test_too_many_predictors_together():
    own = varied(CODES[:6])
    own["bg"] |= {"script": "Cyrl"}
    own["de"] |= {"word_order": "SOV"}
    by_target, _ = drawn(8, CODES[:6])
    frame = regress(by_target, features(**own)).query("target == '' and terms == 'together'")
    assert set(frame["reason"]) == {"6 languages are too few for 4 predictors: 1 degrees of freedom are left"}


def test_predictors_that_say_the_same():
    by_target, known = drawn(9)
    known["shared_tokens"] = 50 - 10 * known["fertility"]
    frame = regress(by_target, known)
    assert only(frame, predictor="shared tokens", target="", terms="alone")["confounded"] == (
        "the same as fertility in these languages"
    )
    together = frame.query("target == '' and terms == 'together'")
    assert set(together["reason"]) == {"one predictor is a sum of the others in these languages"}


def test_targets_without_a_language_in_common():
    """The level of a target is known from its languages alone, which costs degrees of freedom."""
    rng = np.random.default_rng(10)
    languages = CODES[:8]
    known = features(**{one: {"fertility": rng.uniform(1, 3)} for one in languages})
    by_target = {
        "xnli": {one: rng.normal() for one in languages[:4]},
        "xquad": {one: rng.normal() for one in languages[4:]},
    }
    assert only(regress(by_target, known), predictor="fertility", target="")["degrees"] == 5


def test_the_table_of_a_whole_study(tmp_path):
    """One language is too few for anything; the source language is in no regression."""
    made = study(tmp_path, {("s", "none"): [50, 52], ("s", "nine"): [58, 60]})
    known, compared = analysed(made, language_features)
    plan = made.plan()
    frame = language_regression.collect(plan, tmp_path, compared, scores.collect(plan, tmp_path), known)
    assert language_regression.TABLE.problem(frame) is None
    assert set(frame["languages"]) <= {0, 1} and frame["slope"].isna().all() and (frame["reason"] != "").all()
    assert frame["predictor"].tolist() == list(language_regression.UNITS)


def test_gains_are_means_over_runs(tmp_path):
    plan = study(tmp_path, {("s", "none"): [50, 52], ("s", "nine"): [58, 61]}).plan()
    found = language_regression.gains_of(plan, scores.collect(plan, tmp_path))
    assert found[["language", "gain", "source"]].to_numpy().tolist() == [["de", 8.5, "en"]]


def test_columns_of_features_are_there():
    assert set(features().columns) == {column.name for column in language_features.COLUMNS}
