"""What a language model is trained to tell, by its family; what is drawn depends on a text's number and a key alone.

===========  =================  =========================================================================
``masked``   encoder            some of the tokens: of these 8 in 10 are masked, 1 in 10 is another token, 1 in 10
                                stays (Devlin et al. 2019, BERT, section 3.1)
``spans``    encoder-decoder    some of the tokens, in spans of 3 on average, each replaced by one sentinel (Raffel et
                                al. 2020, T5, section 3.1.4; ``random_spans_noise_mask`` of the T5 code)
``causal``   decoder            every token from those before it
===========  =================  =========================================================================

How many some are is in the tokens (``labelled``): 15 % in both papers.

Each function returns the model's input with ``labelled``, and ``tokens``: what stood at the positions to be labelled, -100
elsewhere. ``labelled`` is bool, ``tokens`` int64, both of shape (instances, longest).
"""

import numpy as np

from xstilts.tokenization.tokens import Tokens

MASKED, SPANS, CAUSAL = "masked", "spans", "causal"
IGNORED = -100
_MASK, _OTHER = 0.8, 0.9
_SPAN_LENGTH = 3


def masked(tokens: Tokens, instances: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Mask tokens; every text has at least one position to be labelled."""
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
    """Tell at each position the next token."""
    inputs = tokens.inputs(instances)
    labelled = np.zeros(inputs["ids"].shape, dtype=bool)
    labelled[:, :-1] = inputs["mask"][:, 1:] == 1
    gold = np.full(labelled.shape, IGNORED, dtype=np.int64)
    gold[:, :-1][labelled[:, :-1]] = inputs["ids"][:, 1:][labelled[:, :-1]]
    return {**inputs, "labelled": labelled}, {"labels": gold}


def spans(tokens: Tokens, instances: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Replace spans by sentinels, and tell these and what stood in their place.

    The inputs have ``decoder_ids`` and ``decoder_mask`` too; ``labelled`` and ``tokens`` are of the decoder's positions.
    """
    sequences = tokens.sequences(instances)
    starts, sentinels, mask_rate = (tokens.arrays[name] for name in ("starts", "sentinels", "mask_rate"))
    read, removed = [], []
    for instance, sequence in zip(instances, sequences, strict=True):
        ids = np.asarray(tokens.arrays["ids"][starts[sequence] : starts[sequence + 1]], dtype=np.int64)
        # the last token is the one that ends a text
        kept, lost = _with_sentinels(ids[:-1], sentinels, float(mask_rate), _rng(key, instance))
        read.append(np.concatenate([kept, ids[-1:]]))
        removed.append(np.concatenate([lost, ids[-1:]]))
    ids, mask = _matrix(read, tokens.pad)
    decoder_ids, decoder_mask = _matrix(removed, tokens.pad)
    inputs = {"ids": ids, "mask": mask, "decoder_ids": decoder_ids, "decoder_mask": decoder_mask}
    gold = np.where(decoder_mask == 1, decoder_ids, IGNORED)
    return {**inputs, "labelled": decoder_mask == 1}, {"labels": gold}


def _with_sentinels(
    ids: np.ndarray, sentinels: np.ndarray, mask_rate: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return a text with sentinels in place of spans, and the sentinels with these spans.

    Other than in the T5 code, where the last token is always lost, the text may go on after the last span, so that in
    a text with one span it stands anywhere.
    """
    lost = max(1, round(len(ids) * mask_rate))
    number = max(1, min(round(lost / _SPAN_LENGTH), len(ids) - lost, len(sentinels)))
    # one more part is kept than is lost, and the first and the last of them may have no token
    kept_lengths = _random_lengths(len(ids) - lost + 2, number + 1, rng)
    kept_lengths[0] -= 1
    kept_lengths[-1] -= 1
    read: list[np.ndarray] = []
    removed: list[np.ndarray] = []
    start = 0
    for index, (kept, gone) in enumerate(zip(kept_lengths, _random_lengths(lost, number, rng), strict=False)):
        sentinel, end = sentinels[index : index + 1], start + kept
        read += [ids[start:end], sentinel]
        removed += [sentinel, ids[end : end + gone]]
        start = end + gone
    return np.concatenate([*read, ids[start:]]).astype(np.int64), np.concatenate(removed).astype(np.int64)


def _random_lengths(total: int, number: int, rng: np.random.Generator) -> list[int]:
    """Return a number of parts of at least one that add up to a total."""
    borders = np.sort(rng.choice(total - 1, number - 1, replace=False)) + 1
    return np.diff([0, *borders, total]).tolist()


def _matrix(rows: list[np.ndarray], fill: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of several lengths as a matrix, and where it is filled; int64 of shape (rows, longest)."""
    width = max(map(len, rows))
    ids, mask = np.full((len(rows), width), fill, dtype=np.int64), np.zeros((len(rows), width), dtype=np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)], mask[number, : len(row)] = row, 1
    return ids, mask


def _rng(key: int, instance: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[key, int(instance)]))
