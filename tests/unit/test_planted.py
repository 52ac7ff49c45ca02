"""The script that scores what the pipeline says of planted effects, on tables that are made up."""

import pandas as pd
import pytest
import scipy.stats
import yaml
from xstilts.evaluation.worlds import VERDICTS
from xstilts.planning import registry
from xstilts.planning.study import read_study

from benchmarks import planted
from tests.builders import estimates as tables_of


def estimates_of(**contrasts):
    """Return the table of estimates of a world: by contrast estimate, half of the interval, p, verdict.

    A claim is judged by its p, which is not corrected for the primary contrasts.
    """
    made = []
    for name, (estimate, half, p, verdict) in contrasts.items():
        row = tables_of.CONTRAST | {
            "name": name, "a": name, "b": "planted_0", "estimate": estimate, "low": estimate - half, "p": p,
            "high": estimate + half, "verdict": verdict, "detectable": 4.0,
        }  # fmt: skip
        # the same without runs that collapsed, and of a part of the languages
        made += [row, {**row, "runs_used": "without collapsed"}, {**row, "primary": False, "estimate": 99.0}]
        claim = {**row, "name": f"claim {name}", "primary": False, "expected": "higher"}
        made += [claim, {**claim, "runs_used": "without collapsed", "p": 1.0}]
    return tables_of.estimates(*made)


@pytest.fixture
def tables():
    return {
        7: estimates_of(planted=(6.0, 2.0, 0.001, "higher"), not_planted=(0.5, 2.0, 0.4, "undecided")),
        8: estimates_of(planted=(2.0, 1.0, 0.03, "undecided"), not_planted=(-3.0, 2.0, 0.004, "lower")),
        9: estimates_of(planted=(4.0, 3.0, 0.01, "higher"), not_planted=(0.1, 0.2, 0.3, "equivalent")),
    }


def scored(tables, tmp_path, first="contrast"):
    """Return the cells of the table whose first column is this, by row and column."""
    _, text = planted.write(tables, tmp_path).split(f"| {first} ")
    lines = [f"| {first} ", *text.split("\n\n")[0].splitlines()]
    lines = [lines[0] + lines[1], *lines[2:]]
    header, _, *rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0]: dict(zip(header, row, strict=True)) for row in rows}


def test_verdicts_are_counted_over_worlds(tables, tmp_path):
    found = scored(tables, tmp_path)
    counts = {name: {verdict: int(row[verdict].split(" ")[0]) for verdict in VERDICTS} for name, row in found.items()}
    assert counts == {
        "planted": {"higher": 2, "lower": 0, "equivalent": 0, "undecided": 1},
        "not_planted": {"higher": 0, "lower": 1, "equivalent": 1, "undecided": 1},
    }
    assert {row["worlds"] for row in found.values()} == {"3"}


def test_what_the_correction_takes_is_seen(tables, tmp_path):
    found = scored(tables, tmp_path)
    assert {name: row["p < 5 %"].split(" ")[0] for name, row in found.items()} == {"planted": "3", "not_planted": "1"}


def test_claims_are_judged_in_every_world(tables, tmp_path):
    """Of several comparisons in a world all must be as claimed; here each claim has one."""
    found = scored(tables, tmp_path, "claim")
    counts = {
        name: {verdict: int(row[verdict].split(" ")[0]) for verdict in planted.CLAIM_VERDICTS}
        for name, row in found.items()
    }
    assert counts == {
        "planted": {"supported": 3, "contradicted": 0, "undecided": 0},
        "not_planted": {"supported": 0, "contradicted": 1, "undecided": 2},
    }
    kept = pd.read_csv(tmp_path / "claims.csv")
    assert kept["verdict"].tolist() == ["supported", "undecided", "supported", "contradicted", "supported", "undecided"]


def test_the_study_claims_what_is_planted_and_what_is_not(tmp_path):
    claims = read_study(planted.STUDY, registry.load()).claims
    compared = {name: claim.comparisons for name, claim in claims.items() if claim.comparisons and not name.isdecimal()}
    assert {
        name: [(one.first, one.second, one.target, one.expected) for one in of_claim]
        for name, of_claim in compared.items()
    } == {
        "planted": [("planted_100", "planted_0", "tydiqa", "higher")],
        "not_planted": [("planted_0_again", "planted_0", "tydiqa", "higher")],
    }


def test_intervals_are_held_against_the_true_difference(tables, tmp_path):
    """Of what is not planted that is 0; of what is, the mean over worlds, here 4."""
    found = scored(tables, tmp_path)
    assert found["not_planted"]["true difference"] == "0" and found["not_planted"]["interval has it"].startswith("2 ")
    assert found["planted"]["true difference"] == "+4.0 (SD 2.0)"
    assert found["planted"]["interval has it"].startswith("2 ")


@pytest.mark.parametrize(("count", "number"), [(0, 40), (2, 40), (40, 40)])
def test_shares_have_exact_intervals(count, number):
    low = scipy.stats.beta.ppf(0.025, count, number - count + 1) if count else 0
    high = scipy.stats.beta.ppf(0.975, count + 1, number - count) if count < number else 1
    assert planted.share(count, number) == f"{count} ({100 * low:.0f} to {100 * high:.0f} %)"


def test_what_was_found_is_kept_by_world(tables, tmp_path):
    planted.write(tables, tmp_path)
    kept = pd.read_csv(tmp_path / "worlds.csv")
    assert list(kept["world"]) == [7, 7, 8, 8, 9, 9]
    found = pd.concat([planted.primary(world, frame) for world, frame in tables.items()])
    pd.testing.assert_frame_equal(pd.DataFrame(planted.rows(kept)), pd.DataFrame(planted.rows(found)))


def test_ranges_of_worlds():
    assert planted.worlds_in("100..103") == [100, 101, 102, 103] and planted.worlds_in("7") == [7]


def test_a_world_is_the_study_with_another_seed(tmp_path):
    made = planted.project(tmp_path, {}, 123)
    shipped = yaml.safe_load(planted.STUDY.read_text())
    assert yaml.safe_load((made / "planted.yaml").read_text()) == shipped | {"world": 123}
    more = planted.project(tmp_path, {"seeds": [1, 2, 3, 4]}, 125)
    assert yaml.safe_load((more / "planted.yaml").read_text()) == shipped | {"world": 125, "seeds": [1, 2, 3, 4]}
    path = planted.estimates_of(made)
    assert path.is_relative_to(tmp_path / "results/studies/planted")
    assert path != planted.estimates_of(planted.project(tmp_path, {}, 124))


def test_a_world_that_is_done_is_not_run_again(tmp_path, monkeypatch):
    monkeypatch.setattr(planted.subprocess, "run", None)
    path = planted.estimates_of(planted.project(tmp_path, {}, 123))
    path.parent.mkdir(parents=True)
    path.touch()
    assert planted.run(tmp_path, {}, 123) == path


def test_a_failed_world_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(planted.sys, "executable", "false")
    assert planted.run(tmp_path, {}, 123) is None
    assert "world 123: failed; see" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["planted", "planted_5_runs"])
def test_the_table_of_the_documents_is_that_of_its_worlds(name):
    folder = planted.ROOT / "docs/miniature" / name
    worlds, claims = (pd.read_csv(folder / f"{name}.csv") for name in ("worlds", "claims"))
    assert (folder / "planted.md").read_text(encoding="utf-8") == planted.text(worlds, claims)
