"""Sources: where raw data and models come from. The only code that opens a network connection.

Every kind is a module with ``fetch_data(content, folder, place)``, which writes the files that ``content`` names into
the folder, whole and checked. What comes from where is the plan's to say; ``place`` is this machine's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path


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
