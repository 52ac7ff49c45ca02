"""Two studies side by side as one HTML page that loads nothing, with the look of the report."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd

from xstilts.evaluation.comparisons import POINTS
from xstilts.evaluation.intervals import HIGHER, LOWER
from xstilts.evaluation.table import records
from xstilts.evaluation.two_studies import OPPOSITE
from xstilts.reporting import paragraph, two_studies
from xstilts.reporting.layout import Cells
from xstilts.reporting.two_studies import TwoStudies

# the look: styles, and scripts that sort and filter tables; files beside this module
_LOOK = ("report/templates/style.css", "report/templates/script.js")
# columns whose cells are text, of all tables
_TEXTS = {"outcome", "verdict", "settings", "in", "on", "agreement", "model", "recipe"}


@dataclass(frozen=True)
class Picture:
    """A difference and its interval on a line from 0 to 100, and where no difference is."""

    low: float
    value: float
    high: float
    zero: float
    decided: bool


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        cells: the texts.
        axes: what it is about, by axis; it is shown where one of the values is the chosen one.
        picture: of its difference.
        opposite: whether two verdicts in it are.
    """

    cells: Sequence[str]
    axes: Mapping[str, Sequence[str]]
    picture: Picture | None = None
    opposite: bool = False


@dataclass(frozen=True)
class Table:
    """A table: what it is, its header, and its rows; ``texts`` tells for each column whether it has text."""

    caption: str
    header: Sequence[str]
    rows: Sequence[Row]

    @property
    def texts(self) -> list[bool]:
        """Whether each column has text."""
        in_claims = "claim" in self.header
        return [in_claims or title in _TEXTS for title in self.header]


def html(found: TwoStudies) -> str:
    """Return the comparison as one HTML page."""
    folder = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["token"] = _token
    cells, notes = two_studies.difference_cells(found)
    tables = [_differences(found, cells), _verdicts(found), _claims(found)]
    axes = [row.axes for table in tables for row in table.rows]
    return environment.get_template("two_studies.html").render(
        style=_look(folder, ".css"),
        script=_look(folder, ".js"),
        notices=_notices(found),
        studies={"A": found.a, "B": found.b},
        in_common=two_studies.in_common(found.common),
        choices={name: _values(axes, name) for name in ("model", "mixture", "target")},
        summary=two_studies.summary(found.differences),
        legend=two_studies.LEGEND,
        notes=notes,
        said=two_studies.said(found.verdicts),
        differences=tables[0],
        others=[table for table in tables[1:] if table.rows],
    )


def _look(folder: Path, kind: str) -> str:
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in _LOOK if name.endswith(kind))


def _token(name: str) -> str:
    """Return a name without a space: spaces are between the values that a row is about."""
    return name.replace(" ", "\N{NO-BREAK SPACE}")


def _notices(found: TwoStudies) -> list[str]:
    """Return what has to be said first of studies whose data are made up, and of which."""
    letters: dict[str, list[str]] = {}
    for letter, study in (("A", found.a), ("B", found.b)):
        letters.setdefault(paragraph.notice(study.plan), []).append(letter)
    return [f"{' and '.join(of)}: {notice}" for notice, of in letters.items() if notice]


def _values(axes: Iterable[Mapping[str, Sequence[str]]], name: str) -> list[str]:
    """Return the values on an axis, each once."""
    return list(dict.fromkeys(value for one in axes for value in one.get(name, ())))


def _differences(found: TwoStudies, cells: Cells) -> Table:
    rows = [
        Row(texts, {name: [row[name]] for name in ("model", "mixture", "target") if row[name]}, picture)
        for texts, row, picture in zip(cells[1], records(found.differences), pictures(found.differences), strict=True)
    ]
    return Table("Differences of arms that both have", cells[0], rows)


def _verdicts(found: TwoStudies) -> Table:
    header, cells = two_studies.verdict_cells(found.verdicts)
    rows = []
    for texts, row in zip(cells, records(two_studies.of_both(found.verdicts)), strict=True):
        # mixtures are compared in a model, or models on a mixture
        sides = [row["a"], row["b"]]
        models = [row["model"]] if row["model"] else sides
        mixtures = [row["mixture"]] if row["mixture"] else sides if row["model"] else []
        # a difference may be of two targets
        axes = {"model": models, "mixture": mixtures, "target": row["target"].split(" minus ")}
        about = {name: values for name, values in axes.items() if any(values)}
        rows.append(Row(texts, about, opposite=row["agreement"] == OPPOSITE))
    return Table("Estimates of both studies", header, rows)


def _claims(found: TwoStudies) -> Table:
    header, cells = two_studies.claim_cells(found.claims)
    rows = [
        Row(texts, {"model": [one.model]} if one.model else {}, opposite=one.agreement == OPPOSITE)
        for texts, one in zip(cells, found.claims, strict=True)
    ]
    return Table("Claims in both studies", header, rows)


def pictures(differences: pd.DataFrame) -> list[Picture | None]:
    """Return the picture of each difference on one common line; None without an interval, or in another unit."""
    shown = differences[(differences["scale"] == POINTS) & (differences["interval"] != "")]
    start, end = min(shown["low"].min(), 0.0), max(shown["high"].max(), 0.0)
    if shown.empty or start == end:
        return [None] * len(differences)

    def place(value: float) -> float:
        return round(100 * (value - start) / (end - start), 1)

    return [
        Picture(
            low=place(row["low"]),
            value=place(row["difference"]),
            high=place(row["high"]),
            zero=place(0),
            decided=row["verdict"] in (HIGHER, LOWER),
        )
        if row["interval"] and row["scale"] == POINTS
        else None
        for row in records(differences)
    ]
