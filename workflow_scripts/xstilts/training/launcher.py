"""Several processes that train one model together: started, asked to end, and ended with one another.

A launcher starts a process for each GPU of its node, with the variables that ``init_process_group`` reads
(torch.distributed, "Environment variable initialization"), and lasts as long as they do. Signals it passes on, so that
the processes save and all ends with 75. Where one ends otherwise, the others are ended too: they would wait for it.

Of several nodes each has a launcher. That of the first node tells the others the port where the processes meet; the
connection stays, and who loses it knows that the other one has failed.
"""

import contextlib
import ctypes
import logging
import math
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from xstilts.errors import TerminatedError, UserError
from xstilts.training.interruption import Interruption

log = logging.getLogger(__name__)

# how a process ends that was asked to, and one that lost the others, of which one has more to say
_ASKED, LEFT_ALONE = os.EX_TEMPFAIL, 3
# seconds for processes to end by themselves once one has
_GRACE = 10
# seconds between two looks, those in which the launchers of all nodes have to be there once the first one is, and those
# between two lines on what is waited for
_PAUSE, _PATIENCE, _WORD = 0.1, 600, 60
_PORT, _DONE = struct.Struct("!H"), b"\1"
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Nodes:
    """The nodes of a job: how many, which of them this is, and the address of the first."""

    number: int = 1
    index: int = 0
    first: str = "localhost"


def nodes(number: int) -> Nodes:
    """Return the nodes of a job, by ``NODE_RANK`` and ``MASTER_ADDR``, or else by what Slurm says of the step.

    Raises:
        UserError: if neither says which node this is, or they are not as many.
    """
    if number == 1:
        return Nodes()
    index = os.environ.get("NODE_RANK") or os.environ.get("SLURM_NODEID", "")
    listed = os.environ.get("SLURM_STEP_NODELIST") or os.environ.get("SLURM_JOB_NODELIST", "")
    first = os.environ.get("MASTER_ADDR") or first_of(listed)
    if not index.isdecimal() or not first:
        raise UserError(
            f"--nodes {number}: which node this is, is not known; start the command on each node by srun, or with"
            " NODE_RANK (from 0) and MASTER_ADDR (the first node's address)"
        )
    has = os.environ.get("SLURM_NNODES", str(number)) if "NODE_RANK" not in os.environ else str(number)
    if int(index) >= number or has != str(number):
        raise UserError(f"--nodes {number}: this is node {index} of {has}; give as many as srun starts (--nodes)")
    return Nodes(number, int(index), first)


def first_of(listed: str) -> str:
    """Return the first host of a list as Slurm writes it, such as ``gpu[03-05,9],login1``."""
    found = re.match(r"([^,\[]*)(?:\[(\w+))?", listed)
    return "".join(part or "" for part in found.groups()) if found else ""


def launch(command: Sequence[str], processes: int, here: Nodes, name: str, is_made: Callable[[], bool]) -> int:
    """Run a command in several processes, and return the code with which all of it ends.

    Args:
        command: what each process runs.
        processes: number of processes of this node.
        here: the nodes of the job.
        name: of what is made, the same on all nodes.
        is_made: tells whether the first node has nothing to do, for what would be made is there.

    Raises:
        TerminatedError: if the launcher was asked to end before the processes began.
        UserError: if the launchers of the other nodes do not come.
    """
    with contextlib.ExitStack() as stack:
        signals = stack.enter_context(Interruption())
        meeting = _meeting_port(name) if here.number > 1 else 0
        met = _invite(here, meeting, signals) if here.index == 0 else _follow(here, meeting, signals, is_made)
        port, links = stack.enter_context(met)
        if port == 0:
            return 0
        size, first = here.number * processes, here.index * processes
        together = {"WORLD_SIZE": str(size), "MASTER_ADDR": here.first, "MASTER_PORT": str(port)}
        ranks: list[subprocess.Popen[bytes]] = []
        try:
            for local in range(processes):
                own = {"RANK": str(first + local), "LOCAL_RANK": str(local)}
                environment = {**os.environ, **together, **own}
                ranks.append(subprocess.Popen(command, env=environment, preexec_fn=_end_with_parent))
            codes, is_left = _wait(ranks, signals, links)
        finally:
            for rank in ranks:
                rank.kill()
                rank.wait()
        code = _outcome(dict(enumerate(codes, first)), size, signals.received, is_left)
        if code in (0, _ASKED):
            for link in links:
                with contextlib.suppress(OSError):
                    link.send(_DONE)
        return code


