"""Exact match and F1 of MLQA, after its official script (mlqa_evaluation_v1.py, Lewis et al. 2020).

The language is that of the context, which is the answer's. Punctuation is Unicode's, articles are the language's, and
Chinese is compared by characters.
"""

import re
import string
import unicodedata
from collections.abc import Sequence

from xstilts.errors import UserError
from xstilts.metrics.squad import overlap

# Patterns of what is removed. In Arabic it is these two letters wherever they stand, within words too: the script's
# other alternative asks for the start of the text behind a white space and never matches.
_ARTICLES = {
    language: re.compile(pattern)
    for language, pattern in {
        "ar": "ال",
        "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
        "en": r"\b(a|an|the)\b",
        "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
        "vi": r"\b(của|là|cái|chiếc|những)\b",
    }.items()
}
_WITHOUT_ARTICLES = ("hi", "zh")
_CHINESE_CHARACTER = re.compile("([\u4e00-\u9fa5])")


def normalise(text: str, language: str) -> str:
    """Return the text in lower case, without punctuation and the language's articles, words separated by a space.

    Raises:
        UserError: if MLQA has no rules for the language.
    """
    if language not in _ARTICLES and language not in _WITHOUT_ARTICLES:
        known = ", ".join(sorted([*_ARTICLES, *_WITHOUT_ARTICLES]))
        raise UserError(f"language {language!r}: MLQA has rules for {known} only; score other languages by SQuAD's")
    text = "".join(character for character in text.lower() if not _is_punctuation(character))
    if language in _ARTICLES:
        text = _ARTICLES[language].sub(" ", text)
    if language == "zh":
        text = _CHINESE_CHARACTER.sub(r" \1 ", text)
    return " ".join(text.split())


def exact_match(prediction: str, answers: Sequence[str], language: str) -> float:
    """Return 1 if the prediction equals one of the answers after normalisation, else 0."""
    return float(normalise(prediction, language) in {normalise(answer, language) for answer in answers})


def f1(prediction: str, answers: Sequence[str], language: str) -> float:
    """Return the best F1 (0 to 1) over the answers, of the overlap of words, in Chinese of characters."""
    predicted = normalise(prediction, language).split()
    return max((overlap(predicted, normalise(answer, language).split()) for answer in answers), default=0.0)


def _is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")
