"""Which files of a model are used, whether they are in a folder or a repository."""

import pytest
from xstilts.errors import UserError
from xstilts.store.model_folder import used_files

LEAST = {"config.json", "tokenizer.json", "model.safetensors"}


def test_tokenizer_files_are_used_only_in_place_of_a_tokenizer():
    """So that a folder keeps its path whatever lies beside its tokenizer.json."""
    assert set(used_files({*LEAST, "sentencepiece.bpe.model", "vocab.txt", "README.md"}, "it")) == LEAST
    without = {"config.json", "model.safetensors", "spiece.model"}
    assert used_files({*without, "README.md"}, "it") == ["config.json", "spiece.model", "model.safetensors"]


def test_shards_are_used_with_their_index():
    shards = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"}
    found = used_files({"config.json", "tokenizer.json", "pytorch_model.bin", *shards}, "it")
    assert set(found) == {"config.json", "tokenizer.json", *shards}


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (LEAST - {"config.json"}, "it: no config.json"),
        (LEAST - {"tokenizer.json"}, "it: no tokenizer.json"),
        (LEAST - {"model.safetensors"}, "it: no weights"),
        ({*LEAST, "pytorch_model.bin"} - {"model.safetensors"}, "it: its weights are pickled only.*convert-model"),
    ],
)
def test_what_is_missing(names, message):
    with pytest.raises(UserError, match=message):
        used_files(names, "it")
