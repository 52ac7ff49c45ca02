"""Few shots: what is trained further, on which rows, and what is left as it is."""

import itertools

import pytest
from xstilts.errors import UserError
from xstilts.planning import estimate, feasibility, registry
from xstilts.planning.plan import make_plan
from xstilts.planning.sourcing import Indexes
from xstilts.store.specs.base import LEARNING_RATE, MODEL, PREPARED, TOKENS, role

from tests.builders.plans import named, node_of, plan_study, study_of

STUDY = {
    "description": "Few shots.",
    "source": "tiny",
    "models": ["tiny"],
    "recipes": {"quick": {"target": {"batch_size": 16}, "few_shot": {"epochs": 5}}},
    "mixtures": {"none": None, "mnli": ["mnli"]},
    "targets": {"xnli": None, "xquad": None, "tatoeba": None},
    "languages": ["en", "de", "tr"],
    "seeds": [1, 2],
}
FEW = {**STUDY, "shots": [0, 18, 4]}


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return plan_study(tmp_path_factory.mktemp("few"), FEW)


def test_zero_shot_results_stay_as_they_are(plan, tmp_path):
    without = plan_study(tmp_path, STUDY)
    assert plan.cells == without.cells and set(without.nodes) <= set(plan.nodes)
    # 0 alone asks for nothing
    zero = plan_study(tmp_path, {**STUDY, "shots": [0]})
    assert (zero.folder, zero.study_plan.few_shot) == (without.folder, ())
    assert plan.folder != without.folder and "few_shot" in plan.tables and "few_shot" not in without.tables


def test_every_arm_language_and_number_has_a_result_but_the_source_language(plan):
    found = {(few.cell.mixture, few.cell.seed, few.language, few.shots) for few in plan.few_shot}
    assert found == set(itertools.product(("none", "mnli"), (1, 2), ("de", "tr"), (4, 18)))
    assert len(plan.few_shot) == len(found) and {few.cell.target for few in plan.few_shot} == {"xnli"}
    assert set(plan.predictions()) >= {few.cell.node for few in plan.few_shot}


def test_targets_and_languages_without_rows_are_noted(plan):
    said = "xquad: no few-shot results in languages with fewer than 18 rows, or of which nobody states how many: "
    assert f"{said}de (0), tr (0)" in plan.notes
    assert "tatoeba: no few-shot results, for its answers are found by vectors" in plan.notes


def test_training_continues_from_the_targets_model(plan):
    few = next(few for few in plan.few_shot if (few.language, few.shots, few.cell.seed) == ("de", 4, 2))
    predictions = plan.nodes[few.cell.node].spec
    trained = plan.nodes[predictions.parents[MODEL]].spec
    assert trained.parents[MODEL] == node_of(plan, "targets", "tiny.quick.none.s2.mnli").id
    assert (trained.warm_start_head, predictions.trained_on) == ("mnli", "xnli@de")
    (task,) = trained.tasks
    # all four rows are one batch; no rows of the language choose a step
    assert (task.epochs, task.batch_size, trained.early_stopping) == (5, 4, None)
    rows = plan.nodes[plan.nodes[trained.parents[role(TOKENS, "xnli@de")]].spec.parents[PREPARED]].spec
    assert (rows.train_rows, rows.seed) == (4, 2)
    evaluated = plan.nodes[plan.nodes[predictions.parents[TOKENS]].spec.parents[PREPARED]].spec
    assert list(evaluated.languages) == ["de"]


def test_few_shot_nodes_are_the_trainings_and_their_predictions(plan):
    """So that on a cluster they are jobs apart from the zero-shot model's."""
    found = [plan.nodes[name] for name in plan.few_shot_nodes]
    assert {node.stage for node in found} == {"targets", "predictions"} and len(found) == 2 * len(plan.few_shot)
    assert not plan.few_shot_nodes & {cell.node for cell in plan.cells}
    assert all(
        task.task == "xnli@" + task.task[-2:] for node in found if node.stage == "targets" for task in node.spec.tasks
    )


def test_the_rows_of_a_few_shot_training_are_known(plan, tmp_path):
    few = next(few for few in plan.few_shot if few.shots == 18)
    trained = plan.nodes[plan.nodes[few.cell.node].spec.parents[MODEL]]
    (size,) = estimate.sizes_of(trained, plan, registry.load(), tmp_path).data
    assert (size.rows, size.certainty) == (18, "bounded")


