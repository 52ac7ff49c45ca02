"""Studies with an answer whose predictions and texts are made by hand: several tasks (``nine``) against none."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
from xstilts.data.rows import schema_of
from xstilts.store.answer import Answer
from xstilts.store.study_plan import PlannedTarget, StudyPlan

from tests.builders.compared import MIXTURES, answer
from tests.builders.predicted import Predicted

# by side the predictions of each run, by language
Said = Mapping[str, Sequence[Mapping[str, Mapping[str, Sequence[Any]]]]]


def changed_study(
    folder: Path,
    form: str,
    said: Said,
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    asked: Answer | None = None,
    **changes: Any,
) -> StudyPlan:
    """Make a study with one target, in the model ``s``.

    Args:
        folder: the results folder.
        form: the target's form.
        said: by mixture for each run the statistics, predictions and gold answers by language.
        rows: the fields of the prepared rows by language; ids are their numbers unless they have ``example_id``.
        asked: the study's answer.
        changes: to the plan.
    """
    target = PlannedTarget("t", form, "accuracy", "en", "tiny", ("t",))
    made = Predicted(folder, {"t": target}, MIXTURES)
    for mixture, runs in said.items():
        for seed, of_run in enumerate(runs, 1):
            made.add(("s", mixture), seed, "t", of_run)
    prepared = folder / "prepared/t"
    prepared.mkdir(parents=True)
    for language, of_language in rows.items():
        common = {"language": language, "split": "test", "cluster_id": "c"}
        whole = [{"example_id": str(number), **common, **row} for number, row in enumerate(of_language)]
        table = pyarrow.Table.from_pylist(whole, schema_of(form))
        pyarrow.parquet.write_table(table, prepared / f"{language}.parquet")
    return made.plan(answer=asked or answer(), **changes)
