"""Metrics on cases worked out by hand."""

import json

import numpy as np
import pytest
from conftest import pair_f1, score_of_sums
from xstilts.errors import UserError
from xstilts.forms import classification, span, tagging
from xstilts.metrics import mining, mlqa, squad
from xstilts.metrics.retrieval import average_precision, nearest, top, unit
from xstilts.metrics.spans import spans

SCORING = {"rules": "squad", "language": "es"}


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-PER I-PER O B-LOC", {("PER", 0, 1), ("LOC", 3, 3)}),
        ("I-PER I-PER O", {("PER", 0, 1)}),  # lenient: I- opens a span
        ("B-PER I-LOC", {("PER", 0, 0), ("LOC", 1, 1)}),
        ("B-PER B-PER", {("PER", 0, 0), ("PER", 1, 1)}),
        ("O O", set()),
        ("NOUN NOUN VERB", {("NOUN", 0, 1), ("VERB", 2, 2)}),  # equal neighbours merge
        ("CCONJ SCONJ", {("CCONJ", 0, 0), ("SCONJ", 1, 1)}),  # two types, as in seqeval 0.0.12
        ("SCONJ SCONJ", {("SCONJ", 0, 0), ("SCONJ", 1, 1)}),  # S is a chunk letter there
        ("INTJ INTJ", {("INTJ", 0, 1)}),
        ("SYM SYM NOUN NOUN", {("SYM", 0, 0), ("SYM", 1, 1), ("NOUN", 2, 3)}),
        ("I-PER B-PER I-PER", {("PER", 0, 0), ("PER", 1, 2)}),
        ("B-PER I-PER I-LOC O I-LOC", {("PER", 0, 1), ("LOC", 2, 2), ("LOC", 4, 4)}),
        ("", set()),
    ],
)
def test_spans(tags, expected):
    assert spans(tags.split()) == expected


def test_tagging_scores():
    one = tagging.statistics("NOUN NOUN VERB", "NOUN VERB VERB", SCORING)
    # predicted NOUN 0-1, VERB 2; right NOUN 0, VERB 1-2: no span is right, two words of three are
    assert one == {"words": 3, "correct": 2, "true_positives": 0, "false_positives": 2, "false_negatives": 2}
    two = tagging.statistics("DET NOUN", "DET NOUN", SCORING)
    sums = {key: one[key] + two[key] for key in one}
    assert score_of_sums(tagging, sums, 2) == {"f1": pytest.approx(100 * 4 / 8), "accuracy": pytest.approx(80)}
    nothing = dict.fromkeys(one, 0.0) | {"words": 1.0}
    assert score_of_sums(tagging, nothing, 1)["f1"] == 0


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


@pytest.mark.parametrize(
    ("language", "prediction", "answer", "exact", "f1"),
    [
        ("en", "The «cat»!", "cat", 1, 1),  # Unicode's punctuation
        ("en", "el gato", "gato", 0, 2 / 3),
        ("en", "$10", "10", 1, 1),  # a symbol, which Unicode does not count as punctuation but ASCII does
        ("en", "€10", "10", 0, 0),
        ("es", "el gato", "gato", 1, 1),
        ("de", "dem alten Haus", "das alte Haus", 0, 1 / 2),
        ("vi", "những con mèo", "con mèo", 1, 1),
        ("hi", "एक बिल्ली।", "बिल्ली", 0, 2 / 3),  # no articles; the danda is punctuation
        ("ar", "البيت", "بيت", 1, 1),
        ("ar", "كتابالبيت", "كتاب بيت", 1, 1),  # within words, too, which it parts
        ("zh", "北京市", "北京", 0, 4 / 5),  # two of three and two of two characters
        ("zh", "1978 年", "1978年", 1, 1),
        ("zh", "the年", "年", 0, 2 / 3),
        ("en", "", "cat", 0, 0),
        ("en", "a", "the", 1, 0),
    ],
)
def test_mlqa(language, prediction, answer, exact, f1):
    assert mlqa.exact_match(prediction, ["other", answer], language) == exact
    assert mlqa.f1(prediction, ["other", answer], language) == pytest.approx(f1)


