"""What a study can find: against other libraries' power of a t test, and components by hand."""

import dataclasses
import math

import numpy as np
import pytest
from statsmodels.stats.power import TTestIndPower
from xstilts.errors import UserError
from xstilts.evaluation import estimates, pilots, planned_examples
from xstilts.evaluation.comparisons import comparisons
from xstilts.evaluation.outcomes import Outcome, Term
from xstilts.evaluation.planned_examples import PlannedExamples, example_variance
from xstilts.evaluation.prospects import prospects
from xstilts.planning import registry
from xstilts.planning.settings import from_config
from xstilts.planning.study import read_study
from xstilts.planning.unindexed import plan_unindexed
from xstilts.references import SOURCE_LANGUAGE
from xstilts.store import study_plan as study_plans
from xstilts.store.answer import Contrast
from xstilts.store.study_plan import PlannedTarget

from tests.builders.pilots import pilot
from tests.builders.plans import plan_study
from tests.builders.predicted import Predicted
from tests.builders.projects import ROOT

STUDY = {
    "description": "x",
    "source": "miniature",
    "models": ["mini-small", "mini-large"],
    "recipes": {"mini": {"intermediate": {}, "target": {}}},
    "mixtures": ["none", "mnli", "squad_v1", "nine"],
    "targets": {"tydiqa": None, "tatoeba": None},
    "seeds": [1, 2, 3],
    "limits": {"train_rows": 100, "test_rows": 250},
}
MULTI = {"mixture": ["nine", "none"], "targets": ["tydiqa"], "models": ["mini-small"]}
ANSWER = {
    "budgets": {"equal epochs": {"multi": "nine", "single": "best"}},
    "families": {"mini": {"small": "mini-small", "large": "mini-large"}},
    "primary": [],
}


def plan_with(folder, **changes):
    """Return a plan without claims."""
    return dataclasses.replace(plan_study(folder, STUDY | changes).study_plan, claims={})


def found(plan, noise_of, rows=None):
    """Return what can be found, with test sets of this size where one is given."""
    examples = planned_examples.planned_examples(plan)
    if rows is not None:
        examples = {
            name: PlannedExamples(dict.fromkeys(planned.rows, rows), planned.parallel)
            for name, planned in examples.items()
        }
    asked = comparisons(plan, {name: planned.rows for name, planned in examples.items()})
    return prospects(plan, asked, examples, noise_of)


def read(plan, *folders):
    """Return the noise in pilots of a study."""
    return pilots.read(folders, planned_examples.planned_examples(plan))


def only(plan, noise_of, rows=None):
    (prospect,) = found(plan, noise_of, rows)
    return prospect


def test_runs_alone_are_a_t_test_of_two_samples(tmp_path):
    """Two arms with an intermediate phase, no noise of examples: degrees of freedom are those of both samples."""
    plan = plan_with(
        tmp_path,
        mixtures=["none", "mnli", "nine"],
        contrasts={"multi": {**MULTI, "mixture": ["nine", "mnli"]}},
    )
    prospect = only(plan, pilots.stated(1.5), rows=10**12)
    for runs in (2, 3, 5, 10):
        expected = TTestIndPower().solve_power(nobs1=runs, alpha=0.05, power=0.8)
        assert prospect.detectable(runs) == pytest.approx(1.5 * expected, rel=1e-4), runs
    assert prospect.detectable(1) is None
    assert prospect.detectable(int(prospect.runs_needed)) <= 1 < prospect.detectable(int(prospect.runs_needed) - 1)


def test_arms_of_one_model_share_their_variance(tmp_path):
    """Arms of one intermediate task are pooled; those of several tasks, and the baseline, stand apart."""
    contrasts = {name: {**MULTI, "targets": [name]} for name in ("tydiqa", "tatoeba")}
    plan = plan_with(tmp_path, contrasts=contrasts | {"single": {**MULTI, "mixture": ["nine", "mnli"]}})
    of_tydiqa, of_tatoeba, of_arms = (one.components for one in found(plan, pilots.stated(2.0)))
    # Satterthwaite: (4 + 4)^2 / (4^2 / 1 + 4^2 / 2)
    assert of_arms.run == pytest.approx(2 * 4) and of_arms.arms == pytest.approx(64 / (16 + 16 / 2))
    assert of_tydiqa.run == pytest.approx(2 * 4) and of_tydiqa.arms == pytest.approx(64 / (16 + 16))
    # a published model is one node for all seeds
    assert of_tatoeba.run == pytest.approx(4) and of_tatoeba.arms == pytest.approx(1)


