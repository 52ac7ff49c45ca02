"""Write the index of a mirror, for every file that the registry knows: SHA-256, rows, split, why it is of no use."""

import argparse
import sys
from pathlib import Path

from xstilts.data import usable
from xstilts.errors import counted
from xstilts.planning import index, mirror_index, registry
from xstilts.planning.settings import local


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("folder", type=Path, help="the mirror")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    settings = local()
    known = registry.load(settings.registries)
    files = mirror_index.index_mirror(arguments.folder, known, usable.check)
    path = index.write(arguments.folder, "mirror.yaml", settings.results, files)
    sys.stdout.write("\n".join([f"{path}: {counted(len(files), 'file')}", *mirror_index.remarks(files, known), ""]))
