"""xstilts pin: what is written of models of a hub and of folders, and what is refused before any job."""

import json
import shutil

import huggingface_hub
import pytest
import yaml
from xstilts.commands import main
from xstilts.planning import model_size, pins
from xstilts.planning.settings import local, plan_of
from xstilts.store.files import canonical
from xstilts.store.manifest import path_of
from xstilts.store.specs import to_json

from tests.builders.pins import COMMIT, STUDY, change_config, hub_of
from tests.builders.plans import study_file


@pytest.fixture
def folder(families, tmp_path, monkeypatch):
    """A folder with config.yaml, where commands run, and a copy of a model in it."""
    (tmp_path / "config.yaml").write_text("study: study.yaml")
    shutil.copytree(families["bert"], tmp_path / "my-encoder")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def all_messages(caplog):
    caplog.set_level("INFO")


@pytest.fixture
def hub(families, tmp_path, monkeypatch):
    with hub_of({"doe/bert.small": families["bert"], "doe/t5": families["mt5"]}, monkeypatch, tmp_path / "cache"):
        yield


def pin(folder, *models, arguments=()):
    study_file(folder, {**STUDY, "models": list(models)})
    return main(["pin", *arguments])


def test_hub_and_folder_with_the_same_files_are_one_model(folder, hub, capsys):
    assert pin(folder, "doe/bert.small", "./my-encoder") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith(f"bert_small: doe/bert.small at {COMMIT}: encoder of type bert, 6,256 parameters")
    assert said[1].startswith("my-encoder: ./my-encoder: encoder of type bert, 6,256 parameters")
    study = folder / "study.yaml"
    read = pins.read(study)
    of_hub, of_folder = read["doe/bert.small"], read["./my-encoder"]
    assert of_hub.revision == COMMIT and of_folder.revision is None
    assert of_hub.licence == "mit"
    assert of_hub.files == of_folder.files and "model.safetensors" in of_hub.files
    assert sum(of_hub.parts.values()) == of_hub.parameters
    plan = plan_of(local())
    (model,) = plan.stage("models").values()
    assert plan.made.names[model.id] == ["bert_small", "my-encoder"]
    assert {cell.model for cell in plan.cells} == {"bert_small", "my-encoder"}


def fetch(plan, results, *place):
    """Fetch the one model of a plan, and return the exit code."""
    (model,) = plan.stage("models").values()
    output = path_of(results, model.id)
    return main(["fetch", "--spec", canonical(to_json(model.spec)), "--output", str(output), *place])


def test_pinned_model_is_fetched_from_the_hub(folder, hub):
    assert pin(folder, "doe/t5") == 0
    plan = plan_of(local())
    assert fetch(plan, folder / "results", "--hub", f"doe/t5@{COMMIT}", "--study", "study.yaml") == 0
    (made,) = (folder / "results/models").glob("*/model.safetensors")
    assert (made.parent / "manifest.json").exists()


def test_file_of_the_hub_that_is_not_the_pinned_one(folder, hub, caplog):
    assert pin(folder, "doe/bert.small") == 0
    text = (folder / "study.pins.yaml").read_text()
    sha256 = pins.read(folder / "study.yaml")["doe/bert.small"].files["model.safetensors"]["sha256"]
    (folder / "study.pins.yaml").write_text(text.replace(sha256, "f" * 64))
    assert fetch(plan_of(local()), folder / "results", "--hub", f"doe/bert.small@{COMMIT}", "--study", "s.yaml") == 2
    assert "model.safetensors of doe/bert.small@" in caplog.text and "xstilts pin s.yaml" in caplog.text


def test_folder_that_changed_is_refused_when_it_is_fetched(folder, caplog):
    assert pin(folder, "./my-encoder") == 0
    change_config(folder / "my-encoder", hidden_act="relu")
    assert fetch(plan_of(local()), folder / "results", "--folder", "my-encoder", "--study", "study.yaml") == 2
    assert "my-encoder/config.json: changed since it was indexed" in caplog.text
    assert "accept it with: xstilts pin study.yaml" in caplog.text


@pytest.mark.parametrize("command", ["run", "estimate"])
def test_folder_that_changed_is_refused(command, folder, caplog):
    assert pin(folder, "./my-encoder") == 0
    change_config(folder / "my-encoder", hidden_act="relu")
    assert main([command]) == 2
    assert "error: my-encoder/config.json: changed since it was pinned" in caplog.text
    assert "xstilts pin study.yaml" in caplog.text


def test_pins_are_taken_for_no_study(folder, caplog):
    (folder / "studies").mkdir()
    (folder / "config.yaml").write_text("study: studies/study.yaml")
    study_file(folder / "studies", {**STUDY, "models": ["./my-encoder"]})
    assert main(["pin"]) == 0 and main(["prune"]) == 0
    assert (folder / "studies/study.pins.yaml").exists() and "cannot be planned" not in caplog.text


def test_tokenizer_is_made_of_a_vocabulary(folder):
    """A model that is published with the vocabulary alone, as many on the hub are."""
    model = folder / "my-encoder"
    vocabulary = json.loads((model / "tokenizer.json").read_text())["model"]["vocab"]
    (model / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.__getitem__)) + "\n")
    (model / "tokenizer.json").unlink()
    assert pin(folder, "./my-encoder") == 0
    files = pins.read(folder / "study.yaml")["./my-encoder"].files
    assert "vocab.txt" in files and "tokenizer.json" not in files
    assert fetch(plan_of(local()), folder / "results", "--folder", "my-encoder", "--study", "study.yaml") == 0
    (made,) = (folder / "results/models").glob("*/tokenizer.json")
    assert json.loads(made.read_text())["model"]["vocab"] == vocabulary


