"""The plans of two studies as one: what they have together, what is refused, and what is asked of neither."""

from dataclasses import replace

import pytest
from xstilts.errors import UserError
from xstilts.evaluation.combined_plan import combine, figure_differences
from xstilts.store.answer import Answer, Budget, Contrast, Family
from xstilts.store.claims import ClaimComparison, Lacking, PlannedClaim
from xstilts.store.documentation import Documentation, Setting
from xstilts.store.study_plan import Corpus, FewShotCell, FigureLabels, FigureOptions, PlannedNode

from tests.builders.compared import MIXTURES, XNLI
from tests.builders.plans import plan_study
from tests.builders.predicted import Predicted, correct

MNLI, NONE = ("s", "mnli"), ("s", "none")
CORPORA = {"s": Corpus("GiB", {"en": 300.8, "de": 66.6})}
ANSWER = Answer(
    budgets={"equal epochs": Budget(multi="mnli", single="best", singles=("qqp",))},
    families={"f": Family(small="s", large=None)},
    recipes=("r",),
)


def of(folder, seeds, *arms, targets=("xnli",), **settings):
    """Return the plan of a study with these arms, each in these runs."""
    made = Predicted(folder / str(len([*folder.iterdir()])), dict.fromkeys(targets, XNLI), MIXTURES, **settings)
    for arm in arms:
        for seed in seeds:
            for target in targets:
                made.add(arm, seed, target, {"en": correct(4, 2), "de": correct(4, 1)})
    return made.plan()


def joined(first, second, differs=lambda pairs: ""):
    return combine(first, second, differs)


def test_runs_of_both(tmp_path):
    first, second = of(tmp_path, [1, 2], NONE, MNLI), of(tmp_path, [2, 3], NONE, MNLI)
    first = replace(first, study="a", notes=("x",), unlabelled={"x": "y"})
    both = joined(first, replace(second, study="b", notes=("x", "y"), made_up=True, unlabelled={"z": "w"}))
    assert both.unlabelled == {"x": "y", "z": "w"}
    assert sorted((cell.mixture, cell.seed) for cell in both.cells) == [
        (mixture, seed) for mixture in ("mnli", "none") for seed in (1, 2, 3)
    ]
    assert both.nodes.keys() == {*first.nodes, *second.nodes}
    assert all(parent in both.nodes for cell in both.cells for parent in [cell.node])
    assert (both.study, both.notes, both.made_up) == ("a+b", ("x", "y"), True)


def test_few_shots_of_both_where_their_arms_have_the_same(tmp_path):
    def with_shots(plan, shots):
        cells = tuple(FewShotCell(language="de", shots=shots, cell=cell) for cell in plan.cells)
        return replace(plan, few_shot=cells, tables=("main", "few_shot"))

    first, second = of(tmp_path, [1], NONE), of(tmp_path, [1], MNLI)
    both = joined(with_shots(first, 8), with_shots(second, 8))
    assert [few.cell.mixture for few in both.few_shot] == ["none", "mnli"] and "few_shot" in both.tables
    for other in (second, with_shots(second, 16)):
        both = joined(with_shots(first, 8), other)
        assert (both.few_shot, both.tables[0], len(both.notes)) == ((), "main", 1) and "few_shot" not in both.tables
        assert both.notes[0].startswith("shots: A and B ask it differently")


def test_mixtures_or_targets_of_both(tmp_path):
    assert len(joined(of(tmp_path, [1], NONE), of(tmp_path, [1], MNLI)).cells) == 2
    both = joined(of(tmp_path, [1], NONE, targets=("xnli",)), of(tmp_path, [1], NONE, targets=("other",)))
    assert list(both.targets) == ["xnli", "other"]


def test_pretraining_text_in_the_languages_of_both(tmp_path):
    first = replace(of(tmp_path, [1], NONE, targets=("xnli",)), corpora=CORPORA)
    second = replace(
        of(tmp_path, [1], NONE, targets=("other",)), corpora={"s": Corpus("GiB", {"de": 66.6, "th": 71.7})}
    )
    assert joined(first, second).corpora == {"s": Corpus("GiB", {"en": 300.8, "de": 66.6, "th": 71.7})}


def test_figures_have_the_options_of_both(tmp_path):
    a = FigureOptions(only=("headline",), widths={"headline": 5}, labels=FigureLabels(models={"s": "XLM-R"}))
    b = FigureOptions(
        only=("gain_matrix",), width="column", widths={"gain_matrix": 4},
        labels=FigureLabels(models={"s": "XLM", "t": "T"}, mixtures={"mnli": "MNLI"}),
    )  # fmt: skip
    first, second = of(tmp_path, [1], NONE), of(tmp_path, [1], MNLI)
    assert joined(replace(first, figures=a), replace(second, figures=b)).figures == FigureOptions(
        only=("headline", "gain_matrix"), widths={"headline": 5, "gain_matrix": 4},
        labels=FigureLabels(models={"s": "XLM-R", "t": "T"}, mixtures={"mnli": "MNLI"}),
    )  # fmt: skip
    # all figures are made where one of the two makes all
    assert joined(replace(first, figures=a), second).figures.only is None
    assert figure_differences(a, b) == [
        "figures.width: 'page' in A and 'column' in B; that of A is used",
        "figures.labels.models.s: 'XLM-R' in A and 'XLM' in B; that of A is used",
    ]


