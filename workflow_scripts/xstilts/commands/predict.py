"""Predict a target in every language."""

import argparse

from xstilts.commands import add_model_arguments, results_of
from xstilts.training import devices

add_arguments = add_model_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    results = results_of(arguments.output)
    devices.claim_gpus(results / "work", 1)
    import torch

    from xstilts.evaluation import nodes

    torch.set_num_threads(arguments.threads)
    nodes.make_predictions(arguments.output, arguments.spec, results)
