"""Wrong configuration gets one line that names the file, the key and the mend; schemas describe every key."""

import argparse
import copy
import json
import re
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, STUDY, plan_of
from xstilts import schema
from xstilts.commands import reference, summary
from xstilts.data.sources import Place, tiny
from xstilts.errors import UserError
from xstilts.planning import index, registry
from xstilts.planning.settings import from_config, local
from xstilts.planning.study import read_study


def set_at(*path_and_value):
    *path, value = path_and_value

    def edit(study):
        for part in path[:-1]:
            study = study[part]
        study[path[-1]] = value

    return edit


BAD = {
    "unknown key": (set_at("mixture", {}), r"mixture: unknown key; did you mean 'mixtures'\?"),
    "unknown nested key": (
        set_at("recipes", "quick", "target", "epoch", 3),
        r"recipes\.quick\.target\.epoch: unknown key; did you mean 'epochs'\?",
    ),
    "missing key": (lambda study: study.pop("models"), r"needs the key 'models'"),
    "override without effect": (
        set_at("recipes", {"own": {"target": {"overrides": {"tatoeba": {"max_length": 64}}}}}),
        r"overrides\.tatoeba: tatoeba is not trained; its length stands in the recipe's `bitext` section",
    ),
    "seed too large": (set_at("seeds", [2**40]), r"seeds\.0: must be <= 4294967295"),
    "not a number": (
        set_at("mixtures", "new", [{"task": "mnli", "rate": float("nan")}]),
        r"mixtures\.new\.0\.rate: nan is not a number",
    ),
    "no target": (lambda study: study.pop("targets"), r"targets: needs at least one target, or a `benchmark`"),
    "unknown benchmark": (set_at("benchmark", "xtrem"), r"unknown benchmark 'xtrem'; did you mean 'xtreme'\?"),
    "unknown task": (
        set_at("mixtures", "new", ["mnly"]),
        r"mixtures\.new: unknown task or mixture 'mnly'; did you mean 'mnli'\?",
    ),
    "unknown target": (set_at("targets", "xnly", None), r"unknown task 'xnly'; did you mean 'xnli'\?"),
    "unknown language": (set_at("languages", ["en", "xx"]), r"languages: unknown language 'xx'"),
    "unknown model": (set_at("models", ["tinny"]), r"models: unknown model 'tinny'; did you mean 'tiny'\?"),
    "unknown mixture of a model": (
        set_at("models", {"tiny": {"mixtures": ["tree"]}}),
        r"models\.tiny\.mixtures: unknown mixture 'tree'; did you mean 'three'\?",
    ),
    "unknown side of a contrast": (
        set_at("contrasts", {"gain": {"mixture": ["tree", "none"]}}),
        r"contrasts\.gain\.mixture: unknown mixture 'tree'; did you mean 'three'\?",
    ),
    "contrast of two axes": (
        set_at("contrasts", {"gain": {"mixture": ["three", "none"], "model": ["tiny", "other"]}}),
        r"contrasts\.gain: needs one of `model` and `mixture`, has 2",
    ),
    "contrast that never meets": (
        lambda study: study.update(
            models={"tiny": {"mixtures": ["none"]}, "multilingual-bert": {"mixtures": ["three"]}},
            contrasts={"size": {"model": ["tiny", "multilingual-bert"]}},
        ),
        r"contrasts\.size\.model: tiny and multilingual-bert have no mixture or recipe in common",
    ),
    "sizes that run down": (
        set_at("mixtures", "varied", {"subsets": {"of": "three", "sizes": "3..1"}}),
        r"mixtures\.varied\.subsets\.sizes: 3\.\.1 has no number in it; write 1\.\.3",
    ),
    "subsets of none": (
        set_at("mixtures", "curve", {"leave_one_out": "none"}),
        r"mixtures\.curve: 'none' has no tasks to choose from",
    ),
    "contrast with three sides": (
        set_at("contrasts", {"gain": {"mixture": ["three", "none", "three"]}}),
        r"contrasts\.gain\.mixture",
    ),
    "contrast on an unknown target": (
        set_at("contrasts", {"gain": {"mixture": ["three", "none"], "targets": ["xnly"]}}),
        r"contrasts\.gain\.targets: unknown target 'xnly'; did you mean 'xnli'\?",
    ),
    "unknown recipe": (set_at("recipes", {"jant": None}), r"unknown recipe 'jant'; did you mean 'jiant'\?"),
    "unknown source": (set_at("source", "miror"), r"source: 'miror' is not possible; did you mean 'mirror'\?"),
    "mixture without tasks": (set_at("mixtures", "new", None), r"mixtures\.new: has no tasks"),
    "mixture with an empty list": (set_at("mixtures", "new", []), r"mixtures\.new: must not be empty"),
    "none with tasks": (set_at("mixtures", "none", ["mnli"]), r"mixtures\.none: 'none' is reserved"),
    "task twice": (set_at("mixtures", "new", ["mnli", "mnli"]), r"'mnli' is given twice"),
    "evaluation task in a mixture": (set_at("mixtures", "new", ["xnli"]), r"'xnli' has no training data"),
    "training task as target": (set_at("targets", "mnli", None), r"targets\.mnli: the task has no evaluation data"),
    "rate 0": (
        set_at("mixtures", "new", [{"task": "mnli", "rate": 0}]),
        r"mixtures\.new\.0\.rate: must be > 0, found 0",
    ),
    "negative rate": (set_at("mixtures", "new", [{"task": "mnli", "rate": -1}]), r"must be > 0, found -1"),
    "cap 0": (set_at("mixtures", "new", {"tasks": ["mnli"], "cap": 0}), r"cap: must be >= 1, found 0"),
    "language that a target lacks": (
        set_at("targets", "xquad", {"languages": ["sw"]}),
        r"targets\.xquad\.languages: XQuAD has no 'sw'",
    ),
    "split that a target lacks": (set_at("targets", "xnli", {"split": "tset"}), r"did you mean 'test'\?"),
    "no language left": (
        lambda study: study.update(languages=["sw"], targets={"xquad": None}),
        r"targets\.xquad: none of the languages sw",
    ),
    "path as a name": (set_at("mixtures", "../../etc", ["mnli"]), r"'../../etc' is not"),
    "path as a recipe": (set_at("recipes", "a/b", {}), r"'a/b' is not"),
    "wrong type": (set_at("seeds", "one"), r"seeds: must be of type array, found 'one'"),
    "training data in another language": (
        set_at("mixtures", "new", ["mnli@de"]),
        r"mnli@de \(training data\): mnli/multinli\.train\.de\.tsv: not made up",
    ),
    "second name for a task": (set_at("mixtures", "new", ["mnli", "mnli@en"]), r"write 'mnli' for 'mnli@en'"),
    "limits of an unknown language": (set_at("tasks", {"mnli@zz": {}}), r"tasks: unknown language 'zz'"),
    "number as a name": (set_at("tasks", {1: {}}), r"tasks: must be of type string, found 1"),
    "training settings of an evaluation set": (
        set_at("recipes", "quick", "target", "overrides", {"xnli": {"epochs": 9}}),
        r"overrides\.xnli\.epochs: xnli is trained on mnli; set it there",
    ),
    "override of an unknown task": (
        set_at("recipes", "quick", "target", "overrides", {"udpso": {"epochs": 1}}),
        r"overrides: unknown form or task 'udpso'; did you mean 'udpos'\?",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_study(tmp_path, name):
    edit, message = BAD[name]
    study = yaml.safe_load(STUDY.read_text())
    edit(study)
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(study))
    with pytest.raises(UserError, match=message) as error:
        plan_of(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", r"study\.yaml:2: not valid YAML"),
        ("models: [tiny]\nmodels: [tiny]\n", r"study\.yaml:2: not valid YAML: key 'models' is given twice"),
        ("- a list\n", r"must be of type object"),
    ],
)
def test_bad_yaml(tmp_path, text, message):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        plan_of(path)


