"""Fine-tuning: ours against transformers' Trainer, in one process, round by round; the sides are in ``fine_tuning.py``.

Run:  XSTILTS_MIRROR=<raw data sets> XSTILTS_MODEL=<encoder's folder> python benchmarks/finetune_vs_trainer.py

The model is XLM-R's architecture with the first four layers of an encoder of the size of multilingual-e5-small and its
tokenizer; the text is MNLI's and SQuAD's. First: are losses the same, step by step, when both sides have the same
weights and batches and no dropout? Then the speed.

``--seeds 5``: final loss and dev accuracy of ours in both precisions and of (b) in float32, over five seeds, with the
whole encoder on QQP, which is learned in fewer steps than the others (40 minutes).
``--gpu``: XLM-R Large and XLM-R XXL with random weights, on a GPU.
Bars: the same losses; 2.5x of (a); parity with (b) at the same precision; 1.3x of (b) in float32 under bfloat16. On a
GPU 1.3x of (b), and the shares of its measured rate of matrix products that ``xstilts check-gpu`` asks for.
"""

import argparse
import copy
import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from fine_tuning import (
    ROUNDS,
    THREADS,
    Ours,
    Task,
    Theirs,
    encoded,
    encoder,
    epoch,
    grouped,
    pairs,
    positions,
    rounds,
    sample,
    squad,
    summary,
)  # fmt: skip
from torch import nn
from xstilts.evaluation import prediction
from xstilts.models import adapters
from xstilts.planning.expected import expected
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.training.gpu_checks.machine import Machine
from xstilts.training.gpu_checks.models import config_of, random_transformer
from xstilts.training.gpu_checks.rates import products
from xstilts.training.gpu_checks.trainings import FULL, LARGE, LORA, TRAININGS, XXL, tiny

LAYERS, PARITY_STEPS, PARITY = 4, 8, 1e-5
# the last steps are one of the Trainer's groups by length, in which it goes from long texts to short ones
SEED_ROWS, DEV_ROWS, SEED_BATCH, LAST_STEPS = 2048, 500, 16, 32
GPU_STEPS = 10


def parity(task: Task, folder: Path) -> float:
    """Return the largest difference of losses, step by step, of ours and the Trainer on the same batches."""
    schedule = task.schedule(seed=1)
    batches = [schedule.batches(step)[0][1] for step in range(PARITY_STEPS)]
    body = encoder(folder, LAYERS, dropout=0.0)
    theirs = Theirs(task, copy.deepcopy(body), batches, same_loss=True)
    ours = Ours(task, body, schedule, range(PARITY_STEPS))
    losses = list(zip(ours.run(PARITY_STEPS), theirs.run(PARITY_STEPS), strict=True))
    theirs.end()
    assert len({loss for loss, _ in losses}) == PARITY_STEPS
    return max(abs(one - other) for one, other in losses)


