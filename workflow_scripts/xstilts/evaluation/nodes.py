"""Nodes of evaluation: predictions and vectors of a model in every language, with what siblings have already.

A node that differs from another one in its languages alone takes over what that one has for the same weights and data.
"""

import logging
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from xstilts import forms
from xstilts.data import dataset
from xstilts.data.dataset import Split
from xstilts.evaluation import embedding, prediction, predictions, prompted
from xstilts.evaluation.table import Table
from xstilts.models import distributed
from xstilts.models.inference import for_inference
from xstilts.models.model import Model, for_predictions, load_model, without_heads
from xstilts.store import lineage, manifest, node
from xstilts.store.manifest import EvaluatedSplit, EvaluationResults, PreparedResults, TokensResults
from xstilts.store.specs.base import MODEL, PREPARED, TOKENS
from xstilts.store.specs.evaluation import EmbeddingsSpec, PredictionsSpec
from xstilts.store.specs.models import EvaluatedSpec, HeadSpec
from xstilts.tokenization.tokens import Tokens

log = logging.getLogger(__name__)

# vectors by the end of the name of their file
Vectors = dict[str, np.ndarray]


def make_predictions(
    output: Path, spec: PredictionsSpec, results: Path, load: Callable[[], tuple[Model, EvaluatedSpec]] | None = None
) -> None:
    """Make a predictions node.

    Args:
        output: its manifest.
        spec: its spec.
        results: the results folder.
        load: gives the model and the task of its head to the job that trained it; by default they are read from the
            parents, by the node's own job.
    """
    fingerprint, runs = lineage.fingerprint(spec, results), lineage.runs(results, spec.parents[MODEL])
    splits = dataset.splits(results, spec.parents[TOKENS])
    prepared = manifest.of_node(results / spec.parents[TOKENS]).parents[PREPARED]
    encoded = manifest.results_of(results, spec.parents[TOKENS], TokensResults).splits
    described = manifest.results_of(results, prepared, PreparedResults).splits
    with node.making(output, spec, ahead=load is not None) as made:
        # the planner puts no rows without labels beside others
        labelled = all(described[name].labelled for name in splits)
        table, file = (
            (predictions.TABLE, predictions.FILE) if labelled else (predictions.UNLABELLED, predictions.UNLABELLED_FILE)
        )
        frames = _predictions_of_siblings(output, spec, splits, fingerprint, table, file)
        if missing := {name: split for name, split in splits.items() if name not in frames}:
            answer = prompted.answering(spec, results) if spec.prompting else _answering(spec, results, load)
            frames |= _predicted(spec, answer, missing, labelled)
        frame = pd.concat([frames[name] for name in splits], ignore_index=True)
        table.write(frame, made.scratch / file)
        made.results = EvaluationResults(
            fingerprint=fingerprint,
            training=runs,
            collapsed=lineage.collapsed(runs),
            splits={
                name: EvaluatedSplit(
                    split=described[name].split,
                    official=described[name].official,
                    sample=described[name].sample,
                    digest=split.digest,
                    labelled=described[name].labelled,
                    cut=encoded[name].cut,
                )
                for name, split in splits.items()
            },
        )


def _predictions_of_siblings(
    output: Path,
    spec: PredictionsSpec,
    splits: Mapping[str, Split],
    fingerprint: Mapping[str, str],
    table: Table,
    file: str,
) -> dict[str, pd.DataFrame]:
    """Return the predictions that siblings already have in the same file, by language."""
    frames: dict[str, pd.DataFrame] = {}
    for sibling in lineage.siblings(output, spec, fingerprint):
        same = [name for name in _shared(sibling, splits) if name not in frames]
        if same and (sibling.folder / file).exists():
            frame = table.read(sibling.folder / file)
            frames |= {name: frame[frame["language"] == name] for name in same}
            log.info("taken over from %s: %s", sibling.folder.name, ", ".join(same))
    return frames


def _shared(sibling: lineage.Sibling, splits: Mapping[str, Split]) -> list[str]:
    """Return the languages for which a sibling has read the same tokens."""
    there = sibling.results.splits
    return [name for name, split in splits.items() if name in there and there[name].digest == split.digest]


