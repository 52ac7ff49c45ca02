"""Embed texts with a model as it is, or with a trained dual encoder: one array a language, a row a sequence."""

import argparse
import logging
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xstilts import dataset, devices, lineage, manifest
from xstilts.commands import add_model_arguments, release, results_of
from xstilts.tokens import Tokens

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)


add_arguments = add_model_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec, results = arguments.spec, results_of(arguments.output)
    model_folder = results / spec["parents"]["model"]
    checkpoint = lineage.weights(model_folder)
    parts = dataset.parts(results, spec["parents"]["tokens"])
    with manifest.node(arguments.output, spec) as (scratch, facts):
        todo = dict(parts)
        for folder, sibling in lineage.siblings(arguments.output, spec, checkpoint):
            for name in list(todo):
                if sibling["parts"].get(name, {}).get("digest") == parts[name].digest:
                    shutil.copyfile(folder / f"{name}.npy", scratch / f"{name}.npy")
                    facts["layer"] = sibling["layer"]
                    del todo[name]
                    log.info("taken over from %s: %s", folder.name, name)
        if todo:
            devices.claim_gpu(results / "work")
            import torch

            torch.set_num_threads(arguments.threads)
            device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
            facts["layer"], vectors_of = _encoder(spec, model_folder, device)
            for name, part in todo.items():
                np.save(scratch / f"{name}.npy", vectors_of(part.tokens), allow_pickle=False)
        training = lineage.runs(results, spec["parents"]["model"])
        facts.update(
            checkpoint=checkpoint,
            training=training,
            collapsed=lineage.collapsed(training),
            parts={name: {"digest": part.digest} for name, part in parts.items()},
        )
    release(arguments, results)


def _encoder(
    spec: Mapping[str, Any], folder: Path, device: "torch.device"
) -> tuple[int | None, Callable[[Tokens], np.ndarray]]:
    """Return the layer whose mean is taken (None for a dual encoder), and what gives the vectors of tokens."""
    from xstilts import backbone, prediction, retrieval

    if "head" in spec["pooling"]:
        task = spec["pooling"]["head"]
        model = prediction.load(folder, [{"task": task, "form": spec["form"], "labels": None}]).to(device)
        return None, lambda tokens: retrieval.head_vectors(model, task, tokens, device)
    body = backbone.load(folder).to(device).eval()
    layer = retrieval.layer_number(spec["pooling"]["layer"], body.depth)
    return layer, lambda tokens: retrieval.mean_vectors(body, tokens, layer, device)
