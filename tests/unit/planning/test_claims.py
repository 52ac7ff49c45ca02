"""Claims resolve to what a study has: mixtures by their meaning, targets by name; what is lacking is named."""

import pytest
from xstilts.errors import UserError
from xstilts.planning import registry
from xstilts.planning.study import read_study
from xstilts.store.claims import Lacking

from tests.builders.plans import study_of
from tests.builders.projects import ROOT

NINE = ("anli_plus", "mnli", "qqp", "squad_v1", "squad_v2", "hellaswag", "ccg", "cosmosqa", "commonsenseqa")
STUDY = {
    "description": "x",
    "source": "tiny",
    "models": ["tiny"],
    "mixtures": {"none": None, "mnli": None, "squad_v1": None},
    "targets": {"xnli": None, "xquad": None},
}


def claims_of(folder, comparison=None, fact=None, **changes):
    claim = {
        "text": "A claim.",
        **({"comparisons": [comparison]} if comparison else {}),
        **({"fact": fact} if fact else {}),
    }
    return study_of(folder, {**STUDY, "claims": {"own": claim}} | changes).claims["own"]


def pairs(claim):
    return [(comparison.first, comparison.second) for comparison in claim.comparisons]


@pytest.fixture(scope="module")
def of_paper():
    return read_study(ROOT / "studies/phang2020.yaml", registry.load()).claims


def test_the_nine_claims_in_the_papers_study(of_paper):
    """Each is testable, or says what the study lacks."""
    tested = {name: claim for name, claim in of_paper.items() if claim.holds is None}
    numbers = {name: len(claim.comparisons) for name, claim in tested.items()}
    assert numbers == {"1": 15, "2": 1, "3": 14, "4": 11, "5": 1, "6a": 2, "6b": 2}
    assert not any(claim.lacking["xlm-roberta-large"] for claim in tested.values())
    assert {name: claim.holds for name, claim in of_paper.items() if claim.holds is not None} == {
        "7": True, "8": True, "9": True,
    }  # fmt: skip


def test_text_and_translations_in_the_papers_study(of_paper):
    assert pairs(of_paper["6a"]) == [("mnli", "mnli+mlm"), ("nine", "nine+mlm")]
    assert pairs(of_paper["6b"]) == [("mnli", "mnli_translated"), ("squad_v1", "squad_v1_translated")]


def test_a_study_of_less_says_what_it_lacks():
    claims = read_study(ROOT / "studies/tiny.yaml", registry.load()).claims
    assert claims["2"].lacking["tiny"].mixtures == ("nine", *NINE)
    assert claims["3"].lacking["tiny"].targets == ("pawsx", "panx", "mlqa", "tydiqa")
    assert not any(claim.comparisons for name, claim in claims.items() if name != "5")
    assert (claims["7"].holds, claims["8"].holds, claims["9"].holds) == (False, True, False)


def test_figures_decide_nothing_and_are_there(of_paper):
    assert of_paper["2"].figure == "+8.7 points on average" and of_paper["3"].figure == ""


def test_the_best_single_is_chosen_among_the_tasks_of_the_mixture(of_paper):
    (comparison,) = of_paper["2"].comparisons
    assert (comparison.first, comparison.second, comparison.among) == ("nine", "best single", NINE)


def test_gains_of_one_target_against_those_of_others(of_paper):
    found = [(comparison.target, comparison.against) for comparison in of_paper["3"].comparisons]
    assert found[:2] == [("bucc", "xnli"), ("bucc", "pawsx")] and found[-1] == ("tatoeba", "tydiqa")


def test_a_mixture_is_known_by_its_tasks(tmp_path):
    mixtures = {
        "none": None,
        "all": {"tasks": ["nine"], "cap": 100},
        "nine": None,
        "shuffled": [{"task": "mnli", "shuffled_labels": True}],
        "entailment": ["mnli"],
        "text_too": ["nine", {"task": "text", "languages": ["en", "de"]}],
        "german": [{"task": "mnli", "languages": ["de", "ru"]}],
        "both": ["mnli", "mnli@de"],
    }
    asked = ["nine", "mnli", "nine + text", "mnli@*", "text_too"]
    claim = claims_of(tmp_path, {"mixtures": asked, "minus": ["none"]}, mixtures=mixtures)
    assert [first for first, _ in pairs(claim)] == ["nine", "entailment", "text_too", "german", "text_too"]


def test_a_merged_model_is_no_training_on_its_tasks(tmp_path):
    merged = {"merge": {"of": ["mnli", "squad_v1"], "method": "linear"}}
    asked = {"mixtures": ["mnli + squad_v1"], "minus": ["none"]}
    claim = claims_of(tmp_path, asked, mixtures={**STUDY["mixtures"], "merged": merged})
    assert pairs(claim) == [] and claim.lacking == {"tiny": Lacking(("mnli + squad_v1",), ())}
    claim = claims_of(tmp_path, asked, mixtures={"none": None, "merged": merged, "both": ["mnli", "squad_v1"]})
    assert pairs(claim) == [("both", "none")]


