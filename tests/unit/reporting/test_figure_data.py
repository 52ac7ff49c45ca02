"""The data of the figures, on hand cases; no pixels."""

import math
from dataclasses import replace

import matplotlib
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from xstilts.reporting.figures import (
    drawing,
    gain_matrix,
    gains_by_language,
    headline,
    languages,
    learning_curves,
    mixture_size,
    spread,
    style,
)
from xstilts.reporting.figures.inputs import FigureInputs
from xstilts.store.answer import Answer
from xstilts.store.study_plan import PlannedLanguage, PlannedTarget

from tests.builders.estimates import estimates
from tests.builders.figure_inputs import answer_of, gains_of, inputs_of, plan_of
from tests.builders.study_plans import study_plan

MIXTURES = ["none", "mnli", "squad_v1", "nine"]
# the score of a mixture in its two runs, whatever target and language
SCORES = {"none": (40, 41), "mnli": (50, 51), "squad_v1": (44, 48), "nine": (52, 54)}


def with_scores(inputs: FigureInputs, scores=SCORES, **changes) -> FigureInputs:
    """Return inputs in which the score depends on mixture and seed alone."""
    frame = inputs.scores
    values = [scores[mixture][seed - 1] for mixture, seed in zip(frame["mixture"], frame["seed"], strict=True)]
    return replace(inputs, scores=frame.assign(score=[float(value) for value in values]), **changes)


def hand_inputs(models=("small", "large"), worlds=()) -> FigureInputs:
    return with_scores(inputs_of(plan_of(list(models), MIXTURES, [1, 2], worlds)))


# -- headline


def headline_of(*rows, worlds=()):
    inputs = hand_inputs(worlds=worlds)
    return headline.frame(replace(inputs, estimates=estimates(*rows)))


def answer_rows(**changes):
    return answer_of(plan_of(["small", "large"], MIXTURES, [1, 2]), **changes)


def test_runs_are_points_from_the_mean_of_the_single_task():
    small, large, interaction = answer_rows(estimate=2.5, chosen="mnli 2")
    frame = headline_of(small, large, interaction)
    rows = frame[frame["model"] == "small"]
    assert rows[["what", "mixture", "value"]].values.tolist() == [
        ["estimate", "", 2.5],
        ["several tasks", "nine", 1.5],
        ["several tasks", "nine", 3.5],
        ["single task", "mnli", -0.5],
        ["single task", "mnli", 0.5],
    ]
    assert rows.iloc[0][["low", "high", "interval", "verdict"]].tolist() == [0.2, 2.2, "runs and examples", "higher"]
    assert frame.loc[frame["kind"] == "interaction", "what"].tolist() == ["estimate"]


def test_the_single_task_may_be_another_one_in_another_run():
    (row, *_) = answer_rows(chosen="mnli 1, squad_v1 1")
    frame = headline_of(row)
    assert frame.loc[frame["what"] == "single task", "mixture"].tolist() == ["mnli", "mnli", "squad_v1", "squad_v1"]


def test_only_the_main_outcome_over_all_runs_is_in_the_headline():
    main = answer_rows()[0]
    others = [
        {**main, "outcome": "control languages"}, {**main, "target": "xnli"}, {**main, "scale": "log-odds"},
        {**main, "b": "oracle single"}, {**main, "runs_used": "without collapsed"}, {**main, "name": "claim 2"},
    ]  # fmt: skip
    assert headline_of(main).equals(headline_of(main, *others))


def test_of_several_worlds_every_world_is_a_dot():
    main = answer_rows(worlds=2.0, interval="worlds")[0]
    frame = headline_of(
        main, {**main, "world": 1.0, "estimate": 3.0}, {**main, "world": 2.0, "estimate": -1.0}, worlds=(1, 2)
    )
    assert frame[["what", "value"]].values.tolist() == [["estimate", 1.2], ["world", 3.0], ["world", -1.0]]


# -- gain matrix


def gains(*rows, plan=None):
    inputs = inputs_of(plan or plan_of(["small"], MIXTURES, [1, 2]))
    return gain_matrix.frame(replace(inputs, estimates=estimates(*rows)))


def test_gains_in_the_order_of_the_study_the_mean_last():
    plan = plan_of(["small"], MIXTURES, [1, 2])
    frame = gains(*reversed(gains_of(plan)))
    assert frame["mixture"].drop_duplicates().tolist() == ["mnli", "squad_v1", "nine"]
    assert frame["target"].tolist() == ["xnli", "xquad", "mean"] * 3
    assert frame.iloc[0][["estimate", "verdict", "runs"]].tolist() == [1.5, "undecided", 3]
    assert frame.iloc[0][["low", "high"]].tolist() == pytest.approx([-1.8, 4.8])


