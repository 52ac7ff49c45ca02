"""The section on what a study cannot tell."""

from collections.abc import Iterator

from markupsafe import Markup, escape

from xstilts.evaluation.estimates import ALL_RUNS
from xstilts.evaluation.intervals import EXAMPLES_ONLY
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
    one_run = estimates[(estimates["interval"] == EXAMPLES_ONLY) & (estimates["runs_used"] == ALL_RUNS)]
    if len(one_run):
        said = (
            f"{wording.counted(len(one_run), 'difference')} of arms with one run, or on one cluster of examples, have a"
            " range over examples and no verdict. Another seed may give another sign."
        )
        yield "What another run would give", [escape(said)]
    needs = [
        f"{claims.named(row.claim)}{f' in {row.model}' if row.model else ''}: {row.needs}."
        for row in claims.rows(plan, estimates)
        if row.needs
    ]
    if needs:
        yield "Claims that need more than this study has", [escape(said) for said in needs]
    if plan.notes:
        yield "Left out", [escape(note) for note in plan.notes]


def _elsewhere(inputs: Inputs) -> Iterator[str]:
    plan, scores = inputs.plan, inputs.scores
    if plan.made_up:
        yield "All data are made up: nothing here is about real languages."
    languages, targets = scores["language"].nunique(), scores["target"].nunique()
    yield (
        f"{wording.counted(languages, 'language')}, {wording.counted(targets, 'target')} and"
        f" {wording.counted(scores['model'].nunique(), 'pretrained model')} are fixed: intervals say nothing of others."
    )
    flags = {"†": not scores["official"].all(), "‡": scores["sample"].any(), "!": scores["collapsed"].any()}
    shares = {"†": ~scores["official"], "‡": scores["sample"], "!": scores["collapsed"]}
    for mark, there in flags.items():
        if there:
            yield f"{shares[mark].mean():.0%} of the scores are {marks.MEANINGS[mark].replace('averaged over', 'of')}."
