"""SQuAD's exact match and F1: by hand, on any input, and beside torchmetrics."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as draw
from xstilts.forms import span
from xstilts.metrics import mlqa, squad

from tests.builders.metrics import check, summed


@pytest.mark.parametrize(
    ("prediction", "answers", "exact", "f1"),
    [
        ("The Cat!", ["cat"], 1, 1),
        ("a big cat", ["the cat"], 0, 2 / 3),
        ("dog", ["cat", "dog"], 1, 1),
        ("", ["cat"], 0, 0),
        ("308", ["308,"], 1, 1),
        ("猫", ["猫"], 1, 1),
        ("cat cat", ["cat"], 0, 2 / 3),
        ("el gato", ["gato"], 0, 2 / 3),  # English articles in every language
        ("«gato»", ["gato"], 0, 0),  # and ASCII punctuation
        ("an", ["A!"], 1, 0),  # two empty ones are equal, but share no word
        ("", [], 1, 1),
        ("The", [], 1, 1),
        ("cat", [], 0, 0),
    ],
)
def test_squad(prediction, answers, exact, f1):
    assert squad.exact_match(prediction, answers) == exact
    assert squad.f1(prediction, answers) == pytest.approx(f1)


@pytest.mark.parametrize(
    ("prediction", "answers", "right"),
    [("", ["a"], 1), ("the", ["$", "a"], 1), ("cat", ["a"], 0), ("", ["a", "cat"], 0), ("cat", ["a", "cat"], 1)],
)
def test_answer_of_which_nothing_is_left_is_none_in_squad_v2(prediction, answers, right):
    compared = squad.answers_of_v2(answers)
    assert squad.exact_match(prediction, compared) == squad.f1(prediction, compared) == right


LANGUAGES = draw.sampled_from(["ar", "de", "en", "es", "hi", "vi", "zh"])
WORDS = draw.sampled_from(
    ["the", "der", "el", "của", "ال", "cat", "Katze", "猫", "北京", "म", "«x»", "$", "-", "10,5", ""]
)
TEXTS = draw.lists(WORDS, max_size=6).map(" ".join) | draw.text(max_size=12)
ANSWERS = draw.lists(TEXTS, min_size=1, max_size=3)


@check
@given(TEXTS, ANSWERS, LANGUAGES)
def test_answers(prediction, answers, language):
    scores = {
        "squad": (squad.exact_match(prediction, answers), squad.f1(prediction, answers)),
        "mlqa": (mlqa.exact_match(prediction, answers, language), mlqa.f1(prediction, answers, language)),
    }
    for exact, f1 in scores.values():
        assert exact in (0, 1)
        assert 0 <= f1 <= 1
    turned = answers[::-1]
    assert scores["squad"] == (squad.exact_match(prediction, turned), squad.f1(prediction, turned))
    assert scores["mlqa"] == (
        mlqa.exact_match(prediction, turned, language),
        mlqa.f1(prediction, turned, language),
    )


@check
@given(TEXTS, TEXTS, LANGUAGES)
def test_answers_are_symmetric(one, other, language):
    assert squad.exact_match(one, [other]) == squad.exact_match(other, [one])
    assert squad.f1(one, [other]) == pytest.approx(squad.f1(other, [one]), rel=1e-14)
    assert mlqa.exact_match(one, [other], language) == mlqa.exact_match(other, [one], language)
    assert mlqa.f1(one, [other], language) == pytest.approx(mlqa.f1(other, [one], language), rel=1e-14)


@check
@given(TEXTS, LANGUAGES)
def test_the_answer_itself_is_right(answer, language):
    assert squad.exact_match(answer, [answer]) == 1
    assert squad.f1(answer, [answer]) == bool(squad.normalise(answer))
    assert mlqa.exact_match(answer, [answer], language) == 1
    assert mlqa.f1(answer, [answer], language) == bool(mlqa.normalise(answer, language))


@check
@given(TEXTS, draw.lists(TEXTS, max_size=3))
def test_squad_v2_where_nothing_is_left(prediction, answers):
    """Either side without words: exact match and F1 are one and the same, 1 if both are."""
    compared = squad.answers_of_v2(answers)
    if not compared or not squad.normalise(prediction):
        expected = not compared and not squad.normalise(prediction)
        assert squad.exact_match(prediction, compared) == squad.f1(prediction, compared) == expected


TEXT_WORDS = ["the", "a", "cat", "Cat!", "dog", "10", "(x)", "猫", "gato", "el"]


def text_of(rng):
    """Return words of which normalisation leaves some: where nothing is left, torchmetrics goes by SQuAD v2.0."""
    return " ".join([*rng.choice(TEXT_WORDS, rng.integers(5)), rng.choice(TEXT_WORDS[2:])])


def test_answers_and_torchmetrics(record_property):
    torchmetrics = pytest.importorskip("torchmetrics.functional.text", reason="torchmetrics is not installed")
    rng, differences = np.random.default_rng(0), []
    for _ in range(100):
        rows = range(rng.integers(1, 8))
        predictions = [text_of(rng) for _ in rows]
        answers = [[text_of(rng) for _ in range(rng.integers(1, 4))] for _ in rows]
        expected = torchmetrics.squad(
            [{"id": str(row), "prediction_text": predictions[row]} for row in rows],
            [
                {"id": str(row), "answers": {"text": answers[row], "answer_start": [0] * len(answers[row])}}
                for row in rows
            ],
        )
        scores = summed(span, predictions, [json.dumps(texts) for texts in answers])
        differences += [abs(scores[name] - expected[name].item()) for name in ("f1", "exact_match")]
    record_property("largest_difference", float(max(differences)))
    assert max(differences) < 1e-4  # float32 there, in percent
