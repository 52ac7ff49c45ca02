"""Models that a study names by hub id or folder: what they are called, what is said without a pin, and their paths."""

import os
import shutil

import pytest
from xstilts.errors import UserError
from xstilts.planning import feasibility, pins, registry
from xstilts.planning.settings import from_config
from xstilts.planning.settings import plan_of as plan_with
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import read_study
from xstilts.planning.unindexed import plan_unindexed

from tests.builders.pins import COMMIT, STUDY, pin, write_pins
from tests.builders.plans import plan_study, study_file

NAMES = {
    "xlm-roberta-base": "xlm-roberta-base",
    "google/umt5-small": "umt5-small",
    "google/umt5-small@0123abc": "umt5-small",
    "Qwen/Qwen3-0.6B-Base": "Qwen3-0_6B-Base",
    "./my-encoder": "my-encoder",
    "../models/enc.v2/": "enc_v2",
    "/models/_hidden": "hidden",
    "~/encoder": "encoder",
}


@pytest.mark.parametrize("named", NAMES)
def test_name_is_the_last_part(named):
    assert pins.name_of(named) == NAMES[named]


@pytest.mark.parametrize("named", ["a/b/c", "owner/", "owner/na me", "owner/name@", "-x/y"])
def test_what_is_no_hub_id(named, tmp_path):
    with pytest.raises(UserError, match="neither owner/name nor owner/name@revision"):
        plan_study(tmp_path, {**STUDY, "models": [named]})


@pytest.mark.parametrize("models", [{1: None}, {"": None}, [1], [""]])
def test_what_is_no_name(models, tmp_path):
    with pytest.raises(UserError, match="models"):
        plan_study(tmp_path, {**STUDY, "models": models})


def test_plan_reads_pins_and_nothing_else(tmp_path):
    models = {"google/umt5-small@v1": pin(), "./nowhere": pin(None, "2" * 64)}
    write_pins(tmp_path / "study.yaml", **models)
    plan = plan_study(tmp_path, {**STUDY, "models": [*models, "tiny"]})
    specs = {plan.made.names[node.id][0]: node.spec.source for node in plan.stage("models").values()}
    assert set(specs) == {"umt5-small", "nowhere", "tiny"}
    assert specs["umt5-small"].files == {"model.safetensors": "1" * 64}
    assert specs["umt5-small"].repository is specs["umt5-small"].revision is None
    assert plan.documentation.models["umt5-small"].citation == f"google/umt5-small at {COMMIT}"
    assert plan.documentation.works.models["umt5-small"].parameters == 1000
    assert plan.study.pinned["nowhere"].folder is not None and plan.study.pinned["umt5-small"].folder is None


def test_files_alone_decide_the_path(tmp_path):
    """A hub id at either revision, a folder, and a folder in place of a registered download are one model."""
    files = pin().files
    ids = []
    for models, pinned in (
        (["google/umt5-small"], {"google/umt5-small": pin()}),
        (["google/umt5-small@other"], {"google/umt5-small@other": pin("b" * 40)}),
        (["./folder"], {"./folder": pin(None)}),
        (["xlm-roberta-base"], {}),
    ):
        write_pins(tmp_path / "study.yaml", **pinned)
        indexed = {"xlm-roberta-base": files} if not pinned else None
        ids.append(set(plan_study(tmp_path, {**STUDY, "models": models}, models=indexed).nodes))
    assert ids[0] == ids[1] == ids[2] == ids[3]


def test_registered_download_keeps_its_path(tmp_path):
    """A pin of the registry's own repository is another spec than its download, whose path stays as it was."""
    downloaded = plan_study(tmp_path, {**STUDY, "models": ["multilingual-e5-small"]})
    named = "intfloat/multilingual-e5-small"
    write_pins(tmp_path / "study.yaml", **{named: pin()})
    pinned = plan_study(tmp_path, {**STUDY, "models": [named]})
    assert not set(downloaded.stage("models")) & set(pinned.stage("models"))
    # what the registry says of it holds for both
    assert pinned.documentation.models == downloaded.documentation.models


def test_other_keys_of_a_study_use_the_name(tmp_path):
    write_pins(tmp_path / "study.yaml", **{"google/umt5-small": pin()})
    models = {"google/umt5-small": {"mixtures": ["none"]}, "tiny": None}
    study = {**STUDY, "models": models, "contrasts": {"size": {"model": ["umt5-small", "tiny"]}}}
    plan = plan_study(tmp_path, study)
    assert plan.study.contrasts["size"].pair == ("umt5-small", "tiny")
    with pytest.raises(UserError, match=r"unknown model 'google/umt5-small'; did you mean 'umt5-small'"):
        plan_study(tmp_path, {**study, "contrasts": {"size": {"model": ["google/umt5-small", "tiny"]}}})


