"""Extractive question answering: the answer is a span of the context.

A context longer than the limit is read in windows that overlap. The answer is taken from the context by character
offsets, never by re-joining tokens.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xstilts.forms.classification import collapsed
from xstilts.forms.declaration import Answering, Field, Form, Judgement, Metric, Notation, Role, Xtreme
from xstilts.forms.text import filled
from xstilts.metrics import mlqa, squad
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.tokenization.tokens import Tokens, TokensBuilder

__all__ = ["collapsed"]

FORM = Form(
    fields={"context": Field(Role.TEXT), "question": Field(Role.TEXT), "answers": Field(Role.ANSWERS, of="context")},
    metrics={
        "f1": Metric(of_sums=lambda sums, examples: 100 * sums["f1"] / examples),
        "exact_match": Metric(of_sums=lambda sums, examples: 100 * sums["exact_match"] / examples),
    },
    head_size=lambda width, labels: (width + 1) * 2,
    rules=("squad", "squad_v2", "mlqa"),
    lengths=("stride", "max_question_length"),
    decoding=("max_answer_length", "n_best", "null_threshold"),
    xtreme=Xtreme("answers", "json", item="question"),
    judgement=Judgement(
        Notation.SPAN,
        ("exact_match",),
        lambda columns: columns["exact_match"] == 1,
        "the answer is a gold one, by exact match",
    ),
    answering=Answering.WRITTEN,
    hub_task="question-answering",
)
_OUTSIDE = -1


def normalise(record: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    """Return the row; answers must be spans of the context, and there are none for an unanswerable question."""
    context, question, answers = filled(record, "context"), filled(record, "question"), record.get("answers")
    texts, starts = (answers.get(key) if isinstance(answers, dict) else None for key in ("text", "answer_start"))
    if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
        raise ValueError(f"answers is not of the form {{text: [...], answer_start: [...]}}: {answers!r:.60}")
    pairs = list(zip(texts, starts, strict=True))
    for text, start in pairs:
        if not isinstance(text, str) or not text or type(start) is not int:
            raise ValueError(f"not an answer with a text and a start: {text!r:.60}, {start!r:.60}")
        if start < 0 or context[start : start + len(text)] != text:
            there = context[max(start, 0) : max(start, 0) + len(text)]
            raise ValueError(
                f"answer {text!r:.60} is not at character {start!r:.20} of its context, where {there!r:.60} stands"
            )
    unique = list(dict.fromkeys(pairs))
    return {"context": context, "question": question, "answers": [{"text": text, "start": at} for text, at in unique]}


def encode(
    rows: Sequence[Mapping[str, Any]], tokenizer: ModelTokenizer, lengths: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Return an instance for each window: question, then a window of the context.

    ``begins`` and ``ends`` are aligned with the tokens: character offsets into the context, -1 outside it.
    ``first`` and ``last`` by instance: first and last token of the answer in the window, 0 where it is not in it.
    """
    builder = TokensBuilder()
    questions = tokenizer.tokenize([row["question"] for row in rows])
    contexts = tokenizer.tokenize([row["context"] for row in rows])
    for index, row in enumerate(rows):
        question = questions[index].ids[: lengths["max_question_length"]]
        tokens, offsets = contexts[index].ids, contexts[index].offsets
        before = len(tokenizer.prefix) + len(question) + len(tokenizer.middle)
        room = lengths["max_length"] - before - len(tokenizer.suffix)
        if room < 1:
            raise ValueError(f"max_length {lengths['max_length']} leaves no room for context after the question")
        answer = _answer_tokens(row["answers"], offsets)
        for start in _window_starts(len(tokens), room, lengths["stride"]):
            stop = min(start + room, len(tokens))
            outside, after = [_OUTSIDE] * before, [_OUTSIDE] * len(tokenizer.suffix)
            aligned = {
                "begins": outside + [begin for begin, _ in offsets[start:stop]] + after,
                "ends": outside + [end for _, end in offsets[start:stop]] + after,
            }
            builder.sequence(tokenizer.pair(question, tokens[start:stop]), aligned)
            first = last = 0
            if answer is not None and start <= answer[0] and answer[1] < stop:
                first, last = before + answer[0] - start, before + answer[1] - start
            builder.close(index, first=first, last=last)
    return builder.arrays()


