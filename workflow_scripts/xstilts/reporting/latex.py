"""Text as LaTeX: special characters escaped, so that pdfLaTeX takes it in any font encoding."""

import re
import unicodedata

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "#": r"\#", "$": r"\$", "%": r"\%", "&": r"\&", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': "''", "`": r"\textasciigrave{}",
    "–": "--", "—": "---", "’": "'", "‘": "`", "“": "``", "”": "''", "…": r"\ldots{}",
    "−": "$-$", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "≤": r"$\leq$", "≥": r"$\geq$", "→": r"$\to$",
    "°": r"$^\circ$", "†": r"$\dagger$", "‡": r"$\ddagger$", "§": r"\S{}", "Δ": r"$\Delta$", "\u00a0": "~",
}  # fmt: skip
_LETTERS = frozenset("ßæÆøØœŒłŁåÅ")
# accents that every font encoding of LaTeX has: grave, acute, circumflex, tilde, macron, breve, dot, diaeresis, ring,
# double acute, caron, cedilla
_ACCENTS = frozenset("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327")
# a hyphen before a number that follows no word is a sign
_SIGN = re.compile(r"(?<![\w.)\]])-(?=\d)")
_PERCENT = re.compile(r"(?<=\d) %")
_QUOTED = re.compile(r"`([^`]+)`")


def escape(text: str) -> str:
    """Return text as LaTeX: a minus before a number as such, percents unbroken, words in backticks in typewriter type.

    A character that pdfLaTeX may not have becomes its code point, such as ``[U+0561]``.
    """
    parts = _QUOTED.split(_PERCENT.sub("\u00a0%", _SIGN.sub("−", text)))
    # every second part stood in backticks
    return "".join(rf"\texttt{{{_escaped(part)}}}" if index % 2 else _escaped(part) for index, part in enumerate(parts))


def _escaped(text: str) -> str:
    return "".join(map(_character, text))


def _character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character.isascii() or character in _LETTERS:
        return character
    base, *accents = list(unicodedata.normalize("NFD", character))
    if base.isascii() and base.isalpha() and len(accents) == 1 and accents[0] in _ACCENTS:
        return unicodedata.normalize("NFC", character)
    return f"{{[}}U+{ord(character):04X}{{]}}"