def test_only_gains_on_all_targets_or_one_over_all_worlds_and_runs_are_in_the_matrix():
    mean, of_target, *_ = gains_of(plan_of(["small"], MIXTURES, [1, 2]))
    others = [
        {**mean, "targets": 1, "estimate": 9.0}, {**of_target, "world": 1.0}, {**of_target, "b": "mnli"},
        {**of_target, "runs_used": "without collapsed"}, {**of_target, "outcome": "source language"},
        {**of_target, "a": "best by target"},
    ]  # fmt: skip
    assert gains(*others, mean, of_target, {**of_target, "target": "xquad"})["estimate"].tolist() == [1.5, 1.5, 12.3]


def test_only_decided_cells_have_a_colour_and_no_gain_would_be_that_in_the_middle():
    inputs = inputs_of(plan_of(["small"], MIXTURES, [1, 2]))
    with matplotlib.rc_context(style.SETTINGS):
        figure = drawing.draw(gain_matrix, inputs)
        colours = style.diverging(inputs.options)
    frame = gain_matrix.frame(inputs)
    cells = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    found = {verdict: to_hex(cell.get_facecolor()) for verdict, cell in zip(frame["verdict"], cells, strict=True)}
    assert found["undecided"] == found["equivalent"] == "#ffffff"
    # 12.3 is the largest gain, and -11.1 lies as far from the middle as it is from 0
    assert found["higher"] == to_hex(colours(1.0))
    assert found["lower"] == to_hex(colours((1 - 11.1 / 12.3) / 2))


def test_colours_have_a_legend_where_there_are_some():
    of_all, of_one_run = (inputs_of(plan_of(["small"], MIXTURES, seeds)) for seeds in ([1, 2], [1]))
    with matplotlib.rc_context(style.SETTINGS):
        (legend,) = drawing.draw(gain_matrix, of_all).legends
        colours = style.diverging(of_all.options)
        assert drawing.draw(gain_matrix, of_one_run).legends == []
    minus = "\N{MINUS SIGN}"
    assert [text.get_text() for text in legend.get_texts()] == [f"{minus}12.3", f"{minus}6.2", "+6.2", "+12.3"]
    shown = [to_hex(patch.get_facecolor()) for patch in legend.get_patches()]
    assert shown == [to_hex(colours(share)) for share in (0.0, 0.25, 0.75, 1.0)]


# -- gains by language


def by_language(*rows):
    """Return inputs whose analysis of gains by language has these rows, by what differs from a usual one."""
    inputs = inputs_of(plan_of(["small"], MIXTURES, [1, 2]))
    usual = {
        "world": math.nan, "model": "small", "recipe": "r", "mixture": "nine", "target": "xnli", "metric": "accuracy",
        "language": "de", "role": "other", "baseline": 40.5, "chance": 100 / 3, "gain": 12.5, "low": 9.5, "high": 15.5,
        "interval": "runs and examples", "verdict": "higher",
    }  # fmt: skip
    return replace(inputs, analyses=lambda name: {"language_gains": pd.DataFrame([usual | row for row in rows])}[name])


def test_gains_by_language_have_the_intervals_of_their_analysis():
    frame = gains_by_language.frame(by_language({}, {"target": "xquad", "metric": "f1", "chance": math.nan}))
    assert frame[["gain", "low", "high", "verdict"]].values.tolist() == [[12.5, 9.5, 15.5, "higher"]] * 2
    assert frame["chance"].tolist() == pytest.approx([100 / 3 - 40.5, math.nan], nan_ok=True)


def test_gains_by_language_of_several_worlds_are_those_over_all_of_them():
    frame = gains_by_language.frame(by_language({"interval": "worlds"}, {"world": 1.0, "gain": 9.0}, {"world": 2.0}))
    assert frame[["gain", "interval"]].values.tolist() == [[12.5, "worlds"]]


def test_a_gain_in_a_language_is_filled_where_it_is_decided():
    verdicts = ("higher", "undecided", "lower", "equivalent")
    rows = [{"gain": place, "verdict": verdict} for place, verdict in enumerate(verdicts)]
    inputs = by_language(*({**row, "language": code} for row, code in zip(rows, ("de", "hi", "sw", "zh"), strict=True)))
    with matplotlib.rc_context(style.SETTINGS):
        figure = drawing.draw(gains_by_language, inputs)
    marks = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    faces = {verdicts[int(x)]: to_hex(line.get_markerfacecolor()) for line in marks for x in line.get_xdata()}
    assert faces == {**dict.fromkeys(verdicts, style.FIRST), "undecided": "#ffffff"}
    filled = "Filled: higher or lower, or equivalent within 1 point, at 5 %, not corrected for their number."
    assert f"{filled} Open: undecided." in said(figure)


