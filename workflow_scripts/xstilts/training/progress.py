"""How far a long loop is: a bar on a terminal; elsewhere a line of the log every few seconds."""

import logging
import sys
import time
from collections.abc import Sequence

from tqdm import tqdm

log = logging.getLogger(__name__)

_SECONDS = 15


class Progress:
    """Tells the step, the loss and the time that is left."""

    def __init__(self, steps: int, done: int) -> None:
        """Begin at a step of so many."""
        self._steps, self._first, self._done = steps, done, done
        self._started = self._reported = time.monotonic()
        self._bar = tqdm(total=steps, initial=done, unit="step") if sys.stderr.isatty() else None

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, losses: Sequence[tuple[str, float]]) -> None:
        """Count a step, by the task and the loss of each of its batches."""
        task, loss = " + ".join(task for task, _ in losses), sum(loss for _, loss in losses) / len(losses)
        self._done += 1
        if self._bar is not None:
            self._bar.set_postfix_str(f"{task} loss {loss:.3f}")
            self._bar.update()
            return
        now = time.monotonic()
        if now - self._reported >= _SECONDS:
            left = (now - self._started) / (self._done - self._first) * (self._steps - self._done)
            log.info("step %d of %d, %s loss %.3f, %.0f s left", self._done, self._steps, task, loss, left)
            self._reported = now
