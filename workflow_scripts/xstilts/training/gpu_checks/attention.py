"""Which kernels attention has, and how long they take with a mask of padding, without one, and for varying lengths."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.functional import scaled_dot_product_attention
from torch.profiler import ProfilerActivity, profile

from xstilts.errors import first_line
from xstilts.models.backbone import Backbone
from xstilts.models.model import tensors
from xstilts.store.specs.models import Numerics
from xstilts.training.gpu_checks.checks import REPORTED, Check
from xstilts.training.gpu_checks.machine import Machine
from xstilts.training.gpu_checks.models import config_of, random_model, tokens_of
from xstilts.training.gpu_checks.rates import seconds
from xstilts.training.gpu_checks.trainings import FULL, LARGE, QWEN, stand_in, tiny

# mean tokens of a text in MNLI and in SQuAD's windows, and the longest window
_LENGTHS = (46, 202, 384)
# tokens of a batch
_TOKENS, _TINY_TOKENS = 8192, 512
# kernels that never write the weights of attention down, by what the operation is called; cuDNN's is one of them
_FLASH = ("flash", "cudnn")


def run(machine: Machine) -> Iterator[Check]:
    """Yield a row for the kernel of each kind of model, and for the times at each length."""
    for model, config, is_causal in (("XLM-R Large", LARGE, False), ("Qwen3-14B", QWEN, True)):
        name = stand_in(model) if machine.is_dry_run else model
        kernels = _kernels(machine, config)
        is_flash = all(any(word in kernel for word in _FLASH) for kernel in kernels)
        verdict = machine.judge(is_flash) if is_causal else REPORTED
        yield Check(f"{name}, kernel", ", ".join(kernels), "flash" if is_causal else "", verdict)
        for length in _LENGTHS:
            times = _times(machine, config, length, is_causal)
            shown = ", ".join(f"{how} {found}" for how, found in times.items())
            yield Check(f"{name}, {length} tokens", shown, "", REPORTED)


def _kernels(machine: Machine, config: Mapping[str, Any]) -> list[str]:
    """Return the attention operations that a model of two layers calls on padded texts, in the package's own call."""
    content = {**(tiny(config) if machine.is_dry_run else config), "num_hidden_layers": 2}
    numerics = Numerics(submodel=None, dtype="float32", precision="bfloat16")
    model = random_model(config_of(content), FULL, numerics, machine.device)
    assert isinstance(model.backbone, Backbone)
    texts = tokens_of(np.array([20, 46, 33, 12]), content["vocab_size"])
    inputs = tensors(texts.inputs(np.arange(len(texts))), machine.device)
    with profile(activities=[ProfilerActivity.CPU]) as profiled:
        model("texts", inputs, len(texts)).sum().backward()
    names = {event.key for event in profiled.key_averages()}
    begin = "aten::_scaled_dot_product_"
    found = {
        name.removeprefix(begin).replace("attention", "").strip("_").replace("__", "_")
        for name in names
        if name.startswith(begin) and "backward" not in name
    }
    return sorted(found) or ["written out"]


def _times(machine: Machine, config: Mapping[str, Any], length: int, is_causal: bool) -> dict[str, str]:
    """Return how long attention of a layer takes there and back, on texts of a mean length: milliseconds, by way."""
    heads = config["num_attention_heads"]
    size = config.get("head_dim") or config["hidden_size"] // heads
    heads = 2 if machine.is_dry_run else heads
    count = max(2, (_TINY_TOKENS if machine.is_dry_run else _TOKENS) // length)
    lengths = np.random.default_rng(0).integers(length // 2, length + length // 2, size=count)
    lengths[0] = length + length // 2
    longest, device = int(lengths.max()), machine.device
    padded = [
        torch.randn(count, heads, longest, size, device=device, dtype=torch.bfloat16, requires_grad=True)
        for _ in range(3)
    ]
    seen = torch.arange(longest, device=device) < torch.tensor(lengths, device=device)[:, None]
    mask = seen[:, None, None, :].expand(-1, 1, longest, -1)
    if is_causal:
        mask = mask & torch.ones(longest, longest, dtype=torch.bool, device=device).tril()
    unpadded = [
        torch.nested.nested_tensor(
            [torch.randn(length, heads, size, device=device, dtype=torch.bfloat16) for length in lengths],
            layout=torch.jagged, requires_grad=True,
        ).transpose(1, 2)
        for _ in range(3)
    ]  # fmt: skip
    ways: dict[str, tuple[Sequence[torch.Tensor], Callable[[], torch.Tensor]]] = {
        "with a mask": (padded, lambda: _attend(padded, mask, False)),
        "without": (padded, lambda: _attend(padded, None, is_causal)),
        # of texts that follow one another: all positions, whichever text they are of
        "varying lengths": (unpadded, lambda: _attend(unpadded, None, is_causal).transpose(1, 2).values()),
    }
    return {way: _milliseconds(machine, inputs, attend) for way, (inputs, attend) in ways.items()}


def _attend(inputs: Sequence[torch.Tensor], mask: torch.Tensor | None, is_causal: bool) -> Any:
    """Return attention of queries, keys and values."""
    queries, keys, values = inputs
    return scaled_dot_product_attention(queries, keys, values, attn_mask=mask, is_causal=is_causal)


def _milliseconds(machine: Machine, inputs: Sequence[torch.Tensor], attend: Callable[[], torch.Tensor]) -> str:
    try:
        # gradients that are added up would be another operation
        found = seconds(machine, lambda: torch.autograd.grad(attend().sum(), inputs))
    except (RuntimeError, NotImplementedError) as error:
        return f"not there ({first_line(error)[:60]})"
    return f"{found * 1e3:.3g} ms"