def test_a_note_says_what_a_line_is_over_and_what_is_not_zero_shot():
    one_run = {"interval": "examples only", "verdict": "", "role": "labelled"}
    with matplotlib.rc_context(style.SETTINGS):
        note = said(drawing.draw(gains_by_language, by_language(one_run)))
    assert "lines: the range over examples" in note and "one run an arm or all collapsed: no verdict" in note
    assert "not zero-shot" in note and "Filled" not in note


def said(figure):
    """Return the note below a figure."""
    return figure.get_supxlabel().replace("\n", " ")


def test_a_loss_in_nats_has_no_gain_in_points():
    target = PlannedTarget("text", "mlm", "loss", "en", "tiny")
    plan = plan_of(["small"], ["none", "mnli"], [1], targets={"mlm": target}, cells=())
    scores = inputs_of(plan_of(["small"], ["none", "mnli"], [1])).scores.assign(target="mlm", metric="loss")
    assert spread.frame(replace(by_language({}), plan=plan, scores=scores)).empty
    assert gains_by_language.frame(by_language({"target": "mlm", "metric": "loss"})).empty


def test_languages_stand_in_groups_the_source_first_and_controls_last():
    asked = Answer(budgets={}, families={}, recipes=(), controls=("sw",))
    features = {
        "zh": ("Hans", "Sino-Tibetan, Sinitic"), "de": ("Latn", "Indo-European, Germanic"), "sw": ("Latn", "Bantu"),
        "hi": ("Deva", "Indo-European, Indo-Aryan"), "ur": ("Arab", "Indo-European, Indo-Aryan"),
        "tr": ("Latn", "Turkic, Oghuz"), "en": ("Latn", "Indo-European, Germanic"),
    }  # fmt: skip
    known = {code: PlannedLanguage(name=code, script=script, family=of) for code, (script, of) in features.items()}
    plan = study_plan(answer=asked, languages=known)
    found = languages.groups(["zh", "de", "sw", "hi", "en", "ur", "tr", "xx"], ["en"], plan)
    assert [(group.name, list(group.languages)) for group in found] == [
        ("source language", ["en"]), ("Indo-European", ["ur", "hi", "de"]), ("Sino-Tibetan", ["zh"]),
        ("Turkic", ["tr"]), ("family unknown", ["xx"]), ("control languages", ["sw"]),
    ]  # fmt: skip
    assert found[1].languages == {"ur": "Arab", "hi": "Deva", "de": "Latn"}


def test_languages_of_a_made_up_world_are_in_the_order_of_their_distance():
    made_up = PlannedLanguage(name="Betan", script="Latn", family="made up")
    plan = study_plan(languages=dict.fromkeys(("qab", "qad", "qae"), made_up), distance={"qad": 3, "qab": 1, "qae": 4})
    (group,) = languages.groups(["qad", "qae", "qab"], ["en"], plan)
    assert (group.name, list(group.languages)) == ("made up", ["qab", "qad", "qae"])


# -- spread


def test_runs_deviate_from_the_mean_of_their_arm():
    frame = spread.frame(hand_inputs(["small"]))
    rows = frame.query("mixture == 'squad_v1' and target == 'mean'")
    assert rows[["value", "deviation", "runs"]].values.tolist() == [[44, -2, 2], [48, 2, 2]]
    assert rows["sd"].unique() == pytest.approx([math.sqrt(8)])
    assert frame["target"].unique().tolist() == ["mean", "xnli", "xquad"]


def test_runs_of_several_worlds_deviate_within_their_world():
    inputs = hand_inputs(["small"], worlds=(1, 2))
    higher = inputs.scores["score"] + 10.0 * (inputs.scores["world"] == 2)
    frame = spread.frame(replace(inputs, scores=inputs.scores.assign(score=higher)))
    rows = frame.query("mixture == 'squad_v1' and target == 'xnli'")
    assert rows["deviation"].tolist() == [-2, 2, -2, 2]
    # four runs, of which two means are taken
    assert rows["sd"].unique() == pytest.approx([math.sqrt(16 / 2)])


def test_a_run_that_collapsed_is_marked():
    inputs = hand_inputs(["small"])
    collapsed = (
        (inputs.scores["mixture"] == "nine") & (inputs.scores["seed"] == 1) & (inputs.scores["target"] == "xnli")
    )
    frame = spread.frame(replace(inputs, scores=inputs.scores.assign(collapsed=collapsed)))
    marked = frame[frame["collapsed"]]
    assert marked[["mixture", "seed"]].drop_duplicates().values.tolist() == [["nine", 1]]
    assert marked["target"].tolist() == ["mean", "xnli"]


def test_frames_have_no_missing_value_but_where_nothing_is_to_say():
    inputs = hand_inputs()
    for module in (gain_matrix, gains_by_language, headline, learning_curves, mixture_size, spread):
        frame: pd.DataFrame = module.frame(inputs)
        missing = set(frame.columns[frame.isna().any()])
        assert missing <= {"chance", "low", "high"}
        assert module in (gains_by_language, headline) or not missing