def speed(task: Task, make: Callable[[], nn.Module], device: str, precisions: Sequence[str]) -> list[float]:
    """Write speed and losses of all sides; (a) has the first of the precisions.

    Returns:
        How many times as fast as (b) ours is in the last of the precisions, for each round.
    """
    schedule = task.schedule(seed=0)
    batches = {"ours": epoch(schedule), "(b)": grouped(task, seed=0)}
    chosen = {name: sample(task, found, task.each) for name, found in batches.items()}
    fed = [batches["(b)"][number] for number in chosen["(b)"]]
    # every batch of (a) takes the same time
    shuffled = np.random.default_rng(0).permutation(len(task.tokens))[: (ROUNDS + 1) * task.batch_size]
    batches["(a)"] = np.split(shuffled, ROUNDS + 1)
    share = {name: positions(task, found, name == "(a)") for name, found in batches.items()}
    sides = {}
    for precision in precisions:
        ours = Ours(task, make(), schedule, chosen["ours"], precision=precision, device=device)
        sides[f"ours {precision}"] = ours, task.each
        theirs = Theirs(task, make(), fed, bf16=precision == "bfloat16", device=device)
        sides[f"(b) {precision}"] = theirs, task.each
    plain = Theirs(task, make(), batches["(a)"], padded=True, bf16=precisions[0] == "bfloat16", device=device)
    sides[f"(a) {precisions[0]}"] = plain, 1
    found = rounds(sides)
    rates = {name: [sides[name][1] * task.batch_size / one for one in times] for name, (times, _) in found.items()}
    sys.stdout.write(f"{task.name}, batches of {task.batch_size}, {ROUNDS} rounds\n")
    for name, (_, losses) in found.items():
        row = f"{statistics.median(rates[name]):8.2f} examples/s  {share[name.split()[0]]:.3f} positions a token"
        sys.stdout.write(f"  {name:14} {row}  loss {statistics.mean(losses):.3f}\n")
    for one in precisions:
        for other in (name for name in sides if not name.startswith("ours")):
            ratios = [a / b for a, b in zip(rates[f"ours {one}"], rates[other], strict=True)]
            sys.stdout.write(f"  ours {one:8} / {other:12} {summary(ratios)}\n")
    sys.stdout.flush()
    last = precisions[-1]
    return [a / b for a, b in zip(rates[f"ours {last}"], rates[f"(b) {last}"], strict=True)]


def seeds(task: Task, folder: Path, count: int) -> None:
    """Write final losses and dev accuracies of ours in both precisions and of (b) in float32, over seeds."""
    tokenizer, device = ModelTokenizer(folder), torch.device("cpu")
    parts = task.rows[:SEED_ROWS], task.rows[SEED_ROWS : SEED_ROWS + DEV_ROWS]
    train, dev = (
        encoded(task.name, task.form, rows, tokenizer, {"max_length": task.longest}, SEED_BATCH, 1) for rows in parts
    )
    results: dict[str, list[tuple[float, float]]] = {}
    for seed in range(1, count + 1):
        schedule = train.schedule(seed)
        sides = {
            f"ours {precision}": Ours(
                train, encoder(folder, None, 0.1), schedule, range(schedule.steps), seed, precision=precision
            )
            for precision in ("bfloat16", "float32")
        }
        sides["(b) float32"] = theirs = Theirs(train, encoder(folder, None, 0.1), grouped(train, seed), seed)
        for name, side in sides.items():
            losses = side.run(schedule.steps)
            scores, _ = prediction.evaluate(side.model, task.spec, dev, device)
            loss = statistics.mean(losses[-LAST_STEPS:])
            results.setdefault(name, []).append((loss, scores["accuracy"]))
            sys.stdout.write(f"seed {seed}  {name:14} loss {loss:.4f}  accuracy {scores['accuracy']:.1f}\n")
            sys.stdout.flush()
        theirs.end()
    for place, what in enumerate((f"loss of the last {LAST_STEPS} steps", "accuracy")):
        for name, found in results.items():
            column = [pair[place] for pair in found]
            row = f"mean {statistics.mean(column):.4f}, deviation {statistics.stdev(column):.4f}"
            sys.stdout.write(f"{what}, {name}: {row}\n")


def operations(body: nn.Module, lengths: np.ndarray, full: bool) -> float:
    """Return the operations of one step on texts of these lengths, without padding.

    For each weight of a matrix and each token two in the forward pass, two for the gradients of what goes through the
    layer, and two for those of the weight where it is trained (Kaplan et al. 2020, section 2.1); for attention's two
    products 4 x length^2 x width a layer, three times.
    """
    matrices = [layer for name, layer in body.named_modules() if isinstance(layer, nn.Linear) and "lora_" not in name]
    weights = sum(layer.weight.numel() for layer in matrices)
    config = body.config
    attention = 12 * config.num_hidden_layers * config.hidden_size * float((lengths.astype(float) ** 2).sum())
    return (6 if full else 4) * weights * int(lengths.sum()) + attention


