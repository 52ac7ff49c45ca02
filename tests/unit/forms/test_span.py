"""Spans: windows, offsets, and questions without an answer."""

import math

import numpy as np
import pytest
import torch
from xstilts.data import readers
from xstilts.forms import span
from xstilts.models.model import tensors
from xstilts.tokenization.tokens import Tokens

from tests.builders.models import CPU, encode

QUESTION = {"context": "the cat is in the house .", "question": "who ?", "answers": []}
DECODING = {"n_best": 5, "max_answer_length": 30}


def scores_of(tokens, unit, nothing, best):
    """Return scores of a window: those of no answer, and of the token after the first of its context."""
    target = span.batch(tokens, np.array([unit]), 0)[1]
    scores = np.full((int(tokens.lengths[unit]), 2), -9.0, np.float32)
    scores[target["context"][0] == 0] = -np.inf
    scores[0] = nothing / 2
    place = int(np.flatnonzero(target["context"][0])[1])
    scores[place] = best / 2
    return scores


def test_unanswerable_question_has_its_target_at_the_first_position(tokenizer):
    tokens = encode("span", [QUESTION], tokenizer, max_length=32, stride=4, max_question_length=8)
    _, targets = span.batch(tokens, np.array([0]), 0)
    assert targets["first"].tolist() == targets["last"].tolist() == [0]
    # scores of 0 everywhere: each position that is allowed is as likely, the context's and the first
    outputs = torch.zeros(1, int(tokens.lengths[0]), 2)
    allowed = int(targets["context"].sum()) + 1
    assert float(span.loss(outputs, tensors(targets, CPU))) == pytest.approx(math.log(allowed))


@pytest.mark.parametrize(
    ("threshold", "nothing", "answer"),
    [(0, 4, "cat"), (0, 5, "cat"), (0, 6, ""), (2, 6, "cat"), (2, 8, ""), (-2, 2, "cat"), (-2, 4, ""), (None, 9, "cat")]
)  # fmt: skip
def test_no_answer_where_its_score_is_higher_by_more_than_the_threshold(tokenizer, threshold, nothing, answer):
    """The best span scores 5; at a difference of exactly the threshold it is given."""
    tokens = encode("span", [QUESTION], tokenizer, max_length=32, stride=4, max_question_length=8)
    decoding = DECODING if threshold is None else {**DECODING, "null_threshold": threshold}
    assert span.predict([QUESTION], tokens, [scores_of(tokens, 0, nothing, 5)], None, decoding) == [answer]


def test_no_answer_counts_in_the_window_where_it_is_least_likely(tokenizer):
    row = {**QUESTION, "context": "the cat is in the house . the dog is in the river ."}
    tokens = encode("span", [row], tokenizer, max_length=16, stride=2, max_question_length=4)
    assert len(tokens) > 1
    decoding = {**DECODING, "null_threshold": 0}
    kept = [scores_of(tokens, unit, 9, 5) for unit in range(len(tokens))]
    assert span.predict([row], tokens, kept, None, decoding) == [""]
    kept[-1] = scores_of(tokens, len(tokens) - 1, 4, 1)
    assert span.predict([row], tokens, kept, None, decoding) == ["cat"]
    assert span.statistics("", "[]", {"rules": "squad", "language": "en"}) == {"exact_match": 1, "f1": 1}
    assert span.statistics("cat", "[]", {"rules": "squad", "language": "en"}) == {"exact_match": 0, "f1": 0}


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


def test_windows_cover_the_context(tokenizer):
    """Windows of ten tokens share four with the one before, and leave out none."""
    around = tokenizer.pair_overhead + 1
    for length in range(1, 60):
        row = {**QUESTION, "context": " ".join(["cat"] * length), "question": "dog"}
        tokens = encode("span", [row], tokenizer, max_length=around + 10, stride=4, max_question_length=1)
        inside = span.batch(tokens, np.arange(len(tokens)), 0)[1]["context"] == 1
        begins = tokens.padded("begins", tokens.sequences(np.arange(len(tokens))), -1)
        windows = [((begins[instance][inside[instance]] + 1) // 4).tolist() for instance in range(len(tokens))]
        assert {word for window in windows for word in window} == set(range(length))
        assert all(len(window) <= 10 for window in windows)
        starts = [window[0] for window in windows]
        assert all(later - earlier == 6 for earlier, later in zip(starts, starts[1:], strict=False))


@pytest.mark.parametrize(
    ("longest", "answers"), [(30, {"dog sees ship"}), (2, {"dog sees", "ship"}), (1, {"cat", "ship"})]
)
def test_best_span_is_in_order_and_short_enough(tokenizer, longest, answers):
    """The best start and end that are one before the other; of equals, any."""
    row = {**QUESTION, "context": "cat dog sees ship"}
    tokens = encode("span", [row], tokenizer, max_length=32, stride=4, max_question_length=8)
    inside = span.batch(tokens, np.array([0]), 0)[1]["context"][0] == 1
    assert inside.sum() == 4
    scores = np.full((len(inside), 2), -np.inf)
    scores[inside] = [[0, 9], [5, 0], [0, 4], [1, 8]]
    assert span.predict([row], tokens, [scores], None, {"n_best": 4, "max_answer_length": longest})[0] in answers


ANSWERS = [
    *(f"xquad/xquad.{language}.json" for language in ("ar", "de", "en", "es", "hi", "ru", "th", "tr", "vi", "zh")),
    *(f"mlqa/dev-context-{language}-question-{language}.json" for language in ("ar", "de", "en", "es", "hi", "zh")),
    # of TyDiQA's dev sets there, all answers are placeholders
    "tydiqa/tydiqa.goldp.en.train.json",
]


@pytest.mark.parametrize("name", ANSWERS)
def test_offsets_give_back_every_gold_answer(mirror, real_tokenizer, name):
    records = readers.json_files.read_squad([mirror / name], None)
    rows = [span.normalise(record, None) for record in records]
    lengths = {"max_length": 384, "stride": 128, "max_question_length": 64}
    tokens = Tokens(span.encode(rows, real_tokenizer, lengths), real_tokenizer.pad)
    found = set()
    for unit in np.flatnonzero(tokens.arrays["first"]):
        start = tokens.arrays["starts"][unit]
        begin = tokens.arrays["begins"][start + tokens.arrays["first"][unit]]
        end = tokens.arrays["ends"][start + tokens.arrays["last"][unit]]
        row = rows[tokens.examples[unit]]
        # for a zero-width space at its end (10 of MLQA's Spanish answers) XLM-R's real_tokenizer has no token
        if row["answers"][0]["text"].strip("\u200b") in row["context"][begin:end]:
            found.add(int(tokens.examples[unit]))
    assert found == set(range(len(rows)))