def test_worlds_of_both(tmp_path):
    plans = [of(tmp_path, [1], NONE, MNLI, tag=tag, data_tag=tag) for tag in ("-v", "-w")]
    first, second = (
        replace(plan, cells=tuple(replace(cell, world=world) for cell in plan.cells))
        for world, plan in enumerate(plans)
    )
    assert joined(first, second, lambda pairs: "another world").worlds == (0, 1)
    fewer = replace(second, cells=second.cells[:1])
    with pytest.raises(UserError, match=r"have no run of it with seed 1 on xnli in world 1"):
        joined(first, fewer)


def test_arms_without_some_runs_are_refused(tmp_path):
    with pytest.raises(
        UserError, match=r"s\.r\.(none|mnli): together A and B have no run of it with seed [12] on xnli"
    ):
        joined(of(tmp_path, [1], NONE), of(tmp_path, [2], MNLI))
    with pytest.raises(UserError, match=r"no run of it with seed 2 on other, which other arms or seeds have"):
        joined(of(tmp_path, [1, 2], NONE), of(tmp_path, [1], NONE, targets=("other",)))


def change(plan, node, **keys):
    """Return a plan in which the spec of a node has other values."""
    entry = plan.nodes[node]
    return replace(plan, nodes={**plan.nodes, node: PlannedNode(entry.digest, entry.names, {**entry.content, **keys})})


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (
            lambda plan: change(plan, "targets/s.r.mnli.s2.xnli", version=9),
            "targets: its version is 1 in A and 9 in B, so their results cannot stand in one table; run the older",
        ),
        (
            lambda plan: replace(plan, targets={"xnli": replace(XNLI, metric="f1")}),
            "targets: xnli.metric is 'accuracy' in A and 'f1' in B; only studies in which",
        ),
        (lambda plan: replace(plan, mixtures={"mnli": ("anli",)}), r"mixtures: mnli is \('mnli',\) in A and \('anli"),
        (
            lambda plan: change(plan, "intermediate/s.r.mnli.s2", sampling={"cap": 7}),
            r"sampling of mixtures: mnli in r\.sampling\.cap is \S+ in A and 7 in B",
        ),
        (
            lambda plan: change(plan, "models/s", source={"kind": "hub", "files": {}, "revision": "x"}),
            "models/s: its spec is another one in A than in B; run the older study again",
        ),
        (
            lambda plan: replace(plan, documentation=documentation(4)),
            "settings of recipes: target.epochs of r is 3 in A and 4 in B",
        ),
        (
            lambda plan: replace(plan, cells=tuple(replace(cell, world=1) for cell in plan.cells)),
            "one of A and B has several worlds and the other has not",
        ),
        (lambda plan: replace(plan, distance={"de": 2}), "distance: de is 1 in A and 2 in B"),
        (
            lambda plan: replace(plan, corpora={"s": Corpus("GiB", {"de": 66.7})}),
            r"pretraining text of s: de is 66\.6 in A and 66\.7 in B",
        ),
        (
            lambda plan: replace(plan, corpora={"s": Corpus("tokens", {})}),
            "pretraining text: unit of s is 'GiB' in A and 'tokens' in B",
        ),
    ],
)  # fmt: skip
def test_names_that_stand_for_something_else_are_refused(tmp_path, edit, said):
    first = replace(of(tmp_path, [1], MNLI), documentation=documentation(3), distance={"de": 1}, corpora=CORPORA)
    with pytest.raises(UserError, match=said) as caught:
        joined(first, edit(of(tmp_path, [2], MNLI)))
    assert "\n" not in str(caught.value)


def documentation(epochs):
    return Documentation(settings={"r": (Setting(key="target.epochs", value=epochs, origin="ours"),)})


def test_other_data_or_another_checkpoint_is_refused(tmp_path):
    with pytest.raises(
        UserError, match="test data of targets: xnli is 'prepared/xnli' in A and 'prepared/xnli-b' in B"
    ):
        joined(of(tmp_path, [1], MNLI), of(tmp_path, [2], MNLI, data_tag="-b"))
    first, second = of(tmp_path, [1], NONE), of(tmp_path, [1], MNLI)
    nodes = {"models/t" if node == "models/s" else node: entry for node, entry in second.nodes.items()}
    start = nodes["intermediate/s.r.mnli.s1"]
    nodes["intermediate/s.r.mnli.s1"] = replace(start, content={**start.content, "parents": {"model": "models/t"}})
    with pytest.raises(UserError, match="models: s is 'models/s' in A and 'models/t' in B"):
        joined(first, replace(second, nodes=nodes))


