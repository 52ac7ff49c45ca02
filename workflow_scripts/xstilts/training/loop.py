"""Training: one loop for every phase, every form, every model and every fine-tuning method. Read it from top to bottom.

What a step does depends on the seed and the step alone: its batch (``sampler.Schedule``), its dropout (the random
state is set anew at every step) and its learning rate. So a run that was interrupted continues from the
last checkpoint in its work directory as if nothing had happened, and several processes do together what one does alone.
"""

import copy
import json
import logging
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from xstilts import forms
from xstilts.data import dataset
from xstilts.data.dataset import Split
from xstilts.data.sampler import Schedule
from xstilts.errors import TerminatedError, UserError
from xstilts.evaluation import prediction
from xstilts.hardware import Hardware
from xstilts.models import adapters, architecture, distributed, quantisation, stacks
from xstilts.models.model import Model, base_of, load_head, load_model, make_head, save_model, tensors
from xstilts.store import lineage, manifest
from xstilts.store.files import digest
from xstilts.store.manifest import LearningRatesResults, TrainingResults
from xstilts.store.metrics import path_of
from xstilts.store.node import HISTORY
from xstilts.store.sampling import TaskShare
from xstilts.store.specs import to_json
from xstilts.store.specs.base import LEARNING_RATE, MODEL, TOKENS, role
from xstilts.store.specs.models import TaskSpec, TrainingSpec
from xstilts.tokenization.tokens import Tokens
from xstilts.training import gradient_conflict, loss_scale, memory
from xstilts.training.checkpoints import Writer, resume
from xstilts.training.dev_scores import dev_scores, macro_score
from xstilts.training.interruption import Interruption
from xstilts.training.metrics import StepMetrics
from xstilts.training.progress import Progress
from xstilts.training.step import Batches, learning_rate, make_optimiser, note_losses, take_step

log = logging.getLogger(__name__)

# what a checkpoint carries beside weights and moments; `protected` are the best steps that the last two checkpoints
# point to, `since` the task and the loss of every step since the last entry of `losses`, `first` and `last` what
# `check_loss` compares
_START: dict[str, Any] = {
    "step": 0,
    "evaluations": [],
    "losses": [],
    "bad": 0,
    "protected": [],
    "since": [],
    "first": {},
    "last": {},
}


# instances of each task, of which a saved model has to give the outputs of the one in memory
_COMPARED = 16


@dataclass(frozen=True)
class Run:
    """What stays the same while a node is trained.

    Attributes:
        spec: the node's spec.
        folders: those of the model that it starts from, as ``lineage.folders`` gives them.
        fingerprint: that of the model, where it is a parent.
        base: the folder of the pretrained model, where a task has its language-model head.
        tasks: what is trained on, with the labels that the data bring.
        data: the splits of each task.
        schedule: what every step sees.
        workplace: the work directory, locked by the first of these processes.
        results: the results folder.
        hardware: what may be used.
        group: the processes that train together.
        device: where this process computes.
    """

    spec: TrainingSpec
    folders: Sequence[Path]
    fingerprint: Mapping[str, str]
    base: Path | None
    tasks: Sequence[TaskSpec]
    data: Sequence[Mapping[str, Split]]
    schedule: Schedule
    workplace: Path
    results: Path
    hardware: Hardware
    group: distributed.Group
    device: torch.device


@dataclass(frozen=True)
class Trained:
    """A trained model, read back from its files, and what the manifest says of its training."""

    model: Model
    results: TrainingResults


