"""Retrieval with a dual encoder (LAReQA, Mewsli-X): the relevant candidates of a query, in a pool of all languages.

A training row is a query with a relevant candidate. An evaluation row is a query (no candidate) or a candidate (no
query); a candidate is relevant to a query with which it shares a key. A candidate is a text, with the context it stands
in where there is one.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xstilts.errors import UserError
from xstilts.forms.declaration import Columns, Field, Form, Judgement, Metric, Notation, Role, Xtreme
from xstilts.forms.text import filled
from xstilts.metrics.retrieval import average_precision, top, unit
from xstilts.tokenization.tokenizer import ModelTokenizer, shorten
from xstilts.tokenization.tokens import Tokens, TokensBuilder

CUTOFF = 20


def _best(ranked: str) -> str | None:
    return next(iter(json.loads(ranked)), None)


def _best_is_relevant(columns: Columns) -> np.ndarray:
    """Tell for each query whether its best candidate is one of the relevant ones."""
    pairs = zip(columns["prediction"], columns["gold"], strict=True)
    return np.array([_best(ranked) in json.loads(relevant) for ranked, relevant in pairs], dtype=bool)


FORM = Form(
    fields={
        "query": Field(Role.TEXT),
        "text": Field(Role.TEXT),
        "context": Field(Role.TEXT, required=False),
        "keys": Field(Role.IDS, required=False),
    },
    metrics={
        "mean_average_precision": Metric(of_sums=lambda sums, examples: 100 * sums["average_precision"] / examples),
    },
    head_size=lambda width, labels: width * (width + 1) + 1,
    embedded=True,
    pooled=True,
    searched=True,
    sequences=2,
    separable=False,
    lengths=("max_query_length",),
    xtreme=Xtreme("rankings", "json", item="query"),
    judgement=Judgement(
        Notation.RANKING, ("prediction", "gold"), _best_is_relevant, "the best candidate is a relevant one"
    ),
    hub_task="sentence-similarity",
)
# rows that are tokenized at once: a pool may have a million
_BLOCK = 4096


def normalise(record: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    """Return the row: a query, a candidate, or both."""
    row = {field: filled(record, field) if record.get(field) is not None else None for field in ("query", "text")}
    if row["query"] is None and row["text"] is None:
        raise ValueError("neither a query nor a candidate")
    row_keys = record["keys"] if record.get("keys") is not None else []
    if not isinstance(row_keys, list) or not all(isinstance(key, str) for key in row_keys):
        raise ValueError(f"keys is not a list of texts but {row_keys!r:.60}")
    context = filled(record, "context") if record.get("context") is not None else None
    return {**row, "context": context, "keys": row_keys}


def is_query(row: Mapping[str, Any]) -> bool:
    """Tell whether a limit on rows counts this one."""
    return row["query"] is not None


def keys(row: Mapping[str, Any]) -> list[str]:
    """Return the keys of the candidates that are relevant to a query, or those of a candidate."""
    return row["keys"]


def encode(
    rows: Sequence[Mapping[str, Any]], tokenizer: ModelTokenizer, lengths: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Return an instance a row with one or two sequences: the query, then the candidate (with its context)."""
    builder, fields = TokensBuilder(), ("query", "text", "context")
    for index, row in enumerate(rows):
        in_block = index % _BLOCK
        if in_block == 0:
            block = rows[index : index + _BLOCK]
            tokenized = [tokenizer.tokenize([each[field] or "" for each in block]) for field in fields]
        query, text, context = (encodings[in_block].ids for encodings in tokenized)
        if row["query"] is not None:
            builder.sequence(tokenizer.single(query[: lengths["max_query_length"] - tokenizer.single_overhead]))
        if row["text"] is not None and row["context"] is None:
            builder.sequence(tokenizer.single(text[: lengths["max_length"] - tokenizer.single_overhead]))
        elif row["text"] is not None:
            keep, keep_context = shorten(len(text), len(context), lengths["max_length"] - tokenizer.pair_overhead)
            builder.sequence(tokenizer.pair(text[:keep], context[:keep_context]))
        builder.close(index)
    return builder.arrays()


