"""A few rows, drawn by a seed and evenly over labels: which rows they are matters (Zhao et al. 2021).

Zhao et al. 2021, A Closer Look at Few-Shot Crosslingual Transfer (ACL), section 5: scores after training on a few rows
vary with the rows that are drawn, so each run draws its own.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence

from xstilts.data.rows import Row
from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.forms.declaration import Role


def drawn(rows: Sequence[Row], number: int, seed: int, form: str, what: str) -> list[Row]:
    """Return a number of rows in their own order, as a seed draws them.

    Of one seed fewer rows are among more, and where languages have the same items in translation, they are the same
    items. Where a row has one label, labels have as many rows each, as far as there are.

    Args:
        rows: all rows.
        number: how many are drawn.
        seed: by which they are drawn.
        form: the form of the rows.
        what: what the rows are of, for an error.

    Raises:
        UserError: if there are fewer rows.
    """
    if len(rows) < number:
        raise UserError(f"{what}: {number} rows are asked for by `shots`, and {len(rows)} are there; give fewer shots")
    label = FORMS[form].of_role(Role.LABEL)
    ranked = sorted(range(len(rows)), key=lambda index: _hash(seed, rows[index]["example_id"]))
    seen: Counter[object] = Counter()
    # the first of each label, then the second of each, and so on
    turns: dict[int, int] = {}
    for index in ranked:
        of = rows[index][label[0]] if label else None
        turns[index] = seen[of] if label else 0
        seen[of] += 1
    # stable: within a turn by hash
    chosen = sorted(ranked, key=turns.__getitem__)[:number]
    return [rows[index] for index in sorted(chosen)]


def _hash(seed: int, example_id: str) -> str:
    return hashlib.sha256(f"{seed} {example_id}".encode()).hexdigest()