def prepare(
    spec: TrainingSpec,
    results: Path,
    workplace: Path,
    hardware: Hardware,
    group: distributed.Group,
    start: Path | None = None,
) -> Run:
    """Return what is needed to train a node.

    Args:
        spec: the node's spec.
        results: the results folder, where the parents are.
        workplace: the work directory.
        hardware: what may be used.
        group: the processes that train together.
        start: folder of the model to start from, where it is none of the parents.
    """
    data = [dataset.splits(results, spec.parents[role(TOKENS, task.task)]) for task in spec.tasks]
    tasks = [
        replace(task, labels=task.labels or splits["train"].labels)
        for task, splits in zip(spec.tasks, data, strict=True)
    ]
    shares = [_share(task, splits["train"].tokens) for task, splits in zip(tasks, data, strict=True)]
    schedule = Schedule(shares, spec.sampling, spec.seed)
    folders = [start] if start is not None else lineage.folders(spec, results)
    base = start if start is not None else base_of(spec, results)
    weights, device = lineage.fingerprint(spec, results), distributed.device()
    return Run(spec, folders, weights, base, tasks, data, schedule, workplace, results, hardware, group, device)


def _share(task: TaskSpec, tokens: Tokens) -> TaskShare:
    return TaskShare(
        name=task.task,
        instances=np.arange(len(tokens)),
        lengths=tokens.lengths,
        rows=len(np.unique(tokens.examples)),
        weight=task.weight,
        epochs=task.epochs,
        batch_size=task.batch_size,
    )


def train(run: Run, results: Path, scratch: Path) -> Trained:
    """Train a node, and write its model and ``history.json`` into a scratch folder.

    Args:
        run: as ``prepare`` gives it.
        results: the results folder.
        scratch: folder for the outputs; the first of the processes writes.

    Raises:
        UserError: if the loss is not finite or explodes, or the saved model does not give the outputs of the one in
            memory.
        TerminatedError: if the process was asked to end; the run continues from there the next time.
    """
    learning_rate = _learning_rate(run.spec, results)
    model = start(run)
    state = fit(run, model, learning_rate, run.workplace)
    stops = run.spec.early_stopping is not None
    if stops:
        del model
        model = _load(run, _best(run.workplace, _best_step(state) or 0))
    dev = dev_scores(run.tasks, run.data, model, run.device)
    stated = TrainingResults(
        run=manifest.Run(
            steps_done=state["evaluations"][-1]["step"] if stops else run.schedule.steps,
            best_step=(_best_step(state) or 0) if stops else run.schedule.steps,
            dev=dev,
            tasks=run.schedule.counts(),
            collapsed=any(scores.collapsed for scores in dev.values()),
        ),
        steps=run.schedule.steps,
        learning_rate=learning_rate,
        parameters=_count(model),
        trained_before=lineage.runs(results, run.spec.parents[MODEL]) if MODEL in run.spec.parents else {},
    )
    if run.group.leads:
        history = {"evaluations": state["evaluations"], "losses": state["losses"], **gradient_conflict.noted(state)}
        (scratch / HISTORY).write_text(json.dumps(history, indent=1) + "\n", encoding="utf-8")
    before = _outputs(run, model)
    save_model(model, scratch, run.group)
    del model
    saved = _load(run, scratch)
    for task, trained, read in zip(run.tasks, before, _outputs(run, saved), strict=True):
        if not torch.equal(trained, read):
            raise UserError(f"{scratch}: the saved model gives other outputs for {task.task} than the trained one")
    return Trained(saved, stated)


def _learning_rate(spec: TrainingSpec, results: Path) -> float:
    """Return the peak learning rate: the recipe's own, or the best of its grid."""
    if spec.learning_rate is not None:
        return spec.learning_rate
    return manifest.results_of(results, spec.parents[LEARNING_RATE], LearningRatesResults).best


