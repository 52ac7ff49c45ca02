"""Two studies side by side, as text for a terminal and as JSON."""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from xstilts.evaluation import study_differences, two_studies
from xstilts.evaluation.claims import CONTRADICTED, HOLDS, HOLDS_NOT, NOT_TESTABLE, SUPPORTED
from xstilts.evaluation.comparisons import POINTS
from xstilts.evaluation.estimates import ALL_RUNS
from xstilts.evaluation.study_differences import OTHER_RUNS, SAME_RUNS, Differs
from xstilts.evaluation.table import records
from xstilts.evaluation.two_studies import ALIKE, BOTH, DIFFERENT, ONLY_A, ONLY_B, OPPOSITE, Common, Outputs
from xstilts.evaluation.worlds import VERDICTS
from xstilts.forms.declaration import NATS
from xstilts.reporting import claims, wording
from xstilts.reporting.layout import Cells, columns
from xstilts.reporting.study_results import StudyResults
from xstilts.reporting.wording import Row, counted, listed
from xstilts.store.answer import INTERACTION

_WIDTH = 100
LEGEND = (
    "B − A is the difference of means over runs, in points unless named, with its 95 % interval over runs and examples;"
    " in square brackets a range over examples alone, where an arm has one run in either study, or only"
    " collapsed ones: that carries no verdict. All verdicts are exploratory: where nothing differs, one in twenty still"
    " says higher or lower. Arms that start from another checkpoint, or have data of another made-up world, carry no"
    " verdict: the interval does not hold what that changes; settings say so. Runs and examples: A / B, once where they"
    " are the same. A number under settings leads to what differs: first B's value, then A's."
)
_SAID = (
    "What each study says of comparisons that both ask for by the same name, on its own targets, languages, runs and"
    " examples, in points unless named: opposite verdicts first, then different ones. A verdict beside one that is"
    " undecided is no contradiction."
)


@dataclass(frozen=True)
class ClaimOfBoth:
    """A claim in one model with one recipe, what both studies say of it, and how far they agree."""

    claim: str
    text: str
    model: str
    recipe: str
    verdict_in_a: str
    verdict_in_b: str
    agreement: str


@dataclass(frozen=True)
class TwoStudies:
    """Two studies side by side.

    Attributes:
        a: the first.
        b: the second.
        common: what they have in common by name.
        differences: the table of ``evaluation/study_differences.py``.
        verdicts: the table of ``evaluation/two_studies.py``.
        claims: that both are checked against.
    """

    a: StudyResults
    b: StudyResults
    common: Common
    differences: pd.DataFrame
    verdicts: pd.DataFrame
    claims: tuple[ClaimOfBoth, ...]


def compare(a: StudyResults, b: StudyResults, differs: Differs) -> TwoStudies:
    """Return two studies side by side.

    Args:
        a: the first.
        b: the second.
        differs: says in one line what differs between pairs of nodes.

    Raises:
        UserError: if they have nothing in common, or if results are missing.
    """
    return TwoStudies(
        a=a,
        b=b,
        common=two_studies.common(a.plan, b.plan),
        verdicts=two_studies.verdicts(a.estimates, b.estimates),
        claims=tuple(_claims(a, b)),
        differences=study_differences.collect(Outputs(a.plan, a.results), Outputs(b.plan, b.results), differs),
    )


def _claims(a: StudyResults, b: StudyResults) -> Iterable[ClaimOfBoth]:
    """Yield the claims that both studies are checked against, in models and recipes that both have."""
    second = {(row.claim, row.model, row.recipe): row for row in claims.rows(b.plan, b.estimates)}
    for row in claims.rows(a.plan, a.estimates):
        other = second.get((row.claim, row.model, row.recipe))
        if other is not None:
            names = row.claim, row.text, row.model, row.recipe
            yield ClaimOfBoth(*names, row.verdict, other.verdict, _agreement(row.verdict, other.verdict))


def _agreement(first: str, second: str) -> str:
    """Return how far two verdicts on a claim agree; nothing where one of the studies cannot test it."""
    if NOT_TESTABLE in (first, second):
        return ""
    if {first, second} in ({SUPPORTED, CONTRADICTED}, {HOLDS, HOLDS_NOT}):
        return OPPOSITE
    return ALIKE if first == second else DIFFERENT


