"""A computation for which a device may lack memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch

from xstilts.errors import first_line

T = TypeVar("T")


@dataclass(frozen=True)
class Lacked:
    """A computation that memory lacked for, and what was said of it, in one line."""

    said: str


def tried(compute: Callable[[], T]) -> T | Lacked:
    """Return what a computation gives; ``Lacked`` where memory lacks for it, of which it then holds none any more."""
    try:
        return compute()
    except torch.OutOfMemoryError as error:
        lacked = Lacked(first_line(error))
    # only here: the error holds all that the computation had
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return lacked
