"""Two studies side by side: arms, targets and test examples that both have, and what the estimates of both say."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.errors import UserError
from xstilts.evaluation import estimates, pretraining, resampling
from xstilts.evaluation.comparisons import SAME, Arm
from xstilts.evaluation.intervals import HIGHER, LOWER
from xstilts.evaluation.resampling import Examples
from xstilts.evaluation.table import Column, Table
from xstilts.evaluation.unasked import is_unasked
from xstilts.store import manifest
from xstilts.store.manifest import path_of
from xstilts.store.specs.data import DataSpec
from xstilts.store.study_plan import StudyPlan

# values of studies
BOTH, ONLY_A, ONLY_B = "both", "A", "B"
# values of agreement
ALIKE, OPPOSITE, DIFFERENT = "alike", "opposite", "different"
# what stands of each study: `estimate_in_a`, `estimate_in_b`
_OF_EACH = (
    Column("row", "integer", "the row of the study's own table of estimates", optional=True),
    Column("targets", "integer", "targets in the outcome", optional=True),
    Column("languages", "integer", "different languages in the outcome", optional=True),
    Column("runs_a", "integer", "runs of the first side", optional=True),
    Column("runs_b", "integer", "runs of the second side", optional=True),
    Column("estimate", "number", "the difference", optional=True),
    Column("low", "number", "lower end of the 95 % interval", optional=True),
    Column("high", "number", "upper end of the 95 % interval", optional=True),
    Column("interval", "text", "what the interval is over; empty where the study lacks the comparison"),
    Column("verdict", "text", "the verdict; empty without one"),
)
COLUMNS = (
    *(column for column in estimates.COLUMNS if column.name in SAME),
    Column("studies", "text", "both, or the one that has this comparison alone: A or B"),
    *(replace(column, name=f"{column.name}_in_{letter}") for letter in "ab" for column in _OF_EACH),
    Column(
        "agreement",
        "text",
        "alike; opposite, where one says higher and the other lower; different; empty without a verdict of both",
    ),
)
TABLE = Table("estimates of two studies", COLUMNS)


# the examples of a study by target and language
ByTarget = dict[str, dict[str, Examples]]


@dataclass(frozen=True)
class Outputs:
    """The plan of a study, and the results folder that has its nodes."""

    plan: StudyPlan
    results: Path


@dataclass(frozen=True)
class Common:
    """What two studies have in common by name, and what one of them has alone, A's first.

    Attributes:
        arms: in both.
        targets: in both.
        worlds: in both; none where the studies have one world or none.
        arms_alone: arms of each that the other one lacks.
        targets_alone: targets of each that the other one lacks.
    """

    arms: tuple[Arm, ...]
    targets: tuple[str, ...]
    worlds: tuple[int, ...]
    arms_alone: tuple[tuple[Arm, ...], tuple[Arm, ...]]
    targets_alone: tuple[tuple[str, ...], tuple[str, ...]]


def common(first: StudyPlan, second: StudyPlan) -> Common:
    """Return what two studies have in common by name.

    Raises:
        UserError: if they have no arm, no target or no world in common, or a target by another metric.
    """
    plans = (first, second)
    of_plans = [tuple(dict.fromkeys(Arm(cell.model, cell.recipe, cell.mixture) for cell in one.cells)) for one in plans]
    in_arms, arms_alone = _overlap(*of_plans)
    if not in_arms:
        raise UserError(
            f"A has {_names(of_plans[0])}; B has {_names(of_plans[1])}: no arm in common; give model, recipe and"
            " mixture the same names in both studies"
        )
    in_targets, targets_alone = _overlap(tuple(first.targets), tuple(second.targets))
    if not in_targets:
        raise UserError(
            f"A has the targets {', '.join(first.targets)}; B has {', '.join(second.targets)}: none in common, so there"
            " is nothing to compare"
        )
    for target in in_targets:
        metrics = [one.targets[target].metric for one in plans]
        if metrics[0] != metrics[1]:
            raise UserError(
                f"{target}: its metric is {metrics[0]} in A and {metrics[1]} in B, which cannot be compared; give the"
                " task the same metric and run one of the studies again"
            )
    worlds, _ = _overlap(first.worlds, second.worlds)
    if not worlds and (first.worlds or second.worlds):
        raise UserError(
            f"A has {_worlds(first)}, B has {_worlds(second)}: no world in common; compare studies of the same worlds"
        )
    return Common(in_arms, in_targets, worlds, arms_alone, targets_alone)


def _overlap(first: Sequence[Any], second: Sequence[Any]) -> tuple[tuple[Any, ...], tuple[Any, Any]]:
    """Return what is in both, and what is in each alone."""
    alone = tuple(one for one in first if one not in second), tuple(one for one in second if one not in first)
    return tuple(one for one in first if one in second), alone


def _names(of_plan: Iterable[Arm]) -> str:
    return f"the arms {', '.join(map('.'.join, of_plan))}"


def _worlds(plan: StudyPlan) -> str:
    return f"the worlds {', '.join(map(str, plan.worlds))}" if plan.worlds else "not several worlds"


def examples_of_both(
    studies: tuple[Outputs, Outputs], targets: Sequence[str]
) -> tuple[tuple[ByTarget, ByTarget], set[str]]:
    """Return the test examples of both studies, and the targets whose examples are the same in both.

    They are those of the languages that both have and that none names as a control. Such as are not the same are drawn
    apart. A target without any language is left out.

    Args:
        studies: A and B.
        targets: that both have.

    Raises:
        UserError: if no target has one.
    """
    controls = {language for study in studies for language in study.plan.controls}
    first: ByTarget = {}
    second: ByTarget = {}
    alike = set()
    for target in targets:
        of_first, of_second = (resampling.examples_of(study.plan, study.results, target) for study in studies)
        languages = [name for name in of_first if name in of_second and name not in controls]
        if not languages:
            continue
        first[target] = {name: of_first[name] for name in languages}
        if _same_examples(studies, target, languages):
            alike.add(target)
            second[target] = first[target]
        else:
            second[target] = {name: _apart(of_second[name]) for name in languages}
    if not first:
        raise UserError(
            f"A and B have the targets {', '.join(targets)} in common, but no language of them that neither names as a"
            " control; there is nothing to compare"
        )
    return (first, second), alike


def _same_examples(studies: tuple[Outputs, Outputs], target: str, languages: Sequence[str]) -> bool:
    """Tell whether the prepared data of a target are the same in these languages: the same node, or equal files."""
    nodes = [
        resampling.evaluation_node(study.plan, next(cell.node for cell in study.plan.cells if cell.target == target))
        for study in studies
    ]
    if nodes[0] == nodes[1]:
        return True
    files = []
    for study, node in zip(studies, nodes, strict=True):
        path = path_of(study.results, node)
        listed = manifest.read(path).files if path.exists() else {}
        files.append([listed.get(f"{language}.parquet") for language in languages])
    return files[0] == files[1] and None not in files[0]


@dataclass(frozen=True)
class Origin:
    """What predictions come from that no number of runs and examples averages out.

    Attributes:
        checkpoint: the node of the pretrained model that they start from.
        worlds: kind, seed and generator of all made-up data behind them.
    """

    checkpoint: str
    worlds: frozenset[tuple[str, int, int | None]]


def origins(plan: StudyPlan) -> dict[str, Origin]:
    """Return the origin of all predictions of a study, by their nodes."""
    worlds: dict[str, frozenset[tuple[str, int, int | None]]] = {}

    def behind(node: str) -> frozenset[tuple[str, int, int | None]]:
        if node not in worlds:
            entry = plan.nodes.get(node)
            found = [behind(parent) for parent in entry.parents.values()] if entry else []
            if entry and node.partition("/")[0] == DataSpec.stage:
                assert isinstance(entry.spec, DataSpec)
                source = entry.spec.source
                found += [frozenset({(source.kind, source.seed, source.generator)})] if source.seed is not None else []
            worlds[node] = frozenset().union(*found)
        return worlds[node]

    nodes = dict.fromkeys(cell.node for cell in plan.cells)
    return {node: Origin(pretraining.pretrained(plan, node), behind(node)) for node in nodes}


def _apart(split: Examples) -> Examples:
    """Return the same examples, drawn independently of those of the first study whatever their clusters' names."""
    return replace(split, data=hashlib.sha256(f"second study {split.data}".encode()).hexdigest())


