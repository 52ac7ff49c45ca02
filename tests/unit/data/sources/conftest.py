"""A server on this machine, and what fetches from it."""

import pytest
from xstilts.data.sources import Place, url

from tests.builders import web
from tests.builders.plans import content_of


@pytest.fixture
def server(monkeypatch):
    """A server that supports ranges, and cuts a connection after ``cuts[path]`` bytes."""
    monkeypatch.setattr(url, "WAITS", (0, 0, 0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with web.serve() as server:
        yield server


@pytest.fixture
def fetch(tmp_path):
    """Fetch files, ``name=(content, URLs)``; return what stands in the folder and in the downloads."""
    (tmp_path / "out").mkdir()

    def fetch(files, offline=False):
        content = content_of({name: web.sha256(data) for name, (data, _) in files.items()})
        urls = {name: list(places) for name, (_, places) in files.items()}
        url.fetch_data(content, tmp_path / "out", Place(None, offline, urls, tmp_path / "downloads"))
        return web.tree(tmp_path / "out"), web.tree(tmp_path / "downloads")

    return fetch