def text(found: TwoStudies) -> str:
    """Return the comparison for a terminal."""
    cells, notes = difference_cells(found)
    parts = [
        [f"{letter}  {study.plan.title}: {study.folder}" for letter, study in (("A", found.a), ("B", found.b))],
        _wrapped(" ".join(in_common(found.common))),
        columns(_arms_once(cells), 2),
        notes,
        _wrapped(f"{summary(found.differences)} {LEGEND}"),
    ]
    verdicts, of_claims = verdict_cells(found.verdicts), claim_cells(found.claims)
    parts.append(_wrapped(said(found.verdicts)))
    if verdicts[1]:
        parts.append(columns(verdicts, len(verdicts[0])))
    if of_claims[1]:
        parts.append(columns(of_claims, len(of_claims[0])))
    return "\n\n".join("\n".join(line.rstrip() for line in part) for part in parts if part) + "\n"


def _arms_once(cells: Cells) -> Cells:
    """Return the table of differences with each arm in the first of its rows alone."""
    header, rows = cells
    before = [header, *rows]
    return header, [
        [*([""] if row[0] == above[0] else row[:1]), *row[1:]] for above, row in zip(before, rows, strict=False)
    ]


def _wrapped(words: str) -> list[str]:
    return textwrap.wrap(words, _WIDTH, break_long_words=False, break_on_hyphens=False)


def in_common(common: Common) -> list[str]:
    """Return sentences on what two studies have in common and what one has alone."""
    worlds = f" in the worlds {listed(map(str, common.worlds))}" if common.worlds else ""
    sentences = [f"Both have {counted(len(common.arms), 'arm')} and {_of('target', common.targets)}{worlds}."]
    for letter, arms, targets in zip("AB", common.arms_alone, common.targets_alone, strict=True):
        alone = [*([_of("arm", ["".join(".".join(arm)) for arm in arms])] if arms else [])]
        alone += [_of("target", targets)] if targets else []
        sentences += [f"{letter} alone has {' and '.join(alone)}."] if alone else []
    return sentences


def _of(noun: str, names: Sequence[str]) -> str:
    return f"the {noun}{'s' * (len(names) > 1)} {listed(names)}"


def summary(differences: pd.DataFrame) -> str:
    """Return a sentence on how many differences have which verdict."""
    used = differences[differences["runs_used"] == ALL_RUNS]
    compared = used[used["runs"] == OTHER_RUNS]
    same = len(used) - len(compared)
    sentences = [f"{same} of {counted(len(used), 'row')} have the same runs or predictions in both."] if same else []
    if compared.empty:
        return " ".join(sentences)
    counts = compared["verdict"].value_counts()
    numbers = [f"{counts[verdict]} {verdict}" for verdict in VERDICTS if verdict in counts]
    numbers += [f"{counts['']} without a verdict"] if "" in counts else []
    return " ".join([*sentences, f"Of {counted(len(compared), 'difference')} {', '.join(numbers)}."])


def difference_cells(found: TwoStudies) -> tuple[Cells, list[str]]:
    """Return header and rows of the table of differences, and the settings that differ, which its last cells number."""
    several = bool(found.common.worlds)
    header = ["arm", "outcome", "A", "B", "B − A", "95 % interval", "runs", "examples", "verdict", "settings"]
    notes: dict[str, int] = {}
    rows = []
    for row in records(found.differences):
        arm = ".".join([*([f"w{row['world']:.0f}"] if several else []), row["model"], row["recipe"], row["mixture"]])
        outcome = row["target"] or f"{row['outcome']} of {row['targets']}"
        if row["settings"]:
            notes.setdefault(row["settings"], len(notes) + 1)
        rows.append(
            [
                *(arm, outcome, *_scores(row), *_interval(row)),
                *(_runs(row), _examples(row), row["verdict"] or "–", _settings(row, notes)),
            ]
        )
    return (header, rows), [f"[{number}] {settings}" for settings, number in notes.items()]


def _scores(row: Row) -> list[str]:
    digits = 3 if row["scale"] == NATS else 1
    return [f"{row[name]:.{digits}f}" for name in ("score_a", "score_b")]


def _interval(row: Row) -> list[str]:
    """Return a difference and its interval."""
    unit = "" if row["scale"] == POINTS else f" {row['scale']}"
    difference = wording.number(row["difference"], row["scale"]) + unit
    return [difference, wording.interval(row) if row["interval"] else "–"]


def _both(first: object, second: object) -> str:
    return f"{first}" if first == second else f"{first} / {second}"


def _runs(row: Row) -> str:
    used = "" if row["runs_used"] == ALL_RUNS else f", {row['runs_used']}"
    collapsed = f", {row['collapsed']} collapsed" if row["collapsed"] else ""
    return _both(row["runs_a"], row["runs_b"]) + used + collapsed