def verdicts(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Return what two studies' estimates say, a row for each comparison of either: those of A first.

    They are those of the answer, of contrasts and of claims, over all runs and, of several worlds, over worlds. Two are
    the same comparison where names, sides and outcome are; the outcomes may be over other targets and languages.

    Args:
        first: the table of estimates of A.
        second: that of B.
    """
    of_both = [_asked(table) for table in (first, second)]
    keys = dict.fromkeys(key for table in of_both for key in table.index)
    sides = [
        table.reindex(pd.MultiIndex.from_tuples(keys, names=list(SAME)))
        .reset_index(drop=True)
        .add_suffix(f"_in_{letter}")
        for table, letter in zip(of_both, "ab", strict=True)
    ]
    frame = pd.concat([pd.DataFrame(list(keys), columns=list(SAME)), *sides], axis="columns")
    frame[_TEXTS] = frame[_TEXTS].fillna("").astype("str")
    frame["studies"] = BOTH
    frame.loc[frame["interval_in_b"] == "", "studies"] = ONLY_A
    frame.loc[frame["interval_in_a"] == "", "studies"] = ONLY_B
    said = zip(frame["verdict_in_a"], frame["verdict_in_b"], strict=True)
    frame["agreement"] = [agreement(one, other) for one, other in said]
    return frame[[column.name for column in COLUMNS]]


_TEXTS = [f"{column.name}_in_{letter}" for letter in "ab" for column in _OF_EACH if column.type == "text"]


def _asked(table: pd.DataFrame) -> pd.DataFrame:
    """Return what a study asks for by name, by what makes two comparisons the same."""
    asked = ~is_unasked(table) & (table["runs_used"] == estimates.ALL_RUNS) & table["world"].isna()
    return table[asked].set_index(list(SAME))[[column.name for column in _OF_EACH]]


def agreement(first: str, second: str) -> str:
    """Return how far two verdicts agree; nothing where one of them is none."""
    if not first or not second:
        return ""
    return ALIKE if first == second else OPPOSITE if {first, second} == {HIGHER, LOWER} else DIFFERENT
