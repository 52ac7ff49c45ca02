"""Which process something belongs to, and whether that process has ended, as far as this machine can tell."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

State = Literal["alive", "ended", "elsewhere"]
# the namespace of processes that are in no container: PROC_PID_INIT_INO of Linux, include/linux/proc_ns.h
_OUTERMOST = "pid:[4026531836]"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where processes are seen and numbered together: a machine since it started, or a container on it.

    Attributes:
        host: its name.
        machine: the id of the installed system, machine-id(5).
        boot: the id that the kernel drew when it started; containers of one machine share it.
        namespace: in which processes are numbered; containers have one each.
    """

    host: str
    machine: str
    boot: str
    namespace: str

    def is_restarted(self, later: "Machine") -> bool:
        """Tell whether ``later`` is this machine after it was started again, so that nothing of before runs.

        Not for containers, whose ids of the system come from their images.
        """
        alike = self.machine and (self.host, self.machine) == (later.host, later.machine)
        return bool(alike) and self.namespace == later.namespace == _OUTERMOST and self.boot != later.boot


@dataclass(frozen=True, kw_only=True)
class Process:
    """A process, by what no other one has, on this machine or another.

    Attributes:
        machine: where it runs.
        number: its process id there.
        began: when it began, in the units of its system; the number of a process that has ended is given again.
    """

    machine: Machine
    number: int
    began: float

    @property
    def state(self) -> State:
        """Whether it is alive or has ended; ``elsewhere`` where this process cannot tell."""
        here = machine()
        if self.machine == here:
            return "alive" if _beginning(self.number) == self.began else "ended"
        return "ended" if self.machine.is_restarted(here) else "elsewhere"


def machine() -> Machine:
    """Return the machine of this process; what its system does not have is empty."""
    return Machine(
        host=platform.node(),
        machine=_line("/etc/machine-id"),
        boot=_line("/proc/sys/kernel/random/boot_id"),
        namespace=os.readlink("/proc/self/ns/pid") if os.path.islink("/proc/self/ns/pid") else "",
    )


def process(number: int | None = None) -> Process:
    """Return this process, or another one of this machine by its number.

    Raises:
        ProcessLookupError: if it has ended.
    """
    number = os.getpid() if number is None else number
    began = _beginning(number)
    if began is None:
        raise ProcessLookupError(number)
    return Process(machine=machine(), number=number, began=began)


def _line(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def _beginning(number: int) -> float | None:
    """Return when a process of this machine began; None if it has ended, whether or not its parent knows."""
    try:
        found = psutil.Process(number)
        if found.status() == psutil.STATUS_ZOMBIE:
            return None
        # from the boot on, so that setting the clock moves nothing; `create_time` is by the clock
        return _ticks(number) or float(found.create_time())
    except psutil.NoSuchProcess:
        return None


def _ticks(number: int) -> float | None:
    """Return the clock ticks from the boot to the beginning of a process: field 22 of proc_pid_stat(5)."""
    text = _line(f"/proc/{number}/stat")
    # the second field is the name in parentheses, which may itself have spaces and parentheses
    return float(text.rpartition(")")[2].split()[19]) if text else None
