"""Sources: where raw data and models come from. The only code that opens a network connection.

Every kind is a module with ``fetch_data(content, folder, place)``, which writes the files that ``content`` names into
the folder, whole and checked. What comes from where is the plan's to say; ``place`` is this machine's.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """What of this machine a source needs: where the mirror or a model folder is, and whether there is a network."""

    folder: Path | None
    offline: bool
