"""What a node will cost: memory, disk, operations and time, from configurations alone; no torch, no weights.

Formulas of sizes are those of ``shapes.py``. What is assumed: texts as long as in the tokens that exist, else as the
recipe allows; as many rows as are published; a training that is not ended early; 40 % of a gpu_type's rate. Evaluations on
dev rows during training are left out, and so is what the files of predictions take.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xstilts import forms
from xstilts.data.sources.made_up import MADE_UP
from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.planning import model_size
from xstilts.planning.model_size import CAUSAL, Shape
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.registry import Registry
from xstilts.store import manifest
from xstilts.store.lineage import MODEL
from xstilts.store.manifest import manifest_path
from xstilts.store.sampling import Sampling, TaskShare, probabilities, total_steps

# part of a gpu_type's rate that a well-kept loop reaches
UTILISATION = 0.4
TRAINING = ("pretrained", "learning_rates", "intermediate", "targets")
# positions of a batch in prediction on a GPU (``prediction.py``)
_PREDICTED = 16384
# bytes for each score of a language-model head: the score, its float32 copy, and the gradient
_SCORE = 12
# rows of a data set, and of a language of an evaluation set, whose number nobody states
_UNKNOWN_ROWS, _UNKNOWN_TEST_ROWS = 50_000, 1000
# what a process needs beside the model, in bytes
_PROCESS, _WITH_CUDA = 1.5e9, 6e9


@dataclass(frozen=True)
class GpuType:
    """A GPU: memory in GB; dense rate of products of matrices in 10^12 operations a second, by their type."""

    memory: int
    bfloat16: float
    float32: float

    def throughput(self, precision: str) -> float:
        """Return the rate at which products of a type are computed, in operations a second."""
        return 1e12 * UTILISATION * (self.bfloat16 if precision == "bfloat16" else self.float32)


# NVIDIA's data sheets of the A100, H100 SXM, H200 SXM and L40S, without sparsity; float32 is TF32 on none of them, as
# products of float32 are not reduced here
GPU_TYPES = {
    "a100-40": GpuType(40, 312, 19.5),
    "a100-80": GpuType(80, 312, 19.5),
    "h100": GpuType(80, 989, 67),
    "h200": GpuType(141, 989, 67),
    "l40s": GpuType(48, 362, 91.6),
}


@dataclass(frozen=True)
class Estimate:
    """What a node costs.

    Attributes:
        parameters: of the model and the heads of the node's tasks.
        trained: those that are trained.
        weights: bytes of weights on the device, with their copies in the type of products.
        gradients: bytes.
        optimiser: bytes of Adam's moments.
        activations: bytes that are kept for the backward pass, or of one layer in prediction.
        disk: bytes that stay.
        tokens: positions computed in all, padding aside.
        operations: floating-point operations.
        known: how well rows and lengths are known: ``measured`` in tokens that exist, ``bounded`` by published rows
            and the longest text, or ``assumed`` where no rows are published.
    """

    parameters: int
    trained: int
    weights: float
    gradients: float
    optimiser: float
    activations: float
    disk: float
    tokens: float
    operations: float
    known: str

    @property
    def memory(self) -> float:
        """Bytes on the device, or on all devices together."""
        return self.weights + self.gradients + self.optimiser + self.activations

    def hours(self, gpu_type: GpuType, precision: str) -> float:
        """Return hours of a gpu_type."""
        return self.operations / gpu_type.throughput(precision) / 3600

    def gpus(self, gpu_type: GpuType) -> int:
        """Return on how many cards it fits, a tenth of each left free: they divide weights and batches."""
        return max(1, math.ceil(self.memory / (0.9e9 * gpu_type.memory)))

    def host_megabytes(self, gpu_type: GpuType | None) -> int:
        """Return what a job needs of the host's memory: all of it, or with GPUs what is read and written.

        A process for each GPU reads all weights before it keeps its shard of them; one writes what is trained.
        """
        if gpu_type is None:
            return round((self.memory + _PROCESS) / 1e6)
        states = self.gpus(gpu_type) * (self.weights + _WITH_CUDA) + self.gradients + self.optimiser
        return round(states / 1e6)


@dataclass(frozen=True)
class Hardware:
    """Settings of config.yaml that change what is needed; see ``training.Hardware``."""

    max_tokens_per_device: int | None = None
    gradient_checkpointing: bool = False


@dataclass(frozen=True)
class _Data:
    """Rows of a data set in a node's tokens.

    Attributes:
        rows: their number.
        tokens: the mean number of a row's tokens, those of all its inputs together.
        inputs: inputs of the model that a row becomes at most.
        longest: tokens of the longest of them.
        known: as in ``Estimate``.
        mask_rate: the part of the tokens that a language model has to tell; 0 where the form is another.
    """

    rows: int
    tokens: float
    inputs: int
    longest: int
    known: str
    mask_rate: float


def config_of(node: Node, plan: Plan, known: Registry, results: Path) -> Mapping[str, Any]:
    """Return what config.json says of the model that a node reads, or will say once it is here.

    Raises:
        UserError: if neither a configuration nor the registry states it.
    """
    base = base_of(node, plan)
    path = results / base.id / "config.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    entry = known.models[base.name]
    if entry["pretrained"] is not None:
        own = entry["pretrained"]["shape"]
        return {
            "model_type": "xlm-roberta", "num_hidden_layers": own["layers"], "type_vocab_size": 1,
            "hidden_size": own["hidden_size"], "intermediate_size": own["intermediate_size"],
            "num_attention_heads": own["heads"], "vocab_size": entry["pretrained"]["tokenizer"]["vocabulary_size"],
            "max_position_embeddings": entry["pretrained"]["tokenizer"]["positions"],
        }  # fmt: skip
    if entry["shape"] is None:
        raise UserError(f"model {base.name}: its size is not known yet; fetch it, or give the registry its `shape`")
    return entry["shape"]


def base_of(node: Node, plan: Plan) -> Node:
    """Return the node of the whole pretrained model below a node."""
    while node.stage not in ("models", "pretrained"):
        node = plan.nodes[node.spec["parents"][MODEL]]
    return node


def of_node(node: Node, plan: Plan, known: Registry, results: Path, hardware: Hardware) -> Estimate:
    """Return what a node that computes with a model costs.

    Raises:
        UserError: as ``config_of`` and ``model_size.read``.
    """
    shape = model_size.read(config_of(node, plan, known, results), node.spec.get("submodel"))
    if node.stage not in TRAINING:
        return _prediction(node, shape, plan, results)
    tokens = [plan.nodes[node.spec["parents"][f"tokens.{entry['task']}"]] for entry in node.spec["tasks"]]
    data = [_training_data(one, plan, known, results) for one in tokens]
    return _training(node.spec, shape, data, hardware)


def _training(spec: Mapping[str, Any], shape: Shape, data: Sequence[_Data], hardware: Hardware) -> Estimate:
    tasks, full = spec["tasks"], spec["method"]["name"] == "full"
    adapter = 0 if full else _adapter(spec["method"], shape)
    heads = [head_size(entry["form"], entry["labels"], shape) for entry in tasks]
    # a pretrained head stays as it is beside an adapter
    fresh = sum(own for entry, own in zip(tasks, heads, strict=True) if full or _fresh(entry["form"]))
    trained = fresh + (shape.parameters - shape.embeddings * spec["frozen_embeddings"] if full else adapter)
    beside = adapter + sum(heads)
    tokens, operations = _work(spec, shape, data, int(hardware.gradient_checkpointing))
    grid = len(spec.get("learning_rates", [0]))
    saved = 0.0 if "learning_rates" in spec else 4.0 * (shape.parameters + beside if full else trained)
    return Estimate(
        shape.parameters + beside, trained, _weights_bytes(shape, spec) + 4.0 * beside, 4.0 * trained, 8.0 * trained,
        _kept(spec, shape, data, hardware), saved, grid * tokens, grid * operations,
        _least([own.known for own in data]),
    )  # fmt: skip


def _kept(spec: Mapping[str, Any], shape: Shape, data: Sequence[_Data], hardware: Hardware) -> float:
    """Return the bytes that the largest batch keeps for the backward pass, its texts as long as they may be."""
    size, kept_bytes = (2 if spec[key] == "bfloat16" else 4 for key in ("precision", "dtype"))
    found = []
    for entry, own in zip(spec["tasks"], data, strict=True):
        length = own.longest + spec["method"].get("prompt_length", 0)
        instance = own.inputs * length
        positions = entry["batch_size"] * instance
        if hardware.max_tokens_per_device is not None and FORMS[entry["form"]].separable:
            positions = min(positions, max(hardware.max_tokens_per_device, instance))
        scores = positions * _labelled_share(own, shape) * shape.vocabulary * _SCORE
        again = kept_bytes if hardware.gradient_checkpointing else None
        found.append(shape.activations(positions, length, size, again) + scores)
    return max(found)


def _work(spec: Mapping[str, Any], shape: Shape, data: Sequence[_Data], again: int) -> tuple[float, float]:
    """Return the positions that a training computes, and its operations.

    A forward pass has 2 for each number of a matrix. Backward it is as many for what the matrix reads and, where it is
    trained, for itself (Kaplan et al. 2020, section 2.1); attention has no weights, so that both its sides count.
    ``again`` is 1 where the forward pass is computed twice.
    """
    none, sampling = np.zeros(0, dtype=np.int64), Sampling(**spec["sampling"])
    shares = [
        TaskShare(entry["task"], none, none, own.rows, entry["weight"], entry["epochs"], entry["batch_size"])
        for entry, own in zip(spec["tasks"], data, strict=True)
    ]
    passes = (3 if spec["method"]["name"] == "full" else 2) + again
    virtual, steps = spec["method"].get("prompt_length", 0), total_steps(shares, sampling)
    tokens = operations = 0.0
    for entry, own, probability in zip(spec["tasks"], data, probabilities(shares, sampling), strict=True):
        positions = float(steps * probability * entry["batch_size"] * (own.tokens + virtual * own.inputs))
        products = 2 * (shape.matrices + _labelled_share(own, shape) * shape.embeddings)
        attention = shape.attention(own.tokens / own.inputs + virtual)
        tokens += positions
        operations += positions * (products * passes + attention * (3 + again))
    return tokens, operations


def _prediction(node: Node, shape: Shape, plan: Plan, results: Path) -> Estimate:
    spec, tokens = node.spec, plan.nodes[node.spec["parents"]["tokens"]]
    own = _evaluation_data(tokens, plan, results)
    has_head = node.stage == "predictions" or "head" in spec["pooling"]
    heads = head_size(spec["form"], spec.get("labels"), shape) if has_head else 0
    layers, mask_rate = sum(stack.layers for stack in shape.stacks), _labelled_share(own, shape)
    # a model as it is gives all its hidden states; of these one or all are kept
    states = 0 if has_head else layers + 1
    vectors = (states if spec.get("pooling", {}).get("sweep") else 0) + (node.stage == "embeddings")
    at_once = shape.activations(_PREDICTED, own.longest, 2 if spec["precision"] == "bfloat16" else 4, None) / layers
    at_once += _PREDICTED * (4 * states * shape.width + mask_rate * shape.vocabulary * _SCORE)
    products = 2 * (shape.matrices + mask_rate * shape.embeddings)
    positions = own.rows * own.tokens
    return Estimate(
        shape.parameters + heads, 0, _weights_bytes(shape, spec) + 4.0 * heads, 0.0, 0.0, at_once,
        4.0 * vectors * own.rows * own.inputs * shape.width, positions,
        positions * (products + shape.attention(own.tokens / own.inputs)), own.known,
    )  # fmt: skip


def head_size(form: str, labels: Sequence[str] | None, shape: Shape) -> int:
    """Return the parameters of a form's head on a model; labels that data bring are not known."""
    return shape.language_head if not _fresh(form) else forms.get(form).head_size(shape.width, labels)


