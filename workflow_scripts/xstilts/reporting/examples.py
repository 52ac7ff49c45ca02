"""Examples that changed between two arms, as a page shows them: counts by language, and some with their texts."""

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
from xstilts.forms import FORMS, scoring
from xstilts.forms.declaration import Form, Judgement
from xstilts.reporting import example_rows, example_texts
from xstilts.reporting.example_rows import Rows
from xstilts.reporting.example_texts import Answer, Text
from xstilts.store.study_plan import StudyPlan

Sides = tuple[Runs, Runs]


@dataclass(frozen=True)
class Prediction:
    """The most common prediction of a side's runs, and how many of these have the example right."""

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
    """What changed between two sides, by target."""

    shared: str
    first: str
    second: str
    targets: Sequence[OfTarget]


@dataclass(frozen=True)
class Examples:
    """All that changed between the pairs of a study; the rule by which examples are chosen; what could not be shown."""

    pairs: Sequence[OfPair]
    rule: str
    notes: Sequence[str]


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
        of_pairs = {pair: runs for pair, runs in sides.items() if target in pair.targets}
        changes = _changes(plan, results, target, of_pairs, notes)
        found |= {(target, pair): of_pair for pair, of_pair in changes.items()}
    chosen = changed_examples.within_limit(found)
    shown: dict[Pair, list[OfTarget]] = {}
    for target in plan.targets:
        of_target = {pair: changes for (name, pair), changes in chosen.items() if name == target}
        for pair, one in _of_target(plan, results, target, sides, of_target, notes).items():
            shown.setdefault(pair, []).append(one)
    rules = [changed_examples.RULE, *([changed_examples.RULE_OF_LIMIT] if chosen != found else [])]
    pairs = []
    for pair, of_targets in shown.items():
        first, second = sides[pair]
        pairs.append(OfPair(pair.shared, first.name, second.name, of_targets))
    return Examples(pairs, " ".join(rules), notes)


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
            notes.append(f"{target}: predictions are not there any more ({results / gone[0]}); run the study again.")
            continue
        for node in nodes:
            if node not in is_right:
                of_node, is_right[node] = _judged(results, node, judgement)
                examples = of_node if examples is None else examples
                if not examples.equals(of_node):
                    raise UserError(
                        f"{results / node}: its predictions are not of the same examples as those of other models;"
                        " delete its folder and run again"
                    )
        first, second = (np.array([is_right[node] for node in side.nodes[target]]) for side in runs)
        if examples is not None and len(first) and len(second):
            found[pair] = changed_examples.changes(examples, first, second)
    return found


def _judged(results: Path, node: str, judgement: Judgement) -> tuple[pd.DataFrame, np.ndarray]:
    """Return language and id of each example of a node, and whether its prediction is right."""
    stored = {name: name if name in scoring.TEXTS else f"{predictions.STATISTIC}{name}" for name in judgement.uses}
    identity = ["language", "example_id"]
    frame = predictions.read_columns(results / node / predictions.FILE, [*identity, *stored.values()])
    columns = {name: frame[column].to_numpy() for name, column in stored.items()}
    return frame[identity], judgement.is_right(columns)


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
    if all((results / prepared / f"{language}.parquet").exists() for language, _ in ids):
        read = example_rows.read(plan, results, form, prepared, nodes, ids)
    else:
        notes.append(f"{target}: its texts are not there any more ({results / prepared}); run the study again.")
        read = None
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
    said = [read.most_common(nodes, id) for nodes in sides]
    of_gold, *answers = example_texts.answers(form, row, read.labels, gold, said, read.named[language])
    first, second = (
        Prediction(answer, right, len(nodes))
        for answer, right, nodes in zip(answers, (changed.first, changed.second), sides, strict=True)
    )
    texts = example_texts.texts(form, row, read.labels, gold, said)
    return Example(changed.example_id, language, texts, of_gold, first, second)
