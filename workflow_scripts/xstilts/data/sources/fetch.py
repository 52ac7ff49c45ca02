"""Fetch what a node names: from a folder that carries it, or from the source of its kind."""

from pathlib import Path

from xstilts.data.sources import Place, carried, hub, miniature, mirror, tiny, url
from xstilts.store.model_folder import check_model
from xstilts.store.specs.data import DataSpec
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
    sources = _DATA if isinstance(spec, DataSpec) else _MODELS
    if not carried.take(spec, folder, place.folder):
        sources[spec.source.kind](spec.source, folder, place)
    if not isinstance(spec, DataSpec):
        check_model(folder)
