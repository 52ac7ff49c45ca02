"""Answers to prompts, against the same computed token by token with plain calls of transformers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import torch
import transformers
from xstilts import forms
from xstilts.data.dataset import Split
from xstilts.errors import UserError
from xstilts.evaluation import prediction, prompted
from xstilts.forms import prompting
from xstilts.models.inference import for_inference
from xstilts.models.language_model import load_language_model
from xstilts.store.specs.data import Prompt
from xstilts.store.specs.evaluation import PredictionsSpec, Prompting
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.tokenization.tokens import Tokens

from tests.builders.models import CPU, LABELS, numerics, rows_of

PROMPTS = {
    "classification": Prompt(context="{text_a} where", answer=" {answer} {text_b}", words=["the", "a", "not"]),
    "multiple_choice": Prompt(context="{context} {question}", answer=" {answer}"),
    "span": Prompt(context="{context} {question}", answer=" {answer}"),
}
CHOSEN = ["classification", "multiple_choice"]
NAMES = ["llama", "qwen", "gemma", "mt5"]
WRITTEN = 6


def spec_of(form: str, **prompting_settings: object) -> PredictionsSpec:
    return PredictionsSpec(
        version=1, parents={}, form=form, labels=LABELS, trained_on=None, decoding={}, scoring=None,
        numerics=numerics(), prompting=Prompting(**prompting_settings),
    )  # fmt: skip


def split_of(form: str, folder: Path, path: Path) -> tuple[ModelTokenizer, Split]:
    tokenizer, rows = ModelTokenizer(folder), rows_of(form)
    lengths = {"max_length": 100, "max_answer_tokens": WRITTEN}
    arrays = prompting.encode(rows, forms.get(form), tokenizer, PROMPTS[form], lengths, [])
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return tokenizer, Split(Tokens(arrays, tokenizer.pad), path, "")


def plain(folder: Path, name: str):
    auto = transformers.AutoModelForSeq2SeqLM if name == "mt5" else transformers.AutoModelForCausalLM
    return auto.from_pretrained(folder).eval()


def next_token(model, name: str, context: list[int], written: list[int]) -> torch.Tensor:
    """Return the log-probabilities of what comes next: one text, no padding, no cache."""
    if name == "mt5":
        start = [model.config.decoder_start_token_id]
        scores = model(input_ids=torch.tensor([context]), decoder_input_ids=torch.tensor([start + written])).logits
    else:
        scores = model(input_ids=torch.tensor([context + written])).logits
    return scores[0, -1].float().log_softmax(-1)


def sequences(tokens: Tokens, name: str):
    """Yield the tokens of context and answer of each sequence."""
    flags = tokens.arrays["decoder" if name == "mt5" else "answer"]
    for start, stop in zip(tokens.arrays["starts"][:-1], tokens.arrays["starts"][1:], strict=True):
        ids, is_answer = tokens.arrays["ids"][start:stop], flags[start:stop] == 1
        yield ids[~is_answer].tolist(), ids[is_answer].tolist()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", CHOSEN)
@torch.inference_mode()
def test_the_likeliest_answer_is_that_of_plain_calls(families, tmp_path, name, form):
    _, split = split_of(form, families[name], tmp_path / "rows.parquet")
    model, reference = load_language_model(families[name], numerics()), plain(families[name], name)
    sums = []
    for context, answer in sequences(split.tokens, name):
        each = [next_token(reference, name, context, answer[:at])[token] for at, token in enumerate(answer)]
        sums.append(float(sum(each)))
    borders = split.tokens.arrays["instances"]
    expected = [sums[start:stop] for start, stop in zip(borders[:-1], borders[1:], strict=True)]
    found = prediction.outputs(model, "", prompting, split.tokens, CPU)
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), atol=1e-4)
    chosen = prompted.chosen(model, spec_of(form), split, CPU)
    assert chosen == [LABELS[int(np.argmax(scores))] for scores in expected]
    assert form == "multiple_choice" or len(set(chosen)) > 1
    characters = split.tokens.arrays["characters"].reshape(len(expected), -1)
    of_characters = prompted.chosen(model, spec_of(form, length_normalised=True), split, CPU)
    assert of_characters == [LABELS[best] for best in (np.asarray(expected) / characters).argmax(1)]


@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_the_written_answer_is_that_of_plain_calls(families, tmp_path, name):
    """Of texts of several lengths in one batch; the model's own settings of generation do not count."""
    tokenizer, split = split_of("span", families[name], tmp_path / "rows.parquet")
    model, reference = load_language_model(families[name], numerics()), plain(families[name], name)
    if name == "mt5":
        # with the matrix of its embeddings the tiny model writes padding alone
        weight = torch.nn.Parameter(torch.randn(reference.lm_head.weight.shape, generator=torch.manual_seed(0)))
        model.transformer.lm_head.weight = reference.lm_head.weight = weight
    model.transformer.generation_config.update(repetition_penalty=9.0, max_new_tokens=1, do_sample=True)
    expected = []
    for context, _ in sequences(split.tokens, name):
        written: list[int] = []
        while len(written) < WRITTEN:
            written.append(int(next_token(reference, name, context, written).argmax()))
            if written[-1] == tokenizer.end or "\n" in tokenizer.text(written):
                break
        expected.append(tokenizer.text(written).partition("\n")[0].strip())
    assert prompted.written(model, spec_of("span", max_answer_tokens=WRITTEN), tokenizer, split, CPU) == expected
    assert len(set(expected)) > 1