def _examples(row: Row) -> str:
    same = row["same_examples"]
    if same == row["targets"]:
        return str(row["n_a"])
    return f"{row['n_a']} / {row['n_b']}, " + ("others" if same == 0 else f"same on {counted(same, 'target')}")


def _settings(row: Row, notes: Mapping[str, int]) -> str:
    """Return what is to be said of runs and settings; a number leads to the settings that differ."""
    words = [] if row["runs"] == OTHER_RUNS else [row["runs"]]
    if row["settings"]:
        words.append(f"[{notes[row['settings']]}]")
    elif row["runs"] != SAME_RUNS:
        words.append("same settings")
    if row["runs"] == OTHER_RUNS and row["shared_runs"]:
        words.append(f"{counted(row['shared_runs'], 'run')} shared")
    return ", ".join(words)


def said(verdicts: pd.DataFrame) -> str:
    """Return sentences on what the estimates of two studies say, and how far they agree."""
    counts = verdicts["studies"].value_counts()
    if not counts.get(BOTH):
        return "The two studies ask for no comparison by the same name."
    agreement = (
        verdicts[verdicts["studies"] == BOTH]["agreement"].replace("", "without a verdict of both").value_counts()
    )
    numbers = [f"{number} {kind}" for kind, number in agreement.items()]
    if OPPOSITE not in agreement:
        numbers.append(f"none {OPPOSITE}")
    alone = [f"{letter} alone asks for {counts[letter]}" for letter in (ONLY_A, ONLY_B) if counts.get(letter)]
    more = f" {', '.join(alone)} more." if alone else ""
    return f"{_SAID} Verdicts on {counted(counts[BOTH], 'comparison')}: {', '.join(numbers)}.{more}"


def of_both(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return the comparisons that both studies ask for: those with opposite verdicts first, then different ones."""
    shown = verdicts[verdicts["studies"] == BOTH]
    ranked = shown.assign(rank=shown["agreement"].map([OPPOSITE, DIFFERENT, ALIKE, ""].index))
    return ranked.sort_values("rank", kind="stable").drop(columns="rank")


def verdict_cells(verdicts: pd.DataFrame) -> Cells:
    """Return header and rows of what both studies say of the comparisons that both ask for, opposite verdicts first."""
    shown = of_both(verdicts)
    varied = [name for name in ("recipe", "budget") if len(set(shown[name]) - {""}) > 1]
    rows = []
    for row in records(shown):
        kind = "large − small" if row["kind"] == INTERACTION else row["model"] or row["size"]
        place = ", ".join(filter(None, (row["family"], kind, row["mixture"], *(row[name] for name in varied))))
        numbers = _both(f"{row['targets_in_a']:.0f}", f"{row['targets_in_b']:.0f}")
        outcome = row["target"] or f"{row['outcome']} of {numbers}"
        unit = "" if row["scale"] == POINTS else f", {row['scale']}"
        sides = f"{row['name']}: {row['a']} − {row['b']}"
        said_by = [*_of_study(row, "a"), *_of_study(row, "b")]
        rows.append([sides, place, outcome + unit, *said_by, row["agreement"] or "–"])
    return ["comparison", "in", "on", "A", "verdict", "B", "verdict", "agreement"], rows


def _of_study(row: Row, letter: str) -> list[str]:
    """Return the estimate of one study with its interval, and its verdict."""
    own = {name: row[f"{name}_in_{letter}"] for name in ("estimate", "low", "high", "interval")}
    estimate = wording.number(own["estimate"], row["scale"])
    return [f"{estimate} {wording.in_brackets(own | {'scale': row['scale']})}", row[f"verdict_in_{letter}"] or "–"]


def claim_cells(found: Iterable[ClaimOfBoth]) -> Cells:
    """Return header and rows of what both studies say of claims."""
    rows = [
        [one.claim, one.model or "–", one.recipe or "–", one.verdict_in_a, one.verdict_in_b, one.agreement or "–"]
        for one in found
    ]
    return ["claim", "model", "recipe", "A", "B", "agreement"], rows


def to_json(found: TwoStudies) -> dict[str, Any]:
    """Return the comparison as JSON values; what is missing is null."""
    return {
        **{
            letter: {"study": study.plan.study, "folder": str(study.folder)}
            for letter, study in (("a", found.a), ("b", found.b))
        },
        "common": asdict(found.common) | {"arms": [arm._asdict() for arm in found.common.arms]},
        "differences": _rows(found.differences),
        "estimates": _rows(found.verdicts),
        "claims": [asdict(one) for one in found.claims],
    }


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{name: _value(value) for name, value in row.items()} for row in records(frame)]


def _value(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