def test_targets_vary_independently(tmp_path):
    """The mean of two targets: a variance of 1/4 of each; the baseline has it of TyDiQA only."""
    plan = plan_with(tmp_path, contrasts={"multi": {"mixture": ["nine", "none"], "models": ["mini-small"]}})
    assert only(plan, pilots.stated(2.0)).components.run == pytest.approx(4 / 2 + 4 / 4)


def test_prompts_vary_by_the_examples_that_a_seed_draws(tmp_path):
    recipes = {"two": {"prompting": {"examples": 2, "max_length": 256}}, "zero": {"prompting": {"max_length": 256}}}
    models = ["qwen3-0_6b-base", "qwen3-1_7b-base"]
    plan = plan_with(tmp_path, source="tiny", models=models, recipes=recipes, mixtures=["none"], targets={"xnli": None},
                     languages=["en", "de"], contrasts={"size": {"model": models}})  # fmt: skip
    variances = {one.comparison.recipe: one.components.run for one in found(plan, pilots.stated(2.0))}
    assert variances == {"two": pytest.approx(2 * 4), "zero": 0}


def test_interaction_has_four_arms_of_which_two_are_chosen(tmp_path):
    mixtures = ["none", "mnli", "squad_v1", "qqp", "nine"]
    plan = plan_with(tmp_path, answer=ANSWER, mixtures=mixtures)
    small, large, interaction = found(plan, pilots.stated(1.0))
    assert [one.comparison.size for one in (small, large, interaction)] == ["small", "large", ""]
    assert small.components.run == large.components.run == pytest.approx(2 / 2)
    assert interaction.components.run == pytest.approx(4 / 2)
    assert interaction.components.example == pytest.approx(2 * small.components.example)
    # the multi-task arm stands alone, and so does what is chosen
    assert small.components.arms == pytest.approx(4 / (1 + 1))
    plan = plan_with(
        tmp_path, mixtures=mixtures, answer={**ANSWER, "budgets": {"equal epochs": {"multi": "nine", "single": "mean"}}}
    )
    mean, *_ = found(plan, pilots.stated(1.0))
    assert mean.components.run == pytest.approx((1 + 3 / 9) / 2)
    assert mean.components.arms == pytest.approx((1 + 1 / 3) ** 2 / (1 + (1 / 3) ** 2 / 3))


def test_primary_comparisons_must_hold_at_the_strictest_step(tmp_path):
    contrasts = {"multi": {**MULTI, "primary": True}, "again": MULTI}
    first, second = found(plan_with(tmp_path, contrasts=contrasts), pilots.stated(1.0))
    assert first.level == second.level == 0.05
    assert first.detectable(3) == pytest.approx(second.detectable(3))
    contrasts["large"] = {**MULTI, "models": ["mini-large"], "primary": True}
    first, _, second = found(plan_with(tmp_path, contrasts=contrasts), pilots.stated(1.0))
    assert first.level == 0.05 / 2 and second.level == 0.05
    assert first.detectable(3) > second.detectable(3)


def test_of_a_claim_the_comparison_that_is_hardest_to_find_counts(tmp_path):
    """TyDiQA has fewer languages, and one comparison of four must hold at 5 % / 4; of another claim it must at 5 %."""
    of_both = [{"mixtures": ["nine", "mnli"], "minus": ["none"], "targets": ["xnli", "tydiqa"]}]
    claims = {name: {"text": "x", "comparisons": of_both} for name in ("all", "one")}
    claims["one"] = {"text": "x", "comparisons": [{**of_both[0], "mixtures": ["nine"], "targets": ["tydiqa"]}]}
    plan = plan_study(
        tmp_path, {**STUDY, "models": ["mini-small"], "targets": {"xnli": None, "tydiqa": None}, "claims": claims}
    ).study_plan
    plan = dataclasses.replace(plan, claims={name: plan.claims[name] for name in claims})
    rows = planned_examples.planned_examples(plan)
    asked = comparisons(plan, {name: planned.rows for name, planned in rows.items()})
    assert [one.outcome.target for one in asked] == ["xnli", "tydiqa", "xnli", "tydiqa", "tydiqa"]
    few = {**rows, "tydiqa": PlannedExamples(dict.fromkeys(rows["tydiqa"].rows, 50), False)}
    together, alone = prospects(plan, asked, few, pilots.stated(1.0))
    assert (together.comparison.name, together.comparison.outcome.target, together.level) == (
        "claim all", "tydiqa", 0.05 / 4,
    )  # fmt: skip
    assert (alone.comparison.name, alone.level) == ("claim one", 0.05) and together.detectable(3) > alone.detectable(3)
    assert together.comparison.is_of_claim and alone.comparison.is_of_claim


