"""What people see of an example: texts that are shortened, and answers in words, for every form."""

import json

import pytest
from xstilts.forms import FORMS
from xstilts.reporting.report import example_texts
from xstilts.reporting.report.example_texts import ANSWERS, LONGEST, WORDS, Answer, Segment, shortened

COMMON = {"example_id": "1", "cluster_id": "1", "language": "ar", "split": "test"}
ARABIC = "وقعت المعركة في القاهرة سنة 1798"
SPAN = {
    **COMMON,
    "context": ARABIC,
    "question": "أين؟",
    "answers": [{"text": "القاهرة", "start": ARABIC.index("القاهرة")}],
}


def joined(segments):
    return "".join(f"[{segment.text}]" if segment.marked else segment.text for segment in segments)


# shortened texts


def test_a_short_text_stays_whole_with_its_marks():
    assert shortened("a bc d", [(2, 4)], []) == (Segment("a "), Segment("bc", marked=True), Segment(" d"))
    assert shortened("", [], []) == ()


def test_a_long_text_is_cut_around_what_is_seen():
    text = "one two three four five six seven eight nine ten"
    five = (text.index("five"), text.index("five") + 4)
    assert joined(shortened(text, [five], [five], longest=10, around=6)) == "… three four [five] six seven …"


def test_places_that_are_near_are_one_and_far_ones_two():
    text = " ".join(f"w{number:02}" for number in range(50))
    at = [(text.index(word), text.index(word) + 3) for word in ("w10", "w11", "w40")]
    assert joined(shortened(text, at[2:], at, longest=10, around=4)) == "… w09 w10 w11 w12 … w39 [w40] w41 …"


def test_without_anything_to_see_it_is_the_beginning():
    text = "word " * 100
    assert joined(shortened(text, [], [], longest=18)) == "word word word word …"


def test_a_letter_keeps_its_marks_where_there_are_no_spaces():
    """Thai vowels above a consonant are marks of their own."""
    text = "ที่" * 100
    segments = shortened(text, [], [], longest=10)
    assert joined(segments) == "ที่" * 4 + " …"


def test_marks_at_the_ends_and_marks_that_overlap():
    assert joined(shortened("abcdef", [(0, 2), (1, 3), (5, 6)], [])) == "[abc]de[f]"


def test_a_long_answer_shows_its_beginning():
    text = "x " * 500
    shown = joined(shortened(text, [(0, len(text))], [(0, len(text))]))
    assert len(shown) < 2 * LONGEST


# the forms


def test_a_pair_of_texts_and_labels():
    row = {**COMMON, "text_a": "a <b>", "text_b": None, "label": 0}
    form = FORMS["classification"]
    assert [(text.name, text.language) for text in example_texts.texts(form, row, ["x"], "x", ["y"])] == [
        ("text a", "ar")
    ]
    assert example_texts.answers(form, row, ["x"], "x", ["y", "x"], {}) == [
        [Answer(note="x")],
        [Answer(note="y")],
        [Answer(note="x")],
    ]


def test_a_span_is_marked_in_its_context():
    form, gold = FORMS["span"], json.dumps(["القاهرة"])
    context, question = example_texts.texts(form, SPAN, None, gold, ["سنة 1798", ""])
    assert [segment.text for segment in context.segments if segment.marked] == ["القاهرة"]
    assert [segment.marked for segment in question.segments] == [False]
    assert example_texts.answers(form, SPAN, None, gold, ["سنة 1798", ""], {}) == [
        [Answer("القاهرة", "ar")],
        [Answer("سنة 1798", "ar")],
        [Answer(note="no answer")],
    ]


def test_a_long_context_shows_the_gold_answer_and_what_was_predicted():
    start = "left. " * 100
    context = f"{start}GOLD {'middle. ' * 100}PREDICTED{' right.' * 100}"
    row = {**SPAN, "context": context, "answers": [{"text": "GOLD", "start": len(start)}]}
    (shown, _) = example_texts.texts(FORMS["span"], row, None, json.dumps(["GOLD"]), ["PREDICTED", "not there"])
    text = joined(shown.segments)
    assert "[GOLD]" in text and "PREDICTED" in text and len(text) < 2 * LONGEST
    assert text.startswith("… ") and text.endswith(" …") and text.count("…") == 3


