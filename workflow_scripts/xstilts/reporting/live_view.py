"""What a person sees of a run: a view that is drawn in place on a terminal, or lines in a log.

Both are written to stderr, so that stdout holds nothing but a command's result. What is shown is plain data: ``stages``
is jobs done and jobs in all by stage, ``running`` the seconds for which each job has run by its label, and ``left``
about how long the rest takes, in words.
"""

import logging
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from xstilts.reporting.messages import Message, last_lines

log = logging.getLogger(__name__)

# seconds between two lines where there is no terminal
_PAUSE = 20
_LOG_LINES = 20
_BAR_WIDTH = 24


def of_terminal() -> "View":
    """Return the view for this process's stderr: in place on a terminal that can move its cursor, else lines."""
    if sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return LiveView(Console(file=sys.stderr, force_terminal=True, highlight=False))
    return View()


def line(stages: Mapping[str, tuple[int, int]], running: Mapping[str, float], left: str) -> str:
    """Return one line on how far a run is."""
    done, total = _sums(stages)
    if done == total:
        return f"{done} of {total} jobs done"
    return f"{done} of {total} jobs done, about {left} left; running: {', '.join(running) or 'none'}"


def text_of(message: Message, label: str | None) -> str:
    """Return a message's text; that of a failed job has its rule, its label, and the end of each of its logs."""
    if message.rule is None:
        return message.text
    lines = [f"rule {message.rule} failed" + (f": {label}" if label else ""), *message.text.splitlines()]
    for path in message.log:
        end = last_lines(Path(path), _LOG_LINES)
        lines += [f"its log, {path}, ends with:" if end else f"its log, {path}, is empty or missing"]
        lines += [f"    {text}" for text in end]
    return "\n".join(lines)


class View:
    """Lines in the log: one on the progress every 20 seconds, and what Snakemake says."""

    seconds = _PAUSE

    def __init__(self) -> None:
        """Begin a view of a run that begins now."""
        self._interrupted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, stages: Mapping[str, tuple[int, int]], running: Mapping[str, float], left: str) -> None:
        """Show how far the run is."""
        log.info(line(stages, running, left))

    def warn(self, text: str) -> None:
        """Show a warning."""
        log.warning("warning: %s", text)

    def write(self, title: str, text: str) -> None:
        """Write a text that stays."""
        log.info("%s%s", title, text)

    def interrupt(self) -> None:
        """Say that the run is being ended; what fails from now on, jobs or Snakemake itself, has been interrupted."""
        self._interrupted = True
        self.warn("interrupted: trainings save, other jobs end; a second time kills them")

    def tell(self, message: Message, label: str | None) -> None:
        """Show a message of Snakemake; ``label`` is a failed job's."""
        if message.level == "warning":
            self.warn(message.text)
        elif not (self._interrupted and (message.rule or message.level == "output")):
            self.write("error: " if message.level == "error" else "", text_of(message, label))


class LiveView(View):
    """A view that is drawn in place, below errors.

    The cursor is never hidden, so that a run which is killed leaves the terminal as it was.
    """

    seconds = 2

    def __init__(self, console: Console) -> None:
        """Begin a view of a run that begins now."""
        super().__init__()
        self._console = console
        self._live = Live(console=console, auto_refresh=False, redirect_stdout=False)
        self._began = time.monotonic()
        self._warning = ""

    def __enter__(self) -> Self:
        self._live.start()
        self._console.show_cursor(True)
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, stages: Mapping[str, tuple[int, int]], running: Mapping[str, float], left: str) -> None:
        """Draw the view anew, as high and as wide as the terminal is now."""
        done, total = _sums(stages)
        headline = f"{done} of {total} jobs done in {_clock(time.monotonic() - self._began)}"
        rows: list[RenderableType] = [_cut(headline if done == total else f"{headline}, about {left} left", "bold")]
        free = self._console.height - 1 - bool(self._warning)
        if free > len(stages) + 1:
            rows.append(_bars(stages, self._console.width))
            free -= len(stages)
        jobs = [f"  {job}  {_clock(seconds)}" for job, seconds in running.items()]
        if len(jobs) > free:
            jobs = [*jobs[: free - 1], f"  and {len(jobs) - free + 1} more"]
        rows += [_cut(job) for job in jobs]
        if self._warning:
            rows.append(_cut(f"warning: {self._warning}", "yellow"))
        self._live.update(Group(*rows), refresh=True)

    def warn(self, text: str) -> None:
        """Show a warning from the next drawing on, in place of the one before."""
        self._warning = text.splitlines()[0]

    def write(self, title: str, text: str) -> None:
        """Write a text above the view."""
        self._console.print(Text.assemble((title, "bold red"), text), soft_wrap=True)


def _sums(stages: Mapping[str, tuple[int, int]]) -> tuple[int, int]:
    """Return the jobs done and the jobs in all."""
    return sum(done for done, _ in stages.values()), sum(total for _, total in stages.values())


def _cut(text: str, style: str = "") -> Text:
    """Return text that is cut, not wrapped, at the terminal's width."""
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _bars(stages: Mapping[str, tuple[int, int]], width: int) -> Table:
    """Return a row for each stage: its name, a bar where the terminal is wide enough, and its counts."""
    table = Table.grid(padding=(0, 2))
    for stage, (done, total) in stages.items():
        bar = (
            [ProgressBar(total, done, width=_BAR_WIDTH, complete_style="cyan", finished_style="green")]
            if width > 2 * _BAR_WIDTH + 10
            else []
        )
        table.add_row(_cut(f"  {stage}"), *bar, _cut(f"{done}/{total}"))
    return table


def _clock(seconds: float) -> str:
    """Return a duration as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
