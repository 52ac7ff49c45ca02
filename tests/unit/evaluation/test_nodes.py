"""Official tests without labels: read, predicted and exported, beside dev splits, which are scored."""

import pandas as pd
import pytest
from xstilts.commands import main
from xstilts.data import usable
from xstilts.errors import UserError
from xstilts.evaluation import scores
from xstilts.evaluation.predictions import FILE, UNLABELLED_FILE
from xstilts.planning import mirror_index, registry
from xstilts.store import study_plan
from xstilts.store.manifest import EvaluationResults, PreparedResults, results_of

from tests.builders.mirrors import Mirror
from tests.builders.plans import make

# without its last column, as XTREME's download script leaves the tests of these tasks
TESTS = ("xnli/test-de.tsv", "udpos/test-de.tsv")
LIMITS = {"train_rows": 32, "dev_rows": 16}
QUICK = {"target": {"epochs": 1, "max_length": 64, "batch_size": 64}}


def without_labels(text: str) -> str:
    return "".join(line.rpartition("\t")[0] + "\n" for line in text.splitlines())


@pytest.fixture(scope="module")
def withheld(tmp_path_factory) -> Mirror:
    """A mirror with dev files of two tasks in German, and tests without labels."""
    study = {"languages": ["de"], "targets": {"xnli": None, "udpos": None}, "recipes": {"q": QUICK}, "limits": LIMITS}
    mirror = Mirror(tmp_path_factory.mktemp("withheld"), **study)
    mirror.made_up("mnli/train.json", "udpos/train-en.tsv", *TESTS)
    for name in TESTS:
        mirror.put(name.replace("test", "dev"), (mirror.folder / name).read_text())
        mirror.edit(name, without_labels)
    return mirror


def test_the_index_says_which_files_have_no_labels(withheld):
    files = mirror_index.index_mirror(withheld.folder, registry.load(), usable.check)
    uses = {name: use for name, file in files.items() for use in file["tasks"].values()}
    assert {name for name, use in uses.items() if mirror_index.UNLABELLED in use} == set(TESTS)
    assert uses["xnli/test-de.tsv"]["rows"] == uses["xnli/dev-de.tsv"]["rows"]


def test_they_are_predicted_where_the_study_asks_and_move_nothing(withheld):
    plain, asked = withheld.plan(), withheld.plan(unlabelled_tests=True)
    assert plain.unlabelled == {} and plain.nodes.keys() < asked.nodes.keys()
    assert [cell.node for cell in plain.cells] == [cell.node for cell in asked.cells] == list(asked.unlabelled)
    assert "xnli: tests without labels are not scored; `unlabelled_tests` predicts them: de" in plain.notes
    assert "xnli: tests without labels are not scored; predicted for export-xtreme: de" in asked.notes
    here = withheld.plan(
        targets={"udpos": {"split": "dev"}}, tasks={"udpos": {"source": "tiny"}}, unlabelled_tests=True
    )
    assert "unlabelled_tests: no target has an official test without labels in its source" in here.notes
    with pytest.raises(UserError, match=r"targets\.xnli: XNLI has no labels in its test \(de\);"):
        withheld.plan(targets={"xnli": {"split": "test"}})


def test_they_are_exported_and_not_scored(withheld, tmp_path, capsys):
    results, plan = tmp_path / "results", withheld.plan(unlabelled_tests=True)
    for cell in plan.cells:
        scored = make(plan, cell.node, results, withheld.folder)
        exported = make(plan, plan.unlabelled[cell.node], results, withheld.folder)
        assert (scored / FILE).exists() and not (scored / UNLABELLED_FILE).exists()
        assert (exported / UNLABELLED_FILE).exists() and not (exported / FILE).exists()
        (split,) = results_of(results, plan.unlabelled[cell.node], EvaluationResults).splits.values()
        assert (split.official, split.labelled) == (True, False)
        assert "gold" not in pd.read_parquet(exported / UNLABELLED_FILE)
    for node in plan.stage("prepared").values():
        if "unlabelled" in plan.made.names[node.id][0]:
            (split,) = results_of(results, node.id, PreparedResults).splits.values()
            assert not split.labelled and split.labels == {}
    assert set(scores.collect(plan.study_plan, results)["split"]) == {"dev"}
    path = results / "studies/study/0/plan.json"
    path.parent.mkdir(parents=True)
    path.write_text(study_plan.text(plan.study_plan))
    axes = ["--model", "tiny", "--recipe", "q", "--mixture", "none", "--seed", "1", "--benchmark", "xtreme"]
    sides = ["--output", str(tmp_path / "out"), "--labels", str(tmp_path / "labels")]
    assert main(["export-xtreme", "--plan", str(path), *axes, *sides]) == 0
    said = capsys.readouterr().out
    for task in ("xnli", "udpos"):
        assert f"{task}: no labels, so that nothing is scored: de\n" in said
        assert not (tmp_path / "labels" / task).exists()
    tags = (tmp_path / "out/udpos/test-de.tsv").read_text().split("\n")
    words = (withheld.folder / "udpos/test-de.tsv").read_text().split("\n")
    assert [bool(tag) for tag in tags[: len(words)]] == [bool(word) for word in words]
    lines = (tmp_path / "out/xnli/test-de.tsv").read_text().split()
    assert len(lines) == len((withheld.folder / "xnli/test-de.tsv").read_text().splitlines())
    assert set(lines) <= set(registry.load().tasks["xnli"].labels)


def test_they_cannot_be_trained_on(withheld):
    name = "udpos/train-en.tsv"
    before = (withheld.folder / name).read_text()
    withheld.edit(name, without_labels)
    with pytest.raises(UserError, match=r"train-en\.tsv, row 1: no column 'tags'; found 'words'"):
        withheld.prepare("udpos.training")
    withheld.put(name, before)
