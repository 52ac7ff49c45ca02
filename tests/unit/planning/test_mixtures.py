"""Mixtures that are made from one that is written out, and the control with shuffled labels."""

import itertools
from dataclasses import asdict

import pytest
import yaml
from xstilts.errors import UserError
from xstilts.planning import registry
from xstilts.planning.study import read_study
from xstilts.store.sampling import Sampling
from xstilts.store.specs.models import Merging

from tests.builders.plans import matrix_with, named
from tests.builders.projects import plan_of

NINE = ["anli_plus", "mnli", "qqp", "squad_v1", "squad_v2", "hellaswag", "ccg", "cosmosqa", "commonsenseqa"]
# keys of sampling at values that are not their defaults
SAMPLED = {
    "sampling": "equal", "cap": 77, "temperature": 2, "steps": 90, "tasks_per_step": 4, "loss_scale": "log_classes",
    "gradient_conflict_every": 5,
}  # fmt: skip


def mixtures_of(tmp_path, mixtures):
    return read_study(matrix_with(tmp_path, mixtures=mixtures), registry.load()).mixtures


def tasks_of(mixture):
    return tuple(member.task for member in mixture.tasks)


MERGE = {"of": ["mnli", "long"], "method": "ties", "factors": {"long": 0.5}}
LONG = {"tasks": ["squad_v1"], "steps": 7}


def test_merged_models(tmp_path):
    """Members are what their names mean in the study; a merge has the tasks of all, and the sum of their steps."""
    short = {"tasks": ["mnli"], "steps": 5}
    found = mixtures_of(tmp_path, {"none": None, "mnli": short, "long": LONG, "merged": {"merge": MERGE}})
    merge = found["merged"].merge
    assert merge.members == {"mnli": found["mnli"], "long": found["long"]}
    assert merge.merging == Merging(method="ties", factors=(1.0, 0.5), scale=1.0, density=0.2)
    assert tasks_of(found["merged"]) == ("mnli", "squad_v1")
    assert found["merged"].sampling.steps == 12
    linear = mixtures_of(tmp_path, {"merged": {"merge": {"of": ["mnli", "squad_v1"], "method": "linear"}}})["merged"]
    assert linear.merge.merging == Merging(method="linear", factors=(1.0, 1.0))
    assert linear.sampling.steps is None


def test_a_merge_without_each_of_its_models(tmp_path):
    three = {"of": ["mnli", "long", "qqp"], "method": "ties", "factors": {"long": 0.5}}
    found = mixtures_of(tmp_path, {"long": LONG, "merged": {"merge": three}, "without": {"leave_one_out": "merged"}})
    left = {name: mixture.merge for name, mixture in found.items() if name.startswith("without-")}
    assert {name: tuple(merge.members) for name, merge in left.items()} == {
        "without-mnli": ("long", "qqp"), "without-long": ("mnli", "qqp"), "without-qqp": ("mnli", "long"),
    }  # fmt: skip
    assert left["without-mnli"].merging.factors == (0.5, 1.0)


PAIR = {"of": ["mnli", "squad_v1"], "method": "linear"}


