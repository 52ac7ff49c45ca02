"""The checklist: answers from manifests, provenance and registry; what these cannot say is left to the authors."""

import pytest
from xstilts.reporting.paper import checklist, cost, data, settings
from xstilts.reporting.paper.cost import Cost
from xstilts.reporting.paper.prose import cited
from xstilts.reporting.paper.works import of_plan
from xstilts.store import manifest
from xstilts.store.manifest import PreparedResults, PreparedSplit

from tests.builders.papers import leave_provenance, trainings_of

STUDY = {"mixtures": ["none", "mnli"], "targets": {"xnli": None}, "languages": ["en", "de"], "seeds": [1, 2]}


def answers(trainings, spent=None):
    works = of_plan(trainings.plan)
    found = checklist.items(trainings, spent or cost.measured(trainings.plan, trainings.results), works)
    text = checklist.markdown(found)
    return {part.partition(".")[0]: part for part in text.split("**") if part[:2] in ("B1", "B2")} | {
        item.number: checklist.markdown([item]) for item in found
    }


@pytest.fixture
def trainings(tmp_path):
    return trainings_of(tmp_path, **STUDY)


def test_all_questions_are_there(trainings):
    assert list(answers(trainings)) == ["B1", "B2", "B3", "B4", "B5", "B6", "C1", "C2", "C3", "C4"]


def test_creators_and_licences(trainings):
    found = answers(trainings)
    assert "MNLI [@williams2018broad], XNLI [@conneau2018xnli]" in found["B1"]
    assert "multilingual-e5-small [@wang2024multilingual]" in found["B1"] and "PyTorch" not in found["B1"]
    assert "XNLI, CC BY-NC 4.0" in found["B2"] and "Models: multilingual-e5-small, MIT." in found["B2"]


def test_what_was_measured(trainings):
    leave_provenance(trainings.plan, trainings.results, "intermediate")
    leave_provenance(trainings.plan, trainings.results, "targets", gpu=None, gpus=0)
    leave_provenance(trainings.plan, trainings.results, "prepared", gpu=None, gpus=0, wall_seconds=9999.0)
    found = answers(trainings)
    # two intermediate trainings and four of targets, half an hour each; their predictions are not there
    assert "1.0 GPU-hours on NVIDIA H100 and 2.0 hours on processors alone (a processor, 2 cores)." in found["C1"]
    assert "Measured over 6 jobs that compute with a model" in found["C1"]
    assert "what 4 nodes cost is not known" in found["C1"]
    assert "`multilingual-e5-small`, 117,653,760" in found["C1"]
    assert "Python 3.12.0, torch 2.13.0." in found["C4"] and "commit 0123456789ab" in found["C4"]
    assert "PyTorch [@paszke2019pytorch]" in found["B1"]


def test_a_short_time_is_in_minutes_or_seconds(trainings):
    leave_provenance(trainings.plan, trainings.results, "intermediate", wall_seconds=90.0)
    assert "3.0 GPU-minutes on NVIDIA H100" in answers(trainings)["C1"]
    leave_provenance(trainings.plan, trainings.results, "intermediate", gpu=None, gpus=0, wall_seconds=0.1)
    assert "0.20 seconds on processors alone" in answers(trainings)["C1"]


def test_hours_of_several_gpus_count_several_times(trainings):
    leave_provenance(trainings.plan, trainings.results, "intermediate", gpus=4)
    assert "4.0 GPU-hours" in answers(trainings)["C1"]


def test_hardware_that_was_not_recorded(trainings):
    leave_provenance(trainings.plan, trainings.results, "intermediate", gpu=None, gpus=0, processor=None)
    assert "1.0 hours on hardware that was not recorded" in answers(trainings)["C1"]


def test_a_processor_whose_cores_are_not_known(trainings):
    leave_provenance(trainings.plan, trainings.results, "intermediate", gpu=None, gpus=0, processors=None)
    assert "1.0 hours on processors alone (a processor)" in answers(trainings)["C1"]


def test_nothing_measured(trainings):
    assert "Nothing was measured." in answers(trainings)["C1"]


