"""The table of differences of two studies: what arms that both have score in B, minus what they score in A.

Arms, targets and languages are the same by name. A run that is one and the same node in both studies is in both means;
all other runs are independent. So with a and b runs, of which some are shared, the difference

    mean of B - mean of A = sum of shared runs * (1/b - 1/a) + sum of B's own runs / b - sum of A's own runs / a

is a difference of up to three arms, and has the interval of ``intervals.py``. A target on which all runs are shared
adds nothing, so of a mean over targets only the others are in the interval. A run that is shared on one target and not
on another counts as independent: then the interval is rather too wide than too narrow.

The test examples of a target are the same where its prepared data are, by digest. Then draws of examples are joint, as
between arms of one study (``resampling.py``); else they are drawn apart.

Arms that start from different pretrained checkpoints, or whose data are of different made-up worlds, differ by more
than runs and examples: each study has one draw of these, so the interval does not hold what another one changes. Such
a difference keeps its interval over runs and examples, and has neither p nor verdict.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from xstilts.errors import UserError
from xstilts.evaluation import arms, estimates, intervals, outcomes
from xstilts.evaluation.arms import Measured, Runs
from xstilts.evaluation.comparisons import SCALES, Arm, smallest_on
from xstilts.evaluation.estimates import ALL_RUNS, WITHOUT_COLLAPSED
from xstilts.evaluation.intervals import Estimate
from xstilts.evaluation.outcomes import Outcome
from xstilts.evaluation.table import Column, Table
from xstilts.evaluation.two_studies import ByTarget, Common, Origin, Outputs, common, examples_of_both, origins
from xstilts.store.answer import SMALLEST
from xstilts.store.manifest import path_of
from xstilts.store.study_plan import StudyPlan

# values of runs: the same nodes; other nodes with the same predictions; anything else
SAME_RUNS, SAME_PREDICTIONS, OTHER_RUNS = "same run", "same predictions", "other runs"
# what settings say first of arms of different origins
OTHER_ORIGIN = "another checkpoint or world: the interval does not hold what that changes"
COLUMNS = (
    Column("world", "integer", "the world, in studies of several", optional=True),
    Column("model", "text", "the model"),
    Column("recipe", "text", "the recipe"),
    Column("mixture", "text", "the mixture"),
    Column("outcome", "text", "what is compared: see outcomes.py"),
    Column("target", "text", "the one target of the outcome; empty for a mean over targets"),
    Column("targets", "integer", "targets in the outcome, of those that both studies have"),
    Column("languages", "integer", "different languages in the outcome, of those that both studies have"),
    Column("scale", "text", "points of percent, or nats"),
    Column("score_a", "number", "the outcome in A, the mean over its runs"),
    Column("score_b", "number", "the outcome in B"),
    Column("difference", "number", "B minus A"),
    Column("low", "number", "lower end of the 95 % interval; missing where runs or predictions are the same", True),
    Column("high", "number", "upper end of the 95 % interval", optional=True),
    Column("interval", "text", "what it is over: runs and examples, or examples only; empty without one"),
    Column("standard_error", "number", "of the difference; missing with one run an arm", optional=True),
    Column("degrees", "number", "degrees of freedom of the standard error", optional=True),
    Column("p", "number", "two-sided p of no difference; missing without a verdict", optional=True),
    Column("verdict", "text", "higher: B is; lower, equivalent or undecided; empty without one. All are exploratory"),
    Column("runs_a", "integer", "runs of A, 1 where nothing varies between runs"),
    Column("runs_b", "integer", "runs of B"),
    Column("shared_runs", "integer", "runs that are the same nodes in both"),
    Column("runs", "text", "same run, same predictions, or other runs"),
    Column("runs_used", "text", "all, or without collapsed: the same without these runs"),
    Column("collapsed", "integer", "runs that collapsed, of those used; one that is shared counts once"),
    Column("n_a", "integer", "test examples of A in the outcome, each once"),
    Column("n_b", "integer", "test examples of B"),
    Column("same_examples", "integer", "targets in the outcome whose test examples are the same in both"),
    Column("settings", "text", "what differs in the settings of the arm and of all behind it; empty for nothing"),
)
TABLE = Table("differences of two studies", COLUMNS)
# what differs between the specs of pairs of nodes, of B and of A, and of all behind them, in one line
Differs = Callable[[Sequence[tuple[str, str]]], str]


def collect(first: Outputs, second: Outputs, differs: Differs) -> pd.DataFrame:
    """Return the differences of two studies, B minus A: a row for each arm that both have, and each outcome.

    Outcomes are those of a contrast (``outcomes.of_contrast``) over the targets and languages that both studies have:
    that of A's answer, where B asks for the same, else the zero-shot mean; then each target. Languages that one of the
    studies names as controls are left out. In studies of several worlds there are such rows for every world.

    Args:
        first: A.
        second: B.
        differs: says in one line what differs between pairs of nodes.

    Raises:
        UserError: as ``common``; or if predictions are missing, or no language is in common.
    """
    shared = common(first.plan, second.plan)
    _check_made("A", first)
    _check_made("B", second)
    if not shared.worlds:
        return _table(_rows_of(first, second, shared, differs))
    rows = []
    for world in shared.worlds:
        one, other = (replace(study, plan=study.plan.in_world(world)) for study in (first, second))
        rows += [{**row, "world": world} for row in _rows_of(one, other, shared, differs)]
    return _table(rows)


def _table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=[column.name for column in COLUMNS])
    return frame.astype({column.name: float for column in COLUMNS if column.optional})


def _check_made(letter: str, study: Outputs) -> None:
    nodes = dict.fromkeys(cell.node for cell in study.plan.cells)
    missing = [node for node in nodes if not path_of(study.results, node).exists()]
    if missing:
        raise UserError(
            f"{letter}, study {study.plan.study}: predictions of {len(missing)} of its {len(nodes)} nodes are missing,"
            f" the first {study.results / missing[0]}; run the study to its end"
        )


@dataclass(frozen=True)
class _Side:
    """One of the two studies: what is known of its nodes, its examples by target and language, and nodes' origins."""

    measured: Measured
    examples: ByTarget
    origins: Mapping[str, Origin]

    def nodes(self, arm: Arm, seed: int, targets: Iterable[str]) -> list[str]:
        """Return the nodes of a run on some targets."""
        return [self.measured.nodes[arm][seed][target] for target in targets]


