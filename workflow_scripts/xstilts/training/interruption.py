"""Signals that ask a training or a whole run to end: trainings save before they do."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Self

import psutil

# seconds for jobs to save and end in; the warm process takes up to ten more
_GRACE = 45


class Interruption:
    """Notes, while it is entered, that the process was asked to end (SIGTERM, Ctrl-C), in place of ending at once."""

    def __init__(self) -> None:
        self.times = 0

    @property
    def received(self) -> bool:
        """Whether it was."""
        return self.times > 0

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._note) for number in self._numbers()}
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _numbers(self) -> list[int]:
        return [signal.SIGTERM, signal.SIGINT]

    def _note(self, *_: object) -> None:
        self.times += 1


class Ending(Interruption):
    """Passes signals on to Snakemake and its jobs: the first as Ctrl-C, so that trainings save; a second one kills."""

    def __init__(self, announce: Callable[[], None]) -> None:
        """Begin without a signal; ``announce`` is called once one has come."""
        super().__init__()
        self._announce = announce
        self._asked: set[psutil.Process] = set()
        self._deadline = 0.0

    def _numbers(self) -> list[int]:
        # a terminal that is closed ends the run too, unless `nohup` keeps it
        closed = signal.getsignal(signal.SIGHUP) != signal.SIG_IGN
        return [*super()._numbers(), *([signal.SIGHUP] if closed else [])]

    def pass_on(self, snakemake: int) -> None:
        """Ask those of Snakemake's processes to end that were not asked yet; kill them where they take too long.

        Args:
            snakemake: the process that leads their group. The warm process and its jobs have groups of their own: they
                end by the processes that wait for them.
        """
        if not self.received:
            return
        if not self._deadline:
            self._announce()
            self._deadline = time.monotonic() + _GRACE
        killed = self.times > 1 or time.monotonic() > self._deadline
        with contextlib.suppress(psutil.NoSuchProcess):
            leader = psutil.Process(snakemake)
            # Snakemake first, so that it starts no more jobs
            for process in [leader, *leader.children(recursive=True)]:
                with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                    if os.getpgid(process.pid) == snakemake and (killed or process not in self._asked):
                        process.send_signal(signal.SIGKILL if killed else signal.SIGINT)
                        self._asked.add(process)
