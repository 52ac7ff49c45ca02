"""Parquet files, as the hub source leaves them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from xstilts.errors import UserError


def read_parquet(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the rows of Parquet files."""
    for path in paths:
        try:
            table = pyarrow.parquet.read_table(path)
        except (pyarrow.ArrowException, OSError) as error:
            raise UserError(f"{path}: not a readable Parquet file ({error})") from None
        for batch in table.to_batches():
            yield from batch.to_pylist()
