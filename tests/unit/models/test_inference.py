"""A model that is no longer trained: half the memory, the same outputs."""

import pytest
import torch
from torch import nn
from xstilts.errors import UserError
from xstilts.models.distributed import Group
from xstilts.models.inference import for_inference
from xstilts.models.model import load_model, save_model

from tests.builders.models import CPU, MODELS, NO_HEAD, fresh, numerics, outputs, step, task_of


@pytest.mark.parametrize("method", ["full", "lora"])
@pytest.mark.parametrize("name", MODELS)
def test_linear_layers_are_held_in_the_type_of_their_products(families, family_splits, tmp_path, name, method):
    """The outputs of all that is read are the same bit for bit; embeddings, norms and heads stay as they are."""
    for form in ("tagging", "mlm"):
        if form == "mlm" and name in NO_HEAD:
            continue
        split = family_splits[name, form]
        model = fresh(families, name, form, method, "bfloat16")
        step(model, form, split)
        folder = tmp_path / form
        folder.mkdir()
        save_model(model, folder, Group())
        below = [families[name]] if method != "full" else []
        read = load_model([folder, *below], [task_of(form)], numerics(name, precision="bfloat16"), families[name])
        before, size = outputs(read, form, split), _bytes(read)
        ready = for_inference(read, CPU)
        assert torch.equal(outputs(ready, form, split), before)
        assert _bytes(ready) < size
        linear = {id(value) for layer in _linear(ready.backbone) for value in layer.parameters()}
        for key, value in ready.named_parameters():
            assert value.dtype == (torch.bfloat16 if id(value) in linear else torch.float32), key


def test_a_model_that_is_multiplied_in_float32_stays_as_it_is(families):
    ready = for_inference(fresh(families, "xlm-r", "tagging", "full"), CPU)
    assert {value.dtype for value in ready.parameters()} == {torch.float32}


def test_what_an_embedding_reads_too_stays_as_it_is(families):
    model = fresh(families, "xlm-r", "tagging", "full", "bfloat16")
    layer = next(iter(_linear(model.backbone)))
    model.heads["other"] = nn.Embedding(*layer.weight.shape)
    model.heads["other"].weight = layer.weight
    for_inference(model, CPU)
    assert layer.weight.dtype == torch.float32


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_gpu_without_bfloat16_refuses_it(families, monkeypatch, precision):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla V100")
    model = fresh(families, "xlm-r", "tagging", "full", precision)
    monkeypatch.setattr(model, "to", lambda device: (model, device))
    gpu = torch.device("cuda")
    if precision == "float32":
        assert for_inference(model, gpu) == (model, gpu)
        return
    with pytest.raises(UserError, match="precision: Tesla V100 does not multiply in bfloat16; set"):
        for_inference(model, gpu)


def _linear(module: nn.Module) -> list[nn.Linear]:
    return [layer for layer in module.modules() if isinstance(layer, nn.Linear)]


def _bytes(module: nn.Module) -> int:
    return sum(value.numel() * value.element_size() for value in module.parameters())
