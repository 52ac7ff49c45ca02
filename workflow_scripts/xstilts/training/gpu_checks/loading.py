"""Reading a large model: its time, and the host's memory that it takes."""

import json
import resource
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from xstilts.models import distributed
from xstilts.models.backbone import load_backbone
from xstilts.training.gpu_checks import children
from xstilts.training.gpu_checks.checks import NOT_RUN, Check
from xstilts.training.gpu_checks.machine import Machine
from xstilts.training.gpu_checks.models import config_of, random_transformer
from xstilts.training.gpu_checks.trainings import XXL, tiny

# the host's memory beside the weights' bytes; and free space on the disk
_MOST, _ROOM = 1.2, 1.1


def run(machine: Machine) -> Iterator[Check]:
    """Yield a row for a model of 20 GB, which is written before and deleted after it was read."""
    config = {**tiny(XXL), "vocab_size": 100_000} if machine.is_dry_run else XXL
    empty = random_transformer(config_of(config), "bfloat16", torch.device("meta"))
    needed = sum(each.nbytes for each in empty.parameters())
    what, bar = f"{needed / 1e9:.3g} GB of safetensors", f"host at most {_MOST} x"
    free = shutil.disk_usage(machine.scratch).free
    if free < _ROOM * needed:
        shown = f"{machine.scratch} has {free / 1e9:.0f} GB free, {_ROOM * needed / 1e9:.0f} are needed"
        yield Check(what, shown, bar, NOT_RUN)
        return
    folder, found = machine.scratch / "large", machine.scratch / "loading.json"
    try:
        children.run(_write, config, folder)
        children.run(_read, folder, found)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    seconds, taken = json.loads(found.read_text(encoding="utf-8"))
    share = taken / needed
    shown = f"{seconds:.1f} s, {needed / 1e9 / seconds:.2g} GB/s, host {share:.2f} x"
    values = {"seconds": seconds, "host": share}
    yield Check(what, shown, bar, machine.judge(share <= _MOST), values)


def _write(config: dict[str, object], folder: Path) -> None:
    transformer = random_transformer(config_of(config), "bfloat16", distributed.device())
    transformer.save_pretrained(folder, max_shard_size="2GB")


def _read(folder: Path, found: Path) -> None:
    """Read a model onto the device; write seconds, and the bytes that the process grew by at most."""
    device = distributed.device()
    torch.zeros(1, device=device)
    before, started = _peak(), time.perf_counter()
    model = load_backbone(folder, None, "bfloat16").to(device)
    if device.type == "cuda":
        torch.cuda.synchronize()
    seconds = time.perf_counter() - started
    found.write_text(json.dumps([seconds, _peak() - before]), encoding="utf-8")
    del model


def _peak() -> int:
    """Return the most bytes of memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
