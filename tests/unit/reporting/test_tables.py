"""Tables on scores made by hand: by language, a benchmark's, marks, means over worlds."""

import numpy as np
import pandas as pd
import pytest
from xstilts.evaluation.scores import with_gain
from xstilts.reporting import tables
from xstilts.store.answer import Answer
from xstilts.store.study_plan import Benchmark, BenchmarkTask, Cell

from tests.builders.estimates import estimates
from tests.builders.readers import BEFORE, read_by_another
from tests.builders.study_plans import study_plan

BENCHMARK = Benchmark(
    "two",
    "Two tasks",
    "",
    {
        "xnli": BenchmarkTask(
            languages=("en", "de"), metrics=("accuracy",), group="sentence", layout="xnli", same_data=("mnli",)
        ),
        "tatoeba": BenchmarkTask(
            languages=("de",), metrics=("accuracy",), group="retrieval", layout="tatoeba", english=False
        ),
    },
)
MIXTURES = {"none": (), "mnli": ("mnli",)}
NO_ESTIMATES = estimates()


def scores(**changes):
    """Two mixtures and two seeds; seed 2 is two points better, mnli four."""
    rows = []
    for mixture, more in {"none": 0, "mnli": 4}.items():
        for seed in (1, 2):
            for target, language, score in (("xnli", "en", 80), ("xnli", "de", 60), ("tatoeba", "de", 30)):
                rows.append(
                    {
                        "model": "m", "recipe": "r", "method": "full", "mixture": mixture, "seed": seed,
                        "target": target, "language": language, "metric": "accuracy", "headline": True,
                        "score": score + more + 2 * (seed - 1), "n": 10, "split": "test", "official": True,
                        "sample": False, "collapsed": False,
                    }
                )  # fmt: skip
    frame = pd.DataFrame(rows)
    for column, (query, value) in changes.items():
        frame.loc[frame.query(query).index, column] = value
    return frame


def of_scores(frame, estimates=NO_ESTIMATES, **changes):
    plan = study_plan(benchmark=BENCHMARK, mixtures=MIXTURES, **changes)
    return tables.of_scores(frame, estimates, plan)


def test_scores_of_a_prompted_arm_are_marked():
    """A row with the mixture none is else taken for a trained baseline."""
    shown = of_scores(scores(method=("mixture == 'none'", "prompted")))
    marked = {name: [cell for row in table.cells[1] for cell in row if "§" in cell] for name, table in shown.items()}
    assert marked["main"] == ["61.0§", "31.0§", "46.0§"]
    assert marked["by_language"] == ["81.0§", "61.0§", "31.0§"] and marked["benchmark"]
    assert all(table.legend == "§ prompted: nothing is trained." for table in shown.values())
    alone = of_scores(scores(method=("score > 0", "prompted")))["main"]
    assert alone.caption.endswith(" All cells: prompted: nothing is trained.") and not alone.legend


def test_benchmark():
    shown = of_scores(scores())["benchmark"]
    header, rows = shown.cells
    assert header == [
        "model", "recipe", "mixture", "xnli", "tatoeba", "all", "without English", "without retrieval",
        "without same data", "gap", "",
    ]  # fmt: skip
    # seed means: xnli 71, in German 61, tatoeba 31; with mnli four points more, and xnli shares its data
    assert rows[0] == ["m", "r", "none", "71.0", "31.0", "51.0", "46.0", "71.0", "51.0", "20.0", ""]
    assert rows[1] == ["m", "r", "mnli", "75.0", "35.0", "55.0", "50.0", "75.0", "35.0", "20.0", ""]
    assert shown.caption == (
        "Two tasks, means over languages, English included unless named, in percent. 2 runs an arm; test examples a"
        " task: xnli 20, tatoeba 10."
    )
    assert shown.frame["runs"].tolist() == [2, 2] and shown.frame["xnli.n"].tolist() == [20, 20]


def test_an_arm_that_lacks_a_task_has_no_mean_in_the_benchmark():
    frame = scores(official=("target == 'xnli'", False))
    shown = of_scores(frame[~((frame["target"] == "tatoeba") & (frame["mixture"] == "mnli"))])["benchmark"]
    _, rows = shown.cells
    assert rows[0][3:6] == ["71.0†", "31.0", "51.0"]
    assert rows[1][3:] == ["75.0†", "–", "–", "–", "–", "–", "–", "1 missing"]
    assert "test examples a task: xnli 20, tatoeba 10." in shown.caption


def test_benchmark_says_where_its_intervals_are():
    asked = Answer(budgets={}, families={}, recipes=(), outcome="benchmark")
    assert "intervals stand in the table `answer`." in of_scores(scores(), answer=asked)["benchmark"].caption


