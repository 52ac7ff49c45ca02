"""Which examples changed between two arms, by hand cases; which arms; and which examples are chosen."""

import numpy as np
import pandas as pd
import pytest
from xstilts.evaluation import changed_examples
from xstilts.evaluation.changed_examples import EACH, Changed, Changes, Side, changes, pairs, runs_of, within_limit
from xstilts.evaluation.comparisons import Arm
from xstilts.store.answer import Budget, Contrast, Family

from tests.builders.compared import MIXTURES, XNLI, answer, study
from tests.builders.predicted import Predicted, correct

# three runs of the first side and two of the second; an example a column
FIRST = ["aaa", "aa.", "a..", "...", "aa."]
SECOND = ["..", "a.", "aa", "aa", "aa"]


def runs(columns):
    return np.array([[run != "." for run in column] for column in columns]).T


def examples(languages, ids):
    return pd.DataFrame({"language": list(languages), "example_id": list(ids)})


def test_changes_by_hand():
    """Half of two runs is no majority, so 1 is gained; 4 has a majority on both sides."""
    (found,) = changes(examples(["de"] * 5, "01234"), runs(FIRST), runs(SECOND))
    assert found == Changes(
        "de", 5, 2, 2, gained=(Changed("0", 3, 0), Changed("1", 2, 1)), lost=(Changed("3", 0, 2), Changed("2", 1, 2))
    )


def test_each_language_is_apart_and_keeps_its_place():
    found = changes(examples(["fr", "de", "fr", "de", "de"], "01234"), runs(FIRST), runs(SECOND))
    assert [(one.language, one.examples, one.gained_number, one.lost_number) for one in found] == [
        ("fr", 2, 1, 1),
        ("de", 3, 1, 1),
    ]


def test_of_equal_changes_the_first_by_id():
    """Shares of runs that differ by as much are equal, whatever they are: 3/5 and 0 here, 4/5 and 1/5 there."""
    first, second = runs(["aaa..", "aaaa.", "aaaaa"]), runs([".....", "a....", "....."])
    (found,) = changes(examples(["de"] * 3, ["b", "a", "c"]), first, second)
    assert [one.example_id for one in found.gained] == ["c", "a", "b"]


def test_what_differs_is_the_share_of_runs():
    """3/3 - 1/2 is less than 2/3 - 0/2, although as many more runs are right."""
    (found,) = changes(examples(["de"] * 2, "ab"), runs(["aaa", "aa."]), runs(["a.", ".."]))
    assert [one.example_id for one in found.gained] == ["b", "a"]


def test_half_of_the_runs_are_no_majority_on_either_side():
    (found,) = changes(examples(["de"] * 2, "ab"), runs(["a.", "aa"]), runs(["..", "a."]))
    assert [one.example_id for one in found.gained] == ["b"]


def test_so_many_are_shown_in_each_direction():
    number = EACH + 2
    (found,) = changes(examples(["de"] * number, map(str, range(number))), runs(["a"] * number), runs(["."] * number))
    assert found.gained_number == number and len(found.gained) == EACH and found.lost == ()


# which arms


def arms(found):
    return [(pair.shared, pair.first.name, pair.second.name, len(pair.second.arms)) for pair in found]


def plan(folder, models=("s",), mixtures=tuple(MIXTURES), **changes):
    return study(folder, {(model, mixture): [50] for model in models for mixture in mixtures}).plan(**changes)


def test_an_answer_compares_its_first_budget_in_every_model(tmp_path):
    budgets = {
        "equal epochs": Budget(multi="nine", single="best", singles=("mnli", "squad_v1")),
        "equal steps": Budget(multi="mnli", single="squad_v1", singles=("squad_v1",)),
    }
    asked = answer(budgets=budgets, families={"f": Family(small="s", large="l")})
    found = pairs(
        plan(tmp_path, models=("s", "l"), answer=asked, contrasts={"c": Contrast("mixture", ("mnli", "none"))})
    )
    assert arms(found) == [
        ("s", "nine", "none", 1),
        ("s", "nine", "best single", 2),
        ("l", "nine", "none", 1),
        ("l", "nine", "best single", 2),
    ]
    assert [pair.second.chosen for pair in found] == [False, True, False, True]
    assert found[0].targets == ("xnli",)


@pytest.mark.parametrize("single, name, number", [("mnli", "mnli", 1), ("mean", "mean single", 2)])
def test_the_single_side_is_the_mixture_or_the_mean_that_the_answer_names(tmp_path, single, name, number):
    singles = ("mnli",) if number == 1 else ("mnli", "squad_v1")
    assert arms(pairs(plan(tmp_path, answer=answer(single, singles))))[1] == ("s", "nine", name, number)


