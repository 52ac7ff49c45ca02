"""Mining: thresholds, repeated sentences, and what counts as found."""

import hashlib

import numpy as np
import pytest
from xstilts.forms import mining

from tests.builders.metrics import score_of_sums


def sentences(pairs, foreign=0, english=0, split="dev", name=""):
    """Return rows: pairs of translations, then foreign and English sentences without one."""
    rows = [(f"{name}de-{at}", "foreign", f"{name}en-{at}" if at < pairs else None) for at in range(pairs + foreign)]
    rows += [(f"{name}en-{at}", "english", f"{name}de-{at}" if at < pairs else None) for at in range(pairs + english)]
    return [
        {"example_id": identity, "text": f"text of {identity}", "side": side, "match": match, "split": split}
        for identity, side, match in rows
    ]


def chooses_threshold(identity):
    return hashlib.sha256(identity.encode()).digest()[0] % 2 == 0


def test_mining_with_perfect_vectors():
    """Translations have the same vector and nothing else in common: every pair of the scored half is found."""
    rows = sentences(40, foreign=10, english=20)
    axes = np.eye(70, dtype=np.float32)
    vectors = np.concatenate([axes[:50], axes[:40], axes[50:70]])
    scored = mining.retrieve({"de": rows}, {"de": vectors}, {})["de"]
    half = [at for at, row in enumerate(rows) if row["side"] == "foreign" and not chooses_threshold(row["example_id"])]
    assert 10 < len(half) < 40
    assert scored == [(at, f"en-{at}" if at < 40 else "", f"en-{at}" if at < 40 else "") for at in half]
    assert f1_of(scored) == 100


def f1_of(scored):
    statistics = [mining.statistics(found, gold, {}) for _, found, gold in scored]
    return score_of_sums(mining, {name: sum(row[name] for row in statistics) for name in statistics[0]}, len(scored))[
        "f1"
    ]


def test_statistics_of_mining():
    """One pair right, one wrong, one missing, one too many, one rightly not given: F1 = 2 / (2 + 2 + 2)."""
    scored = [(0, "a", "a"), (1, "b", "c"), (2, "", "d"), (3, "e", ""), (4, "", "")]
    wrong = mining.statistics("b", "c", {})
    assert wrong == {"true_positives": 0, "false_positives": 1, "false_negatives": 1}
    assert f1_of(scored) == pytest.approx(100 / 3)
    assert score_of_sums(mining, {"true_positives": 0, "false_positives": 0, "false_negatives": 0}, 5) == {"f1": 0}


# Two foreign sentences f1, f2 and two English ones e1 = f1, e2, with the cosines f1.e1 = 1, f2.e1 = 0.3, f1.e2 = 0,
# f2.e2 = 0.6. Means to the neighbours are 0.5, 0.45, 0.65, 0.3, so that the pairs have the ratio margins
# 1 / ((0.5 + 0.65) / 2) = 1.739 and 0.6 / ((0.45 + 0.3) / 2) = 1.6.
HIGH_AND_LOW = np.array(
    [[1, 0, 0], [0.3, 0.91**0.5, 0], [1, 0, 0], [0, 0.6 / 0.91**0.5, (1 - 0.36 / 0.91) ** 0.5]], np.float32
)


@pytest.mark.parametrize(("low_is_right", "found"), [(False, ["en-0", ""]), (True, ["en-0", "en-1"])])
def test_threshold_is_chosen_on_another_split(low_is_right, found):
    held = sentences(2, split="threshold", name="held.")
    if not low_is_right:
        held[1]["match"] = held[3]["match"] = None
    rows = [*sentences(2, split="test"), *held]
    scored = mining.retrieve({"de": rows}, {"de": np.concatenate([HIGH_AND_LOW, HIGH_AND_LOW])}, {})["de"]
    assert scored == [(0, found[0], "en-0"), (1, found[1], "en-1")]
    assert f1_of(scored) == (100 if low_is_right else pytest.approx(200 / 3))


def test_sentences_that_repeat_are_in_no_pair():
    """The first two of four are the same, so that neither is found; what the splits share is no repetition."""
    rows = [*sentences(4, split="test"), *sentences(2, split="threshold", name="held.")]
    rows[0]["text"] = rows[1]["text"]
    rows[8]["text"] = rows[2]["text"]
    vectors = np.concatenate([np.eye(4), np.eye(4), np.eye(4)[:2], np.eye(4)[:2]]).astype(np.float32)
    scored = mining.retrieve({"de": rows}, {"de": vectors}, {})["de"]
    assert [found for _, found, _ in scored] == ["", "", "en-2", "en-3"]
    assert f1_of(scored) == pytest.approx(100 * 2 * 2 / (2 * 2 + 2))


def test_mining_without_any_pair():
    rows = sentences(0, foreign=8)
    scored = mining.retrieve({"de": rows}, {"de": np.eye(8, dtype=np.float32)}, {})["de"]
    assert {(found, gold) for _, found, gold in scored} == {("", "")}


def test_queries_of_mining_are_foreign_sentences_with_a_translation():
    rows = sentences(1, foreign=1, english=1)
    assert [mining.is_query(row) for row in rows] == [True, False, False, False]
    assert [mining.keys(row) for row in rows] == [["en-0"], [], ["en-0"], ["en-1"]]