def batch(tokens: Tokens, instances: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the model's inputs, in which queries and candidates alternate, and no targets.

    Raises:
        UserError: if a row lacks one of the two.
    """
    if (np.diff(tokens.arrays["instances"])[instances] != 2).any():
        raise UserError("a row has no query or no text; a dual encoder is trained on pairs of the two")
    return tokens.inputs(instances), {}


def head(width: int, labels: Sequence[str] | None, dropout: float) -> Any:
    """Return the layer from the pooled vector to the vector of a text."""
    from xstilts.forms import heads

    return heads.VectorHead(width, dropout)


def loss(outputs: Any, targets: Mapping[str, Any]) -> Any:
    """Return the mean cross-entropy of each query's own candidate among all candidates of the batch.

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


def class_count(tokens: Tokens, labels: Sequence[str] | None, batch_size: int, vocabulary: int) -> float:
    """Return the number of candidates of a batch."""
    return batch_size


def outputs(raw: Any, targets: Mapping[str, Any]) -> list[np.ndarray]:
    """Return the two vectors of each instance, float32 of shape (2, width)."""
    vectors = raw.float().cpu().numpy()
    return list(vectors.reshape(-1, 2, vectors.shape[1]))


def predict(
    rows: Sequence[Mapping[str, Any]],
    tokens: Tokens,
    kept: Sequence[np.ndarray],
    labels: Sequence[str] | None,
    decoding: Mapping[str, Any],
) -> list[str]:
    """Return for each query the ids of the best candidates among those of all rows, as a JSON list."""
    vectors = np.stack(kept)
    best = top(unit(vectors[:, 0]), unit(vectors[:, 1]), CUTOFF)
    return [json.dumps([rows[index]["example_id"] for index in indices]) for indices in best]


def gold(row: Mapping[str, Any], labels: Sequence[str] | None) -> str:
    """Return the id of the query's own candidate, as a JSON list."""
    return json.dumps([row["example_id"]])


def collapsed(predictions: Sequence[str], gold: Sequence[str]) -> bool:
    """Tell whether all queries have the same predicted candidates although their gold candidates differ."""
    return len(set(predictions)) == 1 < len(set(gold))


def retrieve(
    rows: Mapping[str, Sequence[Mapping[str, Any]]], vectors: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> dict[str, list[tuple[int, str, str]]]:
    """Return for every query the best candidates of the pool of all languages, and the relevant ones, as JSON lists.

    Ids are those of the candidates, with their language before them where languages share ids. A query without a
    relevant candidate in the pool is not scored.

    Raises:
        UserError: if a row is both a query and a candidate.
    """
    for language, of_language in rows.items():
        if len(vectors[language]) != len(of_language):
            raise UserError(f"{language}: a row to be scored is a query or a candidate, but some are both")
    pool = [
        (language, index) for language in rows for index, row in enumerate(rows[language]) if row["text"] is not None
    ]
    if not pool:
        return {language: [] for language in rows}
    ids = [rows[language][index]["example_id"] for language, index in pool]
    if len(set(ids)) < len(ids):
        ids = [f"{language}:{candidate}" for (language, _), candidate in zip(pool, ids, strict=True)]
    relevant: dict[str, list[str]] = {}
    for candidate, (language, index) in zip(ids, pool, strict=True):
        for key in rows[language][index]["keys"]:
            relevant.setdefault(key, []).append(candidate)
    candidates = np.empty((len(pool), vectors[pool[0][0]].shape[1]), np.float32)
    start = 0
    for language, members in itertools.groupby(pool, lambda each: each[0]):
        chosen = [index for _, index in members]
        candidates[start : start + len(chosen)] = unit(vectors[language], chosen)
        start += len(chosen)
    result = {}
    for language, of_language in rows.items():
        gold = {
            index: sorted({candidate for key in row["keys"] for candidate in relevant.get(key, ())})
            for index, row in enumerate(of_language)
            if row["query"] is not None
        }
        queries = [index for index, candidates_of in gold.items() if candidates_of]
        best = top(unit(vectors[language], queries), candidates, CUTOFF) if queries else ()
        result[language] = [
            (index, json.dumps([ids[candidate] for candidate in ranked]), json.dumps(gold[index]))
            for index, ranked in zip(queries, best, strict=True)
        ]
    return result


def statistics(prediction: str, gold: str, scoring: Mapping[str, Any]) -> dict[str, float]:
    """Return ``average_precision`` (0 to 1) at 20; with one relevant candidate it is the reciprocal rank."""
    relevant = set(json.loads(gold))
    # a candidate that is given twice is one answer
    ranked = [candidate in relevant for candidate in dict.fromkeys(json.loads(prediction))]
    return {"average_precision": average_precision(ranked, len(relevant), CUTOFF)}
