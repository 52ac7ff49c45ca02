"""The section on examples that changed between two arms: counts by language, and some of them with their texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import numpy as np
import pandas as pd

from xstilts.errors import UserError
from xstilts.evaluation import changed_examples, predictions
from xstilts.evaluation.changed_examples import Changed, Changes, Pair, Runs
from xstilts.evaluation.resampling import evaluation_node
from xstilts.forms import FORMS
from xstilts.forms.declaration import Form
from xstilts.reporting.layout import NOTHING
from xstilts.reporting.report import example_rows, example_texts
from xstilts.reporting.report.example_rows import Rows
from xstilts.reporting.report.example_texts import Answer, Text
from xstilts.reporting.report.page import Grid, Inputs, Row, Section, columns
from xstilts.store.study_plan import StudyPlan

Sides = tuple[Runs, Runs]


@dataclass(frozen=True)
class Prediction:
    """What most runs of a side predict, of those that are right or of those that are wrong, and how many are right.

    A side that has the example right shows a prediction that is right, another one a prediction that is wrong.
    """

    answers: Sequence[Answer]
    right: int
    runs: int


@dataclass(frozen=True)
class Example:
    """An example that changed."""

    id: str
    language: str
    texts: Sequence[Text]
    gold: Sequence[Answer]
    first: Prediction
    second: Prediction


@dataclass(frozen=True)
class OfTarget:
    """What changed of a target.

    Attributes:
        target: its name.
        meaning: when a prediction is right.
        languages: how much changed in each.
        gained: some of the examples that only the first side has right.
        lost: some of those that only the second one has right.
    """

    target: str
    meaning: str
    languages: Sequence[Changes]
    gained: Sequence[Example]
    lost: Sequence[Example]


@dataclass(frozen=True)
class OfPair:
    """What changed between two sides.

    Attributes:
        shared: what they have in common.
        first: the first side.
        second: the second side.
        chosen: of the second side which single tasks were chosen, and in how many runs; else empty.
        axes: the models and mixtures of both, by axis.
        targets: what changed of each target.
    """

    shared: str
    first: str
    second: str
    chosen: str
    axes: Mapping[str, Sequence[str]]
    targets: Sequence[OfTarget]


@dataclass(frozen=True)
class Examples:
    """All that changed between the pairs of a study; the rule by which examples are chosen; what could not be shown."""

    pairs: Sequence[OfPair]
    rule: str
    notes: Sequence[str]


def examples(inputs: Inputs) -> Section | None:
    """Return the section of examples that changed: a table of how many, and some of them with their texts."""
    found = collect(inputs.plan, inputs.results)
    if not found.pairs and not found.notes:
        return None
    values = {"found": found, "tables": [_counts(found)] if found.pairs else []}
    return Section(id="examples", title="Examples that changed", values=values, template="examples.html")


def _counts(found: Examples) -> Grid:
    """Return the table of how many examples changed: a row each comparison and target, a column each language."""
    of_targets = [(pair, of_target) for pair in found.pairs for of_target in pair.targets]
    languages = list(dict.fromkeys(one.language for _, of_target in of_targets for one in of_target.languages))
    rows = []
    for pair, of_target in of_targets:
        by_language = {one.language: _cell(one.gained_number, one.lost_number) for one in of_target.languages}
        examples, *changed = (
            sum(getattr(one, name) for one in of_target.languages)
            for name in ("examples", "gained_number", "lost_number")
        )
        names = [f"{pair.first} against {pair.second}", pair.shared, of_target.target, str(examples)]
        cells = [*names, _cell(*changed), *(by_language.get(language, NOTHING) for language in languages)]
        rows.append(Row(cells=cells, axes={**pair.axes, "target": [of_target.target]}))
    titles = ("comparison", "in", "target", "examples", "all")
    return Grid(
        id="changed",
        caption="How many examples changed",
        about="+7 −2: the first arm alone has 7 examples right, and the second one alone 2.",
        columns=columns((*titles, *languages), {language: "language" for language in languages}),
        rows=rows,
    )


def _cell(gained: int, lost: int) -> str:
    return f"+{gained} −{lost}"


def collect(plan: StudyPlan, results: Path) -> Examples:
    """Return the examples that changed between the arms that a study is about, of several worlds those of the first.

    Predictions or texts that are not there any more are named in the notes.

    Args:
        plan: the study's plan.
        results: the results folder.

    Raises:
        UserError: if predictions cannot be read, or are not of the same examples.
    """
    notes = []
    if plan.worlds:
        notes.append(f"Examples are those of world {plan.worlds[0]}, the first of {len(plan.worlds)}.")
        plan = plan.in_world(plan.worlds[0])
    sides: dict[Pair, Sides] = {}
    for pair in changed_examples.pairs(plan):
        try:
            first, second = (changed_examples.runs_of(plan, results, side) for side in (pair.first, pair.second))
            sides[pair] = first, second
        except UserError as error:
            notes.append(f"{pair.first.name} against {pair.second.name} in {pair.shared}: {error}.")
    found: dict[tuple[str, Pair], list[Changes]] = {}
    for target in plan.targets:
        asked = {pair: runs for pair, runs in sides.items() if target in pair.targets}
        changes = _changes(plan, results, target, asked, notes)
        found |= {(target, pair): of_pair for pair, of_pair in changes.items()}
    chosen = changed_examples.within_limit(found)
    shown: dict[Pair, list[OfTarget]] = {pair: [] for pair in sides}
    for target in plan.targets:
        of_target = {pair: changes for (name, pair), changes in chosen.items() if name == target}
        for pair, one in _of_target(plan, results, target, sides, of_target, notes).items():
            shown[pair].append(one)
    rules = [changed_examples.RULE, *([changed_examples.RULE_OF_LIMIT] if chosen != found else [])]
    of_pairs = [
        OfPair(pair.shared, first.name, second.name, second.chosen, _axes(pair), shown[pair])
        for pair, (first, second) in sides.items()
        if shown[pair]
    ]
    return Examples(of_pairs, " ".join(rules), list(dict.fromkeys(notes)))


def _axes(pair: Pair) -> dict[str, list[str]]:
    arms = (*pair.first.arms, *pair.second.arms)
    return {axis: list(dict.fromkeys(getattr(arm, axis) for arm in arms)) for axis in ("model", "mixture")}


def _changes(
    plan: StudyPlan, results: Path, target: str, sides: Mapping[Pair, Sides], notes: list[str]
) -> dict[Pair, list[Changes]]:
    """Return what changed of a target in each pair whose predictions are there."""
    judgement = FORMS[plan.targets[target].form].judgement
    if judgement is None:
        notes.append(f"{target}: its predictions are neither right nor wrong.")
        return {}
    examples: pd.DataFrame | None = None
    is_right: dict[str, np.ndarray] = {}
    found = {}
    for pair, runs in sides.items():
        nodes = [node for side in runs for node in side.nodes[target]]
        gone = [node for node in nodes if not (results / node / predictions.FILE).exists()]
        if gone:
            notes.append(f"{target}: predictions are not there any more ({gone[0]}); run the study again.")
            continue
        for node in nodes:
            if node not in is_right:
                frame = changed_examples.judged(results / node / predictions.FILE, judgement)
                is_right[node], of_node = frame.pop("is_right").to_numpy(), frame
                examples = of_node if examples is None else examples
                if not examples.equals(of_node):
                    raise UserError(
                        f"{results / node}: its predictions are not of the same examples as those of other models;"
                        " delete its folder and run again"
                    )
        first, second = (np.array([is_right[node] for node in side.nodes[target]]) for side in runs)
        assert examples is not None
        found[pair] = changed_examples.changes(examples, first, second)
    return found


def _of_target(
    plan: StudyPlan,
    results: Path,
    target: str,
    sides: Mapping[Pair, Sides],
    chosen: Mapping[Pair, Sequence[Changes]],
    notes: list[str],
) -> dict[Pair, OfTarget]:
    """Return a target in each pair, with the examples that are chosen unless their texts are gone."""
    form = FORMS[plan.targets[target].form]
    nodes = [node for pair in chosen for side in sides[pair] for node in side.nodes[target]]
    if form.judgement is None or not nodes:
        return {}
    prepared = evaluation_node(plan, nodes[0])
    ids = {(one.language, changed.example_id) for of_pair in chosen.values() for one in of_pair for changed in one.all}
    read = None
    if not all((results / prepared / f"{language}.parquet").exists() for language, _ in ids):
        notes.append(f"{target}: its texts are not there any more ({prepared}); run the study again.")
    elif ids:
        read = example_rows.read(plan, results, form, prepared, nodes, ids)
    found = {}
    for pair, of_pair in chosen.items():
        of_sides = [side.nodes[target] for side in sides[pair]]
        gained, lost = (
            [_example(read, form, of_sides, one.language, changed) for one in of_pair for changed in of_language(one)]
            if read
            else []
            for of_language in (attrgetter("gained"), attrgetter("lost"))
        )
        found[pair] = OfTarget(target, form.judgement.meaning, of_pair, gained, lost)
    return found


def _example(read: Rows, form: Form, sides: Sequence[Sequence[str]], language: str, changed: Changed) -> Example:
    """Return a chosen example, by the nodes of the runs of both sides."""
    id = language, changed.example_id
    row, gold = read.rows[id], read.gold[id]
    right = changed.first, changed.second
    said = [read.most_common(nodes, id, 2 * number > len(nodes)) for nodes, number in zip(sides, right, strict=True)]
    of_gold, *answers = example_texts.answers(form, row, read.labels, gold, said, read.named[language])
    first, second = (
        Prediction(answer, number, len(nodes)) for answer, number, nodes in zip(answers, right, sides, strict=True)
    )
    texts = example_texts.texts(form, row, read.labels, gold, said)
    return Example(changed.example_id, language, texts, of_gold, first, second)
