"""Formats of annotated words: column files, CoNLL with comments, Universal NER, and CCGbank's derivations."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from xstilts.data.readers.plain import without_last, wrong_width
from xstilts.data.readers.text import numbered_lines, short
from xstilts.errors import UserError

_TAGGED = ("words", "tags")


def read_tagged(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, list[str]]]:
    """Yield the sentences of files with a word a line, columns with tabs between; an empty line ends a sentence.

    The row has a list for each column, under the names in ``header`` (by default ``words`` and ``tags``). Every line
    is a word: where words may be ``#``, there are no comments. A file may lack the last column, in all of its lines:
    then its rows lack it.
    """
    for path in paths:
        names = header or _TAGGED
        first = next((line for _, line in numbered_lines(path) if line.strip(" ")), "")
        yield from _sentences(path, numbered_lines(path), without_last(names, first.split("\t")))


def read_tagged_by_space(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, list[str]]]:
    """Yield the sentences of files as ``tagged``, but with one space between columns, as CoNLL-2003 and MasakhaNER."""
    for path in paths:
        lines = numbered_lines(path)
        yield from _sentences(path, lines, header or _TAGGED, " ")


def read_conll(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, list[str]]]:
    """Yield the sentences of CoNLL-like files: as ``tagged``, but with comments, and ``header`` must name all columns.

    A comment is a line whose first cell begins with ``#`` and has a space in it or is all there is, so that the word
    ``#`` stays a word. The Parallel Meaning Bank 4.0.0 has such files: seven columns (token twice, symbol, semantic
    tag, CCG category, sense, roles); every token has a category; a space within a token is ``~``; a document may have
    several sentences, each with a comment ``# raw sent``.
    """
    for path in paths:
        if header is None:
            raise UserError(f"{path}: the reader conll needs the names of all columns: give the source a `header`")
        lines = ((number, line) for number, line in numbered_lines(path) if not _is_comment(line))
        yield from _sentences(path, lines, header)


def read_uner(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, list[str]]]:
    """Yield the sentences of Universal NER's files (IOB2) as ``words`` and ``tags``.

    A line has number, word, tag, and often what annotators left beside it; a line that begins with ``#`` is a comment.
    Tags of other entities (``OTH``) and ``B-O`` count as ``O``, as in ``prepare_data.py`` of UniversalNER/uner_code.
    """
    for path in paths:
        yield from _sentences(path, _words_of_uner(path), _TAGGED)


def _words_of_uner(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in numbered_lines(path):
        cells = line.split("\t")
        if line.startswith("#"):
            continue
        if line.strip(" \t") and len(cells) < 3:
            raise UserError(f"{path}:{number}: not a number, a word and a tag: {short(line)}")
        if line.strip(" \t"):
            _, word, tag, *_ = cells
            yield number, f"{word}\t{'O' if 'OTH' in tag or tag == 'B-O' else tag}"
        else:
            yield number, ""


def _is_comment(line: str) -> bool:
    if not line.startswith("#"):
        return False
    first, tab, _ = line.partition("\t")
    return not tab or " " in first


def _sentences(
    path: Path, lines: Iterable[tuple[int, str]], names: Sequence[str], separator: str = "\t"
) -> Iterator[dict[str, list[str]]]:
    """Yield the columns of each block of lines; a line of spaces alone counts as empty."""
    words: list[list[str]] = []
    for number, line in lines:
        if line.strip(" "):
            cells = line.split(separator)
            if len(cells) != len(names):
                raise UserError(wrong_width(path, number, cells, names))
            if "" in cells:
                raise UserError(f"{path}:{number}: no {names[cells.index('')]}: {short(line)}")
            words.append(cells)
        elif words:
            yield _columns(words, names)
            words = []
    if words:
        yield _columns(words, names)


def _columns(words: list[list[str]], names: Sequence[str]) -> dict[str, list[str]]:
    return {name: list(column) for name, column in zip(names, zip(*words, strict=True), strict=True)}


# CCGbank manual (Hockenmaier and Steedman 2005, LDC2005T13), D.2: leaf <L category POS POS word predicate-argument
# category>, inner node <T category head daughters>
_LEAF = re.compile(r"\(<L (\S+) \S+ \S+ (\S+) \S+>\)")
_NODE = re.compile(r"\(<T \S+ [01] [12]>")


def read_ccg_auto(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, list[str]]]:
    """Yield words and tags (CCG categories) of files in CCGbank's AUTO format.

    A line that begins with ``ID=`` is followed by one line with its derivation. Words are as the file has them, with
    the Penn Treebank's brackets (``-LRB-``). Source: the manual of LDC2005T13, section D.2.
    """
    for path in paths:
        title: int | None = None
        for number, line in numbered_lines(path):
            if line.startswith("ID=") != (title is None):
                belongs = "a line that begins with ID=" if title is None else f"the derivation of line {title}"
                raise UserError(f"{path}:{number}: {belongs} belongs here, not {short(line)}")
            if title is None:
                title = number
                continue
            title = None
            leaves = _LEAF.findall(line)
            if not leaves or not _is_tree(line):
                raise UserError(f"{path}:{number}: not a derivation in AUTO's format: {short(line)}; is it truncated?")
            yield {"words": [word for _, word in leaves], "tags": [category for category, _ in leaves]}
        if title is not None:
            raise UserError(f"{path}:{title}: no derivation follows; is the file truncated?")


def _is_tree(line: str) -> bool:
    """Return whether a line is one derivation: nothing but nodes, whose brackets close at its end and not before."""
    brackets = _NODE.sub("(", _LEAF.sub("()", line)).replace(" ", "")
    depth = 0
    for place, bracket in enumerate(brackets, 1):
        if bracket not in "()":
            return False
        depth += 1 if bracket == "(" else -1
        if depth < 1 and place < len(brackets):
            return False
    return depth == 0