def test_more_examples_where_runs_do_not_do(tmp_path):
    plan = plan_with(tmp_path, contrasts={"multi": MULTI})
    prospect = only(plan, pilots.stated(0.0))
    assert math.isinf(prospect.runs_needed) and prospect.examples_needed > 1
    enough = only(plan, pilots.stated(0.0), rows=math.ceil(250 * prospect.examples_needed))
    assert enough.detectable(3) == pytest.approx(1, rel=0.01) and enough.examples_needed == pytest.approx(1, abs=0.01)


def outcome(**weights):
    return Outcome("zero-shot", "", tuple(Term("t", code, "accuracy", weight) for code, weight in weights.items()))


def test_variance_of_examples_by_hand():
    """Of two arms, right or wrong with even chances: 2 x 2,500 x (1 - 1/2) squared points an example."""
    rows = {"de": 100, "fr": 400}
    variance, clusters = example_variance(outcome(de=0.5, fr=0.5), {"t": PlannedExamples(rows, False)}, 2)
    de, fr = 2500 * 0.25 / 100, 2500 * 0.25 / 400
    assert variance == pytest.approx(de + fr)
    assert clusters == round((de + fr) ** 2 / (de**2 / 99 + fr**2 / 399)) + 1
    same = {"t": PlannedExamples({"de": 100, "fr": 100, "hi": 5}, True)}
    variance, clusters = example_variance(outcome(de=0.5, fr=0.5), same, 2)
    assert variance == pytest.approx(2500 * (0.25 + 0.75 / 2) / 100) and clusters == 100
    alone, _ = example_variance(outcome(de=1.0), same, 4)
    assert alone == pytest.approx(2 * 2500 / 100)


def test_planned_examples_are_the_published_ones():
    entries, path = registry.load(), ROOT / "studies/scale.yaml"
    plan = plan_unindexed(read_study(path, entries), entries, from_config({"study": str(path)}))
    found = planned_examples.planned_examples(plan.study_plan)
    assert set(found["xnli"].rows.values()) == {5010} and found["xnli"].parallel
    assert found["tydiqa"].rows["bn"] == 113 and not found["tydiqa"].parallel
    # nobody states German's: as many as the largest
    assert found["udpos"].rows["de"] == max(found["udpos"].rows.values()) == 3455


def test_planned_examples_are_limited(tmp_path):
    planned = planned_examples.planned_examples(plan_with(tmp_path))["tydiqa"]
    assert set(planned.rows.values()) == {250} and SOURCE_LANGUAGE in planned.rows


def test_pilots_of_the_same_comparison_are_averaged(tmp_path):
    """Variances, not standard deviations; the name of a contrast does not matter."""
    plan = plan_with(tmp_path, contrasts={"other_name": MULTI})
    folders = [
        pilot(tmp_path / name, {"run_variance": run, "example_part": part, "estimate": found, "clusters": n}, plan=plan)
        for name, run, part, found, n in (("0", 2.0, 0.6, 4.0, 100), ("1", 18.0, 0.8, 6.0, 200))
    ]
    prospect = only(plan, read(plan, *folders))
    assert prospect.noise.source == "same comparison" and prospect.noise.difference == 5
    assert prospect.components.run == pytest.approx((2 + 18) / 2)
    assert prospect.components.arms == 2
    assert prospect.components.example == pytest.approx((0.36 + 0.64) / 2) and prospect.components.clusters == 150
    assert prospect.power(3) < prospect.power(5) and prospect.power(1) is None
    just = {"run_variance": 10.0, "example_part": math.sqrt(0.5), "estimate": prospect.detectable(5), "clusters": 150}
    assert only(plan, read(plan, pilot(tmp_path / "2", just, plan=plan))).power(5) == pytest.approx(0.8)


@pytest.mark.parametrize("rows", [125, 1000])
def test_the_examples_of_a_pilot_are_brought_to_the_studys_number(tmp_path, rows):
    """The pilot's test sets have 250 rows in each of six languages."""
    plan = plan_with(tmp_path, contrasts={"multi": MULTI})
    larger = plan_with(tmp_path, contrasts={"multi": MULTI}, limits={**STUDY["limits"], "test_rows": rows})
    noise_of = read(larger, pilot(tmp_path / "pilot", {"example_part": 0.6, "clusters": 100}, plan=plan))
    components = only(larger, noise_of).components
    assert components.example == pytest.approx(0.36 * 250 / rows)
    assert components.clusters == pytest.approx(100 * rows / 250, rel=0.05)


