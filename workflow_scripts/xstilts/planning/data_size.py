"""How large data are: rows and tokens, measured where they are made, else bounded by what is published and allowed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xstilts.data.sources.made_up import MADE_UP
from xstilts.forms import FORMS
from xstilts.forms.declaration import Answering
from xstilts.planning.model_size import CAUSAL
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.registry import Registry
from xstilts.store import manifest
from xstilts.store.manifest import PreparedResults, TokensResults, path_of
from xstilts.store.specs.base import DATA, MEMBER, PREPARED
from xstilts.store.specs.data import (
    DataSpec,
    EvaluationDataSpec,
    PreparedSpec,
    Prompt,
    TokensSpec,
    TrainingDataSpec,
    UnionSpec,
)

# how well a size is known, the best first
MEASURED, TYPICAL, BOUNDED, ASSUMED = CERTAINTY = ("measured", "typical", "bounded", "assumed")
# rows of a data set, and of a language of an evaluation set, whose number nobody states
_UNKNOWN_ROWS, _UNKNOWN_TEST_ROWS = 50_000, 1000


# the share of a prompt's tokens that are an answer behind its context, as the last of a story's five sentences would be
# with some words before it
_ANSWER_SHARE = 0.25


@dataclass(frozen=True)
class DataSize:
    """The size of a data set in a node's tokens.

    Attributes:
        rows: number of rows.
        tokens: mean number of tokens of a row, those of all its inputs together.
        inputs: inputs of the model that a row becomes at most.
        longest: tokens of the longest input; where that is not known, of the longest that there may be.
        certainty: ``measured`` in tokens that exist; ``typical`` where the registry has rows and their mean tokens;
            ``bounded`` by published rows and the longest text, or ``assumed`` where no rows are published.
        mask_rate: share of the tokens that a language model predicts, of prompts
            those of the answer; 0 where the form is another.
    """

    rows: int
    tokens: float
    inputs: int
    longest: int
    certainty: str
    mask_rate: float

    @property
    def largest(self) -> int:
        """Positions of the largest row, all of whose inputs are computed together, each as long as the longest."""
        return self.inputs * self.longest

    def predicted_share(self, predicts: str) -> float:
        """Return the share of positions that a language-model head scores.

        Args:
            predicts: what its model predicts, as ``Shape.predicts`` has it; a decoder predicts every token.
        """
        return 1.0 if self.mask_rate and predicts == CAUSAL else self.mask_rate


def training_size(tokens: Node, plan: Plan, registry: Registry, results: Path) -> DataSize:
    """Return the size of a task's training data."""
    spec, prepared = _specs(tokens, plan)
    inputs, (longest, mask_rate) = _inputs(spec.form, prepared.labels, trained=True), _limits(spec)
    if path_of(results, tokens.id).exists():
        split = manifest.results_of(results, tokens.id, TokensResults).splits["train"]
        rows = manifest.results_of(results, spec.parents[PREPARED], PreparedResults).splits["train"].rows
        longest = split.longest or longest
        return DataSize(rows, split.tokens / split.instances, inputs, longest, MEASURED, mask_rate)
    rows, stated = _rows(prepared, plan, registry)
    most, usual = _row_tokens(spec, inputs), _usual_tokens(prepared, plan, registry)
    known = BOUNDED if usual is None else TYPICAL
    mean = most if usual is None else min(usual, most)
    return DataSize(rows, mean, inputs, longest, known if stated else ASSUMED, mask_rate)


