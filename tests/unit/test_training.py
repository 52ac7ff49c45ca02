"""Training: interrupted at any step, in one or several processes, in one token or many, it gives the same."""

import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from conftest import ROOT, plan_of
from safetensors.torch import load_file
from xstilts import commands
from xstilts.data.dataset import splits
from xstilts.errors import TerminatedError, UserError
from xstilts.models.distributed import Group
from xstilts.store import lineage, manifest
from xstilts.store.manifest import manifest_path
from xstilts.training import loop
from xstilts.training.checkpoints import checkpoints, save_checkpoint
from xstilts.training.loop import Hardware
from xstilts.training.step import Batches, check_loss, take_step

QUICK = {
    "epochs": 1,
    "batch_size": 8,
    "max_length": 48,
    "learning_rate": 3e-3,
    "overrides": {"span": {"max_length": 48}},
}
LORA = {"name": "lora", "rank": 2}
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts"), "OMP_NUM_THREADS": "1"}
STUDY = {
    "description": "Training of every kind, as short as can be.",
    "source": "tiny",
    "models": ["tiny"],
    "recipes": {
        "full": {"intermediate": QUICK, "target": QUICK, "early_stopping": {"evaluate_every": 3, "patience": 2}},
        "lora": {
            "intermediate": {**QUICK, "method": LORA}, "target": {**QUICK, "method": LORA},
            "early_stopping": {"evaluate_every": 3, "patience": 2},
        },
        "reduced": {"intermediate": {**QUICK, "method": LORA, "precision": "bfloat16"},
                    "target": {**QUICK, "precision": "bfloat16"}},
        "grid": {"intermediate": {**QUICK, "learning_rate": [1e-9, 3e-3]},
                 "target": {**QUICK, "learning_rate": [1e-9, 3e-3, 1e9]}},
    },
    "mixtures": {
        "none": None,
        "four": {"tasks": ["mnli", "squad_v1", "commonsenseqa", "text"], "steps": 12},
        "retrieval": {"tasks": ["squad_retrieval"], "steps": 4},
    },
    "targets": {"xnli": None, "udpos": None},
    "languages": ["en", "de"],
    "seeds": [1],
    "limits": {"dev_rows": 8, "train_rows": 64},
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A plan, and a results folder that has everything that training reads."""
    folder = tmp_path_factory.mktemp("training")
    (folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    plan = plan_of(folder / "study.yaml", results=str(folder / "results"))
    for stage, command in {"data": "fetch", "models": "fetch", "prepared": "prepare", "tokens": "tokenize"}.items():
        for node in plan.stage(stage).values():
            output = manifest_path(folder / "results", node.id)
            assert commands.main([command, "--spec", manifest.canonical(node.spec), "--output", str(output)]) == 0
    torch.set_num_threads(1)
    return plan, folder / "results"


def node_of(trained, stage, name):
    (node,) = [node for node in trained[0].stage(stage).values() if node.name == name]
    return node


def run(trained, spec, place, seconds=math.inf, group=None, **hardware):
    """Train a node into a folder with a work directory of its own; return its facts, and its files' contents."""
    scratch, workplace = place / "out", place / "work"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    workplace.mkdir(exist_ok=True)
    hardware = Hardware(checkpoint_seconds=seconds, **hardware)
    facts = loop.train(spec, trained[1], scratch, workplace, hardware, group or Group())
    return facts, {path.name: path.read_bytes() for path in scratch.iterdir()}


class KilledError(Exception):
    """The run was killed here."""


def killed_at(monkeypatch, step):
    """Let the next run end before a step, as a kill would: nothing of it stays but its work directory."""
    real_step, taken = take_step, []

    def counted(*arguments):
        if arguments[3].key % 1_000_003 == step:
            raise KilledError
        taken.append(arguments[3].key)
        return real_step(*arguments)

    monkeypatch.setattr(loop, "take_step", counted)
    return taken


RUNS = [
    ("intermediate", "tiny.full.four.s1"),
    ("targets", "tiny.full.none.s1.mnli"),
    ("intermediate", "tiny.lora.four.s1"),
]


@pytest.mark.parametrize(("stage", "name"), RUNS)
def test_killed_before_any_step_and_resumed_is_the_same(trained, tmp_path, monkeypatch, stage, name):
    """With a checkpoint after every step: weights, heads, history and facts, bit for bit."""
    spec = node_of(trained, stage, name).spec
    facts, whole = run(trained, spec, tmp_path / "whole")
    assert facts["steps_done"] >= 6
    for step in range(1, facts["steps_done"]):
        place = tmp_path / str(step)
        with monkeypatch.context() as patched:
            taken = killed_at(patched, step)
            with pytest.raises(KilledError):
                run(trained, spec, place, seconds=0)
            assert len(taken) == step
        with monkeypatch.context() as patched:
            taken = killed_at(patched, None)
            again = run(trained, spec, place, seconds=0)
            assert taken[0] % 1_000_003 == step and len(taken) == facts["steps_done"] - step
        assert again == (facts, whole), step


def test_patience_is_counted_across_a_kill(trained, tmp_path, monkeypatch):
    """With a learning rate that changes nothing the second evaluation is no better, nor is the third: it ends there."""
    spec = node_of(trained, "targets", "tiny.full.none.s1.mnli").spec
    spec = {**spec, "optimiser": {**spec["optimiser"], "learning_rate": 1e-12}, "early_stopping":
            {"evaluate_every": 1, "patience": 3}}  # fmt: skip
    facts, whole = run(trained, spec, tmp_path / "whole")
    assert (facts["steps_done"], facts["best_step"]) == (4, 1)
    with monkeypatch.context() as patched:
        killed_at(patched, 3)
        with pytest.raises(KilledError):
            run(trained, spec, tmp_path / "again", seconds=0)
    assert run(trained, spec, tmp_path / "again", seconds=0) == (facts, whole)


@pytest.mark.parametrize("damage", ["model.safetensors", "optimiser.safetensors", "state.json"])
def test_truncated_checkpoint_is_refused_and_the_one_before_used(trained, tmp_path, monkeypatch, caplog, damage):
    spec = node_of(trained, "targets", "tiny.full.none.s1.mnli").spec
    expected = run(trained, spec, tmp_path / "whole")
    place = tmp_path / "again"
    with monkeypatch.context() as patched:
        killed_at(patched, 7)
        with pytest.raises(KilledError):
            run(trained, spec, place, seconds=0)
    before, last = checkpoints(place / "work")
    assert [path.name for path in (before, last)] == ["checkpoint-000000006", "checkpoint-000000007"]
    os.truncate(last / damage, (last / damage).stat().st_size // 2)
    assert run(trained, spec, place) == expected
    assert f"{last} is not readable" in caplog.text


def test_best_weights_of_both_checkpoints_stay(trained, tmp_path, monkeypatch):
    """A resumed run that is not the same to the last bit (on a GPU) may not find a better evaluation again."""
    spec = node_of(trained, "targets", "tiny.full.none.s1.mnli").spec
    spec = {**spec, "early_stopping": {"evaluate_every": 1, "patience": 20}}
    scores = iter(range(20))
    monkeypatch.setattr(loop.prediction, "evaluate", lambda *_: ({"accuracy": next(scores)}, False))
    # a better evaluation at every step, the last of them after the last checkpoint
    save = save_checkpoint
    monkeypatch.setattr(loop, "save_checkpoint", lambda place, step, *rest: step < 6 and save(place, step, *rest))
    killed_at(monkeypatch, 6)
    with pytest.raises(KilledError):
        run(trained, spec, tmp_path, seconds=0)
    kept = checkpoints(tmp_path / "work")
    assert len(kept) == 2
    for checkpoint in kept:
        best = loop._best_step(json.loads((checkpoint / "state.json").read_text()))
        assert loop._best(tmp_path / "work", best).exists()


def in_a_fork(action):
    """Run a function in a copy of this process, which has torch already; return its number."""
    child = os.fork()
    if child == 0:
        try:
            action()
            os._exit(0)
        except TerminatedError:
            os._exit(commands.TEMPORARY_FAILURE)
        except BaseException:
            os._exit(1)
    return child


def test_twenty_kills_in_one_run(trained, tmp_path):
    """Killed (SIGKILL) twenty times at random moments, while it trains or writes: the weights are the same."""
    spec = node_of(trained, "intermediate", "tiny.full.four.s1").spec
    spec = {**spec, "sampling": {**spec["sampling"], "steps": 60}}
    started = time.monotonic()
    expected = run(trained, spec, tmp_path / "whole")
    seconds = time.monotonic() - started
    rng, kills, resumed = random.Random(1), 0, set()
    while kills < 20:
        child = in_a_fork(lambda: run(trained, spec, tmp_path / "again", seconds=0))
        time.sleep(rng.uniform(0.05, seconds / 4))
        if os.waitpid(child, os.WNOHANG)[0] == child:
            # it came to its end: the rest of the kills are of a new run
            assert kills
            shutil.rmtree(tmp_path / "again")
            continue
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        kills += 1
        resumed |= {path.name for path in checkpoints(tmp_path / "again/work")}
    assert len(resumed) > 3
    assert run(trained, spec, tmp_path / "again", seconds=0) == expected


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_saves_and_says_so(trained, tmp_path, told):
    """SIGTERM, Ctrl-C: a checkpoint within seconds, the exit code of a temporary failure, then the same weights."""
    spec = node_of(trained, "intermediate", "tiny.full.four.s1").spec
    spec = {**spec, "sampling": {**spec["sampling"], "steps": 400}}
    expected = run(trained, spec, tmp_path / "whole")
    child = in_a_fork(lambda: run(trained, spec, tmp_path / "again"))
    time.sleep(1.0)
    os.kill(child, told)
    started = time.monotonic()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == commands.TEMPORARY_FAILURE == 75
    assert time.monotonic() - started < 5
    (checkpoint,) = checkpoints(tmp_path / "again/work")
    assert 0 < json.loads((checkpoint / "state.json").read_text())["step"] < 400
    assert run(trained, spec, tmp_path / "again") == expected


def test_same_seed_same_numbers_and_another_seed_others(trained, tmp_path):
    spec = node_of(trained, "intermediate", "tiny.full.four.s1").spec
    assert run(trained, spec, tmp_path / "one") == run(trained, spec, tmp_path / "two")
    other = run(trained, {**spec, "seed": 2}, tmp_path / "three")
    assert other[1]["history.json"] != run(trained, spec, tmp_path / "four")[1]["history.json"]


def losses(files):
    """Return the mean loss of each task from the history."""
    (entry,) = json.loads(files["history.json"])["losses"]
    return {task: value for task, value in entry.items() if task != "step"}


def without_dropout(trained, spec, folder):
    """Return results in which the model has no dropout."""
    shutil.copytree(trained[1], folder, symlinks=True)
    path = folder / spec["parents"]["model"] / "config.json"
    config = json.loads(path.read_text())
    dropouts = {key: 0.0 for key in config if key.endswith("dropout_prob")}
    path.write_text(json.dumps({**config, **dropouts}))
    return (trained[0], folder)


@pytest.mark.parametrize(("stage", "name"), [*RUNS, ("intermediate", "tiny.full.retrieval.s1")])
@pytest.mark.parametrize(
    "hardware", [{"max_tokens_per_device": 200}, {"max_tokens_per_device": 1}, {"gradient_checkpointing": True}]
)
def test_what_the_hardware_may_do_changes_no_result(trained, tmp_path, stage, name, hardware):
    """A batch in parts, or layers computed twice: equal losses but for rounding, at dropout 0."""
    spec = node_of(trained, stage, name).spec
    trained = without_dropout(trained, spec, tmp_path / "results")
    _, one = run(trained, spec, tmp_path / "one")
    _, other = run(trained, spec, tmp_path / "other", **hardware)
    first, second = (json.loads(files["history.json"])["losses"] for files in (one, other))
    for before, after in zip(first, second, strict=True):
        assert after == pytest.approx(before, rel=1e-5)


def test_a_batch_in_parts_has_all_of_it_once(trained):
    node = node_of(trained, "intermediate", "tiny.full.four.s1")
    data = [splits(trained[1], node.spec["parents"][f"tokens.{entry['task']}"]) for entry in node.spec["tasks"]]
    schedule = loop._prepare(node.spec, trained[1], Path(), Hardware(), Group()).schedule

    def instances(group, tokens):
        batches = Batches(schedule, node.spec["tasks"], data, 1, group, tokens, False)
        return [batches.at(step) for step in range(schedule.steps)]

    for whole, divided in zip(instances(Group(), None), instances(Group(), 100), strict=True):
        (alone,) = whole.micro_batches
        assert sum(instances for _, _, instances, _ in divided.micro_batches) == alone[2]
        assert sum(terms for *_, terms in divided.micro_batches) == alone[3]
        rows = sorted(tuple(row[row != 1]) for inputs, *_ in divided.micro_batches for row in inputs["ids"])
        assert rows == sorted(tuple(row[row != 1]) for row in alone[0]["ids"])
        # one instance is never divided, though it may be five sequences
        ids = [inputs["ids"] for inputs, *_ in divided.micro_batches]
        assert all(len(one) in (1, 5) or one.size <= 100 for one in ids)


@pytest.mark.parametrize("size", [2, 3, 8])
def test_processes_divide_every_batch(trained, size):
    """What a step sees is a function of seed, step and process: together it is what one process sees."""
    node = node_of(trained, "intermediate", "tiny.full.four.s1")
    data = [splits(trained[1], node.spec["parents"][f"tokens.{entry['task']}"]) for entry in node.spec["tasks"]]
    schedule = loop._prepare(node.spec, trained[1], Path(), Hardware(), Group()).schedule

    def batches(rank, size):
        return Batches(schedule, node.spec["tasks"], data, 1, Group(rank, size), None, False)

    for step in reversed(range(schedule.steps)):
        alone = batches(0, 1).at(step)
        shares = [batches(rank, size).at(step) for rank in range(size)]
        assert {share.task for share in shares} == {alone.task}
        counted = [share.micro_batches[0] for share in shares if share.micro_batches[0][3]]
        assert sum(micro_batch[3] for micro_batch in counted) == alone.micro_batches[0][3]
        rows = [tuple(row[row != 1]) for micro_batch in counted for row in micro_batch[0]["ids"]]
        assert rows == [tuple(row[row != 1]) for row in alone.micro_batches[0][0]["ids"]]


TWO = """
import pathlib, sys
import torch
from xstilts.models import distributed
from xstilts.training import loop
torch.set_num_threads(1)
group = distributed.join(2)
for spec, results, place in eval(sys.argv[1]):
    scratch, workplace = (pathlib.Path(place) / name for name in ("out", "work"))
    if group.leads:
        scratch.mkdir(parents=True)
        workplace.mkdir()
    group.wait()
    loop.train(spec, pathlib.Path(results), scratch, workplace, loop.Hardware(checkpoint_seconds=0), group)
torch.distributed.destroy_process_group()
"""
DIVIDED = [*RUNS, ("intermediate", "tiny.full.retrieval.s1")]


@pytest.fixture(scope="module")
def two_processes(trained, tmp_path_factory):
    """Results without dropout, and a folder with what two processes made of each run."""
    folder = tmp_path_factory.mktemp("two")
    specs = [node_of(trained, *each).spec for each in DIVIDED]
    trained = without_dropout(trained, specs[0], folder / "results")
    (folder / "two.py").write_text(TWO)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    argument = repr(
        [(dict(spec), str(trained[1]), str(folder / name)) for spec, (_, name) in zip(specs, DIVIDED, strict=True)]
    )
    command = [*launcher, str(folder / "two.py"), argument]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return trained, folder


@pytest.mark.parametrize(("stage", "name"), DIVIDED)
def test_two_processes_equal_one(two_processes, tmp_path, stage, name):
    """Over gloo, at dropout 0: the losses up to 1e-5, and the weights of the end up to what Adam makes of rounding."""
    trained, folder = two_processes
    _, alone = run(trained, node_of(trained, stage, name).spec, tmp_path / "alone")
    together = {path.name: path for path in (folder / name / "out").iterdir()}
    assert together.keys() == alone.keys()
    first, second = json.loads(alone["history.json"]), json.loads(together["history.json"].read_text())
    for before, after in zip(first["losses"], second["losses"], strict=True):
        assert after == pytest.approx(before, rel=1e-5, abs=1e-5)
    assert first["evaluations"] == second["evaluations"]
    for file in [file for file in alone if file.endswith(".safetensors")]:
        one, other = load_file(tmp_path / "alone/out" / file), load_file(together[file])
        assert one.keys() == other.keys()
        assert max(float((one[key] - other[key]).abs().max()) for key in one) < 2e-3


def test_command_with_two_processes(two_processes, tmp_path):
    """The whole command: torchrun, the lock, the manifest; and one process goes on from what two have saved."""
    trained, _ = two_processes
    node = node_of(trained, "intermediate", "tiny.full.retrieval.s1")
    output = manifest_path(trained[1], node.id)
    command = [
        sys.executable,
        "-m",
        "xstilts",
        "train",
        "--spec",
        manifest.canonical(node.spec),
        "--output",
        str(output),
    ]
    done = subprocess.run([*command, "--processes", "2"], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    facts, _ = run(trained, node.spec, tmp_path)
    made = manifest.read(output)
    assert {key: made[key] for key in ("steps", "tasks", "parameters")} == {
        key: facts[key] for key in ("steps", "tasks", "parameters")
    }
    assert not (trained[1] / "work" / node.id).exists()
    assert not list(output.parent.parent.glob(".*"))


@pytest.mark.parametrize(
    ("rate", "message"),
    [(1e30, r"mnli: the loss is (nan|inf) at step \d+ \(learning rate [\d.e+]+\); lower the learning rate")],
)
def test_loss_that_is_no_number_stops_the_run(trained, tmp_path, rate, message):
    spec = node_of(trained, "targets", "tiny.full.none.s1.mnli").spec
    with pytest.raises(UserError, match=message):
        run(trained, {**spec, "optimiser": {**spec["optimiser"], "learning_rate": rate}}, tmp_path)
    assert not list((tmp_path / "work").glob("checkpoint-*"))


def test_loss_that_explodes_stops_the_run():
    """Twenty steps at 2, then 50 a step: the mean of the last twenty passes 20 and five times 2 at the eighth."""
    state = {"first": {}, "last": {}}
    for step in range(20):
        check_loss(state, "mnli", 2.0, step, 1e-3)
    for step in range(20, 27):
        check_loss(state, "mnli", 50.0, step, 1e-3)
    check_loss(state, "text", 50.0, 27, 1e-3)
    with pytest.raises(UserError, match=r"mnli: the loss exploded from 2 to 21.2 at step 28 \(learning rate 1.0"):
        check_loss(state, "mnli", 50.0, 28, 1e-3)
    # from 50 at the start to 100 is no explosion, nor is 19 after 2
    for start, then in ((50.0, 100.0), (2.0, 19.0)):
        state = {"first": {}, "last": {}}
        for step in range(60):
            check_loss(state, "mnli", start if step < 20 else then, step, 1e-3)


@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler, and there is none")
def test_compiled_by_the_recipe_trains_the_same(trained, tmp_path):
    """The same steps up to rounding, at dropout 0: a compiler draws its own random numbers."""
    spec = node_of(trained, "targets", "tiny.full.none.s1.mnli").spec
    trained = without_dropout(trained, spec, tmp_path / "results")
    facts, plain = run(trained, spec, tmp_path / "plain")
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    own, compiled = run(trained, {**spec, "compile": True}, tmp_path / "compiled")
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    assert own["steps_done"] == facts["steps_done"]
    first, second = (json.loads(files["history.json"])["losses"] for files in (plain, compiled))
    for before, after in zip(first, second, strict=True):
        assert after == pytest.approx(before, rel=1e-4)
    one, other = (load_file(tmp_path / place / "out" / "model.safetensors") for place in ("plain", "compiled"))
    assert one.keys() == other.keys()
    assert all(torch.allclose(value, other[name], atol=1e-3) for name, value in one.items())


@pytest.mark.parametrize("name", ["tiny.reduced.four.s1"])
def test_bfloat16_trains_and_reads_back_equal(trained, tmp_path, name):
    spec = node_of(trained, "intermediate", name).spec
    assert spec["dtype"] == spec["precision"] == "bfloat16"
    facts, files = run(trained, spec, tmp_path / "one")
    assert "adapter_model.safetensors" in files and "model.safetensors" not in files
    assert facts["parameters"]["trained"] < facts["parameters"]["all"] / 2
    _, full = run(trained, {**spec, "precision": "float32", "dtype": "float32"}, tmp_path / "two")
    assert losses(files) == pytest.approx(losses(full), rel=0.05) and losses(files) != losses(full)


def test_second_phase_reads_the_adapter_below_it(trained, tmp_path):
    """A target on an intermediate adapter: both are its parents, and what it saves stands on both."""
    plan, results = trained
    target = node_of(trained, "targets", "tiny.lora.four.s1.mnli")
    below = node_of(trained, "intermediate", "tiny.lora.four.s1")
    base = node_of(trained, "models", "tiny")
    assert [target.spec["parents"][role] for role in ("model", "model.1")] == [below.id, base.id]
    prediction = node_of(trained, "predictions", "tiny.lora.four.s1.xnli")
    roles = {role: name for role, name in prediction.spec["parents"].items() if role.startswith("model")}
    assert roles == {"model": target.id, "model.1": below.id, "model.2": base.id}
    assert [folder.relative_to(results).as_posix() for folder in lineage.folders(prediction.spec, results)] == [
        target.id, below.id, base.id
    ]  # fmt: skip
    # a model that was trained in full stands alone
    full = node_of(trained, "predictions", "tiny.full.four.s1.xnli")
    assert [role for role in full.spec["parents"] if role.startswith("model")] == ["model"]


# Learning rates from a grid


def test_grid_is_searched_once_for_all_mixtures_and_seeds(trained):
    plan, _ = trained
    searches = {node.name: node for node in plan.stage("learning_rates").values()}
    assert set(searches) == {"tiny.grid.four", "tiny.grid.retrieval", "tiny.grid.mnli", "tiny.grid.udpos"}
    for mixture_name in ("none", "four", "retrieval"):
        target = node_of(trained, "targets", f"tiny.grid.{mixture_name}.s1.mnli")
        assert target.spec["parents"]["learning_rate"] == searches["tiny.grid.mnli"].id
        assert "learning_rate" not in target.spec["optimiser"]
    assert searches["tiny.grid.mnli"].spec["learning_rates"] == [1e-9, 3e-3, 1e9]


def test_best_rate_of_a_grid_is_taken(trained, tmp_path, monkeypatch):
    """One that trains nothing, one that does, and one that explodes; killed in between, it goes on with the next."""
    plan, results = trained
    spec = node_of(trained, "learning_rates", "tiny.grid.udpos").spec
    workplace = tmp_path / "work"
    workplace.mkdir()
    facts = loop.choose_rate(spec, results, workplace, Hardware(), Group())
    assert facts["best"] == 3e-3
    scores = {entry["learning_rate"]: entry["score"] for entry in facts["learning_rates"]}
    assert scores[3e-3] > scores[1e-9] and scores[1e9] is None
    tried = []
    fit = loop._fit
    monkeypatch.setattr(loop, "_fit", lambda run, rate, own: tried.append(rate) or fit(run, rate, own))
    shutil.rmtree(workplace / "rate-0.003")
    assert loop.choose_rate(spec, results, workplace, Hardware(), Group()) == facts
    assert tried == [3e-3]
    with pytest.raises(UserError, match="every learning rate of the grid"):
        shutil.rmtree(workplace)
        workplace.mkdir()
        loop.choose_rate({**spec, "learning_rates": [1e20, 1e30]}, results, workplace, Hardware(), Group())


def test_rate_of_the_search_is_trained_with(trained, tmp_path):
    plan, results = trained
    node = node_of(trained, "intermediate", "tiny.grid.retrieval.s1")
    search = manifest_path(results, node.spec["parents"]["learning_rate"])
    search.parent.mkdir(parents=True, exist_ok=True)
    search.write_text(json.dumps({"best": 3e-3}))
    facts, files = run(trained, node.spec, tmp_path / "grid")
    plain = node_of(trained, "intermediate", "tiny.full.retrieval.s1")
    expected, same = run(trained, plain.spec, tmp_path / "plain")
    assert facts["learning_rate"] == 3e-3
    assert files == same and facts == expected
