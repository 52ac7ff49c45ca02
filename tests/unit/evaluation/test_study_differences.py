"""Differences of two studies by hand: which runs are the same, which examples are, and what the intervals are of it."""

import math

import pytest
from xstilts.errors import UserError
from xstilts.evaluation import study_differences
from xstilts.store import manifest
from xstilts.store.manifest import File, PreparedResults
from xstilts.store.specs import from_json, to_json
from xstilts.store.specs.data import Content, DataSpec
from xstilts.store.study_plan import Benchmark, BenchmarkTask, Cell, PlannedNode, PlannedTarget

from tests.builders import compared
from tests.builders.predicted import correct
from tests.builders.two_studies import (
    ARM,
    difference,
    differences,
    shares_of,
    study,
    without_noise_of_examples,
)

SCORES = {1: 25, 2: 50, 3: 75}


def test_the_same_nodes_are_the_same_run(tmp_path):
    only = study(tmp_path, {"xnli": {1: 60, 2: 64}})
    row = difference(only, only)
    assert (row["runs"], row["difference"], row["shared_runs"]) == ("same run", 0, 2)
    assert row["interval"] == row["verdict"] == "" and math.isnan(row["low"])


def test_other_runs_on_the_same_examples_are_compared_as_two_arms_of_a_study_are(tmp_path):
    scores = {"mnli": {1: 60, 2: 63, 3: 66}, "squad_v1": {1: 70, 2: 71, 3: 78}}
    first, second = (
        study(tmp_path / tag, {"xnli": of_seeds}, tag=tag) for tag, of_seeds in zip("ab", scores.values(), strict=True)
    )
    one = compared.study(tmp_path / "c", {("s", name): list(of.values()) for name, of in scores.items()})
    contrast = compared.only(compared.contrast(one, "squad_v1", "mnli"), target="xnli")
    row = difference(first, second)
    assert (row["score_a"], row["score_b"], row["difference"]) == pytest.approx((63, 73, 10))
    assert row["standard_error"] == pytest.approx(contrast["standard_error"])
    # the variances of two studies are not pooled, so there are fewer degrees of freedom than in one pool of two arms
    assert row["degrees"] <= contrast["degrees"] and row["high"] - row["low"] >= contrast["high"] - contrast["low"]
    assert (row["verdict"], row["runs"], row["same_examples"]) == ("higher", "other runs", 1)
    assert (row["n_a"], row["n_b"], row["languages"]) == (100, 100, 1)


def test_runs_that_are_shared_count_once(tmp_path):
    """The second study has two runs more: 1/3 of three is also 1/5 of five; s2 is within the three and the two."""
    first = without_noise_of_examples(tmp_path / "r", SCORES)
    second = without_noise_of_examples(tmp_path / "b", SCORES | {4: 100, 5: 50})
    row = difference(first, second)
    assert (row["runs_a"], row["runs_b"], row["shared_runs"]) == (3, 5, 3)
    assert row["difference"] == pytest.approx(10)
    assert row["standard_error"] == pytest.approx(math.sqrt((1250 + 1250) / 3 * (1 / 3 - 1 / 5)))
    apart = without_noise_of_examples(tmp_path / "c", SCORES | {4: 100, 5: 50}, tag="x")
    row = difference(first, apart)
    assert row["shared_runs"] == 0
    assert row["standard_error"] == pytest.approx(math.sqrt(625 / 3 + 812.5 / 5))


def test_of_as_many_runs_those_that_are_shared_cancel(tmp_path):
    first = without_noise_of_examples(tmp_path / "r", SCORES)
    second = without_noise_of_examples(tmp_path / "b", {1: 25, 2: 50, 4: 100})
    row = difference(first, second)
    assert row["difference"] == pytest.approx(25 / 3) and row["shared_runs"] == 2
    # what is known of s2 is the difference of the two runs that are shared, once
    assert row["standard_error"] == pytest.approx(math.sqrt(312.5 * 2 / 9))
    assert row["degrees"] == pytest.approx(1)


