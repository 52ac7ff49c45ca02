"""Sources: where raw data and models come from. The only code that opens a network connection.

Every kind is a module with ``fetch_data(content, folder, place)``, which writes the files that ``content`` names into
the folder, whole and checked. What comes from where is the plan's to say; ``place`` is this machine's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xstilts.errors import UserError
from xstilts.store.specs.data import Content


@dataclass(frozen=True)
class Place:
    """What a source needs that does not change what it gives.

    ``folder`` is the mirror or a model folder; ``offline`` forbids the network; ``urls`` are where each file can
    be had, the best first; ``downloads`` keeps downloads that are not complete (by default the target folder).
    """

    folder: Path | None
    offline: bool
    urls: Mapping[str, Sequence[str]] = field(default_factory=dict)
    downloads: Path | None = None
    hub: str | None = None
    study: Path | None = None


def hashes(content: Content) -> dict[str, str]:
    """Return the SHA-256 of each file, which the plan states for sources whose files are checked.

    Raises:
        UserError: if it does not.
    """
    stated = {name: sha256 for name, sha256 in content.files.items() if sha256 is not None}
    for name in content.files:
        if name not in stated:
            raise UserError(f"{name}: the plan has no SHA-256 of this file; run snakemake again")
    return stated
