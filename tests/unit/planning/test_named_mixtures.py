"""Mixtures by name: of the registry, of a task, and contained in another mixture."""

import re

import pytest
import yaml
from xstilts.errors import UserError
from xstilts.planning import registry
from xstilts.planning.study import read_study
from xstilts.store.sampling import Sampling

from tests.builders.projects import ROOT, STUDY, plan_of

NINE = ["anli_plus", "mnli", "qqp", "squad_v1", "squad_v2", "hellaswag", "ccg", "cosmosqa", "commonsenseqa"]
TEXT = {"task": "text", "languages": ["en", "de"]}


def study_of(tmp_path, mixtures, **changes):
    path = tmp_path / "study.yaml"
    content = yaml.safe_load(STUDY.read_text()) | {"mixtures": mixtures} | changes
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def mixtures_of(tmp_path, mixtures):
    return read_study(study_of(tmp_path, mixtures), registry.load()).mixtures


def tasks_of(mixture):
    return [member.task for member in mixture.tasks]


def weights_of(mixture):
    return {member.task: member.weight for member in mixture.tasks}


def test_nine_are_those_of_the_paper_in_its_order(tmp_path):
    assert tasks_of(mixtures_of(tmp_path, ["nine"])["nine"]) == NINE


@pytest.mark.parametrize("name", registry.load().mixtures)
def test_every_mixture_of_the_registry_can_be_named(tmp_path, name):
    assert len(mixtures_of(tmp_path, [name])[name].tasks) > 1


def test_a_name_alone_means_what_is_written_out(tmp_path):
    written = {"none": None, "mnli": ["mnli"], "nine": NINE}
    expected = mixtures_of(tmp_path, written)
    assert mixtures_of(tmp_path, dict.fromkeys(written)) == expected
    assert mixtures_of(tmp_path, list(written)) == expected
    assert list(expected) == ["none", "mnli", "nine"]


def test_spelling_decides_no_node(tmp_path):
    pair = ["mnli", "commonsenseqa"]
    written = {"none": None, "mnli": ["mnli"], "pair": pair, "pair+text": [*pair, {"task": "text"}]}
    named = {"none": None, "mnli": None, "pair": pair, "pair+text": ["pair", "text"]}
    plans = [plan_of(study_of(tmp_path, mixtures)) for mixtures in (written, named)]
    assert list(plans[0].nodes) == list(plans[1].nodes)
    assert plans[0].folder == plans[1].folder


def test_contained_mixture_stands_in_its_place(tmp_path):
    mixtures = mixtures_of(tmp_path, {"nine+mlm": ["snli", "nine", "mlm"], "mlm": [TEXT]})
    (mlm,) = mixtures["mlm"].tasks
    assert mlm.languages == ("en", "de")
    assert tasks_of(mixtures["nine+mlm"]) == ["snli", *NINE, "text"]
    assert mixtures["nine+mlm"].tasks[-1] == mlm


def test_rate_of_a_contained_mixture_multiplies(tmp_path):
    mixtures = mixtures_of(
        tmp_path,
        {
            "pair": ["mnli", {"task": "qqp", "rate": 0.5}],
            "outer": [{"mixture": "pair", "rate": 3}, "ccg"],
            "outermost": [{"mixture": "outer", "rate": 2}, {"mixture": "copa", "rate": 7}],
        },
    )
    assert weights_of(mixtures["outer"]) == {"mnli": 3, "qqp": 1.5, "ccg": 1}
    assert weights_of(mixtures["outermost"]) == {"mnli": 6, "qqp": 3, "ccg": 2, "copa": 7}


def test_sampling_of_a_contained_mixture_is_not_taken_over(tmp_path):
    definitions = {
        "pair": {"tasks": ["mnli", "qqp"], "temperature": 2, "cap": 10, "steps": 5},
        "triple": ["pair", "ccg"],
        "capped": {"tasks": ["pair", "ccg"], "cap": 30},
    }
    mixtures = mixtures_of(tmp_path, definitions)
    assert mixtures["triple"].sampling == Sampling()
    assert mixtures["capped"].sampling == Sampling(cap=30)


def test_a_registry_name_with_its_own_sampling(tmp_path):
    """What is made from it has this sampling, and what contains it only the tasks."""
    definitions = {
        "nine": {"tasks": ["nine"], "steps": 70},
        "without": {"leave_one_out": "nine"},
        "more": ["nine", "text"],
        "mnli": {"tasks": ["mnli"], "steps": 9},
        "one": {"subsets": {"of": "mnli", "sizes": [1]}},
    }
    mixtures = mixtures_of(tmp_path, definitions)
    assert tasks_of(mixtures["nine"]) == NINE
    assert mixtures["nine"].sampling.steps == mixtures["without-qqp"].sampling.steps == 70
    assert mixtures["more"].sampling.steps is None
    assert mixtures["one-1-1"].sampling.steps == 9


def test_subsets_and_leave_one_out_of_a_registry_mixture(tmp_path):
    mixtures = mixtures_of(
        tmp_path, {"few": {"subsets": {"of": "nine", "sizes": [2]}}, "without": {"leave_one_out": "nine"}}
    )
    assert tasks_of(mixtures["without-mnli"]) == [task for task in NINE if task != "mnli"]
    assert [len(mixtures[f"few-2-{draw}"].tasks) for draw in range(1, 6)] == [2] * 5


