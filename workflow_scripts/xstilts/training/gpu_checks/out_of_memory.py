"""A training that lacks memory goes on with smaller parts, and gives what one gives that began with them."""

from collections.abc import Iterator

import torch

from xstilts.hardware import Hardware
from xstilts.models.distributed import Group
from xstilts.training import memory
from xstilts.training.gpu_checks import children, runs
from xstilts.training.gpu_checks.checks import NOT_REACHED, Check
from xstilts.training.gpu_checks.families import FAMILIES
from xstilts.training.gpu_checks.machine import Machine
from xstilts.training.gpu_checks.models import config_of, random_transformer
from xstilts.training.gpu_checks.resuming import same
from xstilts.training.gpu_checks.runs import Size, left

_LARGER = {"num_hidden_layers": 4, "hidden_size": 256, "intermediate_size": 1024, "num_attention_heads": 4,
           "max_position_embeddings": 258, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # fmt: skip
# of the memory that the training needs
_SHARE = 0.6


def run(machine: Machine) -> Iterator[Check]:
    """Yield a row: a training with too little memory, against one that began as it came to end."""
    config, _ = FAMILIES["xlm-roberta"]
    content = config if machine.is_dry_run else {**config, **_LARGER}
    # all as long, so that the first step already lacks memory
    longest = content["max_position_embeddings"] - 2
    size = Size(content["vocab_size"], longest, longest, batch_size=32, steps=4)
    model = machine.scratch / "memory" / "model"
    random_transformer(config_of(content), "float32", torch.device("cpu")).save_pretrained(model)
    free, lacking, divided = (machine.scratch / "memory" / name for name in ("free", "lacking", "divided"))
    what, hardware = f"{_SHARE:.0%} of the memory needed", Hardware()
    children.run(runs.train, model, free, size, hardware, True)
    children.run(runs.train, model, lacking, size, hardware, True, _SHARE * left(free).peak)
    # the settings that are noted where memory has lacked
    less = memory.resumed(lacking / runs.WORK, hardware, Group())
    if less == hardware:
        yield Check(what, "it was enough", "too little", NOT_REACHED)
        return
    children.run(runs.train, model, divided, size, less, True)
    how = f"{less.max_tokens_per_device} tokens at once" + ", layers again" * less.gradient_checkpointing
    yield same(f"{what}: {how}", left(lacking), left(divided), True)
