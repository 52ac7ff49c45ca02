"""Snakemake's logger under ``xstilts run``: warnings and errors alone, in the format of ``reporting/messages.py``.

Snakemake finds a logger by the name of its package: this one is ``--logger xstilts``. The blocks that Snakemake writes
for each job go to its log file, as always.
"""

import logging
import sys

from snakemake_interface_logger_plugins.base import LogHandlerBase
from xstilts.reporting import messages


class LogHandler(LogHandlerBase):
    """Writes messages to stderr."""

    writes_to_stream = True
    writes_to_file = False
    has_filter = True
    has_formatter = True
    needs_rulegraph = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write the message of a record, if it has one."""
        message = messages.of_record(record)
        if message is not None:
            sys.stderr.write(messages.encode(message))
            sys.stderr.flush()
