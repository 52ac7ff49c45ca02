"""What a study can find, before anything is run: the smallest detectable difference of each comparison."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xstilts.evaluation import intervals, power
from xstilts.evaluation.comparisons import POINTS, Arm, Comparison, pool_of
from xstilts.evaluation.intervals import LEVEL, Components, RunVariance
from xstilts.evaluation.pilots import Noise, NoiseOf
from xstilts.evaluation.planned_examples import PlannedExamples, example_variance
from xstilts.evaluation.trainings import varies
from xstilts.store.answer import SMALLEST
from xstilts.store.study_plan import StudyPlan


@dataclass(frozen=True)
class Prospect:
    """What can be found of a comparison.

    Attributes:
        comparison: what is compared.
        noise: how much its outcome varies.
        components: of the variance of the difference.
        smallest: the smallest difference that matters, in points.
        level: at which a difference must be found: 5 %, of m primary comparisons, and of m of one claim, 5 % / m.
    """

    comparison: Comparison
    noise: Noise
    components: Components
    smallest: float
    level: float

    def detectable(self, runs: int) -> float | None:
        """Return the difference in points that so many runs an arm find in 80 % of studies; None with one run."""
        if runs < 2:
            return None
        return power.detectable(*power.with_runs(self.components, runs), level=self.level)

    def power(self, runs: int) -> float | None:
        """Return the share of studies with so many runs that find the pilots' difference; None without either."""
        if runs < 2 or self.noise.difference is None:
            return None
        return power.power(self.noise.difference, *power.with_runs(self.components, runs), level=self.level)

    @property
    def runs_needed(self) -> float:
        """The fewest runs an arm that find the smallest difference that matters; infinite if none do."""
        return power.runs_needed(self.components, self.smallest, level=self.level)

    @property
    def examples_needed(self) -> float:
        """How many times as many test examples it takes at least, so that runs alone can do the rest; 1 for enough."""
        without_runs = Components(0.0, math.inf, self.components.example, self.components.clusters)
        found = power.detectable(*power.with_runs(without_runs, 2), level=self.level)
        return max(1.0, (found / self.smallest) ** 2)


def prospects(
    plan: StudyPlan, asked: Sequence[Comparison], examples: Mapping[str, PlannedExamples], noise_of: NoiseOf
) -> list[Prospect]:
    """Return what can be found of the comparisons by which a study is judged, the primary ones first.

    These are of each comparison its main outcome, and the targets that a contrast names; of a claim in a model and by a
    recipe the comparison that is hardest to find, for a claim is supported by all of its comparisons. Differences in
    log-odds and in nats, and those from the single task that is best in hindsight, are left out.

    A primary difference is found once it holds at 5 % corrected for the m primary comparisons, one of a claim corrected
    for the m of this claim. Of Holm's steps the strictest is taken, 5 % / m, so that it is found whatever the others
    show.

    Args:
        plan: the study's plan.
        asked: all comparisons.
        examples: the test examples by target.
        noise_of: gives the noise of a comparison.
    """
    smallest = plan.answer.smallest if plan.answer else SMALLEST

    def prospect(one: Comparison, together: int) -> Prospect:
        noise = noise_of(one)
        return Prospect(one, noise, _components(plan, one, examples, noise), smallest, LEVEL / together)

    of_claims: dict[tuple[str, str, str], list[Comparison]] = {}
    others = []
    for one in asked:
        if one.is_of_claim:
            of_claims.setdefault((one.name, one.model, one.recipe), []).append(one)
        else:
            others.append(one)
    primary = sum(one.primary for one in others)
    main = sorted(_main(plan, others), key=lambda one: not one.primary)
    found = [prospect(one, primary if one.primary else 1) for one in main]
    for claim in of_claims.values():
        in_points = [prospect(one, len(claim)) for one in claim if one.scale == POINTS]
        found += [max(in_points, key=lambda one: (one.runs_needed, one.examples_needed))] if in_points else []
    return found


def _main(plan: StudyPlan, asked: Sequence[Comparison]) -> list[Comparison]:
    # the main outcome comes first, and the single task that is best in hindsight last
    first: dict[tuple[str, ...], Comparison] = {}
    found = []
    for one in asked:
        if one.scale != POINTS:
            continue
        arms = (one.name, one.kind, one.budget, one.family, one.size, one.recipe, one.model, one.mixture)
        contrast = plan.contrasts.get(one.name)
        is_named = contrast is not None and one.outcome.target in (contrast.targets or ())
        if first.setdefault(arms, one) is one or is_named:
            found.append(one)
    return found


def _components(
    plan: StudyPlan, comparison: Comparison, examples: Mapping[str, PlannedExamples], noise: Noise
) -> Components:
    """Return the components of the variance of a comparison, its arms in pools as ``arms.py`` has them.

    Where one of several candidates is chosen in each run, what is chosen is an arm with an estimate of its own. Where
    no pilot has the comparison, all arms are taken to vary alike.
    """
    if noise.components is not None:
        return noise.components
    sides = (*comparison.first, *comparison.second)
    arms_of = Counter(pool_of(plan, arm) for arm in {Arm(cell.model, cell.recipe, cell.mixture) for cell in plan.cells})
    squares: dict[str, float] = {}
    pools: dict[str, RunVariance] = {}
    for side in sides:
        pool = pool_of(plan, side.arms[0]) if side.choice is None else f"chosen of {side.arms}"
        share = _varying_share(plan, comparison, side.arms[0], noise.per_target)
        squares[pool] = squares.get(pool, 0.0) + share * side.coefficient**2
        arms = arms_of.get(pool, 1)
        pools[pool] = RunVariance(noise.run_sd**2, arms, arms)
    example, clusters = example_variance(comparison.outcome, examples, sum(side.coefficient**2 for side in sides))
    return intervals.components(squares, pools, example, clusters)


def _varying_share(plan: StudyPlan, comparison: Comparison, arm: Arm, per_target: bool) -> float:
    """Return by what the variance between runs is multiplied in an arm's outcome.

    Where it is that of one target, an outcome has the sum of the squared weights of its targets, for targets vary
    independently. What no seed decides, a model as it is published, does not vary.
    """
    cells = (cell for cell in plan.cells if Arm(cell.model, cell.recipe, cell.mixture) == arm)
    varying = {cell.target for cell in cells if varies(plan, cell.node)}
    weights: dict[str, float] = {}
    for term in comparison.outcome.terms:
        if term.target in varying:
            weights[term.target] = weights.get(term.target, 0.0) + term.weight
    return sum(weight**2 for weight in weights.values()) if per_target else float(bool(weights))
