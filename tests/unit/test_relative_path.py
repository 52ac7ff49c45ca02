"""Names of files: relative paths inside their folder, wherever they come from, and again where they are written."""

import json
import os

import pytest
from xstilts.commands import main
from xstilts.data import usable
from xstilts.data.sources import Place, mirror, tiny
from xstilts.errors import UserError
from xstilts.planning import index, mirror_index, registry
from xstilts.relative_path import is_inside
from xstilts.schema import check
from xstilts.store import manifest, specs
from xstilts.store.files import target

from tests.builders.plans import content_of, plan_study, spec_text

INSIDE = [
    "a",
    "a/b.c",
    "config/train[:10%]",
    "mnli/{language}.tsv",
    ".hidden",
    "a b",
    "...",
    "a..b",
    "größe",
    "a~",
    "ab:c",
]
OUTSIDE = [
    "", ".", "..", "../x", "../../../x.tsv", "a/../../x", "a/..", "a/./b", "./a", "a//b", "a/", "/etc/passwd",
    "//host/x",
    "~/x", "~root", "..\\x", "a\\b", "C:\\x", "C:/x", "c:x", "a\0b", "a\nb", "a\n", "\ud800", "\u202ea", "x" * 201,
    "/".join(["x" * 100] * 11),
]  # fmt: skip


@pytest.mark.parametrize("name", INSIDE)
def test_inside(name, tmp_path):
    assert is_inside(name)
    assert target(tmp_path, name) == tmp_path / name
    target(tmp_path, name).write_text("x")


@pytest.mark.parametrize("name", OUTSIDE)
def test_outside(name, tmp_path):
    assert not is_inside(name)
    with pytest.raises(UserError, match="cannot be written into .*: it must be a relative path inside its folder"):
        target(tmp_path / "folder", name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("link", ["a", "a/b", "a/b/c"])
@pytest.mark.parametrize("leads", ["out", "in", "nowhere"])
def test_nothing_is_written_through_a_link(link, leads, tmp_path):
    folder = tmp_path / "folder"
    (folder / link).parent.mkdir(parents=True)
    (folder / "other").mkdir()
    (tmp_path / "outside").mkdir()
    (folder / link).symlink_to({"out": tmp_path / "outside", "in": folder / "other", "nowhere": "gone"}[leads])
    with pytest.raises(UserError, match="a link, through which nothing is written"):
        target(folder, "a/b/c")
    assert not any((tmp_path / "outside").iterdir()) and not any((folder / "other").iterdir())


# task files

TASK = {
    "version": 1, "form": "classification", "title": "T", "metric": "accuracy", "labels": ["a", "b"],
    "languages": ["en"],
    "sources": [{
        "kind": "files", "reader": "tsv", "columns": {"text_a": "a", "text_b": "b", "label": "c"},
        "training": ["t/train.tsv"],
        "dev": ["t/dev.tsv"], "evaluation": [{"split": "test", "files": ["t/test.tsv"], "threshold": ["t/dev.tsv"]}],
    }],
}  # fmt: skip
PLACES = {
    "training": lambda source, name: source.update(training=[name]),
    "dev": lambda source, name: source.update(dev=[name]),
    "evaluation.0.files": lambda source, name: source["evaluation"][0].update(files=[name]),
    "evaluation.0.files.en": lambda source, name: source["evaluation"][0].update(files={"en": [name]}),
    "evaluation.0.threshold": lambda source, name: source["evaluation"][0].update(threshold=[name]),
}


def task_with(edit) -> dict:
    content = json.loads(json.dumps(TASK))
    edit(content)
    return content


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", ["../../../x.tsv", "/etc/passwd", "a\\b", "~/x", "a\n"])
def test_file_of_a_task(place, name):
    content = task_with(lambda task: PLACES[place](task["sources"][0], name))
    expected = rf"t\.yaml: sources\.0\.{place.replace('.', '[.]')}\.0: .* is not a relative path inside its folder"
    with pytest.raises(UserError, match=expected):
        check(content, "task.yaml", "t.yaml", registry.choices())


@pytest.mark.parametrize(
    "edit",
    [
        lambda task: task.update(codes={"en": "../.."}),
        lambda task: task.update(languages=["../.."]),
        lambda task: task["sources"][0].update(training_languages=["../.."]),
        lambda task: task["sources"][0]["evaluation"][0].update(languages=["../.."]),
        lambda task: task["sources"][0]["evaluation"][0].update(files={"../..": ["a"]}),
        lambda task: task["sources"][0].update(repository="../x"),
    ],
)
def test_what_stands_for_a_part_of_a_file_name_leads_nowhere_else(edit):
    check(task_with(lambda task: None), "task.yaml", "t.yaml", registry.choices())
    with pytest.raises(UserError, match=r"t\.yaml: [\w.]+: '\.\./(\.\.|x)' is not of the form"):
        check(task_with(edit), "task.yaml", "t.yaml", registry.choices())


def test_a_task_file_reads_nothing_outside_the_mirror(tmp_path):
    """Before, the file was indexed, and written beside the results."""
    (tmp_path / "x.tsv").write_text("a\tb\tc\n")
    (tmp_path / "one/mirror").mkdir(parents=True)
    own = tmp_path / "own"
    (own / "tasks").mkdir(parents=True)
    (own / "tasks/t.yaml").write_text(
        json.dumps(task_with(lambda task: PLACES["training"](task["sources"][0], "../../x.tsv")))
    )
    with pytest.raises(UserError, match=r"own/tasks/t\.yaml: sources\.0\.training\.0: '\.\./\.\./x\.tsv' is not"):
        mirror_index.index_mirror(tmp_path / "one/mirror", registry.load((own,)), usable.check)


# indexes


@pytest.mark.parametrize("kind", ["mirror", "model"])
@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a\\b"])
def test_name_in_an_index(kind, name, tmp_path):
    files = {name: {"sha256": "0" * 64, "bytes": 1, "tasks": {}}}
    index.write(tmp_path, f"{kind}.yaml", tmp_path, files)
    with pytest.raises(UserError, match=rf"{kind}\.yaml: .* is not a relative path .*run: xstilts index-{kind}"):
        index.read(tmp_path, f"{kind}.yaml", tmp_path, "key")


# specs, manifests and what is written


@pytest.mark.parametrize("kind", ["mirror", "url", "hub", "tiny"])
def test_a_spec_writes_nothing_outside_its_node(kind, tmp_path, caplog):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "x").write_text("x")
    stated = {"stage": "data", "version": 1, "parents": {}, "source": {"kind": kind, "files": {"../x": "0" * 64}}}
    output = tmp_path / "results/data/node/manifest.json"
    command = ["fetch", "--spec", json.dumps(stated), "--output", str(output), "--folder", str(tmp_path / "mirror")]
    assert main(command) == 2
    assert "spec of the stage data: source.files" in caplog.text and "relative path inside" in caplog.text
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("fetch", [mirror.fetch_data, mirror.fetch_model, tiny.fetch_data])
def test_sources_check_again(fetch, tmp_path):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "x").write_text("x")
    with pytest.raises(UserError, match="cannot be written into"):
        fetch(content_of({"../x": "0" * 64}), tmp_path / "node", Place(tmp_path / "mirror", True))


