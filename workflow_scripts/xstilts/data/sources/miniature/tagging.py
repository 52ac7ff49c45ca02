"""Files of the tasks that tag words: parts of speech, names, and the categories of a categorial grammar."""

from collections.abc import Callable, Iterator, Sequence

from xstilts.data.sources.miniature.concepts import CITIES, HOUSES, MOTION, NAMES, REST, SOCIAL, TAGS, TRANSFER
from xstilts.data.sources.miniature.maker import Maker
from xstilts.data.sources.miniature.rules import feeling, moving_event
from xstilts.data.sources.miniature.wording import Being, Clause, Joined, Sentence, keys_of, mark_of, words
from xstilts.data.sources.miniature.world import Event, Teller

UDPOS_ROWS = {"train": 2000, "dev": 200, "test": 400}
PANX_ROWS = {"train": 2000, "dev": 200, "test": 400}
CCG_ROWS = {"train": 2000, "dev": 200}
_UNSEEN = 0.15
Tagger = Callable[[Sequence[str]], list[str]]


def udpos(maker: Maker, split: str, language: str) -> str:
    """Write a file in XTREME's layout.

    Training data are made of half of the words; the others, and words with suffixes that are in no text either, are in
    what is scored.
    """
    return _columns(maker, language, _distinct(_varied_sentences(maker, "udpos", split), UDPOS_ROWS[split]), _parts)


def panx(maker: Maker, split: str, language: str) -> str:
    """Write a file in XTREME's layout: sentences with names, of which half are in the training data."""
    named = (sentence for sentence in _varied_sentences(maker, "panx", split) if _has_name(sentence))
    return _columns(maker, language, _distinct(named, PANX_ROWS[split]), _names)


def ccg(maker: Maker, split: str) -> str:
    """Write a file of the Parallel Meaning Bank: seven columns, of which the fifth has the category."""
    language = maker.language("en")
    found = []
    for sentence in _distinct(_varied_sentences(maker, "ccg", split), CCG_ROWS[split]):
        keys = (*keys_of(language, sentence), mark_of(sentence))
        rows = zip(words(language, keys), categories(keys), strict=True)
        found.append("".join(f"{word}\t{word}\tO\tO\t{category}\tO\tO\n" for word, category in rows))
    return "\n".join(found)


def _columns(maker: Maker, code: str, sentences: Iterator[Sentence], tagger: Tagger) -> str:
    language = maker.language(code)
    found = []
    for sentence in sentences:
        keys = (*keys_of(language, sentence), mark_of(sentence))
        found.append("".join(f"{word}\t{tag}\n" for word, tag in zip(words(language, keys), tagger(keys), strict=True)))
    return "\n".join(found)


def _distinct(sentences: Iterator[Sentence], rows: int) -> Iterator[Sentence]:
    seen: set[Sentence] = set()
    for sentence in sentences:
        if sentence not in seen:
            seen.add(sentence)
            yield sentence
        if len(seen) == rows:
            return


def _varied_sentences(maker: Maker, stream: str, split: str) -> Iterator[Sentence]:
    """Yield sentences of all kinds; those for training are of the words that are learnt."""
    teller = maker.teller(stream, split)
    learning = split == "train"
    if learning:
        teller = Teller(teller.world.only(maker.learnt), teller.parts, teller.rng)
    while True:
        yield _sentence(teller, learning)


def _sentence(teller: Teller, learning: bool) -> Sentence:
    rng = teller.rng
    kind = rng.random()
    if kind < 0.15:
        event = moving_event(teller)
        rule = feeling(teller, teller.stated(event, 0.3))
        return Joined(rule.effect, "because", rule.cause) if kind < 0.08 else Joined(rule.cause, "so", rule.effect)
    if kind < 0.25:
        one, other = _draw_event(teller, learning), _draw_event(teller, learning)
        return Joined(Clause(one), rng.choice(("and", "before", "after")), Clause(other))
    event = _draw_event(teller, learning)._replace(negated=rng.random() < 0.1)
    asked = "place" if event.place else "time"
    if kind < 0.35 and event.patient and getattr(event, asked):
        # what is asked for is not told; of who does what to what, all is, or the sentence could be one of another part
        return Clause(event._replace(mood=None), asked=asked)
    passive = event.patient is not None and event.mood is None and rng.random() < 0.3
    front = rng.choice(("place", "time")) if rng.random() < 0.2 else ""
    return Clause(event, passive, front)


