r"""Tables of a paper: booktabs tables with caption and label, made to fit the page.

A text that is the same in all rows goes into the caption; long texts are wrapped. What is still too wide or too long
becomes several tables: by columns, each with those that name its rows, and by rows, where possible at a change of the
first column, which is the model in most. So what is printed stays as large as it is. The command ``\xstiltsfit`` of
``PREAMBLE`` scales down what is a little wider than the line, which LaTeX itself measures.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from xstilts.reporting.latex import escape
from xstilts.reporting.layout import Cells, Shown

# characters of a line and lines of a table on a page of A4, in footnotesize; a table that is not wider than so much is
# scaled down, to three quarters at most
LINE, PAGE, _WIDEST = 112, 48, 149
# a column of texts is wrapped where a cell is longer, to at least so many characters
_LONG, _NARROWEST = 26, 14
# characters that the space between two columns takes, and the width of a character in em
_GAP, _EM = 2, 0.5
# tables after which LaTeX has to put them on pages, before it has too many
_FLOATS = 10
_VALUE = re.compile(r"[\[+-]?\d.*|[–-]?")
PREAMBLE = r"""\newsavebox{\xstiltsbox}
\newcommand{\xstiltsfit}[1]{\sbox{\xstiltsbox}{#1}%
  \ifdim\wd\xstiltsbox>\linewidth\resizebox{\linewidth}{!}{\usebox{\xstiltsbox}}\else\usebox{\xstiltsbox}\fi}"""


@dataclass(frozen=True)
class _Column:
    """A column of a table.

    Attributes:
        kind: how LaTeX sets it.
        width: in characters; of a column that is wrapped that of its lines.
        names_rows: whether it says what a row is of.
        value: whether it has numbers.
        wrapped: whether its cells are.
    """

    kind: str
    width: int
    names_rows: bool
    value: bool
    wrapped: bool


def latex(shown: Shown, name: str, title: str) -> str:
    """Return a table as LaTeX, in several tables where it does not fit on one page.

    Args:
        shown: the table.
        name: its name; the label of the first table is ``tab:<name>``, of the second ``tab:<name>-2``.
        title: what the table is of, before its caption.
    """
    cells, comments = _without_numbers(shown.cells)
    cells, common = _without_common(cells)
    said = [f"{title}: {shown.caption}", common, shown.legend]
    caption = " ".join(filter(None, said))
    columns = _columns(cells)
    rows = _row_groups(cells[1], columns)
    groups = [(group, names) for names in _column_groups(columns) for group in rows]
    tables = []
    for number, (group, names) in enumerate(groups, 1):
        label = f"tab:{name}" if number == 1 else f"tab:{name}-{number}"
        text = caption if number == 1 else f"{title}: table `{name}`, continued ({number} of {len(groups)})."
        lines = [[cells[1][row][column] for column in names] for row in group]
        header = [cells[0][column] for column in names]
        body = _tabular((header, lines), [columns[column] for column in names], [comments[row] for row in group])
        tables.append(_table(body, text, label))
        if number % _FLOATS == 0:
            tables.append("\\clearpage\n")
    return "\n".join(tables)


def _table(body: str, caption: str, label: str) -> str:
    return (
        "\\begin{table}[htbp]\n\\centering\\footnotesize\\setlength{\\tabcolsep}{3pt}\n"
        f"\\caption{{{escape(caption)}}}\n\\label{{{label}}}\n\\xstiltsfit{{%\n{body}}}\n\\end{{table}}\n"
    )


def _tabular(cells: Cells, columns: Sequence[_Column], comments: Sequence[str]) -> str:
    header, rows = cells
    kinds = "".join(column.kind for column in columns)
    lines = [rf"\begin{{tabular}}{{{kinds}}}", r"\toprule", _line(header), r"\midrule"]
    of_rows = [_line(row) + comment for row, comment in zip(rows, comments, strict=True)]
    # rows of several lines are told apart by some space
    between = "\n\\addlinespace\n" if any(column.wrapped for column in columns) else "\n"
    return "\n".join([*lines, between.join(of_rows), r"\bottomrule", r"\end{tabular}", ""])


def _line(row: Sequence[str]) -> str:
    return " & ".join(map(escape, row)) + r" \\"


def _without_numbers(cells: Cells) -> tuple[Cells, list[str]]:
    """Return a table without its column of row numbers, and these as a comment of each line.

    They are rows of the table of estimates, which a paper does not have.
    """
    header, rows = cells
    if header[0] != "row":
        return cells, [""] * len(rows)
    return (header[1:], [row[1:] for row in rows]), [f" % row {row[0]} of estimates.parquet" for row in rows]


def _without_common(cells: Cells) -> tuple[Cells, str]:
    """Return a table without columns that say one thing in all rows, and a sentence that says it.

    Columns of values stay, as they are what is compared; those without a cell go.
    """
    header, rows = cells
    common: dict[int, str] = {}
    for index in range(len(header)):
        values = {row[index] for row in rows}
        if len(rows) > 1 and len(values) == 1 and not all(map(_is_value, values - {""})):
            common[index] = values.pop()
        elif values == {""}:
            common[index] = ""
    if len(common) == len(header):
        return cells, ""
    kept = [index for index in range(len(header)) if index not in common]
    said = ", ".join(f"{header[index]} {value}" for index, value in common.items() if value)
    rest = ([header[index] for index in kept], [[row[index] for index in kept] for row in rows])
    return rest, f"In all rows: {said}." if said else ""


def _is_value(cell: str) -> bool:
    return len(cell) <= _LONG and _VALUE.fullmatch(cell) is not None


def _columns(cells: Cells) -> list[_Column]:
    """Return the columns of a table; long texts share what the others leave of the line, longer ones more of it."""
    header, rows = cells
    longest = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    values = [all(map(_is_value, column)) for column in zip(*rows, strict=True)]
    values[0] = False
    # what stands before the first values names the rows
    names = values.index(True) if True in values else len(values)
    texts = {index: sqrt(longest[index]) for index, value in enumerate(values) if not value and longest[index] > _LONG}
    rest = LINE - sum(_GAP if index in texts else length + _GAP for index, length in enumerate(longest))
    columns = []
    for index, column in enumerate(zip(*rows, strict=True)):
        width, kind = longest[index], "l"
        if index in texts:
            share = int(rest * texts[index] / sum(texts.values()))
            word = max(len(word) for cell in column for word in cell.split() or [""])
            width = max(share, _NARROWEST, word)
            kind = rf">{{\raggedright\arraybackslash}}p{{{width * _EM:g}em}}"
        elif values[index] and not any("(" in cell for cell in column):
            kind = "r"
        columns.append(_Column(kind, width, index < names, values[index], index in texts))
    return columns


def _column_groups(columns: Sequence[_Column]) -> list[list[int]]:
    """Return the columns of each table, by number: each has those that name its rows."""
    names = [index for index, column in enumerate(columns) if column.names_rows]
    others = [index for index in range(len(columns)) if index not in names]
    rest = _WIDEST - sum(columns[index].width + _GAP for index in names)
    groups: list[list[int]] = [[]]
    for index in others:
        used = sum(columns[one].width + _GAP for one in groups[-1])
        # a text after values, such as a verdict, stays with them
        if groups[-1] and columns[index].value and used + columns[index].width + _GAP > rest:
            groups.append([])
        groups[-1].append(index)
    return [[*names, *group] for group in groups]


def _row_groups(rows: Sequence[Sequence[str]], columns: Sequence[_Column]) -> list[list[int]]:
    """Return the rows of each table, by number: a page at most, where possible whole groups of the first column."""
    space = 0.5 if any(column.wrapped for column in columns) else 0
    heights = [
        space + max([1, *(ceil(len(cell) / c.width) for cell, c in zip(row, columns, strict=True) if c.wrapped)])
        for row in rows
    ]
    blocks: list[list[int]] = []
    for index in range(len(rows)):
        if not blocks or rows[index][0] != rows[blocks[-1][0]][0]:
            blocks.append([])
        blocks[-1].append(index)
    groups: list[list[int]] = [[]]
    for block in blocks:
        height = sum(heights[index] for index in block)
        if groups[-1] and sum(heights[index] for index in groups[-1]) + height > PAGE >= height:
            groups.append([])
        for index in block:
            if groups[-1] and sum(heights[one] for one in groups[-1]) + heights[index] > PAGE:
                groups.append([])
            groups[-1].append(index)
    return groups
