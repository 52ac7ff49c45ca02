"""The shape of a pinned model of a type without a formula in ``model_size.py``, from what its layers were measured as.

Parameters and products of matrices are exact where the layers of a stack are alike. What a layer keeps for the backward
pass is taken to be inputs and outputs of its linear layers, which is more than it is: for XLM-R by a quarter.
Encoder-decoders are taken to keep their attention weights, as T5 does.
"""

from xstilts.planning.model_size import BOTH, CAUSAL, MASKED, Shape, Stack, has_formula
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.pins import Pin
from xstilts.store.specs.models import BIDIRECTIONAL

_PREDICTS = {"encoder": MASKED, "decoder": CAUSAL, "encoder-decoder": BOTH}


def of_node(base: Node, plan: Plan, attention: str | None = None) -> Shape | None:
    """Return the shape of a pretrained model's node; None where a formula, or nothing, is known of its size."""
    pinned = plan.study.pinned
    pin = next((pinned[name].pin for name in plan.made.names[base.id] if name in pinned), None)
    return None if pin is None or has_formula(pin.shape) else shape_of(pin, attention)


def shape_of(pin: Pin, attention: str | None = None) -> Shape:
    """Return the shape of a pinned model; ``attention`` as in ``model_size.read``."""
    size, is_both = pin.size, pin.family == "encoder-decoder"
    heads = pin.shape.get("num_attention_heads") or pin.shape.get("num_heads") or 1
    stacks: list[Stack] = []
    for measured in size["stacks"]:
        linears = {name: (inputs, outputs) for name, (inputs, outputs) in measured["linears"].items()}
        is_decoder = pin.family == "decoder" or bool(stacks)
        stack = Stack(
            layers=measured["layers"],
            linears=linears,
            vectors=measured["parameters"] - sum(inputs * outputs for inputs, outputs in linears.values()),
            outside=0,
            width=size["width"],
            queries=size["width"],
            keys=size["width"],
            kept=sum(inputs + outputs for inputs, outputs in linears.values()),
            kept_norms=4 * size["width"],
            masks=2 * size["width"],
            maps=heads * (1 + is_decoder) if is_both else 0,
            causal=is_decoder and attention != BIDIRECTIONAL,
            crossed=is_decoder and is_both,
        )
        stacks.append(stack)
    embeddings = size["vocabulary"] * size["width"]
    layers = sum(stack["layers"] * stack["parameters"] for stack in size["stacks"])
    head = 0 if pin.shape.get("tie_word_embeddings", True) else embeddings
    if pin.family == "encoder":
        head = size["width"] * size["width"] + 3 * size["width"] + size["vocabulary"]
    return Shape(_PREDICTS[pin.family], tuple(stacks), size["vocabulary"], pin.parameters - embeddings - layers, head)
