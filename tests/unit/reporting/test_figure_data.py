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
from tests.builders.figure_analyses import learning, mixture_sizes
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
    assert "lines: the range over examples" in note and "one run an arm: no verdict" in note
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


# -- mixture size


def sizes(*rows) -> pd.DataFrame:
    inputs = replace(hand_inputs(["small"]), analyses={"mixture_size": mixture_sizes(*rows)}.__getitem__)
    return mixture_size.frame(inputs)


LOST = {"kind": "leave one out", "mixture": "squad_v1", "left_out": "mnli", "tasks": 1, "estimate": 4.0}


def test_sizes_are_gains_in_points_and_a_baseline_has_none():
    none = {"mixture": "none", "tasks": 0, "row": math.nan, "estimate": math.nan, "verdict": ""}
    frame = sizes(none, {}, {"mixture": "nine", "tasks": 2, "estimate": 7.0, "verdict": "higher"}, LOST)
    columns = ["kind", "mixture", "tasks", "left_out", "target", "estimate", "verdict"]
    assert frame[columns].values.tolist() == [
        ["size", "mnli", 1, "", "mean", 1.5, "undecided"],
        ["size", "nine", 2, "", "mean", 7.0, "higher"],
        ["leave one out", "squad_v1", 1, "mnli", "mean", 4.0, "undecided"],
    ]
    assert frame.loc[0, ["low", "high", "interval"]].tolist() == [-0.5, 3.5, "runs and examples"]


def test_sizes_in_nats_are_not_drawn_and_the_mean_of_a_benchmark_is_named():
    frame = sizes({"outcome": "benchmark"}, {}, {"target": "xnli"}, {"target": "lm_loss", "scale": "nats"})
    assert frame["target"].tolist() == ["benchmark", "mean", "xnli"]


def drawn_sizes(*rows, **options):
    inputs = inputs_of(plan_of(["small"], MIXTURES, [1, 2]), **options)
    with matplotlib.rc_context(style.SETTINGS):
        return drawing.draw(mixture_size, replace(inputs, analyses={"mixture_size": mixture_sizes(*rows)}.__getitem__))


def test_steps_go_from_the_mean_of_one_size_to_that_of_the_next():
    single = {"mixture": "squad_v1", "estimate": 2.5}
    figure = drawn_sizes({}, single, {"mixture": "nine", "tasks": 3, "estimate": 6.0, "verdict": "higher"}, LOST)
    _, steps, *marks = figure.axes[0].lines
    # lines: a heading, two single tasks, a heading, nine, and a heading with what nine loses
    assert steps.get_xydata().tolist() == [[0, 0.5], [2, 0.5], [2, 3.5], [6, 3.5], [6, 5]]
    found = {mark.get_marker(): [] for mark in marks}
    for mark in marks:
        found[mark.get_marker()].append((mark.get_xydata().tolist(), to_hex(mark.get_markerfacecolor())))
    assert found == {
        "D": [([[4, 6.5]], "#ffffff")],
        "o": [([[1.5, 1.5], [2.5, 2.5]], "#ffffff"), ([[6, 4.5]], style.FIRST)],
    }


def test_targets_have_panels_of_their_own_where_a_page_has_room_for_them():
    targets = [{"target": f"target_{number}"} for number in range(8)]
    assert len(drawn_sizes({}, *targets).axes) >= 9
    singles = [{"mixture": f"mixture_{number}"} for number in range(40)]
    figure = drawn_sizes(*({**single, **target} for single in singles for target in ({}, *targets)))
    (axes,) = figure.axes
    assert axes.get_title(loc="left") == "small\nmean"
    assert figure.get_supxlabel().replace("\n", " ").endswith("Targets alone: in the table mixture_size.")


# -- learning curves


def curves(*rows, mixtures=("none", "mnli")) -> pd.DataFrame:
    inputs = replace(
        inputs_of(plan_of(["small"], mixtures, [1, 2])), analyses={"learning_curves": learning(*rows)}.__getitem__
    )
    return learning_curves.frame(inputs)


def test_a_point_of_a_curve_is_the_mean_over_runs_that_went_so_far():
    first = [{"step": 10, "value": 40.0}, {"step": 40, "value": 60.0}]
    second = [{"node": "targets/2", "seeds": "2", **point} for point in ({"step": 10, "value": 50.0}, {"step": 20})]
    frame = curves(*first, *second)
    assert frame[["step", "share", "value", "low", "high", "runs"]].values.tolist() == [
        [10, 25, 45, 40, 50, 2], [20, 50, 50, 50, 50, 1], [40, 100, 60, 60, 60, 1],
    ]  # fmt: skip
    assert frame[["phase", "targets", "unit", "mixtures"]].drop_duplicates().values.tolist() == [
        ["target", "xnli", "percent", "none"]
    ]


def test_a_dev_score_at_one_step_and_a_training_loss_are_no_curves():
    loss = [{"node": "targets/2", "curve": "training loss", "metric": "loss", "step": step} for step in (10, 20)]
    assert curves({}, *loss).empty


def test_curves_of_a_phase_that_serves_several_arms_are_one():
    rows = []
    for step in (10, 20):
        pretraining = {"phase": "pretraining", "node": "pretrained/1", "mixtures": "none, mnli", "metric": "loss"}
        rows.append({"targets": "xnli, xquad", **pretraining, "step": step})
        intermediate = {"phase": "intermediate", "node": "intermediate/1", "mixtures": "mnli"}
        rows.append({"targets": "xnli, xquad", **intermediate, "metric": "accuracy, f1", "step": step})
        rows += [{"node": f"targets/{mixture}", "mixtures": mixture, "step": step} for mixture in ("mnli", "none")]
    frame = curves(*rows)
    found = frame[["phase", "targets", "unit", "mixtures"]].drop_duplicates()
    # phases one after the other, mixtures in the order of the study
    assert found.values.tolist() == [
        ["pretraining", "", "nats", ""], ["intermediate", "", "percent", "mnli"],
        ["target", "xnli", "percent", "none"], ["target", "xnli", "percent", "mnli"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wished", "found"),
    [
        ([3.0, 1.0, 5.0], [3.0, 1.0, 5.0]),
        # as far above as below
        ([5.0, 5.0], [4.5, 5.5]),
        # 5.0, 4.2 and 3.9 for the first of them: 4.3667 on average
        ([5.0, 5.2, 5.9], [13.1 / 3, 16.1 / 3, 19.1 / 3]),
        ([0.0, 0.0, 9.9, 10.0], [0.0, 1.0, 9.0, 10.0]),
    ],
)
def test_labels_stand_apart_as_near_as_possible(wished, found):
    assert style.apart(wished, 1.0, 0.0, 10.0) == pytest.approx(found)


def test_frames_have_no_missing_value_but_where_nothing_is_to_say():
    inputs = hand_inputs()
    for module in (gain_matrix, gains_by_language, headline, learning_curves, mixture_size, spread):
        frame: pd.DataFrame = module.frame(inputs)
        missing = set(frame.columns[frame.isna().any()])
        assert missing <= {"chance", "low", "high"}
        assert module in (gains_by_language, headline) or not missing