def test_arms_that_a_study_lacks_are_left_out(tmp_path):
    assert arms(pairs(plan(tmp_path, mixtures=("nine", "mnli"), answer=answer()))) == [("s", "nine", "mnli", 1)]


def test_without_an_answer_the_first_contrast(tmp_path):
    contrasts = {"a": Contrast("mixture", ("mnli", "none")), "b": Contrast("mixture", ("nine", "none"))}
    assert arms(pairs(plan(tmp_path, models=("s", "l"), contrasts=contrasts))) == [
        ("s, r", "mnli", "none", 1),
        ("l, r", "mnli", "none", 1),
    ]


def test_a_contrast_of_models_on_its_targets(tmp_path):
    made = plan(tmp_path, models=("s", "l"), contrasts={"size": Contrast("model", ("l", "s"), targets=("xnli",))})
    found = pairs(made)
    assert ("nine, r", "l", "s", 1) in arms(found) and len(found) == len(MIXTURES)
    assert found[0].targets == ("xnli",)


def test_a_study_that_asks_nothing_has_no_pairs(tmp_path):
    assert pairs(plan(tmp_path)) == []


# which runs

SINGLES = Side("best single", (Arm("s", "r", "mnli"), Arm("s", "r", "squad_v1")), chosen=True)


@pytest.fixture
def two_singles(tmp_path):
    """Two runs of two single tasks: in the first run one of them is best on dev rows, in the second the other one."""
    made = Predicted(tmp_path, {"xnli": XNLI}, MIXTURES)
    for mixture, dev in {"mnli": (60, 50), "squad_v1": (40, 70)}.items():
        for seed, score in enumerate(dev, 1):
            made.add(("s", mixture), seed, "xnli", {"de": correct(4, 2)}, score)
    return made


def test_in_each_run_the_best_single_task_is_taken(two_singles):
    found = runs_of(two_singles.plan(), two_singles.results, SINGLES)
    assert (found.name, found.chosen) == ("best single", "mnli 1, squad_v1 1")
    assert found.nodes == {"xnli": ("predictions/s.r.mnli.s1.xnli", "predictions/s.r.squad_v1.s2.xnli")}


def test_a_mean_has_the_runs_of_all_single_tasks(two_singles):
    side = Side("mean single", SINGLES.arms)
    assert len(runs_of(two_singles.plan(), two_singles.results, side).nodes["xnli"]) == 4


def test_runs_that_are_one_and_the_same_count_once(tmp_path):
    made = study(tmp_path, {("s", "none"): [50, 50]})
    made.cells = [made.cells[0], made.cells[0]]
    assert len(runs_of(made.plan(), tmp_path, Side("none", (Arm("s", "r", "none"),))).nodes["xnli"]) == 1


# the limit


def changed(language, gained, lost):
    of = [
        tuple(Changed(f"{way}{number}", 1, 0) for number in range(min(n, EACH)))
        for way, n in (("g", gained), ("l", lost))
    ]
    return Changes(language, 100, gained, lost, *of)


def test_what_is_within_the_limit_stays():
    found = {"a": [changed("de", 2, 1)], "b": [changed("de", 0, 1)]}
    assert within_limit(found, 8) == found and within_limit({}) == {}


def test_every_key_may_have_as_many_and_languages_with_most_changes_come_first():
    found = {"a": [changed("de", 1, 1), changed("fr", 2, 9), changed("es", 1, 1)], "b": [changed("de", 1, 0)]}
    limited = within_limit(found, 6)
    kept = {one.language: (len(one.gained), len(one.lost)) for one in limited["a"]}
    # three of this key: the first ones of both directions in French, then German, which is before Spanish by its code
    assert kept == {"de": (1, 0), "fr": (1, 1), "es": (0, 0)}
    assert [one.language for one in limited["a"]] == ["de", "fr", "es"]
    assert [(one.gained_number, one.lost_number) for one in limited["a"]] == [(1, 1), (2, 9), (1, 1)]
    assert limited["b"] == found["b"]


def test_there_are_never_more_than_the_limit():
    languages = [f"l{number}" for number in range(40)]
    found = {key: [changed(language, 9, 9) for language in languages] for key in range(36)}
    assert sum(len(one.all) for of_key in within_limit(found).values() for one in of_key) <= changed_examples.LIMIT
