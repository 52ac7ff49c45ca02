"""Learning rates from a grid."""

import itertools
import shutil
from dataclasses import replace

import pytest
from xstilts.errors import ExplodedError, UserError
from xstilts.hardware import Hardware
from xstilts.models import backbone
from xstilts.models.distributed import Group
from xstilts.store import metrics
from xstilts.store.manifest import LearningRatesResults
from xstilts.store.specs.models import EarlyStopping
from xstilts.training import learning_rates, loop, memory

from tests.builders.models import METHODS
from tests.builders.plans import named, node_of, plan_study, write_manifest
from tests.builders.processes import together
from tests.builders.training import STUDY, KilledError, killed_at
from tests.builders.training import run as train


def test_grid_of_the_baseline_is_searched_once_for_all_mixtures_and_seeds(trained):
    plan, _ = trained
    searches = named(plan, "learning_rates")
    assert set(searches) == {
        "tiny.grid.four.intermediate",
        "tiny.grid.mixed.intermediate",
        "tiny.grid.retrieval.intermediate",
        "tiny.grid.mnli",
        "tiny.grid.udpos",
    }
    for mixture_name in ("none", "four", "retrieval"):
        target = node_of(trained[0], "targets", f"tiny.grid.{mixture_name}.s1.mnli")
        assert target.spec.parents["learning_rate"] == searches["tiny.grid.mnli"].id
        assert target.spec.learning_rate is None
    assert searches["tiny.grid.mnli"].spec.learning_rates == [1e-9, 3e-3]


def test_grid_is_searched_for_each_mixture_with_the_first_seed(tmp_path):
    """From the model that the mixture leaves, so that no mixture trains with a rate that is best for another one."""
    study = {**STUDY, "recipes": {"grid": {"target": {"learning_rate": [1e-5, 1e-4]}}}}
    plan = plan_study(tmp_path, {**study, "targets": {"xnli": {"trained_on": ["squad_v1", "mnli"]}}, "seeds": [3, 4]})
    searches = named(plan, "learning_rates")
    stages = ("squad_v1", "squad_v1+mnli")
    assert set(searches) == {f"tiny.grid.{mixture}.{each}" for mixture in STUDY["mixtures"] for each in stages}
    for mixture in STUDY["mixtures"]:
        start = node_of(
            plan, *(("models", "tiny") if mixture == "none" else ("intermediate", f"tiny.grid.{mixture}.s3"))
        )
        search = searches[f"tiny.grid.{mixture}.squad_v1"]
        assert search.spec.seed == 3
        assert search.spec.parents["model"] == start.id
        second = searches[f"tiny.grid.{mixture}.squad_v1+mnli"]
        assert second.spec.parents["model"] == node_of(plan, "targets", f"tiny.grid.{mixture}.s3.squad_v1").id
        for seed, stage in itertools.product((3, 4), stages):
            trained = node_of(plan, "targets", f"tiny.grid.{mixture}.s{seed}.{stage}")
            assert trained.spec.parents["learning_rate"] == searches[f"tiny.grid.{mixture}.{stage}"].id


def test_best_rate_of_a_grid_is_taken(trained, tmp_path, monkeypatch):
    """One that trains nothing, one that does, and one that explodes; killed in between, it goes on with the next."""
    plan, results = trained
    # no study can ask for the last one
    spec = replace(node_of(trained[0], "learning_rates", "tiny.grid.udpos").spec, learning_rates=(1e-9, 3e-3, 1e9))
    workplace = tmp_path / "work"
    workplace.mkdir()
    run = loop.prepare(spec, results, workplace, Hardware(), Group())
    searched = learning_rates.search(run, spec)
    assert searched.best == 3e-3
    scores = {trial.learning_rate: trial.score for trial in searched.trials}
    assert scores[3e-3] > scores[1e-9] and scores[1e9] is None
    tried = []
    schedule = loop.learning_rate
    monkeypatch.setattr(loop, "learning_rate", lambda *at: tried.append(at[2]) or schedule(*at))
    shutil.rmtree(workplace / "rate-0.003")
    assert learning_rates.search(run, spec) == searched
    assert set(tried) == {3e-3}
    with pytest.raises(UserError, match="every learning rate of the grid"):
        shutil.rmtree(workplace)
        workplace.mkdir()
        learning_rates.search(run, replace(spec, learning_rates=(1e20, 1e30)))


