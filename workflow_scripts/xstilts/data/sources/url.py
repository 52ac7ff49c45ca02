"""Files by their addresses (http, https, file), each checked by its SHA-256.

An address with a fragment, ``https://host/MLQA_V1.zip#MLQA_V1/dev/x.json``, names a member of a zip or tar archive. A
download is kept as ``<SHA-256 of its address>.part`` until its files are right and in place, so that a job that failed
goes on where it ended; the lock on that file keeps other processes away. The checksum decides what a file is: where it
came from does not matter.
"""

import contextlib
import fcntl
import functools
import hashlib
import http.client
import logging
import os
import re
import stat
import struct
import tarfile
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from lzma import LZMAError
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit
from urllib.request import Request

from xstilts import __version__
from xstilts.data.sources import Place, hashes
from xstilts.errors import UserError
from xstilts.relative_path import RULE, is_inside
from xstilts.store.files import target
from xstilts.store.specs.data import Content

log = logging.getLogger(__name__)

WAITS = (1.0, 4.0, 16.0)  # seconds before the second, third and fourth try of one address
TIMEOUT = 60.0  # seconds without a single byte
LARGEST_MEMBER = 2**34  # bytes that a member of an archive may unpack to
_CHUNK = 2**18
_PASSING = {408, 425, 429, 500, 502, 503, 504}  # HTTP status codes of what may be over soon (RFC 9110, 6585, 8470)
# what tarfile, zipfile and their decompressors raise for a file that is no archive, or a broken one
_DECOMPRESSION = (zlib.error, LZMAError, struct.error, EOFError)
_BROKEN = (tarfile.TarError, zipfile.BadZipFile, *_DECOMPRESSION, OSError, RuntimeError, ValueError)
# opens a member of an archive; None where it is no plain file
Opener = Callable[[], IO[bytes] | None]


class _FetchError(Exception):
    """Why an address does not give a file; ``passing`` if another try may help."""

    def __init__(self, reason: str, passing: bool = False) -> None:
        super().__init__(reason)
        self.passing = passing


@dataclass(frozen=True)
class _Candidate:
    """One file at one of its addresses; ``member`` is empty where the file is no member of an archive."""

    name: str
    sha256: str
    location: str
    member: str

    def __str__(self) -> str:
        return _shown(self.location) + (f"#{self.member}" if self.member else "")


def fetch_data(content: Content, folder: Path, place: Place) -> None:
    """Write each file from the first of its addresses that gives the right content.

    Args:
        content: ``files``: name -> SHA-256 (64 lower-case hex digits).
        folder: where the files are written, under their names.
        place: ``urls`` of each name; ``downloads``; ``offline``.

    Raises:
        UserError: if an address or a name is not possible, a file needs the network and the machine is offline, or no
            address of a file gives it.
    """
    candidates = {name: _candidates(name, sha256, place) for name, sha256 in hashes(content).items()}
    downloads = place.downloads or folder
    missing = set(candidates)
    problems: dict[_Candidate, str] = {}
    try:
        for name, own in candidates.items():
            for candidate in own:
                if name in missing and candidate not in problems:
                    # an archive is downloaded once, for all the files that lie in it
                    among = [other for key in candidates if key in missing for other in candidates[key]]
                    sought = [other for other in among if other.location == candidate.location]
                    failed = _take(sought, folder, downloads)
                    problems |= failed
                    missing -= {other.name for other in sought if other not in failed}
            if name in missing:
                raise UserError(_explain(own, problems))
        for location in {candidate.location for own in candidates.values() for candidate in own}:
            _discard(_part(location, downloads))
    except OSError as error:
        where = error.filename or downloads
        raise UserError(f"{where}: cannot be written: {error.strerror or error}; mend that and run again") from None


def _candidates(name: str, sha256: str, place: Place) -> list[_Candidate]:
    if not is_inside(name):
        raise UserError(f"url: {name!r} is not a possible file name: it must be {RULE}")
    parsed = [
        _parse(name, sha256, address, f"url: {name}: address {number}")
        for number, address in enumerate(place.urls.get(name, ()), 1)
    ]
    if not parsed:
        raise UserError(f"url: {name}: no address; name one in the task's YAML, or use a mirror")
    local = [candidate for candidate in parsed if candidate.location.startswith("file:")]
    if place.offline and not local:
        raise UserError(
            f"url: {name}: offline: true, but the file is at {parsed[0]}; set `offline: false`, or {_by_hand(name)}"
        )
    return local if place.offline else parsed


