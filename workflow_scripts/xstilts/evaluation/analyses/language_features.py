"""What is known of a study's languages: script, family, word order, text in pretraining, and how a tokenizer cuts them.

``pretraining.py`` and ``subwords.py`` say what the numbers are.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.evaluation import pretraining, subwords
from xstilts.evaluation.subwords import Counts, Rows
from xstilts.evaluation.table import Column, Table
from xstilts.store.study_plan import PlannedLanguage, StudyPlan

COLUMNS = (
    Column("world", "number", "one of several worlds, whose words differ", optional=True),
    Column("model", "text", "the model, whose pretraining and tokenizer these are"),
    Column("source", "text", "the source language, with which the language is compared"),
    Column("language", "text", "the language"),
    Column("name", "text", "its name"),
    Column("script", "text", "ISO 15924 code of its script"),
    Column("family", "text", "family and branch; empty where the registry does not say"),
    Column("word_order", "text", "order of subject, object and verb; empty where the registry does not say"),
    Column(
        "in_pretraining",
        "text",
        "yes or no: whether it is in the text that the model, or the one that its training began from, was pretrained"
        " on; empty if unknown",
    ),
    Column("pretraining_size", "number", "how much text that was; missing without text, or if unknown", optional=True),
    Column(
        "pretraining_unit",
        "text",
        "of the size: GiB, billions of tokens, or texts if pretrained here",
    ),
    Column("fertility", "number", "tokens per word, or characters per token; missing if not counted", optional=True),
    Column("fertility_unit", "text", "which of the two: the second in scripts that put no spaces between words"),
    Column(
        "shared_tokens", "number", "percent of its tokens with a letter that the source language has too", optional=True
    ),
    Column("shared_types", "number", "the same of different tokens, each once", optional=True),
    Column("unknown_tokens", "number", "percent of its tokens that the tokenizer does not know", optional=True),
    Column("tokens", "number", "tokens that were counted", optional=True),
    Column("rows", "number", "rows that they are of", optional=True),
    Column("counted_on", "text", "the target whose evaluation rows these are; empty if nothing was counted"),
    Column("parallel", "flag", "whether the rows of both languages are translations of each other"),
    Column("reason", "text", "why nothing was counted; empty if it was"),
)
TABLE = Table("features of languages", COLUMNS)


def collect(plan: StudyPlan, results: Path, estimates: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return the features of a study's languages by model and source language; of several worlds those of each world.

    Args:
        plan: the study's plan.
        results: the results folder; where nodes were pruned numbers are missing.
        estimates: the table of estimates, of which nothing is needed.
        scores: the table of scores, whose languages these are.
    """
    languages = {str(target): list(dict.fromkeys(rows["language"])) for target, rows in scores.groupby("target")}
    rows = [{"world": world, **row} for world, part in plan.parts().items() for row in _rows(part, results, languages)]
    frame = pd.DataFrame(rows, columns=[column.name for column in COLUMNS])
    return frame.astype({column.name: float for column in COLUMNS if column.type == "number"})


def _rows(plan: StudyPlan, results: Path, languages: Mapping[str, list[str]]) -> Iterator[dict[str, Any]]:
    counter = _Counter(results)
    for model in dict.fromkeys(cell.model for cell in plan.cells):
        nodes = {cell.target: cell.node for cell in plan.cells if cell.model == model}
        text = pretraining.of_model(plan, results, model)
        for source in dict.fromkeys(plan.targets[target].language for target in nodes):
            targets = [target for target in nodes if plan.targets[target].language == source]
            named = dict.fromkeys([source, *(one for target in targets for one in languages[target])])
            found = (subwords.rows_of(plan, nodes[target], target, languages[target]) for target in targets)
            rows = subwords.from_best([one for one in found if one is not None], named)
            for language in named:
                known = plan.languages.get(language, PlannedLanguage(name=language, script=""))
                yield {
                    "model": model,
                    "source": source,
                    "language": language,
                    "name": known.name,
                    "script": known.script,
                    "family": known.family,
                    "word_order": known.word_order,
                    **text.columns(language),
                    **counter.columns(rows, language, source, known.script),
                }


class _Counter:
    """Counts of rows, each made once: models may have a tokenizer in common."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self._counts: dict[tuple[str, str, str], Counts] = {}

    def _count(self, rows: Rows, language: str) -> Counts:
        key = (rows.prepared, rows.tokenizer, language)
        if key not in self._counts:
            self._counts[key] = subwords.count(self._results, rows, language)
        return self._counts[key]

    def columns(self, rows: Iterable[Rows], language: str, source: str, script: str) -> dict[str, Any]:
        """Return what is counted, on the first of the rows that are in both languages."""
        nothing = {"fertility_unit": "", "counted_on": "", "parallel": False}
        used = next((one for one in rows if {language, source} <= set(one.languages)), None)
        if used is None:
            return {**nothing, "reason": f"no target but those of retrieval has rows in {language} and in {source}"}
        try:
            own, other = self._count(used, language), self._count(used, source)
        except FileNotFoundError as error:
            return {**nothing, "reason": str(error)}
        per_word = script not in subwords.WITHOUT_SPACES or subwords.words_field(used.form) is not None
        compared = subwords.compare(own, other, per_word)
        return {**compared, "counted_on": used.target, "parallel": used.parallel, "reason": ""}
