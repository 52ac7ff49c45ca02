"""What a running Snakemake has to say: warnings, errors and failed jobs, one line of JSON each.

Snakemake writes them to its stderr (``snakemake_logger_plugin_xstilts``), among whatever else is written there, and
``xstilts run`` reads them. Lines of JSON begin with the record separator of RFC 7464, which no other text has.
"""

import json
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

_SEPARATOR = "\x1e"
# how records begin that say once more that a job has failed
_REPEATED = (
    "RuleException:\nCalledProcessError",
    "Exiting because a job execution failed",
    "WorkflowError:\nAt least one job did not complete",
)
# of an output (``update``) of a failed job that was not there before
_NOTHING_TO_RESTORE = re.compile(r"Cannot restore .*: no backup found\.", re.DOTALL)


@dataclass(frozen=True)
class Message:
    """A warning, an error, a failed job, or a line of another origin.

    Attributes:
        level: ``warning``, ``error`` or ``output``, that of a line which is no message of Snakemake's logger.
        text: the message; of a failed job what Snakemake adds to its log, often nothing.
        rule: the rule of a failed job; None for all other messages.
        output: the files that the job was to make.
        log: its log files.
    """

    level: str
    text: str
    rule: str | None = None
    output: tuple[str, ...] = ()
    log: tuple[str, ...] = ()


def of_record(record: logging.LogRecord) -> Message | None:
    """Return what a log record of Snakemake says; None for what is neither a warning nor an error."""
    if record.levelno < logging.WARNING:
        return None
    if getattr(record, "event", None) == "job_error":
        fields = record.__dict__
        return Message(
            "error", fields["rule_msg"] or "", fields["rule_name"], tuple(fields["output"]), tuple(fields["log"])
        )
    text = record.getMessage().strip() if record.msg else ""
    if not text or text.startswith(_REPEATED) or _NOTHING_TO_RESTORE.fullmatch(text):
        return None
    return Message("error" if record.levelno >= logging.ERROR else "warning", text)


def encode(message: Message) -> str:
    """Return a message as a line."""
    return f"{_SEPARATOR}{json.dumps(asdict(message))}\n"


def decode(line: str) -> Message:
    """Return the message of a line."""
    if not line.startswith(_SEPARATOR):
        return Message("output", line)
    fields = json.loads(line[1:])
    return Message(**{**fields, "output": tuple(fields["output"]), "log": tuple(fields["log"])})


class Reader:
    """Reads messages from a file while another process writes it.

    A file, not a pipe: a Snakemake that outlives its reader is not disturbed, and nobody waits for the file's end.
    """

    def __init__(self, file: IO[bytes]) -> None:
        """Begin at the start of ``file``, whose position is the writer's."""
        self._descriptor = file.fileno()
        self._offset = 0
        self._rest = b""

    def new(self, to_the_end: bool = False) -> Iterator[Message]:
        """Yield the messages of the lines since the last call; ``to_the_end``, also of a last line that has no end."""
        while block := os.pread(self._descriptor, 1 << 16, self._offset):
            self._offset += len(block)
            *lines, self._rest = (self._rest + block).split(b"\n")
            yield from (decode(line.decode(errors="replace")) for line in lines if line.strip())
        if to_the_end and self._rest.strip():
            yield decode(self._rest.decode(errors="replace"))
            self._rest = b""


def last_lines(path: Path, number: int) -> list[str]:
    """Return the last lines of a log file; none if there is no such file."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 200 * number))
            return file.read().decode(errors="replace").splitlines()[-number:]
    except OSError:
        return []
