"""What a study can find and what it cannot answer, before anything is run: a table, sentences, and the same as JSON."""

import math
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xstilts.evaluation.comparisons import ANSWER, BEST_SINGLE, CLAIM, COMPARED, Comparison
from xstilts.evaluation.intervals import LEVEL
from xstilts.evaluation.pilots import STATED
from xstilts.evaluation.prospects import Prospect
from xstilts.reporting.layout import columns
from xstilts.reporting.wording import about, counted
from xstilts.store.answer import BEST, LARGE, SMALL, Answer
from xstilts.store.study_plan import StudyPlan

_LINE = 120


# GPU-hours by number of runs
HoursByRuns = Mapping[int, float]


@dataclass(frozen=True)
class ReportedHours:
    """GPU-hours of a study and of its primary comparisons.

    Attributes:
        whole: of the whole study.
        primary: of all that the primary comparisons need, together; None where none is primary.
        of_each: of what each primary comparison needs alone.
    """

    whole: HoursByRuns
    primary: HoursByRuns | None
    of_each: Mapping[Comparison, HoursByRuns]


@dataclass(frozen=True)
class PowerReport:
    """What is reported.

    Attributes:
        plan: the study's plan.
        prospects: what can be found of each comparison, the primary ones first.
        runs: numbers of runs an arm, the study's own among them, in ascending order.
        own: the study's own number of runs.
        variance: where the variance between runs is from, in words.
        gpu: the GPU type of ``hours``.
        hours: GPU-hours; None where they are not known.
        no_hours: why not.
    """

    plan: StudyPlan
    prospects: Sequence[Prospect]
    runs: Sequence[int]
    own: int
    variance: str
    gpu: str | None
    hours: ReportedHours | None
    no_hours: str = ""


def to_json(report: PowerReport) -> dict[str, Any]:
    """Return a report as JSON values; what is infinite, or not there with one run an arm, is null."""
    return {
        "study": report.plan.study,
        "runs": list(report.runs),
        "own_runs": report.own,
        "variance": report.variance,
        "gpu": report.gpu,
        "hours": _hours_json(report.hours.whole) if report.hours else None,
        "primary_hours": _hours_json(report.hours.primary) if report.hours else None,
        "comparisons": [_row(prospect, report) for prospect in report.prospects],
        "not_answered": list(_not_answered(report)),
    }


def _hours_json(hours: HoursByRuns | None) -> dict[str, float] | None:
    return None if hours is None else {str(runs): round(of_runs, 1) for runs, of_runs in hours.items()}


def _row(prospect: Prospect, report: PowerReport) -> dict[str, Any]:
    one, needed, runs = prospect.comparison, prospect.runs_needed, report.runs
    return {
        **{name: getattr(one, name) for name in (*COMPARED, "primary")},
        "outcome": one.outcome.name,
        "target": one.outcome.target,
        "targets": len(one.outcome.targets),
        "level": prospect.level,
        "smallest": prospect.smallest,
        "variance": prospect.noise.source,
        "run_sd": prospect.noise.run_sd,
        "example_part": math.sqrt(prospect.components.example),
        "detectable": {str(number): prospect.detectable(number) for number in runs},
        "runs_needed": None if math.isinf(needed) else int(needed),
        "pilot_difference": prospect.noise.difference,
        "power": {str(number): prospect.power(number) for number in runs},
        "hours": _hours_json(report.hours.of_each.get(one)) if report.hours else None,
    }


def text(report: PowerReport) -> str:
    """Return the table and the sentences around it."""
    title = (
        f"{report.plan.title}, {counted(report.own, 'run')} an arm (*). The smallest difference, in points, that is"
        " found in 80 % of studies, by runs an arm:"
    )
    below = [*_meaning(report), "", "What this study cannot answer, and what would:"]
    below += [f"- {sentence}" for sentence in _not_answered(report)] or ["- Nothing of what it asks."]
    return "\n".join([*_wrapped([title, ""]), *_table(report), *_wrapped(["", *below])]) + "\n"


def _wrapped(paragraphs: Sequence[str]) -> Iterator[str]:
    for paragraph in paragraphs:
        indent = "  " if paragraph.startswith("- ") else ""
        yield from textwrap.wrap(paragraph, _LINE, subsequent_indent=indent, break_on_hyphens=False) or [""]


