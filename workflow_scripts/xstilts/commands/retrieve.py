"""Find what belongs together by the vectors of texts: translations, or the answers to queries."""

import argparse
from dataclasses import replace

from xstilts import forms
from xstilts.commands import add_node_arguments, results_of
from xstilts.data.prepared_rows import read_prepared
from xstilts.errors import UserError
from xstilts.evaluation import layers, predictions, retrieval
from xstilts.store import manifest, node
from xstilts.store.manifest import EvaluatedSplit, EvaluationResults, PreparedResults
from xstilts.store.specs.base import EMBEDDINGS, PREPARED

add_arguments = add_node_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec, results = arguments.spec, results_of(arguments.output)
    embeddings, prepared = (results / spec.parents[role] for role in (EMBEDDINGS, PREPARED))
    embedded = manifest.results_of(results, spec.parents[EMBEDDINGS], EvaluationResults)
    described = manifest.results_of(results, spec.parents[PREPARED], PreparedResults).splits
    form = forms.get(spec.form)
    settings = form.FORM.with_neutral(spec.settings)
    with node.making(arguments.output, spec) as made:
        rows = {name: read_prepared(prepared / f"{name}.parquet").to_pylist() for name in described}
        vectors = layers.vectors_of(embeddings, list(described))
        predicted = retrieval.predictions_of(form, rows, vectors, settings)
        if predicted.empty:
            raise UserError(f"{spec.parents[PREPARED]}: nothing to score; no query has a gold candidate")
        predictions.write(predicted, made.scratch / predictions.FILE)
        by_layer = layers.scores_of(form, rows, embeddings, settings)
        if len(by_layer):
            layers.write(by_layer, made.scratch / layers.FILE)
        made.results = replace(
            embedded,
            splits={
                name: EvaluatedSplit(split=split.split, official=split.official, sample=split.sample)
                for name, split in described.items()
            },
        )