@pytest.mark.parametrize(
    ("mixtures", "said"),
    [
        ({"m": {"merge": PAIR, "steps": 3}}, "m: a merge trains nothing, so it has neither"),
        ({"m": {"merge": PAIR, "learning_rate": 1e-4}}, "m: a merge trains nothing"),
        ({"m": {"merge": PAIR, "tasks": ["mnli"]}}, "m: needs one of .*`leave_one_out` and `merge`, has 2"),
        ({"m": {"merge": {**PAIR, "scale": 2}}}, r"m\.merge\.scale: is not a setting of `method: linear`"),
        (
            {"m": {"merge": {**PAIR, "method": "task_arithmetic", "density": 0.5}}},
            r"merge\.density: is not a setting of",
        ),
        ({"m": {"merge": {**PAIR, "factors": {"mnlli": 2}}}}, r"merge\.factors: 'mnlli' is not merged; .*mnli"),
        ({"m": {"merge": {**PAIR, "of": ["mnli", "none"]}}}, r"m\.merge\.of: 'none' has no tasks"),
        ({"m": {"merge": {**PAIR, "of": ["mnli", "mnlii"]}}}, r"m\.merge\.of: unknown task or mixture 'mnlii'"),
        ({"m": {"merge": {**PAIR, "of": ["mnli"]}}}, r"m\.merge"),
        ({"m": {"merge": {**PAIR, "method": "tie"}}}, r"m\.merge"),
        ({"m": {"merge": PAIR}, "n": {"merge": {**PAIR, "of": ["m", "qqp"]}}}, r"n\.merge\.of: 'm' is merged itself"),
        ({"m": {"merge": PAIR}, "n": ["m", "qqp"]}, "n: 'm' is a merge of models and is not trained itself"),
        ({"m": {"merge": PAIR}, "n": {"leave_one_out": "m"}}, "n: 'm' merges two models"),
        ({"m": {"merge": PAIR}, "n": {"subsets": {"of": "m", "sizes": [1]}}}, r"n\.subsets\.of: 'm' is a merge"),
        (
            {"m": {"merge": {**PAIR, "of": NINE[:3]}}, "n": {"leave_one_out": "m", "steps": 3}},
            "n: 'steps' is not possible beside subsets or leave_one_out",
        ),
        ({"m": {"merge": {**PAIR, "of": NINE[:3]}}, "n": {"leave_one_out": "m", "learning_rate": 1e-4}}, "n: a merge"),
        ({"mnli": {"merge": PAIR}}, "'mnli' means a training in the registry"),
        ({"m": {"merge": {**PAIR, "of": ["m", "qqp"]}}}, "contains itself"),
    ],
)
def test_merges_that_cannot_be(tmp_path, mixtures, said):
    with pytest.raises(UserError, match=said):
        mixtures_of(tmp_path, mixtures)


def test_merged_arms_in_a_plan(tmp_path):
    """The trainings of its models are those of their own arms; adapters too can be merged, prompts not."""
    merged = {"merge": {"of": ["mnli", "squad_v1"], "method": "ties"}}
    plan = plan_of(matrix_with(tmp_path, mixtures={"none": None, "mnli": None, "merged": merged}))
    (arm,) = {node.id: node for name, node in named(plan, "merged").items()}.values()
    assert arm.spec.members == [
        named(plan, "intermediate")[name].id for name in ("tiny.quick.mnli.s1", "tiny.quick.squad_v1.s1")
    ]
    alone = plan_of(matrix_with(tmp_path, mixtures={"none": None, "mnli": None}))
    assert alone.nodes.keys() < plan.nodes.keys()
    assert plan.study_plan.mixtures["merged"] == ("mnli", "squad_v1")
    prompts = {"intermediate": {"method": {"name": "prompt"}}, "target": {"method": {"name": "prompt"}}}
    with pytest.raises(UserError, match=r"^mixtures\.merged: merges weights, and .* of recipe quick trains a prompt"):
        plan_of(matrix_with(tmp_path, mixtures={"merged": merged}, recipes={"quick": prompts}))


