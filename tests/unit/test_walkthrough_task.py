"""docs/add-a-task.md: its second task, with booleans and a URL, and its study (``test_own_tasks.py`` has the first)."""

import hashlib
import json
import re
from pathlib import Path

import pytest
import yaml
from xstilts.commands import main
from xstilts.errors import UserError
from xstilts.planning import registry
from xstilts.planning.settings import local, plan_of
from xstilts.store import manifest
from xstilts.store.files import canonical
from xstilts.store.manifest import PreparedResults
from xstilts.store.specs import to_json
from xstilts.store.specs.base import DATA

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/add-a-task.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.M | re.S)
(SENTIMENT,) = (text for language, text in BLOCKS if language == "yaml")
PLAIN = [text for language, text in BLOCKS if not language]
(YES_NO,) = (block for block in PLAIN if block.startswith("# yes_no.yaml"))
(STUDY,) = (block for block in PLAIN if block.startswith("source: mirror"))
REST = {
    "description": "A task of one's own.",
    "models": ["tiny"],
    "recipes": {"quick": {"intermediate": {"max_length": 64}, "target": {"max_length": 64}}},
    "seeds": [1],
}
ANSWERS = {"train": [True, False] * 10, "dev": [True, False, False]}


def task(folder, text):
    (folder / "tasks" / text.splitlines()[0].removeprefix("# ")).write_text(text, encoding="utf-8")


@pytest.fixture
def upstream(tmp_path):
    """The folder of what the page's URL stands for, with its files."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    for split, answers in ANSWERS.items():
        rows = [
            {"passage": f"Text {i}.", "question": f"question {i}", "answer": gold} for i, gold in enumerate(answers)
        ]
        (folder / f"{split}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return folder


@pytest.fixture
def project(tmp_path, monkeypatch, upstream):
    """A folder with the page's task, whose URLs are files of this machine, and a study that downloads it."""
    own = tmp_path / "my_registry"
    (own / "tasks").mkdir(parents=True)
    task(own, YES_NO.replace("https://host/yes_no", f"file://{upstream}"))
    study = {**REST, "source": "tiny", "tasks": {"yes_no": {"source": "download", "dev_rows": 4}}}
    study |= {"mixtures": {"none": None}, "targets": {"yes_no": None}}
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"study": "study.yaml", "registries": ["my_registry"]}))
    registry.load.cache_clear()
    yield tmp_path
    registry.load.cache_clear()


def make(plan, name, results):
    path, node = manifest.path_of(results, name), plan.nodes[name]
    urls = ["--urls", json.dumps(plan.urls[name])] if name in plan.urls else []
    command = {"data": "fetch", "prepared": "prepare"}[node.stage]
    assert main([command, "--spec", canonical(to_json(node.spec)), "--output", str(path), *urls]) == 0


def test_booleans_are_labels_and_urls_give_the_files(project, upstream):
    sums = {f"yes_no/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in upstream.iterdir()}
    (project / "my_registry/checksums.yaml").write_text(yaml.safe_dump(sums))
    plan = plan_of(local())
    found = {}
    for node in plan.stage("prepared").values():
        if node.spec.task == "yes_no":
            make(plan, node.spec.parents[DATA], project / "results")
            make(plan, node.id, project / "results")
            splits = manifest.results_of(project / "results", node.id, PreparedResults).splits
            found |= {name: dict(split.labels) for name, split in splits.items()}
    assert found["en"] == {"no": 2, "yes": 1}
    assert found["train"]["no"] + found["dev"]["no"] == found["train"]["yes"] + found["dev"]["yes"] == 10


def test_file_without_a_checksum_is_never_downloaded(project):
    with pytest.raises(UserError, match="yes_no"):
        plan_of(local())


def test_study_of_the_page(tmp_path, monkeypatch):
    own, raw = tmp_path / "my_registry", tmp_path / "raw"
    (own / "tasks").mkdir(parents=True)
    task(own, SENTIMENT)
    for name, header, row in [
        ("sentiment/train-en.tsv", "review\tstars", "Good.\t1"),
        ("sentiment/test-en.tsv", "review\tstars", "Good.\t1"),
        ("sentiment/test-de.tsv", "review\tstars", "Gut.\t1"),
    ]:
        (raw / name).parent.mkdir(parents=True, exist_ok=True)
        (raw / name).write_text(f"{header}\n{row}\n")
    study = {**REST, **yaml.safe_load(STUDY), "tasks": {name: {"source": "tiny"} for name in ("mnli", "xnli")}}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    config = {"study": "study.yaml", "registries": ["my_registry"], "mirror": "raw"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(tmp_path)
    registry.load.cache_clear()
    assert main(["index-mirror", "raw"]) == 0
    plan = plan_of(local())
    trained = {
        name: [task.task for task in node.spec.tasks] for name, node in plan.named() if node.stage == "intermediate"
    }
    assert trained == {"tiny.quick.sentiment.s1": ["sentiment"], "tiny.quick.both.s1": ["mnli", "sentiment"]}
    assert {cell.target for cell in plan.cells} == {"sentiment", "xnli"}
