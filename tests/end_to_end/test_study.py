"""A whole study on a tiny random model with all five forms, and what it leaves behind."""

import json
import re
import shutil
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file
from xstilts.reporting.figures.empty import svg_with_data
from xstilts.store import manifest, provenance, runs
from xstilts.store import node as node_store
from xstilts.store.figures import FIGURES
from xstilts.store.files import digest, file_sha256
from xstilts.store.manifest import path_of
from xstilts.store.stages import STAGES

from tests.builders.plans import named, node_of, spec_text


def folder_of(project):
    return (project.results / "studies/study/latest").resolve()


def manifests(project, stage):
    return {
        name: manifest.read(path_of(project.results, node.id)) for name, node in named(project.plan(), stage).items()
    }


def test_every_node_is_made(finished):
    for node in finished.plan().nodes.values():
        stated = manifest.read(path_of(finished.results, node.id))
        assert stated.spec_json == json.loads(spec_text(node.spec))
        for name, file in stated.files.items():
            assert file_sha256(finished.results / node.id / name) == file.sha256, (node.id, name)
        assert (finished.results / node.id / "provenance.json").exists()
    assert not list((finished.results / "work").rglob("checkpoint-*"))


def test_scores_have_a_row_for_each_combination(finished):
    scores = pd.read_parquet(folder_of(finished) / "scores.parquet")
    axes = ["model", "recipe", "method", "mixture", "seed", "target", "language", "metric"]
    assert not scores.duplicated(axes).any()
    languages = {"xnli": 2, "udpos": 2, "xquad": 2, "tatoeba": 1}
    metrics = {"xnli": 2, "udpos": 2, "xquad": 2, "tatoeba": 1}
    assert len(scores) == 2 * sum(languages[target] * metrics[target] for target in languages)
    assert scores["score"].between(0, 100).all()
    assert {"n", "split", "source", "sample", "layer", "direction", "collapsed"} <= set(scores.columns)
    assert set(scores.loc[scores["target"] == "tatoeba", "direction"]) == {"from_english"}
    assert set(scores.loc[scores["target"] == "tatoeba", "layer"]) == {1}


def test_predictions_carry_what_statistics_need(finished):
    for node in finished.plan().nodes.values():
        if node.stage not in ("predictions", "retrieval"):
            continue
        frame = pd.read_parquet(finished.results / node.id / "predictions.parquet")
        assert {"example_id", "cluster_id", "language", "split", "prediction", "gold"} <= set(frame.columns)
        assert [name for name in frame.columns if name.startswith("stat_")]
        assert not frame.duplicated(["example_id", "language"]).any()
        assert not frame.isna().any().any()


def test_scores_are_those_of_the_predictions(finished):
    node = node_of(finished.plan(), "predictions", "tiny.quick.none.s1.xnli")
    frame = pd.read_parquet(finished.results / node.id / "predictions.parquet")
    scores = pd.read_parquet(folder_of(finished) / "scores.parquet")
    scores = scores.query("target == 'xnli' and mixture == 'none' and headline").set_index("language")
    for language, part in frame.groupby("language"):
        ours = scores.loc[language, "score"]
        assert ours == pytest.approx(100 * (part["prediction"] == part["gold"]).mean())


def test_a_mixture_states_what_it_saw(finished):
    (made,) = manifests(finished, "intermediate").values()
    run = made.results.run
    assert set(run.tasks) == {"mnli", "squad_v1", "commonsenseqa"}
    assert sum(task.steps for task in run.tasks.values()) == made.results.steps == run.best_step
    assert sum(task.probability for task in run.tasks.values()) == pytest.approx(1, abs=1e-5)


def test_the_best_evaluation_is_kept(finished):
    for node in finished.plan().stage("targets").values():
        history = json.loads((finished.results / node.id / "history.json").read_text())
        run = manifest.read(path_of(finished.results, node.id)).results.run
        best = max(evaluation["score"] for evaluation in history["evaluations"])
        first = next(entry["step"] for entry in history["evaluations"] if entry["score"] == best)
        assert run.best_step == first
        (task,) = node.spec.tasks
        assert run.dev[task.task].scores[task.metric] == pytest.approx(best, abs=1e-3)


