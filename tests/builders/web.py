"""A server on this machine that supports ranges, and goes wrong as it is told."""

import contextlib
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from xstilts.errors import UserError

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


@contextlib.contextmanager
def serve() -> Iterator[http.server.ThreadingHTTPServer]:
    """Serve on this machine, with ``files``, ``statuses``, ``redirects`` and ``cuts`` by path."""
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
