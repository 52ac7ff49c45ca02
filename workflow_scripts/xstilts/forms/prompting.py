"""Prompts: rows worded by the templates of a task, for a pretrained language model that is not trained on it.

A template is text in which ``{field}`` stands for a field of the row; nothing else is replaced, and no code is run. A
prompt is the context of the row, and before it those of the examples, each with its answer. How texts are joined and
cut into tokens is as in the Language Model Evaluation Harness (Gao et al. 2024, lm-evaluation-harness 0.4,
``lm_eval/api/model.py`` and ``lm_eval/models/huggingface.py``), so that scores can be set beside those of others:

- examples are separated by an empty line;
- white space at the end of a context goes over to the answer, and the tokens of the answer are those of both together
  behind as many as the context alone has (``TemplateLM._encode_pair``); beside an encoder the answer stands alone;
- a prompt that is too long is cut at its start, but for the model's own first tokens, which stay here.

Arrays beside those of ``tokens.py``: aligned with the tokens ``answer``, 1 at those of the answer, or in its place
``decoder`` for an encoder-decoder model, whose encoder reads the others; by sequence ``characters``, those of answers.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from xstilts.forms.declaration import Answering, Form, Role
from xstilts.forms.interface import Arrays, PromptedForm, Row
from xstilts.store.specs.data import Prompt
from xstilts.tokenization import masking
from xstilts.tokenization.masking import IGNORED
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.tokenization.tokens import Tokens, TokensBuilder

# what stands for the answer in a template
ANSWER = "answer"
# beside the arrays of tokens, by instance: 1 where a prompt was cut. It is counted, and not kept with them
CUT = "cut"
# between two examples of a prompt
_BETWEEN = "\n\n"
_FIELD = re.compile(r"\{(\w+)\}")


def fields(template: str) -> list[str]:
    """Return the names of the fields in a template."""
    return _FIELD.findall(template)


def check(form: Form, prompt: Mapping[str, Any], labels: Sequence[str] | None) -> None:
    """Refuse templates that a form cannot fill.

    Args:
        form: the form of the task.
        prompt: as ``schemas/task.yaml`` has it.
        labels: the task's labels.

    Raises:
        ValueError: naming the key, and what is wrong with it.
    """
    if form.answering is None:
        raise ValueError("a language model cannot answer for tasks of this form; leave the key out")
    texts = [*form.of_role(Role.TEXT)]
    texts += [f"{name}_{number}" for name in form.of_role(Role.TEXTS) for number in range(1, len(labels or ()) + 1)]
    for key, known in (("context", texts), ("answer", [*texts, ANSWER])):
        template = prompt[key]
        for field in fields(template):
            if field not in known:
                raise ValueError(f"{key}: no field {{{field}}}; known: {', '.join(f'{{{name}}}' for name in known)}")
        if re.search(r"[{}]", _FIELD.sub("", template)):
            raise ValueError(f"{key}: a brace that is of no {{field}} in {template!r}; take it out")
    if fields(prompt["answer"]).count(ANSWER) != 1:
        raise ValueError("answer: needs {answer} once")
    if form.answering is Answering.WRITTEN and prompt["answer"].strip() != f"{{{ANSWER}}}":
        raise ValueError("answer: what a model writes is {answer} alone; put all other words into the context")
    words = prompt["words"]
    if words is not None and set(words) != set(labels or ()):
        raise ValueError(f"words: needs a word for each label, {', '.join(labels or ('of which there are none',))}")


def draw(rows: Sequence[Row], form: PromptedForm, prompt: Prompt) -> list[Row]:
    """Return the examples of a prompt, the same for all rows: training rows with an answer, drawn by the seed alone.

    Raises:
        ValueError: if there are too few.
    """
    able = [row for row in rows if form.answers(row, prompt.words)[1]]
    if len(able) < prompt.examples:
        raise ValueError(f"{prompt.examples} examples, but only {len(able)} rows with an answer; lower `examples`")
    draws = np.random.Generator(np.random.Philox(key=prompt.seed or 0)).random(len(able))
    return [able[index] for index in np.argsort(draws, kind="stable")[: prompt.examples]]


def encode(
    rows: Sequence[Row],
    form: PromptedForm,
    tokenizer: ModelTokenizer,
    prompt: Prompt,
    lengths: Mapping[str, Any],
    examples: Sequence[Row],
) -> Arrays:
    """Return an instance a row: a sequence for each answer that can be chosen, or one without where it is written.

    Beside the arrays of tokens there is ``CUT``.

    Args:
        rows: prepared rows.
        form: the module of their form.
        tokenizer: that of the model.
        prompt: the templates.
        lengths: ``max_length``, and where answers are written ``max_answer_tokens``, for which a decoder keeps room.
        examples: training rows that come first, each with its answer.

    Raises:
        ValueError: if the model cannot be prompted, or an answer is longer than it reads.
    """
    if tokenizer.objective == masking.MASKED:
        raise ValueError("the model predicts masked tokens, so it cannot be prompted; use a decoder")
    apart = tokenizer.objective == masking.SPANS
    before = "".join(_worded(row, form, prompt) + _BETWEEN for row in examples)
    written = form.FORM.answering is Answering.WRITTEN
    contexts, answers, counts = [], [], []
    for row in rows:
        fields = _fields(form.FORM, row)
        context = before + _filled(prompt.context, fields)
        candidates = form.answers(row, prompt.words)[0]
        texts = [""] if written else [_filled(prompt.answer, {**fields, ANSWER: answer}) for answer in candidates]
        counts.append(len(texts))
        answers += texts
        contexts += [context] * len(texts)
    pairs = (_apart if apart else _behind)(tokenizer, contexts, answers)
    room = lengths["max_length"] - (0 if apart else lengths.get("max_answer_tokens", 0))
    builder = TokensBuilder()
    for index, count in enumerate(counts):
        is_cut = False
        for context_ids, answer_ids in (next(pairs) for _ in range(count)):
            if not written and not answer_ids:
                raise ValueError("an answer has no token of its own behind its context; change `prompt` of the task")
            ids, left_out = _input(tokenizer, context_ids, answer_ids, room, apart)
            is_cut = is_cut or left_out > 0
            flags = [0] * (len(ids) - len(answer_ids)) + [1] * len(answer_ids)
            builder.sequence(ids, {"decoder" if apart else "answer": flags})
        builder.close(index, **{CUT: int(is_cut)})
    return {**builder.arrays(), "characters": np.asarray([len(text.strip()) for text in answers], dtype=np.int32)}


def _worded(row: Row, form: PromptedForm, prompt: Prompt) -> str:
    """Return an example: a row with its answer."""
    fields = _fields(form.FORM, row)
    answer = form.answers(row, prompt.words)[1]
    return _filled(prompt.context, fields) + _filled(prompt.answer, {**fields, ANSWER: answer})


def _fields(form: Form, row: Row) -> dict[str, str]:
    fields = {name: row[name] or "" for name in form.of_role(Role.TEXT)}
    for name in form.of_role(Role.TEXTS):
        fields |= {f"{name}_{number}": text for number, text in enumerate(row[name], 1)}
    return fields


def _filled(template: str, fields: Mapping[str, str]) -> str:
    return _FIELD.sub(lambda match: fields[match[1]], template)


def _behind(
    tokenizer: ModelTokenizer, contexts: Sequence[str], answers: Sequence[str]
) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the tokens of contexts, and of the answers that stand directly behind them."""
    bare = [context.rstrip() if answer else context for context, answer in zip(contexts, answers, strict=True)]
    wholes = [context + answer for context, answer in zip(contexts, answers, strict=True)]
    for context, whole in zip(tokenizer.tokenize(bare), tokenizer.tokenize(wholes), strict=True):
        yield context.ids, whole.ids[len(context.ids) :]


