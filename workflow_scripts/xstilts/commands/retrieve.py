"""Find what belongs together by the vectors of texts: translations, or the answers to queries."""

import argparse

import numpy as np
import pandas as pd
import pyarrow.parquet

from xstilts import forms, manifest
from xstilts.commands import add_node_arguments, results_of
from xstilts.commands.predict import FILE, frame_of
from xstilts.errors import UserError
from xstilts.nodes import manifest_path

add_arguments = add_node_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec, results = arguments.spec, results_of(arguments.output)
    embeddings, prepared = (results / spec["parents"][role] for role in ("embeddings", "prepared"))
    embedded = manifest.read(embeddings / manifest.MANIFEST)
    described = manifest.read(manifest_path(results, spec["parents"]["prepared"]))["parts"]
    form = forms.get(spec["form"])
    with manifest.node(arguments.output, spec) as (scratch, facts):
        rows = {name: pyarrow.parquet.read_table(prepared / f"{name}.parquet").to_pylist() for name in described}
        vectors = {name: np.load(embeddings / f"{name}.npy", allow_pickle=False) for name in described}
        found = form.retrieve(rows, vectors, spec["settings"])
        frames = [
            frame_of(form, [rows[name][number] for number, _, _ in scored], *zip(*pairs, strict=True), rules=None)
            for name, scored in found.items()
            if (pairs := [(prediction, gold) for _, prediction, gold in scored])
        ]
        if not frames:
            raise UserError(f"{spec['parents']['prepared']}: nothing to score; no query has a right candidate")
        pd.concat(frames, ignore_index=True).to_parquet(scratch / FILE, index=False)
        facts.update(
            **{key: embedded[key] for key in ("layer", "checkpoint", "training", "collapsed")},
            parts={
                name: {key: entry[key] for key in ("split", "official", "sample")} for name, entry in described.items()
            },
        )  # fmt: skip
