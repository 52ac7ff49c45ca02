"""Retrieval with a dual encoder (LAReQA, Mewsli-X): the right candidates of a query, in a pool of all languages.

A training row is a query with a right candidate. An evaluation row is a query (no candidate) or a candidate (no query);
a candidate is right for a query with which it shares a key. A candidate is a text, with the context it stands in where
there is one.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow

from xstilts.errors import UserError
from xstilts.forms.text import filled
from xstilts.metrics.retrieval import average_precision, top, unit
from xstilts.tokenization.tokenizer import ModelTokenizer, shorten
from xstilts.tokenization.tokens import Tokens, TokensBuilder

FIELDS = [
    ("query", pyarrow.string()),
    ("text", pyarrow.string()),
    ("context", pyarrow.string()),
    ("keys", pyarrow.list_(pyarrow.string())),
]
CUTOFF = 20
# rows whose tokens are in memory at once: a pool may have a million
_BLOCK = 4096


def normalise(record: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    """Return the row: a query, a candidate, or both."""
    row = {field: filled(record, field) if record.get(field) is not None else None for field in ("query", "text")}
    if row["query"] is None and row["text"] is None:
        raise ValueError("neither a query nor a candidate")
    found = record["keys"] if record.get("keys") is not None else []
    if not isinstance(found, list) or not all(isinstance(key, str) for key in found):
        raise ValueError(f"keys is not a list of texts but {found!r:.60}")
    context = filled(record, "context") if record.get("context") is not None else None
    return {**row, "context": context, "keys": found}


def is_query(row: Mapping[str, Any]) -> bool:
    """Tell whether a limit on rows counts this one."""
    return row["query"] is not None


def keys(row: Mapping[str, Any]) -> list[str]:
    """Return what a query looks for, or under what a candidate is found."""
    return row["keys"]


def encode(
    rows: Sequence[Mapping[str, Any]], tokenizer: ModelTokenizer, lengths: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Return an instance a row with one or two sequences: the query, then the candidate (with its context)."""
    builder, fields = TokensBuilder(), ("query", "text", "context")
    for number, row in enumerate(rows):
        place = number % _BLOCK
        if place == 0:
            block = rows[number : number + _BLOCK]
            tokenized = [tokenizer.tokenize([each[field] or "" for each in block]) for field in fields]
        query, text, context = (encodings[place].ids for encodings in tokenized)
        if row["query"] is not None:
            builder.sequence(tokenizer.single(query[: lengths["max_query_length"] - tokenizer.single_overhead]))
        if row["text"] is not None and row["context"] is None:
            builder.sequence(tokenizer.single(text[: lengths["max_length"] - tokenizer.single_overhead]))
        elif row["text"] is not None:
            keep, keep_context = shorten(len(text), len(context), lengths["max_length"] - tokenizer.pair_overhead)
            builder.sequence(tokenizer.pair(text[:keep], context[:keep_context]))
        builder.close(number)
    return builder.arrays()