def _parse(name: str, sha256: str, address: str, where: str) -> _Candidate:
    # the address itself is not shown: it may hold a password where none should be
    location, _, fragment = address.partition("#")
    try:
        parts = urlsplit(location)
        remote = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        local = parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/")
    except ValueError:
        remote = local = False
    if not (remote or local and not parts.query) or "@" in parts.netloc or not re.fullmatch("[!-~]+", address):
        raise UserError(
            f"{where} is not possible: it must be http://host/path, https://host/path or file:///path, in ASCII "
            "(others as %xx), without a user's name or password"
        )
    member = unquote(fragment)
    if member and not is_inside(member):
        raise UserError(f"{where}: what follows '#' must be the name of a file in an archive, {RULE}")
    return _Candidate(name, sha256, parts.geturl(), member)


def _shown(location: str) -> str:
    """Return an address as messages may show it: without the query, where keys to a server are."""
    return location.partition("?")[0]


def _part(location: str, downloads: Path) -> Path:
    return downloads / f"{hashlib.sha256(location.encode()).hexdigest()}.part"


def _explain(own: Sequence[_Candidate], problems: Mapping[_Candidate, str]) -> str:
    reasons = "; ".join(f"{candidate}: {problems[candidate]}" for candidate in own)
    name, sha256 = own[0].name, own[0].sha256
    return f"url: cannot fetch {name}: {reasons}; expected SHA-256 {sha256}; try again later, or {_by_hand(name)}"


def _by_hand(name: str) -> str:
    return (
        f"put the file into the mirror folder as {name}, run xstilts index-mirror on that folder, and use "
        "`source: mirror` in the study or the task"
    )


def _take(sought: Sequence[_Candidate], folder: Path, downloads: Path) -> dict[_Candidate, str]:
    """Write all files that are sought of one location; return the problem of each that could not be written."""
    location = sought[0].location
    log.info("fetching %s from %s", ", ".join(candidate.name for candidate in sought), _shown(location))
    try:
        if location.startswith("file:"):
            return _unpack(Path(unquote(urlsplit(location).path)), sought, folder)
        part = _part(location, downloads)
        with _lock(part) as file:
            resumed = _download(location, file)
            problems = _unpack(part, sought, folder)
            if problems and resumed:
                log.warning("%s: not what an earlier try had begun; starting over", _shown(location))
                file.truncate(0)
                _download(location, file)
                problems = _unpack(part, sought, folder)
            part.unlink()
            return problems
    except _FetchError as error:
        return dict.fromkeys(sought, str(error))


@contextlib.contextmanager
def _lock(part: Path) -> Iterator[IO[bytes]]:
    """Open a partial download for this process alone; wait, and say so, while another one has it."""
    part.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with open(part, "a+b") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                log.warning("%s is in use by another process; waiting for it to end", part)
                fcntl.flock(file, fcntl.LOCK_EX)
            # who had it before may have finished and removed it
            if _is_at(file, part):
                try:
                    yield file
                finally:
                    file.flush()
                    if _is_at(file, part) and part.stat().st_size == 0:
                        part.unlink()
                return


