"""Outcomes: what two arms are compared by, a weighted sum of scores over targets, languages and metrics.

An outcome is a sum of weights times scores, so it is computed from the scores of a run as well as from those of every
draw of examples. Weights are those of the tables: the zero-shot mean of the main table, and a benchmark's formulas
(``benchmarks.py``). Without controls: languages that the study averages apart are in no outcome but their own.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from xstilts.evaluation.benchmarks import RETRIEVAL, shares_data
from xstilts.forms import FORMS, metric_named
from xstilts.forms.declaration import PERCENT
from xstilts.references import SOURCE_LANGUAGE
from xstilts.store.study_plan import PlannedTarget, StudyPlan

# names of outcomes, as the table of estimates and texts have them
ZERO_SHOT, BENCHMARK = "zero-shot", "benchmark"
WITHOUT_RETRIEVAL, WITHOUT_SAME_DATA = "without retrieval", "without same data"
WITHOUT_SOURCE = "without source language"
CONTROLS, SOURCE = "control languages", "source language"
TRANSFER_GAP = "transfer gap"

# examples by target and language
Rows = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True)
class Term:
    """A score in an outcome, and its weight."""

    target: str
    language: str
    metric: str
    weight: float


@dataclass(frozen=True)
class Outcome:
    """A weighted sum of scores.

    Attributes:
        name: what it is.
        target: the one target that is in it; empty for a mean over targets.
        terms: the scores; their weights sum to 1, and to 0 where targets or languages are subtracted from others.
    """

    name: str
    target: str
    terms: tuple[Term, ...]

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets in it."""
        return tuple(dict.fromkeys(term.target for term in self.terms))

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages in it."""
        return tuple(dict.fromkeys(term.language for term in self.terms))

    @property
    def unit(self) -> str:
        """The unit of its metrics."""
        return metric_named(self.terms[0].metric).unit


# the terms of one target, whose weights sum to 1; none where the target has nothing of the kind
Part = Callable[[str], Sequence[Term]]


def _terms(target: str, metrics: Sequence[str], weights: Mapping[str, float]) -> list[Term]:
    """Return the terms of a target: the mean over metrics of the mean over languages by weight."""
    total = sum(weights.values()) * len(metrics)
    return [
        Term(target, language, metric, weight / total) for metric in metrics for language, weight in weights.items()
    ]


def _zero_shot(plan: StudyPlan, rows: Rows) -> Part:
    """Give the mean over languages other than the source, itself where there is no other; without controls."""

    def part(name: str) -> list[Term]:
        target = plan.targets[name]
        others = [language for language in rows[name] if language != target.language] or [target.language]
        return _equal(target, name, [language for language in others if language not in plan.controls])

    return part


def _equal(target: PlannedTarget, name: str, languages: Iterable[str]) -> list[Term]:
    return _terms(name, [target.metric], dict.fromkeys(languages, 1.0))


def _of_benchmark(plan: StudyPlan, rows: Rows, languages: Callable[[str], bool]) -> Part:
    """Give the score of a benchmark's task over the languages that count; see the formula S in ``benchmarks.py``."""

    def part(name: str) -> list[Term]:
        entry = plan.benchmark.tasks.get(name) if plan.benchmark else None
        if entry is None:
            return []
        counted = [language for language in entry.languages if language in rows[name] and languages(language)]
        weights = {language: float(rows[name][language]) if entry.pooled else 1.0 for language in counted}
        return _terms(name, entry.metrics, weights)

    return part


def of_contrast(plan: StudyPlan, rows: Rows, targets: Sequence[str]) -> list[Outcome]:
    """Return the outcomes of a contrast: of several targets in percent together, and of each target.

    They are the main outcomes of the study; after them come the zero-shot outcomes of targets that its benchmark lacks.

    Args:
        plan: the study's plan.
        rows: examples by target and language.
        targets: the targets that both sides have.
    """
    name, part = _main(plan, rows)
    lacking = [target for target in targets if not part(target)]
    return [*_of_targets(name, part, targets), *zero_shot(plan, rows, lacking)]


