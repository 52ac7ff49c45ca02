"""Retrieval by a dual encoder: pairs, their loss, and ranks in the pool of all languages."""

import json
import math
import tracemalloc

import numpy as np
import pytest
import torch
from xstilts.errors import UserError
from xstilts.evaluation import layers
from xstilts.forms import retrieval
from xstilts.forms.heads import BackboneOutput
from xstilts.metrics.retrieval import unit

from tests.builders.metrics import directions, score_of_sums
from tests.builders.models import encode

PAIRS = [
    {"query": "who sees a cat ?", "text": "the farmer .", "context": "the farmer . a dog .", "keys": []},
    {"query": "where is the ship ?", "text": "in the harbour .", "context": None, "keys": []},
]
LENGTHS = {"max_length": 12, "max_query_length": 5}


def test_training_batch_of_retrieval(tokenizer):
    tokens = encode("retrieval", PAIRS, tokenizer, **LENGTHS)
    inputs, targets = retrieval.batch(tokens, np.array([1, 0]), 0)
    assert targets == {}
    assert inputs["ids"].shape[0] == 4
    # query of three tokens, candidate, query, candidate with its context after two separators
    lengths = inputs["mask"].sum(1).tolist()
    assert lengths[0] == lengths[2] == 5 and lengths[3] <= 12
    assert inputs["ids"][3].tolist().count(2) == 3 and inputs["ids"][1].tolist().count(2) == 1


def test_many_rows_are_encoded_as_few_are(tokenizer):
    """Rows are tokenised in blocks of thousands."""
    few, many = (retrieval.encode(PAIRS * times, tokenizer, LENGTHS) for times in (1, 2100))
    assert many["ids"].tolist() == few["ids"].tolist() * 2100
    assert np.diff(many["starts"]).tolist() == np.diff(few["starts"]).tolist() * 2100


def test_training_row_that_is_no_pair(tokenizer):
    tokens = encode("retrieval", [*PAIRS, {**PAIRS[0], "query": None}], tokenizer, **LENGTHS)
    with pytest.raises(UserError, match="a row has no query or no text"):
        retrieval.batch(tokens, np.array([0, 2]), 0)


def test_loss_of_retrieval_is_a_cross_entropy_over_the_batch():
    """Scores [[2, 0], [3, 1]]: -log(e^2 / (e^2 + 1)) and -log(e / (e^3 + e))."""
    outputs = torch.tensor([[1.0, 0.0], [2.0, 0.0], [1.5, 1.0], [0.0, 1.0]])
    expected = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(2))) / 2
    assert float(retrieval.loss(outputs, {})) == pytest.approx(expected, rel=1e-6)


def test_scale_of_a_dual_encoder_starts_at_100_and_is_learned():
    torch.manual_seed(0)
    head = retrieval.head(8, None, 0.0)
    vectors = head(BackboneOutput(torch.randn(4, 3, 8), torch.randn(4, 8)), {}, 2)
    assert (vectors**2).sum(1).tolist() == pytest.approx([100] * 4, rel=1e-5)
    retrieval.loss(vectors, {}).backward()
    assert head.log_scale.grad is not None and float(head.log_scale.grad) != 0


def pool():
    """A query in English with right candidates in both languages, one without any, and one in German.

    From the first query at 0 degrees: c2 (10), c3 (20, right), c1 (30, right), c4 (60).
    """
    rows = {
        "en": [("q1", True, ["a"]), ("q2", True, ["z"]), ("c1", False, ["a"]), ("c2", False, [])],
        "de": [("q3", True, ["b"]), ("c3", False, ["a"]), ("c4", False, ["b"])],
    }
    named = {
        language: [
            {"example_id": name, "query": "?" if query else None, "text": None if query else ".", "keys": keys}
            for name, query, keys in own
        ]
        for language, own in rows.items()
    }
    return named, {"en": 7 * directions(0, 0, 30, 10), "de": directions(61, 20, 60)}


def test_retrieval_looks_in_the_pool_of_all_languages():
    rows, vectors = pool()
    found = retrieval.retrieve(rows, vectors, {})
    # q2 has no right candidate and is not scored
    assert found["en"] == [
        (0, json.dumps(["c2", "c3", "c1", "c4"]), json.dumps(["c1", "c3"]))
    ]  # fmt: skip
    assert found["de"] == [(0, json.dumps(["c4", "c1", "c3", "c2"]), json.dumps(["c4"]))]
    english, german = (retrieval.statistics(*found[language][0][1:], {}) for language in ("en", "de"))
    # right at ranks 2 and 3
    assert english["average_precision"] == pytest.approx((1 / 2 + 2 / 3) / 2)
    total = english["average_precision"] + german["average_precision"]
    assert score_of_sums(retrieval, {"average_precision": total}, 2)["mean_average_precision"] == pytest.approx(
        100 * (7 / 12 + 1) / 2
    )


def test_a_pool_is_in_memory_once(tmp_path, monkeypatch):
    """Where the vectors of languages are mapped from files: beside it little more than one language's."""
    rng, count = np.random.default_rng(0), 2000
    rows = {
        language: [
            {"example_id": f"{language}{number}", "query": None, "text": ".", "keys": []} for number in range(count)
        ]
        for language in ("en", "de", "fr", "fi", "sw", "ta", "ur", "zh")
    }
    rows["en"][0] |= {"query": "?", "text": None, "keys": ["de"]}
    rows["de"][5]["keys"] = ["de"]
    for language in rows:
        np.save(tmp_path / f"{language}.npy", rng.normal(size=(count, 512)).astype(np.float32))
    pools, vectors = [], layers.vectors_of(tmp_path, list(rows))
    monkeypatch.setattr(retrieval, "top", lambda queries, pool, _: pools.append(pool) or [[0]] * len(queries))
    tracemalloc.start()
    assert retrieval.retrieve(rows, vectors, {})["en"] == [(0, '["en1"]', '["de5"]')]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    expected = np.concatenate([vectors["en"][1:], *(vectors[language] for language in list(rows)[1:])])
    assert np.array_equal(pools[0], unit(expected))
    assert peak < 1.5 * pools[0].nbytes


def test_retrieval_without_a_pool():
    rows, vectors = pool()
    rows = {"en": [{**row, "text": None} for row in rows["en"]]}
    assert retrieval.retrieve(rows, {"en": vectors["en"]}, {}) == {"en": []}


def test_average_precision_counts_twenty_and_no_answer_twice():
    names = [f"c{number}" for number in range(25)]
    right = json.dumps(names)
    assert retrieval.statistics(json.dumps(names[:20]), right, {}) == {"average_precision": 1}
    assert retrieval.statistics(json.dumps(["c1", "x", "c1"]), json.dumps(["c1", "c2"]), {}) == {
        "average_precision": 1 / 2
    }


def test_dev_rows_of_retrieval_look_among_themselves():
    kept = [np.stack([directions(query)[0], directions(text)[0]]) for query, text in ((0, 50), (45, 42), (90, 80))]
    rows = [{"example_id": name} for name in "abc"]
    assert [json.loads(text) for text in retrieval.predict(rows, None, kept, None, {})] == [
        ["b", "a", "c"], ["b", "a", "c"], ["c", "a", "b"],
    ]  # fmt: skip
    assert retrieval.gold(rows[1], None) == '["b"]'
    assert not retrieval.collapsed(['["a"]', '["b"]'], ['["a"]', '["b"]'])
    assert retrieval.collapsed(['["a"]', '["a"]'], ['["a"]', '["b"]'])
