"""The runs that are alive: those of a results folder, and the one of a working directory.

A run registers in ``results/.runs/<id>.json``, and with the same record in ``.snakemake/run.json`` of its working
directory; at its end it removes both. The first says whose work may not be deleted, the second who holds Snakemake's
lock, which is a file without a name on it.

Of a run of this machine, its process says whether it is alive. Of one elsewhere (another host, another container) a
thread says so, which touches the first file while the run lasts. Both this time and the time now are those of the file
system, so clocks that differ do not matter. That it was not touched for long proves nothing: the lock stays.
"""

import contextlib
import fcntl
import logging
import os
import secrets
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from xstilts.errors import UserError
from xstilts.store import processes
from xstilts.store.files import write_atomically, written
from xstilts.store.manifest import path_of
from xstilts.store.processes import Process

log = logging.getLogger(__name__)

# environment variable of a run's processes: its id
VARIABLE = "XSTILTS_RUN"
LOCKS = Path(".snakemake/locks")
_FOLDER = ".runs"
_HOLDER = Path(".snakemake/run.json")
# seconds between two touches; without one for so long, a run elsewhere counts as ended; its file goes after a day
_PAUSE, _SILENCE, _FORGOTTEN = 30, 300, 86400


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run.

    Attributes:
        id: of its own.
        process: the process that leads it.
        started: when, in UTC.
        study: the study file.
        folder: its working directory, as its machine names it.
    """

    id: str
    process: Process
    started: str
    study: str
    folder: str

    def __str__(self) -> str:
        return f"process {self.process.number} on {self.process.machine.host}, since {self.started}, {self.study}"


_adapter = TypeAdapter(Run)


def live(results: Path) -> list[Run]:
    """Return the runs of a results folder that are alive, the oldest first."""
    found = [(run, _is_alive(run, path)) for path, run in _registered(results)]
    return sorted((run for run, alive in found if alive), key=lambda run: (run.started, run.id))


@contextlib.contextmanager
def registered(results: Path, study: str, folder: Path, identity: str | None = None) -> Iterator[Run]:
    """Register this process as a run while the context lasts.

    Args:
        results: the results folder.
        study: the study file.
        folder: the working directory.
        identity: id of the run that this process leads from now on; None for a new one.

    Raises:
        UserError: if another run is alive in the working directory.
    """
    run = Run(
        id=identity or secrets.token_hex(6),
        process=processes.process(),
        started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        study=study,
        folder=str(folder.resolve()),
    )
    with _alone(folder):
        holder = _read(folder / _HOLDER)
        if holder is not None and holder.id != run.id:
            _refuse_beside(holder, results)
        _forget_ended(results)
        _write(results, folder, run)
    ended = threading.Event()
    threading.Thread(target=_touch, args=(_path(results, run.id), ended), daemon=True).start()
    try:
        yield run
    finally:
        ended.set()
        _path(results, run.id).unlink(missing_ok=True)
        _jobs(results, run.id).unlink(missing_ok=True)
        holder = _read(folder / _HOLDER)
        # a Snakemake that was killed leaves its lock, and who held it has to stay known
        if holder is not None and holder.id == run.id and not _is_locked(folder):
            (folder / _HOLDER).unlink(missing_ok=True)


def note_jobs(results: Path, nodes: Iterable[str]) -> None:
    """Note which nodes this process's run is going to make, or to look at again.

    Args:
        results: the results folder.
        nodes: their ids.
    """
    write_atomically(_jobs(results, os.environ[VARIABLE]), "".join(f"{node}\n" for node in nodes))


def waiting(results: Path) -> set[str]:
    """Return the nodes that a job of this process's run has still to make: their manifests are older than the run."""
    path = _jobs(results, os.environ.get(VARIABLE, ""))
    try:
        began, nodes = path.stat().st_mtime, path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return set()
    return {node for node in nodes if written(path_of(results, node)) < began}


def hand_over(results: Path, folder: Path, run: Run, number: int) -> None:
    """Note that another process of this machine leads a run from now on, unless it has ended already."""
    with contextlib.suppress(ProcessLookupError):
        _write(results, folder, replace(run, process=processes.process(number)))


