"""How a row of the table of estimates is worded: the same words in sentences and in tables, in text and in HTML.

A sentence has parts: text, and what one row of the table states. So whatever shows the sentence can lead to the row.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from xstilts.errors import counted as counted
from xstilts.evaluation.comparisons import LOG_ODDS, POINTS
from xstilts.evaluation.estimates import EMERGED, OPPOSITE
from xstilts.evaluation.intervals import EQUIVALENT, EXAMPLES_ONLY, UNDECIDED
from xstilts.evaluation.worlds import WORLDS
from xstilts.forms.declaration import NATS
from xstilts.store.specs.models import LINEAR, TIES, Merging

Row = Mapping[str, Any]
# nobody makes more runs; an estimate of how many more says nothing
MANY = 1000
# what the number of runs that would decide a row is for
IF_TRUE = "if the true difference is the one seen, or the smallest that matters where that is larger"
# why a row has no verdict
ONE_RUN, ONE_CLUSTER = "an arm has one run", "all examples are one cluster"
NO_VARIANCE = "all runs of an arm collapsed, or nothing varies"
NO_VERDICT = f"{ONE_RUN}, {ONE_CLUSTER}, {NO_VARIANCE}"
_DIGITS = {POINTS: 1, NATS: 3, LOG_ODDS: 2}


@dataclass(frozen=True)
class Stated:
    """A piece of text that a row of the table of estimates states."""

    text: str
    row: int


Part = str | Stated
Sentence = tuple[Part, ...]


def merging(how: Merging) -> str:
    """Return the settings of a merge in words, such as ``density 0.2, scale 1``; none of a plain mean."""
    said = [f"density {how.density:g}"] * (how.method == TIES) + [f"scale {how.scale:g}"] * (how.method != LINEAR)
    if set(how.factors) != {1}:
        said.append(f"factors {listed([f'{factor:g}' for factor in how.factors])}")
    return ", ".join(said)


def text(sentences: Iterable[Sentence]) -> str:
    """Return sentences as one line of text; behind what a row states stands its number, such as ``[12]``."""
    return " ".join("".join(map(_part, sentence)) for sentence in sentences)


def _part(part: Part) -> str:
    return part if isinstance(part, str) else f"{part.text} [{part.row}]"


def in_html(sentences: Iterable[Sentence]) -> Markup:
    """Return sentences as HTML; what a row states is a link to the element ``estimate-<row>``."""
    return Markup(" ").join(Markup().join(map(_link, sentence)) for sentence in sentences)


def _link(part: Part) -> Markup:
    if isinstance(part, str):
        return escape(part)
    return Markup('<a href="#estimate-{}">{}</a>').format(part.row, part.text)


def listed(words: Iterable[str]) -> str:
    """Return words as English lists them: a, b and c."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def number(value: float, scale: str) -> str:
    """Return a difference with its sign: points to one decimal, log-odds to two, nats to three."""
    digits = _DIGITS[scale]
    # a rounded zero has no sign of its own
    return f"{round(value, digits) + 0.0:+.{digits}f}"


def interval(row: Row) -> str:
    """Return the interval of a row, such as ``-0.2 to +1.4``; in square brackets where it is a range over examples."""
    low, high = (number(row[end], row["scale"]) for end in ("low", "high"))
    return f"[{low}, {high}]" if row["interval"] == EXAMPLES_ONLY else f"{low} to {high}"


def in_brackets(row: Row) -> str:
    """Return the interval of a row behind its estimate: ``(-0.2 to +1.4)``, or a range as it is."""
    said = interval(row)
    return said if row["interval"] == EXAMPLES_ONLY else f"({said})"


def runs(row: Row) -> str:
    """Return how many runs the two sides of a row have, of several worlds in each of them."""
    first, second = row["runs_a"], row["runs_b"]
    worlds = f"{row['worlds']:.0f} worlds, " if row["interval"] == WORLDS else ""
    if first != second:
        return f"{worlds}{counted(first, 'run')} against {second}"
    return f"{worlds}{'one run' if first == 1 else counted(first, 'run')} an arm"


def difference(row: Row) -> str:
    """Return the estimate of a row with its interval, without its runs; log-odds name themselves."""
    unit = f" {row['scale']}" if row["scale"] != LOG_ODDS else ""
    return f"{number(row['estimate'], row['scale'])}{unit} {in_brackets(row)}"


def verdict(row: Row, subject: str, smallest: float) -> str:
    """Return what a row lets one say, and no more.

    Args:
        row: a row of the table of estimates.
        subject: what is higher or lower.
        smallest: the smallest difference that matters, in points.
    """
    found = row["verdict"]
    if not found:
        reason = without_verdict(row)
        return "a range over examples, no verdict" if reason == ONE_RUN else f"no verdict, because {reason}"
    if found == EQUIVALENT:
        return f"equivalent within {counted(smallest, 'point')}"
    return f"undecided, {decidable(row)}" if found == UNDECIDED else f"{subject} is {found}"


def decidable(row: Row) -> str:
    """Return how many runs, or worlds, would decide a row that is undecided."""
    needed = row["runs_needed"]
    if math.isnan(needed):
        return "and how many runs would decide it is not known"
    if math.isinf(needed):
        return "and no number of runs would decide it, only more test examples"
    runs_needed = needed_runs(needed, row["interval"])
    return (
        f"{runs_needed} would likely decide it" if needed <= MANY else f"and it would take {runs_needed} to decide it"
    )


def needed_runs(number: float, interval: str) -> str:
    """Return a finite number of runs that are needed, or of worlds where the interval is over worlds."""
    return f"{about(number)} {'worlds' if interval == WORLDS else 'runs an arm'}"


def about(number: float) -> str:
    """Return a finite number of runs or worlds as far as anybody needs it: ``about 12``, or ``more than 1000``."""
    return f"about {math.ceil(number)}" if number <= MANY else f"more than {MANY}"


def without_verdict(row: Row) -> str:
    """Return why a row has no verdict: what it is over says nothing of other runs, or of other examples."""
    if row["interval"] == EXAMPLES_ONLY and row["clusters"] < 2:
        return ONE_CLUSTER
    return ONE_RUN if row["interval"] == EXAMPLES_ONLY and math.isnan(row["run_sd"]) else NO_VARIANCE


def expectation(row: Row) -> str:
    """Return whether what was expected has come out, where a verdict says so; else nothing."""
    if row["emerged"] == EMERGED:
        return ", as expected"
    if row["emerged"] in (OPPOSITE, EQUIVALENT):
        return f", where {row['expected']} was expected"
    return ""
