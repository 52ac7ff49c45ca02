"""What a pin says of an architecture, against the model itself and the formulas that there are."""

import json

import pytest
import transformers
from xstilts.errors import UserError
from xstilts.models.backbone import load_backbone
from xstilts.models.description import describe
from xstilts.planning import measured_size, model_size

from tests.builders.architectures import READ_IMAGES, write_architecture
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


@pytest.mark.parametrize("kind", READ_IMAGES)
def test_description_of_a_model_for_images_and_text_is_that_of_its_language_model(kind, tmp_path):
    write_architecture(kind, tmp_path)
    found, backbone = describe(tmp_path, "it"), load_backbone(tmp_path)
    assert found.family == "decoder" and found.positions == 128
    assert found.shape["model_type"] == backbone.transformer.config.model_type
    assert found.parameters == sum(weight.numel() for weight in backbone.parameters())
    assert sum(stack["layers"] for stack in found.size["stacks"]) == backbone.depth


def test_shape_of_a_model_for_images_and_text_has_what_its_file_leaves_out(tmp_path):
    """Files of Gemma 3 have of the language model little more than its type, and the formulas need all."""
    write_architecture("gemma3", tmp_path)
    path = tmp_path / "config.json"
    content = json.loads(path.read_text())
    content["text_config"] = {key: content["text_config"][key] for key in ("model_type", "hidden_size")}
    path.write_text(json.dumps(content))
    found = describe(tmp_path, "it")
    assert model_size.read(found.shape).parameters == found.parameters


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "llama", "quantization_config": {"quant_method": "fp8"}}, "weights are quantised"),
        ({"model_type": "t5gemma2"}, "its encoder has a part for images"),
        ({"model_type": "ours", "auto_map": {}}, "code that comes with a model is never run"),
        ({"model_type": "mt5", "is_encoder_decoder": False}, "of none of the families"),
    ],
)
def test_what_a_download_would_be_refused_for(config, message, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=f"^doe/it: .*{message}"):
        describe(tmp_path, "doe/it")


def test_a_decoder_that_looks_both_ways_has_twice_the_attention(families):
    pinned = pin_of(families["llama"])
    back, both = (measured_size.shape_of(pinned, attention).attention(64) for attention in (None, "bidirectional"))
    assert both == 2 * back
