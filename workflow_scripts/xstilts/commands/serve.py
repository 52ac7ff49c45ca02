"""Keep a process whose imports are done, of which the jobs of a run, or of one job of Slurm's, are forked.

The rules start it.
"""

import argparse
import importlib
import os
import socket

from xstilts.commands import main
from xstilts.warm import server

# all that a job of the default study imports; what else one needs, such as another architecture, it imports itself
_MODULES = (
    "pandas",
    "pyarrow.parquet",
    "tokenizers",
    "safetensors.torch",
    "transformers.models.auto.modeling_auto",
    "transformers.models.xlm_roberta.modeling_xlm_roberta",
    "xstilts.data.prepare",
    "xstilts.evaluation.embedding",
    "xstilts.evaluation.prediction",
    "xstilts.training.loop",
    "xstilts.training.pretraining",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    listener = parser.add_mutually_exclusive_group(required=True)
    listener.add_argument("--listener", type=int, help="file descriptor of a listening Unix socket")
    listener.add_argument("--socket", help="path of a Unix socket to listen at, in a folder of its own")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    listener = server.listen(arguments.socket) if arguments.socket else socket.socket(fileno=arguments.listener)
    server.serve(listener, _load, main)


def _load() -> None:
    """Import what jobs need.

    Raises:
        RuntimeError: if a library has used CUDA, which does not work after a fork.
    """
    for module in _MODULES:
        importlib.import_module(module)
    import numpy
    import torch

    # a fresh process has a random state of its own; Python's does it itself, and torch begins with a fixed one
    os.register_at_fork(after_in_child=numpy.random.seed)
    if torch.cuda.is_initialized():
        raise RuntimeError("imports have initialised CUDA")
