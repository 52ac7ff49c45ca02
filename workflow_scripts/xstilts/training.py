"""Training: one loop for every phase, every form and every model. Read it from top to bottom.

What a step does depends on the seed and the step alone: its batch (``mixture.Schedule``), its dropout (the random
state is set anew at every step) and its learning rate. So a run that was interrupted goes on as if nothing had
happened, from the last checkpoint in its work directory.
"""

import copy
import json
import logging
import math
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from xstilts import backbone, dataset, forms, lineage, prediction, work
from xstilts.dataset import Part
from xstilts.errors import UserError
from xstilts.mixture import Sampling, Schedule, TaskShare
from xstilts.prediction import Model

log = logging.getLogger(__name__)

_PROGRESS_SECONDS = 15
# what a checkpoint carries beside weights and moments; `protected` is the best step that the checkpoint points to,
# `since` the task and the loss of every step since the last entry of `losses`
_START = {"step": 0, "evaluations": [], "losses": [], "bad": 0, "protected": None, "since": []}


def train(
    spec: Mapping[str, Any], results: Path, scratch: Path, workplace: Path, checkpoint_seconds: float
) -> dict[str, Any]:
    """Train a node, write its model and ``history.json`` into a scratch folder, and return facts for the manifest.

    Args:
        spec: the node's spec: tasks, sampling, optimiser, early stopping, seed, and its parents.
        results: the results folder, where the parents are.
        scratch: folder for the outputs.
        workplace: the work directory, locked by this process.
        checkpoint_seconds: time between two checkpoints.

    Raises:
        UserError: if the loss is not finite, or the saved model does not give the outputs of the one in memory.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    parents = {role: results / parent for role, parent in spec["parents"].items()}
    data = [dataset.parts(results, spec["parents"][f"tokens.{entry['task']}"]) for entry in spec["tasks"]]
    entries = [{**entry, "labels": entry["labels"] or parts["train"].labels}
               for entry, parts in zip(spec["tasks"], data, strict=True)]  # fmt: skip
    schedule = _schedule(spec, data)
    body = backbone.load(parents["model"])
    heads = {entry["task"]: prediction.make_head(entry, body, spec["seed"], parents.get("base")) for entry in entries}
    model = Model(body, heads)
    if spec["carried_head"]:
        prediction.carry_head(model, entries[0]["task"], parents["model"], spec["carried_head"])
    model.to(device).train()
    optimiser = _optimiser(model, spec["optimiser"])
    state = work.resume(workplace, model, optimiser) or copy.deepcopy(_START)
    stopping = spec["early_stopping"]
    saved_at = time.monotonic()
    ended = state["bad"] >= stopping["patience"] if stopping else False
    with _Progress(schedule.steps, state["step"]) as progress:
        for step in range(state["step"], schedule.steps):
            if ended:
                break
            task, units = schedule.batch(step)
            loss = _step(
                model, optimiser, entries[task], data[task]["train"], units, step, schedule.steps, spec, device
            )
            state["since"].append([task, loss])
            progress.update(entries[task]["task"], loss)
            last = step + 1 == schedule.steps
            if stopping and (last or (step + 1) % stopping["evaluate_every"] == 0):
                _close_losses(state, entries, step + 1)
                ended = _evaluate(model, entries[0], data[0]["dev"], step + 1, state, stopping, workplace, device)
            if not last and time.monotonic() - saved_at >= checkpoint_seconds:
                state["protected"] = _best_step(state)
                work.save_checkpoint(workplace, step + 1, model, optimiser, state)
                saved_at = time.monotonic()
    if state["since"]:
        _close_losses(state, entries, schedule.steps)
    if stopping:
        model = prediction.load(_best(workplace, _best_step(state)), entries).to(device)
    model.eval()
    facts = {
        "steps": schedule.steps,
        "steps_done": state["evaluations"][-1]["step"] if stopping else schedule.steps,
        "best_step": _best_step(state) if stopping else schedule.steps,
        "tasks": schedule.counts(),
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "dev": {},
        "trained_before": lineage.runs(results, spec["parents"]["model"]),
    }
    for entry, parts in zip(entries, data, strict=True):
        scores, collapsed = prediction.evaluate(model, entry, parts["dev"], device)
        facts["dev"][entry["task"]] = {
            **{name: round(value, 4) for name, value in scores.items()},
            "collapsed": collapsed,
        }
        if collapsed:
            log.warning("%s: the model collapsed: it predicts one and the same for all dev rows", entry["task"])
    facts["collapsed"] = any(dev["collapsed"] for dev in facts["dev"].values())
    history = {"evaluations": state["evaluations"], "losses": state["losses"]}
    (scratch / "history.json").write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")
    prediction.save(model, scratch)
    _check_reload(model, scratch, entries, data, device)
    return facts


def _schedule(spec: Mapping[str, Any], data: Sequence[Mapping[str, Part]]) -> Schedule:
    shares = []
    for entry, parts in zip(spec["tasks"], data, strict=True):
        tokens = parts["train"].tokens
        rows = len(np.unique(tokens.examples))
        shares.append(
            TaskShare(
                entry["task"], np.arange(len(tokens)), tokens.lengths, rows, entry["rate"], entry["epochs"],
                entry["batch_size"],
            )
        )  # fmt: skip
    return Schedule(shares, Sampling(**spec["sampling"]), spec["seed"])


def _optimiser(model: Model, settings: Mapping[str, Any]) -> torch.optim.AdamW:
    """Return AdamW with weight decay on matrices only, not on biases and norms."""
    matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": settings["weight_decay"]}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=settings["learning_rate"], eps=settings["adam_epsilon"], fused=True)


def learning_rate(step: int, steps: int, settings: Mapping[str, Any]) -> float:
    """Return the learning rate of a step (from 0): linear from 0 in the warm-up, then linear to 0.

    The formula of transformers' ``get_linear_schedule_with_warmup``.
    """
    warm = math.ceil(steps * settings["warmup"])
    factor = step / warm if step < warm else (steps - step) / max(1, steps - warm)
    return settings["learning_rate"] * factor


def _step(
    model: Model, optimiser: torch.optim.Optimizer, entry: Mapping[str, Any], part: Part, units: np.ndarray, step: int,
    steps: int, spec: Mapping[str, Any], device: torch.device,
) -> float:  # fmt: skip
    """Do one optimiser step and return its loss."""
    form = forms.get(entry["form"])
    rate = learning_rate(step, steps, spec["optimiser"])
    for group in optimiser.param_groups:
        group["lr"] = rate
    torch.manual_seed(spec["seed"] * 1_000_003 + step)
    inputs, targets = (
        prediction.tensors(arrays, device) for arrays in form.batch(part.tokens, units, spec["seed"] * 1_000_003 + step)
    )
    loss = form.loss(model(entry["task"], inputs, len(units)), targets)
    value = loss.item()
    if not math.isfinite(value):
        raise UserError(
            f"{entry['task']}: the loss is {value} at step {step} (learning rate {rate:.2e}); lower the learning rate"
        )
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), spec["optimiser"]["gradient_norm"])
    optimiser.step()
    optimiser.zero_grad()
    return value


def _close_losses(state: dict[str, Any], entries: Sequence[Mapping[str, Any]], step: int) -> None:
    """Note the mean loss of each task since the last note; `since` is in the checkpoints, so a resumed run agrees."""
    by_task: dict[str, list[float]] = {}
    for task, loss in state["since"]:
        by_task.setdefault(entries[task]["task"], []).append(loss)
    means = {task: round(sum(values) / len(values), 6) for task, values in sorted(by_task.items())}
    state["losses"].append({"step": step, **means})
    state["since"] = []


def _evaluate(
    model: Model, entry: Mapping[str, Any], part: Part, step: int, state: dict[str, Any], stopping: Mapping[str, Any],
    workplace: Path, device: torch.device,
) -> bool:  # fmt: skip
    """Evaluate on dev rows, keep the weights if they are the best so far, and tell whether to stop."""
    scores, _ = prediction.evaluate(model, entry, part, device)
    # of a loss, the lower the better
    score = -scores["loss"] if entry["metric"] == "loss" else scores[entry["metric"]]
    before = max((evaluation["score"] for evaluation in state["evaluations"]), default=-math.inf)
    state["evaluations"].append({"step": step, "score": score})
    log.info("step %d: dev %s %.2f", step, entry["metric"], score)
    if score <= before:
        state["bad"] += 1
        return state["bad"] >= stopping["patience"]
    state["bad"] = 0
    for older in workplace.glob("best-*"):
        if older != _best(workplace, state["protected"] or 0):
            shutil.rmtree(older)
    folder = _best(workplace, step)
    folder.mkdir()
    prediction.save(model, folder)
    return False


def _best_step(state: Mapping[str, Any]) -> int | None:
    """Return the step of the best evaluation, the first of equal ones; None before any."""
    ranked = [(evaluation["score"], -evaluation["step"]) for evaluation in state["evaluations"]]
    return -max(ranked)[1] if ranked else None


def _best(workplace: Path, step: int) -> Path:
    return workplace / f"best-{step:09d}"


def _check_reload(
    model: Model, folder: Path, entries: Sequence[Mapping[str, Any]], data: Sequence[Mapping[str, Part]],
    device: torch.device,
) -> None:  # fmt: skip
    """Compare the outputs of the saved model, read back, with those of the model in memory."""
    again = prediction.load(folder, entries).to(device)
    for entry, parts in zip(entries, data, strict=True):
        tokens = parts["dev"].tokens
        units = prediction.batches(tokens)[-1]
        inputs = prediction.tensors(forms.get(entry["form"]).batch(tokens, units, 0)[0], device)
        with torch.inference_mode():
            one, other = (each(entry["task"], inputs, len(units)) for each in (model, again))
        if not torch.equal(one, other):
            raise UserError(f"{folder}: the saved model gives other outputs for {entry['task']} than the trained one")


class _Progress:
    """A bar on a terminal; elsewhere a line of the log every few seconds, with the time that is left."""

    def __init__(self, steps: int, done: int) -> None:
        self._steps, self._first, self._done = steps, done, done
        self._started = self._told = time.monotonic()
        self._bar = tqdm(total=steps, initial=done, unit="step") if sys.stderr.isatty() else None

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, task: str, loss: float) -> None:
        self._done += 1
        if self._bar is not None:
            self._bar.set_postfix_str(f"{task} loss {loss:.3f}")
            self._bar.update()
            return
        now = time.monotonic()
        if now - self._told >= _PROGRESS_SECONDS:
            left = (now - self._started) / (self._done - self._first) * (self._steps - self._done)
            log.info("step %d of %d, %s loss %.3f, %.0f s left", self._done, self._steps, task, loss, left)
            self._told = now