def test_models_have_their_own_mixtures(tmp_path):
    """An entry that makes several mixtures stands for all of them."""
    path = matrix_with(
        tmp_path,
        mixtures={"none": None, "pair": ["mnli", "squad_v1"], "curve": {"subsets": {"of": "pair", "sizes": [1]}}},
    )
    content = yaml.safe_load(path.read_text()) | {
        "models": {"tiny": None, "multilingual-e5-small": {"mixtures": ["none", "curve", "curve-1-1"]}}
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    plan = plan_of(path)
    assert plan.study.models["tiny"].mixtures == ("none", "pair", "curve-1-1", "curve-1-2")
    found = {model: {cell.mixture for cell in plan.cells if cell.model == model} for model in plan.study.models}
    assert found == {
        "tiny": {"none", "pair", "curve-1-1", "curve-1-2"},
        "multilingual-e5-small": {"none", "curve-1-1", "curve-1-2"},
    }


def test_subsets(tmp_path):
    entries = {
        "nine": {"tasks": NINE, "temperature": 2, "steps": 70},
        "some": {"subsets": {"of": "nine", "sizes": "1..9"}},
    }
    made = mixtures_of(tmp_path, entries)
    by_size = {size: [made[name] for name in made if name.startswith(f"some-{size}-")] for size in range(1, 10)}
    # five of each size, but there is one subset of nine alone
    assert [len(by_size[size]) for size in by_size] == [5] * 8 + [1]
    for size, mixtures in by_size.items():
        chosen = [tasks_of(mixture) for mixture in mixtures]
        assert len(set(chosen)) == len(chosen)
        assert all(len(tasks) == size and list(tasks) == [task for task in NINE if task in tasks] for tasks in chosen)
        assert all(mixture.sampling == made["nine"].sampling for mixture in mixtures)
    assert made == mixtures_of(tmp_path, entries)
    entries["some"]["subsets"]["seed"] = 1
    other = mixtures_of(tmp_path, entries)
    assert any(made[f"some-4-{draw}"] != other[f"some-4-{draw}"] for draw in range(1, 6))


def test_mixtures_that_are_made_from_another_one_keep_its_sampling(tmp_path):
    """All of it, and of a learning rate their own if they have one."""
    made = mixtures_of(tmp_path, {
        "three": {"tasks": ["mnli", "qqp", "ccg"], **SAMPLED, "learning_rate": 1e-4},
        "without": {"leave_one_out": "three"},
        "some": {"subsets": {"of": "three", "sizes": [2], "draws": 1}, "learning_rate": 1e-3},
        "less": {"leave_one_out": "without-ccg"},
    })  # fmt: skip
    sampling = Sampling(**{"kind" if key == "sampling" else key: value for key, value in SAMPLED.items()})
    assert {mixture.sampling for mixture in made.values()} == {sampling} and len(made) == 7
    assert not set(asdict(sampling).items()) & set(asdict(Sampling()).items())
    rates = {name: mixture.learning_rate("tiny") for name, mixture in made.items()}
    assert rates == dict.fromkeys(made, 1e-4) | {"some-2-1": 1e-3}


def test_a_key_that_is_null_is_as_if_it_were_not_there(tmp_path):
    made = mixtures_of(tmp_path, {"a": {"tasks": ["mnli"], "leave_one_out": None, "subsets": None, "steps": 3}})
    assert made["a"].sampling.steps == 3


def test_all_subsets_where_there_are_no_more(tmp_path):
    entries = {"three": ["mnli", "qqp", "ccg"], "pair": {"subsets": {"of": "three", "sizes": [2], "draws": 5}}}
    made = mixtures_of(tmp_path, entries)
    assert {tasks_of(made[name]) for name in made if name != "three"} == set(
        itertools.combinations(["mnli", "qqp", "ccg"], 2)
    )


def test_leave_one_out(tmp_path):
    rated = [{"task": "mnli", "rate": 3}, "squad_v1", "mnli@de"]
    made = mixtures_of(tmp_path, {"three": rated, "without": {"leave_one_out": "three"}})
    assert {name: tasks_of(mixture) for name, mixture in made.items() if name != "three"} == {
        "without-mnli": ("squad_v1", "mnli@de"),
        "without-squad_v1": ("mnli", "mnli@de"),
        "without-mnli-de": ("mnli", "squad_v1"),
    }
    assert made["without-squad_v1"].tasks[0].weight == 3


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"a": {"leave_one_out": "ten"}}, r"mixtures\.a: unknown task or mixture 'ten'"),
        ({"a": ["mnli"], "b": {"leave_one_out": "a"}}, r"'a' has one task only"),
        ({"a": ["mnli"], "b": {"subsets": {"of": "a", "sizes": [2]}}}, r"sizes: 2 is not possible; 'a' has 1 tasks"),
        ({"a": ["mnli"], "b": {"subsets": {"of": "a", "sizes": "1-2"}}}, r"'1-2' is not of the form 1\.\.9"),
        ({"a": ["mnli", "qqp"], "b": {"tasks": ["mnli"], "leave_one_out": "a"}}, r"needs one of .*, has 2"),
        ({"a": {"temperature": 2}}, r"needs one of .*, has 0"),
        ({"a": ["mnli", "qqp"], "b": {"leave_one_out": "a"}, "b-qqp": ["qqp"]}, r"would make a mixture 'b-qqp'"),
        ({"a": [{"task": "squad_v1", "shuffled_labels": True}]}, r"'squad_v1' has not one label an example"),
        ({"a": {"tasks": ["mnli"], "temperature": 0.5}}, r"temperature: must be >= 1, found 0\.5"),
        (
            {"a": {"tasks": ["mnli", "qqp"], "gradient_conflict_every": 10}},
            r"mixtures\.a: gradient_conflict_every: a step has one batch, .*; give a `tasks_per_step` of 2 or more",
        ),
        ({"a": {"tasks": ["mnli"], "loss_scale": "labels"}}, r"loss_scale: 'labels' is not possible; known"),
        *(
            (
                {"a": ["mnli", "qqp"], "b": {way: made, key: value}},
                rf"mixtures\.b: '{key}' is not possible beside subsets or leave_one_out; how tasks are sampled",
            )
            for way, made in (("leave_one_out", "a"), ("subsets", {"of": "a", "sizes": [1]}))
            # one that says what would be without it, too
            for key, value in [*SAMPLED.items(), ("loss_scale", "none"), ("tasks_per_step", 1)]
        ),
    ],
)
def test_bad_mixtures(tmp_path, entries, message):
    with pytest.raises(UserError, match=message) as error:
        mixtures_of(tmp_path, entries)
    assert "\n" not in str(error.value)