def test_budget_is_spent_by_successive_halving(trained, tmp_path, monkeypatch):
    """Of three rates two go on to a longer training, the better ones of the short one; killed, it goes on."""
    plan, results = trained
    full = node_of(plan, "learning_rates", "tiny.grid.udpos").spec
    spec = replace(full, learning_rates=(1e-9, 1e-3, 1e9), budget=0.9)
    assert full.trainings == 2 and spec.trainings == 0.9
    run = loop.prepare(spec, results, tmp_path, Hardware(), Group())
    taken = []

    def fit(shorter, model, rate, workplace):
        taken.append((shorter.schedule.steps, rate))
        if rate == 1e9:
            raise ExplodedError("exploded")
        return rate

    monkeypatch.setattr(learning_rates, "fit", fit)
    monkeypatch.setattr(learning_rates, "_dev_score", lambda run, model, rate: 50 + rate * run.schedule.steps)
    searched = learning_rates.search(run, spec)
    # of 8 steps 0.15 for each of three rates, and 0.225 for each of two
    assert run.schedule.steps == 8
    assert taken == [(1, 1e-9), (1, 1e-3), (1, 1e9), (2, 1e-9), (2, 1e-3)]
    assert {trial.learning_rate: (trial.steps, trial.score is None) for trial in searched.trials} == {
        1e-9: (2, False), 1e-3: (2, False), 1e9: (1, True)
    }  # fmt: skip
    assert searched.best == 1e-3
    taken.clear()
    assert learning_rates.search(run, spec) == searched and not taken


def test_what_a_budgeted_search_notes_is_the_nodes(trained, tmp_path, small_device, few):
    """Metrics of each of its trainings, and the settings with which a run begins that lacked memory."""
    plan, results = trained
    spec = replace(node_of(plan, "learning_rates", "tiny.grid.udpos").spec, learning_rates=(1e-5, 1e-3), budget=0.5)
    workplace = tmp_path / "work/tiny-0123"
    workplace.mkdir(parents=True)
    small_device(60)
    run = replace(loop.prepare(spec, results, workplace, Hardware(), Group()), results=tmp_path)
    learning_rates.search(run, spec)
    found = metrics.files_of(tmp_path, f"{spec.stage}/tiny-0123")
    parts = {path.name.removeprefix("tiny-0123.").removesuffix(metrics.ENDING) for path in found}
    assert {"rung-1.rate-1e-05", "rung-1.rate-0.001"} <= parts and all(part.startswith("rung-") for part in parts)
    assert all(metrics.read(path) for path in found)
    assert memory.resumed(workplace, Hardware(), Group()) != Hardware()


# the method, that of the adapter which a search starts from, and what else is so
SHARED = [
    ("lora", None, "stops"), ("prompt", None, ""), ("prefix", None, ""), ("lora", "lora", ""), ("prompt", "prompt", ""),
    ("prompt", "lora", ""), ("lora", None, "lacks memory"),
]  # fmt: skip


def reads_anew(run):
    while True:
        yield loop.start(run)


@pytest.mark.parametrize(("method", "below", "how"), SHARED)
def test_all_rates_share_one_frozen_base(trained, tmp_path, monkeypatch, small_device, few, method, below, how):
    """Weights before each training are equal bit for bit, after one that exploded too, and so are losses and scores."""
    plan, results = trained
    spec = node_of(plan, "learning_rates", "tiny.grid.udpos").spec
    if below:
        earlier = node_of(plan, "targets", "tiny.lora.none.s1.mnli").spec
        train(trained, replace(earlier, method=METHODS[below]), tmp_path / "below")
    stops = EarlyStopping(evaluate_every=1, patience=3) if how == "stops" else None
    spec = replace(spec, learning_rates=(1e-5, 1e-2, 1e25), budget=2.4, method=METHODS[method], early_stopping=stops)
    if how == "lacks memory":
        small_device(60)
    fit, load = loop.fit, backbone._read
    read, started, losses = [], [], []

    def noted(run, model, rate, workplace):
        started.append({name: value.clone() for name, value in model.state_dict().items()})
        assert model.training and not any(vars(module).get("gradient_checkpointing") for module in model.modules())
        state = fit(run, model, rate, workplace)
        losses.append(state["losses"])
        return state

    monkeypatch.setattr(learning_rates, "fit", noted)
    monkeypatch.setattr(backbone, "_read", lambda *given, **named: read.append(given) or load(*given, **named))

    def search(name):
        (tmp_path / name).mkdir()
        run = loop.prepare(spec, results, tmp_path / name, Hardware(), Group())
        run = replace(run, results=tmp_path, folders=[*[tmp_path / "below/out"] * bool(below), *run.folders])
        return learning_rates.search(run, spec)

    shared, shared_read = search("shared"), len(read)
    monkeypatch.setattr(learning_rates, "_models", reads_anew)
    assert shared == search("anew") and shared.trials[-1].score is None
    assert (shared_read, len(read) - shared_read) == (1, 5)
    # of five trainings each the third one exploded
    assert losses[:4] == losses[4:] and len(set(map(str, losses))) == 4
    first, *others = started
    assert len(others) == 9
    assert all(value.equal(other[name]) for other in others for name, value in first.items())