def test_a_pool_of_which_a_run_is_shared_is_one_pool(tmp_path):
    """Of the arm that is compared nothing is shared; of another arm of its pool everything is, and counts once."""
    first, second = without_noise_of_examples(tmp_path / "a", SCORES), without_noise_of_examples(tmp_path / "b", {})
    second.add(ARM, 4, "xnli", shares_of(100))
    second.add(ARM, 5, "xnli", shares_of(50))
    for made in (first, second):
        for seed, percent in ((1, 0), (2, 100), (3, 50)):
            made.add(("s", "squad_v1"), seed, "xnli", shares_of(percent))
    row = differences(first, second).set_index("mixture").loc["mnli"]
    assert row["standard_error"] == pytest.approx(math.sqrt((1250 + 1250 + 5000) / 5 * (1 / 3 + 1 / 2)))
    assert row["degrees"] == pytest.approx(5)


def test_a_target_with_the_same_runs_adds_nothing_to_a_mean(tmp_path):
    targets = {name: PlannedTarget(name, "classification", "accuracy", "en", "tiny") for name in ("xnli", "pawsx")}
    first = study(tmp_path / "a", {"xnli": {1: 60, 2: 66}, "pawsx": {1: 30, 2: 50}}, targets)
    second = study(tmp_path / "b", {"xnli": {1: 70, 2: 73}, "pawsx": {1: 30, 2: 50}}, targets)
    frame = differences(first, second).set_index("target")
    assert frame.loc["pawsx", "runs"] == "same run"
    assert frame.loc["", "runs"] == "other runs"
    for name in ("difference", "standard_error", "low", "high"):
        assert frame.loc["", name] == pytest.approx(frame.loc["xnli", name] / 2)
    assert (frame.loc["", "score_a"], frame.loc["", "score_b"]) == pytest.approx((51.5, 55.75))


def test_what_came_of_a_node_elsewhere_is_another_run_where_it_differs(tmp_path):
    first, second = (study(tmp_path / name, {"xnli": {1: 60, 2: second}}) for name, second in (("a", 66), ("b", 68)))
    row = difference(first, second)
    assert (row["runs"], row["shared_runs"]) == ("other runs", 1)


def test_other_nodes_with_the_same_predictions(tmp_path):
    first, second = (study(tmp_path / tag, {"xnli": {1: 60, 2: 66}}, tag=tag) for tag in "ab")
    row = difference(first, second)
    assert (row["runs"], row["difference"], row["interval"]) == ("same predictions", 0, "")
    assert row["shared_runs"] == 0


def test_what_is_not_trained_has_one_run_whatever_its_seeds(tmp_path):
    first, second, third = (study(tmp_path / tag, {}, tag=tag) for tag in "abc")
    for made, seeds, right in ((first, (1, 2), 60), (second, (3,), 60), (third, (1, 2, 3), 70)):
        for seed in seeds:
            made.add(("s", "none"), seed, "xnli", {"de": correct(100, right)}, dev=None)
    row = difference(first, second)
    assert (row["runs"], row["runs_a"], row["runs_b"]) == ("same predictions", 1, 1)
    row = difference(first, third)
    assert (row["runs"], row["difference"], row["degrees"]) == ("other runs", 10, 99)


def test_the_variance_between_runs_is_that_of_all_arms_of_its_study(tmp_path):
    first = without_noise_of_examples(tmp_path / "a", SCORES)
    second = without_noise_of_examples(tmp_path / "b", {1: 50, 2: 50, 3: 50}, tag="b")
    assert difference(first, second)["standard_error"] == pytest.approx(math.sqrt(625 / 3))
    for seed, percent in ((1, 0), (2, 100), (3, 100)):
        second.add(("s", "squad_v1"), seed, "xnli", shares_of(percent))
    # of the second arm s2 is 10000 / 3, and the mean of it and 0 is that of the pool
    row = difference(first, second)
    assert row["standard_error"] == pytest.approx(math.sqrt(625 / 3 + 10000 / 6 / 3))