def _apart(
    tokenizer: ModelTokenizer, contexts: Sequence[str], answers: Sequence[str]
) -> Iterator[tuple[list[int], list[int]]]:
    """Yield the tokens of contexts, and of answers that stand alone."""
    for context, answer in zip(tokenizer.tokenize(contexts), tokenizer.tokenize(answers), strict=True):
        yield context.ids, answer.ids


def _input(
    tokenizer: ModelTokenizer, context: Sequence[int], answer: Sequence[int], room: int, apart: bool
) -> tuple[list[int], int]:
    """Return what a model reads with the answer behind it, and how many tokens of the context's start were too many."""
    first, last = tokenizer.prefix, tokenizer.suffix if apart else []
    if not apart and not first and not context:
        if tokenizer.begin is None:
            raise ValueError("the model has no token to begin with, so a prompt needs a context before the answer")
        first = [tokenizer.begin]
    kept = room - len(first) - len(last) - (0 if apart else len(answer))
    if kept < 0 or len(answer) > room:
        raise ValueError(f"an answer has {len(answer)} tokens, of at most {room}; raise max_length of `prompting`")
    left_out = max(0, len(context) - kept)
    return [*first, *context[left_out:], *last, *answer], left_out


def batch(tokens: Tokens, instances: np.ndarray, key: int) -> tuple[Arrays, Arrays]:
    """Return the model's inputs with ``labelled``, and ``labels`` as in ``masking.py``: the tokens of the answers.

    ``sequences`` beside them is the number of sequences of each instance, int64 of shape (instances,).
    """
    sequences = tokens.sequences(instances)
    borders = tokens.arrays["instances"]
    number = {"sequences": (borders[instances + 1] - borders[instances]).astype(np.int64)}
    if "decoder" in tokens.arrays:
        inputs, labels = _of_both(tokens, sequences)
        return inputs, {"labels": labels, **number}
    inputs = tokens.inputs(instances)
    answer = tokens.padded("answer", sequences, 0)
    labels = np.full(answer.shape, IGNORED, dtype=np.int64)
    labels[:, :-1] = np.where(answer[:, 1:] == 1, inputs["ids"][:, 1:], IGNORED)
    return {**inputs, "labelled": labels != IGNORED}, {"labels": labels, **number}


