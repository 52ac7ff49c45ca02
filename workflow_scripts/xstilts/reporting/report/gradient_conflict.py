"""The table of gradient conflict: how much the gradients of two tasks point the same way, where that was recorded."""

from collections import defaultdict
from statistics import fmean

from xstilts.errors import reading
from xstilts.evaluation import trainings
from xstilts.reporting.report.page import Grid, Inputs, Row, columns
from xstilts.store.files import read_json
from xstilts.store.node import HISTORY
from xstilts.store.specs.models import TrainingSpec

_Arm = tuple[str, str, str]


def grid(inputs: Inputs) -> Grid | None:
    """Return the mean cosines by mixture and pair of tasks; None where none are recorded."""
    rows = []
    for (model, recipe, mixture), nodes in _recorded(inputs).items():
        cosines: dict[tuple[str, ...], list[float]] = defaultdict(list)
        for node in nodes:
            path = inputs.results / node / HISTORY
            with reading(path):
                for noted in read_json(path)["gradient_conflict"]:
                    cosines[tuple(noted["tasks"])].append(noted["cosine"])
        for tasks, values in sorted(cosines.items()):
            below = sum(value < 0 for value in values) / len(values)
            numbers = [str(len(values)), f"{fmean(values):+.3f}", f"{100 * below:.0f}"]
            cells = [mixture, " and ".join(tasks), *numbers, model, recipe]
            rows.append(Row(cells=cells, axes={"model": [model], "mixture": [mixture]}))
    if not rows:
        return None
    titles = ("mixture", "batches of", "pairs", "mean cosine", "below 0, %", "model", "recipe")
    about = (
        "The cosine between the gradients of two batches of one step, over the weights that all tasks share. Below 0"
        " the two are in conflict: a small step for the one raises the loss of the other. Two batches of one task show"
        " how far from 1 different examples alone lead. All runs of a mixture count together."
    )
    return Grid(id="gradient-conflict", caption="Gradient conflict", columns=columns(titles), rows=rows, about=about)


def _recorded(inputs: Inputs) -> dict[_Arm, dict[str, None]]:
    """Return the trainings that record cosines and whose history is there, by model, recipe and mixture."""
    found: dict[_Arm, dict[str, None]] = defaultdict(dict)
    for cell in inputs.plan.cells:
        for node in trainings.models_behind(inputs.plan, cell.node):
            spec = inputs.plan.nodes[node].spec
            is_recorded = isinstance(spec, TrainingSpec) and spec.sampling.gradient_conflict_every is not None
            if is_recorded and (inputs.results / node / HISTORY).exists():
                found[cell.model, cell.recipe, cell.mixture][node] = None
    return found
