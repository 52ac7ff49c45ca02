"""Members of archives by URL."""

import contextlib
import io
import os
import stat
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xstilts.data.sources import Place, url
from xstilts.errors import UserError

from tests.builders.plans import content_of
from tests.builders.web import DATA, OTHER, failure, part, sha256, tree


def test_an_archive_that_failed_is_not_fetched_again_for_the_next_file(server, fetch):
    server.files = {"/a.zip": b"<html>", "/x": DATA, "/y": OTHER}
    files = {
        name: (content, [f"{server.address}/a.zip#{name}", f"{server.address}/{name}"])
        for name, content in (("x", DATA), ("y", OTHER))
    }
    assert fetch(files) == ({"x": DATA, "y": OTHER}, {})
    assert [path for path, _ in server.requests] == ["/a.zip", "/x", "/y"]


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
        url.fetch_data(content_of({"x": sha256(DATA[800:1600])}), folder / "out", place)
        assert tree(folder / "out") == {"x": DATA[800:1600]}
        return
    assert tree(folder / "out") == {}