def _of_both(tokens: Tokens, sequences: np.ndarray) -> tuple[Arrays, np.ndarray]:
    """Return the inputs of encoder and decoder, and the labels of the decoder's positions."""
    starts, read, written = tokens.arrays["starts"], [], []
    for sequence in sequences:
        place = slice(starts[sequence], starts[sequence + 1])
        ids, is_answer = np.asarray(tokens.arrays["ids"][place]), np.asarray(tokens.arrays["decoder"][place]) == 1
        read.append(ids[~is_answer])
        written.append(ids[is_answer])
    ids, mask = masking.matrix(read, tokens.pad)
    decoder_ids, decoder_mask = masking.matrix(written, tokens.pad)
    labels = np.where(decoder_mask == 1, decoder_ids, IGNORED)
    inputs = {"ids": ids, "mask": mask, "decoder_ids": decoder_ids, "decoder_mask": decoder_mask}
    return {**inputs, "labelled": decoder_mask == 1}, labels


def outputs(raw: Any, targets: Mapping[str, Any]) -> list[list[float]]:
    """Return for each instance the log-likelihoods of its answers in nats: sums over the tokens of an answer.

    ``raw`` has the scores of the tokens at the labelled positions, (positions, tokens).
    """
    from torch.nn.functional import cross_entropy

    labelled = targets["labels"] != IGNORED
    losses = cross_entropy(raw.float(), targets["labels"][labelled], reduction="none").double()
    sums = [-float(one.sum()) for one in losses.split(labelled.sum(1).tolist())]
    borders = np.concatenate([[0], np.cumsum(targets["sequences"].tolist())])
    return [sums[start:stop] for start, stop in zip(borders[:-1], borders[1:], strict=True)]


def choose(tokens: Tokens, likelihoods: Sequence[Sequence[float]], length_normalised: bool) -> list[int]:
    """Return for each instance the index of its likeliest answer, the first of equals.

    With ``length_normalised`` log-likelihoods are divided by the numbers of characters, white space around the answers
    left out: ``acc_norm`` of lm-evaluation-harness in place of ``acc``.
    """
    borders, characters = tokens.arrays["instances"], tokens.arrays["characters"]
    best = []
    for instance, of_answers in enumerate(likelihoods):
        scores = np.asarray(of_answers)
        if length_normalised:
            scores = scores / characters[borders[instance] : borders[instance + 1]]
        best.append(int(scores.argmax()))
    return best
