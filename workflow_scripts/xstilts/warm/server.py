"""The warm process: imports what jobs need when the first job asks, then forks a job for each request.

Imports the standard library alone: what to import and what to run is given by the caller. The process has one thread
when it forks, since a lock that another thread holds stays locked in the child for ever.

No process is left behind, whoever is killed; the socket's folder is where starter and server are killed at once:

======================  ===============================================================================
the client ends         its connection closes; the server kills the job's process group
the server ends         the kernel kills its jobs (``PR_SET_PDEATHSIG``); their clients say so and fail
the starter ends        its pipe closes; the server ends its jobs, deletes its folder and ends
SIGTERM to the server   is held back, since Slurm sends it to all processes at once and kills what takes too
                        long to save: the server goes on until its jobs have ended, and kills none
======================  ===============================================================================
"""

import atexit
import contextlib
import ctypes
import gc
import io
import json
import logging
import os
import selectors
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from xstilts.warm import client

log = logging.getLogger(__name__)

# as Snakemake sets them for jobs of one thread
ONE_THREAD = tuple(
    f"{library}_THREADS"
    for library in ["OMP_NUM", "GOTO_NUM", "OPENBLAS_NUM", "MKL_NUM", "VECLIB_MAXIMUM", "NUMEXPR_NUM"]
)
# set while modules are imported, and in no job: without the thread that pyarrow's allocator starts, and with the
# question whether there is a GPU put to the driver's library, since CUDA does not survive a fork
_WHILE_IMPORTING = {
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
}
_PR_SET_PDEATHSIG = 1
# between asking jobs to end and ending them
_GRACE = 10
# longer than a shell takes to start the process on a busy machine
_SECONDS = 30


def start(shell: str | None = None) -> None:
    """Start a warm process that ends with this process, for the jobs that this process starts.

    They find it by the environment variable ``XSTILTS_WARM``. It costs little until the first of them asks. Nothing is
    started where the system cannot do it: jobs then run by themselves.

    Args:
        shell: the program that starts it, on this machine, as a step of Slurm's; without one, this process does.
    """
    if not hasattr(os, "pidfd_open") or not hasattr(os, "memfd_create"):
        return
    environment = {**os.environ, **dict.fromkeys(ONE_THREAD, "1")}
    folder = tempfile.mkdtemp(prefix="xstilts-")
    try:
        path = client.address(folder, environment)
        process = _start_by(shell, path, environment) if shell else _start_here(path, environment)
    except OSError as error:
        log.warning("no warm process (%s); every job imports by itself", error)
        shutil.rmtree(folder, ignore_errors=True)
        return
    os.environ[client.VARIABLE] = folder
    atexit.register(_stop, process, folder, os.getpid())


def _start_here(path: str, environment: dict[str, str]) -> subprocess.Popen:
    # listens before the process is up, so that a job that asks early waits
    with listen(path) as listener:
        inherited = listener.fileno()
        return subprocess.Popen(
            _command("--listener", str(inherited)), stdin=subprocess.PIPE, env=environment, pass_fds=[inherited],
            start_new_session=True,
        )  # fmt: skip


def _start_by(shell: str, path: str, environment: dict[str, str]) -> subprocess.Popen:
    # a step is started by a daemon, and inherits no files
    command = [shell, "-c", f"exec {shlex.join(_command('--socket', path))}"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, env=environment, start_new_session=True)
    deadline = time.monotonic() + _SECONDS
    # a job that asks before it listens would run by itself
    while not os.path.exists(path) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    return process


def _command(*options: str) -> list[str]:
    return [sys.executable, "-m", "xstilts", "serve", *options]


def listen(path: str) -> socket.socket:
    """Return a socket that listens at a path; nothing is there before it does."""
    listener = socket.socket(socket.AF_UNIX)
    unfinished = f"{path}.new"
    listener.bind(unfinished)
    os.chmod(unfinished, 0o600)
    listener.listen(128)
    os.rename(unfinished, path)
    return listener


def _stop(process: subprocess.Popen, folder: str, starter: int) -> None:
    if os.getpid() != starter:
        return
    try:
        # closes the pipe by which the server knows that this process is there
        process.communicate(timeout=2 * _GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)


