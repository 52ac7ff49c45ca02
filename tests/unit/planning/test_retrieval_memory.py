"""What a search among vectors asks for, by hand."""

from xstilts.data.sources import tiny
from xstilts.planning import registry, retrieval_memory

from tests.builders.plans import plan_study

STUDY = """
description: x
source: tiny
models: [xlm-roberta-large]
targets: {tatoeba: }
languages: [de, fr]
recipes: {last: {bitext: {layer: -1}}, all: {bitext: {sweep: true}}}
"""


def test_the_vectors_and_a_fifth_more(tmp_path):
    """Pairs of two languages in vectors of width 1024, for each row its text; of all layers one at a time."""
    plan = plan_study(tmp_path, STUDY)
    nodes = plan.stage("retrieval").values()
    rows = 2 * tiny.TEST_ROWS
    asked = {retrieval_memory.megabytes(node, plan, registry.load(), tmp_path) for node in nodes}
    assert len(nodes) == 2 and asked == {round((1e9 + 2e3 * rows + 1.2 * rows * 2 * 1024 * 4) / 1e6)}
