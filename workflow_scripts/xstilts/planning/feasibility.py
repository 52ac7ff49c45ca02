"""What a plan asks for and no job can do, as far as it is known beforehand: inputs longer than a model reads."""

from xstilts.errors import UserError
from xstilts.model_config import MADE_HERE, positions
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.registry import Registry
from xstilts.store.specs.base import MODEL, PREPARED
from xstilts.store.specs.data import TokensSpec
from xstilts.store.specs.models import TokenizerSpec

_LENGTHS = ("max_length", "max_query_length")


def check(plan: Plan, registry: Registry, location: str) -> None:
    """Refuse inputs that are longer than their model reads.

    What a model reads is known where the registry has its ``shape``, it is pinned or made here; of others the rule
    ``tokenize`` finds out.

    Args:
        plan: the plan.
        registry: its models.
        location: what to call the study's file in an error.

    Raises:
        UserError: naming the data, the length and the model.
    """
    for node in plan.stage("tokens").values():
        spec = node.spec
        assert isinstance(spec, TokensSpec)
        model = plan.nodes[spec.parents[MODEL]]
        room = _positions(model, plan, registry)
        for key in _LENGTHS:
            if room is not None and spec.lengths.get(key, 0) > room:
                data = plan.made.names[spec.parents[PREPARED]][0]
                raise UserError(
                    f"{location}: recipes: {key} {spec.lengths[key]:g} for {data}: {_name(model, plan)} reads {room}"
                    f" tokens; lower {key} in the recipe, or under its `overrides` or `bitext`"
                )


def _name(model: Node, plan: Plan) -> str:
    """Return the name of a model, or of the first one that is made with a tokenizer."""
    made = [node.id for node in plan.stage("pretrained").values() if model.id in node.parents]
    return plan.made.names[[*made, model.id][0]][0]


def _positions(model: Node, plan: Plan, registry: Registry) -> int | None:
    """Return how many tokens a model reads, or will read of one whose tokenizer is made here; None where unknown."""
    if isinstance(model.spec, TokenizerSpec):
        return positions({"model_type": MADE_HERE, "max_position_embeddings": model.spec.positions})
    name = plan.made.names[model.id][0]
    if name in plan.study.pinned:
        return plan.study.pinned[name].pin.positions
    return positions(registry.models[name]["shape"] or {})