def _adapter(method: Mapping[str, Any], shape: Shape) -> int:
    """Return the parameters of an adapter."""
    if method["name"] == "lora":
        return shape.lora(method["rank"], method["modules"])
    return shape.virtual(method["name"], method["prompt_length"])


def _weights_bytes(shape: Shape, spec: Mapping[str, Any]) -> float:
    """Return the bytes of weights as they are kept_bytes, with their copies in the type of products where that is another."""
    copies = 2 * shape.matrices if spec["precision"] == "bfloat16" and spec["dtype"] == "float32" else 0
    return (2 if spec["dtype"] == "bfloat16" else 4) * shape.parameters + copies


def _fresh(form: str) -> bool:
    """Tell whether a form's head is a fresh one."""
    return not FORMS[form].pretrained_head


def _labelled_share(data: _Data, shape: Shape) -> float:
    """Return the part of positions that a language-model head computes scores for: a decoder tells all tokens."""
    return 1.0 if data.mask_rate and shape.predicts == CAUSAL else data.mask_rate


def _training_data(tokens: Node, plan: Plan, known: Registry, results: Path) -> _Data:
    """Return a task's training rows."""
    prepared = plan.nodes[tokens.spec["parents"]["prepared"]]
    inputs = _inputs(tokens.spec["form"], prepared.spec["labels"], trained=True)
    longest, mask_rate, path = *_limits(tokens), manifest_path(results, tokens.id)
    if path.exists():
        entry = manifest.read(path)["splits"]["train"]
        rows = manifest.read(manifest_path(results, prepared.id))["splits"]["train"]["rows"]
        return _Data(rows, entry["tokens"] / entry["instances"], inputs, longest, "measured", mask_rate)
    rows, stated = _rows(prepared, plan, known)
    row_tokens = _row_tokens(tokens, inputs)
    return _Data(rows, row_tokens, inputs, longest, "bounded" if stated else "assumed", mask_rate)


