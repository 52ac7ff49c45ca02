"""Export of predictions: the table of a target becomes files in XTREME's layout, one for each language.

Rows of most files correspond to the official labels by their number alone, so a file in another order scores as if the
model guessed. Whether rows stand as the official labels do is looked at for every language and said in a line.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from xstilts.data.prepared_rows import read_prepared
from xstilts.evaluation import predictions, resampling, xtreme_format
from xstilts.evaluation.table import Table
from xstilts.evaluation.xtreme_format import Scored
from xstilts.store import manifest
from xstilts.store.files import write_atomically
from xstilts.store.manifest import EvaluatedSplit, EvaluationResults, path_of
from xstilts.store.specs.data import EvaluationDataSpec
from xstilts.store.specs.evaluation import RetrievalSpec
from xstilts.store.study_plan import StudyPlan

_FROM_ENGLISH = "from_english"


@dataclass(frozen=True)
class _Exported:
    """What is exported in a language: its split, the data that it is of, ids in their order, and rows in XTREME's."""

    split: EvaluatedSplit
    data: EvaluationDataSpec
    ids: Sequence[str]
    rows: pd.DataFrame


@dataclass(frozen=True)
class Export:
    """What is exported of one target, and where to.

    Attributes:
        name: the task's name.
        task: the task.
        plan: the study's plan.
        results: the results folder.
        node: the node with the predictions.
        languages: the languages that there should be.
        official_rows: how many rows the official labels have, by language, where that is known.
        predictions: the folder for the predictions, one for this task.
        labels: that for the gold answers; None where they are not asked for.
    """

    name: str
    task: Scored
    plan: StudyPlan
    results: Path
    node: str
    languages: Sequence[str]
    official_rows: Mapping[str, int | None]
    predictions: Path
    labels: Path | None

    def write(self) -> list[str]:
        """Write the files, and return lines about what there is, what is missing, and what is not official."""
        path = path_of(self.results, self.node)
        if not path.exists():
            return [f"missing: {self.name}: {path} has not been made yet"]
        spec = self.plan.nodes[self.node].spec
        direction = spec.settings.get("direction", _FROM_ENGLISH) if isinstance(spec, RetrievalSpec) else _FROM_ENGLISH
        if direction != _FROM_ENGLISH:
            return [
                f"not exported: {self.name}: foreign sentences are looked for (bitext.direction: {direction}), and"
                " XTREME's labels are of English ones"
            ]
        exported = self._of_node(self.node, predictions.TABLE, predictions.FILE)
        lines = []
        if (unlabelled := self.plan.unlabelled.get(self.node)) is not None:
            path = path_of(self.results, unlabelled)
            if path.exists():
                others = self._of_node(unlabelled, predictions.UNLABELLED, predictions.UNLABELLED_FILE)
                exported |= others
                lines = [f"{self.name}: no labels, so that nothing is scored: {', '.join(others)}"]
            else:
                lines = [f"missing: {self.name}: {path} has not been made yet"]
        for language, one in exported.items():
            file = xtreme_format.file_name(self.task.form, language)
            for column, folder in {"prediction": self.predictions, "gold": self.labels}.items():
                if folder is not None and column in one.rows:
                    pairs = zip(one.rows["example_id"], one.rows[column], strict=True)
                    write_atomically(folder / file, xtreme_format.text_of(self.task, pairs, column))
        there = f"{self.name}: {len(exported)} languages in {self.predictions}"
        return [there, *lines, *self._remarks(exported)]

    def _of_node(self, node: str, table: Table, file: str) -> dict[str, _Exported]:
        """Return what is exported of a node with predictions, by language."""
        splits = manifest.results_of(self.results, node, EvaluationResults).splits
        data = resampling.evaluation_data(self.plan, node)
        frame = table.read(self.results / node / file)
        return {
            str(language): _Exported(
                splits[str(language)],
                data,
                rows["example_id"].tolist(),
                self._in_xtremes_order(node, str(language), rows),
            )
            for language, rows in frame.groupby("language", sort=False)
        }

    def _in_xtremes_order(self, node: str, language: str, rows: pd.DataFrame) -> pd.DataFrame:
        """Return a node's rows in the order of XTREME's labels: by a text, where the form says so, else as they are.

        Source: ``tatoeba_preprocess`` in utils_preprocess.py of google-research/xtreme (commit 0918248), whose sort is
        stable, as this one is.
        """
        field = xtreme_format.declared(self.task.form).sorted_by
        if not field:
            return rows
        prepared = self.results / resampling.evaluation_node(self.plan, node) / f"{language}.parquet"
        table = read_prepared(prepared, ["example_id", field]).to_pydict()
        texts = {name: text.strip() for name, text in zip(table["example_id"], table[field], strict=True)}
        ids = rows["example_id"].tolist()
        return rows.iloc[sorted(range(len(ids)), key=lambda index: texts[ids[index]])]

    def _remarks(self, exported: Mapping[str, _Exported]) -> Iterator[str]:
        """Yield a line for each thing that can be said of some languages, which follow it."""
        said: dict[str, list[str]] = {}
        for language, one in exported.items():
            if not one.split.official:
                said.setdefault("not the official split", []).append(f"{language} ({one.split.split})")
            if one.split.sample:
                said.setdefault("a sample of the rows", []).append(language)
            if one.split.official and not one.split.sample:
                said.setdefault(self._correspondence(language, one.data, one.ids), []).append(language)
        yield from (f"{self.name}: {what}: {', '.join(names)}" for what, names in said.items())
        absent = [language for language in self.languages if language not in exported]
        if absent:
            yield f"missing: {self.name}: {', '.join(absent)}"

    def _correspondence(self, language: str, data: EvaluationDataSpec, ids: Sequence[str]) -> str:
        """Return whether the rows of a language stand as the official labels do, or why not."""
        layout = xtreme_format.layout_of(self.task)
        official = self.official_rows.get(language)
        if official is not None and official != len(ids) and not layout.sparse:
            return f"{len(ids):,} rows, where the official labels have {official:,}"
        if not layout.by_number:
            own = "id" in data.reading.columns and len({name.rpartition("#")[0] for name in ids} & set(ids)) == 0
            return "by the ids of the official labels" if own else "its data has no ids, or repeats them; labels have"
        if [name.rpartition(".")[2] for name in ids] != [str(number) for number in range(len(ids))]:
            return "not each row of its files, so that numbers of rows are not those of the official labels"
        if layout.by_word and len(data.languages[language].files) > 1:
            return "of several files, whose order in the official labels cannot be known"
        if official is None:
            return "how many rows the official labels have is not known"
        return "row by row as the official labels"
