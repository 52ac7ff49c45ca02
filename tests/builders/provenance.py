"""Provenance of nodes that no job has made."""

import json
from pathlib import Path
from typing import Any

# half an hour on one GPU
PROVENANCE: dict[str, Any] = {
    "host": "one", "platform": "Linux", "python": "3.12.0", "started": "2026-11-29T12:00:00+00:00",
    "wall_seconds": 1800.0, "cpu_seconds": 1700.0, "peak_memory_mb": 2048, "processor": "a processor", "processors": 2,
    "gpu": "NVIDIA H100", "gpus": 1, "commit": "0123456789abcdef", "versions": {"torch": "2.13.0", "datasets": None},
}  # fmt: skip


def leave(folder: Path, **changes: Any) -> None:
    """Leave the provenance of a node in its folder, with other values for some keys."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "provenance.json").write_text(json.dumps(PROVENANCE | changes))