def fit(run: Run, model: Model, peak: float, workplace: Path) -> dict[str, Any]:
    """Train a model to the end, or until nothing is gained; the best weights are then in the work directory.

    Args:
        run: what is trained.
        model: as ``start`` gives it; in evaluation mode afterwards.
        peak: the peak learning rate.
        workplace: folder for checkpoints, the work directory or in it.

    Returns:
        The state at the end.
    """
    spec, schedule, group = run.spec, run.schedule, run.group
    optimiser = make_optimiser(model, spec.optimisation)
    identity = digest({"spec": to_json(spec), "peak": peak, "fingerprint": run.fingerprint})
    state = resume(workplace, identity, model, optimiser, group) or copy.deepcopy(_START)
    stopping = spec.early_stopping
    batches = Batches(
        schedule, run.tasks, run.data, loss_scale.factors(run.tasks, run.data, spec.sampling, model), spec.seed, group,
        run.hardware, run.device.type == "cuda",
    )  # fmt: skip
    ended = _has_ended(spec, state)
    fitting = memory.Fitting(model, optimiser, batches, spec.method.name, run.workplace, group)
    if run.device.type == "cuda" and not ended:
        fitting.probe(run.tasks, run.device)
    with (
        Progress(schedule.steps, state["step"]) as progress,
        StepMetrics(
            _metrics(run, workplace), schedule.steps, state["step"], model.backbone, run.device, group.size
        ) as metrics,
        Interruption() as signals,
        Writer(workplace, identity, run.hardware.checkpoint_seconds, group) as checkpoint,
    ):
        for step, of_step in enumerate([] if ended else batches.from_step(state["step"]), state["step"]):
            rate = learning_rate(step, schedule.steps, peak, spec.optimisation.warmup)
            with gradient_conflict.recorded(state, spec.sampling.gradient_conflict_every, step, model, group) as record:
                taken = fitting.take(partial(
                    take_step, model, optimiser, run.tasks, rate=rate, settings=spec.optimisation, group=group,
                    device=run.device, record=record, flags=lambda: (signals.received, checkpoint.is_due()),
                ), step, of_step, record)  # fmt: skip
            interrupted, due = taken.flags
            note_losses(state, run.tasks, of_step, taken.losses, step, rate)
            losses = [(run.tasks[batch.task].task, loss) for batch, loss in zip(of_step, taken.losses, strict=True)]
            progress.update(losses)
            metrics.step(losses, taken.gradient_norm, rate, sum(batch.tokens for batch in of_step))
            last = step + 1 == schedule.steps
            if stopping and (last or (step + 1) % stopping.evaluate_every == 0):
                _close_losses(state, run.tasks, step + 1)
                with metrics.paused():
                    checkpoint.wait()
                    ended = _evaluate(run, model, step + 1, state, workplace)
            if interrupted or (due and not last and not ended):
                best = _best_step(state)
                state |= {"step": step + 1, "protected": [*state["protected"][-1:], best]}
                beside = [_best(workplace, best)] if best else []
                with metrics.paused():
                    checkpoint.save(model, optimiser, state, beside)
            if interrupted:
                raise TerminatedError(f"interrupted; saved at step {step + 1}, from which the next run continues")
            if ended:
                break
    if state["since"]:
        _close_losses(state, run.tasks, schedule.steps)
    model.eval()
    return state


def _metrics(run: Run, workplace: Path) -> Path | None:
    """Return the file for the metrics; None in a process that does not write."""
    part = ".".join(workplace.relative_to(run.workplace).parts)
    return path_of(run.results, f"{run.spec.stage}/{run.workplace.name}", part) if run.group.leads else None


def start(run: Run) -> Model:
    """Return the model before the first step, on the device, in training mode."""
    spec = run.spec
    # a process converts what it holds alone; but adapters are merged, and fresh ones drawn, in the type of the training
    as_stored = run.group.size > 1 and len(run.folders) == 1 and not spec.method.is_adapter
    backbone = adapters.load(run.folders, spec.numerics, as_stored)
    adapters.inject(backbone, spec.method, spec.seed, spec.numerics.unmerged)
    heads = {task.task: make_head(task, backbone, spec.seed, run.base) for task in run.tasks}
    model = Model(backbone, heads, spec.numerics.precision)
    if spec.warm_start_head is not None:
        load_head(model, run.tasks[0].task, run.folders[0], spec.warm_start_head)
    adapters.freeze(model.backbone, model.heads, spec.optimisation.frozen_embeddings)
    if run.hardware.recomputes(spec.method.name):
        architecture.recompute_layers(backbone.transformer)
    if spec.optimisation.compile:
        stacks.compile_layers(backbone.transformer)
    model = _placed(run, model)
    if as_stored:
        backbone.to(getattr(torch, spec.numerics.dtype))
    return model.train()


