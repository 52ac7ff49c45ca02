"""A new key of a recipe costs two places: its line in ``phase.py``, and the code that it changes."""

import json
import os
import subprocess
import sys

import pytest
import yaml

from tests.builders.projects import STUDY, plan_of, with_recipe_key

# prints ids of the nodes of studies, by stage
PLAN = """
import json, sys
from xstilts.planning import settings
plans = [settings.plan_of(settings.from_config({"study": path})) for path in sys.argv[1:]]
print(json.dumps([[plan.folder.rpartition("/")[2], plan.by_stage()] for plan in plans]))
"""
# prints the first moments' decay of the optimisers of studies, by specs as training reads them
OPTIMISERS = """
import sys
import torch
from xstilts.planning import settings
from xstilts.store import specs
from xstilts.training.step import make_optimiser
for path in sys.argv[1:]:
    plan = settings.plan_of(settings.from_config({"study": path}))
    spec = specs.from_json(specs.to_json(next(iter(plan.stage("targets").values())).spec))
    optimiser = make_optimiser(torch.nn.Linear(2, 2), spec.optimisation)
    print("adam_beta1" in str(specs.to_json(spec)), optimiser.param_groups[0]["betas"][0])
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Return a function that runs Python with a copy of the package in which the key is added."""
    folder = with_recipe_key(tmp_path_factory.mktemp("package"))

    def run(*arguments, code=0):
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        command = [sys.executable, *map(str, arguments)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=folder)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    return run


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Return a function that writes the study with a value of the key in the target phase."""
    folder = tmp_path_factory.mktemp("studies")

    def write(value=None):
        content = yaml.safe_load(STUDY.read_text())
        if value is not None:
            content["recipes"]["quick"]["target"]["adam_beta1"] = value
        path = folder / f"{value}" / "study.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(yaml.safe_dump(content))
        return path

    return write


def test_at_its_neutral_value_nothing_moves_and_else_what_is_below(python, study):
    before = plan_of(study())
    plans = json.loads(python("-c", PLAN, study(), study(0.9), study(0.8)))
    (digest, absent), (neutral_digest, neutral), (_, other) = plans
    assert absent == neutral == before.by_stage()
    assert f"studies/study/{digest}" == f"studies/study/{neutral_digest}" == before.folder
    assert {stage for stage in other if set(other[stage]) != set(absent[stage])} == {"targets", "predictions"}


def test_the_schema_knows_it(python, study):
    reference = python("-m", "xstilts", "reference").splitlines()
    for phase in ("intermediate", "target"):
        row = f"| `recipes.<name>.{phase}.adam_beta1` | number, ≥ 0, ≤ 1 | 0.9 | Decay of AdamW's first moments. |"
        assert row in reference
    refused = "from xstilts import schema; schema.check({'target': {'adam_beta1': 2}}, 'recipe.yaml', 'recipes.yaml')"
    assert "recipes.yaml: target.adam_beta1: must be <= 1, found 2" in python("-c", refused, code=1)


def test_training_reads_it(python, study):
    said = python("-c", OPTIMISERS, study(), study(0.9), study(0.8)).splitlines()
    assert said == ["False 0.9", "False 0.9", "True 0.8"]
