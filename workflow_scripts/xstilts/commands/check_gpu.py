"""Check what only a GPU can show, and measure it: equal results, kernels, rates, speed and memory of training.

No data and no network: models have random weights of true shapes. Each part runs in a process of its own for so many
seconds at most, all of them for eight minutes. Rows are printed as they come, and kept in ``results/hardware/``, where
estimates find the rates. The exit code is 1 if something differs that has to be equal.
"""

import argparse
import importlib
import shutil
import sys
import tempfile
from pathlib import Path

from xstilts.errors import UserError
from xstilts.planning.expected import expected
from xstilts.planning.settings import local
from xstilts.reporting import gpu_checks
from xstilts.training import devices
from xstilts.training.gpu_checks import checks, parts, report
from xstilts.training.gpu_checks.checks import FAILED, GPU, Check
from xstilts.training.gpu_checks.parts import PARTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--dry-run", action="store_true", help="go through all of it on the CPU, with tiny models")
    parser.add_argument(
        "--document", type=Path, metavar="FILE", help="measure nothing; write what was measured into a document"
    )
    # how this command runs a part
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--scratch", type=Path, help=argparse.SUPPRESS)


def run(arguments: argparse.Namespace) -> int:
    """Run the command.

    Raises:
        UserError: if there is no GPU, or CUDA does not work on it.
    """
    if arguments.part is not None:
        _run_part(arguments.part, arguments.scratch, arguments.dry_run)
        return 0
    results = local().results
    if arguments.document is not None:
        gpu_checks.write_section(arguments.document, results)
        return 0
    work = results / "work"
    work.mkdir(parents=True, exist_ok=True)
    if not arguments.dry_run:
        devices.claim_gpus(work, devices.count_gpus())
    scratch = Path(tempfile.mkdtemp(dir=work, prefix="check-gpu."))
    try:
        found = _run_parts(scratch, results, arguments.dry_run)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return int(any(check.verdict in FAILED for rows in found.values() for check in rows))


def _run_parts(scratch: Path, results: Path, is_dry_run: bool) -> dict[str, list[Check]]:
    """Run all parts, print their rows and keep them; return them by part."""
    found: dict[str, list[Check]] = {}
    _print(gpu_checks.line(gpu_checks.HEADER))
    for name, part in PARTS.items():
        command = [sys.executable, "-m", "xstilts", "check-gpu", "--part", name, "--scratch", str(scratch)]
        found[name], reason = parts.run(part, [*command, *["--dry-run"] * is_dry_run], scratch, is_dry_run)
        if reason is not None and len(found) == 1:
            # without what it says of the GPU nothing can be kept
            raise UserError(reason.partition("error: ")[2] or f"check-gpu: {name}: {reason}; run it again")
        for check in found[name]:
            _print(gpu_checks.line(gpu_checks.cells(name, check)))
        if not is_dry_run:
            (gpu,) = (check.measured for check in found["environment"] if check.what == GPU)
            path = report.write(found, gpu, results)
    if not is_dry_run:
        _print(f"{path}: written" if path else "nothing is kept, for there are no rates; mend that part, and run again")
    return found


def _print(line: str) -> None:
    sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.flush()


def _run_part(name: str, scratch: Path, is_dry_run: bool) -> None:
    """Run a part in this process, and write its rows as they come."""
    import torch

    from xstilts.training.gpu_checks.machine import Machine

    part = PARTS[name]
    torch.set_num_threads(1)
    throughput = report.numbers(checks.read(parts.rows_of(PARTS["rates"], scratch))).get("bfloat16")
    machine = Machine(
        # no question to the driver: a part may fork processes that use the GPU
        device=torch.device("cpu" if is_dry_run else "cuda"),
        is_dry_run=is_dry_run,
        scratch=scratch,
        expected=expected,
        throughput=None if throughput is None else throughput * 1e12,
    )
    for check in importlib.import_module(f"xstilts.training.gpu_checks.{part.module}").run(machine):
        checks.write(check, parts.rows_of(part, scratch))
