"""Turn raw files into checked rows, a Parquet file a split."""

import argparse

import pyarrow.parquet

from xstilts.commands import add_node_arguments, results_of
from xstilts.data.prepare import prepare, unite
from xstilts.store import manifest, node
from xstilts.store.manifest import PreparedResults
from xstilts.store.specs.base import DATA, EXCLUDED, MEMBER, role
from xstilts.store.specs.data import UnionSpec

add_arguments = add_node_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec, results = arguments.spec, results_of(arguments.output)
    with node.making(arguments.output, spec) as made:
        if isinstance(spec, UnionSpec):
            members = {member: spec.parents[role(MEMBER, member)] for member in spec.members}
            stated = {name: manifest.results_of(results, member, PreparedResults) for name, member in members.items()}
            splits, made.results = unite(spec, {name: results / member for name, member in members.items()}, stated)
        else:
            excluded = [results / parent for parent in spec.parents_of(EXCLUDED)]
            splits, made.results = prepare(spec, results / spec.parents[DATA], excluded)
        for split, table in splits.items():
            pyarrow.parquet.write_table(table, made.scratch / f"{split}.parquet")
