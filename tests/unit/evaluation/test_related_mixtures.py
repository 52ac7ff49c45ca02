"""Which mixtures are made from which, by hand and as the plan of a study has them."""

from xstilts.evaluation import related_mixtures
from xstilts.evaluation.related_mixtures import Control, Member, Part
from xstilts.store.specs.models import Merging

from tests.builders.compared import study


def plain(*tasks):
    return frozenset(Member(task, frozenset(["en"])) for task in tasks)


def in_languages(task, *languages, **settings):
    return frozenset([Member(task, frozenset(languages), **settings)])


TEXT = in_languages("text", "en", "de", is_text=True)
SHUFFLED = in_languages("mnli", "en", shuffled=True)
MIXTURES = {
    "mnli": plain("mnli"),
    "squad": plain("squad_v1"),
    "two": plain("mnli", "squad_v1"),
    "three": plain("mnli", "squad_v1", "qqp"),
    "text": TEXT,
    "mnli+text": plain("mnli") | TEXT,
    "shuffled": SHUFFLED,
    "german": in_languages("mnli@de", "de"),
    "both": plain("mnli") | in_languages("mnli@de", "de"),
    "union": in_languages("mnli", "en", "de"),
}


def test_mixtures_nest_by_what_they_were_trained_on():
    found = related_mixtures.nested(MIXTURES)
    assert found == {
        "three": ["mnli", "squad", "two", "three"],
        "mnli+text": ["mnli", "text", "mnli+text"],
        "both": ["mnli", "german", "both"],
    }
    assert related_mixtures.nested({"mnli": plain("mnli"), "shuffled": SHUFFLED}) == {}


def test_a_task_less_is_one_task_less():
    nested = {name: MIXTURES[name] for name in ("mnli", "squad", "two", "three", "shuffled")}
    assert related_mixtures.without_one(nested) == [
        Part("two", "mnli", "squad_v1"), Part("two", "squad", "mnli"), Part("three", "two", "qqp"),
    ]  # fmt: skip


def merged(*tasks, **settings):
    merging = Merging(method="ties", factors=(1.0,), **settings)
    return frozenset(Member(task, frozenset(["en"]), merging=merging) for task in tasks)


def test_merged_models_are_related_to_those_that_are_merged_likewise():
    mixtures = {
        **{name: MIXTURES[name] for name in ("mnli", "two")},
        "merged": merged("mnli", "squad_v1", "qqp"),
        "without": merged("mnli", "qqp"),
        "other": merged("mnli", "qqp", density=0.5),
    }
    assert related_mixtures.without_one(mixtures) == [
        Part("two", "mnli", "squad_v1"), Part("merged", "without", "squad_v1"),
    ]  # fmt: skip
    assert related_mixtures.controls(mixtures) == []


def test_every_kind_of_control():
    of_mnli = {control for control in related_mixtures.controls(MIXTURES) if control.controlled == "mnli"}
    assert of_mnli == {
        Control("text only", "text", "mnli"),
        Control("text beside", "mnli+text", "mnli"),
        Control("shuffled labels", "shuffled", "mnli"),
        Control("translated", "german", "mnli"),
        Control("translated beside", "both", "mnli"),
        Control("translated beside", "union", "mnli"),
    }
    # text controls for every mixture of labelled tasks, and for no control
    controlled = {control.controlled for control in related_mixtures.controls(MIXTURES) if control.mixture == "text"}
    assert controlled == {"mnli", "squad", "two", "three"}


def test_partly_translated_or_shuffled_mixtures_are_controls_of_the_same_tasks_alone():
    mixtures = {
        "two": plain("mnli", "qqp"),
        "half": plain("mnli") | in_languages("qqp", "en", shuffled=True),
        "mixed": in_languages("mnli@de", "de", shuffled=True) | in_languages("qqp@de", "de"),
        "less": in_languages("mnli@de", "de"),
        "partly": plain("mnli") | in_languages("qqp@fr", "fr"),
        "other": in_languages("mnli@de", "de") | in_languages("qqp@fr", "fr"),
    }
    found = {(control.mixture, control.kind) for control in related_mixtures.controls(mixtures)}
    assert found == {("half", "shuffled labels"), ("other", "translated")}


def test_members_are_read_from_the_plan(tmp_path):
    references = {
        "none": (), "mnli": ("mnli",), "again": ("mnli",), "german": ("mnli@de", "qqp"), "text": ("text",),
        "shuffled": ("mnli",),
    }  # fmt: skip
    languages = {"text": ("en", "sw"), "again": ("en", "de")}
    scores = {("s", mixture): [60] for mixture in references}
    made = study(tmp_path, scores, mixtures=references, shuffled=["shuffled"], languages=languages)
    assert related_mixtures.members(made.plan()) == {
        "mnli": plain("mnli"),
        "again": in_languages("mnli", "en", "de"),
        "german": in_languages("mnli@de", "de") | plain("qqp"),
        "text": in_languages("text", "en", "sw", is_text=True),
        "shuffled": SHUFFLED,
    }
