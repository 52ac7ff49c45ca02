"""What a pin says of an architecture, against the model itself and the formulas that there are."""

import pytest
import transformers
from xstilts.models.description import describe
from xstilts.planning import measured_size, model_size

from tests.builders.families import FAMILIES
from tests.builders.pins import pin

FAMILY = {"mt5": "encoder-decoder", "llama": "decoder", "qwen": "decoder", "gemma": "decoder"}
POSITIONS = {"xlm-r": 64, "bert": 64, "modernbert": 64, "mt5": None}


def pin_of(folder):
    return pin(**vars(describe(folder, "it")))


@pytest.mark.parametrize("family", FAMILIES)
def test_description_is_that_of_the_model(family, families):
    found = describe(families[family], "it")
    assert found.family == FAMILY.get(family, "encoder")
    assert found.positions == POSITIONS.get(family, 128)
    model = transformers.AutoModel.from_pretrained(families[family])
    parameters = {name: one.numel() for name, one in model.named_parameters() if not name.startswith("pooler.")}
    assert found.parameters == sum(parameters.values())
    for part, count in found.parts.items():
        assert count == sum(size for name, size in parameters.items() if name.startswith(f"{part}."))


@pytest.mark.parametrize("family", FAMILIES)
def test_measured_shape_is_that_of_the_formula(family, families):
    """Parameters, products of matrices and adapters are the same; activations are more, but not by half."""
    pinned = pin_of(families[family])
    measured, stated = measured_size.shape_of(pinned), model_size.read(pinned.shape)
    assert measured.parameters == stated.parameters
    assert (measured.matrices, measured.predicts) == (stated.matrices, stated.predicts)
    assert measured.lora(3, "all-linear") == stated.lora(3, "all-linear")
    assert measured.virtual("prompt", 5) == stated.virtual("prompt", 5)
    kept, usual = (shape.activations(512, 64, 4, None) for shape in (measured, stated))
    assert 0.75 * usual < kept < 1.5 * usual


def test_a_decoder_that_looks_both_ways_has_twice_the_attention(families):
    pinned = pin_of(families["llama"])
    back, both = (measured_size.shape_of(pinned, attention).attention(64) for attention in (None, "bidirectional"))
    assert both == 2 * back
