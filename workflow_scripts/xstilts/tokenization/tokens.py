"""Tokenised data on disk: flat arrays, memory-mapped, without padding.

A *sequence* is one model input. A *instance* is what a batch is made of: one sequence, or the several sequences of one
multiple-choice example. Arrays common to all forms:

=============  ==========  =============================================================
``ids``        int32       tokens of all sequences, one after the other
``starts``     int64       where each sequence starts in ``ids``, and the end: S + 1
``instances``      int64       where each instance starts among the sequences, and the end: U + 1
``examples``   int32       the row of the prepared data that each instance belongs to: U
=============  ==========  =============================================================

A form adds its own: by instance, by sequence, or aligned with ``ids``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from xstilts.errors import reading

# arrays of every form
_COMMON = ("ids", "starts", "instances", "examples")


@dataclass(frozen=True)
class Tokens:
    """Tokenised data of one node; see the module's text for the arrays.

    ``pad`` is the padding token; ``segment_end`` the one that ends the first segment, for models that tell segments.
    """

    arrays: Mapping[str, np.ndarray]
    pad: int
    segment_end: int | None = None

    def __len__(self) -> int:
        """Return the number of instances."""
        return len(self.arrays["examples"])

    @property
    def examples(self) -> np.ndarray:
        """The row of the prepared data for each instance; int32 of shape (instances,)."""
        return self.arrays["examples"]

    @cached_property
    def sequence_lengths(self) -> np.ndarray:
        """Tokens of each sequence; int64 of shape (sequences,)."""
        return np.diff(self.arrays["starts"])

    @cached_property
    def lengths(self) -> np.ndarray:
        """Tokens of the longest sequence of each instance; int64 of shape (instances,)."""
        return np.maximum.reduceat(self.sequence_lengths, self.arrays["instances"][:-1])

    def count(self, instances: np.ndarray) -> int:
        """Return the number of tokens of instances, without padding."""
        starts, borders = self.arrays["starts"], self.arrays["instances"]
        return int((starts[borders[instances + 1]] - starts[borders[instances]]).sum())

    def sequences(self, instances: np.ndarray) -> np.ndarray:
        """Return the sequences of instances, in order; shape (sequences,)."""
        borders = self.arrays["instances"]
        return np.concatenate([np.arange(borders[instance], borders[instance + 1]) for instance in instances])

    def padded(self, name: str, sequences: np.ndarray, fill: int) -> np.ndarray:
        """Return an array aligned with ``ids`` as a matrix; int64 of shape (sequences, longest)."""
        starts, flat = self.arrays["starts"], self.arrays[name]
        width = int(self.sequence_lengths[sequences].max())
        matrix = np.full((len(sequences), width), fill, dtype=np.int64)
        for row, sequence in enumerate(sequences):
            token = flat[starts[sequence] : starts[sequence + 1]]
            matrix[row, : len(token)] = token
        return matrix

    def inputs(self, instances: np.ndarray) -> dict[str, np.ndarray]:
        """Return the model's input for instances: ``ids`` and ``mask``, int64 of shape (sequences, longest).

        For models that tell segments also ``segments``: 1 from the second segment on.
        """
        sequences = self.sequences(instances)
        ids = self.padded("ids", sequences, self.pad)
        mask = (np.arange(ids.shape[1])[None, :] < self.sequence_lengths[sequences][:, None]).astype(np.int64)
        if self.segment_end is None:
            return {"ids": ids, "mask": mask}
        ends = ids == self.segment_end
        return {"ids": ids, "mask": mask, "segments": mask * (np.cumsum(ends, axis=1) - ends > 0)}


class TokensBuilder:
    """Collects sequences and instances, then gives the arrays."""

    def __init__(self) -> None:
        """Start empty."""
        self._flat: dict[str, list[np.ndarray]] = {"ids": []}
        self._starts, self._units = [0], [0]
        self._examples: list[int] = []
        self._values: dict[str, list[int]] = {}

    def sequence(self, ids: Sequence[int], aligned: Mapping[str, Sequence[int]] | None = None) -> None:
        """Add a sequence to the instance that is open, with values for each of its tokens."""
        for name, values in {"ids": ids, **(aligned or {})}.items():
            if len(values) != len(ids):
                raise ValueError(f"{name}: {len(values)} values for {len(ids)} tokens")
            self._flat.setdefault(name, []).append(np.asarray(values, dtype=np.int32))
        self._starts.append(self._starts[-1] + len(ids))

    def close(self, example: int, **values: int) -> None:
        """Close the instance, which belongs to a row of the prepared data, with values of its own."""
        self._units.append(len(self._starts) - 1)
        self._examples.append(example)
        for name, value in values.items():
            self._values.setdefault(name, []).append(value)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all arrays."""
        flat = {name: np.concatenate(parts or [np.zeros(0, np.int32)]) for name, parts in self._flat.items()}
        return {
            **flat,
            "starts": np.asarray(self._starts, dtype=np.int64),
            "instances": np.asarray(self._units, dtype=np.int64),
            "examples": np.asarray(self._examples, dtype=np.int32),
            **{name: np.asarray(values, dtype=np.int32) for name, values in self._values.items()},
        }


def save(arrays: Mapping[str, np.ndarray], folder: Path) -> None:
    """Write each array into the folder as ``<name>.npy``."""
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)


def load(folder: Path, pad: int, segment_end: int | None) -> Tokens:
    """Map the arrays of a folder into memory.

    Raises:
        UserError: if one is missing, unreadable or damaged.
    """
    remedy = f"delete {folder.parent} and run again"
    arrays = {}
    for path in sorted({*folder.glob("*.npy"), *(folder / f"{name}.npy" for name in _COMMON)}):
        with reading(path, remedy):
            arrays[path.stem] = np.load(path, mmap_mode="r", allow_pickle=False)
    return Tokens(arrays, pad, segment_end)