def _evaluation_data(tokens: Node, plan: Plan, results: Path) -> _Data:
    """Return the rows of evaluation data, of all languages."""
    spec = plan.nodes[tokens.spec["parents"]["prepared"]].spec
    inputs = _inputs(tokens.spec["form"], spec["labels"], trained=False)
    longest, mask_rate, path = *_limits(tokens), manifest_path(results, tokens.id)
    if path.exists():
        splits = manifest.read(path)["splits"].values()
        instances = sum(entry["instances"] for entry in splits)
        return _Data(
            instances, sum(entry["tokens"] for entry in splits) / instances, inputs, longest, "measured", mask_rate
        )
    made_up = _is_tiny(plan, spec)
    stated = [MADE_UP["tiny"].TEST_ROWS if made_up else language["rows"] or language["published"]
              for language in spec["languages"].values()]  # fmt: skip
    usual = max((rows for rows in stated if rows is not None), default=_UNKNOWN_TEST_ROWS)
    rows = sum(min(usual if own is None else own, spec["test_rows"] or math.inf) for own in stated)
    certain = "assumed" if None in stated else "bounded"
    return _Data(int(rows), _row_tokens(tokens, inputs), inputs, longest, certain, mask_rate)


def _limits(tokens: Node) -> tuple[int, float]:
    """Return the tokens of an input at most, and the part of them that a language model has to tell."""
    return tokens.spec["lengths"]["max_length"], tokens.spec["lengths"].get("mask_rate", 0.0)


