"""Readers of raw formats: each gives the rows of files as dicts, and one line that names file and row if it cannot.

A reader knows a format, not a task; which column means what stands in the task's YAML. Every reader is a function
``read(paths, source) -> iterator of dicts``. A row of the dict has the names of the file's own columns.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from xstilts.errors import UserError
from xstilts.readers import json_files, parquet, plain
from xstilts.registry import Source

_READERS = {
    "tsv": plain.read_tsv,
    "tagged": plain.read_tagged,
    "lines": plain.read_lines,
    "jsonl": json_files.read_jsonl,
    "json_rows": json_files.read_json_rows,
    "squad": json_files.read_squad,
    "parquet": parquet.read_parquet,
}


def read(source: Source, folder: Path, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of files that belong together.

    Args:
        source: which reader, and the header of files without one.
        folder: the folder that the names are relative to.
        names: the files; aligned formats take several at once, others one.

    Raises:
        UserError: naming the file and the row that cannot be read.
    """
    paths = [folder / name for name in names]
    for path in paths:
        if not path.is_file():
            raise UserError(f"{path}: no such file")
    try:
        yield from _READERS[source.reader](paths, source.header)
    except UnicodeDecodeError:
        raise UserError(_wrong_encoding(paths)) from None


def _wrong_encoding(paths: Iterable[Path]) -> str:
    """Return the line that names the file and the byte that is not UTF-8."""
    for path in paths:
        try:
            path.read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            return f"{path}: not UTF-8 at byte {error.start} ({error.reason}); fetch the file anew"
    raise AssertionError("only called where a file is not UTF-8")


def value(row: Any, column: str) -> Any:
    """Return a column of a row; ``a.b`` goes into a nested value and ``a[].b`` gathers a list.

    Raises:
        KeyError: if the row has no such column.
    """
    for place, part in enumerate(parts := column.split(".")):
        if part.endswith("[]"):
            items, rest = row[part[:-2]], ".".join(parts[place + 1 :])
            return [value(item, rest) for item in items] if rest else list(items)
        row = row[part]
    return row