def serve(listener: socket.socket, load: Callable[[], None], run: Callable[[Sequence[str]], int]) -> None:
    """Fork jobs until standard input closes, which the starter holds open.

    Args:
        listener: the listening socket, in a folder of its own, which is deleted in the end.
        load: imports what jobs need; called when the first job asks. If it fails, jobs run by themselves.
        run: runs a command line and returns its exit code, in the job.
    """
    folder = Path(listener.getsockname()).parent
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        _Server(listener, load, run).loop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Server:
    """Connections and jobs; every file that is waited for stands in the selector with the function to call."""

    def __init__(self, listener: socket.socket, load: Callable[[], None], run: Callable[[Sequence[str]], int]) -> None:
        self.listener, self.load, self.run = listener, load, run
        self.loaded = False
        # process id of a job: the connection to its client, and the file that says when it has ended
        self.jobs: dict[int, tuple[socket.socket, int]] = {}
        self.started = True
        self.selector = selectors.DefaultSelector()
        self.selector.register(sys.stdin.fileno(), selectors.EVENT_READ, self.starter_ended)
        self.selector.register(listener, selectors.EVENT_READ, self.accept)
        listener.setblocking(False)

    def loop(self) -> None:
        """Answer until the starter has ended, or this process was asked to and has no job; then end all jobs."""
        while self.started and (self.jobs or signal.SIGTERM not in signal.sigpending()):
            self.answer(1)
        for number in (signal.SIGTERM, signal.SIGKILL):
            for job in self.jobs:
                os.kill(job, number)
            deadline = time.monotonic() + _GRACE
            while self.jobs and (time.monotonic() < deadline or signal.SIGTERM in signal.sigpending()):
                self.answer(1)

    def answer(self, timeout: float) -> None:
        """Answer one file that has something to read; another one may be closed by then."""
        for key, _ in self.selector.select(timeout)[:1]:
            key.data()

    def starter_ended(self) -> None:
        self.started = False
        self.selector.unregister(sys.stdin.fileno())
        self.stop_listening()

    def stop_listening(self) -> None:
        if self.listener.fileno() >= 0:
            self.selector.unregister(self.listener)
            self.listener.close()

    def accept(self) -> None:
        """Import at the first request, and tell a client that it may send its command."""
        if not self.loaded:
            try:
                self.import_modules()
            except Exception as error:
                log.warning("no warm process (%s: %s); every job imports by itself", type(error).__name__, error)
                self.stop_listening()
                return
        with contextlib.suppress(OSError):
            connection, _ = self.listener.accept()
            connection.setblocking(False)
            self.selector.register(connection, selectors.EVENT_READ, partial(self.receive, connection))
            connection.send(client.HELLO)

    def import_modules(self) -> None:
        before = dict(os.environ)
        os.environ.update(_WHILE_IMPORTING)
        try:
            self.load()
        finally:
            _replace_environment(before)
        threads = os.listdir("/proc/self/task")
        if len(threads) > 1:
            names = sorted(Path(f"/proc/self/task/{thread}/comm").read_text().strip() for thread in threads)
            raise RuntimeError(f"imports have started threads: {', '.join(names)}")
        self.loaded = True
        # the collector would write to pages that jobs share
        gc.collect()
        gc.freeze()

    def receive(self, connection: socket.socket) -> None:
        """Fork a job for a request."""
        try:
            _, files, _, _ = socket.recv_fds(connection, 1, 4)
        except OSError:
            files = []
        if len(files) == 4:
            self.fork(connection, files)
        else:
            self.close(connection)
        for file in files:
            os.close(file)

    def fork(self, connection: socket.socket, files: Sequence[int]) -> None:
        server = os.getpid()
        try:
            job = os.fork()
        except OSError as error:
            log.warning("no process for a job (%s); it imports by itself", error)
            self.close(connection)
            return
        if job == 0:
            self.become_job(server, files)
        # in both processes, so that it is done before anybody relies on it
        os.setpgid(job, job)
        ended = os.pidfd_open(job)
        self.jobs[job] = connection, ended
        self.selector.modify(connection, selectors.EVENT_READ, partial(self.pass_signals, connection, job))
        self.selector.register(ended, selectors.EVENT_READ, partial(self.report, job))
        _send(connection, job)

    def pass_signals(self, connection: socket.socket, job: int) -> None:
        """Pass a client's signals on to its job; end the job where the client has ended."""
        try:
            numbers = connection.recv(16)
        except OSError:
            numbers = b""
        for number in numbers:
            os.kill(job, number)
        if not numbers:
            os.killpg(job, signal.SIGKILL)
            self.selector.unregister(connection)

    def report(self, job: int) -> None:
        """Tell the client how its job has ended, and end what the job has left running."""
        connection, ended = self.jobs.pop(job)
        # until it is waited for, the number is this job's alone
        os.killpg(job, signal.SIGKILL)
        _, status = os.waitpid(job, 0)
        self.selector.unregister(ended)
        os.close(ended)
        _send(connection, os.waitstatus_to_exitcode(status))
        self.close(connection)

    def close(self, connection: socket.socket) -> None:
        if connection in self.selector.get_map():
            self.selector.unregister(connection)
        connection.close()

    def become_job(self, server: int, files: Sequence[int]) -> NoReturn:
        """Run the command of a request in this process, as a fresh one would."""
        code = 1
        try:
            os.setpgid(0, 0)
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != server:
                os._exit(code)
            for key in list(self.selector.get_map().values()):
                key.fileobj.close() if isinstance(key.fileobj, socket.socket) else os.close(key.fd)
            self.selector.close()
            for descriptor, file in enumerate(files[:3]):
                os.dup2(file, descriptor)
            with open(files[3], encoding="utf-8") as request:
                request.seek(0)
                argv = _take_over(json.load(request))
            for file in files[:3]:
                os.close(file)
            code = self.run(argv)
        except SystemExit as end:
            code = _exit_code(end)
        except BaseException as error:
            sys.excepthook(type(error), error, error.__traceback__)
            if isinstance(error, KeyboardInterrupt):
                code = -signal.SIGINT
        finally:
            _end(code)


def _take_over(request: dict) -> list[str]:
    """Make this process that of a client, as far as a fresh process inherits it, and return the command line."""
    os.chdir(request["folder"])
    _replace_environment(request["environment"])
    os.umask(request["umask"])
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, request["nice"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    sys.argv[1:] = request["argv"]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())
    # the folder of temporary files is looked up once in a process
    tempfile.tempdir = None
    time.tzset()
    return request["argv"]


def _replace_environment(environment: dict[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)


def _exit_code(end: SystemExit) -> int:
    """Return the code that the interpreter exits with."""
    if end.code is None or isinstance(end.code, int):
        return (end.code or 0) & 0xFF
    sys.stderr.write(f"{end.code}\n")
    return 1


def _end(code: int) -> NoReturn:
    """End this process without what the interpreter and its libraries do in the end, which costs as much as a job.

    Args:
        code: the exit code, or a signal, negative.
    """
    try:
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        if code < 0:
            signal.signal(-code, signal.SIG_DFL)
            os.kill(os.getpid(), -code)
        os._exit(code)


def _send(connection: socket.socket, number: int) -> None:
    # a client that has ended needs no answer
    with contextlib.suppress(OSError):
        connection.send(client.NUMBER.pack(number))
