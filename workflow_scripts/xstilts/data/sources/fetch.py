"""Fetch what a node names: from a folder that carries it, or from the source of its kind."""

from collections.abc import Callable
from pathlib import Path

from xstilts.data.sources import Place, carried, hub, hub_models, miniature, mirror, tiny, url
from xstilts.data.sources.hub import make_tokenizer
from xstilts.store.model_folder import check_model
from xstilts.store.specs.data import Content, DataSpec
from xstilts.store.specs.models import ModelSpec

_DATA = {
    "mirror": mirror.fetch_data,
    "hub": hub.fetch_data,
    "url": url.fetch_data,
    "miniature": miniature.fetch_data,
    "tiny": tiny.fetch_data,
}
_MODELS = {"folder": mirror.fetch_model, "hub": hub.fetch_model, "tiny": tiny.fetch_model}


def fetch(spec: DataSpec | ModelSpec, folder: Path, place: Place) -> None:
    """Write the files of a node of raw data or of a model into a folder, whole and checked.

    Raises:
        UserError: if a file cannot be had, or is not what it should be.
    """
    if not carried.take(spec, folder, place.folder):
        _source(spec, place)(spec.source, folder, place)
    if isinstance(spec, ModelSpec):
        make_tokenizer(folder, place.hub or str(place.folder))
        check_model(folder)


def _source(spec: DataSpec | ModelSpec, place: Place) -> Callable[[Content, Path, Place], None]:
    """Return what fetches a node that no folder carries."""
    if isinstance(spec, DataSpec):
        return _DATA[spec.source.kind]
    # a pinned model of the hub is planned as a folder: by the SHA-256 of its files
    return _MODELS[spec.source.kind] if place.hub is None else hub_models.fetch_model