def _table(report: PowerReport) -> list[str]:
    """Return the lines of the table: a row a comparison, and the hours of the study and of the primary comparisons."""
    prospects, plan = report.prospects, report.plan
    # columns that say the same of all rows are left out
    has_pilots = any(prospect.noise.difference is not None for prospect in prospects)
    has_sources = len({prospect.noise.source for prospect in prospects}) > 1
    numbers = [f"{number}{'*' if number == report.own else ''}" for number in report.runs]
    header = ["comparison", "in", "outcome", *numbers, "needed"]
    header += ["pilots (power*)"] * has_pilots + ["variance of"] * has_sources
    rows = []
    for prospect in prospects:
        found = [_points(prospect.detectable(number)) for number in report.runs]
        needed = prospect.runs_needed
        cells = [*found, "none" if math.isinf(needed) else _runs(needed)]
        cells += [_pilots(prospect, report.own)] * has_pilots + [prospect.noise.source] * has_sources
        one = prospect.comparison
        name = "" if one.name == ANSWER else f"{one.name.removeprefix(f'{CLAIM} ')}: "
        rows.append([f"  {name}{one.a} - {one.b}", _where(one, plan), _outcome(one), *cells])
    rows += [[*row, *[""] * (len(header) - len(row))] for row in _hours_rows(report)]
    lines = [line.rstrip() for line in columns((header, rows), 3)]
    primary = sum(prospect.comparison.primary for prospect in prospects)
    claims = sum(prospect.comparison.is_of_claim for prospect in prospects)
    # claims are the last comparisons of a study, and none is primary
    numbers_of = {"primary": primary, "exploratory": len(prospects) - primary - claims, "claims": claims}
    place = 1
    for group, number in numbers_of.items():
        lines[place:place] = [group] if number else []
        place += number + bool(number)
    return lines


def _hours_rows(report: PowerReport) -> Iterator[list[str]]:
    """Yield the cells of the rows of hours."""
    if report.hours is None:
        yield ["GPU-hours", "whole study", "", *["-" for _ in report.runs]]
        return
    for name, hours in (("whole study", report.hours.whole), ("primary comparisons", report.hours.primary)):
        if hours is not None:
            yield [f"GPU-hours ({report.gpu})", name, "", *[f"{hours[number]:.0f}" for number in report.runs]]


def _where(one: Comparison, plan: StudyPlan) -> str:
    """Return in which model, or models, two mixtures are compared, or on which mixture two models."""
    of_answer = [one.family, one.size or f"{LARGE} - {SMALL}", one.budget] if one.name == ANSWER else []
    recipes = {cell.recipe for cell in plan.cells}
    model = "" if one.name == ANSWER else one.model
    words = [*of_answer, model, one.mixture, one.recipe if len(recipes) > 1 else ""]
    return ", ".join(word for word in words if word)


def _outcome(one: Comparison) -> str:
    return one.outcome.target or f"{one.outcome.name} of {len(one.outcome.targets)}"


