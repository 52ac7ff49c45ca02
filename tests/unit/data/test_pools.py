"""Pools of sentences: thresholds and limits."""

from collections import Counter

import numpy as np
from xstilts.forms import mining, retrieval


def bucc(raw, split="dev", language="zh"):
    """Write 20 pairs, 30 more foreign and 50 more English sentences."""
    name = f"bucc2018/{language}-en.{split}."
    raw.put(f"{name}{language}", "".join(f"{language}-{at}\tforeign {split} {at}\n" for at in range(50)))
    raw.put(f"{name}en", "".join(f"en-{at}\tenglish {split} {at}\n" for at in range(70)))
    raw.put(f"{name}gold", "".join(f"{language}-{at}\ten-{at}\n" for at in range(20)))


BUCC = {"targets": {"bucc": None}, "languages": ["zh"]}


def test_threshold_is_chosen_on_another_split_where_there_is_one(raw):
    bucc(raw)
    parts, stated = raw.prepare("bucc.evaluation", **BUCC)
    assert {row["split"] for row in parts["zh"]} == {"dev"}
    assert stated.splits["zh"].rows == 120 and not stated.splits["zh"].official
    bucc(raw, "test")
    parts, stated = raw.prepare("bucc.evaluation", **BUCC)
    assert Counter(row["split"] for row in parts["zh"]) == {"test": 120, "threshold": 120}
    # what the threshold is chosen on is not scored, nor counted
    assert {key: getattr(stated.splits["zh"], key) for key in ("split", "official", "rows", "available")} == {
        "split": "test", "official": True, "rows": 120, "available": 120,
    }  # fmt: skip
    assert len({row["cluster_id"] for row in parts["zh"]}) == 240


def test_a_limit_on_pairs_keeps_both_sentences_and_a_part_of_the_others(raw):
    bucc(raw)
    parts, stated = raw.prepare("bucc.evaluation", **BUCC, limits={"test_rows": 5})
    rows = parts["zh"]
    queries = [row for row in rows if mining.is_query(row)]
    assert len(queries) == 5
    assert {row["match"] for row in queries} <= {row["example_id"] for row in rows if row["side"] == "english"}
    # a quarter of the queries, and about as many of the 80 sentences without a translation
    assert 5 <= sum(row["match"] is None for row in rows) <= 50
    assert stated.splits["zh"].sample
    # with perfect vectors all is found
    axes = np.eye(200, dtype=np.float32)
    number = {row["example_id"]: at for at, row in enumerate(rows)}
    vectors = axes[[number[row["match"]] if mining.is_query(row) else at for at, row in enumerate(rows)]]
    scored = mining.retrieve({"zh": rows}, {"zh": vectors}, {})["zh"]
    assert [found for _, found, _ in scored] == [gold for _, _, gold in scored]


def test_a_limit_beyond_the_pairs_changes_nothing(raw):
    bucc(raw)
    whole, stated = raw.prepare("bucc.evaluation", **BUCC)
    assert raw.prepare("bucc.evaluation", **BUCC, limits={"test_rows": 20})[0] == whole
    assert stated.splits["zh"].sample  # 120 of 22,213 published sentences


def test_a_limit_on_questions_keeps_the_same_ones_and_their_sentences_in_every_language(raw):
    raw.made_up("squad_v2/train-v2.0.json", "squad_v2/dev-v2.0.json", "lareqa/en.json", "lareqa/de.json")
    study = {"targets": {"lareqa": None}, "languages": ["de", "en"], "limits": {"dev_rows": 8, "test_rows": 4}}
    parts, stated = raw.prepare("lareqa.evaluation", **study)
    asked = {language: [row["example_id"] for row in rows if row["query"]] for language, rows in parts.items()}
    assert len(asked["de"]) == 4 and asked["de"] == asked["en"]
    found = {key for row in parts["de"] if row["text"] for key in row["keys"]}
    assert found >= set(asked["de"])
    assert stated.splits["de"].sample and not stated.splits["de"].official
    vectors = {language: np.ones((len(rows), 2), np.float32) for language, rows in parts.items()}
    assert [len(scored) for scored in retrieval.retrieve(parts, vectors, {}).values()] == [4, 4]
