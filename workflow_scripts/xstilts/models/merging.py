"""One model of several that were trained from the same one, by arithmetic on their weights.

With pretrained weights w, weights w_i of the models that are merged, differences d_i = w_i - w (task vectors), factors
f_i and scale s, the merged weights are

===================  =============================================================================================
``linear``           sum f_i w_i / sum f_i (Wortsman et al. 2022, Model Soups, section 2, the uniform soup)
``task_arithmetic``  w + s sum f_i d_i (Ilharco et al. 2023, Editing Models with Task Arithmetic, section 2)
``ties``             w + s sum f_i d_i / sum f_i over those i for which d_i, once it is trimmed, has the elected sign
                     (Yadav et al. 2023, TIES-Merging, algorithm 1). Trimmed: of the numbers of a model's d_i all but
                     the share ``density`` with the largest magnitudes are 0. Elected: the sign of sum f_i d_i
===================  =============================================================================================

Where no sign is elected, or nothing is left, TIES keeps the pretrained weight. Factors of TIES are as in mergekit.

Backbones are merged, no heads: every phase has fresh ones. A LoRA adapter counts as what it adds to the weights. Models
are laid down whole, one after the other; then all are read by rows of a tensor at a time.
"""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from xstilts.errors import UserError
from xstilts.models import adapters
from xstilts.store.specs.base import MODEL
from xstilts.store.specs.models import LINEAR, TASK_ARITHMETIC, TIES, MergedSpec, Merging, Numerics

# numbers of a model that are read at once, and bytes of a file of merged weights, unless one tensor has more
_AT_ONCE, _FILE_SIZE = 1 << 24, "2GB"
# the halves of float32's bits
_HALF = 16

# open files of a model by the names of their tensors
Weights = Mapping[str, Any]


def merge(spec: MergedSpec, results: Path, workplace: Path, scratch: Path) -> None:
    """Merge the models of a node, and write the one that they become.

    Args:
        spec: the node's spec.
        results: the results folder, where the models are.
        workplace: folder for whole models, which the caller deletes.
        scratch: folder for the output.

    Raises:
        UserError: if a model has other tensors than the pretrained one.
    """
    pretrained = results / spec.parents[MODEL]
    base = _lay_down([pretrained], spec.numerics, workplace / "base")
    members = [
        _lay_down([results / member, pretrained], spec.numerics, workplace / str(number))
        for number, member in enumerate(spec.members)
    ]
    with contextlib.ExitStack() as files:
        weights = [_open(folder, files) for folder in (base, *members)]
        for member, of_member in zip(spec.members, weights[1:], strict=True):
            _check_same(weights[0], of_member, member)
        smallest = [_smallest_kept(spec.merging, weights[0], of_member) for of_member in weights[1:]]
        for path in sorted(base.glob("*.safetensors")):
            with safe_open(path, framework="pt") as names:
                merged = {name: _tensor(spec.merging, weights, smallest, name) for name in names.keys()}  # noqa: SIM118
            save_file(merged, scratch / path.name, metadata={"format": "pt"})
    for path in base.glob("*.json"):
        (scratch / path.name).write_bytes(path.read_bytes())


def _lay_down(folders: Sequence[Path], numerics: Numerics, folder: Path) -> Path:
    """Write the backbone of a model whole, its adapter added to the weights in float32, as a training begins with it.

    Args:
        folders: of the model, and of the pretrained one below where it is an adapter.
        numerics: how it was computed.
        folder: where to.
    """
    used = folders if adapters.is_adapter(folders[0]) else folders[:1]
    backbone = adapters.load(used, numerics)
    if backbone.adapter is not None:
        backbone.transformer.float()
        adapters.merge(backbone)
    backbone.transformer.save_pretrained(folder, max_shard_size=_FILE_SIZE)
    return folder


def _open(folder: Path, files: contextlib.ExitStack) -> Weights:
    opened = [files.enter_context(safe_open(path, framework="pt")) for path in sorted(folder.glob("*.safetensors"))]
    return {name: file for file in opened for name in file.keys()}  # noqa: SIM118


def _check_same(base: Weights, member: Weights, name: str) -> None:
    for tensor in sorted(base.keys() | member.keys()):
        shapes = [weights[tensor].get_slice(tensor).get_shape() if tensor in weights else None
                  for weights in (base, member)]  # fmt: skip
        if shapes[0] != shapes[1]:
            raise UserError(f"{name}: {tensor} is {shapes[1]}, in the pretrained model {shapes[0]}; cannot be merged")


