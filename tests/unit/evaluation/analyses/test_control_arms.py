"""Controls minus what they control for, by hand."""

from xstilts.evaluation.analyses import control_arms

from tests.builders.compared import analysed, only, study

MIXTURES = {
    "none": (), "mnli": ("mnli",), "shuffled": ("mnli",), "text": ("text",), "mnli+text": ("mnli", "text"),
    "german": ("mnli@de",),
}  # fmt: skip
SCORES = {("s", "none"): [50, 52], ("s", "mnli"): [60, 62], ("s", "shuffled"): [48, 50], ("s", "text"): [53, 55],
          ("s", "mnli+text"): [63, 65], ("s", "german"): [59, 61], ("l", "mnli"): [70, 72],
          ("l", "text"): [69, 71], ("x", "text"): [1, 2]}  # fmt: skip


def test_controls_minus_what_they_control_for(tmp_path):
    made = study(tmp_path, SCORES, mixtures=MIXTURES, shuffled=["shuffled"], languages={"text": ("en", "de")})
    frame, estimates = analysed(made, control_arms)
    assert frame.set_index(["kind", "model", "mixture", "controls_for"])["estimate"].to_dict() == {
        ("shuffled labels", "s", "shuffled", "mnli"): -12,
        ("text only", "s", "text", "mnli"): -7,
        ("text only", "l", "text", "mnli"): -1,
        ("text beside", "s", "mnli+text", "mnli"): 3,
        ("translated", "s", "german", "mnli"): -1,
    }
    row = only(frame, kind="shuffled labels")
    assert (row["target"], row["runs_a"], row["runs_b"], row["n"]) == ("xnli", 2, 2, 100)
    assert only(estimates, row=row["row"])["name"] == "control arm"


def test_a_study_without_controls_has_no_rows(tmp_path):
    scores = {("s", mixture): [50, 52] for mixture in ("none", "mnli")}
    assert analysed(study(tmp_path, scores, mixtures=MIXTURES), control_arms)[0].empty
