"""Forms by hand-made vectors and scores: directions, thresholds, pools, masks; heads that go on, and tied ones."""

import hashlib
import json
import math
from types import SimpleNamespace

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
import transformers
from conftest import score_of_sums
from safetensors.torch import load_file
from xstilts import forms
from xstilts.commands import main
from xstilts.data import dataset, readers
from xstilts.data.sources import Place, tiny
from xstilts.errors import UserError
from xstilts.evaluation import prediction
from xstilts.forms import bitext, mining, mlm, multiple_choice, retrieval, span, tagging
from xstilts.forms.heads import BackboneOutput
from xstilts.models.backbone import load_backbone
from xstilts.models.distributed import Group
from xstilts.models.model import Model, load_model, make_head, of_node, save_model, tensors
from xstilts.planning import registry
from xstilts.planning.index import index_mirror
from xstilts.planning.plan import Indexes, make_plan
from xstilts.planning.study import read_study
from xstilts.store import manifest
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.tokenization.tokens import Tokens
from xstilts.training.step import Batch, make_optimiser, take_step

CPU = torch.device("cpu")
NUMERICS = {"submodel": None, "dtype": "float32", "precision": "float32"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model folder: a random encoder of XLM-R's architecture with its language-model head."""
    folder = tmp_path_factory.mktemp("model")
    tiny.fetch_model({"hidden_size": 16, "layers": 2, "heads": 2, "seed": 0}, folder, Place(None, True))
    return folder


@pytest.fixture(scope="module")
def tokenizer(folder):
    return ModelTokenizer(folder)


def encode(form, rows, tokenizer, **lengths):
    return Tokens(forms.get(form).encode(rows, tokenizer, {"mask_rate": 0.15, **lengths}), tokenizer.pad)


def part_of(form, rows, tokenizer, path, **lengths):
    """Return rows and their tokens as training and prediction read them."""
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return dataset.Split(encode(form, rows, tokenizer, **lengths), path, "")


def directions(*degrees):
    """Return unit vectors of two dimensions."""
    return np.array([[math.cos(math.radians(at)), math.sin(math.radians(at))] for at in degrees], np.float32)


# Bitext retrieval


@pytest.mark.parametrize(("direction", "found"), [("from_english", ["1", "1"]), ("to_english", ["0", "1"])])
def test_bitext_looks_in_one_direction(direction, found):
    """Sentences at 0 and 30 degrees, their translations at 20 and 35: the first translation is nearer to the second."""
    vectors = directions(0, 20, 30, 35)
    rows = {"de": [{"text": "eins"}, {"text": "zwei"}]}
    scored = bitext.retrieve(rows, {"de": vectors}, {"direction": direction})
    assert scored == {"de": [(0, found[0], "0"), (1, found[1], "1")]}


# Mining


def sentences(pairs, foreign=0, english=0, split="dev", name=""):
    """Return rows: pairs of translations, then foreign and English sentences without one."""
    rows = [(f"{name}de-{at}", "foreign", f"{name}en-{at}" if at < pairs else None) for at in range(pairs + foreign)]
    rows += [(f"{name}en-{at}", "english", f"{name}de-{at}" if at < pairs else None) for at in range(pairs + english)]
    return [
        {"example_id": identity, "text": f"text of {identity}", "side": side, "match": match, "split": split}
        for identity, side, match in rows
    ]


def is_tuning(identity):
    return hashlib.sha256(identity.encode()).digest()[0] % 2 == 0


def test_mining_with_perfect_vectors():
    """Translations have the same vector and nothing else in common: every pair of the scored half is found."""
    rows = sentences(40, foreign=10, english=20)
    axes = np.eye(70, dtype=np.float32)
    vectors = np.concatenate([axes[:50], axes[:40], axes[50:70]])
    scored = mining.retrieve({"de": rows}, {"de": vectors}, {})["de"]
    half = [at for at, row in enumerate(rows) if row["side"] == "foreign" and not is_tuning(row["example_id"])]
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


# Retrieval

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


def test_blocks_do_not_change_what_is_encoded(tokenizer, monkeypatch):
    whole = retrieval.encode(PAIRS * 3, tokenizer, LENGTHS)
    monkeypatch.setattr(retrieval, "_BLOCK", 4)
    assert all((whole[name] == array).all() for name, array in retrieval.encode(PAIRS * 3, tokenizer, LENGTHS).items())


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


# Masked language modelling


@pytest.fixture(scope="module")
def texts(tokenizer):
    """Tokens of 100 texts of 58 to 60 words."""
    rng = np.random.default_rng(0)
    rows = [{"text": " ".join(rng.choice(tiny.LEXICON, 58 + number % 3))} for number in range(100)]
    return encode("mlm", rows, tokenizer, max_length=80)


def test_shares_of_what_is_told_masked_and_changed(texts, tokenizer):
    instances, counts = np.arange(len(texts)), np.zeros(5)
    for key in range(20):
        inputs, targets = mlm.batch(texts, instances, key)
        right, ids, told = targets["labels"], inputs["ids"], inputs["labelled"]
        assert ((right != -100) == told).all()
        assert not told[:, 0].any() and not (told & (inputs["mask"] == 0)).any()
        last = inputs["mask"].sum(1) - 1
        assert not told[instances, last].any()
        assert (ids[~told] == texts.inputs(instances)["ids"][~told]).all()
        masked, same = ids[told] == tokenizer.mask, ids[told] == right[told]
        counts += [
            inputs["mask"].sum() - 2 * len(instances),
            told.sum(),
            masked.sum(),
            same.sum(),
            (~masked & ~same).sum(),
        ]
    positions, told, masked, same, other = counts
    # 120,000 positions, 18,000 of them told: five standard deviations are 0.5 % and 1.5 %
    assert told / positions == pytest.approx(0.15, abs=0.005)
    assert masked / told == pytest.approx(0.8, abs=0.015)
    assert same / told == pytest.approx(0.1, abs=0.012)
    assert other / told == pytest.approx(0.1, abs=0.012)


def test_share_of_what_is_told_is_the_recipes(tokenizer):
    text = [{"text": " ".join(["cat"] * 60)}] * 300
    for share in (0.05, 0.4):
        inputs, _ = mlm.batch(encode("mlm", text, tokenizer, max_length=80, mask_rate=share), np.arange(300), 1)
        # 18,000 positions: five standard deviations are 0.018 at most
        assert inputs["labelled"].sum() / (300 * 60) == pytest.approx(share, abs=0.018)


def test_masks_depend_on_key_and_text_alone(texts):
    together, _ = mlm.batch(texts, np.array([3, 8, 5]), 7)
    alone, _ = mlm.batch(texts, np.array([8]), 7)
    width = alone["ids"].shape[1]
    assert (together["ids"][1, :width] == alone["ids"][0]).all()
    assert (together["labelled"][1, :width] == alone["labelled"][0]).all()
    assert (mlm.batch(texts, np.array([8]), 8)[0]["labelled"] != alone["labelled"]).any()


def test_every_text_has_something_to_tell(tokenizer):
    """Texts of one token, and one that the tokenizer finds no token in."""
    nothing = SimpleNamespace(
        objective=tokenizer.objective, mask=tokenizer.mask, size=tokenizer.size, unknown=tokenizer.unknown,
        pad=tokenizer.pad, single_overhead=2, single=tokenizer.single,
        tokenize=lambda rows: [SimpleNamespace(ids=[]) for _ in rows]
    )  # fmt: skip
    for source in (tokenizer, nothing):
        tokens = encode("mlm", [{"text": "cat"}] * 30, source, max_length=8)
        for key in range(5):
            inputs, _ = mlm.batch(tokens, np.arange(30), key)
            assert inputs["labelled"].any(1).all()
            assert not inputs["labelled"][:, [0, -1]].any()


def test_long_texts_are_cut_into_sequences(tokenizer):
    tokens = encode("mlm", [{"text": " ".join(["cat"] * 20)}, {"text": "dog"}], tokenizer, max_length=10)
    assert tokens.examples.tolist() == [0, 0, 0, 1]
    assert tokens.sequence_lengths.tolist() == [10, 10, 6, 3]
    assert mlm.predict([{}, {}], tokens, [(1.5, 2), (2.0, 1), (0.5, 1), (3.0, 1)], None, {}) == ["4.0 4", "3.0 1"]
    sums = {"loss": 4.0 + 3.0, "positions": 5}
    assert mlm.statistics("4.0 4", "", {}) == {"loss": 4, "positions": 4}
    assert score_of_sums(mlm, sums, 2) == {"loss": 7 / 5}


def test_tokenizer_without_a_mask():
    with pytest.raises(ValueError, match="has no mask token"):
        mlm.encode([], SimpleNamespace(mask=None, objective="masked"), {})


def test_language_model_loss_is_that_of_transformers(folder, tokenizer, tmp_path):
    rng = np.random.default_rng(1)
    rows = [{"text": " ".join(rng.choice(tiny.LEXICON, 5 + 7 * number)), "language": "en"} for number in range(9)]
    part = part_of("mlm", rows, tokenizer, tmp_path / "en.parquet", max_length=40)
    spec = {"parents": {"model": folder, "base": folder}, "trained_on": None, "form": "mlm", "labels": None,
            "decoding": {}, "scoring": None, **NUMERICS}  # fmt: skip
    model, entry = of_node(spec, tmp_path)
    scores, collapsed = prediction.evaluate(model, entry, part, CPU)
    inputs, targets = mlm.batch(part.tokens, np.arange(len(part.tokens)), 0)
    direct = transformers.XLMRobertaForMaskedLM.from_pretrained(folder).eval()
    with torch.inference_mode():
        expected = direct(
            input_ids=torch.from_numpy(inputs["ids"]), attention_mask=torch.from_numpy(inputs["mask"]),
            labels=torch.from_numpy(targets["labels"]),
        ).loss  # fmt: skip
    assert scores["loss"] == pytest.approx(float(expected), rel=1e-5)
    assert not collapsed


def test_tied_embeddings_are_trained_saved_once_and_read_back(folder, tokenizer, tmp_path):
    rows = [{"text": "the farmer sees a cat in the old garden .", "language": "en"}] * 4
    part = part_of("mlm", rows, tokenizer, tmp_path / "train.parquet", max_length=40)
    entry = {"task": "text", "form": "mlm", "labels": None}
    backbone = load_backbone(folder)
    model = Model(backbone, {"text": make_head(entry, backbone, 1, folder)}).train()
    embeddings = backbone.transformer.get_input_embeddings().weight
    before = embeddings.detach().clone()
    optimiser = make_optimiser(model, {"weight_decay": 0, "adam_beta2": 0.999, "adam_epsilon": 1e-8})
    assert sum(parameter is embeddings for group in optimiser.param_groups for parameter in group["params"]) == 1
    batch = Batch(0, [(*mlm.batch(part.tokens, np.arange(4), 0), 4, 1)], 0)
    take_step(model, optimiser, entry, batch, 1e-3, 1.0, Group(), CPU)
    # every token is a wrong answer whose score is lowered, so that all rows change and not only those of the text
    assert ((embeddings - before).abs().max(1).values > 0).float().mean() > 0.9
    saved = tmp_path / "saved"
    saved.mkdir()
    save_model(model.eval(), saved, Group())
    names = set(load_file(saved / "heads.safetensors"))
    assert "text.layers.dense.weight" in names and "text.layers.bias" in names
    assert not any(name.endswith("decoder.weight") for name in names)
    again = load_model([saved], [entry], NUMERICS, folder)
    assert again.heads["text"].layers.decoder.weight is again.backbone.transformer.get_input_embeddings().weight
    inputs = tensors(mlm.batch(part.tokens, np.arange(4), 0)[0], CPU)
    with torch.inference_mode():
        assert torch.equal(model("text", inputs, 4), again("text", inputs, 4))


# Multiple choice


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_multiple_choice_with_any_number_of_choices(folder, tokenizer, tmp_path, count):
    """The prediction is the choice whose own sequence scores best, whatever stands beside it in the batch."""
    labels, rng = list("ABCDE")[:count], np.random.default_rng(count)
    rows = []
    for number in range(12):
        choices = [" ".join(rng.choice(tiny.LEXICON, 1 + number % 4)) for _ in range(count)]
        record = {"context": "the cat .", "question": "where ?", "choices": choices, "label": number % count}
        rows.append({**multiple_choice.normalise(record, labels), "language": "en"})
    part = part_of("multiple_choice", rows, tokenizer, tmp_path / "dev.parquet", max_length=32)
    backbone = load_backbone(folder)
    torch.manual_seed(0)
    head = multiple_choice.head(backbone.width, labels, 0.0)
    torch.nn.init.normal_(head.out.weight)
    torch.nn.init.normal_(head.dense.weight)
    model = Model(backbone, {"task": head}).eval()
    entry = {"task": "task", "form": "multiple_choice", "labels": labels, "decoding": {}, "scoring": None}
    expected = []
    for row in rows:
        scores = []
        for choice in row["choices"]:
            ids = tokenizer.pair(*(tokenizer.tokenize([text])[0].ids for text in ("the cat . where ?", choice)))
            with torch.inference_mode():
                states = backbone({"ids": torch.tensor([ids]), "mask": torch.ones(1, len(ids), dtype=torch.int64)})
                scores.append(float(head.out(torch.tanh(head.dense(states.hidden_states[:, 0])))))
        expected.append(labels[int(np.argmax(scores))])
    assert len(set(expected)) > 1
    assert prediction.predict(model, entry, part, CPU) == expected
    gold = [multiple_choice.gold(row, labels) for row in rows]
    assert gold == [labels[number % count] for number in range(12)]
    accuracy = 100 * sum(one == other for one, other in zip(expected, gold, strict=True)) / 12
    assert prediction.evaluate(model, entry, part, CPU)[0]["accuracy"] == pytest.approx(accuracy)


# Questions without an answer

QUESTION = {"context": "the cat is in the house .", "question": "who ?", "answers": []}
DECODING = {"n_best": 5, "max_answer_length": 30}


def scores_of(tokens, unit, nothing, best):
    """Return scores of a window: those of no answer, and of the token after the first of its context."""
    target = span.batch(tokens, np.array([unit]), 0)[1]
    scores = np.full((int(tokens.lengths[unit]), 2), -9.0, np.float32)
    scores[target["context"][0] == 0] = -np.inf
    scores[0] = nothing / 2
    place = int(np.flatnonzero(target["context"][0])[1])
    scores[place] = best / 2
    return scores


def test_unanswerable_question_has_its_target_at_the_first_position(tokenizer):
    tokens = encode("span", [QUESTION], tokenizer, max_length=32, stride=4, max_question_length=8)
    _, targets = span.batch(tokens, np.array([0]), 0)
    assert targets["first"].tolist() == targets["last"].tolist() == [0]
    # scores of 0 everywhere: each position that is allowed is as likely, the context's and the first
    outputs = torch.zeros(1, int(tokens.lengths[0]), 2)
    allowed = int(targets["context"].sum()) + 1
    assert float(span.loss(outputs, tensors(targets, CPU))) == pytest.approx(math.log(allowed))


@pytest.mark.parametrize(
    ("threshold", "nothing", "answer"),
    [(0, 4, "cat"), (0, 5, "cat"), (0, 6, ""), (2, 6, "cat"), (2, 8, ""), (-2, 2, "cat"), (-2, 4, ""), (None, 9, "cat")]
)  # fmt: skip
def test_no_answer_where_its_score_is_higher_by_more_than_the_threshold(tokenizer, threshold, nothing, answer):
    """The best span scores 5; at a difference of exactly the threshold it is given."""
    tokens = encode("span", [QUESTION], tokenizer, max_length=32, stride=4, max_question_length=8)
    decoding = DECODING if threshold is None else {**DECODING, "null_threshold": threshold}
    assert span.predict([QUESTION], tokens, [scores_of(tokens, 0, nothing, 5)], None, decoding) == [answer]


def test_no_answer_counts_in_the_window_where_it_is_least_likely(tokenizer):
    row = {**QUESTION, "context": "the cat is in the house . the dog is in the river ."}
    tokens = encode("span", [row], tokenizer, max_length=16, stride=2, max_question_length=4)
    assert len(tokens) > 1
    decoding = {**DECODING, "null_threshold": 0}
    kept = [scores_of(tokens, unit, 9, 5) for unit in range(len(tokens))]
    assert span.predict([row], tokens, kept, None, decoding) == [""]
    kept[-1] = scores_of(tokens, len(tokens) - 1, 4, 1)
    assert span.predict([row], tokens, kept, None, decoding) == ["cat"]
    assert span.statistics("", "[]", {"rules": "squad", "language": "en"}) == {"exact_match": 1, "f1": 1}
    assert span.statistics("cat", "[]", {"rules": "squad", "language": "en"}) == {"exact_match": 0, "f1": 0}


# Whole nodes: training with labels that the data bring, and with the head of the stage before

COMMANDS = {"data": "fetch", "models": "fetch", "prepared": "prepare", "tokens": "tokenize", "targets": "train",
            "intermediate": "train", "predictions": "predict"}  # fmt: skip


def make(plan, name, results, mirror, hub):
    """Make a node and what it needs, in this process; ``hub`` has the rows of hub files by their names."""
    path = results / name / manifest.MANIFEST
    node = plan.nodes[name]
    if path.exists():
        return path.parent
    for parent in node.spec["parents"].values():
        make(plan, parent, results, mirror, hub)
    if node.spec.get("source", {}).get("kind") == "hub":
        with manifest.node(path, dict(node.spec)) as (scratch, _):
            for file in node.spec["source"]["files"]:
                (scratch / file).parent.mkdir(exist_ok=True)
                pyarrow.parquet.write_table(pyarrow.Table.from_pylist(hub[file]), scratch / file)
        return path.parent
    arguments = [COMMANDS[node.stage], "--spec", manifest.canonical(node.spec), "--output", str(path)]
    folder = ["--folder", str(mirror)] if node.stage == "data" else []
    assert main([*arguments, *folder]) == 0
    return path.parent


def plan_of(study, tmp_path, mirror=None):
    path, known = tmp_path / "study.yaml", registry.load()
    path.write_text(study)
    return make_plan(read_study(path, known), known, Indexes(mirror and index_mirror(mirror, known, readers.read)))


CCG = """
description: Supertags of a mirror, the rest made up.
source: tiny
tasks: {ccg: {source: mirror}}
models: [tiny]
recipes: {r: {intermediate: {epochs: 1, batch_size: 4, max_length: 64}}}
mixtures: {ccg: [ccg]}
targets: {tatoeba: }
languages: [de]
seeds: [1]
"""
SENTENCES = {
    "train": [
        (["a", "cat", "sleeps"], ["NP/N", "N", "S\\NP"]),
        (["the", "dog", "sees", "a", "ship"], ["NP/N", "N", "(S\\NP)/NP", "NP/N", "N"]),
    ]
    * 6,
    "dev": [(["cat", "!"], ["N", "S[dcl]"])] * 2,
}


def test_tags_of_ccg_are_those_of_its_data(tmp_path):
    mirror = tmp_path / "mirror"
    (mirror / "ccg_pmb").mkdir(parents=True)
    for split, rows in SENTENCES.items():
        lines = ["\n".join(f"{word}\t{word}\t_\t_\t{tag}\t_\t_" for word, tag in zip(*row, strict=True))
                 for row in rows]  # fmt: skip
        (mirror / f"ccg_pmb/en.{split}.conll").write_text("\n\n".join(lines) + "\n")
    plan = plan_of(CCG, tmp_path, mirror)
    (node,) = plan.stage("intermediate").values()
    folder = make(plan, node.id, tmp_path / "results", mirror, {})
    (prepared,) = (tmp_path / "results/prepared").glob("ccg.training-*")
    labels = ["(S\\NP)/NP", "N", "NP/N", "S[dcl]", "S\\NP"]
    facts = manifest.read(prepared / "manifest.json")
    assert facts["labels"] == labels
    # by word: six sentences with one and six with two N
    assert facts["splits"]["train"]["labels"] == {"(S\\NP)/NP": 6, "N": 18, "NP/N": 18, "S\\NP": 6}
    dev = pyarrow.parquet.read_table(prepared / "dev.parquet").to_pylist()
    assert tagging.gold(dev[0], labels) == "N S[dcl]"
    assert load_file(folder / "heads.safetensors")["ccg.out.weight"].shape[0] == len(labels)
    assert set(manifest.read(folder / "manifest.json")["dev"]["ccg"]) == {"f1", "accuracy", "collapsed"}


XCOPA = """
description: SIQA, then COPA.
source: download
models: [tiny]
recipes:
  r:
    target:
      {epochs: 1, batch_size: 4, max_length: 64, learning_rate: 1.0e-2, overrides: {copa: {learning_rate: 1.0e-30}}}
targets: {xcopa: }
languages: [et]
seeds: [1]
limits: {dev_rows: 4}
"""


def choices(count, labels, **fields):
    names = [f"answer{letter}" for letter in "ABC"] if count == 3 else ["choice1", "choice2"]
    return [
        {**fields, **{name: f"the {tiny._NOUNS[at + place]}" for place, name in enumerate(names)}, "label": label}
        for at, label in enumerate(labels * 4)
    ]


def test_copa_goes_on_with_the_head_of_siqa(tmp_path):
    """COPA's learning rate is next to nothing, so that its head is the one with which it starts."""
    copa = choices(2, [0, 1], premise="the cat sees a ship .", question="effect")
    hub = {
        **dict.fromkeys(("default/train", "default/validation"),
                        choices(3, ["1", "3"], context="a dog .", question="where ?")),
        **dict.fromkeys(("copa/train", "copa/validation", "et/test"), copa),
    }  # fmt: skip
    plan = plan_of(XCOPA, tmp_path)
    by_name = {node.name.rpartition(".")[2]: node for node in plan.stage("targets").values()}
    assert list(by_name) == ["siqa", "siqa+copa"]
    assert [node.spec["warm_start_head"] for node in by_name.values()] == [None, "siqa"]
    results = tmp_path / "results"
    (cell,) = plan.cells
    frame = pyarrow.parquet.read_table(make(plan, cell.node, results, None, hub) / "predictions.parquet").to_pydict()
    assert frame["gold"] == [str(row["label"]) for row in copa]
    assert set(frame["prediction"]) <= {"0", "1"}
    first, second = (load_file(results / node.id / "heads.safetensors") for node in by_name.values())
    assert {name.replace("siqa", "copa") for name in first} == set(second)
    for name, value in first.items():
        assert torch.allclose(value, second[name.replace("siqa", "copa")], atol=1e-12), name
    # a head of its own would be another one
    backbone = load_backbone(results / by_name["siqa+copa"].id)
    fresh = make_head({"task": "copa", "form": "multiple_choice", "labels": None}, backbone, 1, None)
    assert not torch.allclose(fresh.dense.weight, second["copa.dense.weight"], atol=1e-3)
