"""Text as every reader takes it: UTF-8, without a byte-order mark at the start; only a line feed ends a line.

A carriage return before the line feed belongs to the line's end. Other separators (U+0085, U+2028, a lone carriage
return) are text, as they stand in the middle of real sentences. A byte-order mark within a file is text too. A NUL is
refused: no text has one, but UTF-16 taken for UTF-8 has.
"""

from collections.abc import Iterator
from pathlib import Path

from xstilts.errors import UserError

_BYTE_ORDER_MARK = "\ufeff"
_SHOWN = 60


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file without their ends, numbered from 1.

    Raises:
        UserError: if the file is not UTF-8, has a NUL or has no text.
    """
    with open(path, encoding="utf-8", newline="\n") as file:
        try:
            for number, line in enumerate(file, 1):
                if number == 1:
                    line = line.removeprefix(_BYTE_ORDER_MARK)
                    if not line:
                        raise UserError(f"{path}: empty; fetch the file anew")
                if "\0" in line:
                    raise UserError(f"{path}:{number}: a NUL character; is the file UTF-16? it must be UTF-8")
                yield number, line.removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise UserError(_wrong_encoding(path)) from None


def whole(path: Path) -> str:
    """Return the text of a file.

    Raises:
        UserError: if the file is not UTF-8.
    """
    try:
        return path.read_bytes().decode().removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError:
        raise UserError(_wrong_encoding(path)) from None


def _wrong_encoding(path: Path) -> str:
    """Return the line that names the first byte that is not UTF-8; where lines are read, errors count from a buffer."""
    try:
        path.read_bytes().decode()
    except UnicodeDecodeError as error:
        return f"{path}: not UTF-8 at byte {error.start} ({error.reason}); fetch the file anew"
    return f"{path}: changed while it was read; fetch the file anew"


def short(text: str) -> str:
    """Return the beginning of a text from a file, quoted, so that an error stays one line."""
    return repr(text if len(text) <= _SHOWN else text[:_SHOWN] + "...")
