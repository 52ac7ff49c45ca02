"""Make a tokenizer from prepared text, for a model that is pretrained here."""

import argparse
import json

from xstilts.commands import add_node_arguments, results_of
from xstilts.data.prepared_rows import read_prepared
from xstilts.model_config import MADE_HERE
from xstilts.store import node
from xstilts.store.specs.base import PREPARED
from xstilts.tokenization import train_tokenizer

add_arguments = add_node_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec = arguments.spec
    rows = results_of(arguments.output) / spec.parents[PREPARED] / "train.parquet"
    with node.making(arguments.output, spec) as made:
        texts = read_prepared(rows, ["text"])["text"].to_pylist()
        train_tokenizer.make(texts, spec.vocabulary_size, made.scratch)
        vocabulary_size = len(
            json.loads((made.scratch / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
        )
        # what is the same for all models with this tokenizer
        config = {
            "model_type": MADE_HERE,
            "vocab_size": vocabulary_size,
            "max_position_embeddings": spec.positions,
            "type_vocab_size": 1,
            "bos_token_id": 0,
            "pad_token_id": 1,
            "eos_token_id": 2,
        }
        (made.scratch / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
