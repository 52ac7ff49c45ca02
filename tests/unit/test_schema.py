"""Schemas: every key is described, numbers are read as people write them, defaults are jiant's."""

import copy
import json

import pytest
import yaml
from xstilts import schema

from tests.builders.projects import STUDY


def test_numbers_as_people_write_them(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: 1e-5\nb: 1.0e-5\nc: 1E3\nd: 7e9f\n")
    assert schema.read_yaml(path) == {"a": 1e-5, "b": 1e-5, "c": 1000.0, "d": "7e9f"}


def test_norwegian_is_no_boolean(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("languages: [no, en]\nofficial: true\n")
    assert schema.read_yaml(path) == {"languages": ["no", "en"], "official": True}


def every_key(node, path=""):
    for key, inner in node.get("properties", {}).items():
        yield f"{path}.{key}", inner, key in node.get("required", [])
        yield from every_key(inner, f"{path}.{key}")
    for part in ("additionalProperties", "items"):
        if isinstance(node.get(part), dict):
            yield f"{path}.<{part}>", node[part], True
            yield from every_key(node[part], f"{path}.<{part}>")


@pytest.mark.parametrize("path", sorted(schema.SCHEMAS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_key_is_described(path):
    content = yaml.safe_load(path.read_text())
    assert content["title"] and content["description"]
    # what differs for one form or task has no default of its own; nor has what `required` asks for
    for key, inner, required in every_key(content):
        assert "description" in inner or "$ref" in inner, key
        overridden = ".overrides.<additionalProperties>." in key or path.stem == "study_task"
        assert required or overridden or "default" in inner, f"{key} has no default"


def test_defaults_are_jiants():
    recipe = schema.check({}, "recipe.yaml", "test")
    expected = {"learning_rate": 1e-5, "warmup": 0.1, "weight_decay": 0.01, "epochs": 3, "batch_size": 32,
                "max_length": 256, "keep": None}  # fmt: skip
    for phase in ("intermediate", "target"):
        assert {key: recipe[phase][key] for key in expected} == expected
    assert recipe["early_stopping"] == {"evaluate_every": 1000, "patience": 30}
    assert recipe["target"]["span"] == {
        "stride": 128, "max_question_length": 64, "max_answer_length": 30, "n_best": 20, "null_threshold": 0,
    }  # fmt: skip


def test_checking_leaves_the_input_alone():
    study = yaml.safe_load(STUDY.read_text())
    before = copy.deepcopy(study)
    schema.check(study, "study.yaml", "test")
    assert json.dumps(study) == json.dumps(before)
