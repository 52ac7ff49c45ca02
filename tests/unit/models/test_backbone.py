"""What each family's vectors are, and what the backbone is given."""

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from xstilts.models import adapters
from xstilts.models.backbone import Backbone, load_backbone
from xstilts.models.model import tensors
from xstilts.store.specs.models import BIDIRECTIONAL

from tests.builders.architectures import write_architecture
from tests.builders.families import FAMILIES, write
from tests.builders.models import CPU, METHODS, MODELS, fresh, submodel_of

DECODERS = ["llama", "qwen", "gemma"]


@pytest.mark.parametrize("kind", ["gemma3_text", "gemma4_text", "mt5", "xglm"])
def test_weights_as_they_are_stored_are_the_same_once_converted(tmp_path, kind):
    """With what is computed, too: Gemma's factors of embeddings, and XGLM's positions, which bfloat16 would round."""
    (write if kind in FAMILIES else write_architecture)(kind, tmp_path)
    path = tmp_path / "model.safetensors"
    save_file({name: value.bfloat16() for name, value in load_file(path).items()}, path, {"format": "pt"})
    backbone, expected = load_backbone(tmp_path, as_stored=True), load_backbone(tmp_path)
    assert {value.dtype for value in backbone.parameters()} == {torch.bfloat16}
    found, others = ([*one.float().named_parameters(), *one.named_buffers()] for one in (backbone, expected))
    for (name, value), (_, other) in zip(found, others, strict=True):
        assert value.dtype == other.dtype and torch.equal(value, other), name
    assert backbone.transformer.config.to_dict() == expected.transformer.config.to_dict()


@pytest.mark.parametrize("name", MODELS)
def test_padding_changes_nothing(families, family_splits, name):
    """The vectors of a text are the same alone and beside a longer one."""
    split = family_splits[name, "classification"]
    backbone = load_backbone(families[name], submodel_of(name)).eval()
    order = np.argsort(split.tokens.lengths)
    with torch.inference_mode():
        together = backbone(tensors(split.tokens.inputs(order), CPU))
        alone = backbone(tensors(split.tokens.inputs(order[:1]), CPU))
    length = alone.hidden_states.shape[1]
    assert length < together.hidden_states.shape[1]
    torch.testing.assert_close(together.hidden_states[:1, :length], alone.hidden_states, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together.pooled[:1], alone.pooled, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "family", "first"),
    [("xlm-r", "masked", True), ("bert", "masked", True), ("modernbert", "masked", True),
     ("mt5", "encoder_decoder", False), ("mt5-encoder", "encoder", False),
     ("llama", "decoder", False), ("qwen", "decoder", False), ("gemma", "decoder", False)],
)  # fmt: skip
def test_sentence_vector_by_family(families, family_splits, name, family, first):
    """The first position's of a masked model; of the others the last one's that is no padding."""
    backbone = load_backbone(families[name], submodel_of(name)).eval()
    assert backbone.family == family
    tokens = family_splits[name, "classification"].tokens
    inputs = tensors(tokens.inputs(np.arange(len(tokens))), CPU)
    with torch.inference_mode():
        states = backbone(inputs)
    places = [0 if first else length - 1 for length in inputs["mask"].sum(1).tolist()]
    assert torch.equal(states.pooled, states.hidden_states[torch.arange(len(places)), places])
    assert backbone.depth == 2 and backbone.width == 16 and len(backbone.layers(inputs)) == 3


@pytest.mark.parametrize("name", MODELS)
def test_no_answer_is_scored_by_the_sentence(families, family_splits, name):
    """At the first position, by the sentence's vector, which in a decoder is another one; elsewhere by their own."""
    split = family_splits[name, "span"]
    model = fresh(families, name, "span", "full")
    inputs = tensors(split.tokens.inputs(np.arange(len(split.tokens))), CPU)
    head = model.heads["task"]
    with torch.inference_mode():
        states = model.eval().backbone(inputs)
        scores = model("task", inputs, len(split.tokens))
        torch.testing.assert_close(scores[:, 0], head.out(states.pooled))
        torch.testing.assert_close(scores[:, 1:], head.out(states.hidden_states[:, 1:]))


