"""The job's side of the warm process: hand a command over, pass signals on, end as the command ended.

Every job comes through here before anything heavy is imported, so this module imports the standard library alone, and
of it only what is quick to import.

Messages on the socket, in their order:

1. server to client, ``HELLO``: the imports are done. A client that hears nothing runs its command itself.
2. client to server, one byte with the file descriptors 0, 1, 2 and a file with the request (JSON).
3. server to client, ``NUMBER``: the process id of the job, which is also its process group. Without it no job runs.
4. client to server, any number of times: one byte, a signal for the job.
5. server to client, ``NUMBER``: the exit code, or the signal that ended the job, negative.
"""

import contextlib
import hashlib
import json
import os
import re
import resource
import signal
import socket
import struct
import sys
from collections.abc import Mapping, Sequence

VARIABLE = "XSTILTS_WARM"
_PASSED_ON = (signal.SIGTERM, signal.SIGINT)
HELLO = b"\0"
NUMBER = struct.Struct("!i")
# longer than the imports take on a busy machine
_SECONDS = 120
# the commands that make nodes; those of a study's outputs run once, and import other libraries
_COMMANDS = {"fetch", "prepare", "tokenize", "make-tokenizer", "train", "merge", "predict", "embed", "retrieve"}
# environment variables that libraries read while they are imported begin with one of these; and a job of Slurm's stays
# inside of what Slurm gave it, though a warm process of the run that submitted it is on the same machine
_READ_AT_IMPORT = re.compile(
    "HOME|LANG|PYTHON|SLURM_JOB_ID|TORCH|(ARROW|GOTO|HF|HUGGINGFACE|KMP|LC|LD|MALLOC|MKL|NUMEXPR|OMP|OPENBLAS|PYTORCH|TOKENIZERS"
    "|TRANSFORMERS|VECLIB|XDG)_"
)


def address(folder: str, environment: Mapping[str, str]) -> str:
    """Return the path of the socket of a warm process that imported what a fresh process would import.

    The name is a digest of the interpreter, of this package's location and of all environment variables that are read
    at import, so a job whose libraries would come out differently finds no socket.
    """
    read = {name: value for name, value in environment.items() if _READ_AT_IMPORT.match(name)}
    # the location of the package stands for it
    read.pop("PYTHONPATH", None)
    identity = [sys.version, sys.prefix, __file__, sorted(read.items())]
    return f"{folder}/{hashlib.sha256(repr(identity).encode(errors='surrogateescape')).hexdigest()[:12]}"


def run(argv: Sequence[str]) -> int | None:
    """Run a command in the warm process of this run and return its exit code.

    A job that a signal ended ends this process by the same signal.

    Returns:
        None where the command has to run in this process: there is no warm process, or it is none of its commands.
    """
    folder = os.environ.get(VARIABLE)
    if not folder or not _is_forkable(argv):
        return None
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            connection.connect(address(folder, os.environ))
            connection.settimeout(_SECONDS)
            if connection.recv(1) != HELLO:
                return None
            connection.settimeout(None)
            # from here to where they are passed on, signals wait
            signal.pthread_sigmask(signal.SIG_BLOCK, _PASSED_ON)
            _send_request(connection, argv)
            job = _receive(connection)
        except OSError:
            job = None
        if job is None:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
            return None
        return _wait(connection, job)


def _is_forkable(argv: Sequence[str]) -> bool:
    """Tell whether a command is a job in one process; several processes have a launcher."""
    return bool(argv) and argv[0] in _COMMANDS and "--processes" not in argv


def _send_request(connection: socket.socket, argv: Sequence[str]) -> None:
    umask = os.umask(0)
    os.umask(umask)
    request = {
        "argv": list(argv),
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "umask": umask,
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
    }
    with open(os.memfd_create("request"), "w+", encoding="utf-8") as file:
        json.dump(request, file)
        file.flush()
        socket.send_fds(connection, [b"\0"], [0, 1, 2, file.fileno()])


def _wait(connection: socket.socket, job: int) -> int:
    """Pass signals on until the job has ended; return its exit code, or end by the signal that ended it."""

    def forward(number: int, _: object) -> None:
        # that the server has ended shows where its answer is read
        with contextlib.suppress(OSError):
            connection.send(bytes([number]))

    for number in _PASSED_ON:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _PASSED_ON)
    code = _receive(connection)
    if code is None:
        # the job ends with the server, and what it has started here
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job, signal.SIGKILL)
        sys.stderr.write("the warm process of this run was ended, and this job with it; run the same command again\n")
        return os.EX_TEMPFAIL
    if code < 0:
        # the core of a crash, if any, is the job's
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _receive(connection: socket.socket) -> int | None:
    """Return the next number; None where the server has ended."""
    try:
        message = connection.recv(NUMBER.size, socket.MSG_WAITALL)
    except OSError:
        return None
    return NUMBER.unpack(message)[0] if len(message) == NUMBER.size else None
