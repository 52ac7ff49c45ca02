"""The raw files of a source, for reading them where they are."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from xstilts.data.sources import Place
from xstilts.data.sources.made_up import MADE_UP
from xstilts.store.specs.data import Content


@contextlib.contextmanager
def raw_files(source: Content, mirror: Path | None, download: Path) -> Iterator[Path | None]:
    """Give the folder of the raw files; None where they have not been downloaded yet.

    Args:
        source: the source in the spec of a data node.
        mirror: the mirror.
        download: the manifest of the data node.

    Yields:
        The mirror, the folder of a finished download, or a temporary folder with made-up files.
    """
    if source.kind == "mirror":
        yield mirror
    elif source.kind in MADE_UP:
        with tempfile.TemporaryDirectory() as folder:
            MADE_UP[source.kind].fetch_data(source, Path(folder), Place(None, True))
            yield Path(folder)
    else:
        yield download.parent if download.exists() else None
