"""Schemas: every key is described, every number has bounds, defaults are jiant's."""

import copy
import json

import pytest
import yaml
from xstilts import schema
from xstilts.errors import UserError

from tests.builders.projects import STUDY


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


def every_node(node):
    """Yield every schema in a schema."""
    yield node
    for key in ("additionalProperties", "items", "propertyNames"):
        if isinstance(node.get(key), dict):
            yield from every_node(node[key])
    for inner in (*node.get("properties", {}).values(), *node.get("anyOf", ())):
        yield from every_node(inner)


@pytest.mark.parametrize("name", sorted(path.name for path in schema.SCHEMAS.glob("*.yaml")))
def test_every_number_has_bounds_and_every_pattern_an_end(name):
    """A `$` is before a last line break too, so that "a\\n" was a name."""
    for node in every_node(schema.resolve({"$ref": name})):
        kinds = node.get("type", ())
        if {"integer", "number"} & set([kinds] if isinstance(kinds, str) else kinds):
            assert {"minimum", "exclusiveMinimum"} & set(node) and {"maximum", "exclusiveMaximum"} & set(node), node
        if "pattern" in node:
            assert node["pattern"].startswith("^") and node["pattern"].endswith(r"\Z"), node


def test_a_long_value_is_shown_in_part():
    with pytest.raises(UserError) as error:
        schema.check({"description": ["x" * 10_000], "models": ["tiny"]}, "study.yaml", "test")
    assert "description: must be text, found ['xxx" in str(error.value) and len(str(error.value)) < 200


def test_a_key_with_a_line_break_is_shown_in_one_line():
    with pytest.raises(UserError, match=r"^test: 'a\\nb': unknown key"):
        schema.check({"a\nb": 1, "description": "x", "models": ["tiny"]}, "study.yaml", "test")


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
