"""The rows of a study's answer in the table of estimates, on studies whose predictions are made by hand."""

import numpy as np
import pytest
from scipy import special
from xstilts.store.answer import Budget, Contrast, Family
from xstilts.store.study_plan import Benchmark, BenchmarkTask, PlannedTarget

from tests.builders.compared import MIXTURES, PAWSX, TATOEBA, XNLI, answer, collect, contrast, only, right, study
from tests.builders.predicted import Predicted, correct


def large_and_small(folder, singles=("mnli",), **settings):
    scores = {("s", "nine"): [64, 66], ("l", "nine"): [88, 90]}
    for index, single in enumerate(singles):
        scores |= {("s", single): [60 - index, 62 - index], ("l", single): [80 - index, 82 - index]}
    return study(folder, scores, **settings)


def test_answer_by_size_and_the_interaction(tmp_path):
    families = {"f": Family(small="s", large="l")}
    frame = collect(large_and_small(tmp_path), answer=answer(families=families))
    main = frame[(frame["outcome"] == "zero-shot") & (frame["scale"] == "points")]
    keys = ["kind", "size", "model", "a", "b", "budget", "family", "estimate", "primary"]
    assert main[keys].values.tolist() == [
        ["difference", "small", "s", "nine", "mnli", "equal epochs", "f", pytest.approx(4), True],
        ["difference", "large", "l", "nine", "mnli", "equal epochs", "f", pytest.approx(8), True],
        ["interaction", "", "", "nine", "mnli", "equal epochs", "f", pytest.approx(4), True],
    ]
    row = only(frame, outcome="zero-shot", scale="log-odds")
    logits = special.logit(np.array([0.89, 0.81, 0.65, 0.61]))
    assert row["estimate"] == pytest.approx(logits @ [1, -1, -1, 1]) and not row["primary"]
    assert (row["runs_a"], row["runs_b"], row["kind"]) == (2, 2, "interaction")
    # four arms, each with a variance between runs of 2
    row = only(frame, outcome="zero-shot", kind="interaction", scale="points")
    assert row["run_part"] == pytest.approx(np.sqrt(4 * 2 / 2))
    assert frame.loc[frame["outcome"] == "source language", "estimate"].tolist() == [0, 0, 0, 0]


def test_first_budget_recipe_and_the_kinds_that_are_named_are_primary(tmp_path):
    made = large_and_small(tmp_path)
    for recipe, model, mixture in (("t", "s", "nine"), ("t", "s", "mnli")):
        for seed in (1, 2):
            made.add((model, mixture), seed, "xnli", right(en=90, de=50), recipe=recipe)
    budget = Budget(multi="nine", single="mnli", singles=("mnli",))
    asked = answer(
        families={"f": Family(small="s", large="l")}, recipes=("r", "t"), primary=("interaction",),
        budgets={"equal epochs": budget, "equal steps": budget},
    )  # fmt: skip
    frame = collect(made, answer=asked)
    row = only(frame, primary=True)
    assert (row["kind"], row["recipe"], row["budget"], row["scale"]) == (
        "interaction", "r", "equal epochs", "points"
    )  # fmt: skip
    # the other recipe is of the small model alone
    assert set(frame.loc[frame["recipe"] == "t", "size"]) == {"small"}


def with_dev(folder, dev, scores, targets=None):
    """Return a study with dev scores by mixture, a list with that of each seed."""
    made = Predicted(folder, targets or {"xnli": XNLI}, MIXTURES)
    for mixture, of_seeds in scores.items():
        for seed, percent in enumerate(of_seeds, start=1):
            for target, entry in made.targets.items():
                of_dev = dev.get(mixture, [50] * 9)[seed - 1] if entry.trained_on else None
                made.add(("s", mixture), seed, target, right(en=90, de=percent), of_dev)
    return made


def test_best_single_task_is_chosen_in_every_run(tmp_path):
    """By dev scores, not by what it will be measured by; choosing is in its variance between runs."""
    dev = {"mnli": [70, 70, 60], "squad_v1": [60, 80, 70]}
    scores = {"nine": [80, 82, 84], "mnli": [60, 70, 70], "squad_v1": [70, 50, 56]}
    made = with_dev(tmp_path, dev, scores)
    frame = collect(made, answer=answer("best", ("mnli", "squad_v1")))
    row = only(frame, b="best single", outcome="zero-shot")
    assert row["estimate"] == pytest.approx(82 - np.mean([60, 50, 56]))
    assert (row["chosen"], row["primary"], row["runs_b"]) == ("squad_v1 2, mnli 1", True, 3)
    # between the runs of nine, and between those of the choice
    assert row["run_sd"] == pytest.approx(np.sqrt((4 + np.var([60, 50, 56], ddof=1)) / 2))
    oracle = only(frame, b="oracle single", outcome="zero-shot")
    assert oracle["estimate"] == pytest.approx(82 - 70)
    assert (oracle["chosen"], oracle["primary"]) == ("mnli 2, squad_v1 1", False)


