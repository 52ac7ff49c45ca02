"""Errors for people: one line that names the place, what was found and what to do."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Something in the configuration, the data or the machine that its user can mend."""


class ExplodedError(UserError):
    """The loss of a training run is no number, or far above what it was."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``did you mean 'xnli'?`` if a known name is close, else the list of known names."""
    known = sorted(map(str, known))
    close = difflib.get_close_matches(str(name), known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(known)}" if known else "none is known"


class TerminatedError(Exception):
    """A training run was asked to end, and has saved where it stands."""
