"""Find the nearest English sentence of every sentence, by the cosine of their vectors."""

import argparse

import numpy as np
import pandas as pd
import pyarrow.parquet

from xstilts import forms, manifest
from xstilts.commands import add_node_arguments, results_of
from xstilts.commands.predict import FILE
from xstilts.metrics.retrieval import nearest
from xstilts.nodes import manifest_path

add_arguments = add_node_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec, results = arguments.spec, results_of(arguments.output)
    embeddings, prepared = (results / spec["parents"][role] for role in ("embeddings", "prepared"))
    embedded = manifest.read(embeddings / manifest.MANIFEST)
    described = manifest.read(manifest_path(results, spec["parents"]["prepared"]))["parts"]
    form = forms.get("bitext")
    frames = []
    with manifest.node(arguments.output, spec) as (scratch, facts):
        for language in described:
            rows = pyarrow.parquet.read_table(prepared / f"{language}.parquet")
            vectors = np.load(embeddings / f"{language}.npy", allow_pickle=False)
            # sequences alternate: a sentence, then its translation
            found = [str(number) for number in nearest(vectors[0::2], vectors[1::2])]
            golds = [str(number) for number in range(len(found))]
            frame = rows.select(["example_id", "cluster_id", "language", "split"]).to_pandas()
            statistics = [form.statistics(*pair) for pair in zip(found, golds, strict=True)]
            frame = frame.assign(prediction=found, gold=golds)
            frames.append(frame.join(pd.DataFrame(statistics, dtype="float64").add_prefix("stat_")))
        pd.concat(frames, ignore_index=True).to_parquet(scratch / FILE, index=False)
        facts.update(
            **{key: embedded[key] for key in ("layer", "checkpoint", "training", "collapsed")},
            parts={
                name: {key: entry[key] for key in ("split", "official", "sample")} for name, entry in described.items()
            },
        )  # fmt: skip
