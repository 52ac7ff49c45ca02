"""A few rows, drawn by a seed."""

from collections import Counter

import pytest
from xstilts.data.few_shot import drawn
from xstilts.errors import UserError

ROWS = [{"example_id": str(number), "label": 0 if number < 90 else number % 3} for number in range(100)]
WORDS = [{"example_id": str(number), "tags": [0]} for number in range(100)]


def test_rows_are_even_over_labels_and_of_one_seed_the_fewer_are_among_the_more():
    few, more = (drawn(ROWS, number, 1, "classification", "xnli@de") for number in (6, 12))
    assert Counter(row["label"] for row in few) == {0: 2, 1: 2, 2: 2}
    # of a label that has no more, all
    assert Counter(row["label"] for row in more)[0] >= 4
    assert [row for row in more if row in few] == few
    assert more == sorted(more, key=ROWS.index)


def test_another_seed_draws_other_rows_and_the_order_of_rows_does_not_matter():
    first, second = (drawn(WORDS, 8, draw, "tagging", "udpos@de") for draw in (1, 2))
    assert first != second
    turned = drawn(WORDS[::-1], 8, 1, "tagging", "udpos@de")
    assert turned[::-1] == first


def test_too_few_rows_are_named():
    with pytest.raises(UserError, match=r"^udpos@de: 101 rows are asked for by `shots`, and 100 are there"):
        drawn(WORDS, 101, 1, "tagging", "udpos@de")
