"""How pretrained models answer prompts, in sentences."""

from xstilts.errors import counted
from xstilts.reporting.paper.prose import Sentence, listed
from xstilts.reporting.paper.works import Works
from xstilts.store.specs.base import TOKENS
from xstilts.store.specs.data import TokensSpec
from xstilts.store.specs.evaluation import PredictionsSpec, Prompting
from xstilts.store.study_plan import StudyPlan


def asked(plan: StudyPlan) -> dict[str, list[tuple[PredictionsSpec, Prompting]]]:
    """Return the predictions of each recipe that trains nothing, with how their prompts are answered."""
    of_recipes: dict[str, list[tuple[PredictionsSpec, Prompting]]] = {}
    for cell in plan.cells:
        spec = plan.nodes[cell.node].spec
        if isinstance(spec, PredictionsSpec) and spec.prompting is not None:
            of_recipes.setdefault(cell.recipe, []).append((spec, spec.prompting))
    return of_recipes


def sentences(plan: StudyPlan, works: Works) -> list[Sentence]:
    """Return what is done by each recipe that trains nothing; none where there is no such recipe."""
    return [_sentence(recipe, specs, plan, works) for recipe, specs in asked(plan).items()]


def _sentence(recipe: str, specs: list[tuple[PredictionsSpec, Prompting]], plan: StudyPlan, works: Works) -> Sentence:
    # one recipe, so that these are the same for all of its predictions
    precision = specs[0][0].numerics.precision
    prompts = plan.nodes[specs[0][0].parents[TOKENS]].spec
    assert isinstance(prompts, TokensSpec)
    found = {prompting for _, prompting in specs}
    number = max(one.examples for one in found)
    by_characters = any(one.length_normalised for one in found)
    tokens = max(one.max_answer_tokens or 0 for one in found)
    examples = (
        f"behind {counted(number, 'training example')}, which each seed draws, the same for all rows and languages"
        if number
        else "without examples"
    )
    ways: list[Sentence] = []
    if any(one.max_answer_tokens is None for one in found):
        each = ", divided by its number of characters" if by_characters else ""
        ways.append((f"chooses the answer with the highest log-likelihood{each}",))
    if tokens:
        most = counted(tokens, "token")
        ways.append((f"writes spans token by token, always the likeliest, up to a line break or {most}",))
    return (
        f"By the recipe `{recipe}` nothing is trained: the pretrained model, with weights and products in {precision},"
        f" answers prompts of at most {prompts.lengths['max_length']:g} tokens {examples}; it ",
        *listed(ways),
        works.cite("prompting"),
        ".",
    )