def test_language_that_mlqa_does_not_have():
    with pytest.raises(UserError, match="language 'fr': MLQA has rules for ar, de, en, es, hi, vi, zh only"):
        mlqa.f1("chat", ["chat"], "fr")


def test_mlqas_own_answers(mirror):
    """All are right by both measures but one, of which nothing is left: the Spanish "una" (one) is an article, too."""
    files = sorted((mirror / "mlqa").glob("dev-context-*.json"))
    assert len(files) == 8
    without_words = []
    for path in files:
        language = path.name.split("-")[2]
        articles = json.loads(path.read_text(encoding="utf-8"))["data"]
        questions = [question for article in articles for part in article["paragraphs"] for question in part["qas"]]
        for answer in [answer["text"] for question in questions for answer in question["answers"]]:
            assert mlqa.exact_match(answer, [answer], language) == 1
            if mlqa.f1(answer, [answer], language) != 1:
                without_words.append((language, answer))
    assert without_words == [("es", "una")]


def test_span_score():
    assert span.statistics("cat", '["the cat", "dog"]', SCORING) == {"exact_match": 1, "f1": 1}
    assert span.statistics("el gato", '["gato"]', SCORING)["exact_match"] == 0
    assert span.statistics("el gato", '["gato"]', {**SCORING, "rules": "mlqa"}) == {"exact_match": 1, "f1": 1}
    assert score_of_sums(span, {"exact_match": 1, "f1": 1.5}, 4) == {"f1": 37.5, "exact_match": 25}


def test_accuracy():
    assert classification.statistics("neutral", "neutral", SCORING) == {"correct": 1}
    assert score_of_sums(classification, {"correct": 3}, 4) == {"accuracy": 75}


def test_nearest_is_by_cosine():
    queries = np.array([[1, 0], [0, 1]], np.float32)
    candidates = np.array([[10, 9], [0.1, 0], [0, 0.1]], np.float32)
    assert nearest(queries, candidates).tolist() == [1, 2]


def test_top_takes_the_first_of_equals():
    queries = np.array([[1, 0], [0, 1]], np.float32)
    candidates = np.array([[0, 1], [1, 0], [0, 1], [1, 0], [-1, 0]], np.float32)
    for block in (1, 2, 3, 2048):
        assert top(queries, candidates, 3, block).tolist() == [[1, 3, 0], [0, 2, 1]]
        assert top(queries, candidates, 9, block).tolist() == [[1, 3, 0, 2, 4], [0, 2, 1, 3, 4]]


def test_vector_that_is_not_finite():
    broken = np.array([[1, 0], [0, np.nan]], np.float32)
    with pytest.raises(UserError, match="vector 1 of 2 is not finite: the model that made it has diverged"):
        top(np.eye(2, dtype=np.float32), broken, 1)


@pytest.mark.parametrize(
    ("relevant", "total", "expected"),
    [
        ([1, 0, 1], 2, (1 / 1 + 2 / 3) / 2),
        ([0, 1], 1, 1 / 2),  # one right answer: the reciprocal rank
        ([0] * 19 + [1], 1, 1 / 20),
        ([0] * 20 + [1], 1, 0),  # beyond the cutoff
        ([1] * 20, 30, 1),  # no more than 20 can be found
        ([1, 1], 4, (1 + 1) / 4),
        ([], 3, 0),
    ],
)
def test_average_precision(relevant, total, expected):
    assert average_precision(relevant, total) == pytest.approx(expected)


def test_average_precision_of_impossible_rankings():
    with pytest.raises(ValueError, match="without a right answer"):
        average_precision([0, 0], 0)
    with pytest.raises(ValueError, match="2 right answers in a ranking, but only 1 exist"):
        average_precision([1, 1], 1)


# cosines: 1 and 0.6 of the first source, 0 and 0.8 of the second
SOURCE = np.array([[1, 0], [0, 1]], np.float32)
TARGET = np.array([[2, 0], [3, 4]], np.float32)


