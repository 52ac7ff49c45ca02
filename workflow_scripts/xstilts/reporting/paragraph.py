"""The first paragraph: what a study asked and what it found, in sentences made from the table of estimates.

A sentence says no more than the verdict of its row, and whatever it states leads to that row. Exploratory rows are not
in it, but for what belongs to the answer: the sizes of every family, the oracle and a second budget. The same sentences
stand on the terminal and in the report.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from xstilts.evaluation.comparisons import ANSWER, LOG_ODDS, ORACLE_SINGLE, POINTS, SAME
from xstilts.evaluation.estimates import ALL_RUNS, WITHOUT_COLLAPSED
from xstilts.evaluation.intervals import EXAMPLES_ONLY, RUNS_AND_EXAMPLES, UNDECIDED
from xstilts.evaluation.outcomes import BENCHMARK, ZERO_SHOT
from xstilts.evaluation.table import records
from xstilts.evaluation.trainings import behind
from xstilts.evaluation.unasked import is_unasked
from xstilts.evaluation.worlds import WORLDS
from xstilts.reporting import wording
from xstilts.reporting.wording import Part, Row, Sentence, Stated
from xstilts.store.answer import BEST, EQUAL_STEPS, INTERACTION, LARGE, MEAN, SMALL, SMALLEST, Answer, Budget
from xstilts.store.specs.models import IntermediateSpec
from xstilts.store.study_plan import StudyPlan

FILE = "paragraph.txt"
# of an answer: its name in the table of estimates, and in words
_OUTCOMES = {
    "zero_shot": (ZERO_SHOT, "the zero-shot mean (languages other than the source language)"),
    "benchmark": (BENCHMARK, "the benchmark's mean (source language included)"),
}
# what is not equal where this is
_UNEQUAL = {
    "equal epochs": "{} takes more steps",
    EQUAL_STEPS: "{} sees the rows of each of its tasks less often",
}
_RANDOM = {
    RUNS_AND_EXAMPLES: "the runs (the seed of both phases of training) and the test examples",
    EXAMPLES_ONLY: "the test examples alone where there is no verdict",
    WORLDS: "the worlds, each with its own data, pretrained models and runs",
}
_NO_QUESTION = ("This study states no question: it has neither `answer` nor primary contrasts.",)
_NOT_ANSWERED = (
    "The study asks whether several intermediate tasks together do better than a single one, and has no outcome that"
    " answers it: no target in percent is scored in a language that counts (`controls` and, zero-shot, the source"
    " language do not).",
)


def notice(plan: StudyPlan) -> str:
    """Return what has to be said first of a study whose data are made up; nothing of another one."""
    if any(target.source == "tiny" for target in plan.targets.values()):
        return "Made-up text and a random model: this shows that the pipeline runs; its scores mean nothing."
    if plan.made_up:
        return (
            "The world of this study is synthetic: made-up languages, and text and tasks made from rules. Its scores"
            " say nothing of real languages."
        )
    return ""


def text(plan: StudyPlan, estimates: pd.DataFrame) -> str:
    """Return notice and sentences as text, with the numbers of the rows of the table of estimates in brackets."""
    return f"{notice(plan)} {wording.text(sentences(plan, estimates))}".strip()


def sentences(plan: StudyPlan, estimates: pd.DataFrame) -> list[Sentence]:
    """Return the sentences of the first paragraph.

    Args:
        plan: the study's plan.
        estimates: the table of estimates.
    """
    rows = records(estimates[estimates["world"].isna() & ~is_unasked(estimates)])
    smallest = plan.answer.smallest if plan.answer else SMALLEST
    primary = _select(rows, primary=True)
    contrasts = [row for row in primary if row["name"] != ANSWER]
    said = _answer(plan, plan.answer, rows) if plan.answer else []
    if not contrasts and said in ([], [_NOT_ANSWERED]):
        return said or [_NO_QUESTION]
    said += [_contrast(row, smallest) for row in contrasts]
    used = _used(said, rows)
    said += _collapsed(used, rows, smallest)
    return [*said, _correction(primary), *_deciding(_used(said, rows)), _random(used)]


def _used(said: Sequence[Sentence], rows: Sequence[Row]) -> list[Row]:
    """Return the rows that sentences state."""
    stated = {part.row for sentence in said for part in sentence if isinstance(part, Stated)}
    return [row for row in rows if row["row"] in stated]


def _answer(plan: StudyPlan, answer: Answer, rows: Sequence[Row]) -> list[Sentence]:
    """Return the question, what each family answers, the oracle, and the answer at another budget."""
    asked = _select(rows, name=ANSWER, outcome=_OUTCOMES[answer.outcome][0], target="", recipe=answer.recipes[0])
    asked = _select(asked, runs_used=ALL_RUNS)
    (first, budget), *others = answer.budgets.items()
    of_first = _select(asked, budget=first)
    honest = [row for row in of_first if row["b"] != ORACLE_SINGLE]
    if not honest:
        return [_NOT_ANSWERED]
    said = [_question(answer, first, budget), *_assumed(plan, first, budget), _outcome(answer, honest[0])]
    for family in answer.families:
        said += _family(family, _select(honest, family=family), answer.smallest)
    oracle = _select(of_first, b=ORACLE_SINGLE, kind="difference")
    if oracle:
        head = "Against the oracle, the single task that is best on the test rows and so no honest choice: "
        said.append((head, *_each(oracle, _estimate), "."))
    for other, arms in others:
        of_other = [row for row in _select(asked, budget=other) if _is_judged(row)]
        if of_other:
            words = _each(of_other, lambda row: _finding(row, answer.smallest))
            said.append((f"At {other} it is {arms.multi} minus {_single(arms)}: ", *words, "."))
            said += _assumed(plan, other, arms)
    return said


def _question(answer: Answer, held: str, budget: Budget) -> Sentence:
    how = " (chosen anew in every run on dev rows of the source language)" if budget.single == BEST else ""
    recipe = f"by the recipe {answer.recipes[0]} and " if len(answer.recipes) > 1 else ""
    unequal = "" if len(answer.budgets) > 1 else f" ({_UNEQUAL[held].format(budget.multi)})"
    return (
        "The study asks whether several intermediate tasks together do better than a single one:"
        f" {budget.multi} minus {_single(budget)}{how}, {recipe}at {held}{unequal}.",
    )


def _assumed(plan: StudyPlan, held: str, budget: Budget) -> list[Sentence]:
    """Return which arms are taken to have equal steps, though the study does not state theirs.

    What epochs come to depends on the rows, which are not known when a study is planned.
    """
    if held != EQUAL_STEPS:
        return []
    trained = [
        (cell.mixture, plan.nodes[training.node].spec)
        for cell in plan.cells
        if cell.mixture in (budget.multi, *budget.singles)
        for training in behind(plan, cell.node)
    ]
    without = dict.fromkeys(
        mixture for mixture, spec in trained if isinstance(spec, IntermediateSpec) and spec.sampling.steps is None
    )
    if not without:
        return []
    their = "their" if len(without) > 1 else "its"
    return [
        (
            f"The study states no steps of {wording.listed(without)}: that {their} epochs come to as many steps as the"
            " other arms have is taken for granted and not checked.",
        )
    ]


def _single(budget: Budget) -> str:
    if budget.single == BEST:
        return f"the best single task of {wording.listed(budget.singles)}"
    return f"the mean of {wording.listed(budget.singles)}" if budget.single == MEAN else budget.single


def _outcome(answer: Answer, row: Row) -> Sentence:
    controls = f", {wording.listed(answer.controls)} apart as controls" if answer.controls else ""
    brackets = (
        "square brackets stand ranges over 95 % of draws of test examples"
        if row["interval"] == EXAMPLES_ONLY
        else "brackets stand 95 % intervals"
    )
    over = f"{wording.counted(row['targets'], 'target')} and {wording.counted(row['languages'], 'language')}"
    return (
        f"The outcome is {_OUTCOMES[answer.outcome][1]} over ",
        Stated(over, row["row"]),
        f"{controls}; in {brackets}. The smallest difference that matters is"
        f" {wording.counted(answer.smallest, 'point')}.",
    )


def _family(family: str, rows: Sequence[Row], smallest: float) -> list[Sentence]:
    """Return what the sizes of a family say, and their interaction."""
    said: list[Sentence] = []
    sizes = [row for size in (SMALL, LARGE) for row in _select(rows, kind="difference", size=size)]
    if sizes:
        said.append((f"In {family}: ", *_each(sizes, lambda row: _finding(row, smallest), _model), "."))
    for row in _select(rows, kind=INTERACTION, scale=POINTS):
        parts: list[Part] = [f"In {family}, the large model's difference minus the small one's: "]
        parts.append(_finding(row, smallest))
        for same in _select(rows, kind=INTERACTION, scale=LOG_ODDS):
            agree = (row["estimate"] > 0) == (same["estimate"] > 0)
            sign = (
                "with the same sign" if agree else "with the other sign: which size gains more may depend on the scale"
            )
            parts += ["; in log-odds ", Stated(f"{wording.difference(same)} {sign}", same["row"])]
        said.append((*parts, "."))
    return said


def _contrast(row: Row, smallest: float) -> Sentence:
    where = ", ".join(row[axis] for axis in ("model", "mixture", "recipe") if row[axis])
    on = row["target"] or f"the {row['outcome']} mean of {row['targets']} targets"
    return (
        f"Primary contrast {row['name']}, {row['a']} minus {row['b']} on {on} ({where}): ",
        _finding(row, smallest),
        ".",
    )


def _collapsed(said: Sequence[Row], rows: Sequence[Row], smallest: float) -> list[Sentence]:
    """Return how many of the runs behind what was said collapsed, and what it is without them."""
    collapsed = [row for row in said if row["collapsed"] and _is_judged(row)]
    if not collapsed:
        return []
    same = [tuple(row[name] for name in SAME) for row in collapsed]
    kept = [row for row in _select(rows, runs_used=WITHOUT_COLLAPSED) if tuple(row[name] for name in SAME) in same]
    counts = _each(collapsed, lambda row: Stated(wording.counted(row["collapsed"], "run"), row["row"]))
    without = _each(kept, lambda row: _finding(row, smallest)) or ["nothing is left to compare"]
    head = "Runs that collapsed, in intermediate or target training, are counted in: "
    return [(head, *counts, "; without them, ", *without, ".")]


def _correction(primary: Sequence[Row]) -> Sentence:
    """Return how many comparisons are primary, that they are corrected together, and which of them are undecided."""
    if not primary:
        return ("No comparison is primary: all are exploratory, and none is corrected for the others.",)
    undecided = [row for row in primary if row["verdict"] == UNDECIDED]
    unjudged = [row for row in primary if not row["verdict"]]
    number = len(primary)
    head = "One comparison is primary" if number == 1 else f"{number} comparisons are primary"
    if number - len(unjudged) > 1:
        head = f"The {number} primary comparisons are corrected for each other (Holm)"
    said: list[Part] = [f"{head}, all else is exploratory; "]
    groups = {
        "undecided": undecided,
        **{
            f"without a verdict, because {reason}": [row for row in unjudged if wording.without_verdict(row) == reason]
            for reason in (wording.ONE_RUN, wording.ONE_CLUSTER, wording.NO_VARIANCE)
        },
    }
    there = {words: rows for words, rows in groups.items() if rows}
    for number, (words, rows) in enumerate(there.items()):
        said += [f"{'; ' if number else ''}{words}: ", *_names(rows)]
    return (*said, "." if there else "none is undecided.")


def _deciding(said: Sequence[Row]) -> list[Sentence]:
    """Return for which difference the runs are that would decide what was said."""
    undecided = [row for row in said if row["verdict"] == UNDECIDED and math.isfinite(row["runs_needed"])]
    undecided = [row for row in undecided if _is_judged(row)]
    if not undecided:
        return []
    replicates = "worlds" if undecided[0]["interval"] == WORLDS else "runs"
    return [(f"So many {replicates} would likely decide one {wording.IF_TRUE}.",)]


def _is_judged(row: Row) -> bool:
    """Tell whether a row is said with its verdict: those of the oracle and in log-odds are not."""
    return bool(row["b"] != ORACLE_SINGLE and row["scale"] != LOG_ODDS)


def _random(said: Sequence[Row]) -> Sentence:
    """Return what is random in the intervals of what was said."""
    # nothing is random in a range without width
    there = {row["interval"] for row in said if row["low"] < row["high"]}
    if not there:
        return ("Nothing is random in these ranges, which say nothing of other runs or examples.",)
    random = wording.listed(words for kind, words in _RANDOM.items() if kind in there)
    fixed = "languages and targets" if WORLDS in there else "languages, targets and pretrained checkpoints"
    over = "ranges" if there == {EXAMPLES_ONLY} else "intervals"
    return (f"Random in these {over} are {random}; {fixed} are fixed, and of others they say nothing.",)


def _select(rows: Sequence[Row], **values: Any) -> list[Row]:
    return [row for row in rows if all(row[name] == value for name, value in values.items())]


def _estimate(row: Row) -> Stated:
    return Stated(f"{wording.difference(row)}, {wording.runs(row)}", row["row"])


def _finding(row: Row, smallest: float) -> Stated:
    """Return the estimate of a row and its verdict."""
    subject = "the large model's difference" if row["kind"] == INTERACTION else row["a"]
    chosen = f" ({row['chosen']} chosen)" if row["chosen"] and row["kind"] != INTERACTION else ""
    verdict = f"{wording.verdict(row, subject, smallest)}{wording.expectation(row)}"
    mark = "" if row["primary"] or not row["verdict"] else ", exploratory"
    return Stated(f"{_estimate(row).text}{chosen}: {verdict}{mark}", row["row"])


def _place(row: Row) -> str:
    """Return what a row is called in a list: family and size, or the contrast and where it is."""
    if row["name"] == ANSWER:
        return f"{row['family']} {row['size'] or INTERACTION}"
    return " ".join([row["name"], *(row[axis] for axis in ("model", "mixture", "target") if row[axis])])


def _model(row: Row) -> str:
    return f"the {row['size']} model ({row['model']}) has"


def _each(rows: Sequence[Row], words: Callable[[Row], Stated], name: Callable[[Row], str] = _place) -> list[Part]:
    """Return rows one after the other, each by its name and what it says."""
    said: list[Part] = []
    for row in rows:
        said += [f"{'; ' if said else ''}{name(row)} ", words(row)]
    return said


def _names(rows: Sequence[Row]) -> list[Part]:
    said: list[Part] = []
    for row in rows:
        said += [", " if said else "", Stated(_place(row), row["row"])]
    return said
