"""A folder that ``xstilts mirror`` wrote: what a study fetches, to be carried to a machine without a network.

Raw files stand in it under the names that tasks give them, as in any mirror; what is from the hub under
``hub/datasets/<owner>/<name>/<revision>/`` and ``hub/models/<owner>/<name>/<revision>/``; local model folders under
``models/<name>/``. ``carried.json`` has the SHA-256 of every file, so that a node is the same as by download. It is
written last: a file that it does not name is fetched again.
"""

import contextlib
import fcntl
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from xstilts.data.sources.mirror import copy_checked
from xstilts.errors import UserError
from xstilts.relative_path import is_inside
from xstilts.store.files import file_sha256, read_json, sync, target, write_atomically
from xstilts.store.specs.data import Content, DataSpec
from xstilts.store.specs.models import ModelSpec

FILE = "carried.json"
# downloads that are not complete
DOWNLOADS = ".downloads"
_LOCK = ".lock"


def take(spec: DataSpec | ModelSpec, folder: Path, carrying: Path | None) -> bool:
    """Write what a node downloads into its folder, if another one carries it, and tell whether it does.

    Args:
        spec: the node's spec.
        folder: the node's folder.
        carrying: the folder that may carry it.

    Raises:
        UserError: if a file is missing or is not the one that was carried.
    """
    if spec.source.kind not in ("hub", "url", "folder") or carrying is None or not (carrying / FILE).is_file():
        return False
    files = _read(carrying)
    found = _carried(spec, files)
    for name, there in found.items():
        command = f"xstilts mirror, where there is a network, into {carrying}"
        copy_checked(carrying / there, target(folder, name), files[there], command)
    return bool(found)


def _carried(spec: DataSpec | ModelSpec, files: Mapping[str, str]) -> dict[str, str]:
    """Return under which name each file of a node is carried; nothing if one is not.

    What a file is, its SHA-256 says, where the spec has it; of a hub's files it has the names and the revision alone.
    """
    prefix, by_content = prefix_of(spec), {sha256: name for name, sha256 in files.items()}
    names = spec.source.files or {name.removeprefix(prefix): None for name in files if name.startswith(prefix)}
    found = {
        name: f"{prefix}{name}" if sha256 is None else by_content.get(sha256, "") for name, sha256 in names.items()
    }
    return found if all(name in files for name in found.values()) else {}


def prefix_of(spec: DataSpec | ModelSpec, name: str = "") -> str:
    """Return what the names of a node's files begin with in a folder that carries them.

    Args:
        spec: the node's spec.
        name: the model's name in the registry, for one from a local folder.
    """
    content, kind = spec.source, "datasets" if isinstance(spec, DataSpec) else "models"
    if content.kind == "hub":
        return f"hub/{kind}/{content.repository}/{content.revision}/"
    return f"models/{name}/" if content.kind == "folder" else ""


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[dict[str, str]]:
    """Hold a folder that carries, and give the SHA-256 of each file that it has by now.

    Raises:
        UserError: if the folder has anything that ``xstilts mirror`` did not write, or another process writes it.
    """
    if folder.exists() and not (folder.is_dir() and ((folder / FILE).is_file() or not any(folder.iterdir()))):
        raise UserError(f"{folder}: neither empty nor written by xstilts mirror; name another folder")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / FILE).is_file():
        _write(folder, {})
    with open(folder / _LOCK, "a", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{folder}: another xstilts mirror writes it; wait for it to end") from None
        # of one that was interrupted
        for left in folder.glob(".part-*"):
            shutil.rmtree(left)
        yield _read(folder)
        shutil.rmtree(folder / DOWNLOADS, ignore_errors=True)
        (folder / _LOCK).unlink(missing_ok=True)


def put(folder: Path, files: dict[str, str], prefix: str, content: Content, fetch: Callable[[Path], None]) -> int:
    """Have the files of a node in a folder that carries them, and return how many were fetched for it.

    Args:
        folder: the folder.
        files: what it has by now; what is added is added to it.
        prefix: what their names begin with there.
        content: what they are.
        fetch: writes the node's files into a folder.
    """
    known = {f"{prefix}{name}": sha256 for name, sha256 in content.files.items()}
    known = known or {name: None for name in files if name.startswith(prefix)}
    if known and all(
        name in files and sha256 in (None, files[name]) and (folder / name).is_file() for name, sha256 in known.items()
    ):
        return 0
    with tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as scratch:
        fetch(Path(scratch))
        sync(Path(scratch))
        fetched = [path for path in sorted(Path(scratch).rglob("*")) if path.is_file()]
        for path in fetched:
            name = f"{prefix}{path.relative_to(scratch).as_posix()}"
            files[name] = file_sha256(path)
            path.replace(target(folder, name))
    _write(folder, files)
    return len(fetched)


def _read(folder: Path) -> dict[str, str]:
    path = folder / FILE
    files = read_json(path, "run xstilts mirror again, into another folder").get("files")
    if not isinstance(files, dict) or not all(
        isinstance(value, str) and is_inside(name) for name, value in files.items()
    ):
        raise UserError(f"{path}: not written by xstilts mirror; run it again, into another folder")
    return files


def _write(folder: Path, files: Mapping[str, str]) -> None:
    write_atomically(folder / FILE, json.dumps({"files": files}, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
