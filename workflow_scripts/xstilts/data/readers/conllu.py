"""CoNLL-U, the format of Universal Dependencies, read as XTREME reads it for part-of-speech tagging.

XTREME converts CoNLL-U with ``ud-conversion-tools`` (``scripts/download_data.sh`` of google-research/xtreme: options
``--replace_subtokens_with_fused_forms --print_fused_forms``) and takes form and universal tag in
``utils_preprocess.py`` (``udpos_preprocess``). What that does, and this reader too:

- A multi-word token (id ``3-4``) stands as one word, under its fused form. Its tag is that of its head: the word of
  the range with the fewest ancestors in the graph of basic and enhanced dependencies; among equals the one whose tag
  is first in a list of precedence (``_choose_spanhead_from_heuristics``). Lists differ for Spanish, French and
  Italian; the language is what the file's name begins with, as in ``es_gsd-ud-test.conllu``.
- Empty nodes (id ``5.1``) are no words.
- Zero-width non-joiners and spaces are removed from forms.
- A sentence whose words are hidden is left out: all forms or all but one are ``_``, as in treebanks without their
  text. The log names the number.

In one thing this reader goes on where XTREME's conversion ends with an error: tags that a list of precedence lacks
come after those in it, in the order of the sentence.
"""

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from xstilts.data.readers.text import numbered_lines, short
from xstilts.errors import UserError

log = logging.getLogger(__name__)

# POSRANKPRECEDENCEDICT of ud-conversion-tools, conllu_to_conll.py, in the copy that is part of XTREME
_PRECEDENCE = {
    "es": "VERB AUX PRON ADP DET",
    "fr": "VERB AUX PRON NOUN ADJ ADV ADP DET PART SCONJ CONJ",
    "it": "VERB AUX ADV PRON ADP DET INTJ",
}
_PRECEDENCE_ELSEWHERE = "VERB NOUN PROPN PRON ADJ NUM ADV INTJ AUX ADP DET PART CCONJ SCONJ X PUNCT"
_COLUMNS = 10
_IDENTITY, _FORM, _TAG, _HEAD, _ENHANCED = 0, 1, 3, 6, 8
_RANGE = re.compile(r"([1-9][0-9]{0,8})-([1-9][0-9]{0,8})")
_EMPTY_NODE = re.compile(r"([0-9]{1,9})\.[1-9][0-9]{0,8}")
_HIDDEN = "_"
_ZERO_WIDTH_NON_JOINER = "\u200c"


def read_conllu(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, list[str]]]:
    """Yield the sentences of CoNLL-U files as ``words`` and ``tags`` (UPOS); see the module for fused forms."""
    for path in paths:
        language = re.split("[^a-z]", path.name, maxsplit=1)[0]
        precedence = _PRECEDENCE.get(language, _PRECEDENCE_ELSEWHERE).split()
        hidden = 0
        for words, fused in _sentences(path):
            pairs = [(cells[_FORM], cells[_TAG]) for cells in words]
            for first, last, form in reversed(fused):
                head = _head(words, range(first, last + 1), precedence)
                pairs[first - 1 : last] = [(form, words[head - 1][_TAG])]
            without = sum(form == _HIDDEN for form, _ in pairs)
            if without and without >= len(pairs) - 1:
                hidden += 1
                continue
            yield {"words": [form for form, _ in pairs], "tags": [tag for _, tag in pairs]}
        if hidden:
            log.warning("%s: %d sentences without their text (%s) are left out, as in XTREME", path, hidden, _HIDDEN)


def _sentences(path: Path) -> Iterator[tuple[list[list[str]], list[tuple[int, int, str]]]]:
    """Yield each sentence: the cells of its words, and its fused forms with the first and the last word of each."""
    words: list[list[str]] = []
    fused: list[tuple[int, int, str]] = []
    number = 0
    for number, line in numbered_lines(path):
        if line.startswith("#"):
            continue
        if line.strip(" "):
            _take(line, words, fused, f"{path}:{number}")
            continue
        _check_end(words, fused, f"{path}:{number}")
        if words:
            yield words, fused
        words, fused = [], []
    _check_end(words, fused, f"{path}:{number}")
    if words:
        yield words, fused


def _take(line: str, words: list[list[str]], fused: list[tuple[int, int, str]], place: str) -> None:
    """Add a line to the words of its sentence or to its fused forms."""
    cells = line.split("\t")
    if len(cells) != _COLUMNS:
        raise UserError(f"{place}: {len(cells)} columns where CoNLL-U has {_COLUMNS}: {short(line)}")
    cells[_FORM] = cells[_FORM].strip().replace(_ZERO_WIDTH_NON_JOINER, "").replace(" ", "")
    if not cells[_FORM] or not cells[_TAG]:
        raise UserError(f"{place}: no {'tag' if cells[_FORM] else 'form'}: {short(line)}")
    following = len(words) + 1
    if cells[_IDENTITY] == str(following):
        words.append(cells)
    elif (found := _RANGE.fullmatch(cells[_IDENTITY])) and int(found[1]) == following < int(found[2]):
        if fused and fused[-1][1] >= following:
            raise UserError(f"{place}: the multi-word token {cells[_IDENTITY]} overlaps the one before it")
        fused.append((following, int(found[2]), cells[_FORM]))
    elif not ((found := _EMPTY_NODE.fullmatch(cells[_IDENTITY])) and int(found[1]) == len(words)):
        raise UserError(f"{place}: id {short(cells[_IDENTITY])} where word {following} belongs; are lines missing?")


def _check_end(words: Sequence[Sequence[str]], fused: Sequence[tuple[int, int, str]], place: str) -> None:
    if fused and fused[-1][1] > len(words):
        first, last, _ = fused[-1]
        raise UserError(f"{place}: the multi-word token {first}-{last} goes beyond its sentence of {len(words)} words")


def _head(words: Sequence[Sequence[str]], span: range, precedence: Sequence[str]) -> int:
    """Return the number of the word whose tag a fused form takes; see the module."""
    heads = {cells[_IDENTITY]: _heads(cells) for cells in words}
    depths = {number: len(_ancestors(str(number), heads)) for number in span}
    highest = [number for number in span if depths[number] == min(depths.values())]
    if len(highest) == 1:
        return highest[0]
    ranks = {tag: rank for rank, tag in enumerate(precedence)}
    return min(highest, key=lambda number: ranks.get(words[number - 1][_TAG], len(ranks)))


def _heads(cells: Sequence[str]) -> list[str]:
    """Return the heads of a word, basic and enhanced; empty nodes are none."""
    enhanced = [dependency.partition(":")[0] for dependency in cells[_ENHANCED].split("|")]
    return [head for head in (cells[_HEAD], *enhanced) if head.isdecimal()]


def _ancestors(node: str, heads: Mapping[str, Sequence[str]]) -> set[str]:
    """Return all from which a word can be reached; a graph of enhanced dependencies may have cycles."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        for head in heads.get(waiting.pop(), ()):
            if head not in found:
                found.add(head)
                waiting.append(head)
    return found - {node}