def test_numbers_as_people_write_them(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: 1e-5\nb: 1.0e-5\nc: 1E3\nd: 7e9f\n")
    assert schema.read_yaml(path) == {"a": 1e-5, "b": 1e-5, "c": 1000.0, "d": "7e9f"}


def test_folder_as_a_study(tmp_path):
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        plan_of(tmp_path)


def test_config_that_is_a_list(tmp_path, monkeypatch):
    (tmp_path / "config.yaml").write_text("- a\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="config.yaml: must be keys with values"):
        local()


def test_study_of_the_shipped_settings(monkeypatch):
    """The one that needs nothing but this checkout, unless the environment names another."""
    monkeypatch.delenv("XSTILTS_STUDY", raising=False)
    shipped = schema.read_yaml(ROOT / "config.yaml")
    assert local(shipped).study == from_config({}).study == Path("studies/miniature.yaml")
    assert local({**shipped, "study": "mine.yaml"}).study == Path("mine.yaml")
    monkeypatch.setenv("XSTILTS_STUDY", "other.yaml")
    assert local(shipped).study == Path("other.yaml")


def test_study_in_readme(tmp_path):
    recipes, study = re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    path = tmp_path / "study.yaml"
    path.write_text(study)
    assert len(plan_of(path).cells) == 3 * 2 * 3
    path.write_text(yaml.safe_dump({**yaml.safe_load(study), **yaml.safe_load(recipes)}))
    plan = plan_of(path)
    assert {cell.method for cell in plan.cells} == {"lora"} and len(plan.stage("learning_rates")) == 2 + 2


def test_conda_file_has_the_locked_versions():
    lock = [line for line in (ROOT / "envs/requirements.txt").read_text().splitlines() if not line.startswith("#")]
    conda = yaml.safe_load((ROOT / "envs/xstilts.yaml").read_text())["dependencies"][-1]["pip"]
    assert conda == lock


def test_wrong_encoding(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_bytes("description: é".encode("latin-1"))
    with pytest.raises(UserError, match="not UTF-8 at byte 13"):
        plan_of(path)


def test_missing_study():
    with pytest.raises(UserError, match="nothing.yaml: no such file"):
        plan_of(Path("nothing.yaml"))


def test_norwegian_is_no_boolean(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("languages: [no, en]\nofficial: true\n")
    assert schema.read_yaml(path) == {"languages": ["no", "en"], "official": True}


def test_bad_config():
    with pytest.raises(UserError, match=r"keep_model: unknown key; did you mean 'keep_models'\?"):
        from_config({"study": "a.yaml", "keep_model": "all"})
    with pytest.raises(UserError, match="model_folders: unknown model 'xlmr'"):
        from_config({"study": "a.yaml", "model_folders": {"xlmr": "folder"}})


def test_environment_in_config(monkeypatch):
    monkeypatch.setenv("XSTILTS_MIRROR", "somewhere")
    monkeypatch.delenv("XSTILTS_MODEL", raising=False)
    config = {"study": "a.yaml", "mirror": "$XSTILTS_MIRROR", "model_folders": {"tiny": "$XSTILTS_MODEL"}}
    settings = from_config(config)
    assert settings.mirror == Path("somewhere")
    assert settings.model_folders == {}


def test_mirror_study_without_mirror(tmp_path):
    study = yaml.safe_load(STUDY.read_text())
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump({**study, "source": "mirror"}))
    with pytest.raises(UserError, match="set `mirror` in config.yaml to a folder"):
        plan_of(path)
    with pytest.raises(UserError, match="mirror: no such folder"):
        plan_of(path, mirror=str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match="has no index yet; run: xstilts index-mirror"):
        plan_of(path, mirror=str(tmp_path))


def test_shipped_studies_are_valid():
    for path in sorted((ROOT / "studies").glob("*.yaml")):
        read_study(path, registry.load())
        first = path.read_text().splitlines()[0]
        assert first.startswith("# Run:"), f"{path.name} does not open with the command that runs it"


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


def test_reference_page_is_in_step():
    assert (ROOT / "docs/configuration.md").read_text(encoding="utf-8") == reference.text(), "run: make reference"


def test_defaults_are_jiants():
    recipe = schema.check({}, "recipe.yaml", "test")
    expected = {"learning_rate": 1e-5, "warmup": 0.1, "epochs": 3, "batch_size": 32, "max_length": 256}
    assert {key: recipe["intermediate"][key] for key in expected} == expected
    assert recipe["early_stopping"] == {"evaluate_every": 1000, "patience": 30}
    assert recipe["target"]["span"] == {
        "stride": 128, "max_question_length": 64, "max_answer_length": 30, "n_best": 20, "null_threshold": 0,
    }  # fmt: skip


def test_checking_leaves_the_input_alone():
    study = yaml.safe_load(STUDY.read_text())
    before = copy.deepcopy(study)
    schema.check(study, "study.yaml", "test")
    assert json.dumps(study) == json.dumps(before)


def test_paths_in_the_machine_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("SCRATCH_HERE", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.delenv("NOT_SET", raising=False)
    settings = from_config({"results": "$SCRATCH_HERE/made", "mirror": "~/raw"})
    assert (settings.results, settings.mirror) == (tmp_path / "made", Path("/home/somebody/raw"))
    assert from_config({"mirror": "$NOT_SET"}).mirror is None
    with pytest.raises(UserError, match=r"\$NOT_SET/raw: names an environment variable that is not set"):
        from_config({"mirror": "$NOT_SET/raw"})
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="results: .*/file is a file, not a folder"):
        from_config({"results": str(tmp_path / "file")})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.safetensors", b"\x08\0\0\0\0\0\0\0{}", r"model\.safetensors: not whole"),
        ("model.safetensors", b"", r"model\.safetensors: not whole"),
        ("config.json", b"{", r"config\.json: not JSON"),
    ],
)
def test_broken_model_folders_are_refused_when_they_are_indexed(tmp_path, name, content, message):
    tiny.fetch_model({"layers": 1, "hidden_size": 8, "heads": 2, "seed": 0}, tmp_path, Place(None, True))
    assert set(index.index_model(tmp_path)) >= {"config.json", "model.safetensors", "tokenizer.json"}
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        index.index_model(tmp_path)


def test_summary_of_a_plan_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="nope.json: no such plan"):
        summary.run(argparse.Namespace(plan=tmp_path / "nope.json"))
