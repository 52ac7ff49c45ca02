"""Nodes that train, killed and resumed in this process, and what they read."""

import json
import math
import os
import shutil
from pathlib import Path

from xstilts import commands
from xstilts.errors import TerminatedError
from xstilts.hardware import Hardware
from xstilts.models.distributed import Group
from xstilts.training import loop
from xstilts.training.step import Batches, take_step

from tests.builders.nodes import restate
from tests.builders.projects import ROOT

QUICK = {
    "epochs": 1,
    "batch_size": 8,
    "max_length": 48,
    "learning_rate": 3e-3,
    "weight_decay": 0,
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
                 "target": {**QUICK, "learning_rate": [1e-9, 3e-3]}, "grid_search": "baseline"},
    },
    "mixtures": {
        "none": None,
        "four": {"tasks": ["mnli", "squad_v1", "commonsenseqa", "text"], "steps": 12},
        "mixed": {"tasks": ["mnli", "squad_v1", "commonsenseqa", "text"], "sampling": "equal", "steps": 6,
                  "tasks_per_step": 2, "loss_scale": "log_classes", "gradient_conflict_every": 2},
        "retrieval": {"tasks": ["squad_retrieval"], "steps": 4},
    },
    "targets": {"xnli": None, "udpos": None},
    "languages": ["en", "de"],
    "seeds": [1],
    "limits": {"dev_rows": 8, "train_rows": 64},
}  # fmt: skip


def run(trained, spec, place, seconds=math.inf, group=None, **hardware):
    """Train a node into a folder of its own; return what its manifest says, and the contents of its files."""
    scratch, workplace = place / "out", place / "work"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    workplace.mkdir(exist_ok=True)
    hardware = Hardware(checkpoint_seconds=seconds, **hardware)
    prepared = loop.prepare(spec, trained[1], workplace, hardware, group or Group())
    results = loop.train(prepared, trained[1], scratch).results
    return results, {path.name: path.read_bytes() for path in scratch.iterdir()}


class KilledError(Exception):
    """The run was killed here."""


def killed_at(monkeypatch, step):
    """Let the next run end before a step, as a kill would: nothing of it stays but its work directory."""
    real_step, taken = take_step, []

    def counted(*arguments, **named):
        key = arguments[3][0].key
        if key % 1_000_003 == step:
            raise KilledError
        taken.append(key)
        return real_step(*arguments, **named)

    monkeypatch.setattr(loop, "take_step", counted)
    return taken


RUNS = [
    ("intermediate", "tiny.full.four.s1"),
    ("targets", "tiny.full.none.s1.mnli"),
    ("intermediate", "tiny.lora.four.s1"),
]


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


def losses(files):
    """Return the mean loss of each task from the history."""
    (entry,) = json.loads(files["history.json"])["losses"]
    return {task: value for task, value in entry.items() if task != "step"}


def conflicts(files):
    """Return the cosines between gradients from the history."""
    return json.loads(files["history.json"])["gradient_conflict"]


def without_dropout(trained, spec, folder):
    """Return results in which the model has no dropout."""
    shutil.copytree(trained[1], folder, symlinks=True)
    path = folder / spec.parents["model"] / "config.json"
    config = json.loads(path.read_text())
    dropouts = {key: 0.0 for key in config if key.endswith("dropout_prob")}
    path.write_text(json.dumps({**config, **dropouts}))
    restate(path.parent)
    return (trained[0], folder)


def batches_of(trained, node, group=None, tokens=None):
    """Return the batches of a training for one of the processes of a group, of every step all."""
    run = loop.prepare(node.spec, trained[1], Path(), Hardware(), Group())
    factors = [1.0] * len(run.tasks)
    batches = Batches(run.schedule, run.tasks, run.data, factors, 1, group or Group(), Hardware(tokens), False)
    return [batch for step in range(run.schedule.steps) for batch in batches.at(step)]
