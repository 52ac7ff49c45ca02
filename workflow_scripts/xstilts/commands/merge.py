"""Merge the models of several mixtures into one, without a training."""

import argparse
import shutil

from xstilts.commands import add_model_arguments, results_of
from xstilts.store import lineage, node
from xstilts.store.manifest import MergedResults

add_arguments = add_model_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    import torch

    from xstilts.models import merging

    torch.set_num_threads(arguments.threads)
    spec, results = arguments.spec, results_of(arguments.output)
    workplace = node.work_directory(arguments.output)
    # of a process that was killed
    shutil.rmtree(workplace, ignore_errors=True)
    try:
        with node.making(arguments.output, spec) as made:
            merging.merge(spec, results, workplace, made.scratch)
            runs = {run: how for member in spec.members for run, how in lineage.runs(results, member).items()}
            made.results = MergedResults(trained_before=runs)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
