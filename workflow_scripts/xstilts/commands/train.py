"""Train a node: the intermediate phase, or a stage of the target phase."""

import argparse

from xstilts import devices, manifest, work
from xstilts.commands import add_model_arguments, release, results_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_model_arguments(parser)
    parser.add_argument("--checkpoint-seconds", type=float, default=600, help="time between two checkpoints")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec, results = arguments.spec, results_of(arguments.output)
    workplace = results / "work" / arguments.output.parent.relative_to(results)
    with work.lock(workplace):
        # another process may have finished the node while this one waited
        if not manifest.is_complete(arguments.output, spec):
            devices.claim_gpu(results / "work")
            import torch

            from xstilts.training import train

            torch.set_num_threads(arguments.threads)
            with manifest.node(arguments.output, spec) as (scratch, facts):
                facts.update(train(spec, results, scratch, workplace, arguments.checkpoint_seconds))
        work.remove(workplace)
    release(arguments, results)
