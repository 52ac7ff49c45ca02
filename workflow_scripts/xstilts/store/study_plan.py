"""plan.json: what a study's outputs are made from, written by the planner and read by the commands of rules.

It has the study's names; nothing in it decides the result of a node.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import SkipValidation, TypeAdapter, ValidationError

from xstilts.errors import UserError, suggestion
from xstilts.store import specs
from xstilts.store.answer import Answer, Contrast
from xstilts.store.claims import PlannedClaim
from xstilts.store.documentation import Documentation
from xstilts.store.files import digest
from xstilts.store.manifest import MANIFEST
from xstilts.store.specs.base import Spec
from xstilts.store.stages import STUDIES, STUDIES_VERSION

FILE = "plan.json"
# what a cell is named by; in a study of several worlds by its world too
AXES = ("model", "recipe", "method", "mixture", "seed", "target")
WORLD = "world"
# the mixture of no intermediate phase
NONE = "none"
# in place of a fine-tuning method: the pretrained model answers prompts
PROMPTED = "prompted"
# hex digits of a digest in the name of the folder of a study's outputs
_DIGITS = 8


@dataclass(frozen=True)
class Cell:
    """One combination of the study's axes, and the id of the node whose predictions answer it.

    ``world`` is None in a study that has one world or none.
    """

    model: str
    recipe: str
    method: str
    mixture: str
    seed: int
    target: str
    node: str
    world: int | None = None

    def at(self, axes: Iterable[str]) -> dict[str, Any]:
        """Return its values on some axes."""
        return {axis: getattr(self, axis) for axis in axes}


@dataclass(frozen=True, kw_only=True)
class FewShotCell:
    """A result after a training on a few rows of one language.

    Attributes:
        language: the language, in which alone it is predicted.
        shots: the number of rows.
        cell: its place on the axes, and the node of its predictions.
    """

    language: str
    shots: int
    cell: Cell


def select_cells(cells: Iterable[Cell], study: str, **axes: object) -> list[Cell]:
    """Return the cells that have these values on some axes or in a world; None is any value.

    Raises:
        UserError: if the study has no cell with one of the values.
    """
    selected = list(cells)
    for axis, asked in axes.items():
        if asked is None:
            continue
        values = {str(getattr(cell, axis)) for cell in selected if getattr(cell, axis) is not None}
        if not values:
            raise UserError(f"--{axis}: study {study} has not several worlds to choose from; leave it out")
        if str(asked) not in values:
            raise UserError(f"--{axis}: {asked!r} is not in study {study}; {suggestion(str(asked), values)}")
        selected = [cell for cell in selected if str(getattr(cell, axis)) == str(asked)]
    return selected


@dataclass(frozen=True)
class PlannedTarget:
    """A target of a study.

    Attributes:
        task: its task.
        form: the task's form.
        metric: the task's headline metric.
        language: the source language.
        source: where its data are from.
        trained_on: references of what it is trained on.
        same_data: intermediate tasks that are, contain or closely resemble its training data.
    """

    task: str
    form: str
    metric: str
    language: str
    source: str
    trained_on: tuple[str, ...] = ()
    same_data: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BenchmarkTask:
    """A task of a benchmark.

    Attributes:
        languages: its languages in this benchmark.
        metrics: the task's score is the mean of these, each averaged over the languages.
        group: its category, such as ``retrieval``.
        layout: its folder in the layout of predictions and labels.
        pooled: whether all languages are scored in one pool.
        english: whether there is an English test set, so that there is a transfer gap.
        same_data: intermediate tasks that are, contain or closely resemble its training data.
        rows: how many the official labels have, by language; None where its version of the data has others than those
            that are known; nothing where no number is known.
    """

    languages: tuple[str, ...]
    metrics: tuple[str, ...]
    group: str
    layout: str
    pooled: bool = False
    english: bool = True
    same_data: tuple[str, ...] = ()
    rows: Mapping[str, int | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Benchmark:
    """Tasks that are reported together; ``title`` is the name as papers write it."""

    name: str
    title: str
    citation: str
    tasks: Mapping[str, BenchmarkTask]


@dataclass(frozen=True, kw_only=True)
class PlannedLanguage:
    """What the registry says of a language; empty where it says nothing."""

    name: str
    script: str
    family: str = ""
    word_order: str = ""


@dataclass(frozen=True)
class Corpus:
    """How much text a published model was pretrained on by language; a language without text is not in it."""

    unit: str
    sizes: Mapping[str, float]


@dataclass(frozen=True)
class FigureLabels:
    """What figures call models, mixtures, targets and languages, by the study's names of them."""

    models: Mapping[str, str] = field(default_factory=dict)
    mixtures: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    languages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FigureOptions:
    """Options of the figures, which are no part of a study's digest.

    Attributes:
        palette: a diverging colour map of seaborn or matplotlib, for gains and losses.
        width: of all figures: ``column``, ``page``, or inches.
        widths: of single figures, by name.
        only: names of the figures that are made; None for all.
        labels: what is called otherwise than by its name.
    """

    palette: str = "vlag"
    width: float | str = "page"
    widths: Mapping[str, float | str] = field(default_factory=dict)
    only: tuple[str, ...] | None = None
    labels: FigureLabels = field(default_factory=FigureLabels)


