"""Phase 0: a small masked language model of XLM-R's architecture, from random weights and a text.

The training is that of every other phase, with the form ``mlm``; what is special is where it starts and that its end
is a whole model with its language-model head, as one from the hub is.
"""

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from xstilts.hardware import Hardware
from xstilts.models import distributed
from xstilts.store.manifest import TrainingResults
from xstilts.store.model_folder import MODEL_FILES
from xstilts.store.specs.base import TOKENIZER
from xstilts.store.specs.models import PretrainedSpec, Shape
from xstilts.training import loop


def pretrain(
    spec: PretrainedSpec, results: Path, scratch: Path, workplace: Path, hardware: Hardware, group: distributed.Group
) -> TrainingResults:
    """Write a pretrained model into a scratch folder, and return what the manifest says of it.

    Without steps it is the model with its random weights: a control.

    Args:
        spec: the node's spec.
        results: the results folder, where tokenizer and tokens are.
        scratch: folder for the outputs.
        workplace: the work directory.
        hardware: what may be used.
        group: the processes that train together.
    """
    tokenizer = results / spec.parents[TOKENIZER]
    start = workplace / "start"
    if group.leads:
        shutil.rmtree(start, ignore_errors=True)
        start.mkdir()
        _copy_tokenizer(tokenizer, start)
        _random_model(spec.shape, tokenizer, spec.seed).save_pretrained(start)
    group.wait()
    stated = TrainingResults()
    if spec.sampling.steps:
        stated = loop.train(loop.prepare(spec, results, workplace, hardware, group, start), results, scratch).results
        if group.leads:
            _join(spec.tasks[0].task, start, scratch)
    elif group.leads:
        shutil.copyfile(start / "model.safetensors", scratch / "model.safetensors")
    if group.leads:
        shutil.copyfile(start / "config.json", scratch / "config.json")
        _copy_tokenizer(tokenizer, scratch)
    return stated


def _copy_tokenizer(folder: Path, target: Path) -> None:
    for name in MODEL_FILES:
        if name.startswith("tokenizer"):
            shutil.copyfile(folder / name, target / name)


def _random_model(shape: Shape, tokenizer: Path, seed: int) -> Any:
    """Return a masked language model of XLM-R's architecture with random weights, which depend on the seed alone."""
    import transformers

    config = transformers.XLMRobertaConfig.from_pretrained(tokenizer)
    config.update(
        {
            "num_hidden_layers": shape.layers,
            "hidden_size": shape.hidden_size,
            "num_attention_heads": shape.heads,
            "intermediate_size": shape.intermediate_size,
            "hidden_dropout_prob": shape.dropout,
            "attention_probs_dropout_prob": shape.dropout,
            "initializer_range": shape.initializer_range,
        }
    )
    torch.manual_seed(seed)
    return transformers.XLMRobertaForMaskedLM(config)


def _join(task: str, start: Path, folder: Path) -> None:
    """Put the trained backbone and head of a folder together as one model with its head, in place of the two."""
    import transformers

    model = transformers.AutoModelForMaskedLM.from_pretrained(start)
    getattr(model, model.base_model_prefix).load_state_dict(load_file(folder / "model.safetensors"))
    prefix = f"{task}.layers."
    heads = load_file(folder / "heads.safetensors")
    own = {name.removeprefix(prefix): value for name, value in heads.items()}
    # the matrix that the head shares with the embeddings is theirs
    model.lm_head.load_state_dict({**model.lm_head.state_dict(), **own})
    (folder / "heads.safetensors").unlink()
    model.save_pretrained(folder)
