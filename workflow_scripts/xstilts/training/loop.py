"""Training: one loop for every phase, every form, every model and every tuning. Read it from top to bottom.

What a step does depends on the seed and the step alone: its batch (``mixture.Schedule``), its dropout (the random
state is set anew at every step) and its learning rate. So a run that was interrupted goes on as if nothing had
happened, from the last checkpoint in its work directory, and several processes do together what one does alone.
"""

import copy
import json
import logging
import math
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xstilts import forms
from xstilts.data import dataset
from xstilts.data.dataset import Split
from xstilts.data.sampler import Schedule
from xstilts.errors import ExplodedError, TerminatedError, UserError
from xstilts.evaluation import prediction
from xstilts.models import adapters, distributed
from xstilts.models.model import Model, load_head, load_model, make_head, of_spec, save_model, tensors
from xstilts.store import lineage, manifest
from xstilts.store.sampling import Sampling, TaskShare
from xstilts.training.checkpoints import remove, resume, save_checkpoint
from xstilts.training.progress import Progress
from xstilts.training.step import Batches, check_loss, learning_rate, make_optimiser, take_step

log = logging.getLogger(__name__)

# what a checkpoint carries beside weights and moments; `protected` are the best steps that the last two checkpoints
# point to, `since` the task and the loss of every step since the last entry of `losses`, `first` and `last` what
# `check_loss` compares
_START = {
    "step": 0, "evaluations": [], "losses": [], "bad": 0, "protected": [], "since": [], "first": {}, "last": {}
}  # fmt: skip


@dataclass(frozen=True)
class Hardware:
    """What a run may use, and no result depends on.

    Attributes:
        checkpoint_seconds: time between two checkpoints.
        max_tokens_per_device: tokens, padding included, that are computed at once; a larger batch is accumulated. None for all.
        gradient_checkpointing: whether layers are computed again in place of keeping what they gave.
    """

    checkpoint_seconds: float = 600
    max_tokens_per_device: int | None = None
    gradient_checkpointing: bool = False


@dataclass(frozen=True)
class Run:
    """What stays as it is while a node is trained.

    Attributes:
        spec: the node's spec: tasks, sampling, optimiser, tuning, early stopping, seed, and its parents.
        folders: those of the model that it starts from, as ``lineage.folders`` gives them.
        base: the folder of the pretrained model, where a task has its language-model head.
        entries: the tasks, with their labels.
        data: their splits.
        schedule: what every step sees.
        workplace: the work directory.
        hardware: what may be used.
        group: the processes that train together.
        device: where this process computes.
    """

    spec: Mapping[str, Any]
    folders: Sequence[Path]
    base: Path | None
    entries: Sequence[Mapping[str, Any]]
    data: Sequence[Mapping[str, Split]]
    schedule: Schedule
    workplace: Path
    hardware: Hardware
    group: distributed.Group
    device: torch.device


def train(
    spec: Mapping[str, Any],
    results: Path,
    scratch: Path,
    workplace: Path,
    hardware: Hardware,
    group: distributed.Group,
    start: Path | None = None,
) -> dict[str, Any]:
    """Train a node, write its model and ``history.json`` into a scratch folder, and return facts for the manifest.

    Args:
        spec: the node's spec.
        results: the results folder, where the parents are.
        scratch: folder for the outputs.
        workplace: the work directory, locked by the first of these processes.
        hardware: what may be used.
        group: the processes that train together; the first one writes.
        start: folder of the model to start from, where it is none of the parents.

    Raises:
        UserError: if the loss is not finite or explodes, or the saved model does not give the outputs of the one in
            memory.
        TerminatedError: if the process was asked to end; the run continues from there the next time.
    """
    run = _prepare(spec, results, workplace, hardware, group)
    if start is not None:
        run = replace(run, folders=[start], base=start)
    model, state = _fit(run, _rate(spec, results), workplace)
    facts = {
        "steps": run.schedule.steps,
        "steps_done": state["evaluations"][-1]["step"] if spec["early_stopping"] else run.schedule.steps,
        "best_step": _best_step(state) if spec["early_stopping"] else run.schedule.steps,
        "tasks": run.schedule.counts(),
        "learning_rate": _rate(spec, results),
        "parameters": _count(model),
        "dev": _scores(run, model),
        "trained_before": lineage.runs(results, spec["parents"][lineage.MODEL]) if start is None else {},
    }
    facts["collapsed"] = any(dev["collapsed"] for dev in facts["dev"].values())
    if group.leads:
        history = {"evaluations": state["evaluations"], "losses": state["losses"]}
        (scratch / "history.json").write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")
    before = _outputs(run, model)
    save_model(model, scratch, group)
    del model
    for entry, one, other in zip(run.entries, before, _outputs(run, _load(run, scratch)), strict=True):
        if not torch.equal(one, other):
            raise UserError(f"{scratch}: the saved model gives other outputs for {entry['task']} than the trained one")
    return facts


