"""Downloads by URL that an earlier job, or another one, has begun."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from xstilts.data.sources import Place, url

from tests.builders.plans import content_of
from tests.builders.web import DATA, OTHER, failure, part, sha256, tree

ROOT = Path(__file__).parents[2]


def test_the_next_job_goes_on(server, fetch, tmp_path, monkeypatch):
    monkeypatch.setattr(url, "WAITS", ())
    server.files, server.cuts = {"/x": DATA}, {"/x": [40_000]}
    files = {"x": (DATA, [f"{server.address}/x"])}
    failure(fetch, files)
    assert fetch(files) == ({"x": DATA}, {})
    assert server.requests == [("/x", None), ("/x", "bytes=40000-")]


def test_goes_on_after_the_process_was_killed(server, fetch, tmp_path):
    server.held.clear()
    server.files, server.cuts = {"/x": DATA}, {"/x": [40_000]}
    address = f"{server.address}/x"
    script = (
        "import sys; from pathlib import Path; from xstilts.data.sources import Place, url\n"
        "from xstilts.store.specs.data import Content\n"
        "sha256, address, out = sys.argv[1:]\n"
        "place = Place(None, False, {'x': [address]}, Path(out, 'downloads'))\n"
        "url.fetch_data(Content(kind='url', files={'x': sha256}), Path(out, 'out'), place)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts")}
    job = subprocess.Popen([sys.executable, "-c", script, sha256(DATA), address, str(tmp_path)], env=environment)
    beside = part(tmp_path, address)
    deadline = time.monotonic() + 30
    while not (beside.exists() and beside.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    job.send_signal(signal.SIGKILL)
    job.wait()
    size = beside.stat().st_size
    assert 0 < size <= 40_000
    assert fetch({"x": (DATA, [address])}) == ({"x": DATA}, {})
    assert server.requests[-1] == ("/x", f"bytes={size}-")


@pytest.mark.parametrize(
    ("left", "requests"),
    [
        pytest.param(DATA[:10], ["bytes=10-"], id="a part of it"),
        pytest.param(OTHER[:10], ["bytes=10-", None], id="a part of another file"),
        pytest.param(DATA, ["bytes=100000-"], id="all of it"),
        pytest.param(OTHER, ["bytes=100000-", None], id="another file of its length"),
        pytest.param(DATA + b"x", ["bytes=100001-", None], id="a longer file"),
    ],
)
def test_what_was_left(server, fetch, tmp_path, left, requests):
    server.files = {"/x": DATA}
    (tmp_path / "downloads").mkdir()
    part(tmp_path, f"{server.address}/x").write_bytes(left)
    assert fetch({"x": (DATA, [f"{server.address}/x"])}) == ({"x": DATA}, {})
    assert [span for _, span in server.requests] == requests


def test_a_server_that_answers_with_other_bytes_than_were_asked_for(server, fetch, tmp_path):
    server.files, server.shift = {"/x": DATA}, -5
    (tmp_path / "downloads").mkdir()
    part(tmp_path, f"{server.address}/x").write_bytes(DATA[:10])
    assert fetch({"x": (DATA, [f"{server.address}/x"])}) == ({"x": DATA}, {})
    assert [span for _, span in server.requests] == ["bytes=10-", None]


def test_parts_of_addresses_that_were_not_needed_go_too(server, fetch, tmp_path, monkeypatch):
    monkeypatch.setattr(url, "WAITS", ())
    server.files, server.cuts = {"/a": DATA, "/b": DATA}, {"/b": [10]}
    server.statuses = {"/a": [503]}
    files = {"x": (DATA, [f"{server.address}/a", f"{server.address}/b"])}
    failure(fetch, files)
    assert list(tree(tmp_path / "downloads")) == [part(tmp_path, f"{server.address}/b").name]
    assert fetch(files) == ({"x": DATA}, {})


def test_two_jobs_that_want_the_same_file(server, tmp_path, caplog):
    server.held.clear()
    server.files, server.cuts = {"/x": DATA}, {"/x": [40_000]}
    place = Place(None, False, {"x": [f"{server.address}/x"]}, tmp_path / "downloads")
    jobs = []
    for name in ("first", "second"):
        arguments = (content_of({"x": sha256(DATA)}), tmp_path / name, place)
        jobs.append(threading.Thread(target=url.fetch_data, args=arguments))
        jobs[-1].start()
        wait_for(lambda name=name: len(server.requests) == 1 if name == "first" else "in use" in caplog.text)
    assert len(server.requests) == 1  # the second waits
    # a third, which has the file from elsewhere, leaves alone what the two are at
    (tmp_path / "here").write_bytes(DATA)
    urls = [(tmp_path / "here").as_uri(), f"{server.address}/x"]
    third = Place(None, False, {"x": urls}, tmp_path / "downloads")
    url.fetch_data(content_of({"x": sha256(DATA)}), tmp_path / "third", third)
    server.held.set()
    for job in jobs:
        job.join(30)
    assert tree(tmp_path) == {"first/x": DATA, "here": DATA, "second/x": DATA, "third/x": DATA}
    assert [span for _, span in server.requests] == [None, "bytes=40000-", None]


def wait_for(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
