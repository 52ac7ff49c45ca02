"""Text for masked language modelling: short documents, drawn for each language by itself and never parallel."""

from collections.abc import Callable, Iterator

from xstilts.data.sources.miniature import inference, paraphrase, questions, rules
from xstilts.data.sources.miniature.languages import Language
from xstilts.data.sources.miniature.wording import Being, Clause, Fragment, Joined, Led, Sentence, is_thing, say
from xstilts.data.sources.miniature.world import Teller, bearer

Document = list[Sentence]
_ANSWERS = {"entailment": "yes", "contradiction": "no/answer", "neutral": "perhaps"}


def documents(language: Language, teller: Teller, number: int) -> Iterator[str]:
    """Yield this many documents, each a line."""
    kinds, weights = zip(*_KINDS, strict=True)
    for kind in teller.rng.choices(kinds, weights, k=number):
        yield say(language, kind(teller))


def _events(teller: Teller) -> Document:
    """One to three events, all of the same person or each of its own."""
    rng = teller.rng
    first = teller.event()
    agents = (bearer(first.agent),) if rng.random() < 0.6 else None
    events = [first, *(teller.event(agents=agents) for _ in range(rng.randrange(3)))]
    stated = [teller.varied(teller.stated(event)) for event in events]
    return [_clause(teller, event) for event in stated]


def _clause(teller: Teller, event: questions.Event) -> Clause:
    rng = teller.rng
    passive = event.patient is not None and event.mood is None and rng.random() < 0.25
    front = rng.choice(("place", "time")) if rng.random() < 0.15 else ""
    return Clause(event._replace(negated=rng.random() < 0.05), passive, front)


def _causes(teller: Teller) -> Document:
    """A cause and its effect, in one order or the other, or with a question between them."""
    rng = teller.rng
    event = rules.moving_event(teller)
    rule = rules.feeling(teller, teller.stated(event, 0.2))
    if rng.random() < 0.35:
        rule = rules.reaction(teller.world, rules.felt_by(event), teller.world.feeling[event.verb])
    shape = rng.random()
    if shape < 0.4:
        return [Joined(rule.cause, "so", rule.effect)]
    if shape < 0.8:
        return [Joined(rule.effect, "because", rule.cause)]
    if shape < 0.9:
        return [rule.cause, Fragment("effect?"), rule.effect]
    return [rule.effect, Fragment("cause?"), rule.cause]


def _scripts(teller: Teller) -> Document:
    """Two to four steps of a script."""
    rng = teller.rng
    steps = rules.steps(teller.world, rng.randrange(len(teller.world.scripts)), rng.choice(rules.PEOPLE))
    first = rng.randrange(len(steps) - 1)
    stated = [Clause(event) for event in steps[first : first + rng.randint(2, len(steps))]]
    return [Led("first", stated[0]), *(Led("then", sentence) for sentence in stated[1:])]


def _questions(teller: Teller) -> Document:
    """One or two events, a question, and its answer."""
    rng = teller.rng
    stated = questions.events(teller, rng.choice((1, 2, 2)))
    asked = questions.paragraph(teller, stated, 1, brief=rng.random() < 0.5)
    (question,) = asked.questions
    preposition = {"place": "in", "time": "in", "recipient": "to"}.get(question.sentence.asked, "")
    return [*asked.context, question.sentence, Fragment(noun=question.noun, preposition=preposition)]


def _inferences(teller: Teller) -> Document:
    """An event, and questions whether something is so, with their answers."""
    rng = teller.rng
    found = inference.block(teller, 1, inference.IN_TEXT)
    first = 3 * rng.randrange(len(found) // 3)
    stated: Document = list(found[first].premise)
    for example in found[first : first + rng.randint(2, 3)]:
        stated += [Led("whether", example.hypothesis), Fragment(_ANSWERS[example.label])]
    return stated


def _paraphrases(teller: Teller) -> Document:
    """A sentence, and twice another one, with a word that tells whether they mean the same."""
    rng = teller.rng
    meanings = paraphrase.plain_meanings(teller)
    meaning, wording = rng.randrange(2), rng.randrange(2)
    stated: Document = [meanings[meaning][wording]]
    for other in (rng.randrange(2), rng.randrange(2)):
        stated += [meanings[other][1 - wording], Fragment("same" if other == meaning else "different")]
    return stated


def _facts(teller: Teller) -> Document:
    """One or two facts, or what an object or a person is like."""
    rng = teller.rng
    if rng.random() < 0.4:
        return [rules.fact(teller) for _ in range(rng.randint(1, 2))]
    event = teller.event()
    if is_thing(event.patient):
        return [Clause(event), Being(event.patient, teller.adjective(event.patient))]
    who = bearer(event.agent)
    if who not in rules.PEOPLE:
        return [Clause(event)]
    return [Clause(event), Being(event.agent, teller.world.draw("mood", who, rng))]


_KINDS: tuple[tuple[Callable[[Teller], Document], float], ...] = (
    (_events, 0.08),
    (_causes, 0.2),
    (_scripts, 0.03),
    (_questions, 0.2),
    (_inferences, 0.35),
    (_paraphrases, 0.1),
    (_facts, 0.04),
)
