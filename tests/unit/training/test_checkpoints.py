"""Killed at any step, while it trains or writes, and resumed: it gives the same."""

import copy
import errno
import json
import os
import random
import shutil
import signal
import threading
import time
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from xstilts import commands
from xstilts.errors import TerminatedError, line
from xstilts.models.distributed import Group
from xstilts.store.specs.models import EarlyStopping
from xstilts.training import checkpoints as checkpoints_module
from xstilts.training import loop
from xstilts.training.checkpoints import Writer, checkpoints, resume

from tests.builders.plans import node_of
from tests.builders.training import RUNS, KilledError, in_a_fork, killed_at, run


@pytest.mark.parametrize(("stage", "name"), RUNS)
def test_killed_before_any_step_and_resumed_is_the_same(trained, tmp_path, monkeypatch, stage, name):
    """With a checkpoint after every step: weights, heads, history and manifest, bit for bit."""
    spec = node_of(trained[0], stage, name).spec
    stated, whole = run(trained, spec, tmp_path / "whole")
    assert stated.run.steps_done >= 6
    for step in range(1, stated.run.steps_done):
        place = tmp_path / str(step)
        with monkeypatch.context() as patched:
            taken = killed_at(patched, step)
            with pytest.raises(KilledError):
                run(trained, spec, place, seconds=0)
            assert len(taken) == step
        with monkeypatch.context() as patched:
            taken = killed_at(patched, None)
            again = run(trained, spec, place, seconds=0)
            assert taken[0] % 1_000_003 == step and len(taken) == stated.run.steps_done - step
        assert again == (stated, whole), step


@pytest.mark.parametrize("every", [1, 5])
def test_best_step_of_a_mixture_is_kept_whenever_the_run_is_killed(trained, tmp_path, monkeypatch, every):
    """It goes on to its last step, and keeps that with the best mean over its tasks' headline metrics on dev rows."""
    spec = replace(node_of(trained[0], "intermediate", "tiny.full.four.s1").spec, learning_rate=1e-2)
    last = run(trained, spec, tmp_path / "last")
    spec = replace(spec, early_stopping=EarlyStopping(evaluate_every=every, patience=None))
    stated, whole = run(trained, spec, tmp_path / "whole")
    history = json.loads(whole["history.json"])["evaluations"]
    steps = stated.run.steps_done
    assert [entry["step"] for entry in history] == sorted({*range(every, steps, every), steps})
    assert steps == stated.steps == 12
    best = max(history, key=lambda entry: (entry["score"], -entry["step"]))
    assert stated.run.best_step == best["step"] < steps and whole["heads.safetensors"] != last[1]["heads.safetensors"]
    # the text's loss, in nats, is no part of a mean of percents
    scores = [stated.run.dev[task.task].scores[task.metric] for task in spec.tasks if task.task != "text"]
    assert len(scores) == 3 and best["score"] == pytest.approx(sum(scores) / 3, abs=1e-3)
    for step in range(1, steps, 3):
        place = tmp_path / str(step)
        with monkeypatch.context() as patched:
            killed_at(patched, step)
            with pytest.raises(KilledError):
                run(trained, spec, place, seconds=0)
        assert run(trained, spec, place, seconds=0) == (stated, whole), step


def test_patience_is_counted_across_a_kill(trained, tmp_path, monkeypatch):
    """With a learning rate that changes nothing the second evaluation is no better, nor is the third: it ends there."""
    spec = node_of(trained[0], "targets", "tiny.full.none.s1.mnli").spec
    spec = replace(spec, learning_rate=1e-12, early_stopping=EarlyStopping(evaluate_every=1, patience=3))
    stated, whole = run(trained, spec, tmp_path / "whole")
    assert (stated.run.steps_done, stated.run.best_step) == (4, 1)
    with monkeypatch.context() as patched:
        killed_at(patched, 3)
        with pytest.raises(KilledError):
            run(trained, spec, tmp_path / "again", seconds=0)
    assert run(trained, spec, tmp_path / "again", seconds=0) == (stated, whole)