def _inputs(form: str, labels: Sequence[str] | None, trained: bool) -> int:
    """Return how many inputs of the model a row becomes; what is searched in evaluation is one text or another."""
    facts = FORMS[form]
    return 1 if facts.searched and not trained else facts.inputs or len(labels or (0, 0))


def _row_tokens(tokens: Node, inputs: int) -> float:
    """Return the tokens that a row has at most; queries have a limit of their own."""
    lengths = tokens.spec["lengths"]
    query = lengths.get("max_query_length", lengths["max_length"]) if inputs == 2 else 0
    return query + (inputs - bool(query)) * lengths["max_length"]


def _rows(prepared: Node, plan: Plan, known: Registry) -> tuple[int, bool]:
    """Return the training rows of a prepared node before it is made, and whether anybody states them."""
    spec = prepared.spec
    limit = spec["train_rows"] or math.inf
    if spec["kind"] == "union":
        members = [name for role, name in spec["parents"].items() if role.startswith("member.")]
        found = [_rows(plan.nodes[name], plan, known) for name in members]
        return int(min(sum(rows for rows, _ in found), limit)), all(stated for _, stated in found)
    stated = [entry["rows"] for entry in spec["splits"]["train"]]
    total = None if None in stated else sum(stated)
    if total is None and _is_tiny(plan, spec):
        total = MADE_UP["tiny"].TRAIN_ROWS
    elif total is None:
        task = known.of(plan.study.source).tasks[spec["task"]]
        total = task.published("train", spec["language"])
    return int(min(_UNKNOWN_ROWS if total is None else total, limit)), total is not None


def _is_tiny(plan: Plan, prepared: Mapping[str, Any]) -> bool:
    """Tell whether rows are of made-up text."""
    return plan.nodes[prepared["parents"]["data"]].spec["source"]["kind"] == "tiny"


def _least(known: Sequence[str]) -> str:
    """Return the least certain of several."""
    return max(known, key=("measured", "bounded", "assumed").index)