def batch(tokens: Tokens, instances: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the model's input; queries and candidates alternate, and nothing else is needed.

    Raises:
        UserError: if a row has not both.
    """
    if (np.diff(tokens.arrays["instances"])[instances] != 2).any():
        raise UserError("a row has no query or no text; a dual encoder is trained on pairs of the two")
    return tokens.inputs(instances), {}


def head(width: int, labels: Sequence[str] | None, dropout: float) -> Any:
    """Return the layer from the first position's vector to the vector of a text."""
    from xstilts.forms import heads

    return heads.VectorHead(width, dropout)


def head_size(width: int, labels: Sequence[str] | None) -> int:
    """Return the parameters of the layer, and the scale."""
    return width * (width + 1) + 1


def loss(outputs: Any, targets: Mapping[str, Any]) -> Any:
    """Return the mean cross-entropy of each query's own candidate among those of the batch.

    Args:
        outputs: vectors of shape (2 x instances, width) whose products are the scaled cosines.
        targets: nothing.
    """
    import torch
    from torch.nn.functional import cross_entropy

    scores = outputs[0::2] @ outputs[1::2].T
    return cross_entropy(scores, torch.arange(len(scores), device=scores.device))


def terms(targets: Mapping[str, Any], instances: int) -> int:
    """Return the number of instances, over which the loss is a mean."""
    return instances


def outputs(raw: Any, targets: Mapping[str, Any]) -> list[np.ndarray]:
    """Return the two vectors of each instance, float32 of shape (2, width)."""
    vectors = raw.float().cpu().numpy()
    return list(vectors.reshape(-1, 2, vectors.shape[1]))


def predict(
    rows: Sequence[Mapping[str, Any]], tokens: Tokens, kept: Sequence[np.ndarray], labels: Sequence[str] | None,
    decoding: Mapping[str, Any],
) -> list[str]:  # fmt: skip
    """Return for each query the ids of the best candidates among those of all rows, as a JSON list."""
    vectors = np.stack(kept)
    best = top(unit(vectors[:, 0]), unit(vectors[:, 1]), CUTOFF)
    return [json.dumps([rows[place]["example_id"] for place in places]) for places in best]


def gold(row: Mapping[str, Any], labels: Sequence[str] | None) -> str:
    """Return the id of the query's own candidate, as a JSON list."""
    return json.dumps([row["example_id"]])


def collapsed(predictions: Sequence[str], gold: Sequence[str]) -> bool:
    """Tell whether every query has the same candidates."""
    return len(set(predictions)) == 1 < len(set(gold))


def retrieve(
    rows: Mapping[str, Sequence[Mapping[str, Any]]], vectors: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> dict[str, list[tuple[int, str, str]]]:
    """Return for every query the best candidates of the pool of all languages, and the right ones, as JSON lists.

    Ids are those of the candidates, with their language before them where languages share ids. A query without a right
    candidate in the pool is not scored.

    Raises:
        UserError: if a row is both a query and a candidate.
    """
    for language, own in rows.items():
        if len(vectors[language]) != len(own):
            raise UserError(f"{language}: a row to be scored is a query or a candidate, but some are both")
    pool = [
        (language, number) for language in rows for number, row in enumerate(rows[language]) if row["text"] is not None
    ]
    if not pool:
        return {language: [] for language in rows}
    names = [rows[language][number]["example_id"] for language, number in pool]
    if len(set(names)) < len(names):
        names = [f"{language}:{name}" for (language, _), name in zip(pool, names, strict=True)]
    right: dict[str, list[str]] = {}
    for name, (language, number) in zip(names, pool, strict=True):
        for key in rows[language][number]["keys"]:
            right.setdefault(key, []).append(name)
    candidates = unit(np.stack([vectors[language][number] for language, number in pool]))
    found = {}
    for language, own in rows.items():
        gold = {
            number: sorted({name for key in row["keys"] for name in right.get(key, ())})
            for number, row in enumerate(own)
            if row["query"] is not None
        }
        queries = [number for number, names_of in gold.items() if names_of]
        best = top(unit(vectors[language][queries]), candidates, CUTOFF) if queries else ()
        found[language] = [
            (number, json.dumps([names[place] for place in places]), json.dumps(gold[number]))
            for number, places in zip(queries, best, strict=True)
        ]
    return found


def statistics(prediction: str, gold: str, scoring: Mapping[str, Any]) -> dict[str, float]:
    """Return ``average_precision`` (0 to 1) at 20; with one right candidate it is the reciprocal rank."""
    right = set(json.loads(gold))
    # of a candidate that is given twice, the second is no further answer
    ranked = [name in right for name in dict.fromkeys(json.loads(prediction))]
    return {"average_precision": average_precision(ranked, len(right), CUTOFF)}


def score(sums: Mapping[str, float], examples: int) -> dict[str, float]:
    """Return ``mean_average_precision`` (mAP@20) in percent."""
    return {"mean_average_precision": 100 * sums["average_precision"] / examples}
