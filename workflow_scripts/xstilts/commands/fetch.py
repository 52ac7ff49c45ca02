"""Get raw data or a model from its source into a node's folder."""

import argparse
import json
from pathlib import Path

from xstilts.commands import add_node_arguments, results_of
from xstilts.data.sources import Place
from xstilts.data.sources.fetch import fetch
from xstilts.store import node
from xstilts.store.specs.models import ModelSpec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_node_arguments(parser)
    parser.add_argument("--folder", type=Path, default=None, help="the mirror, or the local model folder")
    parser.add_argument("--offline", action="store_true", help="never open a network connection")
    parser.add_argument("--hub", default=None, help="repository and commit of a pinned model: owner/name@commit")
    parser.add_argument("--study", type=Path, default=None, help="the study file that the model is pinned for")
    parser.add_argument("--urls", type=json.loads, default={}, help="file names and where each can be downloaded")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    downloads = results_of(arguments.output) / "downloads"
    place = Place(arguments.folder, arguments.offline, arguments.urls, downloads, arguments.hub, arguments.study)
    with node.making(arguments.output, arguments.spec) as made:
        fetch(arguments.spec, made.scratch, place)
        if isinstance(arguments.spec, ModelSpec):
            # after what reads the environment of the hub's client, which comes with transformers
            from xstilts.models import architecture

            architecture.check(made.scratch)
