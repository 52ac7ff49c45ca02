"""Files by their addresses: whatever the server does, the right content or one line; nothing half done stays."""

import contextlib
import hashlib
import http.server
import io
import logging
import os
import signal
import socket
import stat
import subprocess
import sys
import tarfile
import threading
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xstilts.data.sources import Place, url
from xstilts.errors import UserError

ROOT = Path(__file__).parents[2]
DATA = b"".join(b"%07d\n" % number for number in range(12_500))  # 100,000 bytes, no two parts alike
OTHER = DATA[::-1]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves ``server.files``, and goes wrong as ``server`` says."""

    def do_GET(self):  # noqa: N802
        server, path = self.server, self.path.partition("?")[0]
        span = self.headers.get("Range")
        server.requests.append((path, span))
        server.agents.add(self.headers["User-Agent"])
        if server.statuses.get(path):
            return self.answer(server.statuses[path].pop(0))
        if path in server.redirects:
            return self.answer(302, Location=server.redirects[path])
        if path not in server.files:
            return self.answer(404)
        content = server.files[path]
        start = int(span.removeprefix("bytes=").removesuffix("-")) if span and server.ranges else 0
        if start and start >= len(content):
            return self.answer(416, **{"Content-Range": f"bytes */{len(content)}"})
        self.send_response(206 if start else 200)
        if start:
            first = start + server.shift
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = server.cuts[path].pop(0) if server.cuts.get(path) else len(content)
        self.wfile.write(content[start:stop])
        self.wfile.flush()
        if stop < len(content):
            server.held.wait(30)

    def answer(self, status, **headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    """A server on this machine: supports ranges, and cuts a connection after ``cuts[path]`` bytes."""
    monkeypatch.setattr(url, "WAITS", (0, 0, 0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.statuses, server.redirects, server.cuts = {}, {}, {}, {}
    server.requests, server.agents, server.ranges, server.shift = [], set(), True, 0
    server.held = threading.Event()
    server.held.set()
    server.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.held.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def fetch(tmp_path):
    """Fetch files, ``name=(content, addresses)``; return what stands in the folder and in the downloads."""
    (tmp_path / "out").mkdir()

    def fetch(files, offline=False):
        content = {"kind": "url", "files": {name: sha256(data) for name, (data, _) in files.items()}}
        addresses = {name: list(places) for name, (_, places) in files.items()}
        url.fetch_data(content, tmp_path / "out", Place(None, offline, addresses, tmp_path / "downloads"))
        return tree(tmp_path / "out"), tree(tmp_path / "downloads")

    return fetch


def tree(folder: Path) -> dict[str, bytes]:
    paths = sorted(folder.rglob("*")) if folder.exists() else []
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.is_file()}


def part(folder: Path, address: str) -> Path:
    return folder / "downloads" / f"{sha256(address.encode())}.part"


def failure(fetch, files, **more) -> str:
    with pytest.raises(UserError) as caught:
        fetch(files, **more)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


# ---- from one address


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
    url.fetch_data({"files": {"x": sha256(DATA)}}, tmp_path, place)
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


# ---- what an earlier job left


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
        "sha256, address, out = sys.argv[1:]\n"
        "place = Place(None, False, {'x': [address]}, Path(out, 'downloads'))\n"
        "url.fetch_data({'files': {'x': sha256}}, Path(out, 'out'), place)\n"
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


# ---- several addresses


@pytest.mark.parametrize("first", ["missing", "wrong", "refused", "nowhere.zip#a", "file"])
def test_the_next_address(server, fetch, first, tmp_path, caplog):
    server.files, server.statuses = {"/wrong": OTHER, "/right": DATA}, {"/refused": [403]}
    address = (tmp_path / "no such").as_uri() if first == "file" else f"{server.address}/{first}"
    assert fetch({"x": (DATA, [address, f"{server.address}/right"])}) == ({"x": DATA}, {})
    assert server.requests[-1] == ("/right", None)
    assert len(server.requests) <= 2  # what another try cannot mend is not tried again


def test_an_archive_that_failed_is_not_fetched_again_for_the_next_file(server, fetch):
    server.files = {"/a.zip": b"<html>", "/x": DATA, "/y": OTHER}
    files = {
        name: (content, [f"{server.address}/a.zip#{name}", f"{server.address}/{name}"])
        for name, content in (("x", DATA), ("y", OTHER))
    }
    assert fetch(files) == ({"x": DATA, "y": OTHER}, {})
    assert [path for path, _ in server.requests] == ["/a.zip", "/x", "/y"]


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


# ---- archives

MEMBERS = {"MLQA_V1/dev/x.json": DATA, "MLQA_V1/dev/y é.json": OTHER, "MLQA_V1/test/z.json": b"z"}
KINDS = {"zip": None, "tar": "w:", "tar.gz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}


def archive(kind: str, members=MEMBERS, prefix="") -> bytes:
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in members.items():
                file.writestr(prefix + name, content)
    else:
        with tarfile.open(fileobj=buffer, mode=KINDS[kind]) as file:
            for name, content in members.items():
                entry = tarfile.TarInfo(prefix + name)
                entry.size = len(content)
                file.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("prefix", ["", "./"])
def test_members_of_an_archive_that_is_downloaded_once(server, fetch, kind, prefix):
    server.files = {f"/MLQA.{kind}": archive(kind, prefix=prefix), "/alone": b"alone"}
    address = f"{server.address}/MLQA.{kind}"
    files = {
        "y.json": (OTHER, [f"{address}#MLQA_V1/dev/y%20%C3%A9.json"]),
        "alone": (b"alone", [f"{server.address}/alone"]),
        "again/x.json": (DATA, [f"{address}#MLQA_V1/dev/x.json"]),
        "x.json": (DATA, [f"{server.address}/404", f"{address}#MLQA_V1/dev/x.json"]),
    }
    expected = {"again/x.json": DATA, "alone": b"alone", "x.json": DATA, "y.json": OTHER}
    assert fetch(files) == (expected, {})
    assert server.requests == [(f"/MLQA.{kind}", None), ("/alone", None)]


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_on_this_machine_is_read_in_place(fetch, tmp_path, kind):
    path = tmp_path / f"MLQA.{kind}"
    path.write_bytes(archive(kind))
    assert fetch({"z": (b"z", [f"{path.as_uri()}#MLQA_V1/test/z.json"])}, offline=True) == ({"z": b"z"}, {})
    assert path.exists()
    assert not (tmp_path / "downloads").exists()


def test_an_archive_that_was_cut_and_one_that_another_file_had_begun(server, fetch, tmp_path):
    server.files, server.cuts = {"/a.zip": archive("zip")}, {"/a.zip": [1000]}
    (tmp_path / "downloads").mkdir()
    part(tmp_path, f"{server.address}/a.zip").write_bytes(b"not a zip")
    assert fetch({"x": (DATA, [f"{server.address}/a.zip#MLQA_V1/dev/x.json"])}) == ({"x": DATA}, {})
    assert [span for _, span in server.requests] == ["bytes=9-", "bytes=1000-", None]


def link(kind: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as file:
        entry = tarfile.TarInfo("member")
        entry.type, entry.linkname = kind, "/etc/passwd"
        file.addfile(entry)
    return buffer.getvalue()


def zipped(mode: int, name="member") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        file.writestr(entry, "/etc/passwd" if stat.S_ISLNK(mode) else "")
    return buffer.getvalue()


BROKEN = {
    "no archive": (b"<html>Sign in</html>", "it is neither a tar nor a zip archive"),
    "empty": (b"", "it is neither a tar nor a zip archive"),
    "no such member": (archive("zip"), "the archive has no such member"),
    "another content": (archive("zip", {"member": OTHER}), f"its SHA-256 is {sha256(OTHER)}"),
    "symbolic link": (link(tarfile.SYMTYPE), "a link or a folder"),
    "hard link": (link(tarfile.LNKTYPE), "a link or a folder"),
    "folder": (link(tarfile.DIRTYPE), "a link or a folder"),
    "device": (link(tarfile.CHRTYPE), "a link or a folder"),
    "symbolic link in a zip": (zipped(stat.S_IFLNK | 0o777), "a link or a folder"),
    "too large": (archive("tar.xz", {"member": b"0" * 200_001}), "unpacks to 200001 bytes, more than 200000"),
    "too large in a zip": (archive("zip", {"member": b"0" * 200_001}), "unpacks to 200001 bytes, more than 200000"),
    "cut short": (archive("tar.gz", {"member": os.urandom(100_000)})[:50_000], "cannot be read: "),
    "cut short, xz": (archive("tar.xz", {"member": os.urandom(100_000)})[:50_000], "cannot be read: "),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_wrong_with_an_archive(server, fetch, tmp_path, monkeypatch, case):
    content, expected = BROKEN[case]
    monkeypatch.setattr(url, "LARGEST_MEMBER", 200_000)
    server.files = {"/a": content}
    message = failure(fetch, {"x": (DATA, [f"{server.address}/a#member"])})
    assert f"{server.address}/a#member: " in message
    assert expected in message
    assert tree(tmp_path / "out") == tree(tmp_path / "downloads") == {}


def test_an_encrypted_member(server, fetch):
    content = bytearray(archive("zip", {"member": DATA}))
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + flags] |= 1
    server.files = {"/a": bytes(content)}
    assert "password required" in failure(fetch, {"x": (DATA, [f"{server.address}/a#member"])})


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(KINDS)), st.data())
def test_a_damaged_archive_gives_the_right_content_or_one_line(tmp_path_factory, kind, data):
    folder = tmp_path_factory.mktemp("damaged")
    content = bytearray(archive(kind, {"member": DATA[:800], "other": DATA[800:1600]}))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    path = folder / "archive"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    place = Place(None, True, {"x": [f"{path.as_uri()}#other"]})
    with contextlib.suppress(UserError):
        url.fetch_data({"files": {"x": sha256(DATA[800:1600])}}, folder / "out", place)
        assert tree(folder / "out") == {"x": DATA[800:1600]}
        return
    assert tree(folder / "out") == {}


# ---- what is refused


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/x", "", ".", "./x", "a//b", "a/", "a\\b", "a\nb", "\0", "a\ud800"]
)
def test_names_that_leave_the_folder(fetch, name):
    assert "not a possible file name" in failure(fetch, {name: (DATA, ["http://127.0.0.1:9/x"])})


@pytest.mark.parametrize("member", ["../x", "%2e%2e/x", "/etc/passwd", "a/./b", "a%00"])
def test_members_that_leave_the_archive(fetch, member):
    assert "address 1: what follows '#'" in failure(fetch, {"x": (DATA, [f"http://127.0.0.1:9/a.zip#{member}"])})


@pytest.mark.parametrize(
    "address",
    [
        "ftp://host/x", "data:,x", "x", "/x", "//host/x", "http:///x", "http://[::1/x", "http://host:70000/x",
        "file://host/x", "file:x", "file:///x?y", "http://host/a b", "http://host/é", "http://host/x\n",
        "https://user:geheim@host/x", "https://geheim@host/x", "",
    ],
)  # fmt: skip
@pytest.mark.parametrize("offline", [False, True])
def test_addresses_that_are_not_possible(fetch, address, offline):
    message = failure(fetch, {"x": (DATA, ["http://127.0.0.1:9/x", address])}, offline=offline)
    assert message.startswith("url: x: address 2 is not possible: it must be http://host/path")
    assert "geheim" not in message


def test_keys_in_an_address_are_not_told(server, fetch, caplog):
    caplog.set_level(logging.DEBUG)
    server.files, server.statuses, server.cuts = {"/x": OTHER}, {"/x": [503]}, {"/x": [10]}
    message = failure(fetch, {"x": (DATA, [f"{server.address}/x?key=geheim", f"{server.address}/y?key=geheim#z"])})
    assert f"{server.address}/x: its SHA-256" in message
    assert f"{server.address}/y#z: HTTP status 404" in message
    assert "trying again" in caplog.text
    assert "geheim" not in message + caplog.text


def test_redirects(server, fetch):
    server.files = {"/x": DATA}
    server.redirects = {"/a": "/b", "/b": f"{server.address}/x", "/file": Path(__file__).as_uri(), "/loop": "/loop"}
    assert fetch({"x": (DATA, [f"{server.address}/a"])}) == ({"x": DATA}, {})
    message = failure(fetch, {"y": (DATA, [f"{server.address}/file", f"{server.address}/loop"])})
    assert "/file: HTTP status 302 Found; " in message
    assert "/loop: HTTP status 302 Found; " in message


def test_redirects_between_protocols():
    def follow(before, after):
        request = urllib.request.Request(before)
        return url._Redirects().redirect_request(request, None, 302, "Found", {}, after).full_url

    assert follow("http://host/x", "https://host/x") == "https://host/x"
    assert follow("https://host/x", "https://other/x") == "https://other/x"
    with pytest.raises(url._FetchError, match="redirects from https to http, which is not followed"):
        follow("https://host/x", "http://host/x")


# ---- two at once


def test_two_jobs_that_want_the_same_file(server, tmp_path, caplog):
    server.held.clear()
    server.files, server.cuts = {"/x": DATA}, {"/x": [40_000]}
    place = Place(None, False, {"x": [f"{server.address}/x"]}, tmp_path / "downloads")
    jobs = []
    for name in ("first", "second"):
        arguments = ({"files": {"x": sha256(DATA)}}, tmp_path / name, place)
        jobs.append(threading.Thread(target=url.fetch_data, args=arguments))
        jobs[-1].start()
        wait_for(lambda name=name: len(server.requests) == 1 if name == "first" else "in use" in caplog.text)
    assert len(server.requests) == 1  # the second waits
    url._discard(part(tmp_path, f"{server.address}/x"))  # a third, which no longer needs the file, leaves it alone
    server.held.set()
    for job in jobs:
        job.join(30)
    assert tree(tmp_path) == {"first/x": DATA, "second/x": DATA}
    assert [span for _, span in server.requests] == [None, "bytes=40000-", None]


def wait_for(condition) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
