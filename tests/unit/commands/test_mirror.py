"""What a study fetches, in a folder that is carried to a machine without a network: the same nodes, nothing half."""

import dataclasses
import fcntl
import json
import shutil
import socket

import pytest
import yaml
from xstilts.commands import main
from xstilts.data.sources import url
from xstilts.planning import fetched, registry
from xstilts.planning.settings import local, plan_of
from xstilts.store import manifest

from tests.builders import hub as hub_server
from tests.builders import pins, web
from tests.builders.plans import spec_text, study_file
from tests.builders.projects import Project

RECIPE = {"target": {"max_length": 64}}
STUDY = {"description": "A test.", "seeds": [1], "mixtures": {"none": None}, "recipes": {"short": RECIPE}}
RAW = "xquad/xquad.de.json"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder from which commands are called; config.yaml as ``configure`` has it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(folder, **settings):
    (folder / "config.yaml").write_text(yaml.safe_dump({"study": "study.yaml", **settings}))


def study(folder, **content):
    (folder / "study.yaml").write_text(yaml.safe_dump({**STUDY, **content}))


def fetch_offline(folder, plan, results, monkeypatch):
    """Make all nodes of raw data and of models as a machine without a network does, and return their files."""

    def refuse(*arguments, **options):
        raise OSError("this machine has no network")

    for name in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    made = {}
    for node in plan.nodes.values():
        if node.stage in ("data", "models"):
            output = folder / results / node.id / "manifest.json"
            arguments = ["--spec", spec_text(node.spec), "--output", str(output), "--folder", "carried", "--offline"]
            assert main(["fetch", *arguments]) == 0
            made[node.id] = manifest.read(output).files
    return made


@pytest.fixture
def server(folder, monkeypatch):
    """A server with the one file of a study that downloads it, and the registry that says so."""
    monkeypatch.setattr(url, "WAITS", ())
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    known = registry.load()
    with web.serve() as server:
        server.files = {"/xquad.de.json": web.DATA}
        (source,) = known.tasks["lm_loss"].sources
        task = dataclasses.replace(
            known.tasks["lm_loss"], sources=(dataclasses.replace(source, urls=(f"{server.address}/{{name}}",)),)
        )
        changed = dataclasses.replace(
            known,
            tasks={**known.tasks, "lm_loss": task},
            checksums={**known.checksums, RAW: web.sha256(web.DATA)},
        )
        monkeypatch.setattr(registry, "load", lambda registries=(): changed)
        study(folder, source="download", models=["tiny"], targets={"lm_loss": None}, languages=["de"])
        configure(folder)
        yield server


def test_a_download_is_carried_and_gives_the_same_node(server, folder, monkeypatch, capsys):
    assert main(["mirror", "study.yaml", "carried"]) == 0
    assert web.tree(folder / "carried") == {
        RAW: web.DATA,
        "carried.json": json.dumps({"files": {RAW: web.sha256(web.DATA)}}, indent=1).encode() + b"\n",
    }
    assert capsys.readouterr().out.splitlines() == [
        "carried: 1 file, 0.1 MB; config.yaml says there, with its own path:", "offline: true", "mirror: carried",
    ]  # fmt: skip
    before = plan_of(local())
    configure(folder, offline=True, mirror="carried")
    plan = plan_of(local())
    assert (set(plan.nodes), plan.digest) == (set(before.nodes), before.digest)
    made = fetch_offline(folder, plan, "results", monkeypatch)
    (files,) = [files for name, files in made.items() if name.startswith("data/")]
    assert {name: file.sha256 for name, file in files.items()} == {RAW: web.sha256(web.DATA)}


def test_what_was_interrupted_goes_on(server, folder, caplog):
    server.cuts = {"/xquad.de.json": [40_000]}
    assert main(["mirror", "study.yaml", "carried"]) == 2
    assert "the connection ended after 40000 of 100000 bytes" in caplog.text
    assert RAW not in web.tree(folder / "carried")
    # a kill leaves scratch
    (folder / "carried/.part-x").mkdir()
    assert main(["mirror", "study.yaml", "carried"]) == 0
    assert server.requests[-1] == ("/xquad.de.json", "bytes=40000-")
    assert set(web.tree(folder / "carried")) == {RAW, "carried.json"}
    asked = len(server.requests)
    assert main(["mirror", "study.yaml", "carried"]) == 0
    assert len(server.requests) == asked
    (folder / "carried" / RAW).unlink()
    assert main(["mirror", "study.yaml", "carried"]) == 0
    assert len(server.requests) == asked + 1


def test_folders_that_it_did_not_write(server, folder, caplog):
    (folder / "carried").mkdir()
    (folder / "carried/mine").write_text("")
    assert main(["mirror", "study.yaml", "carried"]) == 2
    assert "error: carried: neither empty nor written by xstilts mirror; name another folder" in caplog.text
    assert main(["mirror", "study.yaml", "config.yaml"]) == 2
    assert "error: config.yaml: neither empty nor written" in caplog.text
    (folder / "carried/mine").unlink()
    for text in ("{}", '{"files": {"../x": "0"}}', '{"files": {"x": 0}}'):
        (folder / "carried/carried.json").write_text(text)
        caplog.clear()
        assert main(["mirror", "study.yaml", "carried"]) == 2
        assert "carried.json: not written by xstilts mirror; run it again, into another folder" in caplog.text