def test_ratio_margin():
    pairs, scores = mining.mine(SOURCE, TARGET, ["a", "b"], ["c", "d"])
    assert pairs.tolist() == [[0, 0], [1, 1]]
    # means to both neighbours: 0.8 and 0.4 of the sources, 0.5 and 0.7 of the targets
    assert scores == pytest.approx([1 / ((0.8 + 0.5) / 2), 0.8 / ((0.4 + 0.7) / 2)])


def test_margin_is_to_the_nearest_neighbours_only():
    pairs, scores = mining.mine(SOURCE, TARGET, ["a", "b"], ["c", "d"], neighbours=1)
    assert pairs.tolist() == [[0, 0], [1, 1]]
    assert scores == pytest.approx([1, 1])


def test_pairs_are_one_to_one():
    source = unit(np.array([[1, 0], [1, 0.1], [0, 1]], np.float32))
    pairs, _ = mining.mine(source, source[:2], ["a", "b", "c"], ["d", "e"])
    assert sorted(pairs.tolist()) == [[0, 0], [1, 1]]


def test_repeated_sentences_are_mined_once_and_dropped():
    source = np.array([[0, 1], [1, 0], [4, 4], [7, 1]], np.float32)
    pairs, scores = mining.mine(source, TARGET, ["b", "a", " b ", "b"], ["c", "d"])
    assert pairs.tolist() == [[1, 0]]
    assert scores == pytest.approx([1 / 0.65])  # as without the later ones
    assert mining.mine(TARGET, source, ["c", "d"], ["b", "a", " b ", "b"])[0].tolist() == [[0, 1]]


def test_texts_and_vectors_of_different_number():
    with pytest.raises(ValueError, match="3 texts, but 2 vectors"):
        mining.mine(SOURCE, TARGET, ["a", "b"], ["c", "d", "e"])


@pytest.mark.parametrize(
    ("scores", "right", "gold_total", "expected"),
    [
        ([0.5, 1.0, 0.75], [0, 1, 1], 2, 0.625),  # F1 2/3, 1, 4/5
        ([1.0, 0.75, 0.5], [1, 0, 1], 2, 0.5),  # 2/3, 2/4, 4/5: the best cut is the last candidate
        ([1.0], [1], 5, 1.0),
        ([1.0, 1.0, 0.5], [1, 0, 0], 1, 0.75),  # the first two are not parted
        ([1.0, 0.75, 0.5], [1, 0, 0], 3, 0.875),  # 2/4, 2/5, 2/6
        ([1.0, 0.5], [0, 0], 2, 0.0),
        ([], [], 2, 0.0),
    ],
)
def test_mining_threshold(scores, right, gold_total, expected):
    assert mining.best_threshold(np.array(scores), np.array(right, bool), gold_total) == expected


def test_mining_threshold_between_neighbouring_numbers():
    low = 1.0
    high = np.nextafter(low, 2)
    threshold = mining.best_threshold(np.array([high, low]), np.array([True, False]), 1)
    assert low < threshold <= high


def test_mining_f1():
    gold = {("a", "1"), ("b", "2"), ("c", "3")}
    assert pair_f1([("a", "1"), ("a", "1"), ("b", "9")], gold) == pytest.approx(2 * 1 / (2 + 3))
    assert pair_f1([], gold) == pair_f1(gold, []) == pair_f1([], []) == 0


def test_nearest_in_blocks():
    rng = np.random.default_rng(0)
    queries, candidates = (rng.normal(size=(50, 8)).astype(np.float32) for _ in range(2))
    assert nearest(queries, candidates, block=7).tolist() == nearest(queries, candidates).tolist()


def test_collapse():
    assert classification.collapsed(["a", "a"], ["a", "b"])
    assert not classification.collapsed(["a", "a"], ["a", "a"])
    assert not classification.collapsed(["a", "b"], ["a", "b"])
    # sentences of different lengths, and yet one tag for every word
    assert tagging.collapsed(["NOUN NOUN", "NOUN"], ["NOUN VERB", "NOUN"])
    assert not tagging.collapsed(["NOUN VERB", "NOUN"], ["NOUN VERB", "NOUN"])