def test_missing_pins_are_added_and_others_stay(folder, hub):
    assert pin(folder, "./my-encoder") == 0
    change_config(folder / "my-encoder", hidden_act="relu")
    before = pins.read(folder / "study.yaml")["./my-encoder"]
    assert pin(folder, "./my-encoder", "doe/t5", arguments=["--missing"]) == 0
    after = pins.read(folder / "study.yaml")
    assert set(after) == {"./my-encoder", "doe/t5"} and after["./my-encoder"] == before
    assert pin(folder, "./my-encoder") == 0
    (now,) = pins.read(folder / "study.yaml").values()
    assert now.files["config.json"] != before.files["config.json"]


def test_type_without_a_formula_is_estimated_as_it_was_measured(families, folder, capsys, monkeypatch):
    monkeypatch.delitem(model_size._KINDS, "modernbert")
    shutil.copytree(families["modernbert"], folder / "modern")
    assert pin(folder, "./modern", "./my-encoder") == 0
    assert main(["estimate"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.startswith("  modern.quick.none.s1")]
    # the formula is checked for the other one
    assert lines[-1].startswith("Parameters of 1 model,")


def test_study_of_registered_models_needs_no_pins(folder, capsys):
    assert pin(folder, "tiny") == 0
    assert "all its models are names of the registry" in capsys.readouterr().out
    assert not (folder / "study.pins.yaml").exists()


def only_pickles(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def no_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


def broken_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{}")


REFUSED = {
    "own code": (
        lambda folder: change_config(folder, model_type="nova", auto_map={"AutoModel": "nova.Nova"}),
        "code that comes with a model is never run",
    ),
    "unknown type": (
        lambda folder: change_config(folder, model_type="nova"),
        "the architecture 'nova' is not known to transformers",
    ),
    "no family": (
        lambda folder: (folder / "config.json").write_text(json.dumps({"model_type": "vit"})),
        "model type 'vit'",
    ),
    "wrong numbers": (lambda folder: change_config(folder, num_attention_heads=3), "cannot be built from its config"),
    "pickles": (only_pickles, "its weights are pickled only"),
    "no tokenizer": (no_tokenizer, "no tokenizer.json"),
    "broken tokenizer": (broken_tokenizer, "its tokenizer cannot be used"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_in_one_line(case, folder, caplog):
    change, message = REFUSED[case]
    change(folder / "my-encoder")
    assert pin(folder, "./my-encoder") == 2
    (error,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert "my-encoder: " in error and message in error and len(error.splitlines()) == 1
    assert not (folder / "study.pins.yaml").exists()


def test_no_such_model_on_the_hub(folder, hub, caplog):
    assert pin(folder, "doe/nothing") == 2
    line = "error: hub: doe/nothing at its newest revision: no such repository, or a private one; check the name\n"
    assert line in caplog.text
    assert pin(folder, "doe/t5@v9") == 2
    assert "error: hub: doe/t5 at v9: no such revision; check the revision\n" in caplog.text


def test_repository_without_a_tokenizer(families, folder, caplog, monkeypatch):
    (folder / "my-encoder/tokenizer.json").unlink()
    with hub_of({"doe/bare": folder / "my-encoder"}, monkeypatch, folder / "cache"):
        assert pin(folder, "doe/bare") == 2
    assert "error: doe/bare at its newest revision: no tokenizer.json; download it, " in caplog.text
    assert "into a folder, and name it in the study\n" in caplog.text


@pytest.mark.parametrize(
    ("named", "hint"),
    [
        ("./my-encodr", "did you mean './my-encoder'?"),
        ("./other/my-encoder", "a path begins at the folder"),
    ],
)
def test_folder_that_is_not_there(named, hint, folder, caplog):
    assert pin(folder, named) == 2
    parent = (folder / named).parent
    assert f"error: study.yaml: models: {named}: no such folder in {parent}; {hint}" in caplog.text


ENCODER_BOTH_WAYS = {"models": ["./my-encoder", "xlm-roberta-base"], "recipes": {"r": {"attention": "bidirectional"}}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": ["./my-encoder"], "languages": ["de", "enn"]}, "study.yaml: languages: unknown language 'enn'"),
        (ENCODER_BOTH_WAYS, "study.yaml: models.xlm-roberta-base: the recipe r: attention: bidirectional"),
        (
            {"models": ["./other", "my-encoder"]},
            "study.yaml: models: unknown model 'my-encoder'; did you mean './my-encoder'?",
        ),
    ],
)
def test_what_needs_no_model_is_refused_before_any_is_looked_up(change, message, folder, caplog):
    study_file(folder, STUDY | change)
    assert main(["pin"]) == 2
    assert f"error: {message}" in caplog.text
    assert "pinning" not in caplog.text and not (folder / "study.pins.yaml").exists()


def test_pins_that_are_wrong_are_written_anew(folder):
    assert pin(folder, "./my-encoder") == 0
    (folder / "study.pins.yaml").write_text("models: 1\n")
    assert pin(folder, "./my-encoder") == 0
    assert pins.read(folder / "study.yaml")


def test_hub_that_does_not_answer(folder, hub, caplog, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    assert pin(folder, "doe/t5") == 2
    assert "error: hub: cannot fetch doe/t5 at its newest revision: " in caplog.text
    assert "; try again, or download it and name its folder in the study\n" in caplog.text


def test_revision_of_a_hub_id_is_the_one_that_is_pinned(folder, hub):
    assert pin(folder, "doe/t5@main") == 0
    content = yaml.safe_load((folder / "study.pins.yaml").read_text())
    assert content["models"]["doe/t5@main"]["revision"] == COMMIT
