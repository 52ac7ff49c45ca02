"""How pretrained models answer prompts, in sentences."""

from xstilts.reporting.paper.prose import Sentence, listed
from xstilts.reporting.paper.works import Works
from xstilts.store.specs.evaluation import PredictionsSpec, Prompting
from xstilts.store.study_plan import StudyPlan


def sentences(plan: StudyPlan, works: Works) -> list[Sentence]:
    """Return what is done by each recipe that trains nothing; none where there is no such recipe."""
    of_recipes: dict[str, set[Prompting]] = {}
    for cell in plan.cells:
        spec = plan.nodes[cell.node].spec
        if isinstance(spec, PredictionsSpec) and spec.prompting is not None:
            of_recipes.setdefault(cell.recipe, set()).add(spec.prompting)
    return [_sentence(recipe, found, works) for recipe, found in of_recipes.items()]


def _sentence(recipe: str, found: set[Prompting], works: Works) -> Sentence:
    shots = max(one.examples for one in found)
    by_characters = any(one.length_normalised for one in found)
    tokens = max(one.max_answer_tokens or 0 for one in found)
    examples = (
        f"behind {shots} training examples, which each seed draws, the same for all rows and languages"
        if shots
        else "without examples"
    )
    ways: list[Sentence] = []
    if any(one.max_answer_tokens is None for one in found):
        each = ", divided by its number of characters" if by_characters else ""
        ways.append((f"chooses the answer with the highest log-likelihood{each}",))
    if tokens:
        ways.append((f"writes spans token by token, always the likeliest, up to a line break or {tokens} tokens",))
    return (
        f"By the recipe `{recipe}` nothing is trained: the pretrained model answers prompts {examples}; it ",
        *listed(ways),
        works.cite("prompting"),
        ".",
    )
