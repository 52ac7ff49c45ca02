"""The pages on adding a form and a metric, followed to the letter."""

import json
import re
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from xstilts import forms
from xstilts.commands import main
from xstilts.evaluation import resampling, xtreme_format
from xstilts.evaluation.scores import columns_of
from xstilts.forms import scoring
from xstilts.forms.declaration import Columns, Metric
from xstilts.planning import registry
from xstilts.planning.settings import local
from xstilts.planning.settings import plan_of as plan_with
from xstilts.store import specs, study_plan
from xstilts.store.files import canonical
from xstilts.store.manifest import MANIFEST
from xstilts.store.study_plan import Benchmark, BenchmarkTask

from tests.builders.projects import ROOT, Project
from tests.builders.study_plans import figure_commands

STUDY = """
description: A form of one's own.
source: tiny
tasks: {sts: {source: mirror, dev_rows: 4}, mnli: {train_rows: 8, dev_rows: 4}}
models: [tiny]
recipes:
  quick:
    intermediate: {max_length: 32, epochs: 1, batch_size: 8}
    target: {max_length: 32, epochs: 1, batch_size: 8}
mixtures: {none: , mnli: [mnli]}
contrasts: {gain: {mixture: [mnli, none]}}
targets: {sts: }
languages: [de, en]
seeds: [1]
"""
WORDS = ["farmer", "king", "ship", "city", "garden", "river", "small", "old", "sees", "helps", "in", "near"]
COMMANDS = {
    "data": "fetch",
    "models": "fetch",
    "prepared": "prepare",
    "tokens": "tokenize",
    "intermediate": "train",
    "targets": "train",
    "predictions": "predict",
}


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.M | re.S)


@pytest.fixture(scope="module")
def similarity(tmp_path_factory):
    """The form of the page, in a folder beside the package's own forms."""
    (module,), (line,) = (blocks("add-a-form.md", language) for language in ("python", "text"))
    name = line.strip().strip('",')
    folder = tmp_path_factory.mktemp("forms")
    (folder / f"{name}.py").write_text(module, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forms, "__path__", [*forms.__path__, str(folder)])
        added = __import__(f"xstilts.forms.{name}", fromlist=["FORM"])
        patch.setitem(forms.FORMS, name, added.FORM)
        registry.load.cache_clear()
        yield forms.get(name)
    registry.load.cache_clear()
    sys.modules.pop(f"xstilts.forms.{name}", None)


@pytest.fixture(scope="module")
def project(similarity, tmp_path_factory):
    """A project with the task of the page, whose study has been run to its end in this process."""
    folder = tmp_path_factory.mktemp("project")
    (task,) = blocks("add-a-form.md", "yaml")
    rng = np.random.default_rng(0)
    (folder / "raw/sts").mkdir(parents=True)
    (folder / "registry/tasks").mkdir(parents=True)
    (folder / "registry/tasks" / task.splitlines()[0].removeprefix("# ")).write_text(task, encoding="utf-8")
    for split, rows in {"train-en": 24, "test-en": 10, "test-de": 12}.items():
        pairs = [f"the {WORDS[row % 6]}\t{' '.join(WORDS[: row // 2])} cat" for row in range(rows)]
        lines = [f"{pair}\t{rng.uniform(0, 5):.1f}" for pair in pairs]
        (folder / f"raw/sts/{split}.tsv").write_text("\n".join(["first\tsecond\tscore", *lines]) + "\n")
    (folder / "given.yaml").write_text(STUDY)
    project = Project(folder, folder / "given.yaml", mirror="raw", registries=["registry"])
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["index-mirror", "raw"]) == 0
        plan = plan_with(local())
        for node in plan.predictions():
            make(plan, node, project.results)
        study = project.results / plan.folder
        for made_by_snakemake in ("tables", "figures"):
            (study / made_by_snakemake).mkdir(parents=True)
        (study / "plan.json").write_text(study_plan.text(plan.study_plan))
        for command in (["scores"], ["estimates"], ["analyses"], ["tables"], *figure_commands(), ["report"]):
            assert main([*command, "--plan", str(study / "plan.json")]) == 0
        yield study


def make(plan, name, results):
    """Make a node and what it needs, in this process."""
    path, node = results / name / MANIFEST, plan.nodes[name]
    if not path.exists():
        for parent in node.parents:
            make(plan, parent, results)
        folder = ["--folder", "raw"] if node.stage == "data" and node.spec.source.kind == "mirror" else []
        spec = canonical(specs.to_json(node.spec))
        assert main([COMMANDS[node.stage], "--spec", spec, "--output", str(path), *folder]) == 0


def test_scores_of_the_new_form_are_those_of_scipy(project):
    scores = pd.read_parquet(project / "scores.parquet")
    assert set(scores["metric"]) == {"spearman"} and set(scores["language"]) == {"de", "en"}
    plan = json.loads((project / "plan.json").read_text())
    for cell in plan["cells"]:
        frame = pd.read_parquet(project.parents[2] / cell["node"] / "predictions.parquet")
        for language, rows in frame.groupby("language"):
            expected = 100 * spearmanr(rows["prediction"].astype(float), rows["gold"].astype(float)).statistic
            chosen = scores[(scores["mixture"] == cell["mixture"]) & (scores["language"] == language)]
            assert chosen["score"].item() == pytest.approx(expected)
            assert chosen["n"].item() == {"de": 12, "en": 10}[language]


