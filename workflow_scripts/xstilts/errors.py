"""Errors for people: one line that names file, key or row, what was found and what to do."""

import contextlib
import difflib
import errno
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_AGAIN = "then run the same command again"
# what a person can do about an error of the system
_REMEDIES = {
    errno.ENOSPC: f"free some space (xstilts prune lists what no study needs), {_AGAIN}",
    errno.EDQUOT: f"free some space (xstilts prune lists what no study needs), {_AGAIN}",
    errno.EFBIG: f"raise the limit on the size of files (ulimit -f), {_AGAIN}",
    errno.EROFS: "let it be written to, or name another folder",
    errno.EACCES: f"check its owner and mode, and those of its folder, {_AGAIN}",
    errno.EPERM: f"check its owner and mode, and those of its folder, {_AGAIN}",
    errno.EIO: f"check the disk, {_AGAIN}",
    errno.ESTALE: f"check the connection to the file system, {_AGAIN}",
    errno.EMFILE: f"raise the limit on open files (ulimit -n), {_AGAIN}",
    errno.ENFILE: f"raise the limit on open files (ulimit -n), {_AGAIN}",
    errno.ENOENT: f"restore it, or run the study again to have it made, {_AGAIN}",
    errno.EISDIR: f"a file is needed here; remove the folder, {_AGAIN}",
    errno.ENOTDIR: f"a folder is needed here; remove the file, {_AGAIN}",
}
# how libraries in other languages write the number of such an error; numpy writes none where a disk is full
_NUMBER = re.compile(r"os error (\d+)|errno (\d+)", re.IGNORECASE)
# how alike two names are of which one is a slip of the other: of three letters, two can be swapped
_CLOSE = 0.66
_NOT_WHOLE = re.compile(r"\d+ requested and \d+ written")


class UserError(Exception):
    """Something in the configuration, the data or the machine that its user can fix."""


class DamagedError(UserError):
    """A node is not as its maker left it."""

    def __init__(self, folder: Path, found: str) -> None:
        """Name the node's folder, and what was found."""
        super().__init__(f"{folder}: {found}; to have it made again: xstilts verify --repair")
        self.folder, self.found = folder, found


class ExplodedError(UserError):
    """The loss of a training run is not a number, or far above what it was."""


class TerminatedError(Exception):
    """A training run was asked to end, and has saved where it stands."""


def line(error: Exception) -> str | None:
    """Return the line that an error is to people; None for one that is a fault of the program's."""
    if isinstance(error, UserError):
        return str(error)
    number = _number(error)
    if number not in _REMEDIES:
        return None
    file = getattr(error, "filename", None)
    text = f"{file}: {os.strerror(number)}" if file is not None else first_line(error)
    return f"{text}; {_REMEDIES[number]}"


@contextlib.contextmanager
def reading(path: Path, remedy: str | None = None) -> Iterator[None]:
    """Say which file it is that cannot be read in this context.

    Args:
        path: the file; nothing else is read here.
        remedy: what to do if it is missing or damaged; None for a file of a node, whose folder is deleted.

    Raises:
        UserError: in place of whatever the reader of the file raises.
    """
    remedy = remedy or f"delete {path.parent} and run again"
    try:
        yield
    except (UserError, MemoryError):
        raise
    # every library has exceptions of its own for what it cannot read, and some raise `Exception` itself
    except Exception as error:
        number = _number(error)
        if number == errno.ENOENT:
            raise UserError(f"{path}: missing; {remedy}") from None
        if number in _REMEDIES:
            raise UserError(f"{path}: {os.strerror(number)}; {_REMEDIES[number]}") from None
        name, said = type(error).__name__, first_line(error)
        found = name if said == name else f"{name}: {said}"
        raise UserError(f"{path}: damaged ({found}); {remedy}") from None


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return ``did you mean 'xnli'?`` if one of the possible names is close, else the list of them."""
    possible = sorted(map(str, names))
    close = difflib.get_close_matches(str(name), possible, n=1, cutoff=_CLOSE)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(possible)}" if possible else "none is known"


def counted(number: float, noun: str) -> str:
    """Return a number of things, such as ``1 target``, ``3 targets`` or ``0.5 points``."""
    return f"{number if isinstance(number, int) else format(number, 'g')} {noun}" + ("" if number == 1 else "s")


def _number(error: Exception) -> int:
    """Return the number of an error of the system, 0 where it is none."""
    if isinstance(error, OSError) and error.errno:
        return error.errno
    if found := _NUMBER.search(str(error)):
        return int(found[1] or found[2])
    if isinstance(error, FileNotFoundError):
        return errno.ENOENT
    return errno.ENOSPC if isinstance(error, OSError) and _NOT_WHOLE.search(str(error)) else 0


def first_line(error: BaseException) -> str:
    """Return the first line of what an error says, or its type's name where it says nothing."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)