def test_made_mixtures_can_be_contained_and_written_in_any_order(tmp_path):
    mixtures = mixtures_of(
        tmp_path,
        {"more": ["without-qqp", "text"], "without": {"leave_one_out": "three"}, "three": ["mnli", "qqp", "ccg"]},
    )
    assert list(mixtures) == ["more", "without-mnli", "without-qqp", "without-ccg", "three"]
    assert tasks_of(mixtures["more"]) == ["mnli", "ccg", "text"]


@pytest.mark.parametrize(
    ("definitions", "message"),
    [
        ({"a": ["nine", "mnli"]}, r"mixtures\.a: 'mnli' is given twice \(nine > mnli and mnli\)"),
        ({"b": ["a", "c"], "a": ["nine"], "c": ["qqp"]}, r"b: 'qqp' is given twice \(a > nine > qqp and c > qqp\)"),
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, r"mixtures\.a: contains itself \(a > b > c > a\)"),
        ({"x": ["a"], "a": ["a", "mnli"]}, r"mixtures\.a: contains itself \(a > a\)"),
        ({"a": {"leave_one_out": "b"}, "b": {"leave_one_out": "a"}}, r"mixtures\.a: contains itself \(a > b > a\)"),
        ({"a": {"leave_one_out": "a-x"}}, r"mixtures\.a: contains itself \(a > a\)"),
        ({"a": ["nin"]}, r"mixtures\.a: unknown task or mixture 'nin'; did you mean 'nine'\?"),
        ({"a": [{"mixture": "nin"}]}, r"mixtures\.a: unknown task or mixture 'nin'; did you mean 'nine'\?"),
        ({"a": [{"task": "nine"}]}, r"mixtures\.a: 'nine' is a mixture; write `mixture: nine`"),
        ({"a": [{"rate": 2}]}, r"mixtures\.a: .* needs one of `task` and `mixture`"),
        ({"a": [{"task": "mnli", "mixture": "nine"}]}, r"mixtures\.a: .* needs one of `task` and `mixture`"),
        ({"a": [{"mixture": "nine", "languages": ["de"]}]}, r"nine: `languages` and .* settings of a task"),
        ({"a": [{"mixture": "nine", "shuffled_labels": True}]}, r"nine: .* settings of a task, not of a mixture"),
        ({"none": None, "a": ["none", "mnli"]}, r"mixtures\.a: 'none' has no tasks"),
        ({"a": {"leave_one_out": "nine"}, "b": ["a"]}, r"'a' makes several mixtures; name one, such as 'a-anli_plus'"),
        ({"nine": ["mnli", "qqp"]}, r"mixtures\.nine: 'nine' means other tasks in the registry"),
        ({"mnli": ["mnli", "qqp"]}, r"mixtures\.mnli: 'mnli' means other tasks in the registry"),
        ({"mnli": [{"task": "mnli", "languages": ["en", "de"]}]}, r"'mnli' means other tasks in the registry"),
        ({"mine": None}, r"mixtures\.mine: has no tasks, and no task or mixture has this name; did you mean 'nine'"),
        (["xnli"], r"mixtures\.xnli: 'xnli' has no training data of its own"),
        (["mnli", "mnli"], r"mixtures: has something twice: \['mnli', 'mnli'\]"),
        (["mnli@de"], r"mixtures\.0: 'mnli@de' is not of the form letters, digits"),
        ([], r"mixtures: must not be empty"),
    ],
)
def test_bad_mixtures(tmp_path, definitions, message):
    with pytest.raises(UserError, match=message) as error:
        mixtures_of(tmp_path, definitions)
    assert "\n" not in str(error.value)


def test_a_model_may_have_some_of_the_named_mixtures(tmp_path):
    path = study_of(tmp_path, ["none", "mnli", "nine"], models={"tiny": {"mixtures": ["none", "nine"]}})
    assert read_study(path, registry.load()).models["tiny"].mixtures == ("none", "nine")
    study_of(tmp_path, ["none", "mnli"], models={"tiny": {"mixtures": ["nine"]}})
    with pytest.raises(UserError, match=r"models\.tiny\.mixtures: unknown mixture 'nine'"):
        read_study(path, registry.load())


def test_a_task_may_not_take_the_name_of_a_registry_mixture(tmp_path):
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks/nine.yaml").write_text((registry.FOLDER / "tasks/mnli.yaml").read_text())
    with pytest.raises(
        UserError, match=r"tasks/nine\.yaml: 'nine' is the name of a mixture in .*registry/mixtures\.yaml"
    ):
        registry.load((tmp_path,))


EXAMPLES = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/mixtures.md").read_text(encoding="utf-8"), re.S)


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_of_the_page_are_valid(tmp_path, example):
    mixtures = mixtures_of(tmp_path, yaml.safe_load(example)["mixtures"])
    assert len(mixtures) > 1


def test_what_the_page_says(tmp_path):
    assert len(EXAMPLES) == 7
    mixtures = mixtures_of(tmp_path, yaml.safe_load(EXAMPLES[2])["mixtures"])
    assert set(weights_of(mixtures["mostly_nine"]).items()) == {*((task, 3.0) for task in NINE), ("text", 1.0)}