def test_two_at_once(server, folder, caplog):
    assert main(["mirror", "study.yaml", "carried"]) == 0
    with open(folder / "carried/.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert main(["mirror", "study.yaml", "carried"]) == 2
    assert "error: carried: another xstilts mirror writes it; wait for it to end" in caplog.text


def test_a_file_that_changed_on_the_way_is_refused(server, folder, caplog):
    assert main(["mirror", "study.yaml", "carried"]) == 0
    (node,) = plan_of(local()).stage("data").values()
    (folder / "carried" / RAW).write_bytes(web.OTHER)
    arguments = ["--spec", spec_text(node.spec), "--output", f"results/{node.id}/manifest.json"]
    assert main(["fetch", *arguments, "--folder", "carried", "--offline"]) == 2
    assert f"carried/{RAW}: changed since it was indexed" in caplog.text
    assert "restore the file, or accept it with: xstilts mirror" in caplog.text
    assert not (folder / "results" / node.id).exists()


def test_mirror_and_model_folder_go_with_it(filled, folder, model_folder, monkeypatch):
    shutil.copytree(model_folder, folder / "model")
    name = "multilingual-e5-small"
    content = {**filled.study, "source": "mirror", "models": [name], "targets": {"xnli": None, "xquad": None}}
    study(folder, **content)
    # what it says of this file must be known there too
    filled.edit("xquad/xquad.en.json", lambda text: text[:99])
    configure(folder, mirror="mirror", model_folders={name: "model"})
    assert main(["index-mirror", "mirror"]) == main(["index-model", "model"]) == 0
    before = plan_of(local())
    assert main(["mirror", "study.yaml", "carried"]) == 0
    configure(folder, mirror="carried", model_folders={name: f"carried/models/{name}"})
    plan = plan_of(local())
    assert (set(plan.nodes), plan.digest) == (set(before.nodes), before.digest)
    assert not (folder / "carried/xquad/xquad.en.json").exists()
    assert (folder / "carried/xnli/test-de.tsv").read_bytes() == (folder / "mirror/xnli/test-de.tsv").read_bytes()
    for file in ("config.json", "tokenizer.json", "model.safetensors"):
        assert (folder / f"carried/models/{name}/{file}").read_bytes() == (folder / "model" / file).read_bytes()
    # a file whose SHA-256 the plan knows is found by it, whatever its name
    made = fetch_offline(folder, plan, "results", monkeypatch)
    assert {node.partition("/")[0] for node in made} == {"data", "models"}


def test_pinned_models_are_carried(folder, families, monkeypatch):
    shutil.copytree(families["bert"], folder / "my-encoder")
    study_file(folder, {**pins.STUDY, "models": ["doe/t5", "./my-encoder"]})
    configure(folder)
    with pins.hub_of({"doe/t5": families["mt5"]}, monkeypatch, folder / "cache"):
        assert main(["pin"]) == main(["mirror", "study.yaml", "carried"]) == 0
    before = plan_of(local())
    configure(folder, mirror="carried", offline=True)
    settings = local()
    plan = plan_of(settings)
    assert (set(plan.nodes), plan.digest) == (set(before.nodes), before.digest)

    def places():
        found = [fetched.of_node(node, plan, settings) for node in plan.stage("models").values()]
        assert {each.study for each in found} == {settings.study}
        return {each.name: (str(each.folder), each.hub) for each in found}

    assert places() == {"t5": ("carried", f"doe/t5@{pins.COMMIT}"), "my-encoder": ("my-encoder", None)}
    (folder / "my-encoder").rename(folder / "gone")
    assert places()["my-encoder"] == ("carried", None)
    made = fetch_offline(folder, plan, "results", monkeypatch)
    assert len([node for node in made if node.startswith("models/")]) == 2


def test_the_hub_is_carried(folder, model_folder, monkeypatch):
    """In a process of its own: the hub's libraries read the environment when they are imported."""
    name, known = "multilingual-e5-small", registry.load()
    rows = {"premise": ["a"] * 3, "hypothesis": ["b"] * 3, "label": [0, 1, 2]}
    datasets = {}
    for task, config, splits in (("xnli", "de", ["test"]), ("mnli", "mnli", ["train", "validation_matched"])):
        source = next(source for source in known.tasks[task].sources if source.kind == "hub")
        paths = {split: f"{config}/{split}.parquet" for split in splits}
        files = [{"split": split, "path": path} for split, path in paths.items()]
        card = yaml.safe_dump({"configs": [{"config_name": config, "data_files": files}]})
        content = {path: hub_server.parquet(rows) for path in paths.values()}
        datasets[source.repository] = {source.revision: {"README.md": f"---\n{card}---\n".encode(), **content}}
    entry = known.models[name]
    models = {entry["hub"]: {entry["revision"]: web.tree(model_folder)}}
    study(folder, source="download", models=[name], targets={"xnli": None}, languages=["de"])
    project = Project(folder / "project", folder / "study.yaml")
    with hub_server.serve(datasets=datasets, models=models) as address:
        hub = {"HF_ENDPOINT": address, "HF_HOME": str(folder / "home"), "no_proxy": "127.0.0.1"}
        project.xstilts("mirror", "study.yaml", str(folder / "carried"), **hub)
    carried = web.tree(folder / "carried")
    assert carried[f"hub/models/{entry['hub']}/{entry['revision']}/model.safetensors"]
    assert len([file for file in carried if file.startswith("hub/datasets/")]) == 3
    configure(folder, offline=True, mirror="carried")
    plan = plan_of(local())
    made = fetch_offline(folder, plan, "results", monkeypatch)
    assert {stage.partition("/")[0] for stage in made} == {"data", "models"}
    assert sorted(file.sha256 for files in made.values() for file in files.values()) == sorted(
        json.loads(carried["carried.json"])["files"].values()
    )
