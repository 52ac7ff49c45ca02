"""Parquet files, as the hub source leaves them."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from xstilts.errors import UserError

_BATCH_ROWS = 4096


def read_parquet(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the rows of Parquet files."""
    for path in paths:
        try:
            with pyarrow.parquet.ParquetFile(path) as file:
                names = file.schema_arrow.names
                if len(set(names)) != len(names):
                    raise UserError(f"{path}: two columns have the same name, so one would be lost")
                count = 0
                for batch in file.iter_batches(_BATCH_ROWS):
                    count += batch.num_rows
                    yield from batch.to_pylist()
                if count != file.metadata.num_rows:
                    raise UserError(f"{path}: {count} rows, but the file states {file.metadata.num_rows}")
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: a text that is not UTF-8 ({error.reason}); fetch the file anew") from None
        except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{path}: not a readable Parquet file ({reason[:200]}); fetch the file anew") from None