def _load(run: Run, folder: Path) -> Model:
    """Return a model that this run has saved, on the device, in evaluation mode."""
    folders = [folder, *run.folders] if adapters.is_adapter(folder) else [folder]
    model = load_model(folders, run.tasks, run.spec.numerics, run.base)
    adapters.freeze(model.backbone, model.heads, run.spec.optimisation.frozen_embeddings)
    return _placed(run, model).eval()


def _placed(run: Run, model: Model) -> Model:
    distributed.shard(model, run.group, model.reduced)
    return distributed.placed(model, run.device, model.reduced)


def _count(model: Model) -> dict[str, int]:
    """Return the number of parameters, and how many of them were trained."""
    return {
        "all": quantisation.parameters(model),
        "trained": sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
    }


def _outputs(run: Run, model: Model) -> list[torch.Tensor]:
    """Return the outputs of a model for the shortest of each task's dev rows."""
    found = []
    # what is compared is computed without a compiler: the model is read back without one
    with torch.inference_mode(), torch.compiler.set_stance("force_eager"):
        for task, splits in zip(run.tasks, run.data, strict=True):
            tokens = splits["dev"].tokens
            # few are enough, and need no more memory than a step
            instances = prediction.batches(tokens)[-1][-_COMPARED:]
            inputs = tensors(forms.get(task.form).batch(tokens, instances, 0)[0], run.device)
            found.append(model(task.task, inputs, len(instances)))
    return found


def _close_losses(state: dict[str, Any], tasks: Sequence[TaskSpec], step: int) -> None:
    """Note the mean loss of each task since the last note; `since` is in the checkpoints, so a resumed run agrees."""
    by_task: dict[str, list[float]] = {}
    for task, loss in state["since"]:
        by_task.setdefault(tasks[task].task, []).append(loss)
    means = {task: round(sum(values) / len(values), 6) for task, values in sorted(by_task.items())}
    state["losses"].append({"step": step, **means})
    state["since"] = []


def _evaluate(run: Run, model: Model, step: int, state: dict[str, Any], workplace: Path) -> bool:
    """Evaluate on dev rows, keep the weights if they are the best so far, and tell whether to stop."""
    scores = {
        task.task: prediction.evaluate(model, task, splits["dev"], run.device)[0]
        for task, splits in zip(run.tasks, run.data, strict=True)
    }
    # processes may round differently, and have to agree on whether to go on
    score = run.group.share(macro_score(run.tasks, scores))
    before = max((evaluation["score"] for evaluation in state["evaluations"]), default=-math.inf)
    state["evaluations"].append({"step": step, "score": score})
    log.info("step %d: dev %s %.2f", step, run.tasks[0].metric if len(run.tasks) == 1 else "mean", score)
    if score <= before:
        state["bad"] += 1
        return _has_ended(run.spec, state)
    state["bad"] = 0
    folder = _best(workplace, step)
    if run.group.leads:
        for older in workplace.glob("best-*"):
            if older not in [_best(workplace, best) for best in state["protected"] if best]:
                shutil.rmtree(older)
        folder.mkdir()
    save_model(model, folder, run.group)
    return False


def _has_ended(spec: TrainingSpec, state: Mapping[str, Any]) -> bool:
    """Tell whether there were as many evaluations without a gain as the recipe has patience for."""
    patience = spec.early_stopping.patience if spec.early_stopping else None
    return patience is not None and state["bad"] >= patience


def _best_step(state: Mapping[str, Any]) -> int | None:
    """Return the step of the best evaluation, the first of equal ones; None before any."""
    ranked = [(evaluation["score"], -evaluation["step"]) for evaluation in state["evaluations"]]
    return -max(ranked)[1] if ranked else None


def _best(workplace: Path, step: int) -> Path:
    return workplace / f"best-{step:09d}"