@pytest.mark.parametrize("name", NAMES)
def test_linear_layers_are_held_in_bfloat16_with_the_same_answers(families, tmp_path, name):
    model = load_language_model(families[name], numerics(precision="bfloat16"))
    _, chosen = split_of("classification", families[name], tmp_path / "chosen.parquet")
    tokenizer, written = split_of("span", families[name], tmp_path / "written.parquet")
    spec = spec_of("span", max_answer_tokens=WRITTEN)

    def answers():
        likelihoods = prediction.outputs(model, "", prompting, chosen.tokens, CPU)
        return np.asarray(likelihoods).tolist(), prompted.written(model, spec, tokenizer, written, CPU)

    before = answers()
    assert for_inference(model, CPU) is model
    assert {torch.bfloat16, torch.float32} == {weight.dtype for weight in model.parameters()}
    assert answers() == before


@pytest.mark.parametrize(("name", "positions"), [("qwen", 100), ("mt5", 50)])
def test_prompts_for_which_memory_lacks_at_once_are_answered_in_halves(
    families, tmp_path, little_memory, name, positions
):
    model = load_language_model(families[name], numerics())
    _, chosen = split_of("classification", families[name], tmp_path / "chosen.parquet")
    tokenizer, written = split_of("span", families[name], tmp_path / "written.parquet")
    spec = spec_of("span", max_answer_tokens=WRITTEN)

    def answers():
        likelihoods = prediction.outputs(model, "", prompting, chosen.tokens, CPU)
        return np.asarray(likelihoods), prompted.written(model, spec, tokenizer, written, CPU)

    (before, texts), seen = answers(), little_memory(positions)
    after, same = answers()
    np.testing.assert_allclose(after, before, rtol=1e-4)
    assert same == texts and [had_memory for _, had_memory in seen].count(False) >= 2
    little_memory(1)
    with pytest.raises(UserError, match=r"^prompts, classification: 1 instance of \d+ tokens in all, with padding: "):
        prompted.chosen(model, spec_of("classification"), chosen, CPU)
    with pytest.raises(UserError, match=r"^prompts, span: 1 instance of \d+ tokens in all, with padding: "):
        prompted.written(model, spec, tokenizer, written, CPU)


def test_a_gpu_without_bfloat16_refuses_a_prompted_model(families, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla V100")
    monkeypatch.setattr(prompted.distributed, "device", lambda: torch.device("cuda"))
    monkeypatch.setattr(prompted.lineage, "folders", lambda spec, results: [families["qwen"]])
    spec = replace(spec_of("span"), numerics=numerics(precision="bfloat16"))
    with pytest.raises(UserError, match="precision: Tesla V100 does not multiply in bfloat16; set"):
        prompted.answering(spec, Path())


class Writes(torch.nn.Module):
    """A model that writes the same tokens behind every text."""

    def __init__(self, ids: list[int]) -> None:
        super().__init__()
        self.ids = ids

    def write(self, inputs, most, ends, pad):
        """Return the tokens up to the first end."""
        stop = next((at for at, token in enumerate(self.ids) if token in ends), len(self.ids))
        return [self.ids[: stop + 1]] * len(inputs["ids"])


def test_an_answer_ends_before_a_line_break(families, tmp_path):
    tokenizer, split = split_of("span", families["qwen"], tmp_path / "rows.parquet")
    ids = tokenizer.tokenize([" the cat\nis red"])[0].ids
    spec = spec_of("span", max_answer_tokens=20)
    assert set(prompted.written(Writes(ids), spec, tokenizer, split, CPU)) == {"the cat"}


def test_a_model_of_masked_tokens_is_refused(families):
    with pytest.raises(UserError, match="cannot be prompted; use a decoder"):
        load_language_model(families["xlm-r"], numerics())
