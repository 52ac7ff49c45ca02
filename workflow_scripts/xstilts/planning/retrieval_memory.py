"""How much memory a search among vectors needs: no model, but the vectors of all candidates, and the rows."""

from dataclasses import replace
from pathlib import Path

from xstilts.hardware import Hardware
from xstilts.planning import estimate
from xstilts.planning.data_size import evaluation_size
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.registry import Registry
from xstilts.store.specs.base import EMBEDDINGS, TOKENS
from xstilts.store.specs.evaluation import EmbeddingsSpec

# bytes of libraries and blocks of similarities, and of a row with its text
_PROCESS, _ROW = 1e9, 2e3
# vectors are mapped from their files; those of candidates are in memory once, and beside them those of a language
_COPIES = 1.2


def megabytes(node: Node, plan: Plan, registry: Registry, results: Path) -> int:
    """Return what the job of a retrieval node needs; of several layers one is in memory at a time.

    Raises:
        UserError: as ``estimate.of_node``.
    """
    embeddings = plan.nodes[node.spec.parents[EMBEDDINGS]]
    spec = embeddings.spec
    assert isinstance(spec, EmbeddingsSpec)
    one_layer = replace(embeddings, spec=replace(spec, pooling=replace(spec.pooling, sweep=False)))
    vectors = estimate.of_node(one_layer, plan, registry, results, Hardware()).disk
    rows = evaluation_size(plan.nodes[spec.parents[TOKENS]], plan, results).rows
    return round((_PROCESS + _ROW * rows + _COPIES * vectors) / 1e6)
