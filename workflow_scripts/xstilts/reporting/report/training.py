"""The sections on how the models were made: training runs, and what all jobs cost."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from xstilts.evaluation.trainings import models_behind
from xstilts.reporting import durations
from xstilts.reporting.layout import NOTHING
from xstilts.reporting.report import gradient_conflict
from xstilts.reporting.report.page import Grid, Inputs, Row, Section, arranged, columns
from xstilts.reporting.wording import counted
from xstilts.store.manifest import DevScores, Run
from xstilts.store.provenance import Provenance
from xstilts.store.specs.models import TrainingSpec
from xstilts.store.study_plan import PlannedNode, StudyPlan


def training(inputs: Inputs) -> Section | None:
    """Return the training runs, and where it was recorded the gradient conflict in them."""
    if not inputs.runs:
        return None
    axes = _axes(inputs.plan)
    rows = []
    for node, run in inputs.runs.items():
        entry = inputs.plan.nodes.get(node)
        name = entry.names[0] if entry else node
        tasks = "; ".join(f"{task} {counts.examples}" for task, counts in run.tasks.items())
        cells = [inputs.link(node, name), node.partition("/")[0], _rate(entry, inputs)]
        cells += [str(run.steps_done), str(run.best_step)]
        said = [_dev(run), tasks or NOTHING, _collapsed(run), _speed(inputs.provenance.get(node))]
        rows.append(Row(cells=[*cells, *said], axes=axes.get(node, {})))
    titles = ("run", "phase", "learning rate", "steps", "kept step", "dev rows, source language", "examples seen",
              "collapsed on", "tokens/s")  # fmt: skip
    about = (
        "A run's scores are on dev rows of the language it was trained in, and no results: by them the kept step is"
        " chosen. The name of a run whose weights are kept leads to its manifest."
    )
    grid = Grid(id="runs", caption="Training runs", columns=columns(titles), rows=rows, about=about)
    of_conflict = gradient_conflict.grid(inputs)
    tables = [grid] if of_conflict is None else [grid, of_conflict]
    return Section(id="training", title="Training", values={"tables": tables})


def _axes(plan: StudyPlan) -> dict[str, dict[str, list[str]]]:
    """Return the models, mixtures and targets that each training is behind."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for cell in plan.cells:
        for node in models_behind(plan, cell.node):
            for axis, value in cell.at(("model", "mixture", "target")).items():
                found[node][axis].add(value)
    return {node: {axis: sorted(values) for axis, values in of_node.items()} for node, of_node in found.items()}


def _rate(entry: PlannedNode | None, inputs: Inputs) -> str:
    if entry is None or not isinstance(entry.spec, TrainingSpec):
        return NOTHING
    return inputs.learning_rate(entry.spec)


def _dev(run: Run) -> str:
    return "; ".join(f"{task} {_scores(dev)}" for task, dev in run.dev.items()) or NOTHING


def _collapsed(run: Run) -> str:
    """Return the tasks on which a model collapsed: there may be others that it learned."""
    return ", ".join(task for task, dev in run.dev.items() if dev.collapsed) or NOTHING


def _speed(made: Provenance | None) -> str:
    speed = made.training.tokens_per_second if made and made.training else None
    return NOTHING if speed is None else f"{speed:,.0f}"


def _scores(dev: DevScores) -> str:
    return ", ".join(f"{metric} {value:.1f}" for metric, value in dev.scores.items())


def cost(inputs: Inputs) -> Section | None:
    """Return the time that the nodes of the study took, by stage."""
    found = inputs.provenance
    if not found:
        return None
    planned: dict[str, int] = defaultdict(int)
    for node in inputs.plan.nodes:
        planned[node.partition("/")[0]] += 1
    jobs = {stage: [made for node, made in found.items() if node.partition("/")[0] == stage] for stage in planned}
    unit = durations.unit(sum(made.wall_seconds for made in found.values()))
    rows = [[stage, str(number), *_cost(jobs[stage], unit)] for stage, number in planned.items() if jobs[stage]]
    rows.append(["all", str(len(inputs.plan.nodes)), *_cost(list(found.values()), unit)])
    has_gpus = any(made.gpus for made in found.values())
    lacking = len(inputs.plan.nodes) - len(found)
    said = [
        "Time that the jobs of this study's nodes took, one after the other; other studies may share them.",
        f"Of {lacking} nodes nothing is recorded, for they are not there." if lacking else "",
        f"GPU-{unit} are {unit} times the GPUs that a job used." if has_gpus else "No job used a GPU.",
        _energy(found.values()),
    ]
    titles = ["stage", "nodes", "recorded", unit, f"CPU-{unit}", f"GPU-{unit}", "largest memory, GB"]
    (header, cells), _ = arranged((titles, rows))
    shown = [Row(cells=row) for row in cells]
    about = " ".join(filter(None, said))
    grid = Grid(id="costs", caption="Cost by stage", columns=columns(header), rows=shown, about=about)
    return Section(id="cost", title="Cost", values={"tables": [grid]})


def _energy(jobs: Iterable[Provenance]) -> str:
    """Return what is known of the energy of trainings, as the drivers of their GPUs count it."""
    known = [job.training.joules for job in jobs if job.training and job.training.joules is not None]
    if not known:
        return "Energy was not measured."
    trainings = counted(len(known), "training")
    return (
        f"GPUs used {sum(known) / 3.6e6:.2f} kWh in the steps of {trainings}, as the driver of the first one of each"
        " counts it, times their number."
    )


def _cost(jobs: Sequence[Provenance], unit: str) -> list[str]:
    wall = sum(job.wall_seconds for job in jobs)
    cpu = sum(job.cpu_seconds for job in jobs)
    gpu = sum(job.gpu_seconds for job in jobs)
    memory = max(job.peak_memory_mb for job in jobs) / 1024
    times = [durations.number(wall, unit), durations.number(cpu, unit), durations.number(gpu, unit) if gpu else NOTHING]
    return [str(len(jobs)), *times, f"{memory:.1f}"]