def is_left_locked(results: Path, folder: Path) -> bool:
    """Tell whether a working directory has a lock of Snakemake's whose holder has ended.

    Args:
        results: the results folder.
        folder: the working directory.

    Raises:
        UserError: if the holder is alive, or may be: it is elsewhere, or not known.
    """
    if not _is_locked(folder):
        return False
    holder = _read(folder / _HOLDER)
    if holder is None:
        raise UserError(
            f"{LOCKS}: Snakemake's lock is here, and not who holds it; make sure that no run is alive in this folder,"
            " on any machine, then run: snakemake --unlock"
        )
    _refuse_beside(holder, results)
    if holder.process.state == "elsewhere":
        raise UserError(
            f"{LOCKS}: Snakemake's lock is that of a run which cannot be seen from here ({holder}); look there whether"
            f" it is alive (ps -p {holder.process.number}); if it has ended, run here: snakemake --unlock"
        )
    return True


def unlock(folder: Path) -> None:
    """Take Snakemake's lock on a working directory away, as ``snakemake --unlock`` does."""
    for path in (folder / LOCKS).glob("*"):
        path.unlink(missing_ok=True)


def _write(results: Path, folder: Path, run: Run) -> None:
    text = _adapter.dump_json(run, indent=1).decode() + "\n"
    for path in (_path(results, run.id), folder / _HOLDER):
        write_atomically(path, text)


def _is_locked(folder: Path) -> bool:
    return any((folder / LOCKS).glob("*"))


def _refuse_beside(holder: Run, results: Path) -> None:
    """Refuse a second run in a working directory.

    Raises:
        UserError: if the one that has it is alive.
    """
    path = _path(results, holder.id)
    if _is_alive(holder, path):
        line = f"a run is alive in this folder ({holder}); wait for it, or stop it first"
        if holder.process.state == "elsewhere":
            line += f"; if it was killed, it counts as alive for {_SILENCE // 60} minutes, or until you delete {path}"
        raise UserError(line)


def _path(results: Path, identity: str) -> Path:
    return results / _FOLDER / f"{identity}.json"


def _jobs(results: Path, identity: str) -> Path:
    return results / _FOLDER / f"{identity}.jobs"


def _read(path: Path) -> Run | None:
    """Return the run that a file states; None if it is not there, or states none."""
    try:
        return _adapter.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        log.warning("%s: not the record of a run (%s); delete it", path, str(error).splitlines()[0])
        return None


def _registered(results: Path) -> list[tuple[Path, Run]]:
    found = [(path, _read(path)) for path in sorted((results / _FOLDER).glob("*.json"))]
    return [(path, run) for path, run in found if run is not None]


def _is_alive(run: Run, path: Path) -> bool:
    """Tell whether a run is alive, or may be."""
    state = run.process.state
    return state == "alive" or (state == "elsewhere" and _silence(path) < _SILENCE)


def _silence(path: Path) -> float:
    """Return for how many seconds a file was not touched, by the clock of its file system."""
    try:
        touched = path.stat().st_mtime
    except FileNotFoundError:
        return float("inf")
    try:
        with tempfile.TemporaryFile(dir=path.parent) as file:
            return os.fstat(file.fileno()).st_mtime - touched
    except OSError:
        # a folder that this process cannot write into
        return time.time() - touched


def _forget_ended(results: Path) -> None:
    """Delete the records of runs that have ended without doing so themselves."""
    for path, run in _registered(results):
        state = run.process.state
        if state == "ended" or (state == "elsewhere" and _silence(path) > _FORGOTTEN):
            path.unlink(missing_ok=True)
            _jobs(results, run.id).unlink(missing_ok=True)


def _touch(path: Path, ended: threading.Event) -> None:
    while not ended.wait(_PAUSE):
        with contextlib.suppress(OSError):
            os.utime(path)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep others of this machine from registering in a working directory at the same time."""
    place = folder / _HOLDER.parent
    place.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(place, os.O_RDONLY)
    try:
        # not every file system has locks; then Snakemake's own lock tells the two apart, a little later
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
