"""Tables as people read them: a header and rows of cells as Markdown, LaTeX, and columns for a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from xstilts.reporting.latex import escape

# header and rows; every row has as many cells as the header
Cells = tuple[list[str], list[list[str]]]
# a cell with nothing to say
NOTHING = "–"


@dataclass(frozen=True)
class Shown:
    """A table as people read it.

    Attributes:
        frame: the numbers behind it, as its CSV file has them.
        cells: header and rows.
        caption: what the cells are, in sentences.
        legend: what the marks in cells mean; empty without any.
    """

    frame: pd.DataFrame
    cells: Cells
    caption: str
    legend: str = ""


def markdown(cells: Cells, title: str, legend: str = "") -> str:
    """Return a Markdown table with its title above and its legend below."""
    header, rows = cells
    widths = _widths([header, *rows])
    lines = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in [header, *rows]]
    lines.insert(1, ["-" * width for width in widths])
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{title}\n\n{table}\n" + (f"\n{legend}\n" if legend else "")


def latex(cells: Cells, title: str, legend: str = "") -> str:
    """Return a LaTeX tabular (booktabs) with its title and its legend as comments."""
    header, rows = cells
    head, *body = [" & ".join(map(escape, row)) + r" \\" for row in [header, *rows]]
    comments = [f"% {line}" for line in (title, legend) if line]
    begin, end = rf"\begin{{tabular}}{{{'l' * len(header)}}}", r"\end{tabular}"
    return "\n".join([*comments, begin, r"\toprule", head, r"\midrule", *body, r"\bottomrule", end, ""])


def columns(cells: Cells, left: int = 0) -> list[str]:
    """Return the lines of a table for a terminal; all columns but the first ``left`` are aligned to the right."""
    header, rows = cells
    widths = _widths([header, *rows])
    return [
        "  ".join(
            cell.ljust(width) if index < left else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in [header, *rows]
    ]


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]