def _discard(part: Path) -> None:
    """Remove what an earlier job left of a download that is no longer needed, unless another process is at it."""
    with contextlib.suppress(FileNotFoundError, BlockingIOError), open(part, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_at(file, part):
            part.unlink()


def _is_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _download(location: str, file: IO[bytes]) -> bool:
    """Complete a partial download, with a few tries; return whether bytes from before the last try are in it."""
    for wait in (*WAITS, None):
        try:
            return _receive(location, file)
        except _FetchError as error:
            if wait is None or not error.passing:
                raise
            log.warning("%s: %s; trying again in %g s", _shown(location), error, wait)
            time.sleep(wait)
    raise AssertionError("the last try returns or raises")


def _receive(location: str, file: IO[bytes]) -> bool:
    """Request what a partial download lacks and append it; return whether it had a part already that counts."""
    size = file.seek(0, os.SEEK_END)
    headers = {"User-Agent": f"xstilts/{__version__}"} | ({"Range": f"bytes={size}-"} if size else {})
    try:
        response = urllib.request.build_opener(_Redirects).open(
            urllib.request.Request(location, headers=headers), timeout=TIMEOUT
        )
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416 and size:
                if error.headers.get("Content-Range") == f"bytes */{size}":
                    return True
                file.truncate(0)
                raise _FetchError("the part that was there is longer than the file", passing=True) from None
            phrase = http.client.responses.get(error.code, "")
            raise _FetchError(f"HTTP status {error.code} {phrase}".strip(), error.code in _PASSING) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _FetchError(_reason(error), passing=True) from None
    with response:
        start, total = _extent(response)
        if start != size:
            file.truncate(0)
        if start not in (0, size):
            raise _FetchError("the server answers with other bytes than those that were asked for", passing=True)
        if start:
            log.info("%s: going on at byte %d", _shown(location), start)
        for chunk in _chunks(response):
            file.write(chunk)
    file.flush()
    found = file.seek(0, os.SEEK_END)
    if total is not None and found != total:
        raise _FetchError(f"the connection ended after {found} of {total} bytes", passing=True)
    return start > 0


def _extent(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    """Return at which byte of the file a response starts, and how many bytes the file has, if it says so."""
    if response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
        return (int(match[1]), int(match[2])) if match else (-1, None)
    return 0, response.length


def _chunks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    try:
        # read1: what has arrived is kept, even if the connection then ends
        while chunk := response.read1(_CHUNK):
            yield chunk
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _FetchError(_reason(error), passing=True) from None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, but never to another protocol, except from http to https."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: http.client.HTTPMessage, newurl: str
    ) -> Request | None:
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after != before and (before, after) != ("http", "https"):
            raise _FetchError(f"redirects from {before} to {after}, which is not followed")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _unpack(path: Path, sought: Sequence[_Candidate], folder: Path) -> dict[_Candidate, str]:
    """Write the files that are sought of one file or archive; return the problem of each that could not be written."""
    problems = dict.fromkeys(sought, "the archive has no such member")
    try:
        for member, problem, opener in _entries(path, {candidate.member for candidate in sought}):
            for candidate in [candidate for candidate in problems if candidate.member == member]:
                problems[candidate] = problem or _write(opener, candidate.sha256, target(folder, candidate.name))
                if not problems[candidate]:
                    del problems[candidate]
            if not problems:
                break
    except _FetchError as error:
        return dict.fromkeys(problems, str(error))
    return problems


def _entries(path: Path, members: set[str]) -> Iterator[tuple[str, str, Opener]]:
    """Yield the members of a file that are sought, in its own order: name, what is wrong, how to open it."""
    if "" in members:
        yield "", "", lambda: path.open("rb")
    if members != {""}:
        with _reading():
            for name, size, plain, opener in _archive(path):
                if (member := name.removeprefix("./")) in members:
                    large = f"unpacks to {size} bytes, more than {LARGEST_MEMBER}" if size > LARGEST_MEMBER else ""
                    yield member, large if plain else "the member is a link or a folder, not a file", opener


def _archive(path: Path) -> Iterator[tuple[str, int, bool, Opener]]:
    """Yield the members of a tar (compressed or not) or zip: name, bytes, whether a plain file, how to open it."""
    if tarfile.is_tarfile(path):
        with tarfile.open(path) as tar:
            for member in tar:
                yield member.name, member.size, member.isreg(), functools.partial(tar.extractfile, member)
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                kind = stat.S_IFMT(entry.external_attr >> 16)
                plain = kind in (0, stat.S_IFREG) and not entry.filename.endswith("/")
                yield entry.filename, entry.file_size, plain, functools.partial(archive.open, entry)
    else:
        raise _FetchError("it is neither a tar nor a zip archive")


def _write(opener: Opener, sha256: str, path: Path) -> str:
    """Write a file under another name and give it its own if the content is right; return what is wrong, or nothing."""
    scratch = path.with_name(f".{path.name}.part")
    found = hashlib.sha256()
    try:
        with contextlib.ExitStack() as opened:
            file = opened.enter_context(open(scratch, "wb"))
            with _reading():
                stream = opener()
                if stream is None:
                    raise _FetchError("is not a plain file")
                opened.enter_context(stream)
            while True:
                with _reading():
                    chunk = stream.read(_CHUNK)
                if not chunk:
                    break
                found.update(chunk)
                file.write(chunk)
        if found.hexdigest() == sha256:
            scratch.replace(path)
            return ""
        return f"its SHA-256 is {found.hexdigest()}"
    except _FetchError as error:
        return str(error)
    finally:
        scratch.unlink(missing_ok=True)


@contextlib.contextmanager
def _reading() -> Iterator[None]:
    """Turn whatever a broken file or archive raises into the reason why it gives no file."""
    try:
        yield
    except _BROKEN as error:
        raise _FetchError(f"cannot be read: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """Return an exception's text as one line."""
    inner = getattr(error, "reason", error)
    text = (inner.strerror if isinstance(inner, OSError) else None) or str(inner)
    return " ".join(text.split()) or type(inner).__name__
