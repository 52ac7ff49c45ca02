"""Pickled weights become safetensors with the same outputs, and a file that holds more than tensors is refused."""

import argparse
import pathlib

import pytest
import torch
import transformers
from safetensors import safe_open
from xstilts.commands import convert_model
from xstilts.errors import UserError
from xstilts.models.backbone import load_backbone
from xstilts.planning import index

from tests.builders.families import write

CLASSES = {"xlm-r": transformers.AutoModelForMaskedLM, "mt5": transformers.AutoModelForSeq2SeqLM}


class Malice:
    """What calls a function when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


def pickled(family, folder, shards=2):
    """Write a tiny model as older releases were published: pickles in shards; return it."""
    folder.mkdir()
    write(family, folder)
    model = CLASSES[family].from_pretrained(folder).eval()
    weights = model.state_dict()
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    for number in range(shards):
        shard = {name: weights[name] for name in names[number::shards]}
        torch.save(shard, folder / f"pytorch_model-{number + 1:05}-of-{shards:05}.bin")
    return model


def convert(source, folder):
    convert_model.run(argparse.Namespace(source=source, folder=folder))


def outputs(model):
    ids = torch.arange(10, 30)[None]
    more = {"decoder_input_ids": ids[:, :5]} if model.config.is_encoder_decoder else {}
    with torch.inference_mode():
        return model(input_ids=ids, **more).logits


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("family", CLASSES)
def test_a_converted_model_is_the_same(tmp_path, family, shards):
    before = pickled(family, tmp_path / "old", shards)
    convert(tmp_path / "old", tmp_path / "new")
    after = CLASSES[family].from_pretrained(tmp_path / "new", use_safetensors=True).eval()
    assert torch.equal(outputs(before), outputs(after))
    # the backbone alone, and its encoder, find their embeddings too
    for submodel in (None, "encoder") if family == "mt5" else (None,):
        transformer = load_backbone(tmp_path / "new", submodel).transformer
        assert torch.equal(transformer.get_input_embeddings().weight, before.get_input_embeddings().weight)
    found = {path.name for path in tmp_path.joinpath("new").iterdir()}
    assert not any(name.endswith(".bin") for name in found)
    assert {"config.json", "tokenizer.json"} < found
    assert index.index_model(tmp_path / "new")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_tied_embeddings_are_written_once(tmp_path):
    pickled("xlm-r", tmp_path / "old", shards=1)
    convert(tmp_path / "old", tmp_path / "new")
    with safe_open(tmp_path / "new" / "model.safetensors", framework="pt") as file:
        shapes = [tuple(file.get_slice(name).get_shape()) for name in file.keys()]  # noqa: SIM118 (no mapping)
    size = transformers.AutoConfig.from_pretrained(tmp_path / "old").vocab_size
    assert [shape for shape in shapes if shape[0] == size and len(shape) == 2] == [(size, 16)]


def test_code_in_a_pickle_is_refused_and_not_run(tmp_path):
    pickled("xlm-r", tmp_path / "old")
    torch.save({"weight": Malice(tmp_path / "ran")}, tmp_path / "old" / "pytorch_model-00001-of-00002.bin")
    with pytest.raises(UserError, match="pytorch_model-00001-of-00002.bin: not a file of tensors alone"):
        convert(tmp_path / "old", tmp_path / "new")
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "new").exists()


def test_what_cannot_be_converted_is_said(tmp_path):
    pickled("xlm-r", tmp_path / "old")
    (tmp_path / "there").mkdir()
    with pytest.raises(UserError, match="there: it exists; name a new folder"):
        convert(tmp_path / "old", tmp_path / "there")
    with pytest.raises(UserError, match=r"there: no pytorch_model\*.bin in it"):
        convert(tmp_path / "there", tmp_path / "new")
    for content in (b"cut off", b"hello", b"<html>", b""):
        (tmp_path / "old" / "pytorch_model-00002-of-00002.bin").write_bytes(content)
        with pytest.raises(UserError, match="pytorch_model-00002-of-00002.bin: not a file of tensors"):
            convert(tmp_path / "old", tmp_path / "new")


def test_files_of_old_releases(tmp_path):
    before = pickled("xlm-r", tmp_path / "old", shards=1)
    path = tmp_path / "old" / "pytorch_model-00001-of-00001.bin"
    torch.save(torch.load(path, weights_only=True), path, _use_new_zipfile_serialization=False)
    convert(tmp_path / "old", tmp_path / "new")
    after = CLASSES["xlm-r"].from_pretrained(tmp_path / "new", use_safetensors=True).eval()
    assert torch.equal(outputs(before), outputs(after))