def utilisation(task: Task, body: nn.Module, machine: Machine, full: bool) -> list[float]:
    """Return for each round the share of the machine's rate of products that training comes to."""
    schedule = task.schedule(seed=0)
    batches = epoch(schedule)
    chosen = sample(task, batches, GPU_STEPS)
    change = None if full else lambda backbone: adapters.inject(backbone, LORA, 1)
    side = Ours(task, body, schedule, chosen, precision="bfloat16", device=machine.device.type, change=change)
    side.run(1)
    shares = []
    for start in range(1, len(chosen), GPU_STEPS):
        instances = [batches[number] for number in chosen[start : start + GPU_STEPS]]
        done = sum(operations(body, task.tokens.lengths[each], full) for each in instances)
        started = time.perf_counter()
        side.run(GPU_STEPS)
        machine.synchronise()
        shares.append(done / (time.perf_counter() - started) / machine.throughput)
    return shares


def large_models(tasks: Sequence[Task], machine: Machine) -> None:
    """Write speed and utilisation of large models with random weights, and whether they come to the bars."""

    def made(shape: Mapping[str, Any], dtype: str) -> nn.Module:
        content = {**tiny(shape), "vocab_size": shape["vocab_size"]} if machine.is_dry_run else shape
        return random_transformer(config_of(content), dtype, machine.device)

    def write(what: str, values: Sequence[float], bar: float, unit: str = "") -> None:
        verdict = machine.judge(statistics.median(values) >= bar)
        sys.stdout.write(f"{what}: {summary(values)}{unit}, bar {bar:g}{unit}: {verdict}\n")

    # of the models that the tokenizer is of
    judged = [(one, 100 * one.share) for one in TRAININGS if one.share is not None and one.config in (LARGE, XXL)]
    sys.stdout.write(f"{machine.throughput / 1e12:.3g} TFLOP/s in products of bfloat16\n")
    for task in tasks:
        ratios = speed(task, lambda: made(LARGE, "float32"), machine.device.type, ["bfloat16"])
        write(f"{task.name}: XLM-R Large, ours / (b)", ratios, 1.3)
        for training, bar in judged:
            if machine.has_gpu:
                torch.cuda.empty_cache()
                torch.cuda.reset_peak_memory_stats()
            body = made(training.config, training.numerics.dtype)
            shares = [100 * share for share in utilisation(task, body, machine, training.method == FULL)]
            write(
                f"{task.name}: {training.model}, {training.method.name}",
                shares,
                bar,
                " % of that rate",
            )
            if machine.has_gpu:
                sys.stdout.write(f"  {torch.cuda.max_memory_allocated() / 1e9:.0f} GB at most\n")


def main() -> None:
    """Run the benchmark and write its figures to standard output."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, help="compare final losses and scores over so many seeds")
    parser.add_argument("--gpu", action="store_true", help="measure large models on a GPU")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    mirror, folder = (Path(os.environ[name]) for name in ("XSTILTS_MIRROR", "XSTILTS_MODEL"))
    tokenizer = ModelTokenizer(folder)
    if arguments.seeds:
        seeds(pairs("qqp", mirror, tokenizer), folder, arguments.seeds)
        return
    tasks = [pairs("mnli", mirror, tokenizer), squad(mirror, tokenizer)]
    if arguments.gpu:
        if not torch.cuda.is_available():
            sys.stdout.write("no GPU on this machine: nothing was measured\n")
            return
        machine = Machine(torch.device("cuda"), False, folder, expected)
        large_models(tasks, replace(machine, throughput=products(machine, "bfloat16")))
        return
    sys.stdout.write(f"{THREADS} thread(s)\n")
    for task in tasks:
        difference = parity(task, folder)
        sys.stdout.write(f"{task.name}: largest difference of losses over {PARITY_STEPS} steps: {difference:.1e}\n")
        assert difference < PARITY
        speed(task, lambda: encoder(folder, LAYERS, dropout=0.1), "cpu", ["float32", "bfloat16"])


if __name__ == "__main__":
    main()