def choose_rate(
    spec: Mapping[str, Any], results: Path, workplace: Path, hardware: Hardware, group: distributed.Group
) -> dict[str, Any]:
    """Train a node with each learning rate of a grid, and return facts for the manifest: scores, and the best rate.

    The score is that of the dev rows of the source language: the best evaluation where the phase stops early, else the
    mean of the tasks' at the end (without those that are measured by a loss, unless there is no other). Of rates with
    equal scores the lowest is taken.
    """
    run = _prepare(spec, results, workplace, hardware, group)
    scores: dict[float, float] = {}
    for rate in sorted(spec["learning_rates"]):
        own = workplace / f"rate-{rate:g}"
        done = own / "score.json"
        if not done.exists():
            own.mkdir(exist_ok=True)
            try:
                model, state = _fit(run, rate, own)
                score = _dev_score(run, model, state)
                del model
            except ExplodedError as error:
                # too high a rate is an answer, too
                log.warning("learning rate %g: %s", rate, error)
                score = -math.inf
            if group.leads:
                remove(own)
                own.mkdir()
                done.write_text(json.dumps(score), encoding="utf-8")
            group.wait()
        scores[rate] = json.loads(done.read_text(encoding="utf-8"))
        log.info("learning rate %g: dev %.2f", rate, scores[rate])
    best = max(scores, key=scores.__getitem__)
    if scores[best] == -math.inf:
        raise UserError("recipe: every learning rate of the grid made the loss explode; give lower ones")
    return {
        "learning_rates": [{"learning_rate": rate, "score": score if math.isfinite(score) else None}
                  for rate, score in scores.items()],
        "best": best,
    }  # fmt: skip


def _prepare(
    spec: Mapping[str, Any], results: Path, workplace: Path, hardware: Hardware, group: distributed.Group
) -> Run:
    data = [dataset.splits(results, spec["parents"][f"tokens.{entry['task']}"]) for entry in spec["tasks"]]
    entries = [{**entry, "labels": entry["labels"] or splits["train"].labels}
               for entry, splits in zip(spec["tasks"], data, strict=True)]  # fmt: skip
    shares = []
    for entry, splits in zip(entries, data, strict=True):
        tokens = splits["train"].tokens
        rows = len(np.unique(tokens.examples))
        shares.append(
            TaskShare(
                entry["task"], np.arange(len(tokens)), tokens.lengths, rows, entry["weight"], entry["epochs"],
                entry["batch_size"],
            )
        )  # fmt: skip
    schedule = Schedule(shares, Sampling(**spec["sampling"]), spec["seed"])
    base = results / spec["parents"]["base"] if "base" in spec["parents"] else None
    folders = lineage.folders(spec, results)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return Run(spec, folders, base, entries, data, schedule, workplace, hardware, group, device)


def _rate(spec: Mapping[str, Any], results: Path) -> float:
    """Return the learning rate: the recipe's own, or the best of its grid."""
    if "learning_rate" in spec["parents"]:
        return manifest.read(results / spec["parents"]["learning_rate"] / manifest.MANIFEST)["best"]
    return spec["optimiser"]["learning_rate"]


