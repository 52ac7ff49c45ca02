"""What training and prediction read: the splits of a tokens node, with the prepared rows they come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from xstilts.data.prepared_rows import read_prepared
from xstilts.store import manifest
from xstilts.store.manifest import PreparedResults, TokensResults, results_of
from xstilts.store.specs.base import PREPARED
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
    labels: Sequence[str] | None = None

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The prepared rows, which tokens count by."""
        return read_prepared(self.path).to_pylist()


def splits(results: Path, tokens_id: str) -> dict[str, Split]:
    """Return the splits of a tokens node by name.

    Args:
        results: the results folder.
        tokens_id: the node's id, ``tokens/<node>``.
    """
    node = manifest.of_node(results / tokens_id)
    prepared = node.parents[PREPARED]
    labels = results_of(results, prepared, PreparedResults).labels
    made = results_of(results, tokens_id, TokensResults)
    return {
        name: Split(
            tokens.load(results / tokens_id / name, made.pad, made.segment_end),
            results / prepared / f"{name}.parquet",
            split.digest,
            labels,
        )
        for name, split in made.splits.items()
    }