def zero_shot(plan: StudyPlan, rows: Rows, targets: Iterable[str]) -> list[Outcome]:
    """Return the zero-shot outcomes of several targets in percent together, and of each target.

    Args:
        plan: the study's plan.
        rows: examples by target and language.
        targets: the targets.
    """
    return _of_targets(ZERO_SHOT, _zero_shot(plan, rows), targets)


def _of_targets(name: str, part: Part, targets: Iterable[str]) -> list[Outcome]:
    """Return the outcome of several targets in percent together, and of each target, first of those in percent."""
    alone = sorted(_alone(name, part, targets), key=lambda one: one.unit != PERCENT)
    together = _together(name, part, [one.target for one in alone if one.unit == PERCENT])
    return ([together] if together and len(together.targets) > 1 else []) + alone


def of_answer(plan: StudyPlan, rows: Rows, mixtures: Iterable[str]) -> list[Outcome]:
    """Return the outcomes of a study's answer: the main one, its variants, and each target alone.

    A variant is there where it differs from the main outcome, and where the study has anything in it.

    Args:
        plan: the study's plan, which has an answer.
        rows: examples by target and language.
        mixtures: those compared, all candidates of the single-task arm among them.
    """
    name, part = _main(plan, rows)
    in_other_languages = (
        _benchmark_in_other_languages(plan, rows) if name == BENCHMARK else _zero_shot_in_other_languages(plan, rows)
    )
    targets = _in_percent(plan, rows)
    alone = _alone(name, part, rows)
    main = _together(name, part, targets)
    variants = [
        _together(WITHOUT_RETRIEVAL, part, [one for one in targets if not is_retrieval(plan, one)]),
        _together(WITHOUT_SAME_DATA, part, _without_same_data(plan, targets, mixtures)),
        *(_together(variant, its_part, targets) for variant, its_part in in_other_languages),
    ]
    if main is None:
        return alone
    return [main, *(one for one in (*variants, *alone) if one is not None and one.terms != main.terms)]


def of_analyses(plan: StudyPlan, rows: Rows) -> list[Outcome]:
    """Return the zero-shot outcomes of the main table, and before them the mean that the study asks for, if another.

    Args:
        plan: the study's plan.
        rows: examples by target and language.
    """
    name, part = _main(plan, rows)
    of_table = zero_shot(plan, rows, rows)
    main = _together(name, part, _in_percent(plan, rows))
    is_another = main is not None and all(main.terms != one.terms for one in of_table)
    return [*([main] if main is not None and is_another else []), *of_table]


def transfer_gaps(plan: StudyPlan, rows: Rows) -> list[Outcome]:
    """Return the source language minus the zero-shot mean, for targets that are trained and scored in both.

    It is the cross-lingual transfer gap of Hu et al. 2020 (XTREME, section 4): of several targets in percent together,
    and of each target.

    Args:
        plan: the study's plan.
        rows: examples by target and language.
    """

    def part(name: str) -> list[Term]:
        target = plan.targets[name]
        others = [one for one in rows[name] if one != target.language and one not in plan.controls]
        if not others or not target.trained_on or target.language not in rows[name]:
            return []
        zero_shot = _equal(target, name, others)
        return [*_equal(target, name, [target.language]), *(replace(term, weight=-term.weight) for term in zero_shot)]

    return _of_targets(TRANSFER_GAP, part, rows)


def of_languages(plan: StudyPlan, rows: Rows, target: str) -> list[Outcome]:
    """Return the outcome of a target in each of its languages alone.

    Args:
        plan: the study's plan.
        rows: examples by target and language.
        target: the target.
    """
    entry = plan.targets[target]
    return [Outcome(f"in {one}", target, tuple(_equal(entry, target, [one]))) for one in rows[target]]