def _answering(
    spec: PredictionsSpec, results: Path, load: Callable[[], tuple[Model, EvaluatedSpec]] | None
) -> Callable[[Split], list[str]]:
    """Return the function that predicts a split with a head."""
    model, task = load() if load is not None else for_predictions(spec, results)
    device = distributed.device()
    return partial(prediction.predict, for_inference(model, device), task, device=device)


def _predicted(
    spec: PredictionsSpec, answer: Callable[[Split], list[str]], splits: Mapping[str, Split], labelled: bool
) -> dict[str, pd.DataFrame]:
    """Return new predictions by language."""
    form, frames = forms.get(spec.form), {}
    for name, split in splits.items():
        log.info("predicting %s: %d rows", name, len(split.rows))
        predicted = answer(split)
        gold = prediction.gold_answers(form, split, spec.labels) if labelled else None
        frames[name] = predictions.frame_of(form, split.rows, predicted, gold, spec.scoring)
    return frames


def make_embeddings(output: Path, spec: EmbeddingsSpec, results: Path, load: Callable[[], Model] | None = None) -> None:
    """Make an embeddings node: an array a language, a row a sequence; with a sweep also one for each layer.

    Args:
        output: its manifest.
        spec: its spec.
        results: the results folder.
        load: gives the model to the job that trained it; by default it is read from the parents, by the node's own job.
    """
    fingerprint, runs = lineage.fingerprint(spec, results), lineage.runs(results, spec.parents[MODEL])
    splits = dataset.splits(results, spec.parents[TOKENS])
    with node.making(output, spec, ahead=load is not None) as made:
        missing, layer = dict(splits), None
        for sibling in lineage.siblings(output, spec, fingerprint):
            for name in [name for name in _shared(sibling, splits) if name in missing]:
                for path in [sibling.folder / f"{name}.npy", *sibling.folder.glob(f"{name}.layer-*.npy")]:
                    shutil.copyfile(path, made.scratch / path.name)
                layer = sibling.results.layer
                del missing[name]
                log.info("taken over from %s: %s", sibling.folder.name, name)
        if missing:
            model = load() if load is not None else _load(spec, results)
            layer, vectors_of = _encoder(spec, for_inference(model, distributed.device()))
            for name, split in missing.items():
                for end, vectors in vectors_of(split.tokens).items():
                    np.save(made.scratch / f"{name}{end}.npy", vectors, allow_pickle=False)
        made.results = EvaluationResults(
            fingerprint=fingerprint,
            training=runs,
            collapsed=lineage.collapsed(runs),
            splits={name: EvaluatedSplit(digest=split.digest) for name, split in splits.items()},
            layer=layer,
        )


def _load(spec: EmbeddingsSpec, results: Path) -> Model:
    """Return the model of an embeddings node: a trained dual encoder, or a model without heads."""
    folders = lineage.folders(spec, results)
    if spec.pooling.head is None:
        return without_heads(folders, spec.numerics)
    return load_model(folders, [HeadSpec(task=spec.pooling.head, form=spec.form, labels=None)], spec.numerics, None)


def _encoder(spec: EmbeddingsSpec, model: Model) -> tuple[int | None, Callable[[Tokens], Vectors]]:
    """Return the layer that is pooled (None for a dual encoder), and the function from tokens to vectors."""
    pooling, device = spec.pooling, distributed.device()
    if pooling.head is not None:
        head = pooling.head
        return None, lambda tokens: {"": embedding.head_vectors(model, head, tokens, device)}
    layer = embedding.layer_number(pooling, model.backbone.depth)
    layers = range(model.backbone.depth + 1) if pooling.sweep else [layer]

    def vectors_of(tokens: Tokens) -> Vectors:
        found = dict(zip(layers, embedding.pooled_vectors(model, tokens, layers, pooling.pooler, device), strict=True))
        swept = {f".layer-{index}": vectors for index, vectors in found.items()} if len(found) > 1 else {}
        return {"": found[layer], **swept}

    return layer, vectors_of
