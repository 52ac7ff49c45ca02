"""Turn prepared rows into token ids, a folder of arrays a split."""

import argparse
import json
from pathlib import Path

import pyarrow.parquet

from xstilts import forms
from xstilts.commands import add_node_arguments, results_of
from xstilts.errors import UserError
from xstilts.store import manifest
from xstilts.store.manifest import manifest_path
from xstilts.tokenization import tokens
from xstilts.tokenization.tokenizer import ModelTokenizer, positions

add_arguments = add_node_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec, results = arguments.spec, results_of(arguments.output)
    prepared, model = spec["parents"]["prepared"], spec["parents"]["model"]
    tokenizer = ModelTokenizer(results / model)
    vocabulary = manifest.file_sha256(results / model / "tokenizer.json")
    _check_length(results / model / "config.json", spec["lengths"]["max_length"])
    rows_of = manifest.read(manifest_path(results, prepared))["files"]
    with manifest.node(arguments.output, spec) as (scratch, facts):
        facts.update(pad=tokenizer.pad, segment_end=tokenizer.segment_end, splits={})
        for name in rows_of:
            split = name.removesuffix(".parquet")
            rows = pyarrow.parquet.read_table(results / prepared / name).to_pylist()
            try:
                arrays = forms.get(spec["form"]).encode(rows, tokenizer, spec["lengths"])
            except ValueError as error:
                raise UserError(f"{prepared}: {error}") from None
            (scratch / split).mkdir()
            tokens.save(arrays, scratch / split)
            # what the tokens of this split depend on, whatever other splits there are
            depends = [rows_of[name]["sha256"], vocabulary, spec["form"], spec["version"], spec["lengths"]]
            facts["splits"][split] = {
                "instances": len(arrays["examples"]), "tokens": len(arrays["ids"]), "digest": manifest.digest(depends)
            }  # fmt: skip


def _check_length(path: Path, max_length: int) -> None:
    """Refuse inputs that are longer than the model has positions for.

    Raises:
        UserError: naming the length and the model's.
    """
    limit = positions(json.loads(path.read_text(encoding="utf-8")))
    if limit is not None and max_length > limit:
        raise UserError(
            f"max_length {max_length} is more than the {limit} tokens that the model of {path.parent.name} reads;"
            " lower it in the recipe"
        )