def _fit(run: Run, rate: float, workplace: Path) -> tuple[Model, dict[str, Any]]:
    """Train to the end, or until nothing is gained; return the model in evaluation mode, and the state at the end."""
    spec, schedule, group = run.spec, run.schedule, run.group
    model = _start(run)
    optimiser = make_optimiser(model, spec["optimiser"])
    state = resume(workplace, model, optimiser) or copy.deepcopy(_START)
    stopping = spec["early_stopping"]
    batches = Batches(
        schedule,
        run.entries,
        run.data,
        spec["seed"],
        group,
        run.hardware.max_tokens_per_device,
        run.device.type == "cuda",
    )
    ended = state["bad"] >= stopping["patience"] if stopping else False
    saved_at = time.monotonic()
    with Progress(schedule.steps, state["step"]) as progress, _Interruption() as signals:
        for step, batch in enumerate([] if ended else batches.from_step(state["step"]), state["step"]):
            entry = run.entries[batch.task]
            now = learning_rate(step, schedule.steps, rate, spec["optimiser"]["warmup"])
            loss = take_step(model, optimiser, entry, batch, now, spec["optimiser"]["gradient_norm"], group, run.device)
            check_loss(state, entry["task"], loss, step, now)
            state["since"].append([batch.task, loss])
            progress.update(entry["task"], loss)
            last = step + 1 == schedule.steps
            if stopping and (last or (step + 1) % stopping["evaluate_every"] == 0):
                _close_losses(state, run.entries, step + 1)
                ended = _evaluate(run, model, step + 1, state, workplace)
            interrupted = group.any(signals.received)
            due = group.any(time.monotonic() - saved_at >= run.hardware.checkpoint_seconds)
            if interrupted or (due and not last and not ended):
                state["protected"] = [*state["protected"][-1:], _best_step(state)]
                save_checkpoint(workplace, step + 1, model, optimiser, state, group)
                saved_at = time.monotonic()
            if interrupted:
                raise TerminatedError(f"interrupted; saved at step {step + 1}, from which the next run continues")
            if ended:
                break
    if state["since"]:
        _close_losses(state, run.entries, schedule.steps)
    if stopping:
        del model, optimiser
        model = _load(run, _best(workplace, _best_step(state)))
    return model.eval(), state


def _start(run: Run) -> Model:
    """Return the model as it is before the first step, on the device, in training mode."""
    spec, seed = run.spec, run.spec["seed"]
    backbone = adapters.load(run.folders, spec["submodel"], spec["dtype"])
    adapters.inject(backbone, spec["method"], seed)
    heads = {entry["task"]: make_head(entry, backbone, seed, run.base) for entry in run.entries}
    model = Model(backbone, heads, spec["precision"])
    if spec["warm_start_head"]:
        load_head(model, run.entries[0]["task"], run.folders[0], spec["warm_start_head"])
    adapters.freeze(model.backbone, model.heads, spec["frozen_embeddings"])
    if run.hardware.gradient_checkpointing:
        backbone.transformer.activation_checkpointing_enable()
    if spec["compile"]:
        backbone.transformer.compile(dynamic=True)
    return _placed(run, model).train()


def _load(run: Run, folder: Path) -> Model:
    """Return a model that this run has saved, on the device, in evaluation mode."""
    folders = [folder, *run.folders] if adapters.is_adapter(folder) else [folder]
    model = load_model(folders, run.entries, of_spec(run.spec), run.base)
    adapters.freeze(model.backbone, model.heads, run.spec["frozen_embeddings"])
    return _placed(run, model).eval()


def _placed(run: Run, model: Model) -> Model:
    distributed.shard(model, run.group)
    return model.to(run.device)


def _count(model: Model) -> dict[str, int]:
    """Return the number of parameters, and how many of them were trained."""
    return {
        "all": sum(parameter.numel() for parameter in model.parameters()),
        "trained": sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
    }