def test_the_study_with_fewer_clusters_decides_the_degrees_of_freedom(tmp_path):
    scores = {"xnli": {1: 60, 2: 60}}
    first = study(tmp_path / "a", scores, tag="a")
    second = study(tmp_path / "b", {"xnli": {1: 70, 2: 70}}, tag="b", data_tag="b", clusters=50)
    for pair in ((first, second), (second, first)):
        assert difference(*pair)["degrees"] == pytest.approx(1)


def test_other_examples_are_drawn_apart(tmp_path):
    """Two proportions, 60 and 70 of 100: where the examples are the same, ten of them change."""
    first, second = (
        study(tmp_path / tag, {"xnli": {1: right, 2: right}}, tag=tag, data_tag=tag)
        for tag, right in (("a", 60), ("b", 70))
    )
    row = difference(first, second)
    assert row["same_examples"] == 0
    assert row["standard_error"] == pytest.approx(math.sqrt((60 * 40 + 70 * 30) / 99), rel=0.07)
    for made in (first, second):
        write_prepared(made, f"prepared/xnli{made.tag}", "1")
    row = difference(first, second)
    assert row["same_examples"] == 1
    assert row["standard_error"] == pytest.approx(math.sqrt(10 * 90 / 99), rel=0.07)


def write_prepared(made, node, sha):
    """Write a manifest of prepared data whose files have a digest."""
    files = {f"{language}.parquet": File(sha256=sha, bytes=1) for language in ("en", "de")}
    path = manifest.path_of(made.results, node)
    path.parent.mkdir(parents=True)
    spec = from_json(made.nodes[node].content)
    path.write_text(manifest.text(spec, files, PreparedResults(splits={}, left_out={})))


def test_data_with_other_digests_are_other_examples(tmp_path):
    first, second = (study(tmp_path / tag, {"xnli": {1: 60}}, tag=tag, data_tag=tag) for tag in "ab")
    for made in (first, second):
        write_prepared(made, f"prepared/xnli{made.tag}", made.tag)
    assert difference(first, second)["same_examples"] == 0


def with_parents(made, stage, **parents):
    """Change parents of all nodes of a stage."""
    for node, entry in made.nodes.items():
        if node.startswith(f"{stage}/") and (stage != "prepared" or node.endswith(".training")):
            content = {**entry.content, "parents": {**entry.parents, **parents}}
            made.nodes[node] = PlannedNode(entry.digest, entry.names, content)


def with_data(made, seed, kind="miniature"):
    """Let the data of intermediate training be of a made-up world; of no world without a seed."""
    with_parents(made, "prepared", data=f"data/of.{seed}")
    source = Content(kind=kind, files={}, seed=seed, generator=None if seed is None else 1)
    spec = DataSpec(version=1, parents={}, source=source)
    made.nodes[f"data/of.{seed}"] = PlannedNode("", ("of",), to_json(spec))


def two_that_differ(tmp_path):
    return [
        study(tmp_path / tag, {"xnli": {1: right, 2: right + 2, 3: right + 1}}, tag=tag)
        for tag, right in (("a", 60), ("b", 90))
    ]


def test_another_checkpoint_has_an_interval_without_verdict(tmp_path):
    first, second = two_that_differ(tmp_path)
    same = difference(first, second)
    assert (same["verdict"], same["settings"]) == ("higher", "")
    for made in (first, second):
        made.nodes["pretrained/s.1234"] = PlannedNode("", ("s",), {"parents": {}})
    with_parents(second, "intermediate", model="pretrained/s.1234")
    row = difference(first, second, differs=lambda pairs: "steps is 2, was 1")
    assert row["verdict"] == "" and math.isnan(row["p"])
    assert [row[name] for name in ("low", "high", "interval")] == [same[name] for name in ("low", "high", "interval")]
    words = "another checkpoint or world: the interval does not hold what that changes"
    assert row["settings"] == f"{words}; steps is 2, was 1"
    assert difference(first, second)["settings"] == words
    with_parents(first, "intermediate", model="pretrained/s.1234")
    assert difference(first, second)["verdict"] == "higher"


