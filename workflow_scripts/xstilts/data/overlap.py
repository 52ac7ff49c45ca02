"""Training rows that are test rows: how many have exactly the texts of a row that is scored."""

from collections.abc import Iterable

import pyarrow
from pyarrow import compute

from xstilts.forms import FORMS

# between the texts of a row; a unit separator, which no text has
_BETWEEN = "\x1f"


def texts(form: str, tables: Iterable[pyarrow.Table]) -> pyarrow.ChunkedArray:
    """Return the texts of each prepared row of a form as one, field by field, those that it has not as empty ones."""
    return pyarrow.chunked_array([_of_table(form, table) for table in tables], pyarrow.string())


def equal_rows(training: pyarrow.ChunkedArray, evaluation: pyarrow.ChunkedArray) -> int:
    """Return how many training rows have the texts of an evaluation row, of texts as ``texts`` gives them."""
    return compute.sum(compute.is_in(training, value_set=evaluation)).as_py() or 0


def _of_table(form: str, table: pyarrow.Table) -> pyarrow.StringArray:
    columns = []
    for name in FORMS[form].texts:
        column = table[name].combine_chunks()
        if pyarrow.types.is_list(column.type):
            column = compute.binary_join(column, _BETWEEN)
        columns.append(compute.fill_null(column, ""))
    return compute.binary_join_element_wise(*columns, _BETWEEN)
