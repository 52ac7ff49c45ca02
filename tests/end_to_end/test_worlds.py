"""A study in two miniature worlds, from their text to the table of worlds."""

import pandas as pd
import pytest
from scipy import stats
from xstilts.store.figures import FIGURES
from xstilts.store.manifest import path_of

from tests.builders.projects import ROOT, Project

# what single tests hold of worlds is quicker: tests/unit/evaluation/test_worlds.py and others
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("worlds"), ROOT / "tests/studies/worlds.yaml")
    project.snakemake()
    return project


def table(project, name):
    return pd.read_csv(project.results / f"studies/study/latest/tables/{name}.csv")


@pytest.fixture(scope="module")
def scores(project):
    scores = pd.read_parquet(project.results / "studies/study/latest/scores.parquet")
    return scores[scores["headline"] & (scores["language"] != "en")]


def test_tables_have_means_over_worlds(project, scores):
    assert set(scores["world"]) == {1, 2}
    means = scores.groupby(["mixture", "target"])["score"].mean()
    main = table(project, "main").set_index(["mixture", "target"])
    means_of_all = {(mixture, "mean"): of_mixture.mean() for mixture, of_mixture in means.groupby(level="mixture")}
    assert main["zero_shot"].to_dict() == pytest.approx(means.to_dict() | means_of_all)
    gains = (means["mnli"] - means["none"]).to_dict()
    gains["mean"] = sum(gains.values()) / len(gains)
    assert main.loc["mnli", "gain"].to_dict() == pytest.approx(gains)
    # a contrast asks for these gains
    assert set(main.loc["mnli", "interval"]) == {"worlds"} and main.loc["none", "interval"].isna().all()
    assert any(abs(gain) > 0.1 for gain in gains.values())


def test_estimates_over_worlds_are_those_of_the_differences_in_worlds(project, scores):
    found = table(project, "worlds").fillna({"target": "mean"}).set_index("target")
    by_world = scores.pivot_table(index="world", columns=["target", "mixture"], values="score")
    differences = {target: by_world[target]["mnli"] - by_world[target]["none"] for target in ("udpos", "tatoeba")}
    differences["mean"] = (differences["udpos"] + differences["tatoeba"]) / 2
    for target, of_worlds in differences.items():
        row = found.loc[target]
        assert row["estimate"] == pytest.approx(of_worlds.mean())
        assert row["world_sd"] == pytest.approx(of_worlds.std())
        # one run an arm: no world alone has a verdict, and both together do
        assert row["no verdict"] == 2 and row["verdict"]
    row, of_worlds = found.loc["mean"], differences["mean"]
    interval = stats.t.interval(0.95, 1, of_worlds.mean(), stats.sem(of_worlds))
    assert (row["low"], row["high"]) == pytest.approx(interval)
    assert len(found) == 3 and found["primary"].tolist() == [True, False, False]


def test_report_says_over_how_many_worlds(project):
    html = (project.results / "studies/study/latest/report.html").read_text()
    assert "All scores of this page are means over 2 worlds." in html
    assert "<h3>Worlds</h3>" in html


def test_other_tables_of_estimates_have_the_rows_over_worlds(project):
    contrasts = table(project, "contrasts")
    assert set(contrasts["interval"]) == {"worlds"} and contrasts["world"].isna().all()
    everything = pd.read_parquet(project.results / "studies/study/latest/estimates.parquet")
    counts = everything["world"].fillna(0).value_counts()
    assert sorted(counts.index) == [0, 1, 2] and counts.nunique() == 1


def test_names_and_links_lead_to_the_nodes_of_a_world(project):
    folder = project.results / "studies/study/latest/nodes/predictions"
    assert sorted(link.name for link in folder.glob("*.none.s1.udpos")) == [
        f"w{world}.mini-micro.micro.none.s1.udpos" for world in (1, 2)
    ]
    asked = ["where", "--world", "2", "--stage", "predictions", "--target", "udpos", "--mixture", "none"]
    (line,) = project.xstilts(*asked).stdout.splitlines()
    path, mark, name = line.split("\t")
    assert (mark, name) == ("made", "w2.mini-micro.micro.none.s1.udpos")
    (cell,) = [cell for cell in project.plan().cells if (cell.world, cell.mixture, cell.target) == (2, "none", "udpos")]
    assert path == str(path_of(project.results.relative_to(project.folder), cell.node))
    assert "made" in project.xstilts("why", name).stdout


def test_the_study_of_one_of_the_worlds_has_nothing_to_train(project):
    project.change(lambda study: study.update(world=2))
    figures = {f"figure {name}" for name in FIGURES}
    assert project.jobs() == {"scores", "estimates", "analyses", "tables", "report", *figures}
