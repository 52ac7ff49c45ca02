"""What holds for a task in another source language: its limits, and the members of a union."""

import pytest
import yaml
from conftest import STUDY
from xstilts.planning import registry
from xstilts.planning.plan import make_plan
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import read_study

UNION = """
version: 1
form: classification
title: Two in one
metric: accuracy
labels: [entailment, neutral, contradiction]
sources: [{kind: hub, union: [mnli], training_languages: [en, de]}]
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/both.yaml").write_text(UNION)
    return registry.load(tmp_path / "tasks")


def read(tmp_path, known, **changes):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(STUDY.read_text()) | changes))
    return read_study(path, known)


def test_limits_of_a_task_hold_in_another_language(tmp_path):
    tasks = {"mnli": {"train_rows": 100}, "mnli@de": {"source": "download", "dev_rows": 7}}
    study = read(tmp_path, registry.load(), tasks=tasks)
    assert study.limits("mnli@de").train_rows == study.limits("mnli@ru").train_rows == 100
    assert (study.limits("mnli@de").dev_rows, study.limits("mnli@ru").dev_rows) == (7, 16)
    assert (study.source_of("mnli@de"), study.source_of("mnli")) == ("download", "tiny")


def test_members_of_a_union_are_in_its_language(tmp_path, own):
    study = read(
        tmp_path, own, mixtures={"one": ["both"], "other": ["both@de"]}, targets={"xnli": None}, source="download"
    )
    prepared = {node.name: node for node in make_plan(study, own, Indexes()).stage("prepared").values()}
    for name in ("both", "both@de"):
        (member,) = prepared[f"{name}.training"].parents
        assert member == prepared[f"{name.replace('both', 'mnli')}.training"].id
