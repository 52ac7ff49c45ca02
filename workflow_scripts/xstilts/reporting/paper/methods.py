"""The methods of a study in sentences, each made from its plan, its specs and what its runs left behind.

What is not the same in all trainings stands in the table of settings, so that no sentence says it of all.
"""

from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from xstilts.evaluation.trainings import merged
from xstilts.reporting import paragraph
from xstilts.reporting.paper import data, prompts, statistics
from xstilts.reporting.paper.prose import Cite, See, Sentence, listed, semicolons
from xstilts.reporting.paper.settings import method, number
from xstilts.reporting.paper.trainings import INTERMEDIATE, TARGET, Training, Trainings
from xstilts.reporting.paper.works import Works
from xstilts.reporting.wording import counted, merging
from xstilts.store.sampling import LOG_CLASSES, Sampling
from xstilts.store.specs.base import MODEL, PREPARED, TOKENS
from xstilts.store.specs.data import EvaluationDataSpec, UnionSpec
from xstilts.store.specs.evaluation import MEAN, EmbeddingsSpec, Pooling, RetrievalSpec
from xstilts.store.specs.models import ModelSpec, PretrainedSpec, TrainingSpec
from xstilts.store.study_plan import NONE, StudyPlan

SETTINGS, DATA = See("tab:settings"), See("tab:data")


def sentences(trainings: Trainings, estimates: pd.DataFrame, works: Works) -> list[Sentence]:
    """Return the methods.

    Args:
        trainings: of the study.
        estimates: the table of estimates.
        works: what the plan has of the registry.
    """
    plan = trainings.plan
    return [
        *_made_up(plan),
        *_phases(plan, works),
        *prompts.sentences(plan, works),
        *_models(trainings, works),
        *_mixtures(trainings, works),
        *_training(trainings, works),
        *_targets(plan, works),
        *_vectors(plan, works),
        *statistics.sentences(plan, estimates, works),
    ]


def _made_up(plan: StudyPlan) -> list[Sentence]:
    notice = paragraph.notice(plan)
    if not notice:
        return []
    said: list[Sentence] = [(notice,)]
    if all(data.is_made_up(plan, node) for node in data.used(plan)):
        said.append(("Its tasks have the names, forms and metrics of published data sets, of which none was used.",))
    return said


def _phases(plan: StudyPlan, works: Works) -> list[Sentence]:
    untrained = [name for name, target in plan.targets.items() if not target.trained_on]
    trains = len(untrained) < len(plan.targets)
    targets = "each target that is trained" if untrained else "each target"
    model = "Each model that is trained" if prompts.asked(plan) else "Each model"
    said: list[Sentence] = []
    if any(plan.mixtures.values()):
        then = f", then on the training data of {targets} (the target phase)" if trains else ""
        head = f"{model} is fine-tuned on a mixture of intermediate tasks (the intermediate phase){then}"
        said.append((head, works.cite("intermediate-training"), "."))
        if NONE in plan.mixtures:
            said.append(("The baseline `none` has no intermediate phase.",))
    elif trains:
        said.append((f"{model} is fine-tuned on the training data of {targets}.",))
    if untrained:
        said.append(("Not trained on data of their own: ", *listed([(f"`{name}`",) for name in untrained]), "."))
    return said


def _models(trainings: Trainings, works: Works) -> list[Sentence]:
    return [_model(name, made, trainings, works) for name, made in trainings.pretrained.items()]


def _model(name: str, made: dict[str, PretrainedSpec | ModelSpec], trainings: Trainings, works: Works) -> Sentence:
    """Return what a pretrained model is; of several worlds, with what is the same in all of them."""
    node, spec = next(iter(made.items()))
    registered = works.models[name]
    cite = Cite(registered.bibtex)
    if isinstance(spec, PretrainedSpec):
        shape = spec.shape
        heads = counted(shape.heads, "attention head")
        built = f"{counted(shape.layers, 'layer')}, hidden size {shape.hidden_size}, {heads}"
        is_model: Sentence = (
            f"`{name}`",
            cite,
            " is a masked language model of XLM-R's architecture",
            works.cite("xlm-r"),
        )
        size = f" ({built}{_parameters(trainings.parameters(node))})"
        if not spec.sampling.steps:
            return (*is_model, f"{size} with random weights, which are not pretrained.")
        steps = f"{spec.sampling.steps:,} steps of {spec.tasks[0].batch_size} instances"
        return (
            *is_model,
            f"{size}, pretrained here for {steps}; its tokenizer is made from text",
            works.cite("unigram"),
            ".",
        )
    if spec.source.shape is not None:
        return (f"`{name}`", cite, " has random weights.")
    encoder = any(one.spec.numerics.submodel for one in trainings.phases if one.model == name)
    alone = ", of which the encoder alone is used" if encoder else ""
    at = f" ({spec.source.repository} at revision {spec.source.revision})" if spec.source.repository else ""
    return (f"`{name}`", cite, f" has published weights{at}{_parameters(registered.parameters)}{alone}.")


