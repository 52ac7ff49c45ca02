"""Mining of translations (BUCC): which sentences of two texts, one of them English, are translations of each other.

Rows are the sentences of both sides. An example is a foreign sentence, and its prediction the English id that it is
paired with, or nothing. Pairs are one-to-one, so sums over foreign sentences are sums over pairs.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xstilts.forms.declaration import Field, Form, Judgement, Metric, Notation, Role, Xtreme
from xstilts.forms.text import filled
from xstilts.metrics import counts, mining
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.tokenization.tokens import TokensBuilder

FORM = Form(
    fields={"text": Field(Role.TEXT), "side": Field(Role.CATEGORY), "match": Field(Role.ID)},
    metrics={"f1": Metric(of_sums=lambda sums, examples: 100 * counts.f1(sums))},
    trained=False,
    embedded=True,
    searched=True,
    has_ids=True,
    xtreme=Xtreme("pairs", "tsv", item="pair"),
    judgement=Judgement(
        Notation.PAIR,
        ("false_positives", "false_negatives"),
        lambda columns: columns["false_positives"] + columns["false_negatives"] == 0,
        "the sentence is paired with its translation, or with nothing where it has none",
    ),
    hub_task="sentence-similarity",
)
FOREIGN, ENGLISH = "foreign", "english"
# the split on whose pairs the threshold is chosen, where there is one
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
    """Return the id of the translation of a foreign sentence, where there is one, or that of an English sentence."""
    if row["side"] == ENGLISH:
        return [row["example_id"]]
    return [] if row["match"] is None else [row["match"]]


def encode(
    rows: Sequence[Mapping[str, Any]], tokenizer: ModelTokenizer, lengths: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Return one sequence a row."""
    builder = TokensBuilder()
    length = lengths["max_length"] - tokenizer.single_overhead
    for index, encoding in enumerate(tokenizer.tokenize([row["text"] for row in rows])):
        builder.sequence(tokenizer.single(encoding.ids[:length]))
        builder.close(index)
    return builder.arrays()


def retrieve(
    rows: Mapping[str, Sequence[Mapping[str, Any]]], vectors: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> dict[str, list[tuple[int, str, str]]]:
    """Return for every scored foreign sentence the English id that it is paired with, or nothing, and the gold one.

    The threshold is the one with the best F1 on the sentences of another split, or, where there is none, on one half of
    the foreign sentences (by a hash of their ids); the other half is scored.
    """
    return {language: _mined(rows[language], vectors[language]) for language in rows}


def _mined(rows: Sequence[Mapping[str, Any]], vectors: np.ndarray) -> list[tuple[int, str, str]]:
    is_threshold = np.array([row["split"] == _THRESHOLD for row in rows], dtype=bool)
    has_split = bool(is_threshold.any())
    paired: dict[int, tuple[str, float]] = {}
    for indices in (np.flatnonzero(is_threshold), np.flatnonzero(~is_threshold)):
        if len(indices):
            paired |= _pairs(rows, vectors, indices)
    chosen_on = {index for index, row in enumerate(rows) if row["side"] == FOREIGN and _sets_threshold(row, has_split)}
    candidates = [(index, *paired[index]) for index in sorted(chosen_on & set(paired))]
    correct = np.array([rows[index]["match"] == english for index, english, _ in candidates], dtype=bool)
    gold = sum(rows[index]["match"] is not None for index in chosen_on)
    threshold = mining.best_threshold(np.array([score for _, _, score in candidates]), correct, gold)
    result = []
    for index, row in enumerate(rows):
        if row["side"] == FOREIGN and index not in chosen_on:
            english, score = paired.get(index, ("", -np.inf))
            result.append((index, english if score >= threshold else "", row["match"] or ""))
    return result


def _sets_threshold(row: Mapping[str, Any], has_split: bool) -> bool:
    """Tell whether a foreign sentence is one of those on which the threshold is chosen."""
    if has_split:
        return row["split"] == _THRESHOLD
    return hashlib.sha256(row["example_id"].encode()).digest()[0] % 2 == 0


def _pairs(rows: Sequence[Mapping[str, Any]], vectors: np.ndarray, indices: np.ndarray) -> dict[int, tuple[str, float]]:
    """Return for foreign sentences the id of the English one they are paired with, and the score of the pair."""
    foreign, english = (
        np.array([index for index in indices if rows[index]["side"] == side], dtype=np.int64)
        for side in (FOREIGN, ENGLISH)
    )
    if not (len(foreign) and len(english)):
        return {}
    foreign_texts, english_texts = ([rows[index]["text"] for index in side] for side in (foreign, english))
    pairs, scores = mining.mine(vectors[foreign], vectors[english], foreign_texts, english_texts)
    return {
        int(foreign[a]): (rows[english[b]]["example_id"], float(score))
        for (a, b), score in zip(pairs, scores, strict=True)
    }


def statistics(prediction: str, gold: str, scoring: Mapping[str, Any]) -> dict[str, float]:
    """Return true positives, false positives and false negatives of pairs."""
    return {
        "true_positives": float(prediction == gold != ""),
        "false_positives": float(prediction not in ("", gold)),
        "false_negatives": float(gold not in ("", prediction)),
    }
