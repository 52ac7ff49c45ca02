"""Learning rates from a grid."""

import json
import shutil

import pytest
from xstilts.errors import UserError
from xstilts.models.distributed import Group
from xstilts.store.manifest import path_of
from xstilts.training import loop
from xstilts.training.loop import Hardware

from tests.builders.plans import named, node_of
from tests.builders.training import run


def test_grid_is_searched_once_for_all_mixtures_and_seeds(trained):
    plan, _ = trained
    searches = named(plan, "learning_rates")
    assert set(searches) == {"tiny.grid.four", "tiny.grid.retrieval", "tiny.grid.mnli", "tiny.grid.udpos"}
    for mixture_name in ("none", "four", "retrieval"):
        target = node_of(trained[0], "targets", f"tiny.grid.{mixture_name}.s1.mnli")
        assert target.spec.parents["learning_rate"] == searches["tiny.grid.mnli"].id
        assert "learning_rate" not in target.spec.optimiser
    assert searches["tiny.grid.mnli"].spec.learning_rates == [1e-9, 3e-3, 1e9]


def test_best_rate_of_a_grid_is_taken(trained, tmp_path, monkeypatch):
    """One that trains nothing, one that does, and one that explodes; killed in between, it goes on with the next."""
    plan, results = trained
    spec = node_of(trained[0], "learning_rates", "tiny.grid.udpos").spec
    workplace = tmp_path / "work"
    workplace.mkdir()
    facts = loop.choose_rate(spec, results, workplace, Hardware(), Group())
    assert facts["best"] == 3e-3
    scores = {entry["learning_rate"]: entry["score"] for entry in facts["learning_rates"]}
    assert scores[3e-3] > scores[1e-9] and scores[1e9] is None
    tried = []
    schedule = loop.learning_rate
    monkeypatch.setattr(loop, "learning_rate", lambda *at: tried.append(at[2]) or schedule(*at))
    shutil.rmtree(workplace / "rate-0.003")
    assert loop.choose_rate(spec, results, workplace, Hardware(), Group()) == facts
    assert set(tried) == {3e-3}
    with pytest.raises(UserError, match="every learning rate of the grid"):
        shutil.rmtree(workplace)
        workplace.mkdir()
        loop.choose_rate({**spec, "learning_rates": [1e20, 1e30]}, results, workplace, Hardware(), Group())


def test_rate_of_the_search_is_trained_with(trained, tmp_path):
    plan, results = trained
    node = node_of(trained[0], "intermediate", "tiny.grid.retrieval.s1")
    search = path_of(results, node.spec.parents["learning_rate"])
    search.parent.mkdir(parents=True, exist_ok=True)
    search.write_text(json.dumps({"best": 3e-3}))
    facts, files = run(trained, node.spec, tmp_path / "grid")
    plain = node_of(trained[0], "intermediate", "tiny.full.retrieval.s1")
    expected, same = run(trained, plain.spec, tmp_path / "plain")
    assert facts["learning_rate"] == 3e-3
    assert files == same and facts == expected
