"""Merged models: each method by numbers written out, and models of several families by the same formulas."""

import contextlib
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as draw
from safetensors.torch import load_file, save_file
from xstilts.errors import UserError
from xstilts.models import adapters, merging
from xstilts.models.distributed import Group
from xstilts.models.merging import kth_magnitude, merged_weights
from xstilts.models.model import save_model
from xstilts.store.specs.models import MergedSpec, Merging

from tests.builders.models import numerics, step, with_adapter

BASE = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
# what two models add to it
FIRST, SECOND = torch.tensor([[0.5, -1.0], [2.0, 0.0]]), torch.tensor([[-0.25, -3.0], [1.0, 0.125]])


def merged(method, factors=(1.0, 1.0), smallest=(0.0, 0.0), **settings):
    how = Merging(method=method, factors=factors, **settings)
    return merged_weights(how, BASE, [BASE + FIRST, BASE + SECOND], smallest)


def exactly(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_linear():
    assert torch.equal(merged("linear"), exactly([1.125, 0.0], [4.5, 4.0625]))
    # 3 of the first for 1 of the second
    assert torch.equal(merged("linear", (3.0, 1.0)), exactly([1.3125, 0.5], [4.75, 4.03125]))


def test_task_arithmetic():
    assert torch.equal(merged("task_arithmetic"), exactly([1.25, -2.0], [6.0, 4.125]))
    assert torch.equal(merged("task_arithmetic", (2.0, 1.0), scale=0.5), exactly([1.375, -0.5], [5.5, 4.0625]))


def test_ties():
    """Of the first number 0.5 wins over -0.25; of the last one model has no sign, so the other's counts alone."""
    assert torch.equal(merged("ties"), exactly([1.5, 0.0], [4.5, 4.125]))
    # trimmed: the first keeps -1 and 2, the second -3 and 1
    assert torch.equal(merged("ties", smallest=(1.0, 1.0), density=0.5), exactly([1.0, 0.0], [4.5, 4.0]))
    # 1 * 0.5 against 4 * -0.25: the second has the sign; (1 * -1 + 4 * -3) / 5 = -2.6, (1 * 2 + 4 * 1) / 5 = 1.2
    found = merged("ties", (1.0, 4.0), scale=2.0)
    torch.testing.assert_close(found, exactly([0.5, 2 - 5.2], [3 + 2.4, 4.25]))
    # 1 * 0.5 and 2 * -0.25 are in balance: no sign is elected, and the pretrained number stays
    found = merged("ties", (1.0, 2.0))
    torch.testing.assert_close(found, exactly([1.0, 2 - 7 / 3], [3 + 4 / 3, 4.125]))


check = settings(derandomize=True, deadline=None, max_examples=50)
finite = draw.floats(-100, 100, width=32)
arrays = draw.lists(finite, min_size=1, max_size=8)


@check
@given(arrays, draw.integers(1, 4), draw.lists(draw.floats(0.5, 2), min_size=4, max_size=4))
def test_a_model_merged_with_itself_is_itself(values, number, factors):
    weights = torch.tensor(values)
    how = Merging(method="linear", factors=factors[:number])
    found = merged_weights(how, torch.zeros_like(weights), [weights] * number, [0.0] * number)
    torch.testing.assert_close(found.float(), weights)


@check
@given(draw.lists(draw.tuples(finite, finite), min_size=1, max_size=8))
def test_ties_of_all_of_one_model_is_the_model(pairs):
    base, member = torch.tensor(pairs).T
    found = merged_weights(Merging(method="ties", factors=[1.0]), base, [member], [0.0])
    torch.testing.assert_close(found.float(), member, atol=1e-4, rtol=1e-5)


@check
@given(draw.lists(arrays, min_size=1, max_size=3), draw.floats(0.01, 1))
def test_the_smallest_magnitude_that_is_kept(parts, share):
    """It is that of the number at its place among all, however they are divided."""
    tensors = [torch.tensor(part) for part in parts]
    ranked = torch.cat(tensors).abs().sort(descending=True).values
    expected = ranked[max(1, round(share * len(ranked))) - 1]
    assert kth_magnitude(lambda: tensors, share) == expected


def trained(families, name, method, split, folder, number):
    """Write a model after two steps, whose batches are those of a number."""
    model = with_adapter([families[name]], families[name], name, "classification", method, 2)
    for each in (0, 1):
        step(model, "classification", split, 2 * number + each)
    folder.mkdir(parents=True)
    save_model(model, folder, Group())


def spec_of(how, held):
    parents = {"model": "models/base", "member.0": "intermediate/a", "member.1": "intermediate/b"}
    return MergedSpec(version=1, parents=parents, merging=how, numerics=held)


def weights_of(folders, held):
    """Return the weights of a model by name, with its adapter added to them, in float32."""
    backbone = adapters.load(folders, held)
    backbone.transformer.float()
    adapters.merge(backbone)
    return backbone.transformer.state_dict()


def test_a_tensor_without_rows_is_merged(tmp_path):
    for name in ("base", "member"):
        (tmp_path / name).mkdir()
        save_file({"empty": torch.zeros(0, 3), "one": torch.ones(())}, tmp_path / name / "model.safetensors")
    with contextlib.ExitStack() as files:
        weights = [merging._open(tmp_path / name, files) for name in ("base", "member")]
        how = Merging(method="linear", factors=(1.0,))
        found = {name: merging._tensor(how, weights, [0.0], name) for name in weights[0]}
    assert {name: tuple(value.shape) for name, value in found.items()} == {"empty": (0, 3), "one": ()}


@pytest.mark.parametrize(("name", "method", "dtype"), [("mt5", "full", "float32"), ("qwen", "lora", "bfloat16")])
def test_models_are_merged_by_the_formula(families, family_splits, tmp_path, monkeypatch, name, method, dtype):
    """A quarter of each model's differences, in files of their own and a few rows at a time; with an adapter, too."""
    monkeypatch.setattr(merging, "_AT_ONCE", 2000)
    monkeypatch.setattr(merging, "_FILE_SIZE", "20KB")
    held = numerics(name, dtype)
    shutil.copytree(families[name], tmp_path / "models/base")
    for number, member in enumerate("ab"):
        split = family_splits[name, "classification"]
        trained(families, name, method, split, tmp_path / f"intermediate/{member}", number)
    out = tmp_path / "out"
    out.mkdir()
    how = Merging(method="ties", factors=[1.0, 1.0], scale=0.5, density=0.25)
    merging.merge(spec_of(how, held), tmp_path, tmp_path / "work", out)

    pretrained = tmp_path / "models/base"
    below = [] if method == "full" else [pretrained]
    base = weights_of([pretrained], held)
    added = [
        {key: value - base[key] for key, value in weights_of([tmp_path / f"intermediate/{one}", *below], held).items()}
        for one in "ab"
    ]
    parameters = dict(adapters.load([pretrained], held).transformer.named_parameters())
    sizes = [torch.cat([of_model[key].abs().flatten() for key in parameters]).sort().values for of_model in added]
    least = [each[-round(0.25 * len(each))] for each in sizes]
    found = adapters.load([out], held).transformer.state_dict()
    assert found.keys() == base.keys() and len(list(out.glob("*.safetensors"))) > 1
    moved = 0
    for key, value in base.items():
        first, second = (
            torch.where(of_model[key].abs() >= smallest, of_model[key], 0)
            for of_model, smallest in zip(added, least, strict=True)
        )
        same = first.sign() * second.sign() > 0
        larger = torch.where(first.abs() > second.abs(), first, second)
        expected = value + 0.5 * torch.where(same, (first + second) / 2, torch.where(first == -second, 0, larger))
        torch.testing.assert_close(found[key].float(), expected.to(found[key].dtype).float())
        moved += int((found[key].float() != value).sum())
    assert moved


def test_models_of_other_sizes_are_refused(families, family_splits, tmp_path):
    shutil.copytree(families["xlm-r"], tmp_path / "models/base")
    for number, member in enumerate("ab"):
        split = family_splits["xlm-r", "classification"]
        trained(families, "xlm-r", "full", split, tmp_path / f"intermediate/{member}", number)
    path = tmp_path / "intermediate/b/config.json"
    path.write_text(path.read_text().replace('"num_hidden_layers": 2', '"num_hidden_layers": 1'))
    weights = load_file(tmp_path / "intermediate/b/model.safetensors")
    fewer = {key: value for key, value in weights.items() if ".layer.1." not in key}
    save_file(fewer, path.with_name("model.safetensors"))
    how = Merging(method="linear", factors=[1.0, 1.0])
    with pytest.raises(UserError, match=r"^intermediate/b: encoder\.layer\.1\..* is None, in the pretrained model \["):
        merging.merge(spec_of(how, numerics()), tmp_path, tmp_path / "work", tmp_path)
