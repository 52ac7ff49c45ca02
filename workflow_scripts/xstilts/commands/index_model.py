"""Write the index of a local model folder: SHA-256 of its weights, configuration and tokenizer."""

import argparse
import sys
from pathlib import Path

from xstilts import index, machine


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("folder", type=Path, help="the model folder")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    files = index.index_model(arguments.folder)
    path = index.write(arguments.folder, "model.yaml", machine.local().results, files)
    sys.stdout.write(f"{path}: {len(files)} files\n")
