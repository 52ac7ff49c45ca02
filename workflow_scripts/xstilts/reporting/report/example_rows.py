"""Reads a few examples of a target: their prepared rows, their predictions, and the other rows that these name."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xstilts.data.prepare import THRESHOLD
from xstilts.data.prepared_rows import read_prepared
from xstilts.evaluation import changed_examples, predictions
from xstilts.forms.declaration import Form, Notation
from xstilts.reporting.report import example_texts
from xstilts.reporting.report.example_texts import ANSWERS, Answer, Row
from xstilts.store.specs.data import EvaluationDataSpec
from xstilts.store.study_plan import StudyPlan

# an example of a target: its language and its id
Id = tuple[str, str]
# by language what other rows are called, and these rows
Names = Mapping[str, set[str]]
Named = Mapping[str, Mapping[str, Answer]]


@dataclass(frozen=True)
class Rows:
    """Some examples of a target.

    Attributes:
        labels: the task's label names.
        rows: the prepared row of each example.
        gold: the gold answer of each.
        predictions: by node the prediction for each, and whether it is right.
        named: by language the other rows that predictions and gold answers name.
    """

    labels: Sequence[str] | None
    rows: Mapping[Id, Row]
    gold: Mapping[Id, str]
    predictions: Mapping[str, Mapping[Id, tuple[str, bool]]]
    named: Named

    def most_common(self, nodes: Sequence[str], example: Id, right: bool) -> str:
        """Return what most of the nodes predict that are right, or wrong; of equal ones that of the first node."""
        said = [self.predictions[node][example] for node in nodes]
        return Counter(prediction for prediction, is_right in said if is_right == right).most_common(1)[0][0]


def read(
    plan: StudyPlan, results: Path, form: Form, prepared: str, nodes: Collection[str], ids: Collection[Id]
) -> Rows:
    """Read some examples of a target.

    Args:
        plan: the study's plan.
        results: the results folder.
        form: the target's form, which has a judgement.
        prepared: the node of the evaluation data.
        nodes: nodes with predictions.
        ids: the examples, each with its language.
    """
    spec = plan.nodes[prepared].spec
    assert isinstance(spec, EvaluationDataSpec) and form.judgement is not None
    gold: dict[Id, str] = {}
    predicted: dict[str, dict[Id, tuple[str, bool]]] = {}
    for node in dict.fromkeys(nodes):
        path = results / node / predictions.FILE
        frame = changed_examples.judged(path, form.judgement, ("prediction", "gold"), {id for _, id in ids})
        of_node = predicted[node] = {}
        for language, id, prediction, answer, is_right in frame.itertuples(index=False):
            of_node[language, id], gold[language, id] = (prediction, is_right), answer
    by_language: dict[str, set[str]] = {language: set() for language, _ in sorted(ids)}
    for language, id in ids:
        by_language[language].add(id)
    rows = {
        (language, row["example_id"]): row
        for language, of_language in by_language.items()
        for row in _with_ids(results / prepared / f"{language}.parquet", of_language)
    }
    notation = form.judgement.notation
    if notation not in _LOOK_UP:
        return Rows(spec.labels, rows, gold, predicted, {language: {} for language in by_language})
    names = {language: _names(notation, language, ids, predicted.values(), gold) for language in by_language}
    return Rows(spec.labels, rows, gold, predicted, _LOOK_UP[notation](form, results / prepared, spec.languages, names))


def _with_ids(path: Path, ids: Collection[str]) -> list[dict[str, Any]]:
    """Return the rows with these ids; those on which a threshold is chosen are no examples."""
    if not ids:
        return []
    filters = [("example_id", "in", sorted(ids)), ("split", "!=", THRESHOLD)]
    return read_prepared(path, filters=filters).to_pylist()


def _names(
    notation: Notation,
    language: str,
    ids: Collection[Id],
    predicted: Collection[Mapping[Id, tuple[str, bool]]],
    gold: Mapping[Id, str],
) -> set[str]:
    """Return what other rows are called in the predictions and gold answers of a language, as far as they are shown."""
    found: set[str] = set()
    for id in ids:
        if id[0] == language:
            found.update(example_texts.names(notation, gold[id], is_gold=True)[:ANSWERS])
            for of_node in predicted:
                found.update(example_texts.names(notation, of_node[id][0], is_gold=False))
    return found


def _by_index(form: Form, folder: Path, languages: Iterable[str], names: Names) -> Named:
    found = {}
    for language, of_language in names.items():
        ordered = sorted(of_language, key=int)
        rows = read_prepared(folder / f"{language}.parquet").take([int(name) for name in ordered])
        found[language] = {
            name: example_texts.of_row(form, row) for name, row in zip(ordered, rows.to_pylist(), strict=True)
        }
    return found


def _by_id(form: Form, folder: Path, languages: Iterable[str], names: Names) -> Named:
    return {
        language: {
            row["example_id"]: example_texts.of_row(form, row)
            for row in _with_ids(folder / f"{language}.parquet", of_language)
        }
        for language, of_language in names.items()
    }


def _in_pool(form: Form, folder: Path, languages: Iterable[str], names: Names) -> Named:
    """Look in all languages; where these share ids, a name begins with its language."""
    asked = set().union(*names.values())
    pool = {}
    for language in languages:
        ids = asked | {name.removeprefix(f"{language}:") for name in asked}
        for row in _with_ids(folder / f"{language}.parquet", ids):
            for name in asked & {row["example_id"], f"{language}:{row['example_id']}"}:
                pool[name] = example_texts.of_row(form, row)
    return dict.fromkeys(names, pool)


_LOOK_UP: Mapping[Notation, Callable[[Form, Path, Iterable[str], Names], Named]] = {
    Notation.INDEX: _by_index,
    Notation.PAIR: _by_id,
    Notation.RANKING: _in_pool,
}