def test_rows_are_never_of_the_split_that_is_scored(plan, tmp_path):
    rows = {f"xnli.{code}.4shots.s{seed}": {f"xnli/dev-{code}.tsv"} for code in ("de", "tr") for seed in (1, 2)}
    assert {name: files for name, files in files_of(plan).items() if ".4shots." in name} == rows
    on_dev = plan_study(tmp_path, {**FEW, "targets": {"xnli": {"split": "dev"}}})
    assert not on_dev.few_shot and any(note.startswith("xnli: no few-shot") for note in on_dev.notes)


def test_few_shots_without_any_result_are_refused(tmp_path):
    short = {**FEW, "recipes": {"quick": {phase: {"max_length": 64} for phase in ("intermediate", "target")}}}
    targets = {"xnli": None, "xquad": None}
    feasibility.check(plan_study(tmp_path, {**short, "targets": targets}), registry.load(), Indexes(), "s.yaml")
    without = plan_study(tmp_path, {**short, "targets": {"xquad": None}, "shots": [4]})
    with pytest.raises(UserError) as error:
        feasibility.check(without, registry.load(), Indexes(), "s.yaml")
    assert str(error.value) == (
        "s.yaml: shots: there would be no result with any (xquad: no few-shot results in languages with fewer than 4"
        " rows, or of which nobody states how many: de (0), tr (0)); leave the key out, or add a target that is trained"
        " and has rows in other languages than its source language"
    )


def test_dev_rows_come_before_training_rows_which_may_be_translated(full_mirror, tmp_path):
    targets = {"pawsx": {"languages": ["en", "de"]}, "masakhaner2@sw": {"languages": ["sw", "yo"]}}
    study = {**FEW, "source": "mirror", "targets": targets, "mixtures": ["none"], "seeds": [1], "shots": [8]}
    del study["languages"]
    found = files_of(on_mirror(tmp_path, study, full_mirror))
    assert found["pawsx.de.8shots.s1"] == {"pawsx/dev-de.tsv"}
    # of Yoruba there is a training set and a test set
    assert found["masakhaner2@sw.yo.8shots.s1"] == {"masakhaner2/yor/train.txt"}


def test_languages_with_fewer_published_rows_than_the_largest_number_are_left_out(full_mirror, tmp_path):
    targets = {"panx": {"languages": ["en", "de", "yo"]}}
    study = {**FEW, "source": "mirror", "targets": targets, "mixtures": ["none"], "seeds": [1], "shots": [8, 80]}
    del study["languages"]
    plan = on_mirror(tmp_path, study, full_mirror)
    assert {few.language for few in plan.few_shot} == {"de"}
    # a quarter of 100 rows is for dev
    assert any(note.startswith("panx: no few-shot") and note.endswith(": yo (75)") for note in plan.notes)


def test_languages_of_which_nobody_states_the_rows_are_left_out(tmp_path):
    """Of PAN-X in Greek there is no published number; the index of a mirror would say."""
    targets = {"panx": {"languages": ["en", "de", "el"]}}
    study = {**FEW, "source": "download", "targets": targets, "mixtures": ["none"], "seeds": [1], "shots": [8]}
    del study["languages"]
    plan = plan_study(tmp_path, study)
    assert {few.language for few in plan.few_shot} == {"de"}
    assert any(note.startswith("panx: no few-shot") and note.endswith(": el (unknown)") for note in plan.notes)


def on_mirror(folder, study, files):
    """Return the plan of a study on the index of a mirror."""
    return make_plan(study_of(folder, study), registry.load(), Indexes(files))


def files_of(plan):
    """Return the files of few rows by the names of their nodes."""
    return {
        name: {file.file for of_split in node.spec.splits.values() for file in of_split}
        for name, node in named(plan, "prepared").items()
        if "shots." in name
    }


def test_learning_rate_of_a_grid_is_that_of_the_last_stage(tmp_path):
    plan = plan_study(tmp_path, {**FEW, "recipes": {"grid": {"target": {"learning_rate": [1e-5, 1e-4]}}}})
    for few in plan.few_shot:
        trained = plan.nodes[plan.nodes[few.cell.node].spec.parents[MODEL]].spec
        before = plan.nodes[trained.parents[MODEL]].spec
        assert trained.learning_rate is None and trained.parents[LEARNING_RATE] == before.parents[LEARNING_RATE]