def test_benchmark_says_what_its_cells_are_not():
    frame = scores(
        official=("target == 'xnli' and language == 'de'", False),
        sample=("target == 'tatoeba'", True),
        collapsed=("target == 'xnli' and mixture == 'mnli' and seed == 2", True),
    )
    frame = frame[~((frame["target"] == "xnli") & (frame["language"] == "en"))]
    shown = of_scores(frame)["benchmark"]
    _, rows = shown.cells
    assert [row[3:5] for row in rows] == [["61.0†", "31.0‡"], ["65.0†!", "35.0‡"]]
    assert [row[-1] for row in rows] == ["1 missing", "1 missing"]
    assert shown.legend.startswith(
        "† not on the official split; ‡ a sample of the rows; ! averaged over a run that collapsed in"
    )


def test_marks_of_all_cells_stand_in_the_caption_once():
    """Of a benchmark's table all tasks are marked, its means are not."""
    frame = scores(official=("seed > 0", False), sample=("target == 'tatoeba'", True))
    shown = of_scores(frame)
    assert shown["benchmark"].cells[1][0][3:6] == ["71.0", "31.0‡", "51.0"]
    assert shown["by_language"].cells[1][0][5:] == ["81.0", "61.0"]
    assert shown["main"].cells[1][0][3:] == ["61.0", "31.0‡", "46.0‡"]
    for table in shown.values():
        assert table.caption.endswith(" All cells: not on the official split.")
        assert table.legend == "‡ a sample of the rows."


def test_by_language():
    shown = of_scores(scores(n=("language == 'de' and target == 'xnli'", 12)))["by_language"]
    header, rows = shown.cells
    assert header == ["model", "recipe", "target", "split", "mixture", "en", "de"]
    assert rows[1:3] == [
        ["m", "r", "xnli", "test", "mnli", "85.0 (+4.0)", "65.0 (+4.0)"],
        ["m", "r", "tatoeba", "test", "none", "–", "31.0"],
    ]
    assert shown.caption == (
        "scores by language, in percent; in brackets the gain over no intermediate training, without an interval. 2"
        " runs an arm; test examples a language: xnli 10 to 12, tatoeba 10."
    )
    assert shown.legend == "" and set(shown.frame["runs"]) == {2}


@pytest.mark.parametrize("kind", ["md", "csv", "tex"])
def test_every_table_is_written(tmp_path, kind):
    plan = study_plan(benchmark=BENCHMARK, mixtures=MIXTURES)
    before = read_by_another(tmp_path / f"main.{kind}")
    tables.write(tables.of_study(scores(), None, NO_ESTIMATES, plan), plan.title, tmp_path)
    assert before() == BEFORE
    assert {path.stem for path in tmp_path.glob(f"*.{kind}")} == {"main", "by_language", "benchmark"}
    text = (tmp_path / f"main.{kind}").read_text(encoding="utf-8")
    assert kind == "csv" or "Study test: zero-shot means" in text


def test_layers():
    rows = [
        {"model": "m", "recipe": "r", "method": "full", "mixture": mixture, "seed": 1, "target": "tatoeba",
         "layer": layer, "language": language, "score": score + layer + more}
        for mixture, more in {"none": 0, "mnli": 10}.items()
        for layer in (0, 1, 2)
        for language, score in {"de": 30, "tr": 20}.items()
    ]  # fmt: skip
    header, lines = tables.layer_rows(tables.layer_frame(pd.DataFrame(rows)))
    assert header == ["model", "recipe", "target", "mixture", "0", "1", "2"]
    assert lines == [
        ["m", "r", "tatoeba", "none", "25.0", "26.0", "27.0"], ["m", "r", "tatoeba", "mnli", "35.0", "36.0", "37.0"]
    ]  # fmt: skip


def in_two_worlds():
    """The scores in world 1, and in world 2, where all are ten points lower and mnli is six better instead of four."""
    second = scores()
    second["score"] += np.where(second["mixture"] == "mnli", -8, -10)
    return pd.concat([scores().assign(world=1), second.assign(world=2)], ignore_index=True)


def test_scores_are_means_over_worlds_and_gains_are_within_a_world():
    frame = in_two_worlds()
    worlds = tuple(Cell("m", "r", "full", "none", 1, "xnli", "predictions/x", world) for world in (1, 2))
    shown = of_scores(frame, cells=worlds)
    _, rows = shown["main"].cells
    assert [row[3:5] for row in rows] == [["56.0", "26.0"], ["61.0 (+5.0)", "31.0 (+5.0)"]]
    by_world = with_gain(frame).query("mixture == 'mnli'").groupby("world")["gain"].unique()
    assert by_world.map(list).to_dict() == {1: [4], 2: [6]}
    _, rows = shown["benchmark"].cells
    assert [row[3:6] for row in rows] == [["66.0", "26.0", "46.0"], ["71.0", "31.0", "51.0"]]
    # ten examples in each world
    assert "2 runs an arm in each world; 20 test examples a target." in shown["main"].caption