def test_collapsed_candidate_counts_where_it_is_chosen(tmp_path):
    made = Predicted(tmp_path, {"xnli": XNLI}, MIXTURES)
    for seed in (1, 2, 3):
        made.add(("s", "nine"), seed, "xnli", right(en=90, de=80 + seed))
        made.add(("s", "mnli"), seed, "xnli", right(en=90, de=60 + seed), 70)
        made.add(("s", "squad_v1"), seed, "xnli", right(en=90, de=64 + seed), 60, collapsed=seed == 2)
    asked = answer("best", ("mnli", "squad_v1"))
    frame = collect(made, answer=asked)
    best = only(frame, b="best single", outcome="zero-shot")
    assert (best["chosen"], best["collapsed"], best["runs_used"]) == ("mnli 3", 0, "all")
    everything, without = frame[(frame["b"] == "oracle single") & (frame["outcome"] == "zero-shot")].to_dict("records")
    assert everything["collapsed"] == without["collapsed"] == 1
    assert (everything["chosen"], without["chosen"]) == ("squad_v1 3", "squad_v1 2, mnli 1")


def chosen_by(folder, dev, **changes):
    """Return which single task is chosen; ``dev`` has scores by target of mnli and of squad_v1."""
    targets = {
        "xnli": XNLI, "pawsx": PAWSX,
        "xquad": PlannedTarget("xquad", "classification", "accuracy", "en", "tiny", ("squad_v1",)),
        "mlqa": PlannedTarget("mlqa", "classification", "accuracy", "en", "tiny", ("squad_v1",)),
        "lareqa": PlannedTarget("lareqa", "retrieval", "mean_average_precision", "en", "tiny", ("lareqa",)),
    }  # fmt: skip
    made = Predicted(folder, {name: targets[name] for name in dev}, MIXTURES)
    for index, mixture in enumerate(("mnli", "squad_v1", "nine")):
        for seed in (1, 2):
            for target, of_mixtures in dev.items():
                right = {"average_precision": [0.5] * 10} if target == "lareqa" else correct(10, 5)
                made.add(("s", mixture), seed, target, {"en": right, "de": right}, (*of_mixtures, 50)[index])
    frame = collect(made, answer=answer("best", ("mnli", "squad_v1"), **changes.pop("answer", {})), **changes)
    return set(frame.loc[frame["b"] == "best single", "chosen"])


def test_best_single_task_is_that_of_all_targets_whatever_else_is_compared(tmp_path):
    """On xnli alone it would be mnli; pawsx is in no outcome of the answer."""
    task = BenchmarkTask(languages=("en", "de"), metrics=("accuracy",), group="sentence", layout="")
    asked = {"answer": {"outcome": "benchmark"}, "benchmark": Benchmark("b", "B", "", {"xnli": task})}
    dev = {"xnli": (70, 60), "pawsx": (40, 60)}
    assert chosen_by(tmp_path / "1", dev, **asked) == {"squad_v1 2"}
    contrasts = {"other": Contrast("mixture", ("nine", "mnli"), ("pawsx",))}
    assert chosen_by(tmp_path / "2", dev, contrasts=contrasts, **asked) == {"squad_v1 2"}


def test_best_single_task_is_chosen_by_every_training_once(tmp_path):
    """The mean over trainings is 61 and 60, and over targets 57 and 60."""
    assert chosen_by(tmp_path, {"xnli": (72, 60), "xquad": (50, 60), "mlqa": (50, 60)}) == {"mnli 2"}


def test_retrieval_takes_the_single_task_that_is_chosen_on_the_others(tmp_path):
    assert chosen_by(tmp_path, {"xnli": (70, 60), "lareqa": (10, 90)}) == {"mnli 2"}


def test_target_without_training_takes_the_choice_made_on_the_others(tmp_path):
    dev = {"mnli": [70, 70], "squad_v1": [60, 80]}
    scores = {"nine": [80, 82], "mnli": [60, 62], "squad_v1": [70, 72]}
    made = with_dev(tmp_path, dev, scores, {"xnli": XNLI, "tatoeba": TATOEBA})
    frame = collect(made, answer=answer("best", ("mnli", "squad_v1")))
    row = only(frame, b="best single", target="tatoeba")
    assert (row["chosen"], row["estimate"]) == ("mnli 1, squad_v1 1", pytest.approx(81 - 66))
    assert only(frame, b="oracle single", target="tatoeba")["chosen"] == "squad_v1 2"