def test_decoder_of_an_encoder_decoder_reads_the_text_moved_by_one(families, family_splits):
    tokens = family_splits["mt5", "classification"].tokens
    inputs = tensors(tokens.inputs(np.arange(1)), CPU)
    backbone = load_backbone(families["mt5"]).eval()
    direct = transformers.MT5Model.from_pretrained(families["mt5"]).eval()
    moved = torch.cat([torch.zeros(1, 1, dtype=torch.int64), inputs["ids"][:, :-1]], dim=1)
    with torch.inference_mode():
        expected = direct(input_ids=inputs["ids"], attention_mask=inputs["mask"], decoder_input_ids=moved)
        assert torch.equal(backbone(inputs).hidden_states, expected.last_hidden_state)
        for one, other in zip(
            backbone.layers(inputs),
            expected.encoder_hidden_states
            or direct.encoder(
                input_ids=inputs["ids"], attention_mask=inputs["mask"], output_hidden_states=True
            ).hidden_states,
            strict=True,
        ):
            assert torch.equal(one, other)  # fmt: skip


def test_bert_reads_the_second_segment(families, family_splits):
    """As transformers' tokenizer of BERT has it: 1 from after the first [SEP] on, 0 in padding."""
    tokens = family_splits["bert", "classification"].tokens
    inputs = tokens.inputs(np.arange(len(tokens)))
    for ids, segments in zip(inputs["ids"].tolist(), inputs["segments"].tolist(), strict=True):
        pair = ids.count(2) == 2
        first = ids.index(2)
        end = len(ids) - ids[::-1].index(2)
        assert segments == [int(pair and first < place < end) for place in range(len(ids))]
    backbone = load_backbone(families["bert"]).eval()
    with torch.inference_mode():
        segmented = backbone(tensors(inputs, CPU)).hidden_states
        plain = backbone(tensors({key: inputs[key] for key in ("ids", "mask")}, CPU)).hidden_states
    pairs = [number for number, ids in enumerate(inputs["ids"].tolist()) if ids.count(2) == 2]
    assert len(pairs) == 3
    assert [number for number in range(len(plain)) if not torch.equal(segmented[number], plain[number])] == pairs
    assert "segments" not in family_splits["xlm-r", "classification"].tokens.inputs(np.arange(2))


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_needs_no_mask(families, family_splits, monkeypatch, name):
    """Its outputs are the same bit for bit, in either precision, where a text is."""
    tokens = family_splits[name, "classification"].tokens
    inputs = tensors(tokens.inputs(np.arange(len(tokens))), CPU)
    texts = inputs["mask"].bool()
    assert not texts.all()
    for precision in ("float32", "bfloat16"):
        model = fresh(families, name, "classification", "full", precision).eval()
        with torch.inference_mode():
            without = [layer[texts] for layer in model.layers(inputs)]
            scores = model("task", inputs, len(tokens))
            assert "attention_mask" not in model.backbone._arguments(inputs)
            monkeypatch.setattr(Backbone, "_sees_no_padding", lambda *_: False)
            assert all(torch.equal(a, b[texts]) for a, b in zip(without, model.layers(inputs), strict=True))
            assert torch.equal(scores, model("task", inputs, len(tokens)))
        monkeypatch.undo()


@pytest.mark.parametrize(
    ("name", "method", "attention", "training", "device", "masked"),
    [("qwen", "full", None, False, "cpu", False), ("qwen", "full", None, True, "cpu", True),
     ("qwen", "full", None, True, "meta", False), ("qwen", "lora", None, False, "cpu", False),
     ("qwen", "prompt", None, False, "cpu", True), ("qwen", "prefix", None, False, "cpu", True),
     ("qwen", "full", BIDIRECTIONAL, False, "cpu", True), ("xlm-r", "full", None, False, "cpu", True),
     ("mt5", "full", None, False, "cpu", True)],
)  # fmt: skip
def test_where_padding_would_be_seen_there_is_a_mask(families, name, method, attention, training, device, masked):
    """And on a CPU in training, whose rounding it would change."""
    backbone = load_backbone(families[name], attention=attention).train(training)
    adapters.inject(backbone, METHODS[method], 1)
    ids = torch.zeros((2, 5), dtype=torch.int64, device=device)
    assert ("attention_mask" in backbone.train(training)._arguments({"ids": ids, "mask": ids + 1})) == masked
