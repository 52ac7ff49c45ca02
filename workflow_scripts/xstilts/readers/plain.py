"""Line-based formats: TSV without quoting, token and tag by column, aligned lines."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from xstilts.errors import UserError


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file; only a line feed ends a line (text has other separators in it)."""
    with open(path, encoding="utf-8", newline="\n") as file:
        for line in file:
            yield line.removesuffix("\n").removesuffix("\r")


def read_tsv(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, str]]:
    """Yield the rows of TSV files without quoting; without a header in the source, the first line is the header."""
    for path in paths:
        names = header
        for number, line in enumerate(_lines(path), 1):
            cells = line.split("\t")
            if names is None:
                names = cells
                continue
            if len(cells) != len(names):
                raise UserError(f"{path}:{number}: {len(cells)} columns where {len(names)} ({', '.join(names)}) belong")
            yield dict(zip(names, cells, strict=True))


def read_tagged(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, list[str]]]:
    """Yield the sentences of files with a token and its tag on a line; an empty line ends a sentence."""
    for path in paths:
        words: list[str] = []
        tags: list[str] = []
        for number, line in enumerate(_lines(path), 1):
            if not line.strip():
                if words:
                    yield {"words": words, "tags": tags}
                words, tags = [], []
                continue
            cells = line.split("\t")
            if len(cells) != 2 or not cells[1]:
                raise UserError(f"{path}:{number}: not a token, a tab and a tag: {line[:60]!r}")
            words.append(cells[0])
            tags.append(cells[1])
        if words:
            yield {"words": words, "tags": tags}


def read_lines(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, str]]:
    """Yield the pairs of two files with one sentence a line, which correspond line by line."""
    if len(paths) != 2:
        raise UserError(f"{paths[0]}: aligned lines need two files")
    first, second = (list(_lines(path)) for path in paths)
    if len(first) != len(second):
        raise UserError(f"{paths[0]}: {len(first)} lines, but {paths[1].name} has {len(second)}; they must correspond")
    for one, other in zip(first, second, strict=True):
        yield {"first": one, "second": other}