def test_report_and_tables_have_the_new_form(project):
    table = pd.read_csv(project / "tables/contrasts.csv")
    assert table["scale"].tolist() == ["points"]
    scores = pd.read_parquet(project / "scores.parquet")
    by_mixture = scores[scores["language"] == "de"].set_index("mixture")["score"]
    assert table["estimate"].item() == pytest.approx(by_mixture["mnli"] - by_mixture["none"])
    assert table["low"].item() <= table["estimate"].item() <= table["high"].item()
    assert "sts" in (project / "report.html").read_text()


def test_card_and_export_say_what_there_is(project, capsys):
    assert main(["data-card", "sts"]) == 0
    card = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "form: similarity, scored by spearman in percent" in card
    # of ten pairs, the longest is "the city" and "farmer king ship city cat"
    (row,) = [line.split() for line in card if line.startswith("test en ")]
    assert (row[2], row[5], row[8]) == ("10", "34", "7")
    axes = ["--model", "tiny", "--recipe", "quick", "--mixture", "none", "--seed", "1"]
    assert main(["export-xtreme", "--plan", str(project / "plan.json"), *axes, "--output", "exported"]) == 0
    assert capsys.readouterr().out == "not exported: sts: no task of a benchmark that is trained on English\n"


def test_export_of_a_benchmark_task_without_a_layout(project, capsys, monkeypatch):
    """A benchmark may have a task of the new form; then the layout is what is missing, and one line says so."""
    known = registry.load(local().registries)
    entry = BenchmarkTask(languages=("de", "en"), metrics=("spearman",), group="sentence", layout="sts")
    benchmark = Benchmark("mine", "Mine", "", {"sts": entry})
    monkeypatch.setitem(known.benchmarks, "mine", benchmark)
    monkeypatch.setattr(registry, "load", lambda *_: known)
    axes = ["--model", "tiny", "--recipe", "quick", "--mixture", "none", "--seed", "1", "--benchmark", "mine"]
    assert main(["export-xtreme", "--plan", str(project / "plan.json"), *axes, "--output", "exported"]) == 0
    assert "not exported: sts: the form similarity has no layout of files in XTREME\n" in capsys.readouterr().out
    sides = ["--predictions", ".", "--labels", ".", "--benchmark", "mine"]
    assert main(["score-xtreme", *sides]) == 2
    with pytest.raises(forms.UserError, match="similarity has no layout"):
        xtreme_format.file_name("similarity", "de")


def test_metrics_of_the_page(capsys):
    """Both metrics against scikit-learn, on all examples and on samples of them."""
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    names: dict[str, object] = {"np": np, "Metric": Metric, "Columns": Columns}
    for block in blocks("add-a-metric.md", "python"):
        exec(block, names)  # noqa: S102 (the page's own code)
    form = forms.Form(fields={}, metrics=names["metrics"])
    rng = np.random.default_rng(1)
    gold, predictions = rng.choice(["positive", "negative"], (2, 60))
    columns = scoring.columns_of(forms.get("classification"), predictions, gold, None, ["en"] * 60)
    scores = scoring.scores(form, columns)
    assert scores["matthews"] == pytest.approx(100 * metrics.matthews_corrcoef(gold, predictions))
    assert scores["errors"] == pytest.approx(100 * (1 - metrics.accuracy_score(gold, predictions)))
    counts = rng.multinomial(60, np.full(60, 1 / 60), size=5)
    samples = form.metrics["matthews"].of_examples(columns, counts.astype(float))
    expected = [metrics.matthews_corrcoef(np.repeat(gold, row), np.repeat(predictions, row)) for row in counts]
    assert samples == pytest.approx(100 * np.array(expected))


def test_interval_of_a_correlation(similarity):
    """The bootstrap of the page's metric is that of a loop over draws."""
    rng = np.random.default_rng(2)
    gold = rng.normal(size=40)
    sides = [gold + rng.normal(size=40) * noise for noise in (0.5, 2)]
    frames = [
        pd.DataFrame(
            {
                "example_id": [str(row) for row in range(40)],
                "cluster_id": [str(row // 2) for row in range(40)],
                "language": "de",
                "prediction": "",
                "gold": "",
                "stat_predicted": predicted,
                "stat_expected": gold,
            }
        )
        for predicted in sides
    ]
    split = resampling.split_examples(frames[0], "sts", parallel=False)["de"]
    drawn = resampling.draws(split)
    for frame, predicted in zip(frames, sides, strict=True):
        found = resampling.scores_of_draws(similarity.FORM.metrics, columns_of(frame), split, drawn)["spearman"]
        drawn_rows = [np.repeat(np.arange(40), np.repeat(counts, 2)) for counts in drawn]
        expected = [100 * spearmanr(predicted[rows], gold[rows]).statistic for rows in (np.arange(40), *drawn_rows)]
        assert found == pytest.approx(expected)
