"""The table of prompts: how the rows of a target are worded for a language model that is not trained."""

import json
from pathlib import Path

import pandas as pd

from xstilts.errors import counted
from xstilts.reporting import wording
from xstilts.reporting.layout import Shown
from xstilts.store import manifest
from xstilts.store.manifest import EvaluationResults, path_of
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


def cut(plan: StudyPlan, results: Path) -> list[str]:
    """Return a sentence on prompts that were cut, if there were any; of those made by an earlier version none is known.

    Args:
        plan: the study's plan.
        results: the results folder.
    """
    found: dict[str, tuple[int, int]] = {}
    for cell in plan.cells:
        spec = plan.nodes[cell.node].spec
        if isinstance(spec, PredictionsSpec) and spec.prompting is not None and path_of(results, cell.node).exists():
            splits = manifest.results_of(results, cell.node, EvaluationResults).splits.values()
            rows = [split.cut for split in splits if split.cut]
            where = f"{cell.target} ({cell.model}, {cell.recipe})"
            # runs differ by the examples in their prompts
            found[where] = max(found.get(where, (0, 0)), (sum(rows), len(rows)))
    worded = [
        f"{counted(rows, 'row')} of {where} in {counted(languages, 'language')}"
        for where, (rows, languages) in found.items()
        if rows
    ]
    if not worded:
        return []
    return [
        f"Longer than max_length, and cut at their start, were the prompts of {wording.listed(worded)}; of several"
        " runs, in the one with most of them."
    ]


def _quoted(template: str) -> str:
    """Return a template in quotation marks, so that white space at its ends and line breaks are seen."""
    return json.dumps(template, ensure_ascii=False)
