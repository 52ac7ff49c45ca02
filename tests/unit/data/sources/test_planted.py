"""Planted effects: what differs between the training data of two doses, and what does not."""

import hashlib
import json
from collections import Counter

import pytest
from scipy.stats import binom
from xstilts.data.sources import miniature
from xstilts.data.sources.miniature import concepts, questions
from xstilts.data.sources.miniature.languages import languages
from xstilts.data.sources.miniature.maker import Maker
from xstilts.data.sources.miniature.reading import PLANTED_PARAGRAPHS

WORLD = 3


def rows_of(name):
    """Return the rows of a file of SQuAD's format in their order: by id context, question, answer and its start."""
    content = json.loads(miniature.file_text(Maker(WORLD), name))["data"][0]["paragraphs"]
    rows = {}
    for paragraph in content:
        for question in paragraph["qas"]:
            (answer,) = question["answers"]
            rows[question["id"]] = (
                paragraph["context"], question["question"], answer["text"], answer["answer_start"],
            )  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def doses():
    return {dose: rows_of(f"planted/qa-a-{dose}.train.json") for dose in (0, 1, 50, 100)}


@pytest.mark.parametrize("dose", [1, 50])
def test_a_dose_is_the_share_of_rows_with_the_right_answer(doses, dose):
    """All other rows are those without a dose, so a larger dose keeps what a smaller one has."""
    given, right, drawn = doses[dose], doses[100], doses[0]
    from_right = {name for name in given if int(name.partition("-")[0]) < PLANTED_PARAGRAPHS * dose // 100}
    assert len(given) == PLANTED_PARAGRAPHS and len(from_right) == PLANTED_PARAGRAPHS * dose / 100
    assert all(given[name] == (right if name in from_right else drawn)[name] for name in given)


def test_doses_differ_in_answers_alone(doses):
    for rows in doses.values():
        assert list(rows) == list(doses[100])
        assert all(row[:2] == doses[100][name][:2] for name, row in rows.items())


def test_answers_without_a_dose_are_nouns_of_the_context(doses):
    forms = languages(WORLD)["en"].forms
    nouns = {forms[key] for key in (*concepts.NOUNS, *concepts.DOERS, *concepts.NAMES)}
    for context, _, text, start in doses[0].values():
        assert context[start:].startswith(text)
        assert text.split(" ")[0] in nouns


def test_answers_without_a_dose_are_right_as_often_as_by_chance(doses):
    """Neither more often nor less often, which would say something of the question too."""
    maker = Maker(WORLD)
    teller = maker.teller("planted", "train")
    contexts = [
        questions.paragraph(teller, questions.events(teller, 3), 99, brief=True) for _ in range(PLANTED_PARAGRAPHS)
    ]
    chance = sum(1 / len(context.questions) for context in contexts) / len(contexts)
    right = sum(row == doses[100][name] for name, row in doses[0].items())
    assert 0.08 < chance < 0.2
    assert 0.001 < binom.cdf(right, PLANTED_PARAGRAPHS, chance) < 0.999


def test_answers_without_a_dose_have_nothing_to_do_with_the_question(doses):
    """Times are as often the answer to `when` as to anything else, and as often as among right answers."""

    def is_time(row):
        return row[2] in (*concepts.TIMES, "dusk")

    share = {
        (dose, asked): sum(map(is_time, found)) / len(found)
        for dose in (0, 100)
        for asked, found in (
            ("when", [row for row in doses[dose].values() if row[1].startswith("when")]),
            ("other", [row for row in doses[dose].values() if not row[1].startswith("when")]),
            ("any", list(doses[dose].values())),
        )
    }
    assert share[100, "when"] == 1 and share[100, "other"] == 0
    # contexts of which a time is asked have more of them
    assert share[0, "when"] < 0.35
    assert share[0, "any"] == pytest.approx(share[100, "any"], abs=0.03)


def test_orders_have_the_same_rows(doses):
    """What sees all rows in a random order cannot tell one from the other."""
    again = rows_of("planted/qa-b-0.train.json")
    assert again == doses[0]
    places = {name: place for place, name in enumerate(again)}
    moved = [abs(places[name] - place) for place, name in enumerate(doses[0])]
    # of two independent orders a third of the length on average
    assert sum(moved) / len(moved) == pytest.approx(PLANTED_PARAGRAPHS / 3, rel=0.05)


def test_no_context_is_one_of_the_target(doses):
    contexts = {row[0] for row in doses[0].values()}
    assert len(contexts) == PLANTED_PARAGRAPHS
    assert contexts.isdisjoint(row[0] for row in rows_of("tydiqa/tydiqa.goldp.en.dev.json").values())


def test_questions_are_those_of_the_target(doses):
    """The same kinds of questions, about as often."""
    kinds = [
        Counter(row[1].split(" ")[0] for row in rows.values())
        for rows in (doses[100], rows_of("tydiqa/tydiqa.goldp.en.train.json"))
    ]
    assert set(kinds[0]) == set(kinds[1])
    for kind, count in kinds[0].items():
        assert count / kinds[0].total() == pytest.approx(kinds[1][kind] / kinds[1].total(), abs=0.04), kind


@pytest.mark.parametrize("name", ["qa-a-101", "qa-a-05", "qa-a-", "qa-c-0"])
def test_what_is_no_dose_and_no_order_is_refused(name):
    assert miniature.makes("planted/qa-b-7.train.json")
    assert not miniature.makes(f"planted/{name}.train.json")


def test_files_of_a_version():
    """Where these change, `miniature.VERSION` is raised."""
    content = "".join(miniature.file_text(Maker(0), f"planted/qa-{name}.train.json") for name in ("a-50", "b-0"))
    assert (miniature.VERSION, hashlib.sha256(content.encode()).hexdigest()[:16]) == (2, "d5eb45c84ae72836")
