"""docs/add-a-model.md, followed to the letter: its entries in a copy of the registry, then a folder, then a study."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from xstilts.commands import main
from xstilts.planning import model_size, registry
from xstilts.planning.settings import from_config, plan_of
from xstilts.store.files import canonical
from xstilts.store.manifest import path_of
from xstilts.store.specs import to_json

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "tests/studies/matrix.yaml"
PAGE = (ROOT / "docs/add-a-model.md").read_text(encoding="utf-8")
ENTRY, SUBMODEL, FOLDERS, MODELS = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)


@pytest.fixture
def known(tmp_path, monkeypatch):
    """The registry with the entries of the page."""
    folder = tmp_path / "registry"
    shutil.copytree(registry.FOLDER, folder)
    with open(folder / "models.yaml", "a", encoding="utf-8") as file:
        file.write(f"\n{ENTRY}{SUBMODEL}")
    monkeypatch.setattr(registry, "FOLDER", folder)
    registry.load.cache_clear()
    yield registry.load()
    registry.load.cache_clear()


@pytest.fixture
def study(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(STUDY.read_text()) | yaml.safe_load(MODELS)))
    return path


def test_parameters_are_those_of_the_shape(known):
    for name in ("polyglot-base", "polyglot-seq2seq-encoder"):
        entry = known.models[name]
        shape = known.models[entry["weights_of"] or name]["shape"]
        assert model_size.read(shape, entry["submodel"]).parameters == entry["parameters"]


def test_model_is_downloaded_at_its_revision(known, study):
    plan = plan_of(from_config({"study": str(study)}))
    (model,) = plan.stage("models").values()
    assert plan.made.names[model.id] == ["polyglot-base"]
    assert model.spec.source.kind == "hub"
    assert (model.spec.source.repository, model.spec.source.revision) == (
        "doe/polyglot-base",
        "0123456789abcdef" * 2 + "01234567",
    )
    assert all(node.label.startswith("polyglot-base.full") for node in plan.stage("intermediate").values())


def test_folder_decides_by_its_content(known, study, tmp_path):
    (model,) = plan_of(from_config({"study": str(STUDY)})).stage("models").values()
    output = path_of(tmp_path / "results", model.id)
    assert main(["fetch", "--spec", canonical(to_json(model.spec)), "--output", str(output)]) == 0
    downloaded, ids = output.parent, []
    for place in ("here", "there"):
        folder = tmp_path / place
        folder.mkdir()
        for name in ("config.json", "tokenizer.json", "model.safetensors"):
            shutil.copyfile(downloaded / name, folder / name)
        assert main(["index-model", str(folder)]) == 0
        folders = yaml.safe_load(FOLDERS.replace("/models/polyglot-base", str(folder)))
        plan = plan_of(from_config({"study": str(study), **folders}))
        (model,) = plan.stage("models").values()
        assert model.spec.source.kind == "folder" and "model.safetensors" in model.spec.source.files
        ids.append(set(plan.nodes))
    assert ids[0] == ids[1]


def test_what_the_page_names_is_there():
    assert "\n_KINDS = {" in (ROOT / "workflow_scripts/xstilts/planning/model_size.py").read_text()
    assert "mini-small" in registry.load().models and registry.load().models["mini-small"]["pretrained"]
