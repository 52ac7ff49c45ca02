"""Tables on disk: Parquet files whose columns are declared, with types and meanings; reading checks them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pandas.api import types

from xstilts.errors import UserError, reading
from xstilts.store.files import written_whole

Type = Literal["text", "integer", "number", "flag"]
_IS_OF_TYPE: Mapping[Type, Callable[[Any], bool]] = {
    "text": types.is_string_dtype,
    "integer": types.is_integer_dtype,
    "number": types.is_float_dtype,
    "flag": types.is_bool_dtype,
}


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: its name; ``stat_*`` stands for all columns that begin with ``stat_``, of which there is at least one.
        type: ``text``, ``integer``, ``number`` (float64) or ``flag`` (bool).
        meaning: what its values say.
        optional: whether values may be missing; integers among which some are missing are numbers.
    """

    name: str
    type: Type
    meaning: str
    optional: bool = False

    def names(self, frame: pd.DataFrame) -> list[str]:
        """Return the columns of a frame that this one stands for."""
        if self.name.endswith("*"):
            return [name for name in frame.columns if name.startswith(self.name[:-1])]
        return [name for name in frame.columns if name == self.name]

    def accepts(self, values: pd.Series) -> bool:
        """Tell whether values are of this column's type."""
        present = values.dropna()
        if len(present) < len(values):
            kind: Type = "number" if self.type == "integer" else self.type
            return self.optional and (present.empty or _IS_OF_TYPE[kind](present))
        return values.empty or _IS_OF_TYPE[self.type](values)


@dataclass(frozen=True)
class Table:
    """A kind of table: what it is called in messages, and its columns. Other columns are left as they are."""

    name: str
    columns: Sequence[Column]

    def problem(self, frame: pd.DataFrame) -> str | None:
        """Return what keeps a frame from being such a table; None where nothing does."""
        for column in self.columns:
            names = column.names(frame)
            if not names:
                return f"no column {column.name!r}"
            for name in names:
                if not column.accepts(frame[name]):
                    lacking = f", {frame[name].isna().sum()} values missing" if frame[name].isna().any() else ""
                    return f"column {name!r} must be {column.type}, found {frame[name].dtype}{lacking}"
        return None

    def write(self, frame: pd.DataFrame, path: Path) -> None:
        """Write a table whole.

        Raises:
            ValueError: if the frame is no such table.
        """
        if (problem := self.problem(frame)) is not None:
            raise ValueError(f"{path}: not a table of {self.name}: {problem}")
        with written_whole(path) as partial:
            frame.to_parquet(partial, index=False)

    def read(self, path: Path) -> pd.DataFrame:
        """Read a table.

        Raises:
            UserError: if the file is missing, unreadable or damaged, or is another table.
        """
        if not path.exists():
            raise UserError(f"{path}: missing; the stage that makes the table of {self.name} has not run")
        with reading(path, "delete it and run again"):
            frame = pd.read_parquet(path)
        if (problem := self.problem(frame)) is not None:
            raise UserError(f"{path}: not a table of {self.name}: {problem}; delete it and run again")
        return frame


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame as dicts from column to value."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
