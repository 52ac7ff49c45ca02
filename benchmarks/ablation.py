"""An ablation: what each setting of fine-tuning gives, ours with it against ours without, round by round.

Run:  XSTILTS_MIRROR=<raw data sets> XSTILTS_MODEL=<encoder's folder> python benchmarks/ablation.py

Model, text and rounds are those of ``finetune_vs_trainer.py``; all sides have the same batches.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import transformers
from fine_tuning import THREADS, Ours, Task, encoder, epoch, pairs, rounds, sample, squad, summary
from xstilts.models.backbone import Backbone
from xstilts.tokenization.tokenizer import ModelTokenizer

LAYERS, STEPS = 4, 1


@dataclass(frozen=True)
class Setting:
    """What is tried: arguments of ``Ours``, those of ``encoder``, and what is done before and after a round."""

    ours: Mapping[str, Any] = field(default_factory=dict)
    shape: Mapping[str, Any] = field(default_factory=dict)
    on: Callable[[], None] = lambda: None
    off: Callable[[], None] = lambda: None


def _precision(name: str) -> None:
    torch.backends.mkldnn.fp32_precision = name


def _adamw(foreach: bool) -> Callable[..., torch.optim.Optimizer]:
    return lambda model, _: torch.optim.AdamW(
        [parameter for parameter in model.parameters() if parameter.requires_grad], weight_decay=0.0, foreach=foreach
    )


def _freeze_embeddings(backbone: Backbone) -> None:
    backbone.transformer.get_input_embeddings().requires_grad_(False)


def _compile(backbone: Backbone) -> None:
    backbone.transformer.compile(dynamic=True)


# the first is what the others are compared with
SETTINGS = {
    "float32": Setting(),
    "bfloat16 autocast": Setting({"precision": "bfloat16"}),
    "float32 products of bfloat16 (oneDNN)": Setting(on=lambda: _precision("bf16"), off=lambda: _precision("none")),
    "frozen embeddings": Setting({"change": _freeze_embeddings}),
    "compiled": Setting({"change": _compile}),
    "attention written out": Setting(shape={"attention": "eager"}),
    "foreach AdamW": Setting({"make_optimiser": _adamw(foreach=True)}),
    "AdamW in a loop": Setting({"make_optimiser": _adamw(foreach=False)}),
    "twice the threads": Setting(
        on=lambda: torch.set_num_threads(2 * THREADS), off=lambda: torch.set_num_threads(THREADS)
    ),
}


class Switched:
    """A side whose setting is on while it runs."""

    def __init__(self, setting: Setting, side: Ours) -> None:
        """Join the two."""
        self._setting, self._side = setting, side

    def run(self, count: int) -> list[float]:
        """Do the next steps and return their losses."""
        self._setting.on()
        try:
            return self._side.run(count)
        finally:
            self._setting.off()


def measure(task: Task, folder: Path) -> None:
    """Write the ratio of every setting for a task."""
    schedule = task.schedule(seed=0)
    chosen = sample(task, epoch(schedule), STEPS)
    sides = {}
    for name, setting in SETTINGS.items():
        side = Ours(task, encoder(folder, LAYERS, 0.1, **setting.shape), schedule, chosen, **setting.ours)
        sides[name] = Switched(setting, side), STEPS
    found = {name: times for name, (times, _) in rounds(sides).items()}
    for name in list(SETTINGS)[1:]:
        ratios = [before / after for before, after in zip(found["float32"], found[name], strict=True)]
        sys.stdout.write(f"  {name:38} {summary(ratios)}\n")
    sys.stdout.flush()


def main() -> None:
    """Run the benchmark and write its figures to standard output."""
    transformers.logging.set_verbosity_error()
    mirror, folder = (Path(os.environ[name]) for name in ("XSTILTS_MIRROR", "XSTILTS_MODEL"))
    tokenizer = ModelTokenizer(folder)
    for task in (pairs("mnli", mirror, tokenizer), squad(mirror, tokenizer)):
        sys.stdout.write(f"{task.name}, {THREADS} thread(s): speed relative to float32, median (range) of the rounds\n")
        measure(task, folder)


if __name__ == "__main__":
    main()