@dataclass(frozen=True)
class PlannedNode:
    """A node of the plan: its digest, the study's names for it, and its spec as JSON, read when it is asked for."""

    digest: str
    names: tuple[str, ...]
    content: SkipValidation[Mapping[str, Any]]

    @property
    def parents(self) -> Mapping[str, str]:
        """Role of each parent, and its node id."""
        parents: Mapping[str, str] = self.content["parents"]
        return parents

    @cached_property
    def spec(self) -> Spec:
        """Its spec."""
        return specs.from_json(self.content)


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """The plan of a study.

    Attributes:
        study: its name.
        description: of the study, in its own words.
        made_up: whether its data are.
        figures: options of the figures.
        targets: the targets by name.
        benchmark: whose score the tables have.
        tables: names of the tables.
        swept: whether all layers of a model are scored.
        contrasts: what is compared, by name.
        answer: what the study asks of multi-task against single-task training; None for nothing.
        claims: what the study is checked against, by name.
        distance: rank of a language's declared distance from the source language, where it has one.
        languages: source languages and languages of the targets.
        corpora: by model the text that it was pretrained on, of published models where that is known.
        mixtures: references of the intermediate tasks by the name of the mixture.
        notes: for people: what was left out and why.
        cells: one for each combination of the axes.
        nodes: the nodes by id, parents first.
        unlabelled: by node of a cell that with the same model's predictions for an official test without labels, which
            are exported and not scored.
        few_shot: the cells after a training on a few rows of a language.
        documentation: where settings, data and models come from; moves no output.
    """

    study: str
    description: str
    made_up: bool
    figures: FigureOptions
    targets: Mapping[str, PlannedTarget]
    benchmark: Benchmark | None
    tables: tuple[str, ...]
    swept: bool
    contrasts: Mapping[str, Contrast]
    answer: Answer | None
    claims: Mapping[str, PlannedClaim]
    distance: Mapping[str, int]
    languages: Mapping[str, PlannedLanguage] = field(default_factory=dict)
    corpora: Mapping[str, Corpus] = field(default_factory=dict)
    mixtures: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...]
    cells: tuple[Cell, ...]
    nodes: Mapping[str, PlannedNode]
    unlabelled: Mapping[str, str] = field(default_factory=dict)
    few_shot: tuple[FewShotCell, ...] = ()
    documentation: Documentation = Documentation()

    @property
    def title(self) -> str:
        """The study's name as tables have it, with a remark on data that are made up, and on means over worlds."""
        remarks = ["made-up data"] * self.made_up + [f"means over {len(self.worlds)} worlds"] * bool(self.worlds)
        return f"Study {self.study}" + (f" ({', '.join(remarks)})" if remarks else "")

    @property
    def controls(self) -> tuple[str, ...]:
        """Languages that are averaged apart from the others."""
        return self.answer.controls if self.answer else ()

    @property
    def worlds(self) -> tuple[int, ...]:
        """The worlds of a study of several; else none."""
        return tuple(dict.fromkeys(cell.world for cell in self.cells if cell.world is not None))

    @property
    def axes(self) -> tuple[str, ...]:
        """What its cells are named by."""
        return (*AXES, WORLD) if self.worlds else AXES

    def in_world(self, world: int) -> "StudyPlan":
        """Return the plan with the cells of one of its worlds, as the study of that world alone has them."""
        cells = tuple(replace(cell, world=None) for cell in self.cells if cell.world == world)
        few_shot = (few for few in self.few_shot if few.cell.world == world)
        without = tuple(replace(few, cell=replace(few.cell, world=None)) for few in few_shot)
        return replace(self, cells=cells, few_shot=without)

    def parts(self) -> dict[int | None, "StudyPlan"]:
        """Return the plan of each world by world; of a study that has not several this plan, by None."""
        parts: dict[int | None, StudyPlan] = {world: self.in_world(world) for world in self.worlds}
        return parts or {None: self}


