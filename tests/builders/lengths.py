"""Lengths of training instances as those of MNLI's pairs and SQuAD's windows, made up and real."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

# share of the computed positions that may be padding
LIMIT = 0.05
# XLM-R's tokens a word of English text, about; special tokens of a pair
TOKENS_A_WORD, SPECIAL = 1.4, 4


def made_up_mnli(rng: np.random.Generator) -> np.ndarray:
    """Return lengths of 20,000 pairs: lognormal with mean 40 and deviation 20, between 8 and 256 tokens."""
    variance = np.log(1 + (20 / 40) ** 2)
    lengths = rng.lognormal(np.log(40) - variance / 2, variance**0.5, size=20_000)
    return lengths.round().clip(8, 256).astype(np.int64)


def made_up_squad(rng: np.random.Generator) -> np.ndarray:
    """Return lengths of 20,000 windows: mean 170, and a spike at the limit of 384 tokens."""
    lengths = rng.lognormal(np.log(150), 0.45, size=20_000)
    lengths[rng.random(len(lengths)) < 0.03] = 384
    return lengths.round().clip(24, 384).astype(np.int64)


def real_mnli(mirror: Path) -> np.ndarray:
    """Return the lengths of MNLI's pairs in a folder of real data."""
    rows = json.loads((mirror / "mnli/train.json").read_text(encoding="utf-8")).values()
    return np.array([_tokens(row["text_a"]) + _tokens(row["text_b"]) + SPECIAL for row in rows])


def real_squad(mirror: Path) -> np.ndarray:
    """Return the lengths of SQuAD's windows of 384 tokens, of which neighbours share 128, in a folder of real data."""
    articles = json.loads((mirror / "squad_v2/dev-v2.0.json").read_text(encoding="utf-8"))["data"]
    lengths = []
    for paragraph in (paragraph for article in articles for paragraph in article["paragraphs"]):
        context = _tokens(paragraph["context"])
        for question in paragraph["qas"]:
            around = min(_tokens(question["question"]), 64) + SPECIAL
            room = 384 - around
            starts = range(0, max(1, context - 128), room - 128)
            lengths += [around + min(room, context - start) for start in starts]
    return np.array(lengths)


def _tokens(text: str) -> int:
    return round(TOKENS_A_WORD * len(text.split()))


def padding(lengths: np.ndarray, batches: Sequence[np.ndarray]) -> float:
    """Return the share of the computed positions that are padding."""
    computed = sum(len(instances) * lengths[instances].max() for instances in batches)
    return 1 - sum(lengths[instances].sum() for instances in batches) / computed
