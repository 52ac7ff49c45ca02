"""A tokenizer made from text: its tokens, its special ones, and that it is the same every time."""

import pytest
from xstilts.data.sources import tiny
from xstilts.tokenization import train_tokenizer
from xstilts.tokenization.tokenizer import ModelTokenizer

TEXTS = [" ".join(tiny.LEXICON[start : start + 6]) for start in range(len(tiny.LEXICON) - 6)] * 20


def test_words_are_tokens_and_special_ones_are_xlm_rs(tmp_path):
    train_tokenizer.make(TEXTS, 400, tmp_path)
    tokenizer = ModelTokenizer(tmp_path)
    assert tokenizer.size <= 400
    assert (tokenizer.prefix, tokenizer.middle, tokenizer.suffix) == ([0], [2, 2], [2])
    assert (tokenizer.pad, tokenizer.unknown, tokenizer.mask) == (1, 3, tokenizer.size - 1)
    (encoding,) = tokenizer.tokenize(["farmer helps teacher"])
    assert encoding.tokens == ["\u2581farmer", "\u2581helps", "\u2581teacher"]
    # with few tokens words are made of several, and nothing is unknown
    train_tokenizer.make(TEXTS, 60, tmp_path)
    small = ModelTokenizer(tmp_path)
    (encoding,) = small.tokenize(["farmer helps teacher"])
    assert small.size <= 60 and len(encoding.ids) > 3 and small.unknown not in encoding.ids


def test_same_text_same_files(tmp_path):
    made = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        train_tokenizer.make(iter(TEXTS), 200, tmp_path / name)
        made.append([path.read_bytes() for path in sorted((tmp_path / name).iterdir())])
    assert made[0] == made[1] and len(made[0]) == 2


def test_fewer_tokens_than_characters(tmp_path):
    with pytest.raises(train_tokenizer.UserError, match="vocabulary_size: 12 cannot be made from the text"):
        train_tokenizer.make(TEXTS, 12, tmp_path)
