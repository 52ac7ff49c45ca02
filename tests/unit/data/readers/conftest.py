"""What writes files and reads them."""

from types import SimpleNamespace

import pytest
from xstilts.data import readers


@pytest.fixture
def read(tmp_path):
    """Write files and read them: ``read(reader, content, ...)`` with a text or bytes a file."""

    def write_and_read(reader, *contents, header=None, names=("a", "b", "c")):
        names = names[: len(contents)]
        for name, content in zip(names, contents, strict=True):
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(readers.read(SimpleNamespace(reader=reader, header=header), tmp_path, names))

    return write_and_read
