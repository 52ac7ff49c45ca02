"""The works that a registry names by their BibTeX keys: ``registry/bibliography.bib``, and a user's own."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from xstilts.errors import UserError, suggestion

FILE = "bibliography.bib"
_ENTRY = re.compile(r"^@(?P<kind>\w+)\s*\{\s*(?P<key>[^\s,{}]+)\s*,.*?^\}[ \t]*$", re.M | re.S)


def read(path: Path) -> dict[str, str]:
    """Return the entries of a BibTeX file by key, each as it stands there.

    An entry begins with ``@`` and ends with a closing brace, each at the start of a line; between entries can be
    comments, lines that begin with ``%``.

    Args:
        path: the file.

    Raises:
        UserError: if it is not UTF-8, an entry has no end, or two have the same key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}; save the file as UTF-8") from None
    entries: dict[str, str] = {}
    end = 0
    for match in _ENTRY.finditer(text):
        _refuse_text(path, text, end, match.start())
        if match["key"] in entries:
            raise UserError(f"{path}: two entries have the key {match['key']!r}; give one another key")
        if "\n@" in match[0]:
            raise UserError(f"{path}: {match['key']}: no closing brace at the start of a line; end the entry with one")
        entries[match["key"]] = match[0]
        end = match.end()
    _refuse_text(path, text, end, len(text))
    return entries


def _refuse_text(path: Path, text: str, start: int, end: int) -> None:
    """Refuse what stands between two entries and is no comment."""
    for line in text[start:end].splitlines():
        if line.strip() and not line.startswith("%"):
            number = text[: text.index(line, start)].count("\n") + 1
            raise UserError(f"{path}:{number}: {line.strip()[:40]!r} is no part of an entry; see docs/add-a-task.md")


def check(named: Mapping[str, Iterable[str]], entries: Mapping[str, str]) -> None:
    """Refuse a key of an entry that there is not.

    Args:
        named: the keys by what names them, such as ``task xnli``.
        entries: by key.

    Raises:
        UserError: with the key that is most like it.
    """
    for place, keys in named.items():
        for key in keys:
            if key not in entries:
                raise UserError(f"{place}: bibtex: {FILE} has no entry {key!r}; {suggestion(key, entries)}")
