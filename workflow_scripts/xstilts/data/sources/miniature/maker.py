"""What a writer of files has at hand: a world, its languages, and a random generator for each data set and split."""

import random
from dataclasses import dataclass, replace
from functools import cache, cached_property

from xstilts.data.sources.miniature import concepts
from xstilts.data.sources.miniature.languages import Language, languages
from xstilts.data.sources.miniature.wording import Sentence, say
from xstilts.data.sources.miniature.world import DEV, TEST, TRAIN, Event, Teller, World, world
from xstilts.references import SOURCE_LANGUAGE

# share of the rules about causes that is in training data
_KNOWN = 0.75
PARTS = {"train": TRAIN, "dev": DEV, "test": TEST}


@dataclass(frozen=True)
class Maker:
    """Makes the files of one world.

    The random generator of a data set and split is the same in every language: what is parallel there is so here.
    """

    seed: int

    @property
    def world(self) -> World:
        """The world."""
        return world(self.seed)

    def language(self, code: str) -> Language:
        """Return a language of the world."""
        return languages(self.seed)[code]

    def rng(self, stream: str) -> random.Random:
        """Return the random generator of a stream."""
        return random.Random(f"{self.seed} {stream}")

    def teller(self, stream: str, split: str) -> Teller:
        """Return what draws events of a split."""
        return Teller(self.world, PARTS[split], self.rng(f"{stream} {split}"))

    def say(self, code: str, *sentences: Sentence) -> str:
        """Return sentences in a language, as text."""
        return say(self.language(code), sentences)

    @cached_property
    def learnt(self) -> frozenset[str]:
        """The half of the words, and all of what companies are called, that training data for tagging are made of."""
        rng = self.rng("learnt")
        groups = (
            concepts.PROFESSIONS,
            concepts.PERSONS,
            concepts.SURNAMES,
            concepts.CITIES,
            concepts.OBJECTS,
            concepts.PLACES,
            concepts.TIMES,
            concepts.COLOURS,
            concepts.QUALITIES,
            concepts.STATES,
            concepts.TRANSITIVE,
            concepts.SOCIAL,
            concepts.TRANSFER,
            concepts.MOTION,
            concepts.REST,
            concepts.TEXT_MANNERS,
            concepts.TEXT_DOERS,
        )
        chosen = [word for group in groups for word in rng.sample(group, (len(group) + 1) // 2)]
        return frozenset((*chosen, *concepts.HOUSES, *concepts.HOURS))

    @cached_property
    def known_rules(self) -> frozenset[str]:
        """The verbs and states whose rules are in the training data about causes; the others are in text only."""
        rng = self.rng("rules")
        groups = (concepts.TRANSITIVE, concepts.SOCIAL, concepts.TRANSFER, concepts.STATES)
        return frozenset(word for group in groups for word in rng.sample(group, round(_KNOWN * len(group))))

    def plain(self, teller: Teller, codes: tuple[str, ...]) -> Event:
        """Return an event without names, hours, and words that these languages share: nothing to be found by its form.

        Nor is one of its words told apart by an article alone, or a synonym of a word that is shared.
        """
        words, world = self._unshared(codes)
        teller = replace(teller, world=world)
        while True:
            event = teller.varied(teller.stated(teller.event(), 0.9))._replace(hour=None, article="the")
            if words.issuperset(event.words()):
                return event

    @cache  # noqa: B019 (makers are few)
    def _unshared(self, codes: tuple[str, ...]) -> tuple[frozenset[str], World]:
        """Return the words that these languages do not share, without names, and the world of these words."""
        shared = frozenset().union(*(self.language(code).shared for code in codes if code != SOURCE_LANGUAGE))
        shared |= {word for word, other in concepts.SYNONYMS.items() if other in shared}
        words = frozenset((*concepts.CONTENT, *concepts.MANNERS, *concepts.DOERS)) - shared
        return words, self.world.only(words)