def _parameters(count: int | None) -> str:
    return "" if count is None else f", {count:,} parameters"


def _mixtures(trainings: Trainings, works: Works) -> list[Sentence]:
    """Return the intermediate tasks, the mixtures that have several of them, and how these are sampled."""
    plan = trainings.plan
    tasks = list(dict.fromkeys(task for members in plan.mixtures.values() for task in members))
    if not tasks:
        return []
    said: list[Sentence] = [("Intermediate tasks: ", *listed([works.named_task(task) for task in tasks]), ".")]
    several = {name: members for name, members in plan.mixtures.items() if len(members) > 1}
    if several:
        words = [(f"`{name}` has {len(members)} ({', '.join(members)})",) for name, members in several.items()]
        said.append(("Mixtures of several tasks: ", *semicolons(words), "."))
    of_several = [one for one in trainings.phases if one.phase == INTERMEDIATE and len(one.spec.tasks) > 1]
    for sampling, names in _grouped(of_several, _sampled, lambda training: f"`{training.trained_on}`"):
        said.append(("In ", *listed([(name,) for name in names]), f" {sampling}."))
    intermediate = [one for one in trainings.phases if one.phase == INTERMEDIATE]
    scaled = _once(f"`{one.trained_on}`" for one in intermediate if one.spec.sampling.loss_scale == LOG_CLASSES)
    if scaled:
        what = " the loss of a task is divided by the logarithm of the number of classes among which its head chooses"
        said.append(("In ", *listed([(name,) for name in scaled]), what, works.cite("muppet"), "."))
    return [*said, *_merged(plan, works), *_special_data(trainings, works)]


def _merged(plan: StudyPlan, works: Works) -> list[Sentence]:
    """Return of which trainings the models of some mixtures are merged, and how."""
    said: list[Sentence] = []
    for name, spec in merged(plan).items():
        trained = [plan.nodes[member].spec for member in spec.members]
        tasks = [", ".join(task.task for task in one.tasks) for one in trained if isinstance(one, TrainingSpec)]
        how, settings = works.tools[spec.merging.method].title, merging(spec.merging)
        said.append(
            (
                f"The model of `{name}` is not trained: those of the trainings on ",
                *listed([(each,) for each in tasks]),
                f" are merged by {how}",
                works.cite(spec.merging.method),
                f" ({settings})." if settings else ".",
            )
        )
    return said


def _special_data(trainings: Trainings, works: Works) -> list[Sentence]:
    """Return which intermediate tasks have shuffled labels, and which are of several languages."""
    plan = trainings.plan
    found: dict[Sentence, dict[str, None]] = {}
    for training in trainings.phases:
        for node in training.spec.parents_of(TOKENS) if training.phase == INTERMEDIATE else ():
            prepared = plan.nodes[node].parents[PREPARED]
            spec, languages = plan.nodes[prepared].spec, data.languages(plan, prepared)
            if not isinstance(spec, UnionSpec):
                continue
            if spec.shuffled_labels:
                found.setdefault((f"the labels of {spec.task} are shuffled among its rows",), {})[
                    training.trained_on
                ] = None
            if len(languages) > 1:
                codes = listed([(works.language(code),) for code in languages])
                found.setdefault((f"{spec.task} is in ", *codes), {})[training.trained_on] = None
    return [("In ", *listed([(f"`{name}`",) for name in names]), " ", *said, ".") for said, names in found.items()]


def _sampled(training: Training) -> str:
    sampling, tasks = training.spec.sampling, training.spec.tasks
    weights = [f"{task.task} {task.weight:g}" for task in tasks if task.weight != 1]
    rates = f", times the rates {', '.join(weights)} (1 for the others)" if weights else ""
    steps = f", for {sampling.steps:,} steps" if sampling.steps else ""
    drawn = "a step's examples are of one task, which is drawn"
    if sampling.tasks_per_step > 1:
        drawn = f"a step has {sampling.tasks_per_step} batches, each of one task, which is drawn"
    return f"{drawn} {_probability(sampling)}{rates}{steps}"