@pytest.mark.parametrize(
    ("seeds", "verdict"), [((1, 1), "higher"), ((1, 2), ""), ((None, 1), ""), ((None, None), "higher")]
)
def test_data_of_another_world_have_no_verdict(tmp_path, seeds, verdict):
    pair = two_that_differ(tmp_path)
    for made, seed in zip(pair, seeds, strict=True):
        with_data(made, seed, "hub" if seed is None else "miniature")
    row = difference(*pair)
    assert row["verdict"] == verdict and row["settings"].startswith("another checkpoint") == (not verdict)


def test_the_same_predictions_of_another_checkpoint_are_only_that(tmp_path):
    first, second = (study(tmp_path / tag, {"xnli": {1: 60, 2: 66}}, tag=tag) for tag in "ab")
    for made in (first, second):
        made.nodes["pretrained/s.1234"] = PlannedNode("", ("s",), {"parents": {}})
    with_parents(second, "intermediate", model="pretrained/s.1234")
    row = difference(first, second)
    assert (row["runs"], row["settings"]) == ("same predictions", "")


def test_one_run_has_a_range_and_no_verdict(tmp_path):
    first, second = (study(tmp_path / tag, {"xnli": {1: right}}, tag=tag) for tag, right in (("a", 60), ("b", 90)))
    row = difference(first, second)
    assert (row["interval"], row["verdict"]) == ("examples only", "") and row["low"] < 30 < row["high"]


def test_one_run_of_either_study_has_no_verdict(tmp_path):
    """Neither the runs of other arms nor those of the other study say how that one varies."""
    made = {name: study(tmp_path / name, {"xnli": scores}) for name, scores in (("a", {1: 60, 2: 64}), ("b", {1: 60}))}
    for seed in (1, 2, 3):
        made["b"].add(("s", "squad_v1"), seed, "xnli", {"en": correct(100, 90), "de": correct(100, 50 + seed)})
    for pair in (("a", "b"), ("b", "a")):
        row = difference(*(made[name] for name in pair))
        assert (row["interval"], row["verdict"], row["shared_runs"]) == ("examples only", "", 1)


def test_a_collapsed_run_that_is_shared_counts_once(tmp_path):
    made = [study(tmp_path / name, {}) for name in "ab"]
    for one, seeds in zip(made, ((1, 2, 3), (1, 2)), strict=True):
        for seed in seeds:
            one.add(ARM, seed, "xnli", {"en": correct(100, 0), "de": correct(100, 20)}, collapsed=True)
    assert difference(*made)["collapsed"] == difference(made[0], made[0])["collapsed"] == 3


def test_collapsed_runs_have_a_second_row_without_them(tmp_path):
    first, second = (study(tmp_path / tag, {"xnli": {1: 60, 2: 64, 3: 62}}, tag=tag) for tag in "ab")
    second.add(ARM, 4, "xnli", {"en": correct(100, 0), "de": correct(100, 0)}, collapsed=True)
    frame = differences(first, second).set_index("runs_used")
    assert frame["collapsed"].to_dict() == {"all": 1, "without collapsed": 0}
    assert frame["runs_b"].to_dict() == {"all": 4, "without collapsed": 3}
    assert frame.loc["without collapsed", "runs"] == "same predictions"


def test_a_verdict_stays_where_all_runs_that_are_not_shared_collapsed(tmp_path):
    """It goes where all runs of a study did."""
    first, second = (study(tmp_path / name, {"xnli": {1: 60, 2: 64, 3: 62}}) for name in "ab")
    second.add(ARM, 4, "xnli", {"en": correct(100, 0), "de": correct(100, 0)}, collapsed=True)
    found = differences(first, second).set_index("runs_used").loc["all"]
    assert (found["shared_runs"], found["verdict"]) == (3, "lower")