def _end_with_parent() -> None:
    """Have the kernel, where it is Linux, end this process when its launcher does, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait(
    ranks: Sequence["subprocess.Popen[bytes]"], signals: Interruption, links: Sequence[socket.socket]
) -> tuple[list[int | None], bool]:
    """Pass signals on until all processes have ended, or one has and the others do not follow.

    Returns:
        The codes of the processes, None of one that goes on, and whether another node has failed.
    """
    passed, deadline, is_left = 0, math.inf, False
    watched = list(links)
    while None in (codes := [rank.poll() for rank in ranks]) and time.monotonic() < deadline:
        if signals.times > passed:
            passed = signals.times
            for rank in ranks:
                rank.send_signal(signal.SIGTERM)
        for link in select.select(watched, [], [], 0)[0]:
            watched.remove(link)
            is_left = is_left or not _received(link, len(_DONE))
        if deadline == math.inf and (any(codes) or is_left):
            deadline = time.monotonic() + _GRACE
        time.sleep(_PAUSE)
    return codes, is_left


def _outcome(codes: dict[int, int | None], size: int, asked: bool, is_left: bool) -> int:
    """Return the code for all by those of the processes, and say in one line what they did not say themselves."""
    by_request = {_ASKED, -signal.SIGTERM, -signal.SIGINT} if asked else {_ASKED}
    causes = {rank: code for rank, code in codes.items() if code is not None and code not in (0, LEFT_ALONE)}
    if causes and set(causes.values()) <= by_request:
        return _ASKED
    if not causes and not is_left and set(codes.values()) == {0}:
        return 0
    again = "the same command goes on from the last checkpoint"
    others = [(rank, code) for rank, code in causes.items() if code not in by_request]
    for rank, code in others[:1]:
        if code > 0:
            return code
        name = _signal_name(-code)
        log.error("error: process %d of %d was ended by %s, and the others with it; %s", rank, size, name, again)
    if not others:
        log.error("error: the processes of another node have ended, and those of this one with them; %s", again)
    return 2


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        # those in between the first and the last real-time signal have none
        return f"signal {number}"


@contextlib.contextmanager
def _invite(here: Nodes, meeting: int, signals: Interruption) -> Iterator[tuple[int, list[socket.socket]]]:
    """Give a free port of the first node, and the connections to the launchers of the others, which know it then."""
    with contextlib.ExitStack() as stack:
        with socket.socket() as free:
            free.bind(("", 0))
            port = free.getsockname()[1]
        links: list[socket.socket] = []
        if here.number > 1:
            listening = stack.enter_context(_server(meeting, here.number))
            listening.settimeout(1)
            deadline = time.monotonic() + _PATIENCE
            while len(links) < here.number - 1:
                _check(signals)
                if time.monotonic() > deadline:
                    raise UserError(
                        f"--nodes {here.number}: {len(links) + 1} began within {_PATIENCE // 60} minutes; start the"
                        " command on every node"
                    )
                with contextlib.suppress(TimeoutError):
                    links.append(stack.enter_context(listening.accept()[0]))
            for link in links:
                link.sendall(_PORT.pack(port))
        yield port, links


def _server(port: int, number: int) -> socket.socket:
    try:
        return socket.create_server(("", port), backlog=number)
    except OSError as error:
        raise UserError(
            f"port {port}, where the launchers of {number} nodes meet: {os.strerror(error.errno or 0)}; set MASTER_PORT"
            " to a free one, the same on every node"
        ) from None


@contextlib.contextmanager
def _follow(
    here: Nodes, meeting: int, signals: Interruption, is_made: Callable[[], bool]
) -> Iterator[tuple[int, list[socket.socket]]]:
    """Give the port that the first node's launcher says, and the connection to it; 0 where it has nothing to do.

    The first one may wait long, for another job that makes the same node.

    Raises:
        UserError: if no host has the first node's name.
    """
    next_word, reason = 0.0, "not there yet"
    with contextlib.ExitStack() as stack:
        while not is_made():
            _check(signals)
            try:
                link = stack.enter_context(socket.create_connection((here.first, meeting), timeout=1))
                link.settimeout(_PATIENCE)
                if message := _received(link, _PORT.size):
                    break
            except OSError as error:
                if isinstance(error, socket.gaierror) and error.errno == socket.EAI_NONAME:
                    raise UserError(
                        f"MASTER_ADDR: no host is named {here.first}; give the first node's name or address"
                    ) from None
                reason = error.strerror or str(error)
            if time.monotonic() >= next_word:
                log.info("waiting for the first node, %s, at port %d (%s)", here.first, meeting, reason)
                next_word = time.monotonic() + _WORD
            time.sleep(1)
        else:
            yield 0, []
            return
        yield _PORT.unpack(message)[0], [link]


def _check(signals: Interruption) -> None:
    if signals.received:
        raise TerminatedError("interrupted before the processes of all nodes began")


def _received(link: socket.socket, size: int) -> bytes:
    """Return a message from another launcher; nothing where that one has ended."""
    try:
        message = link.recv(size, socket.MSG_WAITALL)
    except OSError:
        return b""
    return message if len(message) == size else b""


def _meeting_port(name: str) -> int:
    """Return the port of the first node where launchers meet; what else is made there meanwhile has another one.

    Before they meet nodes know nothing of each other but what both were started with.

    Raises:
        UserError: if the one that is given is none.
    """
    given = os.environ.get("MASTER_PORT")
    if not given:
        return 20_000 + (int(os.environ.get("SLURM_JOB_ID", 0)) + zlib.crc32(name.encode())) % 12_000
    if not given.isdecimal() or not 1 <= int(given) <= 65_535:
        raise UserError(f"MASTER_PORT={given}: no port; give one from 1 to 65535, the same on every node")
    return int(given)
