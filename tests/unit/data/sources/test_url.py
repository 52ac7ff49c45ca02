"""Files by their URLs: whatever the server does, the right content or one line; nothing half done stays."""

import socket

import pytest
from xstilts.data.sources import Place, url

from tests.builders.plans import content_of
from tests.builders.web import DATA, OTHER, failure, part, sha256, tree


def test_a_file(server, fetch):
    server.files = {"/data/x.json": DATA, "/y": b"y"}
    files = {"mlqa/dev/x.json": (DATA, [f"{server.address}/data/x.json"]), "y.txt": (b"y", [f"{server.address}/y"])}
    assert fetch(files) == ({"mlqa/dev/x.json": DATA, "y.txt": b"y"}, {})
    assert server.requests == [("/data/x.json", None), ("/y", None)]
    assert server.agents == {f"xstilts/{url.__version__}"}


def test_an_empty_file(server, fetch):
    server.files = {"/x": b""}
    assert fetch({"x": (b"", [f"{server.address}/x"])}) == ({"x": b""}, {})


def test_without_a_folder_for_downloads_nothing_but_the_file_stays_either(server, tmp_path):
    server.files = {"/x": DATA}
    place = Place(None, False, {"x": [f"{server.address}/x"]})
    url.fetch_data(content_of({"x": sha256(DATA)}), tmp_path, place)
    assert tree(tmp_path) == {"x": DATA}


def test_a_file_on_this_machine(fetch, tmp_path):
    path = tmp_path / "a name with spaces é.json"
    path.write_bytes(DATA)
    files = {"x.json": (DATA, [path.as_uri()])}
    assert fetch(files) == ({"x.json": DATA}, {})
    assert fetch(files, offline=True) == ({"x.json": DATA}, {})
    assert path.read_bytes() == DATA


@pytest.mark.parametrize("status", [429, 503])
def test_tries_again_when_the_server_is_busy(server, fetch, monkeypatch, status):
    waited = []
    monkeypatch.setattr(url, "WAITS", (1, 4, 16))
    monkeypatch.setattr(url.time, "sleep", waited.append)
    server.files, server.statuses = {"/x": DATA}, {"/x": [status, status]}
    assert fetch({"x": (DATA, [f"{server.address}/x"])}) == ({"x": DATA}, {})
    assert waited == [1, 4]
    assert len(server.requests) == 3


def test_gives_up_after_a_few_tries(server, fetch):
    server.files, server.statuses = {"/x": DATA}, {"/x": [503] * 9}
    message = failure(fetch, {"x": (DATA, [f"{server.address}/x"])})
    assert "HTTP status 503 Service Unavailable" in message
    assert len(server.requests) == 4


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_is_cut(server, fetch, ranges):
    server.files, server.cuts, server.ranges = {"/x": DATA}, {"/x": [40_000]}, ranges
    assert fetch({"x": (DATA, [f"{server.address}/x"])}) == ({"x": DATA}, {})
    assert server.requests == [("/x", None), ("/x", "bytes=40000-")]


def test_a_connection_that_is_always_cut(server, fetch, tmp_path):
    server.files, server.cuts, server.ranges = {"/x": DATA}, {"/x": [40_000] * 9}, False
    message = failure(fetch, {"x": (DATA, [f"{server.address}/x"])})
    assert "the connection ended after 40000 of 100000 bytes" in message
    assert tree(tmp_path / "out") == {}
    assert part(tmp_path, f"{server.address}/x").read_bytes() == DATA[:40_000]


def test_a_server_that_is_silent(server, fetch, monkeypatch):
    monkeypatch.setattr(url, "TIMEOUT", 0.1)
    server.held.clear()
    server.files, server.cuts = {"/x": DATA}, {"/x": [0] * 9}
    assert "timed out" in failure(fetch, {"x": (DATA, [f"{server.address}/x"])})


def test_no_server(fetch, monkeypatch):
    monkeypatch.setattr(url, "WAITS", ())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert "/x: Connection refused; expected" in failure(fetch, {"x": (DATA, [f"http://127.0.0.1:{port}/x"])})


@pytest.mark.parametrize("first", ["missing", "wrong", "refused", "nowhere.zip#a", "file"])
def test_the_next_address(server, fetch, first, tmp_path, caplog):
    server.files, server.statuses = {"/wrong": OTHER, "/right": DATA}, {"/refused": [403]}
    address = (tmp_path / "no such").as_uri() if first == "file" else f"{server.address}/{first}"
    assert fetch({"x": (DATA, [address, f"{server.address}/right"])}) == ({"x": DATA}, {})
    assert server.requests[-1] == ("/right", None)
    assert len(server.requests) <= 2  # what another try cannot mend is not tried again


def test_the_last_line_says_what_every_address_gave(server, fetch, tmp_path):
    server.files = {"/b/x.json": OTHER}
    message = failure(fetch, {"mlqa/x.json": (DATA, [f"{server.address}/a/x.json", f"{server.address}/b/x.json"])})
    assert message == (
        f"url: cannot fetch mlqa/x.json: {server.address}/a/x.json: HTTP status 404 Not Found; "
        f"{server.address}/b/x.json: its SHA-256 is {sha256(OTHER)}; expected SHA-256 {sha256(DATA)}; "
        "try again later, or put the file into the mirror folder as mlqa/x.json, run xstilts index-mirror on that "
        "folder, and use `source: mirror` in the study or the task"
    )
    assert tree(tmp_path / "out") == tree(tmp_path / "downloads") == {}


def test_no_address(fetch):
    assert "url: x: no address" in failure(fetch, {"x": (DATA, [])})


def test_a_folder_for_downloads_that_cannot_be(server, fetch, tmp_path):
    server.files = {"/x": DATA}
    (tmp_path / "downloads").write_text("")
    message = failure(fetch, {"x": (DATA, [f"{server.address}/x"])})
    assert message.startswith(f"{tmp_path / 'downloads'}: cannot be written: File exists")
