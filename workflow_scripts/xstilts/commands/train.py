"""Train a node: the intermediate phase, or a stage of the target phase."""

import argparse
from pathlib import Path

from xstilts import devices, manifest, work
from xstilts.commands import add_node_arguments, results_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_node_arguments(parser)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--checkpoint-seconds", type=float, default=600, help="time between two checkpoints")
    add_keeping_arguments(parser)


def add_keeping_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what is kept once a job is done."""
    parser.add_argument("--plan", type=Path, default=None, help="plan.json of the study that runs")
    parser.add_argument("--keep-models", default="all", help="all, intermediate or none; see config.yaml")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec, results = arguments.spec, results_of(arguments.output)
    workplace = results / "work" / arguments.output.parent.relative_to(results)
    with work.lock(workplace):
        # another process may have finished the node while this one waited
        if not manifest.is_complete(arguments.output, spec):
            gpu = devices.claim_gpu(results / "work")
            import torch

            from xstilts.training import train

            torch.set_num_threads(arguments.threads)
            with manifest.node(arguments.output, spec) as (scratch, facts):
                facts.update(train(spec, results, scratch, workplace, arguments.checkpoint_seconds))
            if gpu is not None:
                gpu.close()
        work.remove(workplace)
    release(arguments, results)


def release(arguments: argparse.Namespace, results: Path) -> None:
    """Let go of the trained parents that nothing in the plan needs any more."""
    from xstilts.commands import read_plan
    from xstilts.keeping import release

    if arguments.plan is not None and arguments.plan.exists():
        plan, _, _ = read_plan(arguments.plan)
        release(results, plan, arguments.spec["parents"].values(), arguments.keep_models)
