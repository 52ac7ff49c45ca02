"""What there is in the miniature world. A concept is named by its Toy English word.

Two concepts with the same English word (an orange, and orange as a colour) are told apart by what follows a slash.
Synonyms are concepts of their own, which mean the same.
"""

PROFESSIONS = ("baker", "farmer", "teacher", "nurse", "sailor", "tailor", "hunter", "painter")
PERSONS = ("Mira", "Anton", "Clara", "Boris", "Dora", "Felix", "Greta", "Hugo", "Irma", "Jonas")
SURNAMES = ("Marlow", "Kessler", "Tobin", "Ashby", "Norwood", "Pryce", "Sutter", "Lindqvist")
CITIES = ("Halden", "Eldham", "Fenwick", "Korvale", "Istra", "Lunden", "Brackwater", "Tamsin")
HOUSES = ("mill", "bank", "press", "guild")
# companies are called after people and cities, and now and then by that name alone
COMPANIES = tuple(f"{owner} {house}" for owner, house in zip((*SURNAMES[::2], *CITIES[::2]), HOUSES * 2, strict=True))
SHORT = {company: f"{company.split(' ')[0]}/company" for company in COMPANIES}
CATEGORIES = {
    "tool": ("hammer", "rope", "brush", "needle"), "food": ("bread", "cheese", "soup", "orange"),
    "garment": ("coat", "hat", "shirt", "shoe"), "animal": ("dog", "goat", "horse", "dove"),
    "furnishing": ("table", "chair", "bed", "light"), "vehicle": ("cart", "boat", "sled", "wagon"),
    "toy": ("drum", "doll", "ball", "kite"),
}  # fmt: skip
OBJECTS = tuple(thing for things in CATEGORIES.values() for thing in things)
CATEGORY_OF = {thing: category for category, things in CATEGORIES.items() for thing in things}
PLACES = ("market", "garden", "kitchen", "forest", "school", "harbour", "ground", "well")
TIMES = ("morning", "noon", "evening", "night", "spring", "winter")
HOURS = tuple("123456789")
COLOURS = ("red", "blue", "green", "white", "orange/colour")
_OPPOSITES = (("big", "small"), ("old", "new"), ("clean", "dirty"), ("heavy", "light/quality"), ("cheap", "dear"))
_MOODS = (("happy", "sad"), ("tired", "lively"), ("hungry", "full"), ("ill", "well/state"))
QUALITIES = tuple(word for pair in _OPPOSITES for word in pair)
STATES = tuple(word for pair in _MOODS for word in pair)
OPPOSITE = {one: other for pair in (*_OPPOSITES, *_MOODS) for one, other in (pair, pair[::-1])}

TRANSITIVE = (
    "washed", "painted", "bought", "sold", "found", "lost", "repaired", "carried", "ground/verb", "used", "built",
    "wanted",
)  # fmt: skip
SOCIAL = ("helped", "visited", "thanked", "followed", "called", "taught")
TRANSFER = ("brought", "sent", "lent")
MOTION = ("walked", "ran", "dove/verb", "travelled")
REST = ("slept", "sang", "waited", "danced")
VERBS = TRANSITIVE + SOCIAL + TRANSFER + MOTION + REST
SYNONYMS = {
    "helped": "aided", "bought": "purchased", "found": "discovered", "repaired": "fixed", "big": "large",
    "sad": "gloomy", "ill": "sick", "tired": "weary", "boat": "ship", "market": "bazaar", "evening": "dusk",
}  # fmt: skip

# words made from others by a suffix: how something is done, and who does it. The second half of each is in no text, so
# that only the suffix and the place in the sentence tell what it is.
MANNERS = tuple(f"{word}~manner" for word in ("sad", "happy", "tired", "hungry", "cheap", "clean", "heavy", "new"))
DOERS = tuple(
    f"{word}~doer" for word in ("washed", "wanted", "helped", "followed", "called", "walked", "danced", "waited")
)
TEXT_MANNERS, TEXT_DOERS = MANNERS[: len(MANNERS) // 2], DOERS[: len(DOERS) // 2]

NOUNS = (*PROFESSIONS, *OBJECTS, *PLACES, *TIMES, *CATEGORIES, "gift", "boat", "ship", "bazaar", "dusk")
ADJECTIVES = (*COLOURS, *QUALITIES, *STATES, "large", "gloomy", "sick", "weary")
ACTIONS = (*VERBS, "aided", "purchased", "discovered", "fixed")
NAMES = (*PERSONS, *SURNAMES, *CITIES, *SHORT.values())
CONTENT = tuple(dict.fromkeys((*NOUNS, *ADJECTIVES, *ACTIONS)))

_FUNCTION_TAGS = {
    "DET": ("the", "a", "every", "some", "no"), "ADP": ("in", "to", "at", "by"), "AUX": ("is", "was"),
    "PART": ("not",), "ADV": ("never", "then", "first", "where", "when", "why", "perhaps", "indeed"),
    "SCONJ": ("because", "before", "after"), "CCONJ": ("so", "and"), "PRON": ("who", "what", "whom"),
    "INTJ": ("yes", "same", "different"), "NUM": HOURS, "PUNCT": (".", "?", ","),
}  # fmt: skip
# set phrases, one word in other languages
PHRASES = {
    "no/answer": "no", "whether": "really", "cause?": "why so",
    "effect?": "what then",
}  # fmt: skip
TAGS = {
    **{word: tag for tag, words in _FUNCTION_TAGS.items() for word in words},
    **dict.fromkeys((*NOUNS, *DOERS), "NOUN"), **dict.fromkeys(ADJECTIVES, "ADJ"), **dict.fromkeys(ACTIONS, "VERB"),
    **dict.fromkeys((*NAMES, *HOUSES), "PROPN"), **dict.fromkeys(MANNERS, "ADV"),
}  # fmt: skip
FUNCTION = tuple(word for tag, words in _FUNCTION_TAGS.items() if tag not in ("NUM", "PUNCT") for word in words)
