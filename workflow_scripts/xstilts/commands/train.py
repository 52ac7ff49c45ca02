"""Train a node: pretraining, the intermediate phase, a stage of the target phase; or search for a learning rate.

What the study asks of the trained model is predicted at once, while it is in memory: each at its own path. Where
several GPUs train together it is left to the jobs of the predictions.
"""

import argparse
import contextlib
import os
import sys
from pathlib import Path

from xstilts.commands import add_model_arguments, results_of
from xstilts.hardware import Hardware
from xstilts.store import node
from xstilts.store.manifest import Results
from xstilts.store.specs.models import LearningRatesSpec, PretrainedSpec
from xstilts.training import devices


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_model_arguments(parser)
    parser.add_argument("--processes", type=int, default=1, help="processes that train together, each with a GPU")
    parser.add_argument("--checkpoint-seconds", type=float, default=600, help="time between two checkpoints")
    parser.add_argument("--max-tokens-per-device", type=int, default=None, help="tokens that are computed at once")
    parser.add_argument("--gradient-checkpointing", action="store_true", help="compute layers twice, to save memory")
    parser.add_argument("--reproducible-kernels", action="store_true", help="add in the same order every time")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    if arguments.processes > 1 and "RANK" not in os.environ:
        _start_processes(arguments)
    spec, results = arguments.spec, results_of(arguments.output)
    workplace = node.work_directory(arguments.output)
    leads = arguments.processes == 1 or os.environ["RANK"] == "0"
    if arguments.processes == 1:
        devices.claim_gpus(results / "work", 1)
    if arguments.reproducible_kernels:
        devices.use_reproducible_kernels()
    import torch

    from xstilts.models import distributed
    from xstilts.training import checkpoints, learning_rates, loop, metrics, pretraining

    torch.set_num_threads(max(1, arguments.threads // arguments.processes))
    workplace.mkdir(parents=True, exist_ok=True)
    group = distributed.join(arguments.processes)
    hardware = Hardware(arguments.max_tokens_per_device, arguments.gradient_checkpointing, arguments.checkpoint_seconds)
    trained = None
    with node.making(arguments.output, spec) if leads else contextlib.nullcontext() as made:
        scratch: Path = group.share(made.scratch if made else None)
        stated: Results
        if isinstance(spec, PretrainedSpec):
            stated = pretraining.pretrain(spec, results, scratch, workplace, hardware, group)
        elif isinstance(spec, LearningRatesSpec):
            stated = learning_rates.search(loop.prepare(spec, results, workplace, hardware, group), spec)
        else:
            trained = loop.train(loop.prepare(spec, results, workplace, hardware, group), results, scratch)
            stated = trained.results
        if made:
            made.results = stated
            made.training = metrics.of_training(results, arguments.output, hardware, group.size)
    group.wait()
    if leads:
        checkpoints.remove(workplace)
    if trained is not None and arguments.plan is not None and arguments.processes == 1:
        from xstilts.training import ahead

        ahead.predict(arguments.output, spec, results, trained.model, arguments.plan)


def _start_processes(arguments: argparse.Namespace) -> None:
    """Become torchrun, which starts this command as so many processes."""
    devices.claim_gpus(results_of(arguments.output) / "work", arguments.processes)
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={arguments.processes}"]
    os.execv(sys.executable, [sys.executable, *launcher, "-m", "xstilts", *sys.argv[1:]])
