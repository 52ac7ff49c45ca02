"""Forgetting by hand: the loss of a language model, and retrieval without training."""

import pytest
from xstilts.evaluation.analyses import forgetting
from xstilts.store.study_plan import PlannedTarget

from tests.builders.compared import TATOEBA, XNLI, analysed, only, right
from tests.builders.predicted import Predicted

LOSS = PlannedTarget("lm_loss", "mlm", "loss", "en", "tiny")
TRAINED = PlannedTarget("text", "mlm", "loss", "en", "tiny", ("text",))
MIXTURES = {"none": (), "mnli": ("mnli",)}


def losses(**languages):
    """Return answers by language with this loss a position."""
    return {language: {"loss": [5 * loss] * 20, "positions": [5.0] * 20} for language, loss in languages.items()}


def study(folder, targets):
    made = Predicted(folder, targets, MIXTURES)
    answers = {
        "lm_loss": {"none": losses(en=2.0, de=3.0, fr=4.0), "mnli": losses(en=2.5, de=3.2, fr=4.6)},
        "tatoeba": {"none": right(de=50, fr=60), "mnli": right(de=40, fr=40)},
        "xnli": {"none": right(en=90, de=60), "mnli": right(en=90, de=70)},
    }
    answers["text"] = answers["lm_loss"]
    for target, entry in targets.items():
        for mixture in MIXTURES:
            for seed in (1, 2):
                made.add(("s", mixture), seed, target, answers[target][mixture], 50.0 if entry.trained_on else None)
    return made


def test_loss_by_language_and_retrieval(tmp_path):
    frame, estimates = analysed(study(tmp_path, {"xnli": XNLI, "tatoeba": TATOEBA, "lm_loss": LOSS}), forgetting)
    found = frame.set_index(["target", "language"])["estimate"].to_dict()
    assert found == pytest.approx(
        {
            ("tatoeba", ""): -15, ("lm_loss", ""): 0.4, ("lm_loss", "en"): 0.5, ("lm_loss", "de"): 0.2,
            ("lm_loss", "fr"): 0.6,
        }
    )  # fmt: skip
    assert set(frame["mixture"]) == {"mnli"}
    loss, retrieval = only(frame, target="lm_loss", language="en"), only(frame, target="tatoeba")
    assert (loss["scale"], loss["higher_is_better"]) == ("nats", False)
    assert (retrieval["scale"], retrieval["higher_is_better"]) == ("points", True)
    # untrained, all runs of the baseline are one
    assert (loss["runs_a"], loss["runs_b"], loss["n"]) == (2, 1, 20)
    assert only(estimates, row=loss["row"])["name"] == "loss in a language"
    # every example changes alike, which says nothing of others
    assert loss["low"] == pytest.approx(0.5) and loss["verdict"] == ""


def test_where_all_is_trained_nothing_can_be_seen(tmp_path):
    assert analysed(study(tmp_path, {"xnli": XNLI, "text": TRAINED}), forgetting)[0].empty
