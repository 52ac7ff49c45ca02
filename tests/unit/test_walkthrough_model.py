"""docs/add-a-model.md, followed to the letter: a model of a hub, one of a folder, and names of one's own."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from xstilts.commands import main
from xstilts.planning import registry
from xstilts.planning.settings import local, plan_of
from xstilts.store.specs.models import TrainingSpec

from tests.builders.pins import STUDY, hub_of, pin
from tests.builders.plans import plan_study, study_file

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/add-a-model.md").read_text(encoding="utf-8")
HUB, FOLDER, CONTRASTS, ENTRIES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)


@pytest.fixture
def project(families, tmp_path, monkeypatch):
    """A folder with config.yaml and the page's folder of a model; the page's repository is on a hub of this machine."""
    shutil.copytree(families["modernbert"], tmp_path / "my-encoder")
    (tmp_path / "model_registry").mkdir()
    (tmp_path / "model_registry/models.yaml").write_text(ENTRIES)
    (tmp_path / "config.yaml").write_text("{study: study.yaml, registries: [model_registry]}")
    monkeypatch.chdir(tmp_path)
    registry.load.cache_clear()
    with hub_of({"doe/polyglot-base": families["xlm-r"]}, monkeypatch, tmp_path / "cache"):
        yield tmp_path


def test_hub_id_and_folder(project):
    models = [*yaml.safe_load(HUB)["models"], *yaml.safe_load(FOLDER)["models"]]
    study_file(project, {**STUDY, "models": models, **yaml.safe_load(CONTRASTS)})
    assert main(["pin"]) == 0
    plan = plan_of(local())
    assert {cell.model for cell in plan.cells} == {"polyglot-base", "my-encoder"}
    assert plan.study.contrasts["encoders"].pair == ("polyglot-base", "my-encoder")
    assert (project / "study.pins.yaml").exists()


def test_names_of_ones_own(project):
    known = registry.load((Path("model_registry"),))
    assert known.models["polyglot"]["licence"] == "MIT"
    plan = plan_study(project, {**STUDY, "models": ["polyglot"]}, entries=known)
    (model,) = plan.stage("models").values()
    assert plan.made.names[model.id] == ["polyglot"]
    source = model.spec.source
    assert (source.kind, source.repository) == ("hub", "doe/polyglot-base")
    assert source.revision == known.models["polyglot"]["revision"]


def test_part_of_another_model(project):
    known = registry.load((Path("model_registry"),))
    study = {**STUDY, "models": ["polyglot-encoder"]}
    plan = plan_study(project, study, entries=known, models={"mt5-base": pin().files})
    trained = [node.spec for node in plan.stage("targets").values()]
    assert trained and all(isinstance(spec, TrainingSpec) and spec.numerics.submodel == "encoder" for spec in trained)


def test_what_the_page_names_is_there():
    assert "\n_KINDS = {" in (ROOT / "workflow_scripts/xstilts/planning/model_size.py").read_text()
    assert "mini-small" in registry.load().models and registry.load().models["mini-small"]["pretrained"]
