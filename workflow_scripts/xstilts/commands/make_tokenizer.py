"""Make a tokenizer from prepared text, for a model that is pretrained here."""

import argparse
import json

import pyarrow.parquet

from xstilts.commands import add_node_arguments, results_of
from xstilts.store import manifest
from xstilts.tokenization import train_tokenizer

add_arguments = add_node_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec = arguments.spec
    rows = results_of(arguments.output) / spec["parents"]["prepared"] / "train.parquet"
    with manifest.node(arguments.output, spec) as (scratch, _):
        texts = pyarrow.parquet.read_table(rows, columns=["text"])["text"].to_pylist()
        train_tokenizer.make(texts, spec["vocabulary_size"], scratch)
        vocabulary_size = len(json.loads((scratch / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"])
        # what is the same for all models with this tokenizer
        config = {
            "model_type": "xlm-roberta", "vocab_size": vocabulary_size, "max_position_embeddings": spec["positions"],
            "type_vocab_size": 1, "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2,
        }  # fmt: skip
        (scratch / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
