"""What is behind the rows of the table of estimates: arms, targets, and manifests that are there."""

import dataclasses

import pytest
from xstilts.evaluation import estimates, scores
from xstilts.reporting import sources
from xstilts.reporting.sources import Link, Sources
from xstilts.store.answer import Contrast, Family
from xstilts.store.claims import BEST_SINGLE, ClaimComparison, PlannedClaim

from tests.builders.compared import PAWSX, TATOEBA, XNLI, answer, study

TARGETS = {"xnli": XNLI, "pawsx": PAWSX, "tatoeba": TATOEBA}
MODELS = ("s", "l")
SINGLES = ("mnli", "squad_v1")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return plan, results folder, table of estimates and table of scores of a study with every kind of comparison."""
    folder = tmp_path_factory.mktemp("results")
    percent = {(model, mixture): [50, 60] for model in MODELS for mixture in ("none", *SINGLES, "nine")}
    built = study(folder, percent, TARGETS)
    comparison = ClaimComparison(model="s", first="nine", second=BEST_SINGLE, among=SINGLES, target="xnli")
    claim = PlannedClaim(text="", source="", figure="", holds=None, comparisons=(comparison,), lacking={})
    plan = built.plan(
        answer=answer("best", SINGLES, {"f": Family(small="s", large="l")}),
        contrasts={"size": Contrast("model", ("l", "s"), targets=("xnli",))},
        claims={"one": claim},
    )
    return plan, folder, estimates.collect(plan, folder), scores.collect(plan, folder)


def row(table, **values):
    """Return the number of the first row with these values."""
    for name, value in values.items():
        table = table[table[name] == value]
    return int(table["row"].iloc[0])


@pytest.mark.parametrize(
    "values, expected",
    [
        (
            {"name": "answer", "size": "small", "target": "", "outcome": "zero-shot"},
            Sources(("s.r.nine", "s.r.mnli", "s.r.squad_v1"), ("xnli", "pawsx", "tatoeba")),
        ),
        (
            {"name": "answer", "outcome": "without retrieval", "size": "small"},
            Sources(("s.r.nine", "s.r.mnli", "s.r.squad_v1"), ("xnli", "pawsx")),
        ),
        ({"name": "size", "mixture": "none"}, Sources(("l.r.none", "s.r.none"), ("xnli",))),
        ({"name": "gain over none", "model": "l", "target": "pawsx"}, Sources(("l.r.mnli", "l.r.none"), ("pawsx",))),
        ({"name": "claim one"}, Sources(("s.r.nine", "s.r.mnli", "s.r.squad_v1"), ("xnli",))),
    ],
    ids=str,
)
def test_sources_by_hand(made, values, expected):
    plan, _, table, of_scores = made
    assert sources.of_rows(plan, table, of_scores)[row(table, **values)] == expected


def test_an_interaction_has_both_models(made):
    plan, _, table, of_scores = made
    found = sources.of_rows(plan, table, of_scores)[row(table, kind="interaction", b="best single")]
    assert {arm.partition(".")[0] for arm in found.arms} == set(MODELS)


def test_every_row_leads_to_manifests_that_are_there(made):
    plan, folder, table, of_scores = made
    outputs = folder / "studies/test/12345678"
    outputs.mkdir(parents=True)
    of_rows, of_arms = sources.of_rows(plan, table, of_scores), sources.of_arms(plan)
    assert set(of_rows) == set(table["row"])
    for found in of_rows.values():
        for arm in found.arms:
            for target in found.targets:
                links = of_arms[arm][target]
                assert links and all((outputs / link.path).is_file() for link in links)


def test_runs_of_an_arm_by_target(made):
    """Nothing is trained of tatoeba without an intermediate phase, so its runs are one."""
    of_arm = sources.of_arms(made[0])["s.r.none"]
    assert of_arm["xnli"][1] == Link("s2", "../../../predictions/s.r.none.s2.xnli/manifest.json")
    assert [link.run for link in of_arm["tatoeba"]] == ["s1"]


def test_runs_of_several_worlds_name_their_world(made):
    plan = made[0]
    cells = tuple(dataclasses.replace(cell, world=4) for cell in plan.cells)
    of_arms = sources.of_arms(dataclasses.replace(plan, cells=cells))
    assert [link.run for link in of_arms["s.r.none"]["xnli"]] == ["w4.s1", "w4.s2"]
