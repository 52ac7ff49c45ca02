"""The seven languages: their features stand in ``registry/miniature.yaml``, their words are made from a seed.

Every concept has a word in every language. Words of two languages are never the same, but for cognates, digits and
punctuation: names too have forms of their own, as Wien is Vienna, so that no name gives itself away. Each language has
a few words with two meanings, which are other ones than in Toy English.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from xstilts import schema
from xstilts.data.sources.miniature import concepts

# consonants and vowels by script; a language takes some of the consonants
_LETTERS = {
    "Latn": ("bdfghjklmnprstvwxyz", "aeiou"),
    "Geor": ("ბგდვზთკლმნპჟრსტფქღყშჩ", "აეიოუ"),
    "Armn": ("բգդզթժլխկհձմյնշպջստրփք", "աեիոէը"),
}
_CONSONANTS = 12
CASES = ("place", "goal", "agent")
_SUFFIXES = ("manner", "doer")
# pairs of classes whose words may be one: how many pairs of words in a language
_HOMOGRAPHS = (
    (concepts.OBJECTS, concepts.TRANSITIVE + concepts.SOCIAL, 2),
    (concepts.OBJECTS, concepts.QUALITIES, 2),
    (concepts.PLACES, concepts.STATES, 1),
    (concepts.PLACES, concepts.MOTION + concepts.REST, 1),
)


@dataclass(frozen=True)
class Facts:
    """One row of the feature table; see ``registry/miniature.yaml``."""

    name: str
    family: str
    script: str
    word_order: str
    text: bool
    cognates: float
    adjective: str
    articles: bool
    cases: bool
    capitals: bool
    distance: int


@dataclass(frozen=True, eq=False)
class Language:
    """A language of one world.

    Attributes:
        code: its code.
        facts: its features.
        forms: its word for each key: a concept, with ``|case`` behind it where the language has cases, and with ``+``
            before it where it goes on with a name.
        shared: the concepts whose words are Toy English's own.
    """

    code: str
    facts: Facts
    forms: Mapping[str, str]
    shared: frozenset[str]


class _Forms(dict):
    """Words by key; those with suffixes are made when they are first asked for."""

    def __init__(self, words: Mapping[str, str], suffixes: Mapping[str, str], english: bool) -> None:
        super().__init__(words)
        self._suffixes, self._english = suffixes, english

    def __missing__(self, key: str) -> str:
        base, _, case = key.removeprefix("+").partition("|")
        stem, _, suffix = base.partition("~")
        word = self[stem]
        if suffix:
            word = _english(word, suffix) if self._english else word + self._suffixes[suffix]
        self[key] = word + self._suffixes[case] if case else word
        return self[key]


def _english(word: str, suffix: str) -> str:
    """Return a word made from another one as English does it: happily, helper."""
    if suffix == "doer":
        return word.removesuffix("ed") + "er"
    return word.removesuffix("y") + "ily" if word.endswith("y") else word + "ly"


@cache
def table() -> dict[str, Facts]:
    """Return the feature table by code."""
    path = schema.REGISTRY / "miniature.yaml"
    rows = schema.check(schema.read_yaml(path), "miniature.yaml", str(path))
    return {code: Facts(**row) for code, row in rows.items()}


@cache
def languages(seed: int) -> dict[str, Language]:
    """Return the languages of a world by code, the source language first."""
    rng = random.Random(f"languages {seed}")
    english = {word: concepts.PHRASES.get(word, word.partition("/")[0]) for word in _vocabulary()}
    taken = {word.lower() for word in english.values()}
    found = {}
    for code, facts in table().items():
        if facts.cognates == 1:
            found[code] = Language(code, facts, _Forms({**english, **_same()}, {}, english=True), frozenset(english))
        else:
            found[code] = _made(code, facts, english, taken, rng)
    return found


def _vocabulary() -> list[str]:
    names = (*concepts.NAMES, *concepts.HOUSES)
    return [*concepts.CONTENT, *names, *concepts.FUNCTION, *concepts.PHRASES]


def _same() -> dict[str, str]:
    """Return the words that are the same in every language: digits and punctuation."""
    return {word: word for word in (*concepts.HOURS, ".", "?", ",")}


def _made(code: str, facts: Facts, english: Mapping[str, str], taken: set[str], rng: random.Random) -> Language:
    consonants, vowels = _LETTERS[facts.script]
    consonants = "".join(rng.sample(consonants, _CONSONANTS))

    def new(least: int, most: int) -> str:
        while True:
            syllables = rng.randint(least, most)
            word = "".join(rng.choice(consonants) + rng.choice(vowels) for _ in range(syllables))
            word += rng.choice(consonants) if rng.random() < 0.5 else ""
            if word not in taken:
                taken.add(word)
                return word

    shared = frozenset(rng.sample(concepts.CONTENT, round(facts.cognates * len(concepts.CONTENT))))
    words = {word: english[word] if word in shared else new(*_length(word)) for word in english}
    for word in concepts.NAMES if facts.capitals else ():
        words[word] = words[word].capitalize()
    words |= {short: words[short.partition("/")[0]] for short in concepts.SHORT.values()}
    for nouns, others, count in _HOMOGRAPHS:
        pairs = zip(
            *(rng.sample([word for word in side if word not in shared], count) for side in (nouns, others)), strict=True
        )
        words |= {noun: words[other] for noun, other in pairs}
    suffixes = {suffix: new(1, 1) for suffix in (*_SUFFIXES, *CASES)}
    return Language(code, facts, _Forms({**words, **_same()}, suffixes, english=False), shared)


def _length(word: str) -> tuple[int, int]:
    """Return how many syllables a word may have: those that are used most are short."""
    return (1, 2) if word in concepts.FUNCTION or word in concepts.PHRASES else (2, 3)