def _probability(sampling: Sampling) -> str:
    if sampling.kind == "equal":
        return "with the same probability as each other task"
    cap = f", of which at most {sampling.cap:,} count" if sampling.cap else ""
    power = f", to the power of 1 / {sampling.temperature:g}" if sampling.temperature != 1 else ""
    return f"in proportion to its training rows{cap}{power}"


def _training(trainings: Trainings, works: Works) -> list[Sentence]:
    """Return what is the same in all trainings; the rest stands in the table of settings."""
    phases = trainings.phases
    if not phases:
        return []
    optimisations = [training.spec.optimisation for training in phases]
    both = {training.phase for training in phases} == {INTERMEDIATE, TARGET}
    rises = "rises linearly in the warm-up, then " if any(one.warmup for one in optimisations) else ""
    said: list[Sentence] = [
        (
            f"{'Both phases use' if both else 'Trainings use'} AdamW",
            works.cite("adamw"),
            f" (beta2 {_values(one.adam_beta2 for one in optimisations)}, epsilon"
            f" {_values(one.adam_epsilon for one in optimisations)}); the learning rate {rises}falls linearly to 0, and"
            f" gradients are scaled down to norm {_values(one.gradient_norm for one in optimisations)}.",
        )
    ]
    said += [_method(method_name, trainings, works) for method_name in _once(one.spec.method.name for one in phases)]
    said += _numerics(phases, works)
    said += _best_step(phases)
    if trainings.best_rates:
        rates = _values(trainings.best_rates.values())
        searched: Sentence = ("Learning rates were searched by the score on dev rows",)
        if trainings.grid_budgets:
            within = _values(trainings.grid_budgets)
            searched += (", by successive halving", works.cite("successive-halving"))
            searched += (f" within {within} of a training's steps",)
        said.append((*searched, f"; {rates} were the best."))
    said += _few_shots(trainings.plan, works)
    return [*said, ("Settings of each training set are in ", SETTINGS, ".")]


def _few_shots(plan: StudyPlan, works: Works) -> list[Sentence]:
    """Return what is trained after the target phase on a few rows of a language."""
    if not plan.few_shot:
        return []
    numbers = sorted({few.shots for few in plan.few_shot})
    models = (plan.nodes[plan.nodes[few.cell.node].parents[MODEL]].spec for few in plan.few_shot)
    epochs = _values(task.epochs for spec in models if isinstance(spec, TrainingSpec) for task in spec.tasks)
    targets = listed([(f"`{target}`",) for target in _once(few.cell.target for few in plan.few_shot)])
    return [
        (
            "For few-shot results the models of ",
            *targets,
            " are trained further on ",
            *listed([(str(number),) for number in numbers]),
            " rows of a language",
            works.cite("few-shot"),
            f", drawn by the seed of the run, for {epochs} epochs; the last step is kept.",
        )
    ]


def _method(name: str, trainings: Trainings, works: Works) -> Sentence:
    chosen = [one for one in trainings.phases if one.spec.method.name == name]
    where = "" if len(chosen) == len(trainings.phases) else " where the table of settings says so"
    if name == "full":
        return (f"All weights are trained{where}.",)
    settings = _once(method(one.spec.method) for one in chosen)
    return (
        "Weights stay as they are beside an adapter, ",
        *listed([(one,) for one in settings]),
        works.cite(name),
        f"{where}.",
    )


def _numerics(phases: Sequence[Training], works: Works) -> list[Sentence]:
    numerics = dict.fromkeys((one.spec.numerics.dtype, one.spec.numerics.precision) for one in phases)
    said: list[Sentence] = [
        (
            "Numbers: "
            + " or ".join(f"weights in {dtype}, products in {precision}" for dtype, precision in numerics)
            + ".",
        )
    ]
    both_ways = _once(f"`{one.model}` by `{one.recipe}`" for one in phases if one.spec.numerics.attention is not None)
    if both_ways:
        names = listed([(name,) for name in both_ways])
        said.append(("Positions see all others, and the vector of a text is their mean, in ", *names, "."))
    unmerged = _once(f"`{one.model}` by `{one.recipe}`" for one in phases if one.spec.numerics.unmerged)
    if unmerged:
        names = listed([(name,) for name in unmerged])
        said.append(("LoRA adapters of earlier trainings stay beside the weights, frozen, in ", *names, "."))
    quantised = _once(f"`{one.model}` by `{one.recipe}`" for one in phases if one.spec.numerics.quantised is not None)
    if quantised:
        head = "Linear layers below the adapters have weights in 4-bit NormalFloat with double quantisation"
        said.append((head, works.cite("qlora"), ", in ", *listed([(name,) for name in quantised]), "."))
    frozen = {one.spec.optimisation.frozen_embeddings for one in phases}
    return [*said, *([("Token embeddings are frozen.",)] if frozen == {True} else [])]


