"""Runs that are killed or asked to end go on as if nothing had happened; what is saved gives the same outputs.

The last is what ``loop.train`` itself checks, and a run in which it is not so ends with an error.
"""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import torch

from xstilts.data.dataset import Split
from xstilts.hardware import Hardware
from xstilts.models import distributed
from xstilts.models.distributed import Group
from xstilts.store.files import file_sha256
from xstilts.store.sampling import Sampling
from xstilts.store.specs.models import IntermediateSpec, Numerics
from xstilts.training import loop
from xstilts.training.checkpoints import checkpoints
from xstilts.training.gpu_checks import children, families
from xstilts.training.gpu_checks.checks import DIFFERS, EQUAL, REPORTED, Check
from xstilts.training.gpu_checks.families import LONGEST, VOCABULARY
from xstilts.training.gpu_checks.machine import Machine
from xstilts.training.gpu_checks.models import schedule_of, tokens_of
from xstilts.training.gpu_checks.trainings import FULL, LABELS, LEARNING_RATE, OPTIMISATION, SEED, TASK

_FAMILY, _STEPS = "xlm-roberta", 40


def run(machine: Machine) -> Iterator[Check]:
    """Yield a row for each way in which a run may end early, as the package trains and with reproducible kernels."""
    families.folder_of(_FAMILY, machine.scratch / "families")
    for is_reproducible in (False, True):
        how = "reproducible kernels" if is_reproducible else "as is"
        place = machine.scratch / how.replace(" ", "-")
        whole = _trained(machine, place / "whole", is_reproducible)
        again = _trained(machine, place / "again", is_reproducible)
        yield _compared(f"the same run again, {how}", whole, again, is_reproducible)
        interrupted = place / "interrupted"
        for number in (signal.SIGKILL, signal.SIGTERM):
            code = _interrupted(machine, interrupted, is_reproducible, number)
            if number == signal.SIGTERM:
                verdict = EQUAL if code == os.EX_TEMPFAIL else DIFFERS
                yield Check(f"SIGTERM, {how}", f"ends with {code}", f"{os.EX_TEMPFAIL}", verdict)
        resumed = _trained(machine, interrupted, is_reproducible)
        yield _compared(f"killed, interrupted, resumed, {how}", whole, resumed, is_reproducible)


def _compared(what: str, whole: str, other: str, is_reproducible: bool) -> Check:
    is_same = whole == other
    verdict = (EQUAL if is_same else DIFFERS) if is_reproducible else REPORTED
    shown = "the same weights" if is_same else "other weights"
    return Check(what, shown, "bit for bit" if is_reproducible else "", verdict)


def _trained(machine: Machine, place: Path, is_reproducible: bool) -> str:
    """Train to the end in a process of its own, and return the digest of what it saved.

    Raises:
        ChildProcessError: if it ends with an error.
    """
    children.run(_train, machine.scratch, place, is_reproducible, **_environment(is_reproducible))
    return (place / "digest").read_text(encoding="utf-8")


def _interrupted(machine: Machine, place: Path, is_reproducible: bool, number: int) -> int:
    """Send a training a signal after its next checkpoint, and return its exit code.

    Raises:
        ChildProcessError: if it ends before.
    """
    before = checkpoints(place / "work")
    child = children.start(_train, machine.scratch, place, is_reproducible, **_environment(is_reproducible))
    while checkpoints(place / "work") == before:
        if children.has_ended(child):
            raise ChildProcessError(f"a training ended with {children.end(child)} before it could be interrupted")
        time.sleep(0.002)
    return children.end(child, number)


def _environment(is_reproducible: bool) -> dict[str, str]:
    # cuBLAS then adds in the same order every time (its documentation, results reproducibility)
    return {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"} if is_reproducible else {}


def _train(scratch: Path, place: Path, is_reproducible: bool) -> None:
    """Train a tiny model by the package's loop, with a checkpoint after every step, or go on with what is there.

    Args:
        scratch: the folder with the families' models.
        place: where the run has its work directory, and leaves ``digest``.
        is_reproducible: whether kernels have to be those that add in the same order every time.
    """
    torch.use_deterministic_algorithms(is_reproducible)
    model, work, out = families.folder_of(_FAMILY, scratch / "families"), place / "work", place / "out"
    work.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    loop.train(_run_of(model, work), place, out)
    digests = {path.name: file_sha256(path) for path in sorted(out.iterdir())}
    (place / "digest").write_text(json.dumps(digests), encoding="utf-8")


def _run_of(model: Path, work: Path) -> loop.Run:
    """Return a run on made-up texts, from a model's folder, whose nodes stand nowhere."""
    tokens = tokens_of(np.random.default_rng(0).integers(5, LONGEST, size=64), VOCABULARY)
    rows = [{"language": "en", "label": int(label)} for label in tokens.arrays["labels"]]
    path = work / "rows.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    split = Split(tokens, path, "", LABELS)
    spec = IntermediateSpec(
        version=1, parents={}, tasks=[TASK], sampling=Sampling(steps=_STEPS), learning_rate=LEARNING_RATE,
        optimisation=OPTIMISATION, method=FULL, early_stopping=None, warm_start_head=None, seed=SEED,
        numerics=Numerics(submodel=None, dtype="float32", precision="bfloat16"),
    )  # fmt: skip
    return loop.Run(
        spec=spec, folders=[model], fingerprint={}, base=None, tasks=[TASK], data=[{"train": split, "dev": split}],
        schedule=schedule_of(tokens, TASK, _STEPS), workplace=work, hardware=Hardware(checkpoint_seconds=0),
        group=Group(), device=distributed.device(),
    )  # fmt: skip