def test_a_parent_is_a_node(tmp_path):
    plan = plan_study(tmp_path, "description: A study.\nsource: tiny\nmodels: [tiny]\n" + SHORT)
    spec = next(iter(plan.stage("predictions").values())).spec
    stated = json.loads(spec_text(spec))
    assert specs.from_json(stated) == spec or specs.to_json(specs.from_json(stated)) == stated
    stated["parents"] = {role: f"../../{parent}" for role, parent in stated["parents"].items()}
    with pytest.raises(UserError, match=r"spec of the stage predictions: parents\..*relative path inside"):
        specs.from_json(stated)


SHORT = """
recipes: {short: {target: {max_length: 64}}}
targets: {xnli: }
languages: [en]
"""


def test_a_manifest_names_nothing_outside_its_node(tmp_path):
    content = {"spec": {"stage": "data"}, "files": {"../x": {"sha256": "0" * 64, "bytes": 1}}}
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="not a manifest"):
        manifest.read(path)


def test_a_file_of_a_mirror_may_be_a_link_and_what_is_written_is_none(tmp_path):
    """On clusters mirrors are often made of links; the SHA-256 of the index decides what a file is."""
    from xstilts.store.files import file_sha256

    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/rows").write_text("rows")
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/set").symlink_to(tmp_path / "elsewhere")
    sha256 = file_sha256(tmp_path / "elsewhere/rows")
    mirror.fetch_data(content_of({"set/rows": sha256}, "mirror"), tmp_path / "node", Place(tmp_path / "mirror", True))
    assert (tmp_path / "node/set/rows").read_text() == "rows"
    assert not any(os.path.islink(path) for path in (tmp_path / "node").rglob("*"))
