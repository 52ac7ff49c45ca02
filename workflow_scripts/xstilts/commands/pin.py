"""Write down what the models are that a study names by a hub id or a folder: ``<study>.pins.yaml`` beside the study."""

import argparse
import logging
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xstilts.data.sources import hub_models
from xstilts.data.sources.hub import make_tokenizer
from xstilts.errors import UserError, counted
from xstilts.planning import feasibility, index, pins, registry
from xstilts.planning.pins import Pin
from xstilts.planning.settings import local
from xstilts.planning.study import read_study

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("study", type=Path, nargs="?", default=None, help="a study file; by default the configured one")
    parser.add_argument("--missing", action="store_true", help="leave pins that are there as they are")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    settings = local()
    study = arguments.study or settings.study
    entries = registry.load(settings.registries)
    # what needs none of the models is refused before any is looked up
    unpinned = read_study(study, entries, unpinned=True)
    feasibility.check_attention(unpinned, entries, str(study))
    named = [model.named for model in unpinned.pinned.values()]
    known = pins.read(study) if arguments.missing else {}
    for one in named:
        if one not in known and pins.is_folder(one):
            pins.check_folder(one, study)
    found = {one: known.get(one) or _pin(one, settings.offline) for one in named}
    if not found:
        sys.stdout.write(f"{study}: all its models are names of the registry; nothing to pin\n")
        return
    path = pins.write(study, found)
    for one, pin in found.items():
        size = sum(file["bytes"] for file in pin.files.values()) / 1e6
        parts = ", ".join(f"{part} {count:,}" for part, count in pin.parts.items())
        at = f" at {pin.revision}" if pin.revision else ""
        sys.stdout.write(
            f"{pins.name_of(one)}: {one.partition('@')[0]}{at}: {pin.family} of type {pin.shape['model_type']},"
            f" {pin.parameters:,} parameters ({parts}), {size:,.1f} MB\n"
        )
    sys.stdout.write(f"{path}: {counted(len(found), 'model')}\n")


def _pin(named: str, offline: bool) -> Pin:
    """Return what a model is; of a model of the hub only configuration and tokenizer are downloaded.

    Raises:
        UserError: if it cannot be had, or cannot be used.
    """
    log.info("pinning %s", named)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch)
        if not pins.is_folder(named):
            repository, revision = pins.hub_id(named)
            model = hub_models.look_up(repository, revision, copy, offline)
            return _described(copy, named, model.revision, model.licence, model.files)
        folder = Path(named).expanduser()
        files = index.model_files(folder)
        for name in files:
            if not name.endswith(".safetensors"):
                (copy / name).write_bytes((folder / name).read_bytes())
        return _described(copy, named, None, None, files)


def _described(
    folder: Path, named: str, revision: str | None, licence: str | None, files: Mapping[str, Mapping[str, Any]]
) -> Pin:
    """Return the pin of a model, of which a folder has configuration and tokenizer."""
    from xstilts.models.description import describe
    from xstilts.tokenization.tokenizer import ModelTokenizer

    description = describe(folder, named)
    make_tokenizer(folder, named)
    try:
        ModelTokenizer(folder)
    # of a tokenizer.json that is none, each kind of it fails in its own way
    except Exception as error:
        raise UserError(f"{named}: its tokenizer cannot be used: {error}; save it anew with save_pretrained") from None
    return Pin(revision=revision, licence=licence, files=files, **vars(description))