def evaluation_size(tokens: Node, plan: Plan, results: Path) -> DataSize:
    """Return the size of evaluation data, of all languages."""
    spec, prepared = _specs(tokens, plan)
    inputs, (longest, mask_rate) = _inputs(spec.form, prepared.labels, trained=False), _limits(spec)
    if spec.prompt is not None:
        # a prompt for each answer; or one, behind which the answer is written
        is_chosen = FORMS[spec.form].answering is Answering.CHOSEN
        inputs, mask_rate = (len(prepared.labels or ()), _scored(spec.prompt)) if is_chosen else (1, 0.0)
    if path_of(results, tokens.id).exists():
        splits = manifest.results_of(results, tokens.id, TokensResults).splits.values()
        instances = sum(split.instances for split in splits)
        mean = sum(split.tokens for split in splits) / instances
        longest = max(split.longest or longest for split in splits)
        return DataSize(instances, mean, inputs, longest, MEASURED, mask_rate)
    assert isinstance(prepared, EvaluationDataSpec)
    tiny = MADE_UP["tiny"].TEST_ROWS if _is_tiny(prepared, plan) else None
    stated = [tiny or files.rows or files.published for files in prepared.languages.values()]
    usual = max((rows for rows in stated if rows is not None), default=_UNKNOWN_TEST_ROWS)
    limit = prepared.test_rows or math.inf
    rows = int(sum(min(usual if count is None else count, limit) for count in stated))
    certainty = ASSUMED if None in stated else BOUNDED
    return DataSize(rows, _row_tokens(spec, inputs), inputs, longest, certainty, mask_rate)


def _specs(tokens: Node, plan: Plan) -> tuple[TokensSpec, PreparedSpec]:
    """Return the spec of a tokens node, and of the rows that it is made from."""
    spec = tokens.spec
    assert isinstance(spec, TokensSpec)
    prepared = plan.nodes[spec.parents[PREPARED]].spec
    assert isinstance(prepared, PreparedSpec)
    return spec, prepared


def _limits(spec: TokensSpec) -> tuple[int, float]:
    """Return the tokens of an input at most, and the share of them that a language model predicts."""
    return int(spec.lengths["max_length"]), spec.lengths.get("mask_rate", 0.0)


def _scored(prompt: Prompt) -> float:
    """Return the share of a prompt that is scored; all of it may be where a text stands behind the answer."""
    return _ANSWER_SHARE if prompt.answer.rstrip().endswith("{answer}") else 1.0


def _inputs(form: str, labels: Sequence[str] | None, trained: bool) -> int:
    """Return how many inputs of the model a row becomes; what is searched in evaluation is one text or another."""
    if FORMS[form].searched and not trained:
        return 1
    return FORMS[form].sequences or len(labels or (0, 0))


def _row_tokens(spec: TokensSpec, inputs: int) -> float:
    """Return the tokens that a row has at most; queries have a limit of their own."""
    longest = spec.lengths["max_length"]
    query = spec.lengths.get("max_query_length", longest) if inputs == 2 else 0
    return query + (inputs - bool(query)) * longest


def _rows(spec: PreparedSpec, plan: Plan, registry: Registry) -> tuple[int, bool]:
    """Return the training rows of prepared data before they are made, and whether anybody states them."""
    assert isinstance(spec, TrainingDataSpec | UnionSpec)
    limit = spec.train_rows or math.inf
    if isinstance(spec, TrainingDataSpec) and spec.seed is not None and spec.train_rows is not None:
        # languages with fewer rows have no few-shot results
        return spec.train_rows, True
    if isinstance(spec, UnionSpec):
        members = [plan.nodes[name].spec for name in spec.parents_of(MEMBER)]
        found = [_rows(member, plan, registry) for member in members if isinstance(member, PreparedSpec)]
        return int(min(sum(rows for rows, _ in found), limit)), all(stated for _, stated in found)
    counts = [file.rows for file in spec.splits["train"]]
    total = None if None in counts else sum(count or 0 for count in counts)
    if total is None and _is_tiny(spec, plan):
        total = MADE_UP["tiny"].TRAIN_ROWS
    elif total is None:
        task = registry.of(plan.study.source).tasks[spec.task]
        total = task.published("train", spec.language)
    return int(min(_UNKNOWN_ROWS if total is None else total, limit)), total is not None


def _usual_tokens(spec: PreparedSpec, plan: Plan, registry: Registry) -> float | None:
    """Return the mean tokens that rows of a task usually have; None where nobody has counted them."""
    if isinstance(spec, UnionSpec) or _is_tiny(spec, plan):
        return None
    return registry.of(plan.study.source).tasks[spec.task].tokens


def _is_tiny(spec: PreparedSpec, plan: Plan) -> bool:
    """Tell whether rows are of the tiny source."""
    data = plan.nodes[spec.parents[DATA]].spec
    return isinstance(data, DataSpec) and data.source.kind == "tiny"
