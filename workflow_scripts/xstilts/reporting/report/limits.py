"""The section on what a study cannot tell."""

from collections.abc import Iterator, Sequence

from markupsafe import Markup, escape

from xstilts.evaluation.estimates import ALL_RUNS
from xstilts.evaluation.intervals import EXAMPLES_ONLY
from xstilts.evaluation.unasked import is_unasked
from xstilts.reporting import claims, marks, wording
from xstilts.reporting.report.findings import undecided
from xstilts.reporting.report.page import Inputs, Section


def limits(inputs: Inputs) -> Section:
    """Return what the study cannot tell: what is open, what was left out, what it lacks, and what is fixed."""
    values = {"groups": dict(_groups(inputs))}
    return Section(id="limits", title="What this study cannot tell", values=values, template="limits.html")


def _groups(inputs: Inputs) -> Iterator[tuple[str, list[Markup]]]:
    plan, estimates = inputs.plan, inputs.estimates
    yield "Whether it holds elsewhere", [escape(said) for said in _elsewhere(inputs)]
    if found := undecided(inputs):
        yield "Primary comparisons that it leaves open", found
    asked = estimates[estimates["world"].isna() & (estimates["runs_used"] == ALL_RUNS) & ~is_unasked(estimates)]
    one_run = asked[asked["interval"] == EXAMPLES_ONLY]
    if len(one_run):
        said = (
            f"{wording.counted(len(one_run), 'difference')} of arms with one run or only collapsed ones, or on one"
            f" cluster of examples, {'has' if len(one_run) == 1 else 'have'} a range over examples and no verdict. Another seed may give another sign."
        )
        yield "What another run would give", [escape(said)]
    # what a claim needs in all models is said once
    needs: dict[tuple[str, str], list[str]] = {}
    for row in claims.rows(plan, estimates):
        if row.needs:
            needs.setdefault((claims.named(row.claim), row.needs), []).append(row.model)
    if needs:
        lacks = [f"{claim}{_in(models)}: {lacking}." for (claim, lacking), models in needs.items()]
        yield "Claims that need more than this study has", list(map(escape, lacks))
    if plan.notes:
        yield "Left out", [escape(note) for note in plan.notes]


def _in(models: Sequence[str]) -> str:
    found = list(dict.fromkeys(filter(None, models)))
    return f" in {wording.listed(found)}" if found else ""


def _elsewhere(inputs: Inputs) -> Iterator[str]:
    plan, scores = inputs.plan, inputs.scores
    if plan.made_up:
        yield "All data are made up: nothing here is about real languages."
    languages, targets = scores["language"].nunique(), scores["target"].nunique()
    yield (
        f"{wording.counted(languages, 'language')}, {wording.counted(targets, 'target')} and"
        f" {wording.counted(scores['model'].nunique(), 'pretrained model')} are fixed: intervals say nothing of others."
    )
    flags = {"†": ~scores["official"], "‡": scores["sample"], "!": scores["collapsed"]}
    shares = {mark: flag.mean() for mark, flag in flags.items()}
    for mark, share in shares.items():
        if share:
            number = "All scores" if share == 1 else f"{share:.0%} of the scores"
            yield f"{number} are {marks.MEANINGS[mark].replace('averaged over', 'of')}."
