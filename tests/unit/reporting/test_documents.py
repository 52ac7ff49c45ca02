"""Every number of the documents' tables is in the scores that the command wrote."""

import pandas as pd
import pytest
from xstilts.evaluation.distance import distances
from xstilts.evaluation.estimates import COLUMNS
from xstilts.planning import registry
from xstilts.reporting import layout, tables, verdict_tables

from tests.builders.projects import ROOT

WORLDS = [4, 6]


def contrasts(folder):
    """Return the estimates behind the table of contrasts."""
    texts = {column.name: str for column in COLUMNS if column.type == "text"}
    return pd.read_csv(folder / "contrasts.csv", dtype=texts).fillna(dict.fromkeys(texts, ""))


def table(world, name):
    """Return a table of the miniature study of a world as the command writes it, without title and legend."""
    folder = ROOT / f"docs/miniature/world-{world}"
    scores = pd.read_parquet(folder / "scores.parquet")
    languages = registry.load().of("miniature").languages
    distance = {code: stated["distance"] for code, stated in languages.items()}
    cells = {
        "main": lambda: tables.main_rows(tables.main_frame(scores)),
        "by_language": lambda: tables.language_rows(tables.language_frame(scores)),
        "contrasts": lambda: verdict_tables.contrast_rows(contrasts(folder)),
        "distance": lambda: tables.distance_rows(distances(scores, distance)),
    }[name]()
    return layout.markdown(cells, "").strip()


def test_readme_shows_the_headline_table_of_the_default_study():
    assert table(4, "main") in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["main", "by_language", "contrasts", "distance"])
@pytest.mark.parametrize("world", WORLDS)
def test_tables_of_the_miniature_are_those_of_its_scores(world, name):
    assert table(world, name) in (ROOT / "docs/miniature.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("world", WORLDS)
def test_contrasts_are_differences_of_the_scores(world):
    folder = ROOT / f"docs/miniature/world-{world}"
    means = tables.main_frame(pd.read_parquet(folder / "scores.parquet")).set_index(["model", "mixture", "target"])
    for row in contrasts(folder).to_dict("records"):
        one, other = (
            means.loc[(row["model"] or side, row["mixture"] or side, row["target"]), "zero_shot"]
            for side in (row["a"], row["b"])
        )
        assert row["estimate"] == pytest.approx(one - other, abs=1e-9)


def test_what_is_said_of_the_world_before():
    """The gains over the control of the model with which a third form fell short."""
    scores = pd.read_parquet(ROOT / "docs/miniature/world-2/scores.parquet")
    scores = scores[scores["headline"] & (scores["mixture"] == "none")].set_index(["model", "target", "language"])[
        "score"
    ]
    gains = {
        target: [
            scores["mini-large", target, code] - scores["mini-random", target, code] for code in ("qab", "qad", "qag")
        ]
        for target in ("xcopa", "xnli")
    }
    text = " ".join((ROOT / "docs/miniature.md").read_text(encoding="utf-8").split())
    assert "XCOPA with `mini-large`: {:.1f}, {:.1f} and {:.1f} points above the control".format(*gains["xcopa"]) in text
    assert "XNLI {:.1f}, {:.1f} and {:.1f})".format(*gains["xnli"]) in text
