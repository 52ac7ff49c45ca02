"""The table of data sets: rows, languages, splits and licences of all data that a study trains on or scores."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from xstilts.data.sources import made_up
from xstilts.reporting.layout import Shown
from xstilts.reporting.paper.settings import span
from xstilts.reporting.paper.works import Works
from xstilts.store import manifest
from xstilts.store.manifest import PreparedResults
from xstilts.store.specs.base import MEMBER, PREPARED
from xstilts.store.specs.data import DataSpec, EvaluationDataSpec, PreparedSpec, TokensSpec, TrainingDataSpec, UnionSpec
from xstilts.store.study_plan import StudyPlan

_HEADER = ["data set", "use", "languages", "train", "dev", "test", "split", "licence"]
LEGEND = "† not the official split; ‡ a sample of the published rows."


def table(plan: StudyPlan, results: Path, works: Works) -> Shown:
    """Return the table of data sets.

    Args:
        plan: the study's plan.
        results: the results folder.
        works: what the plan has of the registry.
    """
    rows: dict[tuple[str, ...], None] = {}
    for node, spec in used(plan).items():
        stated = manifest.results_of(results, node, PreparedResults)
        if isinstance(spec, EvaluationDataSpec):
            about = _evaluation(stated)
        else:
            about = _training(spec, stated, languages(plan, node))
        rows[works.task(spec.task).title, *about, licence(plan, node, works)] = None
    cells = (_HEADER, [list(row) for row in rows])
    marked = any(mark in cell for row in rows for cell in row for mark in "†‡")
    caption = (
        "the data. Rows of training data are those that models are trained on, dev rows those that decide"
        " which step is kept; test rows are by language."
    )
    return Shown(pd.DataFrame(cells[1], columns=_HEADER), cells, caption, LEGEND if marked else "")


def used(plan: StudyPlan) -> dict[str, PreparedSpec]:
    """Return the prepared data that models read, by node id: unions in place of what they are made from."""
    found: dict[str, PreparedSpec] = {}
    for entry in plan.nodes.values():
        if isinstance(entry.spec, TokensSpec):
            node = entry.parents[PREPARED]
            spec = plan.nodes[node].spec
            assert isinstance(spec, PreparedSpec)
            found[node] = spec
    return found


def licence(plan: StudyPlan, node: str, works: Works) -> str:
    """Return the licence of prepared data, in words where there is none."""
    spec = plan.nodes[node].spec
    assert isinstance(spec, PreparedSpec)
    return made_up.WORDS if is_made_up(plan, node) else works.task(spec.task).licence or "not stated"


def is_made_up(plan: StudyPlan, node: str) -> bool:
    """Tell whether data come from a source that makes them up."""
    spec = plan.nodes[node].spec
    if isinstance(spec, DataSpec):
        return spec.source.kind in made_up.MADE_UP
    return any(is_made_up(plan, parent) for parent in spec.parents.values() if parent in plan.nodes)


def _evaluation(stated: PreparedResults) -> list[str]:
    """Return the cells of evaluation data but the first and the last."""
    rows = span(split.rows for split in stated.splits.values())
    return ["evaluation", " ".join(sorted(stated.splits)), "", "", rows, _split(stated)]


def _training(spec: PreparedSpec, stated: PreparedResults, codes: Sequence[str]) -> list[str]:
    """Return the cells of training data but the first and the last."""
    train, dev = (stated.splits[name].rows if name in stated.splits else 0 for name in ("train", "dev"))
    shuffled = isinstance(spec, UnionSpec) and spec.shuffled_labels
    use = "training, labels shuffled" if shuffled else "training"
    return [use, " ".join(codes), f"{train:,}{'‡' if stated.sample else ''}", f"{dev:,}", "", ""]


def languages(plan: StudyPlan, node: str) -> list[str]:
    """Return the languages of training data, of a union those of its members."""
    spec = plan.nodes[node].spec
    if isinstance(spec, TrainingDataSpec):
        return [spec.language]
    return list(dict.fromkeys(code for member in spec.parents_of(MEMBER) for code in languages(plan, member)))


def _split(stated: PreparedResults) -> str:
    """Return the names of the splits with their marks."""
    names = dict.fromkeys(
        f"{split.split}{'' if split.official else '†'}{'‡' if split.sample else ''}" for split in stated.splits.values()
    )
    return ", ".join(names)
