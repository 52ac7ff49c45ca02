"""Predictions of a pretrained language model that is asked, and not trained: answers to prompts.

Of several answers the one with the highest log-likelihood is chosen. Other answers are written token by token, always
the likeliest one, up to the first line break, the end of the text or a number of tokens.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from xstilts import forms
from xstilts.data.dataset import Split
from xstilts.evaluation import prediction
from xstilts.forms import prompting
from xstilts.forms.declaration import Answering
from xstilts.models import distributed
from xstilts.models.inference import for_inference
from xstilts.models.language_model import LanguageModel, load_language_model
from xstilts.models.model import tensors
from xstilts.store import lineage, manifest
from xstilts.store.specs.base import MODEL, TOKENS
from xstilts.store.specs.evaluation import PredictionsSpec
from xstilts.tokenization.tokenizer import ModelTokenizer


def answering(spec: PredictionsSpec, results: Path) -> Callable[[Split], list[str]]:
    """Return the function that predicts a split by the pretrained model of a node.

    Args:
        spec: the node's spec.
        results: the results folder.
    """
    device = distributed.device()
    (folder,) = lineage.folders(spec, results)
    model = for_inference(load_language_model(folder, spec.numerics), device)
    if forms.FORMS[spec.form].answering is Answering.CHOSEN:
        return partial(chosen, model, spec, device=device)
    tokenizer = ModelTokenizer(results / manifest.of_node(results / spec.parents[TOKENS]).parents[MODEL])
    return partial(written, model, spec, tokenizer, device=device)


def chosen(model: LanguageModel, spec: PredictionsSpec, split: Split, device: torch.device) -> list[str]:
    """Return for each row of a split the likeliest of its answers, as its form writes predictions.

    Args:
        model: in evaluation mode, on the device.
        spec: what is predicted, and how.
        split: prompts and rows.
        device: where the model is.
    """
    assert spec.prompting is not None
    likelihoods = prediction.outputs(model, f"prompts, {spec.form}", prompting, split.tokens, device)
    best = prompting.choose(split.tokens, likelihoods, spec.prompting.length_normalised)
    return forms.get(spec.form).predict(split.rows, split.tokens, best, spec.labels, spec.decoding)


def written(
    model: LanguageModel, spec: PredictionsSpec, tokenizer: ModelTokenizer, split: Split, device: torch.device
) -> list[str]:
    """Return for each row of a split the answer that the model writes, without white space at its ends.

    Args:
        model: in evaluation mode, on the device.
        spec: what is predicted, and how.
        tokenizer: that of the model.
        split: prompts and rows.
        device: where the model is.
    """
    assert spec.prompting is not None and spec.prompting.max_answer_tokens is not None
    most = spec.prompting.max_answer_tokens
    ends = [*([] if tokenizer.end is None else [tokenizer.end]), *tokenizer.line_ends()]

    def write(instances: np.ndarray) -> list[list[int]]:
        return model.write(tensors(split.tokens.inputs(instances), device), most, ends, split.tokens.pad)

    answers = [""] * len(split.rows)
    for instances, found in prediction.in_batches(write, split.tokens, f"prompts, {spec.form}"):
        for instance, ids in zip(instances, found, strict=True):
            text = tokenizer.text(ids).partition("\n")[0]
            answers[split.tokens.examples[instance]] = text.strip()
    return answers