def test_a_question_without_an_answer_shows_what_was_predicted():
    row = {**SPAN, "context": "word " * 200 + "PREDICTED", "answers": []}
    (shown, _) = example_texts.texts(FORMS["span"], row, None, "[]", ["PREDICTED"])
    assert joined(shown.segments).endswith("PREDICTED")
    assert example_texts.answers(FORMS["span"], row, None, "[]", ["PREDICTED"], {})[0] == [Answer(note="no answer")]


def test_of_many_gold_answers_some_are_shown():
    gold = json.dumps([str(number) for number in range(ANSWERS + 2)])
    shown = example_texts.answers(FORMS["span"], SPAN, None, gold, ["x"], {})[0]
    assert len(shown) == ANSWERS + 1 and shown[-1] == Answer(note="and 2 more")


def test_tags_show_the_words_on_which_a_prediction_is_wrong():
    row = {**COMMON, "language": "de", "words": ["Anna", "lebt", "in", "Wien"], "tags": [0, 1, 1, 2]}
    form, gold, predictions = FORMS["tagging"], "PER O O LOC", ["PER O O PER", "O O O LOC"]
    (sentence,) = example_texts.texts(form, row, None, gold, predictions)
    assert joined(sentence.segments) == "[Anna] lebt in [Wien]"
    assert example_texts.answers(form, row, None, gold, predictions, {}) == [
        [Answer("Anna", "de", "PER"), Answer("Wien", "de", "LOC")],
        [Answer("Anna", "de", "PER"), Answer("Wien", "de", "PER")],
        [Answer("Anna", "de", "O"), Answer("Wien", "de", "LOC")],
    ]


def test_of_many_wrong_tags_some_are_shown():
    number = WORDS + 3
    row = {**COMMON, "words": ["w"] * number, "tags": [0] * number}
    gold, predictions = " ".join("A" * number), [" ".join("B" * number)] * 2
    shown = example_texts.answers(FORMS["tagging"], row, None, gold, predictions, {})[1]
    assert len(shown) == WORDS + 1 and shown[-1] == Answer(note="and 3 more words")


def test_choices_are_named_by_their_labels():
    row = {**COMMON, "context": "", "question": "why?", "choices": ["sun", "rain"], "label": 1}
    form = FORMS["multiple_choice"]
    texts = example_texts.texts(form, row, ["1", "2"], "2", ["1", "2"])
    assert [text.name for text in texts] == ["question", "choices 1", "choices 2"]
    assert example_texts.answers(form, row, ["1", "2"], "2", ["1", "2"], {})[:2] == [
        [Answer("rain", "ar", "2")],
        [Answer("sun", "ar", "1")],
    ]


def test_other_rows_are_shown_by_their_texts_and_else_by_their_names():
    row = {**COMMON, "query": "q?", "text": None, "context": None, "keys": ["k"]}
    form, found = FORMS["retrieval"], {"c1": Answer("candidate", "de", "c1")}
    assert [text.name for text in example_texts.texts(form, row, None, '["c1"]', [])] == ["query"]
    assert example_texts.answers(form, row, None, '["c1", "c2"]', ['["c3", "c1"]', "[]"], found) == [
        [Answer("candidate", "de", "c1"), Answer(note="c2")],
        [Answer(note="c3")],
        [Answer(note="no answer")],
    ]


@pytest.mark.parametrize(
    "form, row, shown",
    [
        ("bitext", {"text": "ein Satz", "translation": "a sentence"}, "ein Satz / a sentence"),
        ("mining", {"text": "a sentence", "side": "english", "match": None}, "a sentence"),
        (
            "retrieval",
            {"query": None, "text": "answer", "context": "where it stands", "keys": []},
            "answer / where it stands",
        ),
    ],
)
def test_another_row_by_its_texts(form, row, shown):
    assert example_texts.of_row(FORMS[form], {**COMMON, **row}) == Answer(shown, "ar", "1")