def _scores(run: Run, model: Model) -> dict[str, dict[str, Any]]:
    """Return for each task its scores on dev rows, and whether the model says one and the same for all of them."""
    found = {}
    for entry, splits in zip(run.entries, run.data, strict=True):
        scores, collapsed = prediction.evaluate(model, entry, splits["dev"], run.device)
        rounded = {name: round(value, 4) for name, value in scores.items()}
        found[entry["task"]] = {**rounded, "collapsed": collapsed}
        if collapsed:
            log.warning("%s: the model collapsed: it predicts one and the same for all dev rows", entry["task"])
    return found


def _dev_score(run: Run, model: Model, state: Mapping[str, Any]) -> float:
    """Return the one number by which learning rates are compared: the higher, the better."""
    if run.spec["early_stopping"]:
        return max(evaluation["score"] for evaluation in state["evaluations"])
    scores = _scores(run, model)
    measured = [entry for entry in run.entries if entry["metric"] != "loss"]
    values = [scores[entry["task"]][entry["metric"]] for entry in measured]
    values = values or [-scores[entry["task"]]["loss"] for entry in run.entries]
    return sum(values) / len(values)


def _outputs(run: Run, model: Model) -> list[torch.Tensor]:
    """Return what a model gives for the last batch of each task's dev rows."""
    found = []
    # nothing of a compiled model is left in what is compared: it is read back without
    with torch.inference_mode(), torch.compiler.set_stance("force_eager"):
        for entry, splits in zip(run.entries, run.data, strict=True):
            tokens = splits["dev"].tokens
            instances = prediction.batches(tokens)[-1]
            inputs = tensors(forms.get(entry["form"]).batch(tokens, instances, 0)[0], run.device)
            found.append(model(entry["task"], inputs, len(instances)))
    return found


def _close_losses(state: dict[str, Any], entries: Sequence[Mapping[str, Any]], step: int) -> None:
    """Note the mean loss of each task since the last note; `since` is in the checkpoints, so a resumed run agrees."""
    by_task: dict[str, list[float]] = {}
    for task, loss in state["since"]:
        by_task.setdefault(entries[task]["task"], []).append(loss)
    means = {task: round(sum(values) / len(values), 6) for task, values in sorted(by_task.items())}
    state["losses"].append({"step": step, **means})
    state["since"] = []


def _evaluate(run: Run, model: Model, step: int, state: dict[str, Any], workplace: Path) -> bool:
    """Evaluate on dev rows, keep the weights if they are the best so far, and tell whether to stop."""
    entry, stopping = run.entries[0], run.spec["early_stopping"]
    scores, _ = prediction.evaluate(model, entry, run.data[0]["dev"], run.device)
    # of a loss, the lower the better
    score = -scores["loss"] if entry["metric"] == "loss" else scores[entry["metric"]]
    before = max((evaluation["score"] for evaluation in state["evaluations"]), default=-math.inf)
    state["evaluations"].append({"step": step, "score": score})
    log.info("step %d: dev %s %.2f", step, entry["metric"], score)
    if score <= before:
        state["bad"] += 1
        return state["bad"] >= stopping["patience"]
    state["bad"] = 0
    folder = _best(workplace, step)
    if run.group.leads:
        for older in workplace.glob("best-*"):
            if older not in [_best(workplace, best) for best in state["protected"] if best]:
                shutil.rmtree(older)
        folder.mkdir()
    save_model(model, folder, run.group)
    return False


def _best_step(state: Mapping[str, Any]) -> int | None:
    """Return the step of the best evaluation, the first of equal ones; None before any."""
    ranked = [(evaluation["score"], -evaluation["step"]) for evaluation in state["evaluations"]]
    return -max(ranked)[1] if ranked else None


def _best(workplace: Path, step: int) -> Path:
    return workplace / f"best-{step:09d}"


class _Interruption:
    """Notes, while it is entered, that the process was asked to end (SIGTERM, Ctrl-C), in place of ending at once."""

    def __init__(self) -> None:
        self.received = False

    def __enter__(self) -> "_Interruption":
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _note(self, *_: object) -> None:
        self.received = True
