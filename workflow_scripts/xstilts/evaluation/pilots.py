"""How much the outcomes of a study will vary between runs: as stated, or as in earlier studies, its pilots."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from xstilts.errors import UserError
from xstilts.evaluation import estimates
from xstilts.evaluation.comparisons import COMPARED, DIFFERENCE, POINTS, Comparison
from xstilts.evaluation.intervals import RUNS_AND_EXAMPLES, Components
from xstilts.evaluation.outcomes import Outcome
from xstilts.evaluation.planned_examples import PlannedExamples, example_variance, planned_examples
from xstilts.evaluation.unasked import all_comparisons, is_of_analysis
from xstilts.store import study_plan
from xstilts.store.study_plan import StudyPlan

# what a variance between runs is taken from, the best first
STATED, SAME, SAME_MODEL, SAME_OUTCOME, OTHER_TARGETS = (
    "stated",
    "same comparison",
    "same model",
    "same outcome",
    "other targets",
)
# what makes two comparisons the same one, with the outcome, whatever their names
_NAMES = [name for name in COMPARED if name != "name"]
_OUTCOME = ["outcome", "target", "targets"]


@dataclass(frozen=True)
class Noise:
    """How much the outcome of a comparison varies.

    Attributes:
        run_sd: standard deviation between runs of one arm, in points.
        per_target: whether it is that of one target; else of the whole outcome.
        source: STATED, or which rows of the pilots it is from.
        components: of the variance of the difference, at the number of examples that the study has; None where no
            pilot has the same comparison.
        difference: the pilots' own estimate, in points: their mean.
    """

    run_sd: float
    per_target: bool
    source: str
    components: Components | None = None
    difference: float | None = None


NoiseOf = Callable[[Comparison], Noise]


def stated(run_sd: float) -> NoiseOf:
    """Return the noise of any comparison, where runs of an arm have this standard deviation, in points, on a target."""
    return lambda comparison: Noise(run_sd, per_target=True, source=STATED)


@dataclass(frozen=True)
class _Pilot:
    """The plan of a pilot, and its test examples by target."""

    plan: StudyPlan
    examples: Mapping[str, PlannedExamples]

    def outcome(self, comparison: Comparison) -> Outcome:
        """Return the outcome on which the pilot has the same comparison."""
        asked = all_comparisons(self.plan, {target: planned.rows for target, planned in self.examples.items()})
        identity = _identity(comparison)
        return next(one.outcome for one in asked if _identity(one) == identity)


def read(folders: Sequence[Path], examples: Mapping[str, PlannedExamples]) -> NoiseOf:
    """Return the noise of a comparison in the outputs of earlier studies, variances averaged over them.

    It is that of the same comparison, in which each arm varies as it does in the pilots; else the variance between runs
    of the same outcome in the same models, or in any; else that of the pilots' single targets. What examples add is
    brought to the study's number of them: it is multiplied by the ratio of what is assumed of the study's and of the
    pilot's examples (``planned_examples.py``).

    Args:
        folders: of the outputs of one or more studies; of a study in several worlds, each world counts as one.
        examples: the study's test examples by target.

    Raises:
        UserError: if a folder has no estimates, or none with a variance between runs.
    """
    frames, pilots = [], []
    for number, folder in enumerate(folders):
        path = folder / estimates.FILE
        frame = estimates.read(path)
        measured = (
            (frame["interval"] == RUNS_AND_EXAMPLES)
            & (frame["runs_used"] == estimates.ALL_RUNS)
            & (frame["scale"] == POINTS)
            # a transfer gap varies in another way, and no study asks for one
            & ~is_of_analysis(frame)
        )
        if not measured.any():
            raise UserError(
                f"{path}: no difference has a variance between runs; the pilot needs two seeds or more, or state it"
                " with --run-sd"
            )
        plan = study_plan.read(folder / study_plan.FILE)
        pilots.append(_Pilot(plan, planned_examples(plan)))
        frames.append(frame[measured].assign(pilot=number))
    rows = pd.concat(frames, ignore_index=True)
    return lambda comparison: _noise(comparison, rows, pilots, examples)


def _noise(
    comparison: Comparison, rows: pd.DataFrame, pilots: Sequence[_Pilot], examples: Mapping[str, PlannedExamples]
) -> Noise:
    outcome = comparison.outcome
    identity = _identity(comparison)
    has_outcome = _are(rows, {name: identity[name] for name in _OUTCOME})
    same = rows[has_outcome & _are(rows, identity)]
    if len(same):
        variance, clusters = example_variance(outcome, examples, 1)
        of_pilots = {
            number: example_variance(pilots[number].outcome(comparison), pilots[number].examples, 1)
            for number in same["pilot"].unique()
        }
        more_variance = same["pilot"].map({number: variance / planned for number, (planned, _) in of_pilots.items()})
        more_clusters = same["pilot"].map({number: clusters / planned for number, (_, planned) in of_pilots.items()})
        return Noise(
            _quadratic_mean(same["run_sd"]),
            per_target=False,
            source=SAME,
            components=Components(
                run=float(same["run_variance"].mean()),
                arms=float(same["run_degrees"].mean()),
                example=float((same["example_part"] ** 2 * more_variance).mean()),
                clusters=round((same["clusters"] * more_clusters).mean()),
            ),
            difference=float(same["estimate"].mean()),
        )
    models = {arm.model for side in (*comparison.first, *comparison.second) for arm in side.arms}
    of_models = rows["model"].isin(models) & (rows["kind"] == DIFFERENCE)
    for chosen, source in ((has_outcome & of_models, SAME_MODEL), (has_outcome, SAME_OUTCOME)):
        if chosen.any():
            return Noise(_quadratic_mean(rows[chosen]["run_sd"]), per_target=False, source=source)
    single = rows["targets"] == 1
    if not single.any():
        raise UserError(
            f"{comparison.name}: no pilot has the outcome {outcome.name} of {len(outcome.targets)} targets, nor any"
            " single target; take another pilot, or state the variance with --run-sd"
        )
    return Noise(_quadratic_mean(rows[single]["run_sd"]), per_target=True, source=OTHER_TARGETS)


def _identity(comparison: Comparison) -> dict[str, object]:
    """Return what makes two comparisons the same one, by columns of the table of estimates."""
    outcome = comparison.outcome
    values = (outcome.name, outcome.target, len(outcome.targets))
    return {name: getattr(comparison, name) for name in _NAMES} | dict(zip(_OUTCOME, values, strict=True))


def _are(rows: pd.DataFrame, values: Mapping[str, object]) -> pd.Series:
    """Tell which rows have these values."""
    return (rows[list(values)] == pd.Series(values)).all(axis="columns")


def _quadratic_mean(values: pd.Series) -> float:
    return float(np.sqrt(np.mean(np.square(values.to_numpy(float)))))