def test_model_without_a_pin(tmp_path):
    path = study_file(tmp_path, {**STUDY, "models": ["google/umt5-small"]})
    with pytest.raises(UserError, match=rf"google/umt5-small has no pin yet; run: xstilts pin {path}"):
        read_study(path, registry.load())


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (["a/encoder", "b/encoder"], "a/encoder and b/encoder would both be called 'encoder'; rename the folder, or"),
        (["a/encoder@v1", "a/encoder@v2"], "would both be called 'encoder'"),
        (["tiny", "./tiny"], "tiny and ./tiny would both be called 'tiny'"),
        (["doe/xlm-roberta-base"], "would be called 'xlm-roberta-base', which the registry has; rename the folder, or"),
        (["./xlm-roberta-base"], "would be called 'xlm-roberta-base', which the registry has"),
        (["./tiny"], "would be called 'tiny', which the registry has"),
    ],
)
def test_two_models_of_one_name(models, message, tmp_path):
    write_pins(tmp_path / "study.yaml", **{named: pin(None if named.startswith(".") else COMMIT) for named in models})
    with pytest.raises(UserError, match=message):
        plan_study(tmp_path, {**STUDY, "models": models})


@pytest.mark.parametrize("named", ["facebook/xlm-roberta-xl", "./xlm-roberta-xl"])
def test_a_registered_model_without_a_download_is_where_the_study_says(named, tmp_path):
    assert registry.load().models["xlm-roberta-xl"]["hub"] is None
    write_pins(tmp_path / "study.yaml", **{named: pin(None if named.startswith(".") else COMMIT)})
    plan = plan_study(tmp_path, {**STUDY, "models": [named]})
    assert plan.documentation.works.models["xlm-roberta-xl"].parameters == 1000


def test_inputs_longer_than_a_pinned_model_reads(tmp_path):
    write_pins(tmp_path / "study.yaml", **{"google/umt5-small": pin(positions=16)})
    plan = plan_study(tmp_path, {**STUDY, "models": ["google/umt5-small"]})
    with pytest.raises(UserError, match="umt5-small reads 16 tokens"):
        feasibility.check(plan, registry.load(), Indexes(), "s.yaml")


def test_estimates_plan_with_the_pins_too(tmp_path):
    write_pins(tmp_path / "study.yaml", **{"google/umt5-small": pin()})
    path = study_file(tmp_path, {**STUDY, "models": ["google/umt5-small"]})
    settings, entries = from_config({"study": str(path)}), registry.load()
    study = read_study(path, entries)
    assert set(plan_unindexed(study, entries, settings).nodes) == set(plan_with(settings).nodes)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("family: encoder", "family: encodr", "models.google/umt5-small.family: 'encodr' is not possible"),
        ("licence: null", "license: null", "license: unknown key; did you mean 'licence'"),
        ("model.safetensors:", "../model.safetensors:", "is not a relative path inside its folder"),
        ("'11111", "'x1111", "is not of the form a SHA-256"),
    ],
)
def test_pins_that_are_wrong(old, new, message, tmp_path):
    path = write_pins(tmp_path / "study.yaml", **{"google/umt5-small": pin()})
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(UserError, match=message) as error:
        plan_study(tmp_path, {**STUDY, "models": ["google/umt5-small"]})
    assert str(error.value).startswith(f"{path}: ")


def test_folder_that_changed_is_refused_when_a_run_begins(model_folder, tmp_path):
    folder, study = tmp_path / "encoder", tmp_path / "study.yaml"
    shutil.copytree(model_folder, folder)
    stated = {"model.safetensors": {"sha256": "3" * 64, "bytes": os.path.getsize(folder / "model.safetensors")}}
    asked = (study, str(folder), pin(None, files=stated))
    write_pins(study, **{str(folder): asked[2]})
    # it is older than the pins, so that it is not read
    pins.refuse_changes(*asked)
    os.utime(pins.path_of(study), (0, 0))
    message = f"{folder}/model.safetensors: changed since it was pinned; restore it, or accept the folder: xstilts pin"
    with pytest.raises(UserError, match=message):
        pins.refuse_changes(*asked)
    (folder / "model.safetensors").unlink()
    with pytest.raises(UserError, match="missing since it was pinned"):
        pins.refuse_changes(*asked)
    shutil.rmtree(folder)
    pins.refuse_changes(*asked)
