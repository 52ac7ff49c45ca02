"""Chromium without a window, led by its DevTools protocol over pipes: what a reader of a page does and sees."""

import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_SECONDS = 60
_OPTIONS = ("--headless", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe")
# the protocol's code of a key, and the text that it types
_KEYS = {"Enter": (13, "\r"), " ": (32, " "), "Tab": (9, "")}


class Tab:
    """A tab: everything that happened in it, and commands to it."""

    def __init__(self, send: int, receive: int) -> None:
        self.events: list[dict[str, Any]] = []
        self._send, self._receive, self._session = send, receive, None
        self._number, self._read = 0, b""
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.command(f"{domain}.enable")

    def command(self, method: str, **parameters: Any) -> Any:
        """Give a command and return its result."""
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        message = {"id": self._number, "method": method, "params": parameters, **session}
        os.write(self._send, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def _message(self) -> dict[str, Any]:
        end = time.monotonic() + _SECONDS
        while b"\0" not in self._read:
            assert select.select([self._receive], [], [], max(end - time.monotonic(), 0))[0], "chromium says nothing"
            self._read += os.read(self._receive, 2**16)
        text, _, self._read = self._read.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        if "method" in message:
            self.events.append(message)
        return message

    def go(self, path: Path, width: int = 1280, scheme: str = "light") -> None:
        """Open a file in a window of some width, and wait until it is there."""
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.command("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.events.clear()
        self.command("Page.navigate", url=path.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self._message()

    def value(self, script: str) -> Any:
        """Return the value of an expression."""
        result = self.command("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key, as a reader does."""
        code, text = _KEYS[key]
        about = {"key": key, "code": "Space" if key == " " else key, "windowsVirtualKeyCode": code}
        self.command("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        self.command("Input.dispatchKeyEvent", type="keyUp", **about)

    def named(self, *methods: str) -> list[dict[str, Any]]:
        """Return the parameters of what happened since the page was opened, by the names of events."""
        return [event["params"] for event in self.events if event["method"] in methods]


@contextlib.contextmanager
def tab(folder: Path) -> Iterator[Tab]:
    """Start chromium with a new profile in a folder, and give a tab."""
    assert CHROMIUM is not None
    (read, send), (receive, write) = os.pipe(), os.pipe()
    # numbers that the pipe's own, 3 and 4, are not among
    given = [fcntl.fcntl(number, fcntl.F_DUPFD, 20) for number in (read, write)]
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = [CHROMIUM, *_OPTIONS, *sandbox, f"--user-data-dir={folder}"]
    # sh knows numbers of one digit only
    shell = ["bash", "-c", f'exec "$@" 3<&{given[0]} 4>&{given[1]}', "bash", *command]
    process = subprocess.Popen(shell, pass_fds=given, stderr=subprocess.DEVNULL)
    for number in (read, write, *given):
        os.close(number)
    try:
        yield Tab(send, receive)
    finally:
        process.terminate()
        process.wait(timeout=_SECONDS)
        os.close(send)
        os.close(receive)
