"""Mining of translations (BUCC): which sentences of two texts, one of them English, are translations of each other.

Rows are the sentences of both sides. What is scored is one foreign sentence: the English id that it is paired with, or
nothing. Pairs are one-to-one, so the sums over foreign sentences are those over pairs.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow

from xstilts.forms.text import filled
from xstilts.metrics import counts, mining
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.tokenization.tokens import TokensBuilder

FIELDS = [("text", pyarrow.string()), ("side", pyarrow.string()), ("match", pyarrow.string())]
FOREIGN, ENGLISH = "foreign", "english"
# the split whose pairs the threshold is chosen on, where there is one
_THRESHOLD = "threshold"


def normalise(record: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    """Return the row: a sentence, its side, and the id of its translation or None."""
    if record.get("side") not in (FOREIGN, ENGLISH):
        raise ValueError(f"side is neither {FOREIGN} nor {ENGLISH} but {record.get('side')!r:.60}")
    match = filled(record, "match") if record.get("match") is not None else None
    return {"text": filled(record, "text"), "side": record["side"], "match": match}


def is_query(row: Mapping[str, Any]) -> bool:
    """Tell whether a limit on rows counts this one: a foreign sentence that has a translation."""
    return row["side"] == FOREIGN and row["match"] is not None


def keys(row: Mapping[str, Any]) -> list[str]:
    """Return the ids that a foreign sentence looks for, or those under which an English one is found."""
    if row["side"] == ENGLISH:
        return [row["example_id"]]
    return [] if row["match"] is None else [row["match"]]


def encode(
    rows: Sequence[Mapping[str, Any]], tokenizer: ModelTokenizer, lengths: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Return one sequence a row."""
    builder = TokensBuilder()
    room = lengths["max_length"] - tokenizer.single_overhead
    for number, encoding in enumerate(tokenizer.tokenize([row["text"] for row in rows])):
        builder.sequence(tokenizer.single(encoding.ids[:room]))
        builder.close(number)
    return builder.arrays()


def retrieve(
    rows: Mapping[str, Sequence[Mapping[str, Any]]], vectors: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> dict[str, list[tuple[int, str, str]]]:
    """Return for every scored foreign sentence the English id it is paired with, or nothing, and the right one.

    The threshold is the one with the best F1 on the sentences of another split, or, where there is none, on one half of
    the foreign sentences (by a hash of their ids); the other half is scored.
    """
    return {language: _mined(rows[language], vectors[language]) for language in rows}


def _mined(rows: Sequence[Mapping[str, Any]], vectors: np.ndarray) -> list[tuple[int, str, str]]:
    splits = [np.array([number for number, row in enumerate(rows) if (row["split"] == _THRESHOLD) is held])
              for held in (True, False)]  # fmt: skip
    paired: dict[int, tuple[str, float]] = {}
    for numbers in splits:
        if len(numbers):
            paired |= _pairs(rows, vectors, numbers)
    tuning = {number for number, row in enumerate(rows) if row["side"] == FOREIGN and _tunes(row, bool(len(splits[0])))}
    found = [(number, *paired[number]) for number in sorted(tuning & set(paired))]
    right = np.array([rows[number]["match"] == other for number, other, _ in found], dtype=bool)
    gold = sum(rows[number]["match"] is not None for number in tuning)
    threshold = mining.best_threshold(np.array([score for _, _, score in found]), right, gold)
    result = []
    for number, row in enumerate(rows):
        if row["side"] == FOREIGN and number not in tuning:
            other, score = paired.get(number, ("", -np.inf))
            result.append((number, other if score >= threshold else "", row["match"] or ""))
    return result


def _tunes(row: Mapping[str, Any], has_split: bool) -> bool:
    """Tell whether a foreign sentence is one of those that the threshold is chosen on."""
    if has_split:
        return row["split"] == _THRESHOLD
    return hashlib.sha256(row["example_id"].encode()).digest()[0] % 2 == 0


def _pairs(rows: Sequence[Mapping[str, Any]], vectors: np.ndarray, numbers: np.ndarray) -> dict[int, tuple[str, float]]:
    """Return for foreign sentences the id of the English one they are paired with, and the pair's score."""
    foreign, english = (
        np.array([number for number in numbers if rows[number]["side"] == side], dtype=np.int64)
        for side in (FOREIGN, ENGLISH)
    )
    if not (len(foreign) and len(english)):
        return {}
    texts = ([rows[number]["text"] for number in side] for side in (foreign, english))
    pairs, scores = mining.mine(vectors[foreign], vectors[english], *texts)
    return {
        int(foreign[one]): (rows[english[other]]["example_id"], float(score))
        for (one, other), score in zip(pairs, scores, strict=True)
    }


def statistics(prediction: str, gold: str, scoring: Mapping[str, Any]) -> dict[str, float]:
    """Return true positives, false positives and false negatives of pairs."""
    return {
        "true_positives": float(prediction == gold != ""),
        "false_positives": float(prediction not in ("", gold)),
        "false_negatives": float(gold not in ("", prediction)),
    }


def score(sums: Mapping[str, float], examples: int) -> dict[str, float]:
    """Return ``f1`` over pairs in percent."""
    return {"f1": 100 * counts.f1(sums)}
