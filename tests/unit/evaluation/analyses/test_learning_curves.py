"""Learning curves by hand, from the histories of trainings."""

import json

from xstilts.evaluation.analyses import learning_curves

from tests.builders.compared import PAWSX, XNLI, analysed, study

SCORES = {("s", "none"): [60, 62], ("s", "nine"): [66, 68]}


def history(made, node, evaluations=(), losses=()):
    folder = made.results / node
    folder.mkdir(parents=True)
    (folder / "history.json").write_text(json.dumps({"evaluations": evaluations, "losses": losses}))


def test_curves_of_the_trainings_whose_history_is_there(tmp_path):
    made = study(tmp_path, SCORES, {"xnli": XNLI, "pawsx": PAWSX})
    losses = [{"step": 10, "mnli": 1.5, "qqp": 0.9}, {"step": 20, "mnli": 1.25}]
    history(made, "intermediate/s.r.nine.s2", [{"step": 10, "score": 40}], losses)
    history(made, "targets/s.r.none.s1.xnli", [{"step": 5, "score": 50.5}, {"step": 9, "score": 52.0}],
            [{"step": 5, "xnli": 0.7}])  # fmt: skip
    frame, _ = analysed(made, learning_curves)
    columns = ["phase", "curve", "task", "metric", "step", "value"]
    assert frame[columns].values.tolist() == [
        ["target", "dev score", "xnli", "accuracy", 5, 50.5],
        ["target", "dev score", "xnli", "accuracy", 9, 52.0],
        ["target", "training loss", "xnli", "loss", 5, 0.7],
        # a mean over tasks is of none of them
        ["intermediate", "dev score", "", "accuracy", 10, 40.0],
        ["intermediate", "training loss", "mnli", "loss", 10, 1.5],
        ["intermediate", "training loss", "qqp", "loss", 10, 0.9],
        ["intermediate", "training loss", "mnli", "loss", 20, 1.25],
    ]
    assert set(frame["node"]) == {"intermediate/s.r.nine.s2", "targets/s.r.none.s1.xnli"}


def test_what_shares_a_training_is_named(tmp_path):
    shared = {"xnli": XNLI, "pawsx": PAWSX, "again": XNLI}
    made = study(tmp_path, SCORES, shared)
    for node in ("intermediate/s.r.nine.s2", "targets/s.r.none.s1.xnli"):
        history(made, node, losses=[{"step": 1, "t": 1.0}])
    frame, _ = analysed(made, learning_curves)
    axes = ["worlds", "models", "recipes", "mixtures", "seeds", "targets"]
    assert frame.set_index("phase")[axes].T.to_dict("list") == {
        "target": ["", "s", "r", "none", "1", "xnli, again"],
        "intermediate": ["", "s", "r", "nine", "2", "xnli, pawsx, again"],
    }


def test_without_a_history_there_are_no_rows(tmp_path):
    assert analysed(study(tmp_path, SCORES), learning_curves)[0].empty
