"""Turn prepared rows into piece ids, a folder of arrays a part."""

import argparse

import pyarrow.parquet

from xstilts import forms, manifest, tokens
from xstilts.commands import add_node_arguments, results_of
from xstilts.errors import UserError
from xstilts.plan import manifest_path
from xstilts.tokenizer import PieceTokenizer

add_arguments = add_node_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec, results = arguments.spec, results_of(arguments.output)
    prepared, model = spec["parents"]["prepared"], spec["parents"]["model"]
    tokenizer = PieceTokenizer(results / model)
    vocabulary = manifest.file_sha256(results / model / "tokenizer.json")
    rows_of = manifest.read(manifest_path(results, prepared))["files"]
    with manifest.node(arguments.output, spec) as (scratch, facts):
        facts.update(pad=tokenizer.pad, parts={})
        for name in rows_of:
            part = name.removesuffix(".parquet")
            rows = pyarrow.parquet.read_table(results / prepared / name).to_pylist()
            try:
                arrays = forms.get(spec["form"]).encode(rows, tokenizer, spec["lengths"])
            except ValueError as error:
                raise UserError(f"{prepared}: {error}") from None
            (scratch / part).mkdir()
            tokens.save(arrays, scratch / part)
            # what the tokens of this part depend on, whatever other parts there are
            depends = [rows_of[name]["sha256"], vocabulary, spec["form"], spec["version"], spec["lengths"]]
            facts["parts"][part] = {
                "units": len(arrays["examples"]), "pieces": len(arrays["ids"]), "digest": manifest.digest(depends)
            }  # fmt: skip
