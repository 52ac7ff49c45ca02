"""Train a node: pretraining, the intermediate phase, a stage of the target phase; or search for a learning rate.

What the study asks of the trained model is predicted at once, while it is in memory: each at its own path. Where
several GPUs train together it is left to the jobs of the predictions.
"""

import argparse
import contextlib
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path

from xstilts.commands import add_model_arguments, results_of
from xstilts.errors import UserError
from xstilts.hardware import Hardware
from xstilts.store import node
from xstilts.store.manifest import Results
from xstilts.store.specs.models import LearningRatesSpec, PretrainedSpec
from xstilts.training import devices, launcher


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_model_arguments(parser)
    parser.add_argument("--processes", type=_number, default=1, help="processes that train together, each with a GPU")
    parser.add_argument("--shards", type=_number, default=None, help="processes among which weights are divided")
    parser.add_argument("--nodes", type=_number, default=1, help="nodes that share them, each with a launcher")
    parser.add_argument("--checkpoint-seconds", type=float, default=600, help="time between two checkpoints")
    parser.add_argument("--max-tokens-per-device", type=int, default=None, help="tokens that are computed at once")
    parser.add_argument("--gradient-checkpointing", action="store_true", help="compute layers twice, to save memory")
    parser.add_argument("--reproducible-kernels", action="store_true", help="add in the same order every time")


def _number(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text}: give a number from 1")
    return int(text)


def helps(arguments: argparse.Namespace) -> bool:
    """Tell whether the node is made by another process: that of rank 0, or the first node's launcher."""
    several = arguments.processes > 1
    return several and ("RANK" in os.environ or launcher.nodes(arguments.nodes).index > 0)


def run(arguments: argparse.Namespace) -> None:
    """Run the command.

    Raises:
        UserError: if the nodes cannot have as many processes each, or weights be divided as asked.
    """
    if arguments.processes % arguments.nodes:
        raise UserError(
            f"--processes {arguments.processes}: those of all nodes together, and not a multiple of --nodes"
            f" {arguments.nodes}"
        )
    if arguments.processes % (arguments.shards or 1):
        raise UserError(f"--processes {arguments.processes}: not a multiple of --shards {arguments.shards}")
    if arguments.processes == 1:
        devices.claim_gpus(results_of(arguments.output) / "work", 1)
        _train(arguments)
    elif "RANK" not in os.environ:
        _launch(arguments)
    else:
        _train_with_others(arguments)


def _train(arguments: argparse.Namespace) -> None:
    if arguments.reproducible_kernels:
        devices.use_reproducible_kernels()
    import torch

    from xstilts.models import distributed
    from xstilts.training import checkpoints, learning_rates, loop, memory, metrics, pretraining

    spec, results = arguments.spec, results_of(arguments.output)
    workplace = node.work_directory(arguments.output)
    torch.set_num_threads(max(1, arguments.threads * arguments.nodes // arguments.processes))
    workplace.mkdir(parents=True, exist_ok=True)
    group = distributed.join(arguments.processes)
    given = Hardware(
        arguments.max_tokens_per_device,
        arguments.gradient_checkpointing,
        arguments.checkpoint_seconds,
        arguments.shards,
    )
    trained = None
    with node.making(arguments.output, spec) if group.leads else contextlib.nullcontext() as made:
        hardware = memory.resumed(workplace, given, group)
        group = replace(group, shards=hardware.shards or arguments.processes // arguments.nodes)
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
            # where memory lacked it is less than was given
            used = memory.resumed(workplace, hardware, distributed.Group())
            made.training = metrics.of_training(results, arguments.output, used, group.size)
    group.wait()
    group.leave()
    if group.leads:
        checkpoints.remove(workplace)
    if trained is not None and arguments.plan is not None and group.size == 1:
        from xstilts.training import ahead

        ahead.predict(arguments.output, spec, results, trained.model, arguments.plan)


def _train_with_others(arguments: argparse.Namespace) -> None:
    """Train as one of several processes: the first one speaks, and who has lost the others leaves the word to them."""
    if os.environ["RANK"] != "0":
        logging.getLogger().setLevel(logging.ERROR)
    try:
        _train(arguments)
    except RuntimeError as error:
        from xstilts.models import distributed

        found = distributed.lost(error)
        if found is None:
            raise
        if found:
            raise UserError(found) from None
        # what this process holds of the others may wait for them, too
        os._exit(launcher.LEFT_ALONE)


def _launch(arguments: argparse.Namespace) -> None:
    """Run this command in the processes of this node, and end as they do."""
    nodes = launcher.nodes(arguments.nodes)
    processes = arguments.processes // nodes.number
    devices.claim_gpus(results_of(arguments.output) / "work", processes)
    command = [sys.executable, "-m", "xstilts", *sys.argv[1:]]
    folder = arguments.output.parent
    code = launcher.launch(command, processes, nodes, folder.name, lambda: node.is_whole(folder, arguments.spec))
    if code:
        sys.exit(code)
