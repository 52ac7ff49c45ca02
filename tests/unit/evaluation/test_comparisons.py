"""Which results of a study a comparison is made from."""

import pytest
from xstilts.evaluation.comparisons import ANSWER, comparisons, needed
from xstilts.evaluation.planned_examples import planned_examples

from tests.builders.plans import plan_study

STUDY = {
    "description": "x",
    "source": "miniature",
    "models": ["mini-small", "mini-large"],
    "recipes": {"mini": {"intermediate": {}, "target": {}}},
    "mixtures": ["none", "mnli", "squad_v1", "nine"],
    "targets": {"xnli": None, "tydiqa": None, "tatoeba": None},
    "seeds": [1, 2],
    "answer": {
        "budgets": {"equal epochs": {"multi": "nine", "single": "best"}},
        "families": {"mini": {"small": "mini-small", "large": "mini-large"}},
    },
    "contrasts": {"gain": {"mixture": ["nine", "none"], "targets": ["tydiqa"], "models": ["mini-large"]}},
}
SINGLES = {"mnli", "squad_v1"}


@pytest.fixture
def plan(tmp_path):
    return plan_study(tmp_path, STUDY).study_plan


def of(plan, **asked):
    """Return the cells that the one comparison in points on TyDiQA with these values is made from."""
    rows = {target: planned.rows for target, planned in planned_examples(plan).items()}
    (one,) = (
        one
        for one in comparisons(plan, rows)
        if one.scale == "points"
        and one.outcome.target == "tydiqa"
        and all(getattr(one, key) == value for key, value in asked.items())
    )
    return needed(plan, one)


def test_a_contrast_needs_its_two_arms_on_its_targets_with_all_seeds(plan):
    cells = of(plan, name="gain")
    assert {(cell.mixture, cell.seed) for cell in cells} == {("nine", 1), ("nine", 2), ("none", 1), ("none", 2)}
    assert {(cell.model, cell.target) for cell in cells} == {("mini-large", "tydiqa")} and len(cells) == 4


def test_an_interaction_needs_both_models_and_all_single_tasks(plan):
    cells = of(plan, name=ANSWER, kind="interaction", b="best single")
    assert {(cell.model, cell.mixture) for cell in cells} == {
        (model, mixture) for model in STUDY["models"] for mixture in {"nine", *SINGLES}
    }


def test_the_best_single_task_needs_all_targets_by_which_it_is_chosen(plan):
    """On TyDiQA alone it is chosen by its dev scores on all that is trained, of which vectors are none."""
    cells = of(plan, name=ANSWER, size="small", b="best single")
    targets = {name: {cell.target for cell in cells if cell.mixture == name} for name in ("nine", *SINGLES)}
    assert targets == {"nine": {"tydiqa"}} | dict.fromkeys(SINGLES, {"xnli", "tydiqa"})
