"""Tokenizers of models: special tokens, words, and how two segments are shortened."""

import pytest
from xstilts.tokenization import masking
from xstilts.tokenization.tokenizer import ModelTokenizer, shorten


@pytest.mark.parametrize("name", ["llama", "qwen", "gemma"])
def test_byte_level_tokenizers(families, name):
    """Words have their space, two texts a line break between them, and what is missing nobody needs."""
    tokenizer = ModelTokenizer(families[name])
    encoding = tokenizer.words([["cat", "helps", "dog"]])[0]
    assert encoding.ids == tokenizer.tokenize(["cat helps dog"])[0].ids
    assert encoding.word_ids[0] == 0 and encoding.word_ids[-1] == 2
    assert tokenizer.middle == tokenizer.tokenize(["\n"])[0].ids
    assert tokenizer.objective == masking.CAUSAL and tokenizer.mask is None


def test_special_tokens(tokenizer):
    assert (tokenizer.prefix, tokenizer.middle, tokenizer.suffix) == ([0], [2, 2], [2])
    assert (tokenizer.pad, tokenizer.unknown) == (1, 3)


@pytest.mark.parametrize(
    ("first", "second", "room", "expected"),
    [(3, 4, 10, (3, 4)), (3, 40, 10, (3, 7)), (40, 3, 10, (7, 3)), (40, 40, 10, (5, 5)), (40, 40, 11, (6, 5))],
)
def test_shorten(first, second, room, expected):
    assert shorten(first, second, room) == expected
