"""Learning curves: the data that are drawn, and names and looks of curves, by hand."""

from dataclasses import replace

import matplotlib
import pandas as pd
from xstilts.reporting.figures import drawing, learning_curves, style
from xstilts.reporting.figures.inputs import FigureInputs

from tests.builders.figure_analyses import learning
from tests.builders.figure_inputs import inputs_of, plan_of


def with_curves(*rows) -> FigureInputs:
    inputs = inputs_of(plan_of(["small"], ["none", "mnli"], [1, 2]))
    return replace(inputs, analyses={"learning_curves": learning(*rows)}.__getitem__)


def curves(*rows) -> pd.DataFrame:
    return learning_curves.frame(with_curves(*rows))


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


def drawn(*rows):
    with matplotlib.rc_context(style.SETTINGS):
        return drawing.draw(learning_curves, with_curves(*rows))


def test_a_mixture_has_its_name_and_its_look_at_the_end_of_its_curve():
    rows = [{"node": f"targets/{one}", "mixtures": one, "step": step} for one in ("none", "mnli") for step in (10, 20)]
    axes = drawn(*rows).axes[0]
    assert sorted(text.get_text() for text in axes.texts) == ["mnli", "none"]
    curves = {line.get_linestyle(): line.get_color() for line in axes.lines if len(line.get_xdata()) == 2}
    assert curves == {"--": style.TEXT, "-": style.FIRST}


def test_pretraining_has_a_curve_without_a_name():
    of_all = {"phase": "pretraining", "node": "pretrained/1", "mixtures": "none, mnli", "metric": "loss"}
    axes = drawn(*({**of_all, "step": step} for step in (10, 20))).axes[0]
    assert not axes.texts and axes.lines[0].get_color() == style.MUTED