def of_claim(plan: StudyPlan, rows: Rows, target: str, against: str) -> Outcome | None:
    """Return the main outcome of a study, or that of one target, or of one minus another; None where there is none.

    Args:
        plan: the study's plan.
        rows: examples by target and language.
        target: the one target; empty for all.
        against: the target that is subtracted; empty for none.
    """
    name, part = _main(plan, rows)
    if not target:
        return _together(name, part, _in_percent(plan, rows))
    first, second = (_alone(name, part, [one] if one else []) for one in (target, against))
    if not first or not against:
        return first[0] if first else None
    if not second or first[0].unit != second[0].unit:
        return None
    subtracted = [replace(term, weight=-term.weight) for term in second[0].terms]
    return Outcome(name, f"{target} minus {against}", (*first[0].terms, *subtracted))


def main_outcome(plan: StudyPlan) -> str:
    """Return the name of the outcome that a study asks for; without an answer the benchmark's, if it has one."""
    asked = plan.answer.outcome if plan.answer else "benchmark" if plan.benchmark else "zero_shot"
    return BENCHMARK if asked == "benchmark" else ZERO_SHOT


def _main(plan: StudyPlan, rows: Rows) -> tuple[str, Part]:
    """Return name and terms of the outcome that a study asks for."""
    if main_outcome(plan) == BENCHMARK:
        return BENCHMARK, _of_benchmark(plan, rows, lambda language: language not in plan.controls)
    return ZERO_SHOT, _zero_shot(plan, rows)


def _in_percent(plan: StudyPlan, rows: Rows) -> list[str]:
    return [target for target in rows if metric_named(plan.targets[target].metric).unit == PERCENT]


def _zero_shot_in_other_languages(plan: StudyPlan, rows: Rows) -> list[tuple[str, Part]]:
    """Return the same targets in other languages."""

    def controls(name: str) -> list[Term]:
        target = plan.targets[name]
        return _equal(target, name, [one for one in rows[name] if one in plan.controls and one != target.language])

    def source(name: str) -> list[Term]:
        target = plan.targets[name]
        return _equal(target, name, [one for one in rows[name] if one == target.language])

    return [(CONTROLS, controls), (SOURCE, source)]


def _benchmark_in_other_languages(plan: StudyPlan, rows: Rows) -> list[tuple[str, Part]]:
    """Return the same tasks in other languages; the source language of a benchmark is English."""
    left_out = {SOURCE_LANGUAGE, *plan.controls}
    return [
        (WITHOUT_SOURCE, _of_benchmark(plan, rows, lambda language: language not in left_out)),
        (CONTROLS, _of_benchmark(plan, rows, lambda language: language in plan.controls)),
        (SOURCE, _of_benchmark(plan, rows, lambda language: language == SOURCE_LANGUAGE)),
    ]


def _alone(name: str, part: Part, targets: Iterable[str]) -> list[Outcome]:
    """Return the outcome of each target that has one."""
    parts = {target: tuple(part(target)) for target in targets}
    return [Outcome(name, target, terms) for target, terms in parts.items() if terms]


def _together(name: str, part: Part, targets: Iterable[str]) -> Outcome | None:
    """Return the mean over the targets that have any of it; None without any."""
    parts = [terms for target in targets if (terms := part(target))]
    terms = tuple(
        Term(term.target, term.language, term.metric, term.weight / len(parts)) for terms in parts for term in terms
    )
    return Outcome(name, "", terms) if terms else None


def is_retrieval(plan: StudyPlan, target: str) -> bool:
    """Tell whether a target is of the benchmark's group of retrieval, or is found by the vectors of texts."""
    entry = plan.benchmark.tasks.get(target) if plan.benchmark else None
    return (entry is not None and entry.group == RETRIEVAL) or FORMS[plan.targets[target].form].embedded


def _without_same_data(plan: StudyPlan, targets: Collection[str], mixtures: Iterable[str]) -> list[str]:
    """Return the targets whose training data none of the mixtures' tasks is, contains or closely resembles."""
    trained = [reference for mixture in mixtures for reference in plan.mixtures[mixture]]
    entries = {name: plan.targets[name] for name in targets}
    return [name for name, entry in entries.items() if not shares_data(trained, entry.task, entry.same_data)]
