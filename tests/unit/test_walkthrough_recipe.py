"""docs/add-a-recipe.md, followed to the letter: a recipe in a study, and a setting in a copy of the package."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from xstilts.errors import UserError
from xstilts.planning import recipe as recipes
from xstilts.planning import registry
from xstilts.planning.study import read_study

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "tests/studies/matrix.yaml"
PAGE = (ROOT / "docs/add-a-recipe.md").read_text(encoding="utf-8")
# prints ids of nodes by the study's name, whether the reference has the setting, and AdamW's betas of one training
SCRIPT = """
import json, sys
import torch
from pathlib import Path
from xstilts.commands import reference
from xstilts.planning import registry
from xstilts.planning.settings import from_config, plan_of
from xstilts.planning.study import read_study
from xstilts.training.step import make_optimiser
plan = plan_of(from_config({"study": sys.argv[1]}), read_study(Path(sys.argv[1]), registry.load()))
(training, *_) = plan.stage("targets").values()
optimiser = make_optimiser(torch.nn.Linear(2, 2), training.spec.optimisation)
ids = {name: node.id for name, node in plan.named()}
stages = {node.id: node.stage for node in plan.nodes.values()}
print(json.dumps([ids, stages, reference.text().count("adam_beta1"), optimiser.param_groups[0]["betas"]]))
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


def study_with(folder, edit):
    content = yaml.safe_load(STUDY.read_text())
    edit(content)
    path = folder / "matrix.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_recipe_of_the_page(tmp_path):
    (text,) = blocks("yaml")
    known = registry.load()
    recipe = read_study(study_with(tmp_path, lambda study: study.update(yaml.safe_load(text))), known).recipes[
        "careful"
    ]
    assert recipe["intermediate"]["learning_rate"] == 5.0e-6
    # a task wins over its form, the form over the phase, and the rest are defaults
    target = recipe["target"]
    assert recipes.settings(target, "squad_v1", known.tasks["squad_v1"])["batch_size"] == 16
    assert recipes.settings(target, "udpos", known.tasks["udpos"])["epochs"] == 10
    assert recipes.settings(target, "mnli", known.tasks["mnli"])["epochs"] == 3
    assert recipes.grid(target) == [5.0e-6, 1.0e-5]
    # a misspelt key is one line
    wrong = yaml.safe_load(text.replace("patience", "patiense"))
    with pytest.raises(UserError, match=r"recipes\.careful\.early_stopping\.patiense: unknown key; did you mean"):
        read_study(study_with(tmp_path, lambda study: study.update(wrong)), known)


def test_recipe_of_the_page_in_a_registry_of_ones_own(tmp_path):
    recipes_of_page = yaml.safe_load(blocks("yaml")[0])["recipes"]
    (tmp_path / "own").mkdir()
    (tmp_path / "own/recipes.yaml").write_text(yaml.safe_dump(recipes_of_page))
    known = registry.load((tmp_path / "own",))
    found = [
        read_study(study_with(tmp_path, lambda study, stated=stated: study.update(recipes=stated)), known).recipes
        for stated in ({"careful": None}, recipes_of_page)
    ]
    assert found[0] == found[1]


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """The package after both steps of the page."""
    package = tmp_path_factory.mktemp("copy") / "xstilts"
    shutil.copytree(ROOT / "workflow_scripts/xstilts", package, ignore=shutil.ignore_patterns("__pycache__"))
    (line,), (diff,) = blocks("python"), blocks("diff")
    phase, step = (package / name for name in re.findall(r"`workflow_scripts/xstilts/([\w/]+\.py)`", PAGE)[:2])
    text = phase.read_text()
    last = text.index("\n\n\n", text.index("class Optimisation"))
    phase.write_text(f"{text[:last]}\n    {line.strip()}{text[last:]}")
    old, new = ("".join(f"{row[1:]}\n" for row in diff.splitlines() if row[0] == sign) for sign in "-+")
    text = step.read_text()
    assert text.count(old) == 1
    step.write_text(text.replace(old, new))
    return package.parent


def run(study, package):
    command = [sys.executable, "-c", SCRIPT, str(study)]
    environment = {"PYTHONPATH": str(package), "PATH": "", "HOME": str(study.parent)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_setting_of_the_page_moves_nothing_until_it_is_set(changed, tmp_path):
    plain = study_with(tmp_path, lambda study: None)
    before, stages, _, betas = run(plain, ROOT / "workflow_scripts")
    after, _, documented, betas_after = run(plain, changed)
    assert after == before and betas == betas_after == [0.9, 0.999]
    assert documented >= 2
    target = study_with(tmp_path, lambda study: study["recipes"]["quick"]["target"].update(adam_beta1=0.8))
    moved, new_stages, _, betas_set = run(target, changed)
    assert betas_set == [0.8, 0.999]
    # what is trained in the target phase moves, and what is made of it; nothing before it does
    below = {"targets", "predictions"}
    assert {name for name in before if moved[name] != before[name]} == {
        name for name, node in before.items() if stages[node] in below
    }
    assert {new_stages[node] for node in set(moved.values()) - set(before.values())} == below


def test_setting_of_the_page_is_checked(changed, tmp_path):
    study = study_with(tmp_path, lambda study: study["recipes"]["quick"]["target"].update(adam_beta1=1.5))
    command = [sys.executable, "-c", SCRIPT, str(study)]
    environment = {"PYTHONPATH": str(changed), "PATH": "", "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert "recipes.quick.target.adam_beta1" in done.stderr.splitlines()[-1]
