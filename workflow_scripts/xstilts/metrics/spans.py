"""Spans of tags, by the rules of seqeval 0.0.12, which XTREME's published numbers come from.

A tag is read as a letter and a type: for ``B-PER`` the letter B and the type PER; a tag without ``-``, such as a part
of speech, has its first letter and its whole self as type (so CCONJ and SCONJ are different types, which seqeval 1.2.2
confuses). The default mode is lenient: I- without a B- before it opens a span. Neighbouring equal parts of speech merge
into one span, but for those whose first letter is one of the chunk letters S, E and B.
"""

from collections.abc import Sequence

_NOTHING = ("O", "O")


def spans(tags: Sequence[str]) -> set[tuple[str, int, int]]:
    """Return the spans of a sentence as (type, first word, last word)."""
    spans_of_tags = set()
    before, begin = _NOTHING, 0
    for index, tag in enumerate([*tags, "O"]):
        this = (tag[0], tag.rsplit("-", 1)[-1])
        if _ends(before, this):
            spans_of_tags.add((before[1], begin, index - 1))
        if _starts(before, this):
            begin = index
        before = this
    return spans_of_tags


def _ends(before: tuple[str, str], this: tuple[str, str]) -> bool:
    """Tell whether a span ends between two neighbouring tags."""
    if before[0] in "ES" or (before[0] in "BI" and this[0] in "BSO"):
        return True
    return before[0] not in "O." and before[1] != this[1]


def _starts(before: tuple[str, str], this: tuple[str, str]) -> bool:
    """Tell whether a span starts between two neighbouring tags."""
    if this[0] in "BS" or (before[0] in "ESO" and this[0] in "EI"):
        return True
    return this[0] not in "O." and before[1] != this[1]