_adapter = TypeAdapter(StudyPlan)


def node_ids(path: Path) -> list[str]:
    """Return the ids of the nodes that a plan names, of an earlier version too.

    Raises:
        UserError: if it cannot be read.
    """
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["nodes"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: not a readable plan ({error!r}); delete {path.parent}") from None


def point_latest(folder: Path) -> None:
    """Point ``latest``, beside the folder of a study's outputs, to that folder."""
    link = folder.with_name("latest")
    if link.is_symlink() and os.readlink(link) == folder.name:
        return
    temporary = link.with_name(f".latest.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(folder.name)
    temporary.replace(link)


def to_json(plan: StudyPlan) -> dict[str, Any]:
    """Return a plan as JSON values."""
    content: dict[str, Any] = _adapter.dump_python(plan, mode="json")
    return content


def outputs_digest(plan: StudyPlan) -> str:
    """Return the digest of a study's outputs (64 hex digits): what they read, and by what names."""

    def at_digest(cell: Cell) -> Cell:
        return replace(cell, node=plan.nodes[cell.node].digest)

    cells = tuple(map(at_digest, plan.cells))
    few_shot = tuple(replace(few, cell=at_digest(few.cell)) for few in plan.few_shot)
    shown = to_json(replace(plan, cells=cells, few_shot=few_shot, nodes={}, documentation=Documentation()))
    # what no output is made from, or moves none
    for key in ("figures", "documentation", "unlabelled", *(["few_shot"] if not few_shot else [])):
        del shown[key]
    return digest({"version": STUDIES_VERSION, **shown})


def outputs_folder(study: str, of_outputs: str) -> str:
    """Return the folder of a study's outputs, below the results folder, by their digest."""
    return f"{STUDIES}/{study}/{of_outputs[:_DIGITS]}"


def text(plan: StudyPlan) -> str:
    """Return the content of plan.json."""
    return json.dumps(to_json(plan), ensure_ascii=False, indent=1) + "\n"


def index(plan: StudyPlan) -> str:
    """Return the text of index.tsv: every name of a node in the study, its stage and the path of its manifest."""
    named = ((name, node) for node, entry in plan.nodes.items() for name in entry.names)
    rows = (f"{node.partition('/')[0]}\t{name}\t{node}/{MANIFEST}" for name, node in named)
    return "\n".join(["stage\tname\tpath", *rows]) + "\n"


def read(path: Path) -> StudyPlan:
    """Return the plan that a file has.

    Raises:
        UserError: if it cannot be read, or is not the plan of a study.
    """
    try:
        return _adapter.validate_python(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise UserError(f"{path}: not the plan of a study ({key}: {first['msg']}); run the study again") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); run the study again") from None
