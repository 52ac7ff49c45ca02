"""The layers of a model, one by one, as they are sharded and compiled."""

from collections import Counter
from collections.abc import Iterator

from torch import nn


def layers(model: nn.Module) -> Iterator[nn.Module]:
    """Yield the layers of all stacks of a model that have weights, without what may stand in lists within a layer."""
    for stack in model.modules():
        if isinstance(stack, nn.ModuleList):
            for layer in stack:
                # a list of layers, not one of parts of a layer, which are in it
                if not any(isinstance(part, nn.ModuleList) for part in layer.modules()) and has_weights(layer):
                    yield layer


def has_weights(module: nn.Module) -> bool:
    """Tell whether a module, or one in it, has weights."""
    return next(module.parameters(), None) is not None


def linear_layers(part: nn.Module, whole: nn.Module) -> dict[str, nn.Linear]:
    """Return the linear layers of a part of a model, by name, that do no more than a product with weights of their own.

    Subclasses, such as routers, do more. Each of several modules with the same weights may read them otherwise, as
    embeddings do.

    Args:
        part: of the model.
        whole: the model, of which no other module has the weights.
    """
    owners = Counter(id(weight) for module in whole.modules() for weight in module.parameters(recurse=False))
    return {
        name: layer
        for name, layer in part.named_modules()
        if type(layer) is nn.Linear and owners[id(layer.weight)] == 1
    }


def compile_layers(model: nn.Module) -> None:
    """Compile each layer of a model; changed in place.

    What is between layers, where code of every architecture and of adapters cannot be compiled as one, stays as it is,
    and layers that are alike share what is compiled.
    """
    for layer in layers(model):
        layer.compile(dynamic=True)
