"""What is compared beside what a study asks for: gains, and the differences behind the analyses.

All of it is exploratory. Names have spaces, so that no contrast of a study has one of them.
"""

from collections.abc import Iterable, Iterator, Sequence

import pandas as pd

from xstilts.evaluation import outcomes, related_mixtures
from xstilts.evaluation.comparisons import SCALES, Arm, Comparison, Side, comparisons, of_arms, of_contrast
from xstilts.evaluation.outcomes import Outcome, Rows
from xstilts.forms import metric_named
from xstilts.forms.declaration import NATS
from xstilts.store.answer import Contrast
from xstilts.store.study_plan import NONE, StudyPlan

# a mixture minus `none`; minus itself without one task; a control minus what it controls for; a mixture's outcome that
# is a difference itself, and its change; what intermediate training does to a language model in one language
GAIN, LEAVE_ONE_OUT, CONTROL = "gain over none", "leave one out", "control arm"
GAP, FORGETTING = "transfer gap", "loss in a language"
# a mixture minus `none` after a training on a few rows of each language (``few_shot.py``)
FEW_SHOT = "gain after few shots"
_OF_ANALYSES = (LEAVE_ONE_OUT, CONTROL, GAP, FORGETTING, FEW_SHOT)


def is_unasked(table: pd.DataFrame) -> pd.Series:
    """Tell for each row of a table of estimates whether it is beside what the study asks for."""
    return is_of_analysis(table) | (table["name"] == GAIN)


def is_of_analysis(table: pd.DataFrame) -> pd.Series:
    """Tell for each row of a table of estimates whether it is there for an analysis or the few-shot table alone."""
    return table["name"].isin(_OF_ANALYSES)


def all_comparisons(plan: StudyPlan, rows: Rows) -> list[Comparison]:
    """Return all that a table of estimates has: what the study asks for, then what is compared beside it.

    Of equal differences the first is there.

    Args:
        plan: the study's plan.
        rows: examples by target and language.
    """
    found = comparisons(plan, rows)
    there = {_what(one) for one in found}
    for one in of_arms(plan, _beside(plan, rows)):
        if _what(one) not in there:
            there.add(_what(one))
            found.append(one)
    return found


def _what(one: Comparison) -> tuple[object, ...]:
    return one.first, one.second, one.outcome.name, one.outcome.terms


def _beside(plan: StudyPlan, rows: Rows) -> Iterator[Comparison]:
    mixtures = related_mixtures.members(plan)
    on = outcomes.of_analyses(plan, rows)
    gaps = outcomes.transfer_gaps(plan, rows)
    over_none = [(mixture, NONE) for mixture in plan.mixtures if mixture != NONE]
    yield from _differences(plan, GAIN, over_none, on)
    yield from _differences(
        plan, LEAVE_ONE_OUT, [(one.whole, one.part) for one in related_mixtures.without_one(mixtures)], on
    )
    yield from _differences(
        plan, CONTROL, [(one.mixture, one.controlled) for one in related_mixtures.controls(mixtures)], on
    )
    yield from _gaps(plan, gaps)
    yield from _differences(plan, GAP, over_none, gaps)
    yield from _differences(plan, FORGETTING, over_none, losses(plan, rows))


def losses(plan: StudyPlan, rows: Rows) -> list[Outcome]:
    """Return the outcomes of untrained targets that are scored by a loss, in each of their languages alone.

    Args:
        plan: the study's plan.
        rows: examples by target and language.
    """
    scored = [name for name in rows if metric_named(plan.targets[name].metric).unit == NATS]
    untrained = [name for name in scored if not plan.targets[name].trained_on]
    return [outcome for name in untrained for outcome in outcomes.of_languages(plan, rows, name)]


def _differences(
    plan: StudyPlan, name: str, pairs: Iterable[tuple[str, str]], on: Sequence[Outcome]
) -> Iterator[Comparison]:
    """Yield pairs of mixtures in every model and recipe, on each of the outcomes."""
    for pair in pairs if on else ():
        yield from of_contrast(plan, name, Contrast("mixture", pair), on)


def _gaps(plan: StudyPlan, gaps: Sequence[Outcome]) -> Iterator[Comparison]:
    """Yield the transfer gap of every arm: nothing is subtracted from it."""
    for arm in dict.fromkeys(Arm(cell.model, cell.recipe, cell.mixture) for cell in plan.cells):
        for gap in gaps:
            yield Comparison(
                name=GAP,
                a=arm.mixture,
                b="",
                outcome=gap,
                scale=SCALES[gap.unit],
                recipe=arm.recipe,
                model=arm.model,
                first=(Side(1, (arm,)),),
                second=(),
            )
