"""Tables on disk: what is written is read back, and another file is refused in one line."""

import pandas as pd
import pytest
from xstilts import forms
from xstilts.errors import UserError
from xstilts.evaluation import predictions, scores
from xstilts.evaluation.table import Column, Table

from tests.builders.readers import BEFORE, read_by_another

ROWS = [{"example_id": "a", "cluster_id": "c", "language": "de", "split": "test"}]


@pytest.fixture
def frame():
    return predictions.frame_of(forms.get("classification"), ROWS, ["0"], ["1"], None)


def test_predictions_are_read_as_they_were_written(frame, tmp_path):
    before = read_by_another(tmp_path / predictions.FILE)
    predictions.write(frame, tmp_path / predictions.FILE)
    assert before() == BEFORE
    pd.testing.assert_frame_equal(predictions.read(tmp_path / predictions.FILE), frame)
    assert [path.name for path in tmp_path.iterdir()] == [predictions.FILE]


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda frame: frame.drop(columns="gold"), r"no column 'gold'"),
        (lambda frame: frame.drop(columns="stat_correct"), r"no column 'stat_\*'"),
        (lambda frame: frame.assign(prediction=1), r"column 'prediction' must be text, found int64"),
        (lambda frame: frame.assign(stat_correct="x"), r"column 'stat_correct' must be number, found str"),
        (lambda frame: frame.assign(gold=[None]), r"column 'gold' must be text, found object, 1 values missing"),
    ],
)
def test_another_table_is_refused(frame, tmp_path, edit, problem):
    path = tmp_path / "x.parquet"
    edit(frame).to_parquet(path)
    with pytest.raises(UserError, match=rf"x\.parquet: not a table of predictions: {problem}; delete it and run again"):
        predictions.read(path)
    with pytest.raises(ValueError, match=problem):
        predictions.write(edit(frame), tmp_path / "y.parquet")
    assert not (tmp_path / "y.parquet").exists()


def test_files_that_are_no_tables(tmp_path):
    with pytest.raises(UserError, match=r"no\.parquet: missing; the stage that makes the table of scores has not run"):
        scores.read(tmp_path / "no.parquet")
    (tmp_path / "text.parquet").write_text("not Parquet")
    with pytest.raises(UserError, match=r"text\.parquet: damaged \(.*\); delete it and run again") as caught:
        scores.read(tmp_path / "text.parquet")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "accepted"),
    [([1, 2], True), ([1, None], True), ([None, None], True), ([1.5, 2.5], False), (["1"], False)],
)
def test_optional_integers(values, accepted):
    column = Column("layer", "integer", "", optional=True)
    assert (Table("x", (column,)).problem(pd.DataFrame({"layer": values})) is None) == accepted


def test_axes_come_first_in_the_table_of_scores():
    assert scores.AXES == ["model", "recipe", "method", "mixture", "seed", "target"]
    assert [column.name for column in scores.COLUMNS[: len(scores.AXES)]] == scores.AXES
    assert all(column.meaning for column in (*scores.COLUMNS, *predictions.COLUMNS))