def _window_starts(length: int, room: int, shared: int) -> list[int]:
    """Return where windows of ``room`` tokens start so that neighbours share ``shared`` (or as many as can be)."""
    step = max(room - shared, room // 2, 1)
    starts = [0]
    while starts[-1] + room < length:
        starts.append(starts[-1] + step)
    return starts


def _answer_tokens(answers: Sequence[Mapping[str, Any]], offsets: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """Return the first and the last token that cover the first answer, or None if there is no answer."""
    if not answers:
        return None
    begin, end = answers[0]["start"], answers[0]["start"] + len(answers[0]["text"])
    covering = [token for token, (start, stop) in enumerate(offsets) if stop > begin and start < end]
    return (covering[0], covering[-1]) if covering else None


def batch(tokens: Tokens, instances: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the model's inputs, ``first`` and ``last`` of shape (instances,), and ``context``: 1 at its tokens."""
    begins = tokens.padded("begins", tokens.sequences(instances), _OUTSIDE)
    return tokens.inputs(instances), {
        "first": tokens.arrays["first"][instances].astype(np.int64),
        "last": tokens.arrays["last"][instances].astype(np.int64),
        "context": (begins != _OUTSIDE).astype(np.int64),
    }


def head(width: int, labels: Sequence[str] | None, dropout: float) -> Any:
    """Return two scores for every position: the answer starts, or ends, here."""
    from xstilts.forms import heads

    return heads.SpanHead(width, dropout)


def loss(outputs: Any, targets: Mapping[str, Any]) -> Any:
    """Return the mean of the cross-entropies of start and end; outputs of shape (instances, longest, 2).

    Only the context and the first position (no answer in this window) can be chosen.
    """
    from torch.nn.functional import cross_entropy

    allowed = targets["context"].bool()
    allowed[:, 0] = True
    scores = outputs.float().masked_fill(~allowed[..., None], float("-inf"))
    starts, ends = scores.unbind(-1)
    return (cross_entropy(starts, targets["first"]) + cross_entropy(ends, targets["last"])) / 2


def terms(targets: Mapping[str, Any], instances: int) -> int:
    """Return the number of instances, over which the loss is a mean."""
    return instances


def class_count(tokens: Tokens, labels: Sequence[str] | None, batch_size: int, vocabulary: int) -> float:
    """Return the mean number of positions that can be chosen: those of the context, and that of no answer."""
    return 1 + np.count_nonzero(tokens.arrays["begins"] != _OUTSIDE) / len(tokens)


def outputs(raw: Any, targets: Mapping[str, Any]) -> list[np.ndarray]:
    """Return the scores of each instance as float32 of shape (longest, 2), -inf outside context and first position."""
    allowed = targets["context"].bool()
    allowed[:, 0] = True
    scores = raw.float().masked_fill(~allowed[..., None], float("-inf"))
    return list(scores.cpu().numpy())


def predict(
    rows: Sequence[Mapping[str, Any]],
    tokens: Tokens,
    kept: Sequence[np.ndarray],
    labels: Sequence[str] | None,
    decoding: Mapping[str, Any],
) -> list[str]:
    """Return the text of the best span over all windows of each row, or no text where no answer scores higher.

    A span's score is the sum of the scores of its start and its end; candidates are the ``n_best`` starts and ends of
    a window, at most ``max_answer_length`` tokens apart. The score of no answer is that of the first position, the
    lowest over the windows. With a ``null_threshold``, no answer is given if this score is higher than the best span's
    by more than the threshold (SQuAD scripts of BERT, ``run_squad.py``).
    """
    best: list[tuple[float, int, int]] = [(float("-inf"), 0, 0)] * len(rows)
    no_answer = [float("inf")] * len(rows)
    starts, begins, ends = tokens.arrays["starts"], tokens.arrays["begins"], tokens.arrays["ends"]
    for instance, scores in enumerate(kept):
        example = tokens.examples[instance]
        no_answer[example] = min(no_answer[example], float(scores[0].sum()))
        score, first, last = _best_span(scores, decoding["n_best"], decoding["max_answer_length"])
        if score > best[example][0]:
            offset = starts[instance]
            best[example] = (score, int(begins[offset + first]), int(ends[offset + last]))
    threshold = decoding.get("null_threshold", float("inf"))
    return [
        "" if none - score > threshold else row["context"][begin:end].strip()
        for row, none, (score, begin, end) in zip(rows, no_answer, best, strict=True)
    ]


def _best_span(scores: np.ndarray, n_best: int, max_length: int) -> tuple[float, int, int]:
    """Return score, first and last position of the best span of a window; scores of shape (longest, 2).

    The first position, which stands for no answer, is in no span.
    """
    scores = np.concatenate([np.full((1, 2), -np.inf, scores.dtype), scores[1:]])
    top = [np.argsort(-scores[:, side], kind="stable")[:n_best] for side in (0, 1)]
    sums = scores[top[0], 0][:, None] + scores[top[1], 1][None, :]
    distance = top[1][None, :] - top[0][:, None]
    sums = np.where((distance >= 0) & (distance < max_length), sums, -np.inf)
    row, column = np.unravel_index(int(sums.argmax()), sums.shape)
    return float(sums[row, column]), int(top[0][row]), int(top[1][column])


def gold(row: Mapping[str, Any], labels: Sequence[str] | None) -> str:
    """Return the gold answers as a JSON list."""
    return json.dumps([answer["text"] for answer in row["answers"]], ensure_ascii=False)


def answers(row: Mapping[str, Any], words: Sequence[str] | None) -> tuple[list[str], str]:
    """Return no choices, and the first gold answer."""
    return [], row["answers"][0]["text"] if row["answers"] else ""


def statistics(prediction: str, gold: str, scoring: Mapping[str, Any]) -> dict[str, float]:
    """Return ``exact_match`` (0 or 1) and ``f1`` (0 to 1) by the task's rules; MLQA's depend on the row's language."""
    answers = json.loads(gold)
    if scoring["rules"] == "squad_v2":
        answers = squad.answers_of_v2(answers)
    if scoring["rules"] == "mlqa":
        language = scoring["language"]
        return {
            "exact_match": mlqa.exact_match(prediction, answers, language),
            "f1": mlqa.f1(prediction, answers, language),
        }
    return {"exact_match": squad.exact_match(prediction, answers), "f1": squad.f1(prediction, answers)}