def test_steps_of_several_tasks(tmp_path):
    """The settings are in the spec of the training; what is only recorded is not in that of the learning rates."""
    mixed = {"tasks_per_step": 4, "loss_scale": "log_classes", "gradient_conflict_every": 10}
    recipe = {"intermediate": {"learning_rate": [1e-5, 2e-5], "max_length": 48}, "target": {"max_length": 48}}
    entries = {
        "none": None,
        "one": ["mnli", "squad_v1"],
        "mixed": {"tasks": ["mnli", "squad_v1"], **mixed},
        "without": {"leave_one_out": "mixed"},
    }
    plan = plan_of(matrix_with(tmp_path, mixtures=entries, recipes={"r": recipe}, targets={"xnli": None}))
    made = plan.study.mixtures
    assert made["mixed"].sampling == made["without-mnli"].sampling == Sampling(**mixed)
    found = named(plan, "intermediate")
    assert found["tiny.r.mixed.s1"].content["sampling"] == mixed
    assert found["tiny.r.one.s1"].content["sampling"] == {}
    (searched,) = [node for name, node in named(plan, "learning_rates").items() if ".mixed." in name]
    assert searched.content["sampling"] == {key: mixed[key] for key in ("tasks_per_step", "loss_scale")}


def test_shuffled_labels_are_other_training_data_and_the_rest_is_the_same(tmp_path):
    shuffled = {"tasks": [{"task": "mnli", "shuffled_labels": True}, "squad_v1"]}
    plan = plan_of(matrix_with(tmp_path, mixtures={"none": None, "real": ["mnli", "squad_v1"], "control": shuffled}))
    prepared = named(plan, "prepared")
    assert prepared["mnli.shuffled"].parents == (prepared["mnli.training"].id,)
    tokens = {name: [node for key, node in named(plan, "tokens").items() if f".{name}." in key] for name in prepared}
    used = {name: node.parents for name, node in named(plan, "intermediate").items()}
    assert tokens["mnli.shuffled"][0].id in used["tiny.quick.control.s1"]
    assert tokens["mnli.training"][0].id in used["tiny.quick.real.s1"]
    # the target is trained on the true labels
    target = named(plan, "targets")["tiny.quick.control.s1.mnli"]
    assert tokens["mnli.training"][0].id in target.parents
