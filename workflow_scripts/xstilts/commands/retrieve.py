"""Find what belongs together by the vectors of texts: translations, or the answers to queries."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet

from xstilts import forms
from xstilts.commands import add_node_arguments, results_of
from xstilts.errors import UserError
from xstilts.evaluation.predictions import FILE, frame_of
from xstilts.evaluation.scores import LAYERS
from xstilts.forms import scoring
from xstilts.forms.interface import FormModule
from xstilts.store import manifest, node
from xstilts.store.manifest import EvaluatedSplit, EvaluationResults, PreparedResults
from xstilts.store.specs import EMBEDDINGS, PREPARED

add_arguments = add_node_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec, results = arguments.spec, results_of(arguments.output)
    embeddings, prepared = (results / spec.parents[role] for role in (EMBEDDINGS, PREPARED))
    embedded = manifest.results_of(results, spec.parents[EMBEDDINGS], EvaluationResults)
    described = manifest.results_of(results, spec.parents[PREPARED], PreparedResults).splits
    form = forms.get(spec.form)
    with node.making(arguments.output, spec) as made:
        rows = {name: pyarrow.parquet.read_table(prepared / f"{name}.parquet").to_pylist() for name in described}
        vectors = {name: np.load(embeddings / f"{name}.npy", allow_pickle=False) for name in described}
        found = form.retrieve(rows, vectors, spec.settings)
        frames = [
            frame_of(form, [rows[name][number] for number, _, _ in scored], *zip(*pairs, strict=True), rules=None)
            for name, scored in found.items()
            if (pairs := [(prediction, gold) for _, prediction, gold in scored])
        ]
        if not frames:
            raise UserError(f"{spec.parents[PREPARED]}: nothing to score; no query has a right candidate")
        pd.concat(frames, ignore_index=True).to_parquet(made.scratch / FILE, index=False)
        layers = _layers(form, rows, embeddings, spec.settings)
        if len(layers):
            layers.to_parquet(made.scratch / LAYERS, index=False)
        made.results = replace(
            embedded,
            splits={
                name: EvaluatedSplit(split=split.split, official=split.official, sample=split.sample)
                for name, split in described.items()
            },
        )


def _layers(form: FormModule, rows: Mapping[str, Sequence], embeddings: Path, settings: Mapping) -> pd.DataFrame:
    """Return the scores of each layer of which there are vectors: layer, language, and the form's metrics."""
    first = next(iter(rows))
    numbers = sorted(int(path.stem.rpartition("-")[2]) for path in embeddings.glob(f"{first}.layer-*.npy"))
    scores = []
    for number in numbers:
        vectors = {name: np.load(embeddings / f"{name}.layer-{number}.npy", allow_pickle=False) for name in rows}
        for name, scored in form.retrieve(rows, vectors, settings).items():
            if scored:
                _, predictions, gold = zip(*scored, strict=True)
                columns = scoring.columns_of(form, predictions, gold, None, [name] * len(scored))
                scores.append({"layer": number, "language": name, **scoring.scores(form.FORM, columns)})
    return pd.DataFrame(scores)