def test_only_languages_of_both_that_are_no_controls_are_compared(tmp_path):
    first, second = study(tmp_path / "a", {}), study(tmp_path / "b", {}, tag="b")
    for made, languages in ((first, ("en", "de", "fr", "sw")), (second, ("en", "de", "fr", "th"))):
        for seed in (1, 2):
            made.add(ARM, seed, "xnli", {name: correct(100, 50 + seed) for name in languages})
    answer = compared.answer(controls=("fr",))
    row = difference(first, second, changes=({}, {"answer": answer}))
    assert (row["languages"], row["n_a"]) == (1, 100)


def test_the_outcome_is_that_of_both_answers(tmp_path):
    first, second = (study(tmp_path / tag, {"xnli": {1: 60, 2: 66}}, tag=tag) for tag in "ab")
    task = BenchmarkTask(languages=("en", "de"), metrics=("accuracy",), group="", layout="xnli")
    benchmark = {"benchmark": Benchmark("b", "B", "", {"xnli": task})}
    row = difference(first, second, changes=(benchmark, benchmark))
    assert (row["outcome"], row["score_a"]) == ("benchmark", (90 + 63) / 2)
    other = {"benchmark": Benchmark("other", "B", "", {"xnli": task})}
    for changes in ((benchmark, {}), (benchmark, other)):
        row = difference(first, second, changes=changes)
        assert (row["outcome"], row["score_a"]) == ("zero-shot", 63)


def test_the_stricter_of_two_smallest_differences_counts(tmp_path):
    first, second = (
        study(tmp_path / tag, {"xnli": {1: 60, 2: right}}, tag=tag) for tag, right in (("a", 60), ("b", 61))
    )
    loose, strict = ({"answer": compared.answer(smallest=smallest)} for smallest in (30, 0.001))
    assert difference(first, second, changes=(loose, loose))["verdict"] == "equivalent"
    for changes in ((loose, strict), (strict, loose)):
        assert difference(first, second, changes=changes)["verdict"] == "undecided"


def test_settings_are_asked_of_the_nodes_of_equal_seeds(tmp_path):
    first = study(tmp_path / "a", {"xnli": {1: 60, 2: 66}}, tag="a")
    second = study(tmp_path / "b", {"xnli": {2: 60, 3: 66}}, tag="b")
    row = difference(first, second, differs=lambda pairs: "; ".join(map(" was ".join, pairs)))
    assert row["settings"] == "predictions/s.r.mnli.s2.xnlib was predictions/s.r.mnli.s2.xnlia"


def test_worlds_that_both_have(tmp_path):
    def in_worlds(folder, worlds):
        made = study(folder, {"xnli": {1: 60, 2: 66}}, tag=folder.name)
        cells = made.cells
        made.cells = [Cell(**{**vars(cell), "world": world}) for world in worlds for cell in cells]
        return made

    first, second = in_worlds(tmp_path / "a", (1, 2)), in_worlds(tmp_path / "b", (2, 3))
    assert differences(first, second)["world"].tolist() == [2]
    with pytest.raises(UserError, match="A has the worlds 1, 2, B has not several worlds"):
        differences(first, study(tmp_path / "c", {"xnli": {1: 60}}))


def test_predictions_that_are_missing(tmp_path):
    first, second = (study(tmp_path / tag, {"xnli": {1: 60, 2: 66}}, tag=tag) for tag in "ab")
    (second.results / second.cells[1].node / "manifest.json").unlink()
    with pytest.raises(UserError, match="B, study test: predictions of 1 of its 2 nodes are missing.*s2.xnlib"):
        differences(first, second)


def test_no_language_in_common(tmp_path):
    first, second = study(tmp_path / "a", {}), study(tmp_path / "b", {}, tag="b")
    for made, language in ((first, "de"), (second, "fr")):
        made.add(ARM, 1, "xnli", {language: correct(10, 5)})
    with pytest.raises(UserError, match="targets xnli in common, but no language"):
        differences(first, second)


def test_the_table_is_as_declared(tmp_path):
    first, second = (study(tmp_path / tag, {"xnli": {1: 60, 2: 64}}, tag=tag) for tag in "ab")
    assert study_differences.TABLE.problem(differences(first, second)) is None
