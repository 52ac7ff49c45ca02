"""Write the index of a mirror: SHA-256, rows, split and whether a sample, for every file that the registry knows."""

import argparse
import sys
from pathlib import Path

from xstilts.data import readers
from xstilts.planning import index, registry
from xstilts.planning.settings import local


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("folder", type=Path, help="the mirror")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    settings = local()
    files = index.index_mirror(arguments.folder, registry.load(settings.registries), readers.read)
    path = index.write(arguments.folder, "mirror.yaml", settings.results, files)
    sys.stdout.write(f"{path}: {len(files)} files\n")
