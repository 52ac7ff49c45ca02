"""Pins of models, and studies that name models by hub id or folder."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from xstilts.planning import pins
from xstilts.planning.pins import Pin

from tests.builders import hub

COMMIT = "a" * 40
STUDY: dict[str, Any] = {
    "description": "x",
    "source": "tiny",
    "recipes": {"quick": {"intermediate": {"max_length": 32}, "target": {"max_length": 32}}},
    "targets": {"xnli": None},
    "languages": ["de", "en"],
    "seeds": [1],
}


def pin(revision: str | None = COMMIT, sha256: str = "1" * 64, **differences: Any) -> Pin:
    """Return the pin of a made-up encoder."""
    usual = {
        "licence": None,
        "family": "encoder",
        "parameters": 1000,
        "parts": {"embeddings": 400, "encoder": 600},
        "positions": 64,
        "shape": {"model_type": "bert"},
        "size": {"vocabulary": 10, "width": 4, "stacks": [{"layers": 2, "parameters": 40, "linears": {"a": [4, 8]}}]},
        "files": {"model.safetensors": {"sha256": sha256, "bytes": 1}},
    }
    return Pin(revision=revision, **{**usual, **differences})


def write_pins(study: Path, **pinned: Pin) -> Path:
    """Write pins beside a study, by the names of the models."""
    return pins.write(study, pinned)


def repositories_of(models: Mapping[str, Path]) -> dict[str, Any]:
    """Return model folders as repositories of a hub, each at one commit."""
    files = {name: {path.name: path.read_bytes() for path in folder.iterdir()} for name, folder in models.items()}
    return {name: {COMMIT: content, "main": COMMIT} for name, content in files.items()}


@contextmanager
def hub_of(models: Mapping[str, Path], patch: pytest.MonkeyPatch, cache: Path) -> Iterator[None]:
    """Serve model folders as repositories, and have the hub's library ask this machine."""
    patch.setenv("no_proxy", "127.0.0.1")
    with hub.serve(models=repositories_of(models)) as address:
        patch.setattr(huggingface_hub.constants, "ENDPOINT", address)
        template = f"{address}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        patch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        patch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
        yield


def change_config(folder: Path, **values: Any) -> None:
    """Give keys of a model's config.json other values."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))
