"""Training rows that are test rows: how many have exactly the texts of a row that is scored."""

from collections.abc import Iterable

import pyarrow
from pyarrow import compute

from xstilts.forms import FORMS

# between the texts of a row; a unit separator, which no text has
_BETWEEN = "\x1f"


def equal_rows(form: str, training: Iterable[pyarrow.Table], evaluation: Iterable[pyarrow.Table]) -> int:
    """Return how many training rows have, field by field, the texts of an evaluation row.

    Args:
        form: the form of all rows.
        training: prepared rows.
        evaluation: prepared rows.
    """
    known = pyarrow.chunked_array([_texts(form, table) for table in evaluation], pyarrow.string())
    equal = [compute.sum(compute.is_in(_texts(form, table), value_set=known)).as_py() for table in training]
    return sum(number or 0 for number in equal)


def _texts(form: str, table: pyarrow.Table) -> pyarrow.StringArray:
    """Return the texts of each row as one, those that it has not as empty ones."""
    columns = []
    for name in FORMS[form].texts:
        column = table[name].combine_chunks()
        if pyarrow.types.is_list(column.type):
            column = compute.binary_join(column, _BETWEEN)
        columns.append(compute.fill_null(column, ""))
    return compute.binary_join_element_wise(*columns, _BETWEEN)
