"""What leaves a study: scores over runs, what they are of, and what they come from."""

import math
from dataclasses import replace

import pytest
from xstilts.evaluation import exported_arms
from xstilts.reporting import study_results

from tests.builders.exported import finished


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return study_results.load(finished(tmp_path_factory.mktemp("exported")))


@pytest.fixture(scope="module")
def arms(study):
    return {arm.name: arm for arm in exported_arms.collect(study.plan, study.results, study.scores)}


def result(arm, *asked):
    (found,) = [one for one in arm.results if (one.target, one.language, one.metric) == asked]
    return found


def test_a_score_is_the_mean_over_runs_with_its_standard_error(arms):
    found = result(arms["s.r.mnli"], "xnli", "de", "accuracy")
    assert (found.of_runs, found.mean, found.headline) == ({1: 60, 2: 80}, 70, True)
    assert found.standard_error == pytest.approx(10)
    assert (found.collapsed, found.examples, found.official, found.sample) == ([2], 10, True, False)
    assert result(arms["s.r.mnli"], "xquad", "de", "f1").standard_error is None


def test_runs_that_are_one_and_the_same_count_once(arms):
    assert result(arms["s.r.none"], "tatoeba", "de", "accuracy").of_runs == {1: 25}
    assert result(arms["s.r.mnli"], "tatoeba", "de", "accuracy").of_runs == {1: 25, 2: 25}
    assert arms["s.r.none"].nodes["tatoeba"] == {1: "predictions/s.r.none.all.tatoeba"}


def test_where_model_and_data_are_from(arms):
    start = arms["s.r.none"].checkpoint
    assert (start.repository, start.revision) == ("FacebookAI/xlm-roberta-base", "c" * 40)
    assert (start.title, start.parameters, arms["s.r.none"].settings) == ("XLM-R", 7, {"target.epochs": 3})
    data = result(arms["s.r.none"], "xnli", "de", "accuracy").data
    assert (data.title, data.licence, data.files) == ("XNLI", "CC BY-NC 4.0", {"de/test": None})
    assert (data.repository, data.configuration, data.split) == ("facebook/xnli", "de", "test")
    mirrored = result(arms["s.r.none"], "tatoeba", "de", "accuracy").data
    assert (mirrored.repository, mirrored.split, mirrored.files) == (None, None, {"tatoeba/de": "a" * 64})


def test_the_digest_is_that_of_the_runs(study, arms):
    again = {arm.name: arm.digest for arm in exported_arms.collect(study.plan, study.results, study.scores)}
    assert again == {name: arm.digest for name, arm in arms.items()} and len(set(again.values())) == 2
    fewer = replace(study.plan, cells=tuple(cell for cell in study.plan.cells if cell.seed == 1))
    found = {arm.name: arm.digest for arm in exported_arms.collect(fewer, study.results, study.scores)}
    assert not set(found.values()) & set(again.values())


def test_a_score_that_is_no_number_is_left_out(study):
    exploded = (study.scores["target"] == "lm_loss") & (study.scores["mixture"] == "none")
    frame = study.scores.assign(score=study.scores["score"].mask(exploded, math.inf))
    found = {
        arm.name: {one.target for one in arm.results} for arm in exported_arms.collect(study.plan, study.results, frame)
    }
    assert found["s.r.mnli"] - found["s.r.none"] == {"lm_loss"}
