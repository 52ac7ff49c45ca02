"""Language modelling: long texts, sums of losses, and the loss of transformers' own classes."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from xstilts import forms
from xstilts.data.sources import tiny
from xstilts.evaluation import prediction
from xstilts.forms import mlm
from xstilts.models.model import for_predictions, tensors
from xstilts.store.specs.evaluation import PredictionsSpec

from tests.builders.families import FAMILIES
from tests.builders.metrics import score_of_sums
from tests.builders.models import CPU, MODELS, NO_HEAD, encode, fresh, numerics, split_of


@pytest.mark.parametrize("name", sorted(set(MODELS) - NO_HEAD))
def test_language_model_loss_is_that_of_transformers(families, family_splits, name):
    """The mean over all labelled positions, of the model's own class with the same inputs and labels."""
    split = family_splits[name, "mlm"]
    instances = np.arange(len(split.tokens))
    inputs, targets = forms.get("mlm").batch(split.tokens, instances, 3)
    direct = getattr(transformers, FAMILIES[name][1]).from_pretrained(families[name]).eval()
    arguments = {"input_ids": inputs["ids"], "attention_mask": inputs["mask"]}
    if "segments" in inputs:
        arguments["token_type_ids"] = inputs["segments"]
    arguments = {key: torch.from_numpy(value) for key, value in arguments.items()}
    gold = torch.from_numpy(targets["labels"])
    if name == "mt5":
        arguments["labels"] = gold
        expected = direct(**arguments, decoder_attention_mask=torch.from_numpy(inputs["decoder_mask"])).loss
    else:
        logits = direct(**arguments).logits
        chosen = gold != -100
        expected = torch.nn.functional.cross_entropy(logits[chosen].float(), gold[chosen])
    model = fresh(families, name, "mlm", "full")
    with torch.inference_mode():
        raw = model.eval()("task", tensors(inputs, CPU), len(instances))
        loss = forms.get("mlm").loss(raw, tensors(targets, CPU))
    assert float(loss) == pytest.approx(expected.item(), rel=1e-5)
    assert forms.get("mlm").terms(targets, len(instances)) == len(raw)


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


def test_measured_loss_is_that_of_transformers(model_folder, tokenizer, tmp_path):
    rng = np.random.default_rng(1)
    rows = [{"text": " ".join(rng.choice(tiny.LEXICON, 5 + 7 * number)), "language": "en"} for number in range(9)]
    split = split_of("mlm", rows, tokenizer, tmp_path / "en.parquet", max_length=40)
    spec = PredictionsSpec(
        version=1, parents={"model": str(model_folder), "base": str(model_folder)}, form="mlm", labels=None,
        trained_on=None, decoding={}, scoring="squad", numerics=numerics(),
    )  # fmt: skip
    model, task = for_predictions(spec, tmp_path)
    scores, collapsed = prediction.evaluate(model, task, split, CPU)
    inputs, targets = mlm.batch(split.tokens, np.arange(len(split.tokens)), 0)
    direct = transformers.XLMRobertaForMaskedLM.from_pretrained(model_folder).eval()
    with torch.inference_mode():
        expected = direct(
            input_ids=torch.from_numpy(inputs["ids"]), attention_mask=torch.from_numpy(inputs["mask"]),
            labels=torch.from_numpy(targets["labels"]),
        ).loss  # fmt: skip
    assert scores["loss"] == pytest.approx(float(expected), rel=1e-5)
    assert not collapsed
