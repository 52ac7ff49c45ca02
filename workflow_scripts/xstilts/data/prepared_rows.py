"""Prepared rows on disk: a Parquet file for each split."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from xstilts.errors import reading


def read_prepared(
    path: Path, columns: Sequence[str] | None = None, filters: Sequence[Any] | None = None
) -> pyarrow.Table:
    """Read a split.

    Args:
        path: the file.
        columns: names of those that are read; None for all.
        filters: which rows are read, in pyarrow's notation; None for all.

    Raises:
        UserError: if it is missing, unreadable or damaged, or lacks a column.
    """
    with reading(path):
        return pyarrow.parquet.read_table(path, columns=columns, filters=filters)