def _points(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _runs(number: float) -> str:
    """Return a finite number of runs that are needed, such as ``12`` or ``more than 1000``."""
    return about(number).removeprefix("about ")


def _pilots(prospect: Prospect, own: int) -> str:
    if prospect.noise.difference is None:
        return "-"
    share = prospect.power(own)
    return f"{prospect.noise.difference:+.1f}" + ("" if share is None else f" ({share:.0%})")


def _meaning(report: PowerReport) -> Iterator[str]:
    """Yield what the figures mean and what is assumed."""
    primary = [prospect for prospect in report.prospects if prospect.comparison.primary]
    found = "Found: the 95 % interval over runs and examples is away from 0 (two-sided, 5 %)."
    if len(primary) > 1:
        found += (
            " Primary comparisons are corrected for each other (Holm): here each must hold in the strictest step, at"
            f" 5 % / {round(LEVEL / primary[0].level)}."
        )
    if any(prospect.comparison.is_of_claim and prospect.level < LEVEL for prospect in report.prospects):
        found += (
            " The comparisons of a claim are corrected for each other too: of n in a model, the one that is hardest to"
            " find is shown, at 5 % / n."
        )
    smallest = counted(report.prospects[0].smallest, "point")
    yield (
        f"{found} Needed: the fewest runs an arm that find {smallest}, the smallest difference that matters; for what"
        " is undecided, the report of a study that has run names those that find the difference seen, if that is"
        " larger."
    )
    if min(report.runs) < 2 <= report.own:
        yield "-: with one run an arm nothing gets a verdict, because what is random between runs is not seen."
    yield report.variance
    if _assumes(report.prospects):
        yield (
            "The part of the examples is assumed, rather too large than too small: scores are right or wrong with even"
            " chances, two arms correlate by one half on an example, and what they differ by correlates by one quarter"
            " between its translations. A pilot measures it."
        )
    if any(prospect.comparison.b == BEST_SINGLE and prospect.noise.source == STATED for prospect in report.prospects):
        yield "The best single task is chosen anew in every run; what choosing adds to the variance is left out."
    for prospect in primary:
        power = prospect.power(report.own)
        if power is not None:
            yield (
                f"{_sentence_name(prospect.comparison, report.plan)}: the pilots' difference was"
                f" {prospect.noise.difference:+.1f} points; so large a one is found with power {power:.0%} at"
                f" {counted(report.own, 'run')}."
            )
    if report.hours is None:
        yield f"GPU-hours: {report.no_hours}"
        return
    yield f"GPU-hours: of one {report.gpu} for the whole study, upper bounds, as `xstilts estimate` has them." + (
        " Those of the primary comparisons are of what these need alone: the results of their arms, the trainings and"
        " searches of learning rates behind them, and of a best single task all those among which it is chosen."
        if report.hours.primary
        else ""
    )


def _assumes(prospects: Sequence[Prospect]) -> bool:
    """Tell whether the examples' part of the variance is assumed in any comparison."""
    return any(prospect.noise.components is None for prospect in prospects)


def _sentence_name(one: Comparison, plan: StudyPlan) -> str:
    return f"{one.a} - {one.b} ({_where(one, plan)}; {_outcome(one)})"


def _not_answered(report: PowerReport) -> Iterator[str]:
    """Yield a sentence for everything that the study cannot answer, and what would."""
    if report.own < 2:
        yield (
            "Any difference: with one run an arm nothing gets a verdict, because what is random between runs is not"
            " seen. It takes two seeds."
        )
    yield from _undetected(report)
    if report.plan.answer is None:
        yield "Whether several tasks are better than a single one: state it as `answer` in the study file."
    else:
        yield from _lacking_arms(report.plan, report.plan.answer)


def _undetected(report: PowerReport) -> Iterator[str]:
    """Yield which differences that matter are too small to be found: primary ones by name, others by number."""
    named: dict[tuple[str, str, str], list[str]] = {}
    numbered: dict[tuple[str, bool], list[Prospect]] = {}
    for prospect in report.prospects:
        found, one = prospect.detectable(report.own), prospect.comparison
        if found is None or found <= prospect.smallest:
            continue
        if one.primary:
            key = (f"{one.a} - {one.b}", f"{_outcome(one)}, finds {found:.2f}", _remedy([prospect]))
            named.setdefault(key, []).append(_where(one, report.plan))
        else:
            noun = "claim" if prospect.comparison.is_of_claim else "exploratory comparison"
            numbered.setdefault((noun, math.isinf(prospect.runs_needed)), []).append(prospect)
    smallest = counted(report.prospects[0].smallest, "point")
    for (sides, figures, remedy), places in named.items():
        yield f"{smallest} in {sides}, primary ({figures}; {'; '.join(places)}). {remedy}"
    for (noun, _), prospects in numbered.items():
        finds = _range([prospect.detectable(report.own) or 0.0 for prospect in prospects], _points)
        yield f"{smallest} in {counted(len(prospects), noun)} (finds {finds}). {_remedy(prospects)}"


def _remedy(prospects: Sequence[Prospect]) -> str:
    """Return what would find the smallest difference that matters: runs, or examples where no number of runs does."""
    needed = [prospect.runs_needed for prospect in prospects]
    if not any(map(math.isinf, needed)):
        return f"It takes {_range(needed, _runs)} runs an arm."
    times = [math.ceil(10 * prospect.examples_needed) / 10 for prospect in prospects]
    several = f"{_range(times, '{:.1f}'.format)} times as many, or more"
    return f"No number of runs does: the examples alone are too few. It takes {several}."


def _range(values: Sequence[float], words: Callable[[float], str]) -> str:
    """Return the lowest and the highest of some values, once where they are written alike."""
    return " to ".join(dict.fromkeys(map(words, (min(values), max(values)))))


def _lacking_arms(plan: StudyPlan, answer: Answer) -> Iterator[str]:
    for name, family in answer.families.items():
        lacking = SMALL if family.small is None else LARGE if family.large is None else None
        if lacking is not None:
            yield f"Whether size matters in {name}: it has no {lacking} model; with one there is an interaction."
    for name, budget in answer.budgets.items():
        alone = {task for single in budget.singles for task in plan.mixtures[single]}
        without = [task for task in plan.mixtures[budget.multi] if task not in alone]
        if budget.single == BEST and without:
            yield (
                f"Whether {budget.multi} is better than the best of its {len(plan.mixtures[budget.multi])} tasks"
                f" ({name}): only {', '.join(budget.singles)} are there alone. It takes single mixtures of"
                f" {', '.join(without)}."
            )
    if len(answer.budgets) == 1:
        (only,) = answer.budgets
        yield f"Whether the budget matters: it compares at {only} only; `answer.budgets` can have both."