def test_a_search_is_told_with_what_it_found(tmp_path):
    grid = {"target": {"learning_rate": [3e-5, 1e-5]}}
    trainings = trainings_of(tmp_path, **STUDY, recipes={"grid": grid})
    assert "Of the learning rates 1e-5, 3e-5 the best on dev rows was taken: 1e-5." in answers(trainings)["C2"]


def test_no_search(trainings):
    assert "No hyperparameter was searched within the study." in answers(trainings)["C2"]


def test_a_made_up_world_names_nobody(tmp_path):
    trainings = trainings_of(tmp_path, **{**STUDY, "languages": []}, source="miniature", models=["mini-micro"])
    found = answers(trainings)
    assert "the people in them do not exist" in found["B4"]
    assert "MNLI, made up" in found["B2"] and "The data are made up; what they are made after is cited" in found["B1"]
    assert "SentencePiece [@kudo2018sentencepiece]" in found["B1"]


def test_data_of_a_study_are_in_a_table(trainings):
    shown = data.table(trainings.plan, trainings.results, of_plan(trainings.plan))
    assert shown.cells[1] == [
        ["MNLI", "training", "en", "1,500", "100", "", "", "OANC and others (see the MultiNLI paper)"],
        ["XNLI", "evaluation", "de en", "", "", "250", "test", "CC BY-NC 4.0"],
    ]


def test_rows_that_are_no_official_split_are_marked(trainings):
    (node,) = (node for node in data.used(trainings.plan) if node.startswith("prepared/xnli"))
    path = manifest.path_of(trainings.results, node)
    split = PreparedSplit(rows=9, labels={}, split="dev", official=False, sample=True)
    path.write_text(manifest.text(manifest.read(path).spec, {}, PreparedResults(splits={"de": split}, left_out={})))
    shown = data.table(trainings.plan, trainings.results, of_plan(trainings.plan))
    assert shown.cells[1][1][2:7] == ["de", "", "", "9", "dev†‡"] and shown.legend == data.LEGEND


def test_settings_of_a_study_are_in_a_table(trainings):
    header, rows = settings.table(trainings).cells
    found = [dict(zip(header, row, strict=True)) for row in rows]
    assert [(row["phase"], row["trained on"], row["epochs"]) for row in found] == [
        ("intermediate", "mnli", "3"),
        ("target", "mnli", "2"),
    ]
    assert {(row["model"], row["learning rate"], row["steps"]) for row in found} == {("all", "1e-5", "120")}
    assert [row["step kept"] for row in found] == ["last", "best of every 1000, ends after 30 without a gain"]


def test_rates_that_were_searched_are_in_the_table_of_settings(tmp_path):
    grid = {"grid": {"target": {"learning_rate": [1e-5, 3e-5]}}}
    header, rows = settings.table(trainings_of(tmp_path, **{**STUDY, "recipes": grid})).cells
    found = {(row[0], row[header.index("learning rate")]) for row in rows}
    assert found == {("intermediate", "1e-5"), ("target", "1e-5 (best of 1e-5, 3e-5)")}


def test_rates_by_model_are_told_apart(tmp_path):
    rates = {"multilingual-e5-small": 1e-5, "xlm-roberta-base": 2e-5}
    mixtures = {"none": None, "mnli": {"tasks": ["mnli"], "learning_rate": rates}}
    trainings = trainings_of(tmp_path, **{**STUDY, "mixtures": mixtures}, models=list(rates))
    header, rows = settings.table(trainings).cells
    found = [dict(zip(header, row, strict=True)) for row in rows]
    assert [(row["model"], row["learning rate"]) for row in found] == [
        ("multilingual-e5-small", "1e-5"),
        ("xlm-roberta-base", "2e-5"),
        ("all", "1e-5"),
    ]


def test_citations_of_answers_are_collected(trainings):
    works = of_plan(trainings.plan)
    found = checklist.items(trainings, Cost(), works)
    assert {"williams2018broad", "xstilts"} <= set(cited(checklist.cited(found))) <= set(works.entries)
