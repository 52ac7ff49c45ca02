"""Models of every family with heads, a training step of them, and the tokens of rows of every form."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import torch
from xstilts import forms
from xstilts.data.dataset import Split
from xstilts.data.sources import tiny
from xstilts.models import adapters
from xstilts.models.distributed import Group
from xstilts.models.model import Model, make_head, tensors
from xstilts.phase import Optimisation
from xstilts.store.specs.models import Method, Numerics, TaskSpec
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.tokenization.tokens import Tokens
from xstilts.training.step import Batch, MicroBatch, make_optimiser, take_step

from tests.builders.families import FAMILIES

CPU = torch.device("cpu")
LABELS = ["yes", "no", "maybe"]


def optimisation(**differences: float | bool) -> Optimisation:
    """Return the settings of an optimiser: the usual ones, but for some."""
    usual = {"warmup": 0.1, "weight_decay": 0.0, "adam_beta2": 0.999, "adam_epsilon": 1e-8, "gradient_norm": 1.0}
    return Optimisation(**{**usual, "frozen_embeddings": False, "compile": False, **differences})


OPTIMISATION = optimisation(weight_decay=0.01)
METHODS = {
    "full": Method(name="full"),
    "lora": Method(name="lora", rank=2, alpha=4, dropout=0.0, modules="all-linear"),
    "prompt": Method(name="prompt", prompt_length=3),
    "prefix": Method(name="prefix", prompt_length=3),
}
# the whole models, and the encoder of an encoder-decoder model
MODELS = [*FAMILIES, "mt5-encoder"]
# what has no keys and values that could come from outside, and what has no language-model head
NO_PREFIX, NO_HEAD = {"modernbert", "mt5-encoder"}, {"mt5-encoder"}
# trained forms, of which rows_of has rows
TRAINED = ["classification", "multiple_choice", "span", "tagging", "mlm", "retrieval"]
LENGTHS = {"max_length": 32, "stride": 4, "max_question_length": 8, "max_query_length": 16, "mask_rate": 0.15}


def submodel_of(name: str) -> str | None:
    """Return the part of a family's model that a name of ``MODELS`` stands for; None for all of it."""
    return "encoder" if name.endswith("-encoder") else None


def numerics(name: str = "", dtype: str = "float32", precision: str = "float32", **more: Any) -> Numerics:
    """Return what a spec says of how a model is kept and computed."""
    return Numerics(submodel=submodel_of(name), dtype=dtype, precision=precision, **more)


def rows_of(form: str) -> list[dict[str, Any]]:
    """Return six rows of a form, more than one length among them."""
    rng = np.random.default_rng(1)

    def text(words: int) -> str:
        return " ".join(rng.choice(tiny.LEXICON[:-2], words))

    def fields(number: int) -> dict[str, Any]:
        words = tiny.LEXICON[number : number + 4 + number]
        context = " ".join(words)
        return {
            "classification": {"text_a": text(4 + number), "text_b": text(3) if number % 2 else None,
                               "label": number % 3},
            "tagging": {"words": words, "tags": [index % 3 for index in range(len(words))]},
            "multiple_choice": {"context": text(4), "question": text(3), "choices": [text(2), text(3), text(1)],
                                "label": number % 3},
            "span": {"context": context, "question": text(3),
                     "answers": [{"text": words[1], "start": context.index(words[1])}] if number else []},
            "mlm": {"text": text(6 + number)},
            "retrieval": {"query": text(3), "text": text(4), "context": text(3) if number % 2 else None,
                          "keys": [str(number)]},
        }[form]  # fmt: skip

    return [{**fields(number), "language": "en", "example_id": str(number)} for number in range(6)]


def encode(form: str, rows: Sequence[Mapping[str, Any]], tokenizer: ModelTokenizer, **lengths: object) -> Tokens:
    """Return the tokens of a form's rows."""
    arrays = forms.get(form).encode(rows, tokenizer, {"mask_rate": 0.15, **lengths})
    return Tokens(arrays, tokenizer.pad, getattr(tokenizer, "segment_end", None))


def split_of(
    form: str, rows: Sequence[Mapping[str, Any]], tokenizer: ModelTokenizer, path: Path, **lengths: object
) -> Split:
    """Return rows and their tokens as training and prediction read them; the rows are written to a path."""
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    return Split(encode(form, rows, tokenizer, **lengths), path, "")


def task_of(form: str, task: str = "task", labels: Sequence[str] | None = tuple(LABELS)) -> TaskSpec:
    """Return a task of a form, as specs have it."""
    decoding = {"n_best": 5, "max_answer_length": 5} if form == "span" else {}
    return TaskSpec(
        task=task, form=form, labels=labels, decoding=decoding, scoring="squad", metric="accuracy", epochs=1,
        batch_size=4, weight=1.0,
    )  # fmt: skip


def fresh(folders: Mapping[str, Path], name: str, form: str, method: str, precision: str = "float32") -> Model:
    """Return a model before its first step."""
    dtype = "bfloat16" if precision == "bfloat16" and method != "full" else "float32"
    return with_adapter([folders[name]], folders[name], name, form, method, 1, precision, dtype)


def with_adapter(
    chain: Sequence[Path], base: Path, name: str, form: str, method: str, seed: int, precision: str = "float32",
    dtype: str = "float32",
) -> Model:  # fmt: skip
    """Return the model of a chain of folders, with the adapter of a method and a fresh head."""
    backbone = adapters.load(chain, numerics(name, dtype, precision))
    adapters.inject(backbone, METHODS[method], seed)
    model = Model(backbone, {"task": make_head(task_of(form), backbone, seed, base)}, precision)
    adapters.freeze(model.backbone, model.heads, False)
    return model


def step(model: Model, form: str, split: Split, number: int = 0, learning_rate: float = 1e-2) -> float:
    """Take one training step with all instances, and return its loss."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimiser = make_optimiser(model, OPTIMISATION)
    assert sum(len(group["params"]) for group in optimiser.param_groups) == len(trained)
    instances = np.arange(len(split.tokens))
    module = forms.get(form)
    inputs, targets = module.batch(split.tokens, instances, number)
    terms = module.terms(targets, len(instances))
    batch = Batch(0, [MicroBatch(inputs, targets, len(instances), terms)], terms, number)
    tasks = [task_of(form)]
    taken = take_step(model.train(), optimiser, tasks, [batch], learning_rate, OPTIMISATION, Group(), CPU)
    return taken.losses[0]


def outputs(model: Model, form: str, split: Split) -> torch.Tensor:
    """Return the outputs of a model for all instances."""
    instances = np.arange(len(split.tokens))
    inputs = tensors(forms.get(form).batch(split.tokens, instances, 0)[0], CPU)
    with torch.inference_mode():
        return model.eval()("task", inputs, len(instances))
