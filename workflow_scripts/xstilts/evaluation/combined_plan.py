"""The plans of two studies as one: their arms together, as if one study had run them all.

What an arm is must be the same in both: a model, recipe, mixture or target of one name stands for one thing, or the two
are refused. The arms together must be what one study can have: each in all runs and on all targets. What is asked of
the arms may differ: such a question is asked by neither, and named in the notes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass, replace
from itertools import product
from typing import Any, TypeVar

from xstilts.errors import UserError
from xstilts.evaluation import pretraining, resampling, trainings
from xstilts.store.answer import Answer, Contrast, Family
from xstilts.store.claims import PlannedClaim
from xstilts.store.documentation import Documentation, Setting, Works
from xstilts.store.specs.models import IntermediateSpec, MergedSpec
from xstilts.store.study_plan import (
    Benchmark,
    Cell,
    Corpus,
    FewShotCell,
    FigureLabels,
    FigureOptions,
    PlannedNode,
    StudyPlan,
)

K = TypeVar("K")
V = TypeVar("V")
# what differs between pairs of nodes and all behind them, but for the seeds of runs, in one line; empty for nothing
Differs = Callable[[Sequence[tuple[str, str]]], str]


def combine(first: StudyPlan, second: StudyPlan, differs: Differs) -> StudyPlan:
    """Return the plan of two studies as one.

    Args:
        first: the plan of A.
        second: that of B.
        differs: says what differs between nodes of A and of B.

    Raises:
        UserError: if something of one name is not the same in both, or an arm lacks runs or targets.
    """
    _check_versions(first, second)
    _check_worlds(first, second)
    targets = _union("targets", first.targets, second.targets)
    mixtures = _union("mixtures", first.mixtures, second.mixtures)
    _check_nodes(first, second)
    _check_arms(first.cells, second.cells, differs)
    cells = tuple(dict.fromkeys((*first.cells, *second.cells)))
    _check_grid(cells)
    questions = _questions(first, second)
    few_shot = _few_shot(first, second)
    notes = tuple(
        f"{name}: A and B ask it differently, so it is asked of neither here; a study file that has all arms can ask it"
        for name in (*questions.dropped, *(["shots"] if first.few_shot != second.few_shot and not few_shot else []))
    )
    asked = {name: getattr(questions, name) for name in ("benchmark", "answer", "contrasts", "claims")}
    tables = dict.fromkeys((*first.tables, *second.tables))
    descriptions = dict.fromkeys((first.description, second.description))
    return replace(
        first,
        figures=_figures(first.figures, second.figures),
        study=f"{first.study}+{second.study}",
        description=" / ".join(descriptions),
        made_up=first.made_up or second.made_up,
        targets=targets,
        tables=tuple(name for name in tables if asked.get(name, True) and (few_shot or name != "few_shot")),
        swept=first.swept or second.swept,
        **asked,
        distance=_union("distance", first.distance, second.distance),
        languages=_union("languages", first.languages, second.languages),
        corpora=_corpora(first.corpora, second.corpora),
        mixtures=mixtures,
        notes=tuple(dict.fromkeys((*first.notes, *second.notes, *notes))),
        cells=cells,
        few_shot=few_shot,
        unlabelled={**first.unlabelled, **second.unlabelled},
        nodes=_nodes(first.nodes, second.nodes),
        documentation=_documentation(first.documentation, second.documentation),
    )


def _few_shot(first: StudyPlan, second: StudyPlan) -> tuple[FewShotCell, ...]:
    """Return the few-shot cells of both; none where the arms of one have other languages or numbers than the other."""
    of_each = [{(few.cell.target, few.language, few.shots) for few in plan.few_shot} for plan in (first, second)]
    return tuple(dict.fromkeys((*first.few_shot, *second.few_shot))) if of_each[0] == of_each[1] else ()


def _union(what: str, first: Mapping[K, V], second: Mapping[K, V]) -> dict[K, V]:
    """Return what is in either by name.

    Raises:
        UserError: if something is in both and not the same.
    """
    for name in first:
        if name in second and first[name] != second[name]:
            where, a, b = _difference(str(name), first[name], second[name])
            raise UserError(
                f"{what}: {where} is {a!r} in A and {b!r} in B; only studies in which it is the same can be combined"
            )
    return {**first, **second}


def _difference(name: str, first: Any, second: Any) -> tuple[str, Any, Any]:
    """Return the first field in which two values of one name differ, and what it is in each."""
    a, b = (vars(one) if is_dataclass(one) else one for one in (first, second))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for field in dict.fromkeys((*a, *b)):
            values = a.get(field, "absent"), b.get(field, "absent")
            if values[0] != values[1]:
                return _difference(f"{name}.{field}", *values)
    return name, first, second


def _corpora(first: Mapping[str, Corpus], second: Mapping[str, Corpus]) -> dict[str, Corpus]:
    """Return what models were pretrained on, in the languages of both: each study has its own languages alone."""
    found = {**first, **second}
    for model in first.keys() & second.keys():
        a, b = first[model], second[model]
        _union("pretraining text", {f"unit of {model}": a.unit}, {f"unit of {model}": b.unit})
        found[model] = Corpus(a.unit, _union(f"pretraining text of {model}", a.sizes, b.sizes))
    return found


def _figures(first: FigureOptions, second: FigureOptions) -> FigureOptions:
    """Return the options of both; those of A where they differ."""
    labels = FigureLabels(
        **{kind: {**vars(second.labels)[kind], **of_kind} for kind, of_kind in vars(first.labels).items()}
    )
    merged = replace(first, widths={**second.widths, **first.widths}, labels=labels)
    if first.only is None or second.only is None:
        return replace(merged, only=None)
    return replace(merged, only=tuple(dict.fromkeys((*first.only, *second.only))))


def figure_differences(first: FigureOptions, second: FigureOptions) -> list[str]:
    """Return a sentence on each option of the figures that A and B set differently."""
    a, b = map(_by_key, (first, second))
    return [
        f"figures.{key}: {a[key]!r} in A and {b[key]!r} in B; that of A is used"
        for key in a
        if key in b and a[key] != b[key]
    ]


def _by_key(options: FigureOptions) -> dict[str, Any]:
    """Return options by their keys in a study file, but for the choice of figures."""
    tables = {"widths": options.widths, **{f"labels.{kind}": found for kind, found in vars(options.labels).items()}}
    single = {f"{key}.{name}": value for key, table in tables.items() for name, value in table.items()}
    return {"palette": options.palette, "width": options.width, **single}


def _check_versions(first: StudyPlan, second: StudyPlan) -> None:
    """Refuse results of two versions of a stage: an equal spec gives another result in each."""
    versions: list[dict[str, set[int]]] = []
    for plan in (first, second):
        of_plan: dict[str, set[int]] = {}
        for name, node in plan.nodes.items():
            of_plan.setdefault(name.partition("/")[0], set()).add(node.content["version"])
        versions.append(of_plan)
    for stage in versions[0].keys() & versions[1].keys():
        if versions[0][stage] != versions[1][stage]:
            a, b = (", ".join(map(str, sorted(found[stage]))) for found in versions)
            raise UserError(
                f"{stage}: its version is {a} in A and {b} in B, so their results cannot stand in one table; run the"
                " older study again"
            )


def _check_worlds(first: StudyPlan, second: StudyPlan) -> None:
    if bool(first.worlds) != bool(second.worlds):
        raise UserError("one of A and B has several worlds and the other has not; combine studies that both have them")


def _check_nodes(first: StudyPlan, second: StudyPlan) -> None:
    """Refuse names that stand for one thing in A and another one in B."""
    _union("models", _checkpoints(first), _checkpoints(second))
    _union("sampling of mixtures", _samplings(first), _samplings(second))
    _union("test data of targets", _data(first), _data(second))
    _union("settings of recipes", _settings(first), _settings(second))


def _checkpoints(plan: StudyPlan) -> dict[str, str]:
    """Return the pretrained node behind each model, and world."""
    return {_in_world(cell.model, cell): pretraining.pretrained(plan, cell.node) for cell in plan.cells}


def _data(plan: StudyPlan) -> dict[str, str]:
    """Return the evaluation data of each target, and world."""
    return {_in_world(cell.target, cell): resampling.evaluation_node(plan, cell.node) for cell in plan.cells}


def _in_world(name: str, cell: Cell) -> str:
    return name if cell.world is None else f"{name} in world {cell.world}"


def _samplings(plan: StudyPlan) -> dict[str, Any]:
    """Return how the tasks of each mixture are drawn, or those of the models that it merges and how, by recipe."""
    found: dict[str, Any] = {}
    for cell in plan.cells:
        specs = [plan.nodes[node].spec for node in trainings.models_behind(plan, cell.node)]
        merging = [spec.merging for spec in specs if isinstance(spec, MergedSpec)]
        drawn = [
            {"sampling": spec.sampling, "weights": {one.task: one.weight for one in spec.tasks}}
            for spec in specs
            if isinstance(spec, IntermediateSpec)
        ]
        if drawn:
            together = {"merging": merging[0], "models": drawn} if merging else drawn[0]
            found[f"{cell.mixture} in {cell.recipe}"] = together
    return found


def _settings(plan: StudyPlan) -> dict[str, Any]:
    return {
        f"{one.key} of {recipe}": one.value
        for recipe, settings in plan.documentation.settings.items()
        for one in settings
    }


def _check_arms(first: Iterable[Cell], second: Iterable[Cell], differs: Differs) -> None:
    """Refuse arms of one name with other settings, whatever their seeds."""

    def arms(cells: Iterable[Cell]) -> dict[tuple[Any, ...], Cell]:
        found: dict[tuple[Any, ...], Cell] = {}
        for cell in cells:
            found.setdefault((cell.model, cell.recipe, cell.method, cell.mixture, cell.target, cell.world), cell)
        return found

    others = arms(second)
    for name, cell in arms(first).items():
        if name in others and cell.node != others[name].node and (found := differs([(others[name].node, cell.node)])):
            arm = ".".join((cell.model, cell.recipe, cell.mixture, cell.target))
            raise UserError(f"{arm}: not the same arm in A and B: {found}; give one of them another name")


def _check_grid(cells: Iterable[Cell]) -> None:
    """Refuse arms without some runs or targets that others have: means over them would be of different things."""
    runs = {((cell.model, cell.recipe, cell.mixture), cell.world, cell.seed, cell.target) for cell in cells}
    axes = [sorted(set(values), key=repr) for values in zip(*runs, strict=True)]
    lacking = next((run for run in product(*axes) if run not in runs), None)
    if lacking is not None:
        arm, world, seed, target = lacking
        place = "" if world is None else f" in world {world}"
        raise UserError(
            f"{'.'.join(arm)}: together A and B have no run of it with seed {seed} on {target}{place}, which other arms"
            " or seeds have; combine studies whose arms have the same seeds and targets, or complete each other"
        )


@dataclass(frozen=True)
class _Questions:
    """What is asked of the arms together, and the names of what is not."""

    benchmark: Benchmark | None
    answer: Answer | None
    contrasts: dict[str, Contrast]
    claims: dict[str, PlannedClaim]
    dropped: tuple[str, ...]


def _questions(first: StudyPlan, second: StudyPlan) -> _Questions:
    dropped: list[str] = []

    def one(name: str, a: V | None, b: V | None, both: Callable[[V, V], V | None]) -> V | None:
        if a is None or b is None:
            return a if b is None else b
        found = both(a, b)
        if found is None:
            dropped.append(name)
        return found

    def each(what: str, a: Mapping[str, V], b: Mapping[str, V], both: Callable[[V, V], V | None]) -> dict[str, V]:
        found = {name: one(f"{what} {name}", a.get(name), b.get(name), both) for name in dict.fromkeys((*a, *b))}
        return {name: value for name, value in found.items() if value is not None}

    return _Questions(
        benchmark=one("benchmark", first.benchmark, second.benchmark, _equal),
        answer=one("answer", first.answer, second.answer, _answer),
        contrasts=each("contrast", first.contrasts, second.contrasts, _equal),
        claims=each("claim", first.claims, second.claims, _claim),
        dropped=tuple(dropped),
    )


def _equal(first: V, second: V) -> V | None:
    return first if first == second else None


def _answer(first: Answer, second: Answer) -> Answer | None:
    """Return the question of both, with the families of both: a family's small model may be A's, its large one B's."""
    if replace(first, families={}) != replace(second, families={}):
        return None
    families: dict[str, Family] = {}
    for name in dict.fromkeys((*first.families, *second.families)):
        of_both = [families_of[name] for families_of in (first.families, second.families) if name in families_of]
        small, large = ({getattr(one, size) for one in of_both} - {None} for size in ("small", "large"))
        if len(small) > 1 or len(large) > 1:
            return None
        families[name] = Family(small=next(iter(small), None), large=next(iter(large), None))
    return replace(first, families=families)


