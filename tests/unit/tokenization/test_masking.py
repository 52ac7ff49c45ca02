"""What a language model is trained to predict: masked tokens, spans, and the next token."""

from types import SimpleNamespace

import numpy as np
import pytest
from xstilts.data.sources import tiny
from xstilts.forms import mlm
from xstilts.tokenization import masking
from xstilts.tokenization.tokens import Tokens

from tests.builders.models import encode


def test_causal_predicts_the_next_token(family_splits):
    tokens = family_splits["qwen", "mlm"].tokens
    inputs, targets = masking.causal(tokens, np.arange(2), 0)
    for row in range(2):
        length = int(inputs["mask"][row].sum())
        assert targets["labels"][row, : length - 1].tolist() == inputs["ids"][row, 1:length].tolist()
        assert (targets["labels"][row, length - 1 :] == -100).all()


def test_spans_put_together_again_are_the_text(family_splits):
    """Sentinels in order; the spans of the targets put in their place give the text; 15 % of it, at least a token."""
    tokens = family_splits["mt5", "mlm"].tokens
    first, last = 2, 101
    for key in range(20):
        inputs, targets = masking.spans(tokens, np.arange(len(tokens)), key)
        for instance in range(len(tokens)):
            text = tokens.arrays["ids"][
                tokens.arrays["starts"][instance] : tokens.arrays["starts"][instance + 1]
            ].tolist()
            read = inputs["ids"][instance][inputs["mask"][instance] == 1].tolist()
            predicted = inputs["decoder_ids"][instance][inputs["decoder_mask"][instance] == 1].tolist()
            assert read[-1] == predicted[-1] == text[-1] == 1
            lost, sentinel = {}, None
            for token in predicted[:-1]:
                if first <= token <= last:
                    sentinel = token
                    lost[sentinel] = []
                else:
                    lost[sentinel].append(token)
            # extra_id_0 has the highest number
            assert list(lost) == [last - index for index in range(len(lost))]
            whole = [word for token in read[:-1] for word in lost.get(token, [token])]
            assert whole == text[:-1]
            assert sum(map(len, lost.values())) == max(1, round(0.15 * (len(text) - 1)))
    once, _ = masking.spans(tokens, np.arange(len(tokens)), 3)
    alone, _ = masking.spans(tokens, np.array([4]), 3)
    width = alone["ids"].shape[1]
    assert (once["ids"][4, :width] == alone["ids"][0]).all()
    others = [masking.spans(tokens, np.array([4]), key)[0]["ids"].tolist() for key in range(20)]
    assert len({str(ids) for ids in others}) > 5


@pytest.mark.parametrize(
    ("length", "share", "lost", "number"),
    [(1, 0.15, 1, 1), (2, 0.15, 1, 1), (20, 0.15, 3, 1), (40, 0.15, 6, 2), (200, 0.15, 30, 10), (200, 0.3, 60, 20)],
)
def test_number_of_spans(length, share, lost, number):
    text, end, sentinels = np.arange(1000, 1000 + length), 500, np.arange(100)[::-1]
    arrays = {"ids": np.append(text, end), "starts": [0, length + 1], "instances": [0, 1], "examples": np.zeros(1)}
    tokens = Tokens(
        {name: np.asarray(array) for name, array in arrays.items()}
        | {"sentinels": sentinels, "mask_rate": np.float64(share)},
        pad=501,
    )
    inputs, _ = masking.spans(tokens, np.array([0]), 1)
    read, predicted = inputs["ids"][0], inputs["decoder_ids"][0]
    assert int((predicted >= 1000).sum()) == lost
    assert int((read < 100).sum()) == int((predicted < 100).sum()) == number


@pytest.fixture(scope="module")
def texts(tokenizer):
    """Tokens of 100 texts of 58 to 60 words."""
    rng = np.random.default_rng(0)
    rows = [{"text": " ".join(rng.choice(tiny.LEXICON, 58 + number % 3))} for number in range(100)]
    return encode("mlm", rows, tokenizer, max_length=80)


def test_shares_of_what_is_predicted_masked_and_changed(texts, tokenizer):
    instances, counts = np.arange(len(texts)), np.zeros(5)
    for key in range(20):
        inputs, targets = mlm.batch(texts, instances, key)
        gold, ids, labelled = targets["labels"], inputs["ids"], inputs["labelled"]
        assert ((gold != -100) == labelled).all()
        assert not labelled[:, 0].any() and not (labelled & (inputs["mask"] == 0)).any()
        last = inputs["mask"].sum(1) - 1
        assert not labelled[instances, last].any()
        assert (ids[~labelled] == texts.inputs(instances)["ids"][~labelled]).all()
        masked, same = ids[labelled] == tokenizer.mask, ids[labelled] == gold[labelled]
        counts += [
            inputs["mask"].sum() - 2 * len(instances),
            labelled.sum(),
            masked.sum(),
            same.sum(),
            (~masked & ~same).sum(),
        ]
    positions, predicted, masked, same, changed = counts
    # 120,000 positions, 18,000 of them labelled: five standard deviations are 0.5 % and 1.5 %
    assert predicted / positions == pytest.approx(0.15, abs=0.005)
    assert masked / predicted == pytest.approx(0.8, abs=0.015)
    assert same / predicted == pytest.approx(0.1, abs=0.012)
    assert changed / predicted == pytest.approx(0.1, abs=0.012)


def test_share_of_what_is_predicted_is_the_recipes(tokenizer):
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


def test_every_text_has_something_to_predict(tokenizer):
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
