"""Scores of all layers of a model, for targets that are scored by the vectors of texts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xstilts.errors import reading
from xstilts.evaluation.table import Column, Table
from xstilts.forms import scoring
from xstilts.forms.interface import FormModule
from xstilts.store.study_plan import StudyPlan

# beside the predictions of a retrieval node whose recipe asks for all layers
FILE = "layers.parquet"
COLUMNS = (
    Column("layer", "integer", "the layer, 0 for the embeddings"),
    Column("language", "text", "the language"),
)
# beside these columns it has one for each metric of the form, in percent
TABLE = Table("layers", COLUMNS)
write, read = TABLE.write, TABLE.read
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


def vectors_of(folder: Path, languages: Sequence[str], layer: int | None = None) -> dict[str, np.ndarray]:
    """Return the vectors of an embeddings node by language, mapped from their files; float32 of (sequences, width).

    Args:
        folder: the node's folder.
        languages: the languages.
        layer: one of all layers; by default the one that the node is about.

    Raises:
        UserError: if a file is missing, unreadable or damaged.
    """
    found = {}
    for language in languages:
        path = folder / (f"{language}.npy" if layer is None else f"{language}.layer-{layer}.npy")
        with reading(path):
            found[language] = np.load(path, mmap_mode="r", allow_pickle=False)
    return found


def scores_of(form: FormModule, rows: Rows, embeddings: Path, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Return the scores of each layer of which there are vectors; empty where there are none.

    Args:
        form: the module of the task's form.
        rows: prepared rows by language.
        embeddings: the folder of the embeddings node.
        settings: the form's settings of retrieval.
    """
    first = next(iter(rows))
    layers = sorted(int(path.stem.rpartition("-")[2]) for path in embeddings.glob(f"{first}.layer-*.npy"))
    scores = []
    for layer in layers:
        retrieved = form.retrieve(rows, vectors_of(embeddings, list(rows), layer), settings)
        for language, ranked in retrieved.items():
            if ranked:
                _, predicted, gold = zip(*ranked, strict=True)
                columns = scoring.columns_of(form, predicted, gold, None, [language] * len(ranked))
                scores.append({"layer": layer, "language": language, **scoring.scores(form.FORM, columns)})
    return pd.DataFrame(scores)


def collect(plan: StudyPlan, results: Path) -> pd.DataFrame:
    """Return the headline scores of all layers, with the axes, of the targets that have them.

    Args:
        plan: the study's plan.
        results: the results folder.
    """
    frames, axes = [], plan.axes
    for cell in plan.cells:
        path = results / cell.node / FILE
        if path.exists():
            frame = read(path).rename(columns={plan.targets[cell.target].metric: "score"})
            frames.append(frame[["layer", "language", "score"]].assign(**cell.at(axes)))
    return pd.concat(frames, ignore_index=True)[[*axes, "layer", "language", "score"]] if frames else pd.DataFrame()
