"""YAML as it is read here: the core schema of YAML 1.2 (version 1.2.2, section 10.3.2), which has JSON's values alone.

PyYAML reads YAML 1.1, in which ``010`` is 8, ``1:30`` is 90, ``no`` is False, ``1e5`` is text and ``2026-11-30`` is a
date. Only its parser is used here, event by event, so that nesting, aliases and numbers without end are refused before
they cost anything.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml

# the parser in C, where libyaml is there: the same events, several times faster
_PARSER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# lists and mappings inside each other; the deepest file here has nine
DEEPEST = 50
# characters of a number
LONGEST_NUMBER = 40
# values that aliases may stand for in one file, counted as if they were written out
MOST_ALIASED = 10_000

# plain scalars that are no text, in the order of the specification's table
_NO_TEXT: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (re.compile(r"null|Null|NULL|~|"), lambda text: None),
    (re.compile(r"true|True|TRUE|false|False|FALSE"), lambda text: text[0] in "tT"),
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"0o[0-7]+"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text[2:], 16)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"), lambda text: float(text.replace(".", ""))),
)


def load(text: str) -> Any:
    """Return the value of a YAML document: None, a boolean, a number, text, a list, or a dict whose keys are text.

    Raises:
        yaml.YAMLError: if it is no YAML, gives a key twice or one that is no text, has a tag or a second document, or
            is beyond the limits of this module.
    """
    return _Reader(yaml.parse(text, Loader=_PARSER)).document()


@dataclass
class _Reader:
    """Reads one document.

    Attributes:
        events: what the parser finds.
        anchors: the values that have an anchor, and what each counts for if it is written out.
        aliased: what aliases have counted for so far.
    """

    events: Iterator[Any]
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    aliased: int = 0

    def document(self) -> Any:
        next(self.events)
        if isinstance(next(self.events), yaml.StreamEndEvent):
            return None
        value, _ = self.value(next(self.events), 0)
        next(self.events)
        event = next(self.events)
        if not isinstance(event, yaml.StreamEndEvent):
            _refuse(event, "a second document begins here; a file has one")
        return value

    def value(self, event: Any, depth: int) -> tuple[Any, int]:
        """Return the value that begins with an event, and how many values it counts for."""
        if isinstance(event, yaml.AliasEvent):
            return self.of_alias(event)
        if event.tag is not None:
            _refuse(event, f"the tag {event.tag} is not read; write the value alone, text in quotes")
        if isinstance(event, yaml.ScalarEvent):
            found = (_scalar(event) if event.implicit[0] else event.value), 1
        elif depth == DEEPEST:
            _refuse(event, f"more than {DEEPEST} lists and mappings inside each other")
        elif isinstance(event, yaml.SequenceStartEvent):
            found = self.sequence(depth + 1)
        else:
            found = self.mapping(depth + 1)
        if event.anchor is not None:
            self.anchors[event.anchor] = found
        return found

    def of_alias(self, event: yaml.AliasEvent) -> tuple[Any, int]:
        # an anchor counts from its value's end, so that nothing contains itself
        if event.anchor not in self.anchors:
            _refuse(event, f"*{event.anchor} has no anchor before it")
        value, size = self.anchors[event.anchor]
        self.aliased += size
        if self.aliased > MOST_ALIASED:
            _refuse(event, f"its aliases stand for more than {MOST_ALIASED} values; write them out")
        return value, size

    def sequence(self, depth: int) -> tuple[list[Any], int]:
        items, size = [], 1
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            item, counted = self.value(event, depth)
            items.append(item)
            size += counted
        return items, size

    def mapping(self, depth: int) -> tuple[dict[str, Any], int]:
        items: dict[str, Any] = {}
        size = 1
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key, _ = self.value(event, depth)
            if not isinstance(key, str):
                _refuse(event, f"key {str(key):.40} is not text; put it in quotes")
            if key in items:
                _refuse(event, f"key {key!r:.60} is given twice")
            items[key], counted = self.value(next(self.events), depth)
            size += counted
        return items, size


def _scalar(event: yaml.ScalarEvent) -> Any:
    for pattern, convert in _NO_TEXT:
        if pattern.fullmatch(event.value):
            if len(event.value) > LONGEST_NUMBER:
                _refuse(event, f"a number of {len(event.value)} characters, at most {LONGEST_NUMBER}; is it text?")
            return convert(event.value)
    return event.value


def _refuse(event: Any, problem: str) -> NoReturn:
    raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
