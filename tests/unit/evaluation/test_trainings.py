"""The trainings behind predictions, in a plan with nodes of every stage."""

import yaml
from xstilts.evaluation import trainings
from xstilts.evaluation.trainings import INTERMEDIATE, PRETRAINING, TARGET

from tests.builders.plans import plan_study
from tests.builders.projects import ROOT

STAGES = yaml.safe_load((ROOT / "tests/studies/every_stage.yaml").read_text())


def test_trainings_from_the_last_to_the_first(tmp_path):
    """LoRA in the target phase, two stages of a target, vectors, a model pretrained here, searched learning rates."""
    xcopa = {"xcopa": {"trained_on": ["commonsenseqa", "copa"]}}
    study = {**STAGES, "targets": {"xnli": None, "tatoeba": None, **xcopa}, "languages": ["en", "qab"], "seeds": [1]}
    plan = plan_study(tmp_path, study).study_plan
    found = {
        (cell.mixture, cell.target): [
            (training.phase, training.search is not None) for training in trainings.behind(plan, cell.node)
        ]
        for cell in plan.cells
    }
    base = [(PRETRAINING, False)]
    intermediate = [(INTERMEDIATE, True), *base]
    assert found == {
        ("none", "xnli"): [(TARGET, False), *base],
        ("none", "tatoeba"): base,
        ("none", "xcopa"): [(TARGET, False), (TARGET, False), *base],
        ("three", "xnli"): [(TARGET, False), *intermediate],
        ("three", "tatoeba"): intermediate,
        ("three", "xcopa"): [(TARGET, False), (TARGET, False), *intermediate],
        # the trainings of both models that are merged
        ("merged", "xnli"): [(TARGET, False), (INTERMEDIATE, True), *intermediate],
        ("merged", "tatoeba"): [(INTERMEDIATE, True), *intermediate],
        ("merged", "xcopa"): [(TARGET, False), (TARGET, False), (INTERMEDIATE, True), *intermediate],
    }
    searches = {one.search for cell in plan.cells for one in trainings.behind(plan, cell.node) if one.search}
    assert {name.partition("/")[0] for name in searches} == {"learning_rates"}