def test_models_that_are_merged_otherwise_are_refused(tmp_path):
    """And those that are merged of other trainings, though these are the same mixture's."""

    def merged(seed, rate=1, **settings):
        members = {"of": ["one", "squad_v1"], "method": "ties", **settings}
        one = [{"task": "mnli", "rate": rate}, "commonsenseqa"]
        study = {"description": "x", "source": "tiny", "models": ["tiny"], "targets": {"xnli": None}, "seeds": [seed],
                 "mixtures": {"one": one, "merged": {"merge": members}}}  # fmt: skip
        return plan_study(tmp_path, {**study, "models": {"tiny": {"mixtures": ["merged"]}}}).study_plan

    assert len(joined(merged(1), merged(2)).cells) == 2
    with pytest.raises(UserError, match=r"sampling of mixtures: merged in jiant\.merging\.\S*density is 0\.2 in A"):
        joined(merged(1), merged(2, density=0.5))
    with pytest.raises(UserError, match="sampling of mixtures: merged in jiant"):
        joined(merged(1), merged(2, rate=2))


def test_arms_of_other_settings_are_refused(tmp_path):
    first, second = of(tmp_path, [1], MNLI), of(tmp_path, [2], MNLI)
    asked = []
    with pytest.raises(
        UserError, match=r"s\.r\.mnli\.xnli: not the same arm in A and B: epochs of targets is 3, was 1"
    ):
        joined(first, second, lambda pairs: asked.extend(pairs) or "epochs of targets is 3, was 1")
    assert asked == [("predictions/s.r.mnli.s2.xnli", "predictions/s.r.mnli.s1.xnli")]
    # one and the same run is not asked about
    assert joined(first, first, lambda pairs: "something").cells == first.cells


def test_what_both_ask_is_asked(tmp_path):
    large = replace(ANSWER, families={"f": Family(small=None, large="l")})
    gain, other = Contrast("mixture", ("mnli", "none")), Contrast("mixture", ("none", "mnli"))
    first = replace(
        of(tmp_path, [1], NONE, MNLI), answer=ANSWER, contrasts={"gain": gain}, tables=("main", "contrasts")
    )
    second = replace(of(tmp_path, [2], NONE, MNLI), answer=large, contrasts={"gain": gain, "other": other})
    both = joined(first, second)
    assert both.answer == replace(ANSWER, families={"f": Family(small="s", large="l")})
    assert both.contrasts == {"gain": gain, "other": other} and not both.notes
    assert joined(first, replace(second, answer=None)).answer == ANSWER


def test_what_both_ask_differently_is_named_and_asked_of_neither(tmp_path):
    first, second = of(tmp_path, [1], NONE, MNLI), of(tmp_path, [2], NONE, MNLI)
    tables = ("main", "answer", "contrasts")
    first = replace(first, answer=ANSWER, contrasts={"gain": Contrast("mixture", ("mnli", "none"))}, tables=tables)
    second = replace(
        second, answer=replace(ANSWER, smallest=2), contrasts={"gain": Contrast("mixture", ("none", "mnli"))}
    )
    both = joined(first, second)
    assert (both.answer, both.contrasts, both.tables) == (None, {}, ("main", "by_language"))
    assert [note.partition(":")[0] for note in both.notes] == ["answer", "contrast gain"]
    assert "a study file that has all arms can ask it" in both.notes[0]
    other = replace(ANSWER, families={"f": Family(small="t", large=None)})
    assert joined(first, replace(second, answer=other)).answer is None


def test_claims_have_the_models_of_both(tmp_path):
    claim = PlannedClaim(
        text="x", source="y", figure="", holds=None, lacking={"s": Lacking()},
        comparisons=(ClaimComparison(model="s", first="mnli", second="none"),),
    )  # fmt: skip
    larger = replace(
        claim, comparisons=(ClaimComparison(model="l", first="mnli", second="none"),), lacking={"l": Lacking()}
    )
    first, second = of(tmp_path, [1], NONE, MNLI), of(tmp_path, [2], NONE, MNLI)
    both = joined(replace(first, claims={"1": claim}), replace(second, claims={"1": larger})).claims["1"]
    assert [one.model for one in both.comparisons] == ["s", "l"] and list(both.lacking) == ["s", "l"]
    # of one model each study can check another part: a study file that has both arms can check it
    partly = replace(claim, comparisons=(), lacking={"s": Lacking(mixtures=("mnli",))})
    found = joined(replace(first, claims={"1": claim}), replace(second, claims={"1": partly}))
    assert not found.claims and found.notes[0].startswith("claim 1: A and B ask it differently")
