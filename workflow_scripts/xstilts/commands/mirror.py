"""Write what a study fetches, raw files and models, into a folder to be carried to a machine without a network."""

import argparse
import logging
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

from xstilts.data.sources import Place, carried
from xstilts.data.sources.fetch import fetch
from xstilts.errors import counted
from xstilts.planning import index
from xstilts.planning.fetched import fetched
from xstilts.planning.settings import local, plan_of

log = logging.getLogger(__name__)

# kind of a source: the index of its folder, and the key of config.yaml that names this
_INDEXES = {"mirror": ("mirror.yaml", "mirror"), "folder": ("model.yaml", "model_folders")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("study", type=Path, help="a study file")
    parser.add_argument("folder", type=Path, help="an empty folder, or one that this command has begun")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    settings, folder = replace(local(), study=arguments.study), arguments.folder
    there = ["offline: true", f"mirror: {folder}"]
    with carried.writing(folder) as files:
        for node in fetched(plan_of(settings), settings):
            prefix, downloads = carried.prefix_of(node.spec, node.name), folder / carried.DOWNLOADS
            place = Place(node.folder, settings.offline, node.urls, downloads, node.hub, node.study)
            new = carried.put(folder, files, prefix, node.spec.source, partial(fetch, node.spec, place=place))
            log.info("%s: %s", node.name, counted(new, "file") if new else "there already")
            # of a pinned model the pins say all that the plan reads
            if node.folder is not None and node.spec.source.kind in _INDEXES and node.study is None:
                # all of it, so that the plan is the same there
                name, key = _INDEXES[node.spec.source.kind]
                indexed = index.read(node.folder, name, settings.results, key)
                index.write(folder / prefix, name, settings.results, indexed)
                if key == "model_folders":
                    there.append(f"model_folders: {{{node.name}: {folder / prefix}}}")
    size = sum((folder / name).stat().st_size for name in files)
    said = f"{folder}: {counted(len(files), 'file')}, {size / 1e6:.1f} MB; config.yaml says there, with its own path:"
    sys.stdout.write("\n".join([said, *there, ""]))
