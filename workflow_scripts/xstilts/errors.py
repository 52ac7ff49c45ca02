"""Errors for people: one line that names file, key or row, what was found and what to do."""

import difflib
from collections.abc import Iterable
from pathlib import Path


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


def suggestion(name: str, names: Iterable[str]) -> str:
    """Return ``did you mean 'xnli'?`` if one of the possible names is close, else the list of them."""
    possible = sorted(map(str, names))
    close = difflib.get_close_matches(str(name), possible, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(possible)}" if possible else "none is known"


class TerminatedError(Exception):
    """A training run was asked to end, and has saved where it stands."""