def test_mixtures_of_other_tasks_are_lacking(tmp_path):
    asked = ["nine", "mnli", "mnli + squad_v1", "mnli@*"]
    claim = claims_of(tmp_path, {"mixtures": asked, "minus": ["none"], "targets": ["xnli", "tydiqa"]})
    assert pairs(claim) == [("mnli", "none")]
    assert claim.lacking == {"tiny": Lacking(("nine", "mnli + squad_v1", "mnli@*"), ("tydiqa",))}


def test_every_model_has_its_own_comparisons(tmp_path):
    models = {"tiny": None, "multilingual-bert": {"mixtures": ["none"]}}
    claim = claims_of(tmp_path, {"mixtures": ["mnli"], "minus": ["none"]}, models=models, source="download")
    assert [comparison.model for comparison in claim.comparisons] == ["tiny"]
    assert claim.lacking == {"tiny": Lacking(), "multilingual-bert": Lacking(("mnli",))}


def test_arms_that_are_chosen_need_a_choice(tmp_path):
    best = {"mixtures": ["mnli + squad_v1"], "minus": ["best single"]}
    mixtures = {"none": None, "mnli": None, "two": ["mnli", "squad_v1"]}
    claim = claims_of(tmp_path, best, mixtures=mixtures)
    assert not claim.comparisons and claim.lacking["tiny"].mixtures == ("squad_v1",)
    each = {"mixtures": ["best by target"], "minus": ["none"]}
    (comparison,) = claims_of(tmp_path, each).comparisons
    assert comparison.among == ("mnli", "squad_v1")
    assert not claims_of(tmp_path, each, mixtures=["none", "mnli"]).comparisons


@pytest.mark.parametrize(
    ("fact", "holds"),
    [
        ({"model": "tiny"}, True),
        ({"model": "xlm-roberta-large"}, False),
        ({"mixture": "mnli"}, True),
        ({"mixture": "nine"}, False),
        ({"phases": 3}, True),
        ({"phases": 2}, False),
        ({"phases": 3, "mixture": "nine"}, False),
    ],
)
def test_facts(tmp_path, fact, holds):
    assert claims_of(tmp_path, fact=fact).holds is holds


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ({}, "claims.own: needs one of `comparisons` and `fact`"),
        (
            {"comparison": {"mixtures": ["mnli"], "minus": ["none"], "against": ["xnli"]}},
            "claims.own.comparisons.0.against: goes with `targets`; name those that are compared with these",
        ),
        ({"comparison": {"mixtures": ["nli"], "minus": ["none"]}}, "claims.own.comparisons.0"),
        (
            {"comparison": {"mixtures": ["mnli", "none"], "minus": ["none"]}},
            "claims.own.comparisons.0.minus: 'none' is in `mixtures` too; name another mixture",
        ),
        (
            {"comparison": {"mixtures": ["mnli"], "minus": ["none"], "targets": ["xnlu"]}},
            "claims.own.comparisons.0.targets: unknown task 'xnlu'; did you mean 'xnli'?",
        ),
        ({"fact": {"model": "tini"}}, "claims.own.fact.model: unknown model 'tini'; did you mean 'tiny'?"),
    ],
)
def test_errors(tmp_path, claim, message):
    with pytest.raises(UserError) as error:
        claims_of(tmp_path, **claim)
    assert message in str(error.value)


def test_a_claim_of_the_registry_keeps_its_name(tmp_path):
    with pytest.raises(UserError, match="claims.1: the registry has a claim of this name"):
        study_of(tmp_path, {**STUDY, "claims": {"1": {"text": "x", "fact": {"phases": 3}}}})


def test_arms_are_chosen_by_dev_scores(tmp_path):
    """A target that is used as it is has none."""
    each = {"mixtures": ["best by target"], "minus": ["none"]}
    claim = claims_of(tmp_path, each, targets={"tatoeba": None})
    assert not claim.comparisons and claim.lacking["tiny"].targets == ("trained on rows and scored in percent",)


def test_the_documents_have_the_claims_of_the_registry():
    page = (ROOT / "docs/claims.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.split("<!-- claims -->")[1].splitlines() if line.startswith("| ")][1:]
    stated = {name.strip("| "): (text, figure.strip(), compared.strip("| ")) for name, text, figure, compared in rows}
    assert stated == {
        name: (claim["text"], claim["figure"] or "–", compared_in(claim))
        for name, claim in registry.load().claims.items()
    }


def compared_in(claim):
    """Return what is compared for a claim in the words of the documents."""
    if claim["fact"]:
        stated = [f"{key} {value}" for key, value in claim["fact"].items() if value is not None]
        return f"a fact of the set-up: {', '.join(stated)}"
    found = []
    for asked in claim["comparisons"]:
        sides = f"{', '.join(asked['mixtures'])} − {', '.join(asked['minus'])}"
        on = f" on {', '.join(asked['targets'])}" if asked["targets"] else ""
        against = f", less that on {', '.join(asked['against'])}" if asked["against"] else ""
        expected = "" if asked["expected"] == "higher" else f" ({asked['expected']})"
        found.append(f"{sides}{on}{against}{expected}")
    return "; ".join(found)
