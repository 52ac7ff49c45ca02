"""Predict a target in every language, taking over what a sibling address has for the same weights and data."""

import argparse
import logging

import pandas as pd

from xstilts import forms
from xstilts.commands import add_model_arguments, release, results_of
from xstilts.data import dataset
from xstilts.evaluation.predictions import FILE, frame_of
from xstilts.models.model import of_node
from xstilts.store import lineage, manifest
from xstilts.store.manifest import manifest_path
from xstilts.training import devices

log = logging.getLogger(__name__)


add_arguments = add_model_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec, results = arguments.spec, results_of(arguments.output)
    training = lineage.runs(results, spec["parents"]["model"])
    checkpoint = lineage.weights(spec, results)
    parts = dataset.splits(results, spec["parents"]["tokens"])
    prepared = manifest.read(manifest_path(results, spec["parents"]["tokens"]))["spec"]["parents"]["prepared"]
    described = manifest.read(manifest_path(results, prepared))["splits"]
    with manifest.node(arguments.output, spec) as (scratch, facts):
        frames = _taken_over(arguments, parts, checkpoint)
        if set(frames) < set(parts):
            frames |= _predicted(arguments, {name: part for name, part in parts.items() if name not in frames})
        pd.concat([frames[name] for name in parts], ignore_index=True).to_parquet(scratch / FILE, index=False)
        facts.update(
            checkpoint=checkpoint,
            training=training,
            collapsed=lineage.collapsed(training),
            splits={
                name: {**{key: described[name][key] for key in ("split", "official", "sample")}, "digest": part.digest}
                for name, part in parts.items()
            },
        )
    release(arguments, results)


def _taken_over(arguments: argparse.Namespace, parts: dict, checkpoint: dict) -> dict[str, pd.DataFrame]:
    """Return the predictions that sibling addresses already have, by language."""
    frames: dict[str, pd.DataFrame] = {}
    for folder, facts in lineage.siblings(arguments.output, arguments.spec, checkpoint):
        same = [
            name for name, part in parts.items()
            if name not in frames and facts["splits"].get(name, {}).get("digest") == part.digest
        ]  # fmt: skip
        if same:
            frame = pd.read_parquet(folder / FILE)
            frames |= {name: frame[frame["language"] == name] for name in same}
            log.info("taken over from %s: %s", folder.name, ", ".join(same))
    return frames


def _predicted(arguments: argparse.Namespace, parts: dict) -> dict[str, pd.DataFrame]:
    """Return new predictions by language."""
    devices.claim_gpus(results_of(arguments.output) / "work", 1)
    import torch

    from xstilts.evaluation import prediction

    torch.set_num_threads(arguments.threads)
    spec = arguments.spec
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    results = results_of(arguments.output)
    model, entry = of_node(spec, results)
    model.to(device)
    form = forms.get(spec["form"])
    frames = {}
    for name, part in parts.items():
        log.info("predicting %s: %d rows", name, len(part.rows))
        predictions = prediction.predict(model, entry, part, device)
        gold = prediction.gold_answers(form, part, entry["labels"])
        frames[name] = frame_of(form, part.rows, predictions, gold, spec["scoring"])
    return frames
