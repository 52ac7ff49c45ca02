"""What the forms ask of a raw value."""

from typing import Any


def text(record: dict[str, Any], field: str) -> str:
    """Return a field that must be text.

    Raises:
        ValueError: if it is missing, is not text or holds a NUL character.
    """
    value = record.get(field)
    if not isinstance(value, str):
        raise ValueError(f"{field} is not text but {value!r:.60}")
    if "\0" in value:
        raise ValueError(f"{field} holds a NUL character")
    return value


def filled(record: dict[str, Any], field: str) -> str:
    """Return a field that must be text and not empty.

    Raises:
        ValueError: as ``text``, or if there is nothing in it.
    """
    value = text(record, field)
    if not value.strip():
        raise ValueError(f"{field} is empty")
    return value
