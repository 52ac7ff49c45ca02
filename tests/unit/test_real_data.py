"""Real data and a real tokenizer, where XSTILTS_MIRROR and XSTILTS_MODEL name them."""

import os
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from conftest import ROOT
from xstilts import index, readers, registry
from xstilts.forms import span
from xstilts.plan import Indexes, make_plan
from xstilts.prepare import prepare
from xstilts.study import read_study
from xstilts.tokenizer import PieceTokenizer
from xstilts.tokens import Tokens


@pytest.fixture(scope="module")
def pocket(mirror):
    known = registry.load()
    files = index.index_mirror(mirror, known)
    model = {"multilingual-e5-small": {"model.safetensors": {"sha256": "0" * 64, "bytes": 1}}}
    return make_plan(read_study(ROOT / "studies/pocket.yaml", known), known, Indexes(files, model)), files


@pytest.fixture(scope="module")
def tokenizer():
    folder = os.environ.get("XSTILTS_MODEL")
    if not folder:
        pytest.skip("XSTILTS_MODEL is not set: no real tokenizer on this machine")
    return PieceTokenizer(Path(folder))


def prepared(plan, mirror, name, **changes):
    (node,) = [node for node in plan.stage("prepared").values() if node.name == name]
    return lambda excluded=(): prepare({**node.spec, **changes}, mirror, excluded)


def test_index_knows_rows_and_samples(pocket):
    _, files = pocket
    assert files["mnli/train.json"]["rows"] == 8999
    assert files["mnli/train.json"]["sample"] is True
    assert files["commonsenseqa/train_rand_split.jsonl"]["rows"] == 9741
    assert "sample" not in files["commonsenseqa/train_rand_split.jsonl"]
    assert files["squad_v2/dev-v2.0.json"]["rows"] == 6078
    assert files["xnli/dev-sw.tsv"]["rows"] == 2490
    assert files["xnli/test-sw.tsv"]["rows"] == 5010
    assert files["udpos/train-en.tsv"]["rows"] == 21787
    assert files["tatoeba/tatoeba.swh-eng.swh"]["rows"] == 390
    assert all(files[f"xquad/xquad.{language}.json"]["rows"] == 1190 for language in ("ar", "en", "hi", "th", "zh"))


def test_xquads_contexts_leave_the_training_data(pocket, mirror, tmp_path):
    """2,575 of the 2,910 answerable rows of SQuAD's dev file stand in no context of XQuAD."""
    plan, _ = pocket
    contexts = prepared(plan, mirror, "xquad.contexts.en")()[0]["en"]
    pyarrow.parquet.write_table(contexts, tmp_path / "en.parquet")
    dev_file = {"splits": {"train": [{"file": "squad_v2/dev-v2.0.json", "rows": 6078, "sample": True}]}}
    parts, facts = prepared(plan, mirror, "squad_v1.training", **dev_file, train_rows=None)([tmp_path])
    assert facts["left_out"] == {"unanswerable": 3168, "context of an evaluation set": 335}
    assert 6078 - sum(facts["left_out"].values()) == 2575
    assert not set(parts["train"]["context"].to_pylist()) & set(contexts["context"].to_pylist())


def test_evaluation_data_are_the_same_items_in_every_language(pocket, mirror):
    plan, _ = pocket
    parts, _ = prepared(plan, mirror, "xnli.evaluation")()
    items = {language: part["example_id"].to_pylist() for language, part in parts.items()}
    assert set(items) == {"en", "de", "hi", "sw", "tr", "zh"}
    assert all(chosen == items["en"] and len(chosen) == 200 for chosen in items.values())


@pytest.mark.parametrize("language", ["ar", "de", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"])
def test_offsets_give_back_every_gold_answer(mirror, tokenizer, language):
    source = registry.load().tasks["xquad"].sources["mirror"]
    records = readers.read(source, mirror, [f"xquad/xquad.{language}.json"])
    rows = [span.normalise(record, None) for record in records]
    lengths = {"max_length": 384, "stride": 128, "max_question_length": 64}
    tokens = Tokens(span.encode(rows, tokenizer, lengths), tokenizer.pad)
    found = set()
    for unit in np.flatnonzero(tokens.arrays["first"]):
        start = tokens.arrays["starts"][unit]
        begin = tokens.arrays["begins"][start + tokens.arrays["first"][unit]]
        end = tokens.arrays["ends"][start + tokens.arrays["last"][unit]]
        row = rows[tokens.examples[unit]]
        if row["answers"][0]["text"] in row["context"][begin:end]:
            found.add(int(tokens.examples[unit]))
    assert found == set(range(len(rows)))
