"""Readers of raw formats: each gives the rows of files as dicts, and one line that names file and row if it cannot.

A reader knows a format, not a task; which column means what stands in the task's YAML. Every reader is a function
``read(paths, header) -> iterator of dicts``, in which ``header`` names the columns of a format without a header line.
A row has the names of the file's own columns. No reader leaves out anything that its docstring does not name.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from xstilts.data.readers import columns, conllu, json_files, mewslix, parquet, plain, retrieval
from xstilts.errors import UserError

_READERS: Mapping[str, Callable[[Sequence[Path], Sequence[str] | None], Iterator[dict[str, Any]]]] = {
    "tsv": plain.read_tsv,
    "tsv_quoted": plain.read_quoted_tsv,
    "csv": plain.read_csv,
    "text": plain.read_text,
    "lines": plain.read_lines,
    "bucc": plain.read_bucc,
    "tagged": columns.read_tagged,
    "tagged_by_space": columns.read_tagged_by_space,
    "conll": columns.read_conll,
    "uner": columns.read_uner,
    "conllu": conllu.read_conllu,
    "ccg_auto": columns.read_ccg_auto,
    "jsonl": json_files.read_jsonl,
    "json_rows": json_files.read_json_rows,
    "squad": json_files.read_squad,
    "xquad_r": retrieval.read_xquad_r,
    "squad_sentences": retrieval.read_squad_sentences,
    "mewslix": mewslix.read_mewslix,
    "mewslix_pairs": mewslix.read_mewslix_pairs,
    "parquet": parquet.read_parquet,
}


class Format(Protocol):
    """What is to be known of files to read them: the name of the reader, and the header of files without one."""

    @property
    def reader(self) -> str | None:
        """A key of ``_READERS``."""

    @property
    def header(self) -> Sequence[str] | None:
        """Names of the columns."""


def read(source: Format, folder: Path, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of files that belong together.

    Args:
        source: which reader, and the header of files without one.
        folder: the folder that the names are relative to.
        names: the files; aligned formats take several at once, others one.

    Raises:
        UserError: naming the file and the row that cannot be read.
    """
    assert source.reader is not None  # only sources without files have none
    paths = [folder / name for name in names]
    try:
        for path in paths:
            if not path.is_file():
                raise UserError(f"{path}: no such file")
            if not path.stat().st_size:
                raise UserError(f"{path}: empty; fetch the file anew")
        yield from _READERS[source.reader](paths, source.header)
    except OSError as error:
        raise UserError(f"{error.filename or paths[0]}: cannot be read ({error.strerror})") from None


def value(row: Any, column: str) -> Any:
    """Return a column of a row; ``a.b`` goes into a nested value and ``a[].b`` gathers a list.

    Raises:
        KeyError: if the row has no such column.
        TypeError: if what the name goes into is no object, or what it gathers from is no list.
    """
    for index, key in enumerate(keys := column.split(".")):
        if key.endswith("[]"):
            items, rest = row[key[:-2]], ".".join(keys[index + 1 :])
            if not isinstance(items, list):
                raise TypeError(f"{key[:-2]} is not a list")
            return [value(item, rest) for item in items] if rest else list(items)
        row = row[key]
    return row
