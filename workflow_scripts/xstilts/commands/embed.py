"""Embed sentences and their translations with a model as it is, one array a side and language."""

import argparse
import logging
import shutil

import numpy as np

from xstilts import dataset, devices, lineage, manifest
from xstilts.commands import add_model_arguments, release, results_of

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

            from xstilts import backbone, retrieval

            torch.set_num_threads(arguments.threads)
            device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
            body = backbone.load(model_folder).to(device).eval()
            facts["layer"] = retrieval.layer_number(spec["layer"], body.depth)
            for name, part in todo.items():
                vectors = retrieval.sentence_vectors(body, part.tokens, facts["layer"], device)
                np.save(scratch / f"{name}.npy", vectors, allow_pickle=False)
        training = lineage.runs(results, spec["parents"]["model"])
        facts.update(
            checkpoint=checkpoint,
            training=training,
            collapsed=lineage.collapsed(training),
            parts={name: {"digest": part.digest} for name, part in parts.items()},
        )
    release(arguments, results)
