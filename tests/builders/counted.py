"""Evaluation rows and a tokenizer whose tokens can be counted by hand."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow
import pyarrow.parquet
from tokenizers import Tokenizer, models, pre_tokenizers, processors

# a word is cut into its first part and the ones behind it, or unknown
VOCABULARY = ("[UNK]", "a", "cat", "dog", "hund", "##s", "##en", ".", "猫", "##猫", "犬", "##犬", "[SEP]")


def tokenizer(folder: Path, unknown: bool = True) -> None:
    """Write a tokenizer into a folder."""
    made = Tokenizer(models.WordPiece({token: number for number, token in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    end = ("[SEP]", VOCABULARY.index("[SEP]"))
    made.post_processor = processors.TemplateProcessing(
        single="$A [SEP]", pair="$A [SEP] $B [SEP]", special_tokens=[end]
    )
    folder.mkdir(parents=True)
    made.save(str(folder / "tokenizer.json"))
    settings = {"unk_token": "[UNK]"} if unknown else {}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def rows(folder: Path, by_language: Mapping[str, Sequence[Mapping[str, object]]]) -> None:
    """Write prepared rows by language into a folder."""
    folder.mkdir(parents=True)
    for language, of_language in by_language.items():
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(of_language)), folder / f"{language}.parquet")
