"""Turn prepared rows into token ids, a folder of arrays a split."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from xstilts import forms
from xstilts.commands import add_node_arguments, results_of
from xstilts.data.prepared_rows import read_prepared
from xstilts.errors import UserError, reading
from xstilts.forms import prompting
from xstilts.model_config import positions
from xstilts.store import manifest, node
from xstilts.store.files import digest, file_sha256, read_json
from xstilts.store.manifest import TokensResults, TokensSplit
from xstilts.store.specs.base import EXAMPLES, MODEL, PREPARED
from xstilts.tokenization import tokens
from xstilts.tokenization.tokenizer import ModelTokenizer

add_arguments = add_node_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    spec, results = arguments.spec, results_of(arguments.output)
    prepared, model = spec.parents[PREPARED], spec.parents[MODEL]
    training = spec.parents.get(EXAMPLES)
    tokenizer = ModelTokenizer(results / model)
    vocabulary = file_sha256(results / model / "tokenizer.json")
    _check_length(results / model / "config.json", spec.lengths["max_length"])
    files = manifest.of_node(results / prepared).files
    form = forms.get(spec.form)
    lengths = form.FORM.with_neutral(spec.lengths)
    encode = partial(form.encode, tokenizer=tokenizer, lengths=lengths)
    # what tokens depend on beside the rows
    beside = [vocabulary, spec.form, spec.version, spec.lengths]
    if spec.prompt is not None:
        rows = _rows(results, training, "train.parquet") if training else []
        with _refusing(training or prepared):
            examples = prompting.draw(rows, form, spec.prompt)
        encode = partial(
            prompting.encode, form=form, tokenizer=tokenizer, prompt=spec.prompt, lengths=lengths, examples=examples
        )
        beside += [asdict(spec.prompt), examples]
    with node.making(arguments.output, spec) as made:
        splits = {}
        for name, file in files.items():
            split = name.removesuffix(".parquet")
            with _refusing(prepared):
                arrays = encode(_rows(results, prepared, name))
            cut = arrays.pop(prompting.CUT, None)
            (made.scratch / split).mkdir()
            tokens.save(arrays, made.scratch / split)
            # what the tokens of this split depend on, whatever other splits there are
            splits[split] = TokensSplit(
                instances=len(arrays["examples"]),
                tokens=len(arrays["ids"]),
                digest=digest([file.sha256, *beside]),
                longest=max(np.diff(arrays["starts"]).tolist(), default=0),
                cut=None if cut is None else int(cut.sum()),
            )
        made.results = TokensResults(pad=tokenizer.pad, segment_end=tokenizer.segment_end, splits=splits)


def _rows(results: Path, prepared: str, file: str) -> list[dict[str, Any]]:
    return read_prepared(results / prepared / file).to_pylist()


@contextmanager
def _refusing(data: str) -> Iterator[None]:
    """Name the data in what is wrong with them.

    Raises:
        UserError: in place of a ``ValueError``.
    """
    try:
        yield
    except ValueError as error:
        raise UserError(f"{data}: {error}") from None


def _check_length(path: Path, max_length: float) -> None:
    """Refuse inputs that are longer than the model has positions for.

    Raises:
        UserError: naming the length and the model's.
    """
    with reading(path):
        limit = positions(read_json(path))
    if limit is not None and max_length > limit:
        raise UserError(
            f"max_length {max_length:g} is more than the {limit} tokens that the model of {path.parent.name} reads;"
            " lower it in the recipe"
        )
