"""Write the index of a local model folder: SHA-256 of its weights, configuration and tokenizer."""

import argparse
import sys
from pathlib import Path

from xstilts.errors import counted
from xstilts.models import architecture
from xstilts.planning import index
from xstilts.planning.settings import local


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("folder", type=Path, help="the model folder")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    files = index.index_model(arguments.folder)
    architecture.check(arguments.folder)
    path = index.write(arguments.folder, "model.yaml", local().results, files)
    sys.stdout.write(f"{path}: {counted(len(files), 'file')}\n")
