"""Forms: from rows to tokens and back, nothing lost."""

import numpy as np
import pytest
from xstilts import forms
from xstilts.data.sources import tiny
from xstilts.forms import span, tagging
from xstilts.tokenization.tokenizer import ModelTokenizer, shorten
from xstilts.tokenization.tokens import Tokens


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny._tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text('{"unk_token": "<unk>", "pad_token": {"content": "<pad>"}}')
    return ModelTokenizer(folder)


def encode(form, rows, tokenizer, **lengths):
    return Tokens(forms.get(form).encode(rows, tokenizer, lengths), tokenizer.pad)


def test_special_tokens(tokenizer):
    assert (tokenizer.prefix, tokenizer.middle, tokenizer.suffix) == ([0], [2, 2], [2])
    assert (tokenizer.pad, tokenizer.unknown) == (1, 3)


@pytest.mark.parametrize(
    ("first", "second", "room", "expected"),
    [(3, 4, 10, (3, 4)), (3, 40, 10, (3, 7)), (40, 3, 10, (7, 3)), (40, 40, 10, (5, 5)), (40, 40, 11, (6, 5))],
)
def test_shorten(first, second, room, expected):
    assert shorten(first, second, room) == expected


def test_classification(tokenizer):
    rows = [{"text_a": "the cat " * 30, "text_b": "a dog", "label": 1}, {"text_a": "ship", "text_b": None, "label": 0}]
    tokens = encode("classification", rows, tokenizer, max_length=20)
    assert tokens.lengths.max() == 20
    inputs = tokens.inputs(np.array([0, 1]))
    assert inputs["ids"].shape == inputs["mask"].shape == (2, 20)
    assert inputs["mask"].sum(1).tolist() == tokens.lengths.tolist()
    assert inputs["ids"][1, tokens.lengths[1] :].tolist() == [tokenizer.pad] * (20 - tokens.lengths[1])


def test_multiple_choice_groups_its_choices(tokenizer):
    row = {"context": "", "question": "where ?", "choices": ["city", "river", "old garden"], "label": 2}
    tokens = encode("multiple_choice", [row, row], tokenizer, max_length=32)
    assert len(tokens) == 2
    assert tokens.sequences(np.array([1])).tolist() == [3, 4, 5]
    assert tokens.inputs(np.array([1]))["ids"].shape[0] == 3


@pytest.mark.parametrize("max_length", [16, 24, 64])
def test_answers_come_back_from_offsets(tokenizer, max_length):
    """With scores that point at the answer's tokens, the prediction is the answer, whatever the window."""
    context = "the farmer sees a small ship in the harbour . 猫 helps the (baker) in the old city near the king ."
    rows = [
        {"context": context, "question": "who ?", "answers": [{"text": text, "start": context.index(text)}]}
        for text in ("farmer", "small ship", "猫", "baker", "king")
    ]
    lengths = {"max_length": max_length, "stride": 4, "max_question_length": 5}
    tokens = encode("span", rows, tokenizer, **lengths)
    kept = []
    for unit in range(len(tokens)):
        target = span.batch(tokens, np.array([unit]), 0)[1]
        scores = np.full((int(tokens.lengths[unit]), 2), -1.0)
        first, last = int(target["first"][0]), int(target["last"][0])
        if first:
            scores[first, 0] = scores[last, 1] = 9
        scores[target["context"][0] == 0] = -np.inf
        kept.append(scores)
    predicted = span.predict(rows, tokens, kept, None, {"n_best": 5, "max_answer_length": 30})
    for row, prediction in zip(rows, predicted, strict=True):
        # a token may hold more than the answer (an unknown word is one token)
        assert row["answers"][0]["text"] in prediction
        assert len(prediction) <= len(row["answers"][0]["text"]) + 2


def test_windows_cover_the_context():
    for length in range(1, 60):
        starts = span._window_starts(length, 10, 4)
        covered = {place for start in starts for place in range(start, min(start + 10, length))}
        assert covered == set(range(length))
        assert all(later - earlier == 6 for earlier, later in zip(starts, starts[1:], strict=False))


def test_best_span_is_in_order_and_short_enough():
    scores = np.array([[0, 9], [5, 0], [0, 4], [1, 8]], float)
    assert span._best_span(scores, 4, 30) == (13, 1, 3)
    assert span._best_span(scores, 4, 2) == (9, 1, 2) or span._best_span(scores, 4, 2) == (9, 3, 3)
    assert span._best_span(scores, 4, 1)[1:] in {(0, 0), (3, 3)}


@pytest.mark.parametrize("max_length", [8, 12, 200])
def test_every_word_keeps_its_label(tokenizer, max_length):
    words = ["the", "farmer", "\u200b", "unglaublich", "sees", "a", "cat", "."] * 6
    row = {"words": words, "tags": [place % 5 for place in range(len(words))]}
    tokens = encode("tagging", [row], tokenizer, max_length=max_length)
    assert tokens.lengths.max() <= max_length
    kept = []
    for unit in range(len(tokens)):
        target = tagging.batch(tokens, np.array([unit]), 0)[1]
        where = target["words"][0] != tagging.NO_WORD
        kept.append((target["words"][0][where], target["tags"][0][where]))
    labels = list("ABCDE")
    assert tagging.predict([row], tokens, kept, labels, {}) == [tagging.gold(row, labels)]


def test_bitext_alternates(tokenizer):
    tokens = encode("bitext", [{"text": "cat", "translation": "the dog"}], tokenizer, max_length=16)
    assert tokens.sequences(np.array([0])).tolist() == [0, 1]
    assert tokens.sequence_lengths[0] < tokens.sequence_lengths[1]
