"""Offline, no source opens a socket: it serves what is on this machine, or says in one line what to do."""

import hashlib
import socket

import pyarrow.parquet
import pytest
from xstilts.data.sources import Place, url
from xstilts.errors import UserError

from tests.builders import hub as hub_server
from tests.builders.plans import content_of

REVISION, OTHER = "a" * 40, "b" * 40
ROWS = {revision: {"text": [revision]} for revision in (REVISION, OTHER)}
MODEL = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": b"weights"}


@pytest.fixture
def touched(monkeypatch):
    """What has been done with sockets; each time it raises."""
    calls = []

    class Refused(socket.socket):
        def __init__(self, *arguments, **options):
            calls.append(arguments)
            raise OSError("this process may not open a socket")

    for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, Refused)
    return calls


def fetch(tmp_path, offline, *addresses):
    place = Place(None, offline, {"x": addresses}, tmp_path / "downloads")
    url.fetch_data(content_of({"x": hashlib.sha256(b"x").hexdigest()}), tmp_path / "out", place)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_url(tmp_path, touched, monkeypatch, scheme):
    address = f"{scheme}://127.0.0.1:9/x.zip?key=geheim#x"
    with pytest.raises(UserError) as caught:
        fetch(tmp_path, True, address)
    assert str(caught.value) == (
        f"url: x: offline: true, but the file is at {scheme}://127.0.0.1:9/x.zip#x; set `offline: false`, or put the "
        "file into the mirror folder as x, run xstilts index-mirror on that folder, and use `source: mirror` in the "
        "study or the task"
    )
    assert touched == []
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(url, "WAITS", ())
    with pytest.raises(UserError, match="this process may not open a socket"):
        fetch(tmp_path, False, address)
    assert touched  # so the test would see one


def test_url_of_this_machine(tmp_path, touched):
    (tmp_path / "x").write_bytes(b"x")
    fetch(tmp_path, True, "http://127.0.0.1:9/x", (tmp_path / "x").as_uri())
    assert (tmp_path / "out/x").read_bytes() == b"x"
    assert touched == []


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """What fetching a data set and a model said, offline and online, step by step with one cache."""
    folder = tmp_path_factory.mktemp("hub")
    datasets = {key: {"README.md": b"#", "train.parquet": hub_server.parquet(rows)} for key, rows in ROWS.items()}
    content = {
        "datasets": {"owner/name": {**datasets, "v1": REVISION}},
        "models": {"owner/model": {REVISION: MODEL, OTHER: MODEL, "v1": REVISION}},
    }
    steps = {
        "empty": (True, REVISION), "online": (False, REVISION), "online, tag": (False, "v1"),
        "cached": (True, REVISION), "cached, tag": (True, "v1"), "another revision": (True, OTHER),
    }  # fmt: skip
    said = {}
    with hub_server.serve(**content) as address:
        for step, (offline, revision) in steps.items():
            data = {"repository": "owner/name", "revision": revision, "files": ["default/train"]}
            model = {"repository": "owner/model", "revision": revision}
            jobs = [{**data, "folder": folder / f"{step}, data"}, {**model, "folder": folder / f"{step}, model"}]
            said[step] = hub_server.fetch(jobs, folder / "home", address, offline)
    return folder, said


@pytest.mark.parametrize("step", ["cached", "cached, tag"])
def test_hub_serves_what_a_job_with_a_network_has_fetched(hub, step):
    folder, said = hub
    assert said["online"][0] == said["online, tag"][0] == [None, None]
    assert said[step] == ([None, None], [])
    assert pyarrow.parquet.read_table(folder / f"{step}, data/default/train").to_pydict() == ROWS[REVISION]
    assert {path.name: path.read_bytes() for path in (folder / f"{step}, model").iterdir()} == MODEL


@pytest.mark.parametrize(("step", "revision"), [("empty", REVISION), ("another revision", OTHER)])
def test_hub_says_what_to_do(hub, step, revision):
    """Another revision of the same data set, which is in the cache, is not what was asked for."""
    (data, model), touched = hub[1][step]
    assert touched == []
    assert data.startswith(f"hub: cannot fetch owner/name at {revision}, configuration default, split train: ")
    assert model.startswith(f"hub: cannot fetch owner/model at {revision}: ")
    for line in (data, model):
        assert line.endswith("; set `offline: false`, or carry it here with xstilts mirror")
        assert len(line.splitlines()) == 1