def _tensor(merging: Merging, weights: Sequence[Weights], smallest: Sequence[float], name: str) -> torch.Tensor:
    """Return a merged tensor, in the type that it has in the pretrained model."""
    merged = []
    for base, *members in _rows(weights, name):
        rows = merged_weights(merging, base, members, smallest) if base.is_floating_point() else base
        merged.append(rows.to(base.dtype))
    return torch.cat(merged) if len(merged) > 1 else merged[0]


def _rows(weights: Sequence[Weights], name: str) -> Iterator[list[torch.Tensor]]:
    """Yield a tensor by some rows at a time, as each model has it."""
    shape = weights[0][name].get_slice(name).get_shape()
    if not shape or not math.prod(shape):
        yield [each[name].get_tensor(name) for each in weights]
        return
    step = max(1, _AT_ONCE // math.prod(shape[1:]))
    for start in range(0, shape[0], step):
        yield [each[name].get_slice(name)[start : start + step] for each in weights]


def _smallest_kept(merging: Merging, base: Weights, member: Weights) -> float:
    """Return the smallest magnitude of a model's differences that is kept; 0 where all are."""
    if merging.density == 1:
        return 0.0

    def differences() -> Iterator[torch.Tensor]:
        for name in base:
            for pretrained, trained in _rows([base, member], name):
                if pretrained.is_floating_point():
                    yield _difference(pretrained, trained)

    return kth_magnitude(differences, merging.density)


def kth_magnitude(values: Callable[[], Iterable[torch.Tensor]], share: float) -> float:
    """Return the magnitude that a share of all numbers reach, rounded to a number of them, at least one.

    Magnitudes in float32 are in the order of their bits (IEEE 754), so two passes that count halves of these find it
    exactly, however many there are.

    Args:
        values: gives float32 tensors, the same each time.
        share: above 0, at most 1.
    """
    found, rest = 0, 0
    for shift in (_HALF, 0):
        counts = torch.zeros(1 << _HALF, dtype=torch.int64)
        for tensor in values():
            bits = tensor.abs().flatten().view(torch.int32)
            if shift == 0:
                bits = bits[bits >> _HALF == found]
            counts += torch.bincount(bits >> shift & (1 << _HALF) - 1, minlength=1 << _HALF)
        rest = rest or max(1, round(share * int(counts.sum())))
        # how many are at least as large
        reach = counts.flip(0).cumsum(0).flip(0)
        half = int((reach >= rest).nonzero()[-1])
        rest -= int(reach[half] - counts[half])
        found = found << _HALF | half
    return float(torch.tensor(found, dtype=torch.int32).view(torch.float32))


def merged_weights(
    merging: Merging, base: torch.Tensor, members: Sequence[torch.Tensor], smallest: Sequence[float]
) -> torch.Tensor:
    """Return merged weights, in float64.

    Args:
        merging: how; see above.
        base: pretrained weights.
        members: those of the models that are merged, each of the same shape.
        smallest: of each model the smallest magnitude of a difference that TIES keeps.
    """
    factors = merging.factors
    if merging.method == LINEAR:
        return _sum(factors, members) / math.fsum(factors)
    differences = [_difference(base, member) for member in members]
    if merging.method == TASK_ARITHMETIC:
        return base.double() + merging.scale * _sum(factors, differences)
    assert merging.method == TIES
    kept = [torch.where(each.abs() >= least, each, 0) for each, least in zip(differences, smallest, strict=True)]
    sign = _sum(factors, kept).sign()
    agree = [(each.sign() == sign) & (sign != 0) for each in kept]
    agreeing = _sum(factors, [torch.where(mask, each, 0) for mask, each in zip(agree, kept, strict=True)])
    mean = agreeing / _sum(factors, agree)
    return base.double() + merging.scale * torch.where(sign != 0, mean, 0)


def _difference(base: torch.Tensor, member: torch.Tensor) -> torch.Tensor:
    return member.float() - base.float()


def _sum(factors: Sequence[float], tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.stack([factor * tensor.double() for factor, tensor in zip(factors, tensors, strict=True)]).sum(0)
