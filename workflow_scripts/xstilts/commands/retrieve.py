"""Find what belongs together by the vectors of texts: translations, or the answers to queries."""

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pyarrow.parquet

from xstilts import forms
from xstilts.commands import add_node_arguments, results_of
from xstilts.errors import UserError
from xstilts.evaluation.predictions import FILE, frame_of
from xstilts.evaluation.scores import LAYERS
from xstilts.store import manifest
from xstilts.store.manifest import manifest_path

add_arguments = add_node_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec, results = arguments.spec, results_of(arguments.output)
    embeddings, prepared = (results / spec["parents"][role] for role in ("embeddings", "prepared"))
    embedded = manifest.read(embeddings / manifest.MANIFEST)
    described = manifest.read(manifest_path(results, spec["parents"]["prepared"]))["splits"]
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
        layers = _layers(form, rows, embeddings, spec["settings"])
        if len(layers):
            layers.to_parquet(scratch / LAYERS, index=False)
        facts.update(
            **{key: embedded[key] for key in ("layer", "checkpoint", "training", "collapsed")},
            splits={
                name: {key: entry[key] for key in ("split", "official", "sample")} for name, entry in described.items()
            },
        )  # fmt: skip


def _layers(form: ModuleType, rows: Mapping[str, Sequence], embeddings: Path, settings: Mapping) -> pd.DataFrame:
    """Return the scores of each layer of which there are vectors: layer, language, and the form's metrics."""
    first = next(iter(rows))
    numbers = sorted(int(path.stem.rpartition("-")[2]) for path in embeddings.glob(f"{first}.layer-*.npy"))
    scores = []
    for number in numbers:
        vectors = {name: np.load(embeddings / f"{name}.layer-{number}.npy", allow_pickle=False) for name in rows}
        for name, scored in form.retrieve(rows, vectors, settings).items():
            sums: Counter[str] = Counter()
            for place, prediction, gold in scored:
                language = {"rules": None, "language": rows[name][place]["language"]}
                sums.update(form.statistics(prediction, gold, language))
            if scored:
                scores.append({"layer": number, "language": name, **form.score(sums, len(scored))})
    return pd.DataFrame(scores)
