"""A hub on this machine, which answers what the hub's own libraries ask; and a process of its own that fetches from it.

The libraries read their environment when they are imported, so that every fetch needs a new process.
"""

import contextlib
import hashlib
import http.server
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow
import pyarrow.parquet

from tests.builders.projects import ROOT

SCRIPT = """
import json, socket, sys
from pathlib import Path

touched = []
if sys.argv[1] == "offline":
    class Refused(socket.socket):
        def __init__(self, *arguments, **options):
            touched.append(str(arguments))
            raise OSError("this process may not open a socket")
    socket.socket = Refused
    for name in ("create_connection", "getaddrinfo", "gethostbyname"):
        setattr(socket, name, Refused)

from xstilts.errors import UserError
from xstilts.data.sources import Place, hub
from xstilts.store.specs.data import Content

said = []
for job in json.loads(sys.argv[2]):
    folder = Path(job["folder"])
    folder.mkdir()
    fetch = hub.fetch_data if "files" in job else hub.fetch_model
    files = dict.fromkeys(job.get("files", ()))
    content = Content(kind="hub", files=files, repository=job["repository"], revision=job["revision"])
    try:
        said.append(fetch(content, folder, Place(None, sys.argv[1] == "offline")))
    except UserError as error:
        said.append(str(error))
Path(sys.argv[3]).write_text(json.dumps([said, touched]))
"""
Files = Mapping[str, bytes]


def parquet(rows: Mapping[str, list]) -> bytes:
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(rows), buffer)
    return buffer.getvalue()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        kinds = self.server.repositories
        if parts[0] == "api" and len(parts) > 5 and parts[1] in kinds:
            _, kind, owner, name, question, revision, *folder = parts
            commit, files = self.files(kind, owner, name, revision)
            if f"{owner}/{name}" not in kinds[kind]:
                return self.no_repository()
            if files is None:
                return self.send(404, b"{}", **{"X-Error-Code": "RevisionNotFound"})
            siblings = [sibling(path, content) for path, content in files.items()]
            identity = {"id": f"{owner}/{name}", "sha": commit, "siblings": siblings, "cardData": {"license": "mit"}}
            answer = identity if question == "revision" else self.tree(files, "/".join(folder))
            return self.send(200, json.dumps(answer).encode(), **{"Content-Type": "application/json"})
        kind = "datasets" if parts[0] == "datasets" else "models"
        owner, name, resolve, revision, *path = parts[kind == "datasets" :] + [""] * 5
        if f"{owner}/{name}" not in kinds[kind]:
            return self.no_repository()
        commit, files = self.files(kind, owner, name, revision)
        content = (files or {}).get("/".join(part for part in path if part))
        if resolve != "resolve" or content is None:
            return self.send(404, b"", **{"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
        self.send(200, content, **{"X-Repo-Commit": commit, "ETag": f'"{sha1(content)}"'})

    do_HEAD = do_GET  # noqa: N815

    def no_repository(self):
        """Answer as the hub does who is not logged in: the repository may be a private one."""
        self.send(401, b"{}", **{"X-Error-Code": "RepoNotFound", "X-Error-Message": "Invalid username or password."})

    def files(self, kind, owner, name, revision) -> tuple[str, Files | None]:
        """Return the commit that a revision is, and its files."""
        revisions = self.server.repositories[kind].get(f"{owner}/{name}", {})
        found = revisions.get(revision)
        return (found, revisions[found]) if isinstance(found, str) else (revision, found)

    def tree(self, files: Files, folder: str) -> list[dict]:
        entries = {}
        for path, content in files.items():
            if path.startswith(prefix := f"{folder}/" if folder else ""):
                here, _, below = path.removeprefix(prefix).partition("/")
                kind = {"type": "directory"} if below else {"type": "file", "size": len(content)}
                entries[here] = {**kind, "path": prefix + here, "oid": sha1(content)}
        return list(entries.values())

    def send(self, status, content, **headers):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


def sibling(path: str, content: bytes) -> dict:
    """Return what the hub says of a file: of large ones, which here are weights, the SHA-256."""
    known = {"rfilename": path, "size": len(content), "blobId": sha1(content)}
    sha256 = hashlib.sha256(content).hexdigest()
    large = {"lfs": {"sha256": sha256, "size": len(content), "pointerSize": 130}}
    return known | (large if path.endswith(".safetensors") else {})


def sha1(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@contextlib.contextmanager
def serve(**repositories: Mapping[str, Mapping[str, Files | str]]) -> Iterator[str]:
    """Serve ``datasets`` and ``models``: repository -> commit -> path -> content; or tag -> commit."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.repositories = {"datasets": {}, "models": {}, **repositories}
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def fetch(jobs: list[dict], home: Path, address: str, offline: bool = False) -> tuple[list[str | None], list[str]]:
    """Fetch in a new process, with its cache in ``home``; offline, a socket raises.

    Each job is the content of a node's source, with the ``folder`` to fill.

    Returns:
        Per job the error's line, or None; and what was done with sockets while offline.
    """
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    own = {"HF_ENDPOINT": address, "HF_HOME": str(home), "no_proxy": "127.0.0.1"}
    environment = {**kept, **own, "PYTHONPATH": str(ROOT / "workflow_scripts")}
    home.mkdir(exist_ok=True)
    answer = home / "answer.json"
    text = json.dumps(jobs, default=str)
    command = [sys.executable, "-c", SCRIPT, "offline" if offline else "online", text, str(answer)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said, touched = json.loads(answer.read_text())
    return said, touched