def test_mean_single(tmp_path):
    made = with_dev(tmp_path, {}, {"nine": [80, 82], "mnli": [60, 62], "squad_v1": [70, 74]})
    frame = collect(made, answer=answer("mean", ("mnli", "squad_v1")))
    row = only(frame, b="mean single", outcome="zero-shot")
    assert row["estimate"] == pytest.approx(81 - (61 + 72) / 2) and row["chosen"] == ""
    # variances 2 of nine, and 10 / 2 of the single tasks; coefficients 1, 1/2, 1/2 over two runs
    assert row["run_part"] == pytest.approx(np.sqrt((2 + 5 / 2) / 2))
    assert only(frame, b="oracle single", outcome="zero-shot")["estimate"] == pytest.approx(81 - 72)


def test_without_the_data_of_any_mixture_compared(tmp_path):
    targets = {"xnli": XNLI, "pawsx": PAWSX, "tatoeba": TATOEBA}
    scores = {("s", "nine"): [64, 66], ("s", "mnli"): [60, 62]}
    frame = collect(study(tmp_path, scores, targets), answer=answer())
    assert only(frame, outcome="zero-shot", target="")["targets"] == 3
    row = only(frame, outcome="without same data")
    assert (row["targets"], row["languages"]) == (1, 1)
    # retrieval is left out, and not the rest
    assert only(frame, outcome="without retrieval")["targets"] == 2
    assert set(frame["target"]) == {"", "xnli", "pawsx", "tatoeba"}


def test_controls_are_apart(tmp_path):
    made = Predicted(tmp_path, {"xnli": XNLI}, MIXTURES)
    for mixture, control in (("nine", 30), ("mnli", 50)):
        for seed in (1, 2):
            made.add(("s", mixture), seed, "xnli", right(en=90, de=60 + seed, qae=control))
    contrasts = {"gain": Contrast("mixture", ("nine", "mnli"))}
    frame = collect(made, answer=answer(controls=("qae",)), contrasts=contrasts)
    assert only(frame, name="answer", outcome="zero-shot")["estimate"] == 0
    assert only(frame, name="gain")["estimate"] == 0
    row = only(frame, outcome="control languages")
    assert (row["estimate"], row["languages"], row["n"]) == (pytest.approx(-20), 1, 100)


def test_benchmark_with_several_metrics(tmp_path):
    """Half of a question-answering task is its F1, half its exact match, in the source language too."""
    target = PlannedTarget("xquad", "span", "f1", "en", "tiny", ("squad_v1",))
    task = BenchmarkTask(languages=("en", "de"), metrics=("f1", "exact_match"), group="qa", layout="")
    made = Predicted(tmp_path, {"xquad": target}, MIXTURES)
    for mixture, f1, match in (("nine", 0.8, 0.6), ("mnli", 0.7, 0.4)):
        for seed in (1, 2):
            of_language = {"f1": [f1] * 10, "exact_match": [match] * 10}
            made.add(("s", mixture), seed, "xquad", {"en": {"f1": [0.9] * 10, "exact_match": [0.9] * 10},
                                                     "de": of_language})  # fmt: skip
    frame = collect(made, answer=answer(outcome="benchmark"), benchmark=Benchmark("b", "B", "", {"xquad": task}))
    row = only(frame, outcome="benchmark")
    assert row["estimate"] == pytest.approx((10 + 20) / 4) and (row["n"], row["languages"]) == (20, 2)
    assert only(frame, outcome="without source language")["estimate"] == pytest.approx((10 + 20) / 2)


def test_losses_are_in_nats_and_never_averaged(tmp_path):
    loss = PlannedTarget("lm_loss", "mlm", "loss", "en", "tiny")
    made = Predicted(tmp_path, {"xnli": XNLI, "lm_loss": loss}, MIXTURES)
    for mixture, nats in (("nine", 2.0), ("mnli", 2.5)):
        for seed in (1, 2):
            made.add(("s", mixture), seed, "xnli", right(en=90, de=60 + seed))
            made.add(("s", mixture), seed, "lm_loss", {"de": {"loss": [nats + seed] * 5, "positions": [1] * 5}}, None)
    frame = contrast(made, "nine", "mnli")
    targets = ("lm_loss", "xnli")
    assert only(contrast(made, "nine", "mnli", primary=True, targets=targets), primary=True)["target"] == "xnli"
    row = only(frame, target="lm_loss")
    assert (row["scale"], row["estimate"]) == ("nats", pytest.approx(-0.5))
    assert set(frame["target"]) == {"xnli", "lm_loss"}