def contents(path):
    """Return what the rows of a prepared part say, without ids, splits and labels."""
    frame = pd.read_parquet(path)
    texts = [name for name in ("text_a", "text_b", "context", "question", "words") if name in frame]
    return {tuple(str(value) for value in row) for row in frame[texts].itertuples(index=False)}


def test_dev_rows_are_never_scored_and_never_trained_on(finished):
    nodes = {name: finished.results / node.id for name, node in named(finished.plan(), "prepared").items()}
    for target, training in {"xnli": "mnli", "udpos": "udpos", "xquad": "squad_v1"}.items():
        train, dev = (contents(nodes[f"{training}.training"] / f"{part}.parquet") for part in ("train", "dev"))
        scored = contents(nodes[f"{target}.evaluation"] / "en.parquet")
        assert train and dev and scored
        assert not dev & train
        assert not dev & scored


def test_tables_and_figures(finished):
    folder = folder_of(finished)
    table = (folder / "tables/main.md").read_text()
    assert re.search(r"\| tiny +\| quick +\| three +\|", table)
    for name in ("main", "by_language"):
        assert "tabular" in (folder / f"tables/{name}.tex").read_text()
        assert len(pd.read_csv(folder / f"tables/{name}.csv")) > 1
    for name in FIGURES:
        assert (folder / f"figures/{name}.pdf").read_bytes().startswith(b"%PDF")
        assert (folder / f"figures/{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (folder / f"figures/{name}.svg").read_text()


def test_report_is_self_contained(finished):
    folder = folder_of(finished)
    html = (folder / "report.html").read_text()
    with_data = [name for name in FIGURES if svg_with_data(folder / f"figures/{name}.svg") is not None]
    assert 0 < html.count("<svg") == len(with_data) < len(FIGURES)
    # nothing is loaded from elsewhere; the addresses in an SVG's metadata are names
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", html)
    assert "its scores mean nothing" in html


def test_terminal_shows_the_headline_table_and_where_the_report_is(finished):
    assert "| model | recipe | mixture |" in finished.output
    assert re.search(r"Report: results/studies/study/[0-9a-f]{8}/report.html", finished.output)
    assert "tatoeba: no data in en; evaluated in de" in finished.output


def test_where(finished):
    lines = finished.xstilts("where", "--mixture", "three", "--target", "xnli").stdout.splitlines()
    assert all(line.split("\t")[1] == "made" for line in lines)
    stages = Counter(line.split("/")[1] for line in lines)
    assert stages["predictions"] == stages["intermediate"] == stages["targets"] == 1
    wrong = finished.xstilts("where", "--mixture", "thre", check=False)
    assert wrong.returncode == 2
    assert "did you mean 'three'?" in wrong.stderr


def test_prune(project, tmp_path):
    (trained,) = project.plan().stage("intermediate").values()
    project.change(lambda study: study["mixtures"].pop("three"))
    (project.folder / "studies").mkdir()
    assert project.xstilts("prune").stdout.startswith("0 unused"), "what ran last is kept"
    project.snakemake()
    listed = project.xstilts("prune").stdout
    assert trained.id in listed
    assert "made by study" in listed
    lock = project.folder / ".snakemake/locks/0.input.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text("x")
    assert "a run holds Snakemake's lock" in project.xstilts("prune", "--delete", check=False).stderr
    lock.unlink()
    with runs.registered(project.results, "another.yaml", tmp_path):
        assert "a run is alive" in project.xstilts("prune", "--delete", check=False).stderr
    project.xstilts("prune", "--delete")
    assert not list((project.results / "intermediate").iterdir())
    assert project.jobs() == set()
    assert project.xstilts("prune").stdout.startswith("0 unused")


def test_weights_go_once_their_predictions_are_complete(project):
    project.configure(keep_models="intermediate")
    nodes = {(node.stage, name): node for name, node in project.plan().named()}
    shutil.rmtree(project.results / nodes["predictions", "tiny.quick.three.s1.xnli"].id)
    before = (folder_of(project) / "report.html").read_text()
    for name in ("scores.parquet", "report.html"):
        (folder_of(project) / name).unlink()
    project.snakemake()
    left = project.results / nodes["targets", "tiny.quick.three.s1.mnli"].id
    assert sorted(path.name for path in left.iterdir()) == ["history.json", "provenance.json"]
    assert (project.results / nodes["intermediate", "tiny.quick.three.s1"].id).exists()
    # the report still tells of the run whose weights are gone
    after = (folder_of(project) / "report.html").read_text()
    assert runs_in(after) == runs_in(before)
    assert "tiny.quick.three.s1.mnli" in before
    assert project.jobs() == set()


def runs_in(html):
    """Return what a page says of training runs, without the links to manifests, which go with the weights."""
    (section,) = re.findall(r'<section id="training".*?</section>', html, re.S)
    return re.sub(r'<a href="[^"]*manifest\.json">([^<]*)</a>', r"\1", section)


def golden(project):
    """Return, for every stage, its version and what it made, in numbers that hold on other machines too."""
    made = {}
    for stage in STAGES:
        nodes = named(project.plan(), stage).items()
        made[stage] = {
            "version": STAGES[stage].version,
            "nodes": {name: numbers(project, node) for name, node in nodes},
        }
    return made


def numbers(project, node):
    """Return a digest of what must be the same to the byte, or numbers that another machine gives within 1e-3."""
    folder = project.results / node.id
    if node.stage == "data":
        own = (manifest.MANIFEST, node_store.RECORD, provenance.FILE)
        files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in own)
        return digest([file_sha256(path) for path in files])[:16]
    if node.stage == "prepared":
        rows = [pd.read_parquet(path).to_json(orient="records") for path in sorted(folder.glob("*.parquet"))]
        return digest(rows)[:16]
    if node.stage == "tokens":
        return digest([np.load(path).tolist() for path in sorted(folder.rglob("*.npy"))])[:16]
    if node.stage == "models":
        tensors = load_file(folder / "model.safetensors")
        return [round(float(value.flat[-1]), 5) for _, value in sorted(tensors.items())]
    if node.stage == "embeddings":
        vectors = [np.load(path)[[0, -1], :3] for path in sorted(folder.glob("*.npy"))]
        return [round(float(value), 4) for array in vectors for value in array.flat]
    if node.stage in ("intermediate", "targets"):
        losses = json.loads((folder / "history.json").read_text())["losses"]
        return [value for entry in losses for value in entry.values()]
    frame = pd.read_parquet(folder / "predictions.parquet")
    return [len(frame), *frame.filter(like="stat_").mean().round(4)]


def test_golden_outputs(finished, request):
    """What a stage makes may change only together with its version; `make golden` writes the new numbers."""
    path = request.path.with_name("golden.json")
    now = json.loads(json.dumps(golden(finished)))
    if request.config.getoption("--golden"):
        path.write_text(json.dumps(now, indent=1, sort_keys=True) + "\n")
    before = json.loads(path.read_text())
    for stage, made in now.items():
        assert made["version"] == before[stage]["version"], f"{stage} has a new version: run `make golden`"
        for name, value in made["nodes"].items():
            expected = before[stage]["nodes"][name]
            # of 24 predictions, one may flip where two outputs are as good as equal
            within = {"abs": 0.05} if stage in ("predictions", "retrieval") else {"rel": 1e-3, "abs": 1e-4}
            same = value == expected if isinstance(value, str) else value == pytest.approx(expected, **within)
            assert same, f"{stage} {name} made {value}, not {expected}: raise STAGES[{stage!r}] in store/stages.py"