def test_a_study_that_is_its_own_pilot_finds_what_its_estimates_say(tmp_path, monkeypatch):
    """The same runs again: the estimates' own detectable differences, where arms vary alike and where they do not."""
    rng = np.random.default_rng(0)
    target = PlannedTarget("xnli", "classification", "accuracy", "en", "tiny", ("mnli",))
    made = Predicted(tmp_path / "results", {"xnli": target}, {"none": (), "mnli": ("mnli",), "qqp": ("qqp",)})
    for seed in (1, 2, 3):
        for mixture, chance, spread in (("none", 0.5, 0.01), ("mnli", 0.6, 0.05), ("qqp", 0.7, 0.05)):
            answers = {
                code: {"correct": rng.random(200) < chance + rng.normal(0, spread)} for code in ("en", "de", "fr")
            }
            made.add(("s", mixture), seed, "xnli", answers)
    contrasts = {"single": Contrast("mixture", ("qqp", "mnli")), "baseline": Contrast("mixture", ("qqp", "none"))}
    plan = made.plan(contrasts=contrasts)
    table = estimates.collect(plan, made.results)
    estimates.write(table, tmp_path / estimates.FILE)
    examples = {"xnli": PlannedExamples(dict.fromkeys(("en", "de", "fr"), 200), False)}
    asked = comparisons(plan, {"xnli": examples["xnli"].rows})
    (tmp_path / study_plans.FILE).write_text(study_plans.text(plan))
    monkeypatch.setattr(pilots, "planned_examples", lambda plan: examples)
    for prospect in prospects(plan, asked, examples, pilots.read([tmp_path], examples)):
        (row,) = table[(table["name"] == prospect.comparison.name)].to_dict("records")
        assert prospect.detectable(3) == pytest.approx(row["detectable"]), row["name"]
        assert prospect.noise.difference == row["estimate"]


@pytest.mark.parametrize(
    ("row", "source", "run_sd"),
    [
        ({"a": "mnli"}, "same model", 1.0),
        ({"model": "mini-large"}, "same outcome", 1.0),
        ({"target": "xnli"}, "other targets", 1.0),
    ],
)
def test_pilots_without_the_comparison_say_the_variance_between_runs(row, source, run_sd, tmp_path):
    plan = plan_with(tmp_path, contrasts={"multi": MULTI})
    prospect = only(plan, read(plan, pilot(tmp_path / "pilot", row, {**row, "run_sd": 1.0})))
    assert prospect.noise.source == source and prospect.noise.difference is None
    assert prospect.components.run == pytest.approx(2 * run_sd**2)
    assert prospect.components.example == only(plan, pilots.stated(0.0)).components.example


def test_the_better_match_comes_first(tmp_path):
    plan = plan_with(tmp_path, contrasts={"multi": MULTI})
    rows = [{"target": "xnli", "run_sd": 9.0}, {"model": "mini-large", "run_sd": 8.0}, {"a": "mnli", "run_sd": 2.0}]
    assert only(plan, read(plan, pilot(tmp_path / "a", *rows))).noise.run_sd == 2
    assert only(plan, read(plan, pilot(tmp_path / "b", *rows[:2]))).noise.run_sd == 8
    # a mean over other targets is another outcome
    mean = {"target": "", "targets": 3, "run_sd": 5.0}
    assert only(plan, read(plan, pilot(tmp_path / "c", mean, rows[0]))).noise.run_sd == 9


def test_rows_without_a_variance_do_not_count(tmp_path):
    plan = plan_with(tmp_path, contrasts={"multi": MULTI})
    others = [{"runs_used": "without collapsed", "run_sd": 9.0}, {"scale": "log-odds", "run_sd": 9.0}]
    others.append({"name": "transfer gap", "outcome": "transfer gap", "b": "", "run_sd": 9.0})
    assert only(plan, read(plan, pilot(tmp_path / "a", *others, {}, plan=plan))).noise.run_sd == 1
    one_run = {"interval": "examples only", "run_sd": None, "run_part": None}
    with pytest.raises(UserError, match="no difference has a variance between runs; the pilot needs two seeds"):
        read(plan, pilot(tmp_path / "b", one_run))
    only_means = read(plan, pilot(tmp_path / "c", {"target": "", "targets": 3}, others[2]))
    with pytest.raises(UserError, match="no pilot has the outcome zero-shot of 1 targets"):
        only(plan, only_means)


def test_outcomes_that_are_shown(tmp_path):
    contrasts = {"all": {"mixture": ["nine", "none"]}}
    contrasts["named"] = {**contrasts["all"], "targets": ["tydiqa", "xnli", "lm_loss"]}
    targets = dict.fromkeys(("tydiqa", "xnli", "lm_loss"))
    plan = plan_with(tmp_path, targets=targets, answer=ANSWER, contrasts=contrasts)
    shown = [one.comparison for one in found(plan, pilots.stated(1.0))]
    assert {one.scale for one in shown} == {"points"} and {one.b for one in shown} == {"best single", "none"}
    assert [one.name for one in shown] == ["answer"] * 3 + ["all"] * 2 + ["named"] * 6
    assert [one.outcome.target for one in shown[-6:]] == ["", "tydiqa", "xnli"] * 2