def test_a_killed_search_with_an_adapter_ends_as_one_that_was_not(trained, tmp_path, monkeypatch):
    """The rate in the midst of which it was goes on from its checkpoint, and the next one starts from fresh weights."""
    plan, results = trained
    spec = replace(node_of(plan, "learning_rates", "tiny.grid.udpos").spec, method=METHODS["lora"])
    spec = replace(spec, learning_rates=(1e-3, 1e-2))
    fit, states = loop.fit, []
    monkeypatch.setattr(learning_rates, "fit", lambda *given: states.append(fit(*given)) or states[-1])

    def search(name):
        (tmp_path / name).mkdir(exist_ok=True)
        run = loop.prepare(spec, results, tmp_path / name, Hardware(checkpoint_seconds=0), Group())
        return learning_rates.search(replace(run, results=tmp_path), spec)

    with monkeypatch.context() as anew:
        anew.setattr(learning_rates, "_models", reads_anew)
        whole = search("whole")
    with monkeypatch.context() as until, pytest.raises(KilledError):
        killed_at(until, 5)
        search("killed")
    assert list(tmp_path.glob("killed/rate-0.001/checkpoint-*"))
    assert search("killed") == whole
    losses = [state["losses"] for state in states]
    assert len(losses) == 4 and losses[:2] == losses[2:] and losses[0] != losses[1]


@pytest.mark.parametrize("stops", [True, False])
def test_processes_that_train_together_share_it_too(trained, tmp_path, monkeypatch, stops):
    """Each has its shards set back, with the weights in no layer, such as the head, which evaluations have whole."""
    plan, results = trained
    spec = node_of(plan, "learning_rates", "tiny.grid.udpos").spec
    early = EarlyStopping(evaluate_every=1, patience=3) if stops else None
    spec = replace(spec, learning_rates=(1e-5, 1e-2), method=METHODS["lora"], early_stopping=early)
    fit, losses = loop.fit, []
    monkeypatch.setattr(learning_rates, "fit", lambda *given: losses.append(fit(*given)) or losses[-1])

    def search(group, name):
        if group.leads:
            (tmp_path / name).mkdir()
        group.wait()
        run = loop.prepare(spec, results, tmp_path / name, Hardware(), group)
        return learning_rates.search(replace(run, results=tmp_path), spec)

    def both(group):
        shared = search(group, "shared")
        learning_rates._models = reads_anew
        assert shared == search(group, "anew")
        assert len(losses) == 4 and losses[:2] == losses[2:] and losses[0] != losses[1]

    together(2, both)


def test_a_choice_between_equal_scores_or_after_one_step_is_said(trained, tmp_path, monkeypatch, caplog):
    plan, results = trained
    spec = node_of(plan, "learning_rates", "tiny.grid.udpos").spec
    run = loop.prepare(spec, results, tmp_path, Hardware(), Group())
    monkeypatch.setattr(learning_rates, "fit", lambda run, model, rate, workplace: rate)
    monkeypatch.setattr(learning_rates, "_dev_score", lambda run, model, rate: 50.0)
    learning_rates.search(run, replace(spec, budget=0.1))
    assert "learning rates are compared by trainings of one step; raise the recipe's grid_budget above 0.1" in (
        caplog.text
    )
    assert "all 2 learning rates have one score, so the lowest ones are taken; raise the" in caplog.text
    caplog.clear()
    monkeypatch.setattr(learning_rates, "_dev_score", lambda run, model, rate: 50 + rate)
    learning_rates.search(replace(run, workplace=tmp_path / "other"), spec)
    assert not caplog.text


def test_trainings_of_one_step_are_noted_when_planned(tmp_path):
    mixtures = {"short": {"tasks": ["mnli", "squad_v1"], "steps": 16}, "long": {"tasks": ["mnli"], "steps": 1600}}
    recipes = {"grid": {"intermediate": {"learning_rate": [1e-5, 1e-4]}, "grid_budget": 0.1}}
    plan = plan_study(tmp_path, {**STUDY, "recipes": recipes, "mixtures": mixtures})
    assert [note for note in plan.notes if "grid_budget" in note] == [
        "tiny.grid.short.intermediate: grid_budget 0.1 of 16 steps gives each learning rate one step at first, which"
        " decides nothing; raise the recipe's grid_budget"
    ]


def test_shorter_schedule_has_the_same_tasks(trained, tmp_path):
    plan, results = trained
    spec = node_of(plan, "learning_rates", "tiny.grid.four.intermediate").spec
    whole = loop.prepare(spec, results, tmp_path, Hardware(), Group()).schedule
    half = whole.shortened(0.5)
    assert (whole.steps, half.steps, whole.shortened(0.001).steps) == (12, 6, 1)
    assert set(half.counts()) == set(whole.counts())


def test_rate_of_the_search_is_trained_with(trained, tmp_path):
    plan, results = trained
    node = node_of(trained[0], "intermediate", "tiny.grid.retrieval.s1")
    search = plan.nodes[node.spec.parents["learning_rate"]]
    write_manifest(results, search, LearningRatesResults(trials=(), best=3e-3))
    stated, files = train(trained, node.spec, tmp_path / "grid")
    plain = node_of(trained[0], "intermediate", "tiny.full.retrieval.s1")
    expected, same = train(trained, plain.spec, tmp_path / "plain")
    assert stated.learning_rate == 3e-3
    assert files == same and stated == expected
