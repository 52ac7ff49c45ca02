"""Turn raw files into checked rows, a Parquet file a part."""

import argparse

import pyarrow.parquet

from xstilts.commands import add_node_arguments, results_of
from xstilts.data.prepare import prepare, unite
from xstilts.store import manifest

add_arguments = add_node_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec, results = arguments.spec, results_of(arguments.output)
    with manifest.node(arguments.output, spec) as (scratch, facts):
        if spec["kind"] == "union":
            members = {member: results / spec["parents"][f"member.{member}"] for member in spec["members"]}
            facts_of = {member: manifest.read(folder / manifest.MANIFEST) for member, folder in members.items()}
            parts, found = unite(spec, members, facts_of)
        else:
            excluded = [results / parent for role, parent in spec["parents"].items() if role.startswith("exclude.")]
            parts, found = prepare(spec, results / spec["parents"]["data"], excluded)
        for part, table in parts.items():
            pyarrow.parquet.write_table(table, scratch / f"{part}.parquet")
        facts.update(found)
