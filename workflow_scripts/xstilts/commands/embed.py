"""Embed texts with a model as it is, or with a trained dual encoder: one array a language, a row a sequence."""

import argparse
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts.commands import add_model_arguments, release, results_of
from xstilts.data import dataset
from xstilts.models.model import load_model, of_spec, without_heads
from xstilts.store import lineage, manifest
from xstilts.tokenization.tokens import Tokens
from xstilts.training import devices

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)


add_arguments = add_model_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec, results = arguments.spec, results_of(arguments.output)
    checkpoint = lineage.weights(spec, results)
    parts = dataset.splits(results, spec["parents"]["tokens"])
    with manifest.node(arguments.output, spec) as (scratch, facts):
        todo = dict(parts)
        for folder, sibling in lineage.siblings(arguments.output, spec, checkpoint):
            for name in list(todo):
                if sibling["splits"].get(name, {}).get("digest") == parts[name].digest:
                    for path in [folder / f"{name}.npy", *folder.glob(f"{name}.layer-*.npy")]:
                        shutil.copyfile(path, scratch / path.name)
                    facts["layer"] = sibling["layer"]
                    del todo[name]
                    log.info("taken over from %s: %s", folder.name, name)
        if todo:
            devices.claim_gpus(results / "work", 1)
            import torch

            torch.set_num_threads(arguments.threads)
            device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
            facts["layer"], vectors_of = _encoder(spec, results, device)
            for name, part in todo.items():
                for file, vectors in vectors_of(part.tokens).items():
                    np.save(scratch / f"{name}{file}.npy", vectors, allow_pickle=False)
        training = lineage.runs(results, spec["parents"]["model"])
        facts.update(
            checkpoint=checkpoint,
            training=training,
            collapsed=lineage.collapsed(training),
            splits={name: {"digest": part.digest} for name, part in parts.items()},
        )
    release(arguments, results)


def _encoder(
    spec: Mapping[str, Any], results: Path, device: "torch.device"
) -> tuple[int | None, Callable[[Tokens], dict[str, np.ndarray]]]:
    """Return the layer whose mean is taken (None for a dual encoder), and what gives the vectors of tokens.

    These are by the end of the name of their file: nothing, or ``.layer-<number>`` where all layers are asked for.
    """
    from xstilts.evaluation import embedding

    if "head" in spec["pooling"]:
        task = spec["pooling"]["head"]
        entry = {"task": task, "form": spec["form"], "labels": None}
        model = load_model(lineage.folders(spec, results), [entry], of_spec(spec), None).to(device)
        return None, lambda tokens: {"": embedding.head_vectors(model, task, tokens, device)}
    model = without_heads(spec, results).to(device)
    layer = embedding.layer_number(spec["pooling"], model.backbone.depth)
    layers = range(model.backbone.depth + 1) if spec["pooling"]["sweep"] else [layer]

    def vectors_of(tokens: Tokens) -> dict[str, np.ndarray]:
        found = dict(zip(layers, embedding.mean_vectors(model, tokens, layers, device), strict=True))
        swept = {f".layer-{number}": vectors for number, vectors in found.items()} if len(found) > 1 else {}
        return {"": found[layer], **swept}

    return layer, vectors_of
