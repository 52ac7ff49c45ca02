"""The tokens that a language model is trained to predict, by its family.

===========  =================  =========================================================================
``masked``   encoder            some of the tokens: of these 80 % are replaced by the mask token, 10 % by a random
                                token, and 10 % stay (Devlin et al. 2019, BERT, section 3.1)
``spans``    encoder-decoder    some of the tokens, in spans of 3 on average, each replaced by one sentinel (Raffel et
                                al. 2020, T5, section 3.1.4; ``random_spans_noise_mask`` of the T5 code)
``causal``   decoder            every token, from the tokens before it
===========  =================  =========================================================================

The share of these tokens is the ``mask_rate`` among the arrays of the tokens: 15 % in both papers. Which tokens they
are depends on a key and the index of the instance alone.

Each function returns the model's inputs with ``labelled``, bool: the positions that have a label; and the targets with
``labels``, int64: the token to be predicted at these positions, -100 elsewhere. Both are of shape (instances, longest).
"""

import numpy as np

from xstilts.tokenization.tokens import Tokens

MASKED, SPANS, CAUSAL = "masked", "spans", "causal"
IGNORED = -100
_MASK, _OTHER = 0.8, 0.9
_SPAN_LENGTH = 3


def masked(tokens: Tokens, instances: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Mask tokens, at least one in every text."""
    inputs = tokens.inputs(instances)
    ids, labelled = inputs["ids"], np.zeros(inputs["ids"].shape, dtype=bool)
    gold, mask_rate = np.full(ids.shape, IGNORED, dtype=np.int64), float(tokens.arrays["mask_rate"])
    for row, instance in enumerate(instances):
        length = int(inputs["mask"][row].sum())
        rng = _rng(key, instance)
        draws, kinds = rng.random(length), rng.random(length)
        others = rng.integers(0, int(tokens.arrays["vocabulary_size"][instance]), length)
        # the special tokens at both ends are never labelled
        inner = slice(1, length - 1)
        chosen = np.zeros(length, dtype=bool)
        chosen[inner] = draws[inner] < mask_rate
        if not chosen.any():
            chosen[inner.start + int(draws[inner].argmin())] = True
        labelled[row, :length] = chosen
        gold[row, :length][chosen] = ids[row, :length][chosen]
        changed = chosen & (kinds >= _MASK) & (kinds < _OTHER)
        ids[row, :length][chosen & (kinds < _MASK)] = tokens.arrays["mask_token"][instance]
        ids[row, :length][changed] = others[changed]
    return {**inputs, "labelled": labelled}, {"labels": gold}


def causal(tokens: Tokens, instances: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Give each position the next token as its label."""
    inputs = tokens.inputs(instances)
    labelled = np.zeros(inputs["ids"].shape, dtype=bool)
    labelled[:, :-1] = inputs["mask"][:, 1:] == 1
    gold = np.full(labelled.shape, IGNORED, dtype=np.int64)
    gold[:, :-1][labelled[:, :-1]] = inputs["ids"][:, 1:][labelled[:, :-1]]
    return {**inputs, "labelled": labelled}, {"labels": gold}


def spans(tokens: Tokens, instances: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Replace spans by sentinels; the labels are the sentinels, each followed by the tokens that it replaces.

    The inputs have ``decoder_ids`` and ``decoder_mask`` too; ``labelled`` and ``labels`` are those of its positions.
    """
    sequences = tokens.sequences(instances)
    starts, sentinels, mask_rate = (tokens.arrays[name] for name in ("starts", "sentinels", "mask_rate"))
    read, removed = [], []
    for instance, sequence in zip(instances, sequences, strict=True):
        ids = np.asarray(tokens.arrays["ids"][starts[sequence] : starts[sequence + 1]], dtype=np.int64)
        # the last token is the end of the text
        kept, in_spans = _with_sentinels(ids[:-1], sentinels, float(mask_rate), _rng(key, instance))
        read.append(np.concatenate([kept, ids[-1:]]))
        removed.append(np.concatenate([in_spans, ids[-1:]]))
    ids, mask = matrix(read, tokens.pad)
    decoder_ids, decoder_mask = matrix(removed, tokens.pad)
    inputs = {"ids": ids, "mask": mask, "decoder_ids": decoder_ids, "decoder_mask": decoder_mask}
    gold = np.where(decoder_mask == 1, decoder_ids, IGNORED)
    return {**inputs, "labelled": decoder_mask == 1}, {"labels": gold}


def _with_sentinels(
    ids: np.ndarray, sentinels: np.ndarray, mask_rate: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return a text with sentinels in place of spans, and the sentinels, each followed by its span.

    In the T5 code the last token of a text is always in a span. Here tokens may follow the last span, so that a single
    span can be anywhere in a text.
    """
    in_spans = max(1, round(len(ids) * mask_rate))
    spans_count = max(1, min(round(in_spans / _SPAN_LENGTH), len(ids) - in_spans, len(sentinels)))
    # spans lie between stretches of text, of which the first and the last may be empty
    text_lengths = _random_lengths(len(ids) - in_spans + 2, spans_count + 1, rng)
    text_lengths[0] -= 1
    text_lengths[-1] -= 1
    span_lengths = _random_lengths(in_spans, spans_count, rng)
    read: list[np.ndarray] = []
    removed: list[np.ndarray] = []
    start = 0
    for index, (text_length, span_length) in enumerate(zip(text_lengths, span_lengths, strict=False)):
        begin, end = start + text_length, start + text_length + span_length
        sentinel = sentinels[index : index + 1]
        read += [ids[start:begin], sentinel]
        removed += [sentinel, ids[begin:end]]
        start = end
    return np.concatenate([*read, ids[start:]]).astype(np.int64), np.concatenate(removed).astype(np.int64)


def _random_lengths(total: int, count: int, rng: np.random.Generator) -> list[int]:
    """Return so many random lengths of at least one that add up to a total."""
    borders = np.sort(rng.choice(total - 1, count - 1, replace=False)) + 1
    return np.diff([0, *borders, total]).tolist()


def matrix(rows: list[np.ndarray], fill: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows as a matrix padded with ``fill``, and its mask; int64 of shape (rows, longest)."""
    width = max(map(len, rows))
    ids, mask = np.full((len(rows), width), fill, dtype=np.int64), np.zeros((len(rows), width), dtype=np.int64)
    for index, row in enumerate(rows):
        ids[index, : len(row)], mask[index, : len(row)] = row, 1
    return ids, mask


def _rng(key: int, instance: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[key, int(instance)]))
