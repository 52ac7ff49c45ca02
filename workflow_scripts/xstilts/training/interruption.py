"""Signals that ask a training to end, which then saves before it does."""

import signal


class Interruption:
    """Notes, while it is entered, that the process was asked to end (SIGTERM, Ctrl-C), in place of ending at once."""

    def __init__(self) -> None:
        self.received = False

    def __enter__(self) -> "Interruption":
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _note(self, *_: object) -> None:
        self.received = True
