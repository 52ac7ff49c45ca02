"""What the report is made of: sections, each with a template, and tables whose rows can be sorted and filtered."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from xstilts.errors import reading
from xstilts.evaluation import trainings
from xstilts.reporting.figures.empty import svg_with_data
from xstilts.reporting.layout import NOTHING, Cells
from xstilts.reporting.report.drawn import embedded
from xstilts.reporting.report.evidence import Evidence
from xstilts.store import manifest, provenance
from xstilts.store.manifest import MANIFEST, EvaluationResults, Run, path_of
from xstilts.store.provenance import Provenance
from xstilts.store.specs.base import LEARNING_RATE
from xstilts.store.specs.models import TrainingSpec
from xstilts.store.study_plan import StudyPlan

# what tables can be filtered by
AXES = ("model", "mixture", "target", "language")


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: its title, and the axis of which that is a value; empty where it is none."""

    title: str
    axis: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of a table.

    Attributes:
        cells: one for each column, text or ``Markup``; the first is the row's header.
        id: by which links find it; empty for none.
        axes: what the row is about, by axis; it is shown where one of the values is the chosen one.
    """

    cells: Sequence[str]
    id: str = ""
    axes: Mapping[str, Collection[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table.

    Attributes:
        id: of its element.
        caption: what it is, in a few words.
        columns: its columns.
        rows: its rows.
        about: what its cells are, in sentences.
        meanings: what its columns are, by their titles, where that takes many words; it is folded away.
        note: what its marks mean.
        file: the file with the same numbers, below the folder of the study's outputs.
    """

    id: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    about: str = ""
    meanings: Mapping[str, str] = field(default_factory=dict)
    note: str = ""
    file: str = ""

    @property
    def is_filtered(self) -> bool:
        """Whether a choice of models, mixtures, targets or languages says something of its rows or columns."""
        return any(column.axis for column in self.columns) or any(row.axes for row in self.rows)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The class of each column: ``t`` for text, ``w`` for sentences; nothing for numbers."""
        columns = list(zip(*(row.cells for row in self.rows), strict=True))
        return tuple(_kind(column, is_head=not index) for index, column in enumerate(columns))


# longer text than this is a sentence, and may be broken into lines
_LONGEST = 30


def _kind(cells: Iterable[str], is_head: bool) -> str:
    """Return the class of a column by its cells, of which the head of rows is never a number."""
    texts = [cell.striptags() if isinstance(cell, Markup) else cell for cell in cells]
    if max(map(len, texts)) > _LONGEST:
        return "w"
    return "" if not is_head and all(re.match(r"[+-]?\d|–$|$", text) for text in texts) else "t"


def columns(titles: Iterable[str], axes: Mapping[str, str] | None = None) -> list[Column]:
    """Return columns by their titles; ``axes`` has the axis of those that are a value of one."""
    return [Column(title=title, axis=(axes or {}).get(title, "")) for title in titles]


def arranged(cells: Cells, order: Sequence[str] = (), shared: Collection[str] = ()) -> tuple[Cells, str]:
    """Return header and rows in another order, without empty columns and some of which all rows have the same value.

    Args:
        cells: header and rows.
        order: the columns that come first; those of ``*`` and behind it come last.
        shared: titles of columns that may be left out so.

    Returns:
        Header and rows, and a sentence on what all rows share; empty where they share nothing.
    """
    header, rows = cells
    values = {title: {row[index] for row in rows} - {"", NOTHING} for index, title in enumerate(header)}
    same = {title: value for title in shared if title in header for value in values[title] if len(values[title]) == 1}
    kept = [title for title in header if values[title] and title not in same]
    first, last = list(order), []
    if "*" in first:
        first, last = first[: first.index("*")], first[first.index("*") + 1 :]
    named = [title for title in kept if title not in (*first, *last)]
    titles = [title for title in (*first, *named, *last) if title in kept]
    places = [header.index(title) for title in titles]
    said = f"All rows: {', '.join(f'{title} {value}' for title, value in same.items())}." if same else ""
    return (titles, [[row[place] or NOTHING for place in places] for row in rows]), said


@dataclass(frozen=True, kw_only=True)
class Section:
    """A section of the page.

    Attributes:
        id: of its element.
        title: its heading, and what the contents call it.
        values: what the template is given; ``tables`` are its tables.
        template: a file of ``templates/``; the usual one has the section's figures and tables.
    """

    id: str
    title: str
    values: Mapping[str, Any]
    template: str = "tables.html"


@dataclass(frozen=True)
class Inputs:
    """What sections are made from.

    Attributes:
        plan: the study's plan.
        results: the results folder.
        folder: the folder of the study's outputs, in which the page is.
        scores: the table of scores.
        estimates: the table of estimates.
    """

    plan: StudyPlan
    results: Path
    folder: Path
    scores: pd.DataFrame
    estimates: pd.DataFrame

    @cached_property
    def evidence(self) -> Evidence:
        """What is behind the rows of the tables."""
        return Evidence(self.plan, self.estimates, self.scores)

    @cached_property
    def runs(self) -> dict[str, Run]:
        """The training runs behind the study's predictions, by node id, as the manifests of predictions have them."""
        found: dict[str, Run] = {}
        for node in dict.fromkeys(cell.node for cell in self.plan.cells):
            found |= manifest.results_of(self.results, node, EvaluationResults).training
        return found

    @cached_property
    def provenance(self) -> dict[str, Provenance]:
        """How the study's nodes were made, by id; those of which nothing says so are left out."""
        return provenance.of_nodes(self.results, self.plan.nodes)

    @cached_property
    def best_rates(self) -> dict[str, float]:
        """The learning rate that each search has found, by node id."""
        return trainings.best_rates(self.plan, self.results)

    def learning_rate(self, spec: TrainingSpec) -> str:
        """Return the learning rate of a training, with a word where it was searched."""
        if spec.learning_rate is not None:
            return f"{spec.learning_rate:g}"
        found = self.best_rates.get(spec.parents[LEARNING_RATE])
        return "searched" if found is None else f"{found:g}, searched"

    def href(self, node: str) -> str:
        """Return the path of a node's manifest, as the page links to it."""
        up = "../" * len(self.folder.relative_to(self.results).parts)
        return f"{up}{node}/{MANIFEST}"

    def link(self, node: str, text: str) -> Markup:
        """Return a link to a node's manifest; the text alone where the node is not there any more."""
        if not path_of(self.results, node).exists():
            return Markup.escape(text)
        return Markup('<a href="{}">{}</a>').format(self.href(node), text)

    def figure(self, name: str) -> Markup:
        """Return a figure as an SVG element that is part of the page; nothing where it was not drawn or has no data."""
        path = self.folder / "figures" / f"{name}.svg"
        if not path.exists():
            return Markup()
        svg = svg_with_data(path)
        if svg is None:
            return Markup()
        with reading(path, "delete it and run again"):
            return embedded(svg, name)