def _claim(first: PlannedClaim, second: PlannedClaim) -> PlannedClaim | None:
    """Return a claim with the comparisons of both; None where they say different things of one model."""
    said = [(claim.text, claim.source, claim.figure, claim.holds) for claim in (first, second)]
    of_models = [_by_model(claim) for claim in (first, second)]
    shared = of_models[0].keys() & of_models[1].keys()
    if said[0] != said[1] or any(of_models[0][model] != of_models[1][model] for model in shared):
        return None
    comparisons = tuple(dict.fromkeys((*first.comparisons, *second.comparisons)))
    return replace(first, comparisons=comparisons, lacking={**first.lacking, **second.lacking})


def _by_model(claim: PlannedClaim) -> dict[str, Any]:
    models = dict.fromkeys([*claim.lacking, *(one.model for one in claim.comparisons)])
    return {
        model: (claim.lacking.get(model), [one for one in claim.comparisons if one.model == model]) for model in models
    }


def _nodes(first: Mapping[str, PlannedNode], second: Mapping[str, PlannedNode]) -> dict[str, PlannedNode]:
    """Return the nodes of both, under the names of both."""
    found = dict(first)
    for node, entry in second.items():
        if node in found:
            if found[node].content != entry.content:
                raise UserError(f"{node}: its spec is another one in A than in B; run the older study again")
            names = tuple(dict.fromkeys((*found[node].names, *entry.names)))
            entry = replace(found[node], names=names)
        found[node] = entry
    return found


def _documentation(first: Documentation, second: Documentation) -> Documentation:
    settings: dict[str, tuple[Setting, ...]] = {}
    for recipe in dict.fromkeys((*first.settings, *second.settings)):
        by_key = {one.key: one for side in (second, first) for one in side.settings.get(recipe, ())}
        settings[recipe] = tuple(by_key[key] for key in sorted(by_key))
    works = {name: {**getattr(second.works, name), **getattr(first.works, name)} for name in vars(first.works)}
    return Documentation(
        settings=settings,
        tasks={**second.tasks, **first.tasks},
        models={**second.models, **first.models},
        works=Works(**works),
    )
