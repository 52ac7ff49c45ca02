"""Whether raw files can be used: with their labels, without them, or not at all.

Published copies of evaluation sets often have no labels: XTREME's preprocessing strips those of its test sets
(``utils_preprocess.py`` of google-research/xtreme), and copies of TyDiQA have empty answers in their place.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from xstilts.data import readers
from xstilts.data.rows import PLACEHOLDER_ROWS, gold_fields, read_rows, refuse_placeholders
from xstilts.errors import UserError
from xstilts.store.specs.data import FileGroup

STRIPPED = "no labels in it (XTREME's layout strips those of its test sets)"
PLACEHOLDERS = "placeholders in place of labels"


def check(group: FileGroup, folder: Path, evaluated: bool) -> tuple[int, str | None]:
    """Read files to their end, as a job does.

    Args:
        group: the files.
        folder: the folder that their names are relative to.
        evaluated: whether they are evaluation data, which can be of use without labels.

    Returns:
        How many rows the files have, and why these have no labels; None where they have them.

    Raises:
        UserError: naming file and row, if the files cannot be used.
    """
    names = ", ".join(group.files)
    try:
        rows, count = read_rows(group, folder, Counter(), Counter())
        if not rows and group.where is None:
            raise UserError(f"{names}: none of its {count} rows has a gold label")
        if evaluated:
            refuse_placeholders(group.form, group.labels, rows, names)
        return count, None
    except UserError as error:
        if not evaluated or not gold_fields(group.form):
            raise
        try:
            _, count = read_rows(replace(group, labelled=False), folder, Counter(), Counter())
        except UserError:
            raise error from None
        gold = set(_gold(group, folder))
        if gold and (count < PLACEHOLDER_ROWS or len(gold) > 1):
            # some rows have labels: one of them is wrong
            raise
        return count, PLACEHOLDERS if gold else STRIPPED


def _gold(group: FileGroup, folder: Path) -> Iterator[str]:
    """Yield what stands in place of labels and answers; nothing where files have no column of them."""
    columns = [group.reading.columns[field] for field in gold_fields(group.form) if field in group.reading.columns]
    for row in readers.read(group.reading, folder, group.files):
        for column in columns:
            try:
                value: Any = readers.value(row, column)
            except (KeyError, TypeError, IndexError):
                continue
            # answers of a question are texts with their starts
            texts = value["text"] if isinstance(value, dict) else value
            yield from map(str, texts if isinstance(texts, list) else [texts])
