"""The table of prompts: how the rows of a target are worded for a language model that is not trained."""

import json

import pandas as pd

from xstilts.reporting.layout import Shown
from xstilts.store.specs.base import TOKENS
from xstilts.store.specs.data import Prompt, TokensSpec
from xstilts.store.specs.evaluation import PredictionsSpec
from xstilts.store.study_plan import StudyPlan

_HEADER = ["target", "context", "answer", "words", "source"]
CAPTION = (
    "wording of the prompts. Names in braces stand for texts of a row. The model reads the context; of the answer,"
    " `{answer}` is the word of a label, one of the choices, or what the model writes. Line breaks are `\\n`."
)


def of_plan(plan: StudyPlan) -> Shown | None:
    """Return a row for each target that a language model is prompted with; None where there is none."""
    found: dict[str, Prompt] = {}
    for cell in plan.cells:
        spec = plan.nodes[cell.node].spec
        if isinstance(spec, PredictionsSpec) and spec.prompting is not None:
            tokens = plan.nodes[spec.parents[TOKENS]].spec
            assert isinstance(tokens, TokensSpec) and tokens.prompt is not None
            found.setdefault(cell.target, tokens.prompt)
    sources = plan.documentation.prompt_sources
    rows = []
    for target, prompt in found.items():
        words = ", ".join(prompt.words or ())
        rows.append([target, _quoted(prompt.context), _quoted(prompt.answer), words, sources.get(target, "")])
    return Shown(pd.DataFrame(rows, columns=_HEADER), (_HEADER, rows), CAPTION) if rows else None


def _quoted(template: str) -> str:
    """Return a template in quotation marks, so that white space at its ends and line breaks are seen."""
    return json.dumps(template, ensure_ascii=False)
