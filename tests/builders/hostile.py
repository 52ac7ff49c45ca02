"""Documents that are wrong in some way: committed ones with values replaced, taken out, renamed or moved."""

import copy
import math
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hypothesis import strategies as draw

# what stands where a document has something else
VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2, 3.5, 0.5, -0.0, 10**12, 10**18, 10**39, -(10**38), 1e300, 1e308, -1e308, 5e-324,
    math.inf,
    -math.inf, math.nan, "", " ", "\0", "a\n", "\u2028", "..", "../../x", "/x", "~", "{x}", "$X", "${X", "%", "xnli@",
    "xnli@en",
    "xnli@de@fr", "@", "xnli@zz", "none", "en", "zz", "no", "1", "1..9999", "9..1", "mnli", "nine", "span", "tiny",
    "best", "best single",
    "mnli + mnli", " + ", "mnli@*", "x" * 1000, "größe", "\u202e", [], {}, [None], [[]], [[[[]]]], [1, 1], ["mnli",
    "mnli"], [{}],
    {"": None}, {"x": {"y": []}}, {"task": "mnli"}, {"task": None, "mixture": "none"}, {"subsets": {"of": "three",
    "sizes": [1, 99]}},
    {"leave_one_out": "none"}, {"name": "lora"}, {"en": ["x"]}, list(range(2000)),
]  # fmt: skip
# CPU-seconds after which a check counts as one that never ends
_SECONDS = 20


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every list or mapping of a document with each of its keys or indices."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _places(value[key])


def _change(document: Any, data: draw.DataObject) -> Any:
    """Change one place of a document."""
    places = list(_places(document))
    if not places:
        return copy.deepcopy(data.draw(draw.sampled_from(VALUES)))
    container, key = places[data.draw(draw.integers(0, len(places) - 1))]
    other, name = places[data.draw(draw.integers(0, len(places) - 1))]
    kind = data.draw(draw.sampled_from(["value", "value", "value", "from elsewhere", "gone", "more", "renamed"]))
    new = copy.deepcopy(other[name] if kind == "from elsewhere" else data.draw(draw.sampled_from(VALUES)))
    if kind in ("value", "from elsewhere"):
        container[key] = new
    elif kind == "gone":
        del container[key]
    elif isinstance(container, list):
        container.insert(key, copy.deepcopy(container[key]) if kind == "renamed" else new)
    else:
        called = data.draw(
            draw.sampled_from([name if isinstance(name, str) else "x", "x", "", "none", "a\nb", "é" * 100])
        )
        container[called] = container.pop(key) if kind == "renamed" else new
    return document


def changed(document: Any, data: draw.DataObject) -> Any:
    """Return a document with one to four changes."""
    document = copy.deepcopy(document)
    for _ in range(data.draw(draw.integers(1, 4))):
        document = _change(document, data)
    return document


@contextmanager
def ends() -> Iterator[None]:
    """Fail if what stands in it takes more CPU time than any check may."""

    def stop(*_: object) -> None:
        raise AssertionError(f"still at it after {_SECONDS} CPU-seconds")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, _SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
