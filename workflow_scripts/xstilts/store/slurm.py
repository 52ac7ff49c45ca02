"""What Slurm says of itself, and what it left behind of jobs that failed: of what they had too little."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from xstilts.errors import UserError

# where Snakemake's executor for Slurm keeps what a job printed, without a setting, until it has ended well
LOGS = Path(".snakemake/slurm_logs")
# what slurmstepd writes, with control groups and where it counts memory itself; before it stands its name or the time,
# and what the job has printed without ending the line
_MEMORY = re.compile(
    r"error: (Detected \d+ oom.kill event.* in (StepId=|step )|(StepId=\S+ )?exceeded \b.*memory limit)", re.I
)
_TIME = re.compile(r"error: \*\*\* (JOB|STEP) \d.* DUE TO TIME LIMIT")


@dataclass(frozen=True)
class Lacks:
    """How many of a node's failed jobs had too little memory, and how many too little time."""

    memory: int
    time: int


def ask(*command: str) -> str:
    """Return what a command of Slurm's prints.

    Raises:
        UserError: if there is no such program here, or it fails.
    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UserError(f"{command[0]}: no such program; run this on the cluster's login node") from None
    if done.returncode:
        raise UserError(f"{command[0]}: {(done.stderr.strip().splitlines() or ['failed'])[0]}")
    return done.stdout


def keeps_accounts() -> bool:
    """Tell whether sacct can be asked how jobs are: it may be installed where Slurm has no database for it."""
    if shutil.which("sacct") is None:
        return False
    return subprocess.run(["sacct", "--noheader", "--name", "none"], capture_output=True, check=False).returncode == 0


def lacks(node: str, tries: int, logs: Path = LOGS) -> Lacks:
    """Count, of a node's last failed jobs, those that Slurm ended for want of memory and of time.

    One that failed otherwise, was preempted or lost with its machine, needs no more than before.

    Args:
        node: the node's name, the last part of its address.
        tries: how many of its jobs have failed in this run.
        logs: the folder of Slurm's logs.

    Returns:
        ``tries`` of both where Slurm left no log of the node: nothing is known then.
    """
    if tries == 0:
        return Lacks(0, 0)
    found: list[str] = []
    for path in sorted(logs.rglob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True):
        text = path.read_text(encoding="utf-8", errors="replace")
        # of a job with several nodes the path names none
        if node in path.parts or node in text:
            found.append(text)
        if len(found) == tries:
            break
    if not found:
        return Lacks(tries, tries)
    return Lacks(*(sum(bool(pattern.search(text)) for text in found) for pattern in (_MEMORY, _TIME)))
