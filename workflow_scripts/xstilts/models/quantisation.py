"""Weights in 4-bit NormalFloat, over which adapters are trained (Dettmers et al. 2023, QLoRA, section 3).

A matrix is cut into blocks of 64 numbers. Each number is held as the nearest of sixteen levels between -1 and 1, which
are quantiles of a normal distribution (equation 4), times the largest magnitude of its block, the scale. Scales less
their mean are held in 8 bits themselves, in blocks of 256 with a scale in float32 (double quantisation): 4 + 8 / 64
+ 32 / (64 * 256) = 4.127 bits a number. For a product the matrix is made again in bfloat16 (equations 5 and 6).

Only layers that are linear and nothing more are held so. Embeddings, norms, biases, experts and heads stay as they are.
Weights are read from the files of the model as it is published; in 4 bits they are in memory alone.
"""

from typing import Any

import torch
from torch import nn

from xstilts.errors import UserError
from xstilts.models import stacks

# numbers of a block of weights, and scales of a block of these
_BLOCK, _BLOCK_OF_SCALES = 64, 256


class QuantisedLinear(nn.Linear):
    """A frozen linear layer whose weights are in 4-bit NormalFloat; its outputs are in bfloat16, as under autocast.

    Weights and scales are buffers: no optimiser, file or shard of a process has them.
    """

    # numbers of 4 bits, two in each element: int8 of shape (outputs * inputs / 2, 1)
    weight: Any

    def __init__(self, layer: nn.Linear, device: torch.device) -> None:
        """Take over a layer.

        Args:
            layer: with weights of shape (outputs, inputs).
            device: where its weights are held.
        """
        super().__init__(layer.in_features, layer.out_features, bias=False, device="meta")
        weights = layer.weight.detach().to(device, torch.bfloat16)
        packed, state = _library().functional.quantize_4bit(
            weights, blocksize=_BLOCK, compress_statistics=True, quant_type="nf4"
        )
        del self.weight
        self.bias = layer.bias
        # T5 casts what a layer reads to the type of its weights, but where that is int8
        held = {"weight": packed.view(torch.int8), "levels": state.code}
        held |= {"scales": state.absmax, "mean_scale": state.offset}
        held |= {"levels_of_scales": state.state2.code, "scales_of_scales": state.state2.absmax}
        for name, value in held.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the products of vectors of size ``in_features`` with the weights, and the bias added, in bfloat16."""
        vectors = input.to(torch.bfloat16)
        return _library().matmul_4bit(vectors, self._packed(), bias=self.bias, quant_state=self._state())

    def dequantised(self) -> torch.Tensor:
        """Return the weights as they are multiplied: (outputs, inputs), in bfloat16."""
        return _library().functional.dequantize_4bit(self._packed(), self._state())

    def _packed(self) -> torch.Tensor:
        """Return the numbers of 4 bits as the library reads them."""
        packed: torch.Tensor = self.weight.view(torch.uint8)
        return packed

    def _state(self) -> Any:
        """Return the scales as the library reads them."""
        state = _library().functional.QuantState
        scales = state(
            self.scales_of_scales, code=self.levels_of_scales, blocksize=_BLOCK_OF_SCALES, dtype=torch.float32
        )
        return state(
            self.scales,
            shape=torch.Size((self.out_features, self.in_features)),
            code=self.levels,
            blocksize=_BLOCK,
            quant_type="nf4",
            dtype=torch.bfloat16,
            offset=self.mean_scale,
            state2=scales,
        )


def quantise(model: nn.Module, device: torch.device) -> None:
    """Hold the linear layers of a model in 4 bits, one after the other; changed in place.

    Args:
        model: of transformers, without adapters.
        device: where the weights of these layers are held afterwards.

    Raises:
        UserError: if the library that does it is not installed.
    """
    _library()
    for name, layer in stacks.linear_layers(model, model).items():
        model.set_submodule(name, QuantisedLinear(layer, device))


def parameters(model: nn.Module) -> int:
    """Return the number of parameters of a model, with the numbers that are held in 4 bits."""
    quantised = (layer for layer in model.modules() if isinstance(layer, QuantisedLinear))
    held = sum(layer.in_features * layer.out_features for layer in quantised)
    return held + sum(parameter.numel() for parameter in model.parameters())


def _library() -> Any:
    """Return the library of the products; it is imported where it is needed, for that takes a second.

    Raises:
        UserError: if it is not installed.
    """
    try:
        import bitsandbytes
    except ImportError:
        raise UserError(
            "recipe: quantised: nf4 needs the library bitsandbytes, which is not installed; install it"
            " (pip install -e '.[qlora]'), or leave the key out, which gives other results at other paths"
        ) from None
    return bitsandbytes
