"""What training and prediction read: the splits of a tokens node, with the prepared rows they come from."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow.parquet

from xstilts.store import manifest
from xstilts.store.manifest import manifest_path
from xstilts.tokenization import tokens
from xstilts.tokenization.tokens import Tokens


@dataclass(frozen=True)
class Split:
    """One split (``train``, ``dev`` or a language) of a task's data: tokens, and the rows they were made from.

    ``labels`` are the label names of a data set that brings its own.
    """

    tokens: Tokens
    path: Path
    digest: str
    labels: list[str] | None = None

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The prepared rows, which tokens count by."""
        return pyarrow.parquet.read_table(self.path).to_pylist()


def splits(results: Path, tokens_id: str) -> dict[str, Split]:
    """Return the splits of a tokens node by name.

    Args:
        results: the results folder.
        tokens_id: the node's id, ``tokens/<node>``.
    """
    facts = manifest.read(manifest_path(results, tokens_id))
    prepared = results / facts["spec"]["parents"]["prepared"]
    labels = manifest.read(prepared / manifest.MANIFEST).get("labels")
    return {
        name: Split(
            tokens.load(results / tokens_id / name, facts["pad"], facts["segment_end"]),
            prepared / f"{name}.parquet", entry["digest"], labels,
        )
        for name, entry in facts["splits"].items()
    }  # fmt: skip
