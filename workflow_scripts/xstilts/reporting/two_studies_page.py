"""Two studies side by side as one HTML page that loads nothing, with the look and the tables of the report."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup

from xstilts.evaluation.comparisons import POINTS
from xstilts.evaluation.intervals import HIGHER, LOWER
from xstilts.evaluation.table import records
from xstilts.evaluation.two_studies import OPPOSITE
from xstilts.reporting import paragraph, two_studies
from xstilts.reporting.layout import Cells
from xstilts.reporting.report.page import Grid, Row, columns
from xstilts.reporting.two_studies import TwoStudies

# beside this module: templates of the report, with its styles, and scripts that sort and filter tables
_TEMPLATES = Path(__file__).parent / "report/templates"


@dataclass(frozen=True)
class Picture:
    """A difference and its interval on a line from 0 to 100, and where no difference is."""

    low: float
    value: float
    high: float
    zero: float
    decided: bool


def html(found: TwoStudies) -> str:
    """Return the comparison as one HTML page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([Path(__file__).parent, _TEMPLATES]),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    cells, notes = two_studies.difference_cells(found)
    grids = [_differences(found, cells), _verdicts(found), _claims(found)]
    axes = [row.axes for grid in grids for row in grid.rows]
    return environment.get_template("two_studies.html").render(
        style=(_TEMPLATES / "style.css").read_text(encoding="utf-8"),
        script=(_TEMPLATES / "script.js").read_text(encoding="utf-8"),
        notices=_notices(found),
        studies={"A": found.a, "B": found.b},
        in_common=two_studies.in_common(found.common),
        choices={name: _values(axes, name) for name in ("model", "mixture", "target")},
        summary=two_studies.summary(found.differences),
        legend=two_studies.LEGEND,
        notes=notes,
        said=two_studies.said(found.verdicts),
        differences=grids[0],
        others=[grid for grid in grids[1:] if grid.rows],
    )


def _about(**axes: Iterable[str]) -> dict[str, list[str]]:
    """Return what a row is about, without empty values, and without spaces in names: spaces are between values."""
    named = {axis: [name.replace(" ", "\N{NO-BREAK SPACE}") for name in names if name] for axis, names in axes.items()}
    return {axis: names for axis, names in named.items() if names}


def _notices(found: TwoStudies) -> list[str]:
    """Return what has to be said first of studies whose data are made up, and of which."""
    letters: dict[str, list[str]] = {}
    for letter, study in (("A", found.a), ("B", found.b)):
        letters.setdefault(paragraph.notice(study.plan), []).append(letter)
    return [f"{' and '.join(of)}: {notice}" for notice, of in letters.items() if notice]


def _values(axes: Iterable[Mapping[str, Iterable[str]]], name: str) -> list[str]:
    """Return the values on an axis, each once."""
    return list(dict.fromkeys(value for one in axes for value in one.get(name, ())))


def _differences(found: TwoStudies, cells: Cells) -> Grid:
    header, texts = _ordered(cells, ("arm", "B − A", "95 % interval", "verdict"))
    place = header.index("95 % interval")
    rows = []
    for one, row, picture in zip(texts, records(found.differences), pictures(found.differences), strict=True):
        drawn = [*one[:place], Markup("{}{}").format(one[place], _svg(picture)), *one[place + 1 :]] if picture else one
        axes = {name: [row[name]] for name in ("model", "mixture", "target")}
        rows.append(Row(cells=drawn, axes=_about(**axes)))
    return Grid(
        id="differences-table", caption="Differences of arms that both have", columns=columns(header), rows=rows
    )


def _verdicts(found: TwoStudies) -> Grid:
    header, cells = _ordered(two_studies.verdict_cells(found.verdicts), ("comparison", "agreement"))
    rows = []
    for texts, row in zip(cells, records(two_studies.of_both(found.verdicts)), strict=True):
        # mixtures are compared in a model, or models on a mixture
        sides = [row["a"], row["b"]]
        models = [row["model"]] if row["model"] else sides
        mixtures = [row["mixture"]] if row["mixture"] else sides if row["model"] else []
        # a difference may be of two targets
        axes = _about(model=models, mixture=mixtures, target=row["target"].split(" minus "))
        rows.append(Row(cells=_marked(texts, row["agreement"]), axes=axes))
    return Grid(id="verdicts", caption="Estimates of both studies", columns=columns(header), rows=rows)


def _ordered(cells: Cells, first: Sequence[str]) -> Cells:
    """Return header and rows with some columns first: those that a narrow screen has room for."""
    header, rows = cells
    places = [header.index(title) for title in first]
    places += [place for place in range(len(header)) if place not in places]
    return [header[place] for place in places], [[row[place] for place in places] for row in rows]


def _claims(found: TwoStudies) -> Grid:
    header, cells = two_studies.claim_cells(found.claims)
    rows = [
        Row(cells=_marked(texts, one.agreement), axes=_about(model=[one.model]))
        for texts, one in zip(cells, found.claims, strict=True)
    ]
    return Grid(id="claims", caption="Claims in both studies", columns=columns(header), rows=rows)


def _marked(texts: Sequence[str], agreement: str) -> Sequence[str]:
    """Return the cells of a row, in bold where two verdicts are opposite."""
    return [Markup("<strong>{}</strong>").format(text) for text in texts] if agreement == OPPOSITE else texts


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


def _svg(picture: Picture) -> Markup:
    """Return a picture as an SVG element."""
    return Markup(
        '<svg class="interval" viewBox="-2 0 104 10" preserveAspectRatio="none" aria-hidden="true">{}{}{}</svg>'
    ).format(
        _line(picture.zero, picture.zero, (0, 10), Markup('opacity=".35"')),
        _line(picture.low, picture.high, (5, 5), Markup('stroke-width="{}"').format(3 if picture.decided else 1)),
        _line(picture.value, picture.value, (1, 9), Markup('stroke-width="3"')),
    )


def _line(start: float, end: float, y: tuple[int, int], look: Markup) -> Markup:
    return Markup(
        '<line x1="{}" x2="{}" y1="{}" y2="{}" stroke="currentColor" {} vector-effect="non-scaling-stroke"/>'
    ).format(start, end, *y, look)
