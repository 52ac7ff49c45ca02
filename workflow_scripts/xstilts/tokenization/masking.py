"""What a language model is trained to tell, by its family; what is drawn depends on a text's number and a key alone.

===========  =================  =========================================================================
``masked``   encoder            some of the pieces: of these 8 in 10 are masked, 1 in 10 is another piece, 1 in 10
                                stays (Devlin et al. 2019, BERT, section 3.1)
``spans``    encoder-decoder    some of the pieces, in spans of 3 on average, each replaced by one sentinel (Raffel et
                                al. 2020, T5, section 3.1.4; ``random_spans_noise_mask`` of the T5 code)
``causal``   decoder            every piece from those before it
===========  =================  =========================================================================

How many some are is in the tokens (``told``): 15 % in both papers.

Each function returns the model's input with ``told``, and ``pieces``: what stood at the positions to be told, -100
elsewhere. ``told`` is bool, ``pieces`` int64, both of shape (units, longest).
"""

import numpy as np

from xstilts.tokenization.tokens import Tokens

MASKED, SPANS, CAUSAL = "masked", "spans", "causal"
IGNORED = -100
_MASK, _OTHER = 0.8, 0.9
_SPAN_LENGTH = 3


def masked(tokens: Tokens, units: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Mask pieces; every text has at least one position to be told."""
    inputs = tokens.inputs(units)
    ids, told = inputs["ids"], np.zeros(inputs["ids"].shape, dtype=bool)
    right, share = np.full(ids.shape, IGNORED, dtype=np.int64), float(tokens.arrays["told"])
    for row, unit in enumerate(units):
        length = int(inputs["mask"][row].sum())
        chance = _chance(key, unit)
        draws, kinds = chance.random(length), chance.random(length)
        others = chance.integers(0, int(tokens.arrays["pieces"][unit]), length)
        # the special tokens at both ends are never told
        inner = slice(1, length - 1)
        chosen = np.zeros(length, dtype=bool)
        chosen[inner] = draws[inner] < share
        if not chosen.any():
            chosen[inner.start + int(draws[inner].argmin())] = True
        told[row, :length] = chosen
        right[row, :length][chosen] = ids[row, :length][chosen]
        changed = chosen & (kinds >= _MASK) & (kinds < _OTHER)
        ids[row, :length][chosen & (kinds < _MASK)] = tokens.arrays["mask"][unit]
        ids[row, :length][changed] = others[changed]
    return {**inputs, "told": told}, {"pieces": right}


def causal(tokens: Tokens, units: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Tell at each position the next piece."""
    inputs = tokens.inputs(units)
    told = np.zeros(inputs["ids"].shape, dtype=bool)
    told[:, :-1] = inputs["mask"][:, 1:] == 1
    right = np.full(told.shape, IGNORED, dtype=np.int64)
    right[:, :-1][told[:, :-1]] = inputs["ids"][:, 1:][told[:, :-1]]
    return {**inputs, "told": told}, {"pieces": right}


def spans(tokens: Tokens, units: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Replace spans by sentinels, and tell these and what stood in their place.

    The inputs have ``decoder_ids`` and ``decoder_mask`` too; ``told`` and ``pieces`` are of the decoder's positions.
    """
    sequences = tokens.sequences(units)
    starts, sentinels, share = (tokens.arrays[name] for name in ("starts", "sentinels", "told"))
    read, told = [], []
    for unit, sequence in zip(units, sequences, strict=True):
        ids = np.asarray(tokens.arrays["ids"][starts[sequence] : starts[sequence + 1]], dtype=np.int64)
        # the last piece is the one that ends a text
        kept, lost = _with_sentinels(ids[:-1], sentinels, float(share), _chance(key, unit))
        read.append(np.concatenate([kept, ids[-1:]]))
        told.append(np.concatenate([lost, ids[-1:]]))
    ids, mask = _matrix(read, tokens.pad)
    decoder_ids, decoder_mask = _matrix(told, tokens.pad)
    inputs = {"ids": ids, "mask": mask, "decoder_ids": decoder_ids, "decoder_mask": decoder_mask}
    right = np.where(decoder_mask == 1, decoder_ids, IGNORED)
    return {**inputs, "told": decoder_mask == 1}, {"pieces": right}


def _with_sentinels(
    pieces: np.ndarray, sentinels: np.ndarray, share: float, chance: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return a text with sentinels in place of spans, and the sentinels with these spans.

    Other than in the T5 code, where the last piece is always lost, the text may go on after the last span, so that in
    a text with one span it stands anywhere.
    """
    lost = max(1, round(len(pieces) * share))
    number = max(1, min(round(lost / _SPAN_LENGTH), len(pieces) - lost, len(sentinels)))
    # one more part is kept than is lost, and the first and the last of them may have no piece
    kept_parts = _parts(len(pieces) - lost + 2, number + 1, chance)
    kept_parts[0] -= 1
    kept_parts[-1] -= 1
    read, told, place = [], [], 0
    for sentinel, kept, gone in zip(sentinels, kept_parts, _parts(lost, number, chance), strict=False):
        read += [pieces[place : place + kept], [sentinel]]
        told += [[sentinel], pieces[place + kept : place + kept + gone]]
        place += kept + gone
    return np.concatenate([*read, pieces[place:]]).astype(np.int64), np.concatenate(told).astype(np.int64)


def _parts(total: int, number: int, chance: np.random.Generator) -> list[int]:
    """Return a number of parts of at least one that add up to a total."""
    borders = np.sort(chance.choice(total - 1, number - 1, replace=False)) + 1
    return np.diff([0, *borders, total]).tolist()


def _matrix(rows: list[np.ndarray], fill: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of several lengths as a matrix, and where it is filled; int64 of shape (rows, longest)."""
    width = max(map(len, rows))
    ids, mask = np.full((len(rows), width), fill, dtype=np.int64), np.zeros((len(rows), width), dtype=np.int64)
    for number, row in enumerate(rows):
        ids[number, : len(row)], mask[number, : len(row)] = row, 1
    return ids, mask


def _chance(key: int, unit: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=[key, int(unit)]))