def _draw_event(teller: Teller, learning: bool) -> Event:
    event = teller.stated(teller.event(), 0.7)
    if learning:
        return event
    rng, world = teller.rng, teller.world
    if rng.random() < _UNSEEN:
        event = event._replace(manner=world.draw("manner", "unseen", rng))
    if event.verb in SOCIAL and rng.random() < 2 * _UNSEEN:
        event = event._replace(patient=world.draw("doer", "unseen", rng))
    return teller.varied(event)


def _has_name(sentence: Sentence) -> bool:
    if isinstance(sentence, Joined):
        return _has_name(sentence.one) or _has_name(sentence.other)
    nouns: Sequence[str | None] = ()
    if isinstance(sentence, Being):
        nouns = (sentence.noun,)
    elif isinstance(sentence, Clause):
        nouns = sentence.event[:5]
    return any(noun is not None and noun.split(" ")[0] in NAMES for noun in nouns)


def _parts(keys: Sequence[str]) -> list[str]:
    return [TAGS[_concept(key)] for key in keys]


def _concept(key: str) -> str:
    return key.removeprefix("+").partition("|")[0]


def _names(keys: Sequence[str]) -> list[str]:
    """Return the tags of names: a name of several words is what its last word is."""
    tags: list[str] = []
    for place, key in enumerate(keys):
        if key.startswith("+"):
            tags.append(f"I-{tags[-1][2:]}")
        elif TAGS[_concept(key)] == "PROPN":
            last = place
            while last + 1 < len(keys) and keys[last + 1].startswith("+"):
                last += 1
            word = _concept(keys[last])
            company = word in HOUSES or word.endswith("/company")
            tags.append("B-ORG" if company else "B-LOC" if word in CITIES else "B-PER")
        else:
            tags.append("O")
    return tags


_VERB = "S[dcl]\\NP"
_PASSIVE = "S[pss]\\NP"
# what a verb takes behind its subject
_TAKES = {
    **{verb: ("/PP",) for verb in MOTION},
    **{verb: ("/PP", "/NP") for verb in TRANSFER},
    **dict.fromkeys(REST, ()),
}
_CATEGORIES = {
    "ADV": "(S\\NP)\\(S\\NP)",
    "PUNCT": ".",
    "NUM": "NP",
    "DET": "NP/N",
    "NOUN": "N",
    "PROPN": "NP",
    "CCONJ": "conj",
    "SCONJ": "(S\\S)/S",
}
_WORDS = {
    "never": "(S\\NP)/(S\\NP)",
    "not": "(S[adj]\\NP)/(S[adj]\\NP)",
    **dict.fromkeys(("where", "when"), "S[wq]/S[q]"),
}


def categories(keys: Sequence[str]) -> list[str]:
    """Return the categories of a sentence in Toy English."""
    found = []
    for place, key in enumerate(keys):
        word, tag = _concept(key), TAGS[_concept(key)]
        before = [_concept(other) for other in keys[max(place - 2, 0) : place]]
        following = keys[place + 1] if place + 1 < len(keys) else "."
        if word in _WORDS:
            found.append(_WORDS[word])
        elif tag == "ADJ":
            found.append("N/N" if TAGS[_concept(following)] == "NOUN" else "S[adj]\\NP")
        elif tag == "AUX":
            found.append(_auxiliary(word, asking="where" in before or "when" in before))
        elif tag == "VERB":
            found.append(_verb(word, passive="was" in before))
        elif tag == "ADP":
            found.append(_preposition(word, first=place == 0))
        elif following.startswith("+"):
            found.append("NP/NP")
        else:
            found.append(_CATEGORIES[tag])
    return found


def _auxiliary(word: str, asking: bool) -> str:
    if asking:
        return f"(S[q]/({_PASSIVE}))/NP"
    return f"({_VERB})/({_PASSIVE})" if word == "was" else f"({_VERB})/(S[adj]\\NP)"


def _verb(word: str, passive: bool) -> str:
    takes = _TAKES.get(word, ("/NP",))
    category = _PASSIVE if passive else _VERB
    for argument in (part for part in takes if not (passive and part == "/NP")):
        category = f"({category}){argument}"
    return category


def _preposition(word: str, first: bool) -> str:
    if word == "to":
        return "PP/NP"
    return "(S/S)/NP" if first else "((S\\NP)\\(S\\NP))/NP"
