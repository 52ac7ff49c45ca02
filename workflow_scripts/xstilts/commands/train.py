"""Train a node: pretraining, the intermediate phase, a stage of the target phase; or find the best rate of a grid."""

import argparse
import contextlib
import os
import sys

from xstilts.commands import add_model_arguments, release, results_of
from xstilts.store import manifest
from xstilts.training.checkpoints import lock, remove
from xstilts.training import devices


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_model_arguments(parser)
    parser.add_argument("--processes", type=int, default=1, help="processes that train together, each with a GPU")
    parser.add_argument("--checkpoint-seconds", type=float, default=600, help="time between two checkpoints")
    parser.add_argument("--max-tokens-per-device", type=int, default=None, help="tokens that are computed at once")
    parser.add_argument("--gradient-checkpointing", action="store_true", help="compute layers twice, to save memory")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    if arguments.processes > 1 and "RANK" not in os.environ:
        _start_processes(arguments)
    spec, results = arguments.spec, results_of(arguments.output)
    workplace = results / "work" / arguments.output.parent.relative_to(results)
    leads = arguments.processes == 1 or os.environ["RANK"] == "0"
    with lock(workplace) if leads else contextlib.nullcontext():
        if arguments.processes == 1:
            devices.claim_gpus(results / "work", 1)
        import torch

        from xstilts.models import distributed
        from xstilts.training import loop, pretraining

        torch.set_num_threads(arguments.threads)
        group = distributed.join(arguments.processes)
        hardware = loop.Hardware(
            arguments.checkpoint_seconds, arguments.max_tokens_per_device, arguments.gradient_checkpointing
        )
        # another process may have finished the node while this one waited
        if not group.any(leads and manifest.is_complete(arguments.output, spec)):
            writing = manifest.node(arguments.output, spec) if leads else contextlib.nullcontext((None, {}))
            with writing as (scratch, facts):
                scratch = group.share(scratch)
                if spec["stage"] == "learning_rates":
                    facts.update(loop.choose_rate(spec, results, workplace, hardware, group))
                else:
                    train = pretraining.pretrain if spec["stage"] == "pretrained" else loop.train
                    facts.update(train(spec, results, scratch, workplace, hardware, group))
        group.wait()
    if leads:
        remove(workplace)
        release(arguments, results)


def _start_processes(arguments: argparse.Namespace) -> None:
    """Become torchrun, which starts this command as so many processes."""
    devices.claim_gpus(results_of(arguments.output) / "work", arguments.processes)
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={arguments.processes}"]
    os.execv(sys.executable, [sys.executable, *launcher, "-m", "xstilts", *sys.argv[1:]])