@pytest.fixture(scope="module")
def killed(trained, tmp_path_factory):
    """A run's spec, what it gives, and the folder of one that was killed after seven steps, with two checkpoints."""
    spec = node_of(trained[0], "targets", "tiny.full.none.s1.mnli").spec
    folder = tmp_path_factory.mktemp("killed")
    expected = run(trained, spec, folder / "whole")
    with pytest.MonkeyPatch.context() as patched:
        killed_at(patched, 7)
        with pytest.raises(KilledError):
            run(trained, spec, folder / "again", seconds=0)
    names = [path.name for path in checkpoints(folder / "again/work")]
    assert names == ["checkpoint-000000006", "checkpoint-000000007"]
    return spec, expected, folder / "again"


def truncated(path):
    os.truncate(path, path.stat().st_size // 2)


def flipped(path):
    content = bytearray(path.read_bytes())
    content[-40] ^= 0x80
    path.write_bytes(content)


def of_the_step_before(path):
    shutil.copyfile(path.parent.with_name("checkpoint-000000006") / path.name, path)


def at_a_step_far_away(path):
    stated = json.loads(path.read_text())
    path.write_text(json.dumps({**stated, "state": {**stated["state"], "step": 10**9}}))


DAMAGE = {
    "half of the weights": ("model.safetensors", truncated),
    "flipped weights": ("model.safetensors", flipped),
    "weights of another step": ("model.safetensors", of_the_step_before),
    "half of the moments": ("optimiser.safetensors", truncated),
    "no moments": ("optimiser.safetensors", lambda path: save_file({}, path)),
    "moments of another step": ("optimiser.safetensors", of_the_step_before),
    "half of the state": ("state.json", truncated),
    "an empty state": ("state.json", lambda path: path.write_text("{}")),
    "state of another step": ("state.json", of_the_step_before),
    "step 10^9": ("state.json", at_a_step_far_away),
    "flipped best weights": ("../best-000000003/model.safetensors", flipped),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_checkpoint_is_refused_and_the_one_before_used(trained, killed, tmp_path, monkeypatch, caplog, damage):
    spec, expected, before = killed
    shutil.copytree(before, tmp_path / "again")
    first, last = checkpoints(tmp_path / "again/work")
    name, change = DAMAGE[damage]
    change(last / name)
    taken = killed_at(monkeypatch, None)
    assert run(trained, spec, tmp_path / "again") == expected
    # the best weights are those of both checkpoints, so none is left
    anew = "best" in damage
    assert taken[0] % 1_000_003 == (0 if anew else 6)
    (said,) = [record.getMessage() for record in caplog.records if str(last) in record.getMessage()]
    assert said.endswith("; trying the one before it")
    assert (f"{first}: " in caplog.text and "; starting anew" in caplog.text) == anew


def test_checkpoints_of_another_run_are_refused(trained, killed, tmp_path, monkeypatch, caplog):
    """Of a spec that trains the same weights, but with another seed."""
    spec, _, before = killed
    spec = replace(spec, seed=2)
    expected = run(trained, spec, tmp_path / "whole")
    shutil.copytree(before, tmp_path / "again")
    taken = killed_at(monkeypatch, None)
    assert run(trained, spec, tmp_path / "again") == expected
    assert taken[0] == 2 * 1_000_003 or taken[0] % 1_000_003 == 0
    assert caplog.text.count("it is of another run") == 2 and "starting anew" in caplog.text


def test_best_weights_of_both_checkpoints_stay(trained, tmp_path, monkeypatch):
    """A resumed run that is not the same to the last bit (on a GPU) may not find a better evaluation again."""
    spec = node_of(trained[0], "targets", "tiny.full.none.s1.mnli").spec
    spec = replace(spec, early_stopping=EarlyStopping(evaluate_every=1, patience=20))
    scores = iter(range(20))
    monkeypatch.setattr(loop.prediction, "evaluate", lambda *_: ({"accuracy": next(scores)}, False))
    # a better evaluation at every step, the last of them after the last checkpoint
    save = Writer.save
    monkeypatch.setattr(Writer, "save", lambda *given: given[3]["step"] < 6 and save(*given))
    killed_at(monkeypatch, 6)
    with pytest.raises(KilledError):
        run(trained, spec, tmp_path, seconds=0)
    kept = checkpoints(tmp_path / "work")
    assert len(kept) == 2
    for checkpoint in kept:
        evaluations = json.loads((checkpoint / "state.json").read_text())["state"]["evaluations"]
        best = max(evaluations, key=lambda evaluation: evaluation["score"])["step"]
        assert (tmp_path / f"work/best-{best:09d}").exists()


def stepped(model, optimiser):
    """Take a step, so that weights and moments are others."""
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()


@pytest.fixture
def small():
    """A model, a number among its weights, and its optimiser after a step."""
    model = nn.Linear(3, 2)
    model.factor = nn.Parameter(torch.tensor(1.0))
    optimiser = torch.optim.AdamW(model.parameters())
    stepped(model, optimiser)
    return model, optimiser


def test_training_goes_on_while_a_checkpoint_is_written(small, tmp_path, monkeypatch):
    """What is written is as it was; a process that ends has written it, and an interval begins with the copies."""
    model, optimiser = small
    saved, state, go_on = copy.deepcopy(model.state_dict()), {"step": 1, "losses": []}, threading.Event()
    monkeypatch.setattr(checkpoints_module, "save_file", lambda *given: go_on.wait(60) and save_file(*given))
    with Writer(tmp_path, "run", 0, Group()) as writer:
        writer.save(model, optimiser, state, [])
        stepped(model, optimiser)
        state["losses"].append(1.0)
        assert writer.is_due() and not checkpoints(tmp_path)
        go_on.set()
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-000000001"]
    assert resume(tmp_path, "run", model, optimiser, Group()) == {"step": 1, "losses": []}
    assert all(torch.equal(value, saved[name]) for name, value in model.state_dict().items())
    assert [state["step"] for state in optimiser.state.values()] == [1, 1, 1]


def test_a_checkpoint_that_cannot_be_written_ends_the_run(small, tmp_path, monkeypatch):
    """In the next step, or where it is asked to end at once, in place of saying that it has saved."""

    def fail(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "model.safetensors")

    monkeypatch.setattr(checkpoints_module, "save_file", fail)
    writer = Writer(tmp_path, "run", 600, Group())
    writer.save(*small, {"step": 1}, [])
    with pytest.raises(OSError, match="No space left") as error:
        while not writer.is_due():
            time.sleep(0.01)
    assert line(error.value).startswith("model.safetensors: No space left on device; free some space")
    with pytest.raises(OSError, match="No space left"), Writer(tmp_path, "run", 600, Group()) as writer:
        writer.save(*small, {"step": 1}, [])
        raise TerminatedError("interrupted; saved")
    assert not checkpoints(tmp_path)


def test_twenty_kills_in_one_run(trained, tmp_path):
    """Killed (SIGKILL) twenty times at random moments, while it trains or writes: the weights are the same."""
    spec = node_of(trained[0], "intermediate", "tiny.full.four.s1").spec
    spec = replace(spec, sampling=replace(spec.sampling, steps=60))
    started = time.monotonic()
    # as long as one that is killed would take: most of it goes into writing a checkpoint a step
    expected = run(trained, spec, tmp_path / "whole", seconds=0)
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
    assert run(trained, spec, tmp_path / "again") == expected


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_interrupted_it_saves_and_says_so(trained, tmp_path, number):
    """SIGTERM, Ctrl-C: a checkpoint within seconds, the exit code of a temporary failure, then the same weights."""
    spec = node_of(trained[0], "intermediate", "tiny.full.four.s1").spec
    spec = replace(spec, sampling=replace(spec.sampling, steps=400))
    expected = run(trained, spec, tmp_path / "whole")
    child = in_a_fork(lambda: run(trained, spec, tmp_path / "again"))
    time.sleep(1.0)
    os.kill(child, number)
    started = time.monotonic()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == commands.TEMPORARY_FAILURE == 75
    assert time.monotonic() - started < 5
    (checkpoint,) = checkpoints(tmp_path / "again/work")
    assert 0 < json.loads((checkpoint / "state.json").read_text())["state"]["step"] < 400
    assert run(trained, spec, tmp_path / "again") == expected