@dataclass(frozen=True)
class _Pair:
    """The two studies.

    Attributes:
        sides: A and B.
        alike: targets whose test examples are the same in both.
        same: nodes that are the same in both, with equal predictions.
    """

    sides: tuple[_Side, _Side]
    alike: set[str]
    same: frozenset[str] = field(init=False)
    _runs: dict[Outcome, tuple[dict[Arm, Runs], dict[Arm, Runs]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Find the nodes that are the same."""
        first, second = (side.measured.scores for side in self.sides)
        same = frozenset(node for node in first if node in second and self.are_equal(node, node))
        object.__setattr__(self, "same", same)

    def are_equal(self, first: str, second: str) -> bool:
        """Tell whether a node of A and one of B have the same scores, of the examples and of every draw of them."""
        scores, others = self.sides[0].measured.scores[first], self.sides[1].measured.scores[second]
        return all(np.array_equal(values, others[name], equal_nan=True) for name, values in scores.items())

    def runs(self, outcome: Outcome) -> tuple[dict[Arm, Runs], dict[Arm, Runs]]:
        """Return the runs of all arms of each study on an outcome."""
        if outcome not in self._runs:
            first, second = (arms.runs_of(side.measured, outcome) for side in self.sides)
            self._runs[outcome] = first, second
        return self._runs[outcome]


def _rows_of(first: Outputs, second: Outputs, shared: Common, differs: Differs) -> Iterator[dict[str, Any]]:
    """Yield the rows of two studies of one world."""
    studies = first, second
    examples, alike = examples_of_both(studies, shared.targets)
    rows = {target: {name: len(split.ids) for name, split in splits.items()} for target, splits in examples[0].items()}
    found = _outcomes(first.plan, second.plan, rows)
    terms = [term for outcome in found for term in outcome.terms]
    one, other = (
        _Side(arms.measure(study.plan, study.results, splits, terms), splits, origins(study.plan))
        for study, splits in zip(studies, examples, strict=True)
    )
    pair = _Pair((one, other), alike)
    smallest = min(study.plan.answer.smallest if study.plan.answer else SMALLEST for study in studies)
    for arm in shared.arms:
        for outcome in found:
            if any(arm not in runs for runs in pair.runs(outcome)):
                continue
            yield from _rows(pair, arm, outcome, smallest, differs)


def _outcomes(first: StudyPlan, second: StudyPlan, rows: outcomes.Rows) -> list[Outcome]:
    """Return the outcomes on which arms are compared."""
    if outcomes.main_outcome(first) == outcomes.main_outcome(second) and first.benchmark == second.benchmark:
        return outcomes.of_contrast(first, rows, list(rows))
    return outcomes.zero_shot(first, rows, rows)


def _rows(pair: _Pair, arm: Arm, outcome: Outcome, smallest: float, differs: Differs) -> Iterator[dict[str, Any]]:
    """Yield the difference of an arm on an outcome, and where a run collapsed a second one without such runs."""
    everything = [found[arm] for found in pair.runs(outcome)]
    intact = [arms.without_collapsed({arm: one}).get(arm) for one in everything]
    for runs_used, used in ((ALL_RUNS, everything), (WITHOUT_COLLAPSED, intact)):
        first, second = used
        if first is None or second is None:
            continue
        if runs_used == WITHOUT_COLLAPSED and not any(any(one.collapsed) for one in everything):
            continue
        row = _row(pair, arm, outcome, (first, second), smallest)
        settings = differs(_pairs(pair, arm, outcome.targets, (first, second)))
        if row["runs"] == OTHER_RUNS and _have_other_origins(pair, arm, outcome.targets, (first, second)):
            row |= {"p": None, "verdict": ""}
            settings = "; ".join(filter(None, (OTHER_ORIGIN, settings)))
        yield row | {"settings": settings, "runs_used": runs_used}


def _have_other_origins(pair: _Pair, arm: Arm, targets: Sequence[str], used: tuple[Runs, Runs]) -> bool:
    """Tell whether an arm starts from other checkpoints in B than in A on a target, or has data of other worlds."""
    first, second = (
        [{side.origins[node] for seed in one.seeds for node in side.nodes(arm, seed, [target])} for target in targets]
        for side, one in zip(pair.sides, used, strict=True)
    )
    return first != second


def _pairs(pair: _Pair, arm: Arm, targets: Sequence[str], used: tuple[Runs, Runs]) -> list[tuple[str, str]]:
    """Return the nodes of the same seeds in B and in A; of the first seeds where none is in common."""
    seeds = [(seed, seed) for seed in used[0].seeds if seed in used[1].seeds] or [(used[0].seeds[0], used[1].seeds[0])]
    return [
        nodes
        for first, second in seeds
        for nodes in zip(
            pair.sides[1].nodes(arm, second, targets), pair.sides[0].nodes(arm, first, targets), strict=True
        )
    ]


def _row(pair: _Pair, arm: Arm, outcome: Outcome, used: tuple[Runs, Runs], smallest: float) -> dict[str, Any]:
    """Return the difference of an arm on an outcome over some runs, without what differs in settings."""
    sizes = [estimates.size_of(outcome, side.examples) for side in pair.sides]
    scores = [float(one.values[:, 0].mean()) for one in used]
    scale = SCALES[outcome.unit]
    targets = [target for target in outcome.targets if not _cancels(pair, arm, target, used)]
    shared = _shared_seeds(pair, arm, targets, used)
    row = {
        **arm._asdict(),
        **{"outcome": outcome.name, "target": outcome.target, "targets": len(outcome.targets)},
        **{"languages": sizes[0].languages, "scale": scale, "score_a": scores[0], "score_b": scores[1]},
        **{"runs_a": used[0].number, "runs_b": used[1].number, "n_a": sizes[0].n, "n_b": sizes[1].n},
        "shared_runs": min(len(shared), used[0].number, used[1].number),
        "same_examples": sum(target in pair.alike for target in outcome.targets),
        "collapsed": _collapsed(used, shared),
    }
    if not targets or _are_same_predictions(pair, arm, targets, used):
        none = {"low": np.nan, "high": np.nan, "interval": "", "verdict": ""}
        return row | {"runs": SAME_PREDICTIONS if targets else SAME_RUNS, "difference": 0.0} | none
    terms = tuple(term for term in outcome.terms if term.target in targets)
    found = _estimate(pair, arm, replace(outcome, terms=terms), used)
    return row | {
        **{"runs": OTHER_RUNS, "difference": found.value, "low": found.low, "high": found.high},
        **{"interval": found.interval, "standard_error": found.standard_error, "degrees": found.degrees},
        **{"p": found.p, "verdict": intervals.verdict(found, smallest_on(scale, smallest))},
    }


def _collapsed(used: tuple[Runs, Runs], shared: Sequence[int]) -> int:
    """Return how many different runs collapsed."""
    first, second = (dict(zip(one.seeds[: one.number], one.collapsed, strict=False)) for one in used)
    own = {seed: collapsed for seed, collapsed in second.items() if seed not in shared}
    return sum(first.values()) + sum(own.values())


def _cancels(pair: _Pair, arm: Arm, target: str, used: tuple[Runs, Runs]) -> bool:
    """Tell whether a target has the same nodes with equal predictions in the runs of both, each in equal shares."""
    shares = []
    for side, one in zip(pair.sides, used, strict=True):
        counts = Counter(node for seed in one.seeds for node in side.nodes(arm, seed, [target]))
        shares.append({node: count / len(one.seeds) for node, count in counts.items()})
    return shares[0] == shares[1] and pair.same.issuperset(shares[0])


def _are_same_predictions(pair: _Pair, arm: Arm, targets: Sequence[str], used: tuple[Runs, Runs]) -> bool:
    """Tell whether both have the same seeds, or nothing that a seed decides, and predictions that score alike."""
    first, second = (one.seeds[:1] if one.deterministic else one.seeds for one in used)
    if not all(one.deterministic for one in used) and set(first) != set(second):
        return False
    pairs = zip(sorted(first), sorted(second), strict=True)
    return all(
        pair.are_equal(*nodes)
        for one, other in pairs
        for nodes in zip(pair.sides[0].nodes(arm, one, targets), pair.sides[1].nodes(arm, other, targets), strict=True)
    )


def _estimate(pair: _Pair, arm: Arm, outcome: Outcome, used: tuple[Runs, Runs]) -> Estimate:
    """Return B minus A on an outcome, over the runs that are used."""
    first, second = (
        {**arms.without_collapsed(of_arms), arm: arms.of_seeds(of_arms[arm], one.seeds)}
        for of_arms, one in zip(pair.runs(outcome), used, strict=True)
    )
    found = _parts(pair, outcome.targets, first, second)
    pools = arms.pools_of(part for parts in found.values() for part in parts if part is not None)
    own_of_a, shared, own_of_b = found[arm]
    a, b = len(first[arm].seeds), len(second[arm].seeds)
    parts = [
        *([own_of_a.as_arm(-len(own_of_a.seeds) / a)] if own_of_a else []),
        *([shared.as_arm(len(shared.seeds) * (1 / b - 1 / a))] if shared and a != b else []),
        *([own_of_b.as_arm(len(own_of_b.seeds) / b)] if own_of_b else []),
    ]
    clusters = min(estimates.size_of(outcome, side.examples).clusters for side in pair.sides)
    sides = (first[arm], second[arm])
    has_one_run = any(len(one.seeds) < 2 and not one.deterministic for one in sides)
    # of a part all runs may have collapsed, and of the arm only some
    collapsed = any(all(one.constant) for one in sides)
    parts = [replace(part, collapsed=collapsed) for part in parts]
    if clusters < 2 or has_one_run:
        # one cluster, or one run of a study, says nothing of others: a range over examples, and no verdict
        parts, pools = [replace(part, deterministic=False) for part in parts], {}
    return intervals.estimate(parts, pools, max(clusters, 2))


# the runs of an arm that A alone has, that both have, and that B alone has
_Parts = tuple[Runs | None, Runs | None, Runs | None]


def _parts(
    pair: _Pair, targets: Sequence[str], first: Mapping[Arm, Runs], second: Mapping[Arm, Runs]
) -> dict[Arm, _Parts]:
    """Return the runs of every arm of either study, in parts that are arms of their own.

    The variance between runs is pooled within each study, for settings that differ may make runs vary differently.
    Where a run of a pool is shared, model and recipe are the same in both, and so is the pool. Runs deviate from the
    mean of their part: around the mean of all, their variance would have in it what is tested, how parts differ.
    """
    in_both = {
        arm: _shared_seeds(pair, arm, targets, (first[arm], second[arm])) if arm in first and arm in second else []
        for arm in {**first, **second}
    }
    joint = {first[arm].pool for arm, seeds in in_both.items() if seeds}

    def part(letter: str, runs: Runs | None, shared: Sequence[int], of_shared: bool = False) -> Runs | None:
        seeds = [seed for seed in runs.seeds if (seed in shared) == of_shared] if runs else []
        if runs is None or not seeds:
            return None
        pool = runs.pool if runs.pool in joint else f"{letter}: {runs.pool}"
        return replace(arms.of_seeds(runs, seeds), pool=pool)

    return {
        arm: (
            part("A", first.get(arm), shared),
            part("B", second.get(arm), shared, of_shared=True),
            part("B", second.get(arm), shared),
        )
        for arm, shared in in_both.items()
    }


def _shared_seeds(pair: _Pair, arm: Arm, targets: Iterable[str], used: tuple[Runs, Runs]) -> list[int]:
    """Return the seeds of the runs that are one and the same on all targets: the same nodes, with equal predictions."""
    seeds = [seed for seed in used[0].seeds if seed in used[1].seeds]
    nodes = {seed: [side.nodes(arm, seed, targets) for side in pair.sides] for seed in seeds}
    return [seed for seed in seeds if nodes[seed][0] == nodes[seed][1] and pair.same.issuperset(nodes[seed][0])]
