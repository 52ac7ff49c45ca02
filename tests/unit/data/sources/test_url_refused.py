"""URLs and names that are refused."""

import logging
from pathlib import Path

import pytest

from tests.builders.web import DATA, OTHER, failure


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
