"""Line-based formats: TSV without quoting and with it, CSV, plain text, aligned lines, and BUCC's three files."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from xstilts.data.readers.text import numbered_lines, short
from xstilts.errors import UserError

# Python's own limit of 131,072 characters a cell is below the length of real contexts; this is the largest it takes.
csv.field_size_limit(2**31 - 1)
_FORMATS = {",": "CSV", "\t": "TSV whose cells with a quote are quoted"}


def read_tsv(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, str]]:
    """Yield the rows of TSV files without quoting; without a header in the source, the first line is the header.

    A file may lack the last column of the source's header, in all of its rows: then these lack it.
    """
    for path in paths:
        yield from _table(path, ((number, line.split("\t")) for number, line in numbered_lines(path)), header, True)


def read_quoted_tsv(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, str]]:
    """Yield the rows of TSV files whose cells are quoted where they have a quote, as Python's csv module writes them.

    Otherwise as ``tsv``. XTREME's preprocessing writes PAWS-X so (utils_preprocess.py of google-research/xtreme).
    """
    for path in paths:
        yield from _table(path, _csv_rows(path, "\t"), header, True)


def read_csv(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, str]]:
    """Yield the rows of CSV files with quoting (RFC 4180); without a header in the source, the first row is the header.

    A quoted cell may go over several lines; a line's end in it is a line feed, whatever the file has.
    """
    for path in paths:
        yield from _table(path, _csv_rows(path), header)


def _csv_rows(path: Path, delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row, with the number of the line on which it starts."""
    rows = csv.reader((line + "\n" for _, line in numbered_lines(path)), strict=True, delimiter=delimiter)
    while True:
        number = rows.line_num + 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            raise UserError(f"{path}:{number}: not {_FORMATS[delimiter]} ({error}); is the file truncated?") from None
        yield number, cells


def _table(
    path: Path, rows: Iterable[tuple[int, list[str]]], header: Sequence[str] | None, may_lack_last: bool = False
) -> Iterator[dict[str, str]]:
    """Yield rows of cells as dicts, all as wide as the header, or as its columns that the first row has."""
    names = header
    for index, (number, cells) in enumerate(rows):
        if index == 0 and names is not None and may_lack_last:
            names = without_last(names, cells)
        if names is None:
            names = cells
            if len(set(names)) != len(names):
                raise UserError(f"{path}:{number}: a name stands twice in the header {short(', '.join(names))}")
            continue
        if len(cells) != len(names):
            raise UserError(wrong_width(path, number, cells, names))
        yield dict(zip(names, cells, strict=True))


def without_last(names: Sequence[str], cells: Sequence[str]) -> Sequence[str]:
    """Return the columns of a file by its first row: all of them, or all but the last, as where labels are withheld."""
    return names[:-1] if len(cells) == len(names) - 1 else names


def wrong_width(path: Path, number: int, cells: Sequence[str], names: Sequence[str]) -> str:
    """Return the line for a row that has not as many cells as there are names."""
    expected = f"{len(names)} ({short(', '.join(names))[1:-1]})"
    return f"{path}:{number}: {len(cells)} columns where {expected} belong: {short(' | '.join(cells))}"


def read_text(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, str]]:
    """Yield the paragraphs of plain text, one a line, as ``text``; lines without text are left out."""
    for path in paths:
        for _, line in numbered_lines(path):
            if line.strip():
                yield {"text": line}


def read_lines(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, str]]:
    """Yield the lines of a file as ``first``; of two files that correspond line by line, also ``second``."""
    if len(paths) > 2:
        raise UserError(f"{paths[0]}: lines are read from one file or from two that correspond, not from {len(paths)}")
    sides = [[line for _, line in numbered_lines(path)] for path in paths]
    if len(sides[0]) != len(sides[-1]):
        counts = f"{len(sides[0])} lines, but {paths[-1].name} has {len(sides[-1])}"
        raise UserError(f"{paths[0]}: {counts}; they must correspond")
    for row in zip(*sides, strict=True):
        yield dict(zip(("first", "second"), row, strict=False))


def read_bucc(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the sentences of BUCC 2018: first the foreign ones, then the English ones.

    ``id`` and ``text`` are a line's two cells, ``side`` is foreign or english, and ``match`` is the id of the gold
    partner on the other side, None for a distractor.

    Args:
        paths: the foreign sentences, the English sentences, and the gold pairs (foreign id, English id).
        header: not used.
    """
    if len(paths) != 3:
        raise UserError(f"{paths[0]}: BUCC needs three files (foreign, English, gold pairs), not {len(paths)}")
    sides = [_by_id(path) for path in paths[:2]]
    matches: list[dict[str, str]] = [{}, {}]
    for number, cells in _pairs(paths[2]):
        for side, (identity, partner) in enumerate((cells, cells[::-1])):
            if identity not in sides[side]:
                raise UserError(f"{paths[2]}:{number}: {short(identity)} is not in {paths[side].name}")
            if identity in matches[side]:
                raise UserError(f"{paths[2]}:{number}: {short(identity)} stands in an earlier pair too")
            matches[side][identity] = partner
    for name, sentences, found in zip(("foreign", "english"), sides, matches, strict=True):
        for identity, text in sentences.items():
            yield {"id": identity, "text": text, "side": name, "match": found.get(identity)}


def _by_id(path: Path) -> dict[str, str]:
    """Return the sentences of a file by their ids."""
    sentences: dict[str, str] = {}
    for number, (identity, text) in _pairs(path):
        if identity in sentences:
            raise UserError(f"{path}:{number}: the id {short(identity)} stands on an earlier line too")
        sentences[identity] = text
    return sentences


def _pairs(path: Path) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield the two cells of each line, with its number."""
    for number, line in numbered_lines(path):
        first, tab, second = line.partition("\t")
        if not first or not tab or not second:
            raise UserError(f"{path}:{number}: not an id, a tab and a text or an id: {short(line)}")
        yield number, (first, second)
