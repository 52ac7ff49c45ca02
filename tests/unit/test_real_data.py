"""Real data and a real tokenizer, where XSTILTS_MIRROR and XSTILTS_MODEL name them."""

import os
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
from conftest import ROOT
from xstilts.data import readers
from xstilts.data.prepare import prepare
from xstilts.forms import span, tagging
from xstilts.planning import index, registry
from xstilts.planning.plan import make_plan
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import read_study
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.tokenization.tokens import Tokens


@pytest.fixture(scope="module")
def pocket(mirror):
    known = registry.load()
    files = index.index_mirror(mirror, known, readers.read)
    model = {"multilingual-e5-small": {"model.safetensors": {"sha256": "0" * 64, "bytes": 1}}}
    return make_plan(read_study(ROOT / "studies/pocket.yaml", known), known, Indexes(files, model)), files


@pytest.fixture(scope="module")
def tokenizer():
    folder = os.environ.get("XSTILTS_TOKENIZER") or os.environ.get("XSTILTS_MODEL")
    if not folder:
        pytest.skip("neither XSTILTS_TOKENIZER nor XSTILTS_MODEL is set: no real tokenizer on this machine")
    return ModelTokenizer(Path(folder))


def prepared(plan, mirror, name, **changes):
    (node,) = [node for node in plan.stage("prepared").values() if node.name == name]
    return lambda excluded=(): prepare({**node.spec, **changes}, mirror, excluded)


def test_index_knows_rows_and_samples(pocket):
    _, files = pocket
    expected = {
        ("mnli", "mnli/train.json"): (8999, True),
        ("commonsenseqa", "commonsenseqa/train_rand_split.jsonl"): (9741, False),
        ("squad_v2", "squad_v2/dev-v2.0.json"): (6078, True),
        ("xnli", "xnli/dev-sw.tsv"): (2490, False),
        ("xnli", "xnli/test-sw.tsv"): (5010, False),
        ("udpos", "udpos/train-en.tsv"): (21787, False),
        ("tatoeba", "tatoeba/tatoeba.swh-eng.swh"): (390, False),
        **{("xquad", f"xquad/xquad.{language}.json"): (1190, False) for language in ("ar", "en", "hi", "th", "zh")},
    }
    found = {(task, name): files[name]["tasks"][task] for task, name in expected}
    assert {key: (facts["rows"], facts["sample"]) for key, facts in found.items()} == expected


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


ANSWERS = [
    *(f"xquad/xquad.{language}.json" for language in ("ar", "de", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")),
    *(f"mlqa/dev-context-{language}-question-{language}.json" for language in ("ar", "de", "en", "es", "hi", "zh")),
    # of TyDiQA's dev sets there, all answers are placeholders
    "tydiqa/tydiqa.goldp.en.train.json",
]


@pytest.mark.parametrize("name", ANSWERS)
def test_offsets_give_back_every_gold_answer(mirror, tokenizer, name):
    records = readers.json_files.read_squad([mirror / name], None)
    rows = [span.normalise(record, None) for record in records]
    lengths = {"max_length": 384, "stride": 128, "max_question_length": 64}
    tokens = Tokens(span.encode(rows, tokenizer, lengths), tokenizer.pad)
    found = set()
    for unit in np.flatnonzero(tokens.arrays["first"]):
        start = tokens.arrays["starts"][unit]
        begin = tokens.arrays["begins"][start + tokens.arrays["first"][unit]]
        end = tokens.arrays["ends"][start + tokens.arrays["last"][unit]]
        row = rows[tokens.examples[unit]]
        # for a zero-width space at its end (10 of MLQA's Spanish answers) XLM-R's tokenizer has no token
        if row["answers"][0]["text"].strip("\u200b") in row["context"][begin:end]:
            found.add(int(tokens.examples[unit]))
    assert found == set(range(len(rows)))


def tagged_files(mirror):
    return sorted(path for task in ("udpos", "panx") for path in (mirror / task).glob("*-*.tsv"))


def test_every_word_keeps_its_label(mirror, tokenizer):
    """Split at a short length and merged again, every word of UDPOS and PANX has the tag it had."""
    files = tagged_files(mirror)
    assert len(files) == 34
    for path in files:
        records = list(readers.columns.read_tagged([path], None))[:2000]
        labels = sorted({tag for record in records for tag in record["tags"]})
        numbers = {label: number for number, label in enumerate(labels)}
        rows = [{"words": row["words"], "tags": [numbers[tag] for tag in row["tags"]]} for row in records]
        tokens = Tokens(tagging.encode(rows, tokenizer, {"max_length": 24}), tokenizer.pad)
        kept = []
        for unit in range(len(tokens)):
            targets = tagging.batch(tokens, np.array([unit]), 0)[1]
            chosen = targets["words"][0] != tagging.NO_WORD
            kept.append((targets["words"][0][chosen], targets["tags"][0][chosen]))
        merged = tagging.predict(rows, tokens, kept, labels, {})
        assert merged == [" ".join(row["tags"]) for row in records], path.name