def _best_step(phases: Sequence[Training]) -> list[Sentence]:
    said: list[Sentence] = []
    for phase in (INTERMEDIATE, TARGET):
        kept = {one.spec.early_stopping is None for one in phases if one.phase == phase}
        if kept == {True}:
            said.append((f"The last step of the {phase} phase is kept.",))
        elif kept == {False}:
            said.append((f"Of the {phase} phase the step with the best score on dev rows is kept.",))
    return said


def _targets(plan: StudyPlan, works: Works) -> list[Sentence]:
    said: list[Sentence] = []
    targets: list[Sentence] = []
    for target in plan.targets.values():
        stages = [works.named_task(task) for task in target.trained_on if task != target.task]
        trained = [
            part for number, stage in enumerate(stages) for part in (", then " if number else ", trained on ", *stage)
        ]
        targets.append((*works.named_task(target.task), f" by {_metric(target.metric)}", *trained))
    said.append(("Targets: ", *semicolons(targets), ". Rows, splits and languages are in ", DATA, "."))
    if plan.benchmark is not None:
        cite = Cite(works.benchmarks[plan.benchmark.name].bibtex)
        said.append((f"They are reported as {plan.benchmark.title}", cite, " has them."))
    languages = _once(target.language for target in plan.targets.values() if target.trained_on)
    if languages:
        sources = listed([(works.language(code),) for code in languages])
        said.append(("Training data of targets are in ", *sources, "."))
    evaluated = [spec for spec in data.used(plan).values() if isinstance(spec, EvaluationDataSpec)]
    codes = sorted({code for spec in evaluated for code in spec.languages})
    said.append(("Evaluation is in ", *listed([(works.language(code),) for code in codes]), "."))
    if plan.controls:
        controls = listed([(works.language(code),) for code in plan.controls])
        said.append(("Control languages, which are averaged apart: ", *controls, "."))
    return said


def _vectors(plan: StudyPlan, works: Works) -> list[Sentence]:
    """Return what the vectors of texts are, where a target is scored by them."""
    specs = [entry.spec for entry in plan.nodes.values()]
    poolings = dict.fromkeys(spec.pooling for spec in specs if isinstance(spec, EmbeddingsSpec))
    if not poolings:
        return []
    said: list[Sentence] = [("Vectors of texts are ", *listed([(_pooling(pooling),) for pooling in poolings]), ".")]
    if any(isinstance(spec, RetrievalSpec) and spec.form == "mining" for spec in specs):
        said.append(("Translations are mined by the ratio margin of vectors", works.cite("margin"), "."))
    return said


def _pooling(pooling: Pooling) -> str:
    if pooling.head is not None:
        return f"the outputs of the head that was trained on {pooling.head}"
    if pooling.layer_fraction is not None:
        state = f"the hidden state at {100 * pooling.layer_fraction:.3g} % of the depth"
    else:
        state = f"hidden state {pooling.layer} (0 is the embeddings, -1 the last)"
    return (
        f"{'the mean over positions' if pooling.pooler == MEAN else 'the position that stands for a text'} of {state}"
    )


def _metric(name: str) -> str:
    return name.replace("_", " ").replace("f1", "F1")


def _grouped(
    trainings: Iterable[Training], key: Callable[[Training], str], name: Callable[[Training], str]
) -> list[tuple[str, list[str]]]:
    """Return the names of trainings, each once, by what a function says of them."""
    groups: dict[str, dict[str, None]] = {}
    for training in trainings:
        groups.setdefault(key(training), {})[name(training)] = None
    return [(said, list(names)) for said, names in groups.items()]


def _values(values: Iterable[float]) -> str:
    """Return different values as people write them, such as ``0.999 or 0.98``."""
    return " or ".join(map(number, dict.fromkeys(values)))


def _once(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
