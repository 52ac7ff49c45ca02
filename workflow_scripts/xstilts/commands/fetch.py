"""Get raw data or a model from its source into a node's folder."""

import argparse
import json
from pathlib import Path

from xstilts.commands import add_node_arguments, results_of
from xstilts.data.sources import Place, hub, miniature, mirror, tiny, url
from xstilts.store import node
from xstilts.store.model_folder import check_model
from xstilts.store.specs.data import DataSpec

_DATA = {
    "mirror": mirror.fetch_data,
    "hub": hub.fetch_data,
    "url": url.fetch_data,
    "miniature": miniature.fetch_data,
    "tiny": tiny.fetch_data,
}
_MODELS = {"folder": mirror.fetch_model, "hub": hub.fetch_model, "tiny": tiny.fetch_model}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_node_arguments(parser)
    parser.add_argument("--folder", type=Path, default=None, help="the mirror, or the local model folder")
    parser.add_argument("--offline", action="store_true", help="never open a network connection")
    parser.add_argument("--urls", type=json.loads, default={}, help="file names and where each can be downloaded")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec, content = arguments.spec, arguments.spec.source
    downloads = results_of(arguments.output) / "downloads"
    place = Place(arguments.folder, arguments.offline, arguments.urls, downloads)
    with node.making(arguments.output, spec) as made:
        if isinstance(spec, DataSpec):
            _DATA[content.kind](content, made.scratch, place)
        else:
            _MODELS[content.kind](content, made.scratch, place)
            check_model(made.scratch)
            # after what reads the environment of the hub's client, which comes with transformers
            from xstilts.models import architecture

            architecture.check(made.scratch)
