"""The search for the best learning rate of a grid: one training with each, compared by their scores on dev rows."""

import json
import logging
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from xstilts.errors import ExplodedError, UserError
from xstilts.models import architecture, distributed
from xstilts.models.model import Model
from xstilts.store import halving
from xstilts.store.files import digest, write_atomically
from xstilts.store.manifest import LearningRatesResults, Trial
from xstilts.store.specs import to_json
from xstilts.store.specs.models import LearningRatesSpec
from xstilts.training import checkpoints, shards
from xstilts.training.dev_scores import dev_scores, macro_score
from xstilts.training.loop import Run, fit, start

log = logging.getLogger(__name__)


def search(run: Run, spec: LearningRatesSpec) -> LearningRatesResults:
    """Train with each learning rate of a grid; with a budget by successive halving (``store/halving.py``).

    The score (``dev_scores.macro_score``) is that of the best evaluation where the phase keeps it, else that at the
    end. Of rates with equal scores the lowest is taken.

    Args:
        run: as ``loop.prepare`` gives it.
        spec: its spec, with the grid.

    Raises:
        UserError: if the loss explodes with every rate.
    """
    left = sorted(spec.learning_rates)
    trials: dict[float, Trial] = {}
    models = _models(run)
    for rung, workplace in _rungs(run, spec):
        scores = {rate: _score(rung, models, rate, workplace / f"rate-{rate:g}") for rate in left}
        steps = None if rung is run else rung.schedule.steps
        trials |= {rate: _trial(rate, score, steps) for rate, score in scores.items()}
        _warn(spec, rung, scores)
        # stable: of rates with equal scores the lower one is before the other
        ranked = sorted(left, key=lambda rate: -scores[rate])
        left = sorted(ranked[: math.ceil(len(ranked) / 2)])
    best = ranked[0]
    if trials[best].score is None:
        raise UserError("recipe: every learning rate of the grid made the loss explode; give lower ones")
    return LearningRatesResults(trials=[trials[rate] for rate in sorted(trials)], best=best)


def _rungs(run: Run, spec: LearningRatesSpec) -> list[tuple[Run, Path]]:
    """Return the trainings of the rungs and their folders, each with a schedule of its own; else the whole one alone.

    What a rung trains is the same node's: its metrics and the memory that it lacks are noted of that.
    """
    if spec.budget is None:
        return [(run, run.workplace)]
    return [
        (replace(run, schedule=run.schedule.shortened(rung.share)), run.workplace / f"rung-{number}")
        for number, rung in enumerate(halving.rungs(len(spec.learning_rates), spec.budget), start=1)
    ]


def _models(run: Run) -> Iterator[Model]:
    """Yield the model before the first step, for one training after the other: it is as ``loop.start`` gives it.

    Under an adapter the pretrained weights are frozen, so the model is read once, and then has what was trained set
    back. With all weights trained it is read anew: a second copy of them would need as much memory again.
    """
    while not run.spec.method.is_adapter:
        yield start(run)
    model = start(run)
    trained = shards.trained(model)
    fresh = {name: distributed.local(weight.detach()).clone() for name, weight in trained.items()}
    recomputes = run.hardware.recomputes(run.spec.method.name)
    while True:
        yield model
        model.train().zero_grad()
        with torch.no_grad():
            for name, weight in trained.items():
                distributed.local(weight).copy_(fresh[name])
        # where memory lacked, the training before has had them computed again
        architecture.recompute_layers(model.backbone.transformer, recomputes)


def _trial(rate: float, score: float, steps: int | None) -> Trial:
    return Trial(learning_rate=rate, score=score if math.isfinite(score) else None, steps=steps)


def _score(run: Run, models: Iterator[Model], rate: float, workplace: Path) -> float:
    """Return the dev score of a rate; what an earlier run found of it stands in the folder of its training."""
    done = workplace / "score.json"
    identity = digest({"spec": to_json(run.spec), "rate": rate, "fingerprint": run.fingerprint})
    found = run.group.share(_noted(done, identity) if run.group.leads else None)
    if found is None:
        workplace.mkdir(parents=True, exist_ok=True)
        model = next(models)
        try:
            found = _dev_score(run, model, fit(run, model, rate, workplace))
        except ExplodedError as error:
            # too high a rate is an answer, too
            log.warning("learning rate %g: %s", rate, error)
            found = -math.inf
        if run.group.leads:
            checkpoints.remove(workplace)
            workplace.mkdir()
            write_atomically(done, json.dumps({"run": identity, "score": found}))
        found = run.group.share(found)
    log.info("learning rate %g: dev %.2f", rate, found)
    return found


def _noted(path: Path, identity: str) -> float | None:
    """Return the score that an earlier run has noted of a rate; None where it has not, or it is of another run."""
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        return float(noted["score"]) if noted["run"] == identity else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _dev_score(run: Run, model: Model, state: Mapping[str, Any]) -> float:
    """Return the one number by which learning rates are compared: the higher, the better."""
    if run.spec.early_stopping:
        best: float = max(evaluation["score"] for evaluation in state["evaluations"])
        return best
    found = dev_scores(run.tasks, run.data, model, run.device)
    return macro_score(run.tasks, {task: dev.scores for task, dev in found.items()})


def _warn(spec: LearningRatesSpec, run: Run, scores: Mapping[float, float]) -> None:
    """Say where trainings were too short, or their scores too equal, to choose between learning rates."""
    remedy = "" if spec.budget is None else f"; raise the recipe's grid_budget above {spec.budget:g}"
    if spec.budget is not None and run.schedule.steps == 1:
        log.warning("learning rates are compared by trainings of one step%s", remedy)
    if len(scores) > 1 and len(set(scores.values())) == 1 and math.isfinite(min(scores.values())):
        log.warning("all %d learning rates have one score, so the lowest ones are taken%s", len(scores), remedy)
