"""What a node will cost: memory, disk, operations and time, from configurations alone; no torch, no weights.

Formulas of sizes are those of ``model_size.py``; pinned models without one are as they were measured
(``measured_size.py``). What is assumed: texts as long as in the tokens that exist, else as the recipe allows; as many
rows as are published; a training that does not stop early; the throughput of ``gpu_types.py``. Evaluations on dev rows
during training are left out, and so is what the files of predictions take.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.hardware import Hardware
from xstilts.model_config import MADE_HERE, text_model
from xstilts.planning import measured_size, model_size
from xstilts.planning.data_size import CERTAINTY, DataSize, evaluation_size, training_size
from xstilts.planning.gpu_types import GpuType
from xstilts.planning.model_size import CAUSAL, Shape
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.registry import Registry
from xstilts.planning.study import with_pinned
from xstilts.store.files import read_json
from xstilts.store.sampling import TaskShare, probabilities, total_steps
from xstilts.store.specs.base import MODEL, TOKENIZER, TOKENS, Spec, role
from xstilts.store.specs.evaluation import EmbeddingsSpec, PredictionsSpec
from xstilts.store.specs.models import LearningRatesSpec, Method, Numerics, PretrainedSpec, TokenizerSpec, TrainingSpec

# positions of a batch in prediction on a GPU (``evaluation/prediction.py``)
_PREDICTED = 16384
# bytes for each score of a language-model head: the score, its float32 copy, and the gradient
_SCORE = 12
# what a process needs of the host's memory beside the model, in bytes: libraries, CUDA, and a batch
_PROCESS = 6e9


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
        certainty: how well rows and lengths are known; see ``data_size.py``.
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
    certainty: str

    @property
    def memory(self) -> float:
        """Bytes on the device, or on all devices together."""
        return self.weights + self.gradients + self.optimiser + self.activations

    def hours(self, gpu_type: GpuType, precision: str) -> float:
        """Return hours of a gpu_type."""
        return self.operations / gpu_type.throughput(precision) / 3600

    def gpus(self, gpu_type: GpuType) -> int:
        """Return on how many GPUs it fits, a tenth of the memory of each left free: they divide weights and batches."""
        return max(1, math.ceil(self.memory / (0.9e9 * gpu_type.memory)))

    def host_megabytes(self, gpu_type: GpuType | None) -> int:
        """Return what a job needs of the host's memory; all else is on the GPUs, of which it asks for one at least.

        Weights are mapped from their file, once for all processes, where it has them in the type that is loaded. A
        checkpoint gathers in the first process what is trained, as many bytes as its gradients, and the moments, and
        copies the moments once more to write them (``training/checkpoints.py``).
        """
        processes = 1 if gpu_type is None else self.gpus(gpu_type)
        return round((processes * _PROCESS + max(self.weights, self.gradients + 2 * self.optimiser)) / 1e6)


def config_of(node: Node, plan: Plan, registry: Registry, results: Path) -> Mapping[str, Any]:
    """Return what config.json says of the model that a node reads, or will say once it is here.

    Raises:
        UserError: if neither a configuration nor the registry states it.
    """
    base = base_of(node, plan)
    path, name = results / base.id / "config.json", plan.made.names[base.id][0]
    # a model that is made here is not registered under its name in a world
    entry = with_pinned(registry, plan.study.pinned).models.get(name, {"shape": None})
    stated: Mapping[str, Any] | None = entry["shape"]
    if path.exists():
        content = text_model(read_json(path))
        # files leave out what is as usual for their model type
        usual = stated if stated is not None and stated["model_type"] == content["model_type"] else {}
        return {**usual, **content}
    if isinstance(base.spec, PretrainedSpec):
        shape, tokenizer = base.spec.shape, plan.nodes[base.spec.parents[TOKENIZER]].spec
        assert isinstance(tokenizer, TokenizerSpec)
        return {
            "model_type": MADE_HERE,
            "num_hidden_layers": shape.layers,
            "type_vocab_size": 1,
            "hidden_size": shape.hidden_size,
            "intermediate_size": shape.intermediate_size,
            "num_attention_heads": shape.heads,
            "vocab_size": tokenizer.vocabulary_size,
            "max_position_embeddings": tokenizer.positions,
        }
    if stated is None:
        raise UserError(f"model {name}: its size is not known yet; fetch it, or give the registry its `shape`")
    return stated


def base_of(node: Node, plan: Plan) -> Node:
    """Return the node of the whole pretrained model below a node."""
    while node.stage not in ("models", "pretrained"):
        node = plan.nodes[node.spec.parents[MODEL]]
    return node


def numerics_of(spec: Spec) -> Numerics:
    """Return how the model of a node is computed."""
    assert isinstance(spec, TrainingSpec | PredictionsSpec | EmbeddingsSpec)
    return spec.numerics


def of_node(node: Node, plan: Plan, registry: Registry, results: Path, hardware: Hardware) -> Estimate:
    """Return what a node that computes with a model costs.

    Raises:
        UserError: as ``config_of`` and ``model_size.read``.
    """
    spec = node.spec
    numerics = numerics_of(spec)
    shape = measured_size.of_node(base_of(node, plan), plan, numerics.attention)
    if shape is None:
        config = config_of(node, plan, registry, results)
        shape = model_size.read(config, numerics.submodel, numerics.attention)
    if isinstance(spec, TrainingSpec):
        tokens = [plan.nodes[spec.parents[role(TOKENS, task.task)]] for task in spec.tasks]
        return _training(spec, shape, [training_size(each, plan, registry, results) for each in tokens], hardware)
    assert isinstance(spec, PredictionsSpec | EmbeddingsSpec)
    return _prediction(spec, shape, evaluation_size(plan.nodes[spec.parents[TOKENS]], plan, results))


def hours_of_job(
    node: Node, plan: Plan, registry: Registry, results: Path, hardware: Hardware, gpu_type: GpuType
) -> float:
    """Return the hours of a node's job on a GPU: of a training with the predictions that are asked of its model.

    Raises:
        UserError: as ``of_node``.
    """
    hours = 0.0
    for each in plan.nodes.values():
        is_ahead = isinstance(each.spec, PredictionsSpec | EmbeddingsSpec) and each.spec.parents[MODEL] == node.id
        if each.id == node.id or is_ahead:
            cost = of_node(each, plan, registry, results, hardware)
            hours += cost.hours(gpu_type, numerics_of(each.spec).precision)
    return hours


def _training(spec: TrainingSpec, shape: Shape, sizes: Sequence[DataSize], hardware: Hardware) -> Estimate:
    full = not spec.method.is_adapter
    adapter = 0 if full else _adapter(spec.method, shape)
    heads = [head_size(task.form, task.labels, shape) for task in spec.tasks]
    # beside an adapter a pretrained head is frozen
    fresh = sum(head for task, head in zip(spec.tasks, heads, strict=True) if full or _fresh(task.form))
    frozen = shape.embeddings * spec.optimisation.frozen_embeddings
    trained = fresh + (shape.parameters - frozen if full else adapter)
    beside = adapter + sum(heads)
    tokens, operations = _work(spec, shape, sizes, int(hardware.recomputes(spec.method.name)))
    searches = isinstance(spec, LearningRatesSpec)
    trials = len(spec.learning_rates) if isinstance(spec, LearningRatesSpec) else 1
    return Estimate(
        parameters=shape.parameters + beside,
        trained=trained,
        weights=_weights_bytes(shape, spec.numerics) + 4.0 * beside,
        gradients=4.0 * trained,
        optimiser=8.0 * trained,
        activations=_activations(spec, shape, sizes, hardware),
        disk=0.0 if searches else 4.0 * (shape.parameters + beside if full else trained),
        tokens=trials * tokens,
        operations=trials * operations,
        certainty=max((size.certainty for size in sizes), key=CERTAINTY.index),
    )


def _activations(spec: TrainingSpec, shape: Shape, sizes: Sequence[DataSize], hardware: Hardware) -> float:
    """Return the bytes that the largest batch keeps for the backward pass, its texts as long as they may be."""
    product, weight = (2 if dtype == "bfloat16" else 4 for dtype in (spec.numerics.precision, spec.numerics.dtype))
    found = []
    for task, size in zip(spec.tasks, sizes, strict=True):
        length = size.longest + (spec.method.prompt_length or 0)
        instance = size.inputs * length
        positions = task.batch_size * instance
        if hardware.max_tokens_per_device is not None and FORMS[task.form].separable:
            positions = min(positions, max(hardware.max_tokens_per_device, instance))
        scores = positions * _predicted_share(size, shape) * shape.vocabulary * _SCORE
        again = weight if hardware.recomputes(spec.method.name) else None
        found.append(shape.activations(positions, length, product, again) + scores)
    return max(found)


def _work(spec: TrainingSpec, shape: Shape, sizes: Sequence[DataSize], again: int) -> tuple[float, float]:
    """Return the positions that a training computes, and its operations.

    A forward pass has 2 operations for each number of a matrix. A backward pass has as many for the gradient of the
    matrix's input and, where the matrix is trained, for its own gradient (Kaplan et al. 2020, section 2.1). Attention
    has no weights, so both of its inputs have gradients.

    Args:
        spec: the training.
        shape: the model.
        sizes: those of the tasks' data.
        again: 1 where the forward pass is computed twice, else 0.
    """
    none = np.zeros(0, dtype=np.int64)
    shares = [
        TaskShare(task.task, none, none, size.rows, task.weight, task.epochs, task.batch_size)
        for task, size in zip(spec.tasks, sizes, strict=True)
    ]
    passes = (2 if spec.method.is_adapter else 3) + again
    virtual, steps = spec.method.prompt_length or 0, total_steps(shares, spec.sampling)
    tokens = operations = 0.0
    for task, size, probability in zip(spec.tasks, sizes, probabilities(shares, spec.sampling), strict=True):
        positions = float(steps * probability * task.batch_size * (size.tokens + virtual * size.inputs))
        products = 2 * (shape.matrices + _predicted_share(size, shape) * shape.embeddings)
        attention = shape.attention(size.tokens / size.inputs + virtual)
        tokens += positions
        operations += positions * (products * passes + attention * (3 + again))
    return tokens, operations


def _prediction(spec: PredictionsSpec | EmbeddingsSpec, shape: Shape, size: DataSize) -> Estimate:
    pooling = spec.pooling if isinstance(spec, EmbeddingsSpec) else None
    labels = spec.labels if isinstance(spec, PredictionsSpec) else None
    has_head = pooling is None or pooling.head is not None
    prompting = spec.prompting if isinstance(spec, PredictionsSpec) else None
    heads = head_size(spec.form, labels, shape) if has_head else 0
    written = 0
    if prompting is not None:
        heads, written = shape.language_head, prompting.max_answer_tokens or 0
    layers, share = sum(stack.layers for stack in shape.stacks), _predicted_share(size, shape)
    # a model without heads gives all its hidden states; of these one or all are kept
    states = 0 if has_head else layers + 1
    vectors = (states if pooling is not None and pooling.sweep else 0) + (pooling is not None)
    product = 2 if spec.numerics.precision == "bfloat16" else 4
    batch = shape.activations(_PREDICTED, size.longest, product, None) / layers
    batch += _PREDICTED * (4 * states * shape.width + share * shape.vocabulary * _SCORE)
    if written:
        # keys and values of all positions are kept for those behind them
        width = sum(2 * stack.layers * stack.keys for stack in shape.stacks)
        batch += _PREDICTED * (1 + written / size.tokens) * width * product
    products = 2 * (shape.matrices + share * shape.embeddings)
    positions = size.rows * (size.tokens + written)
    return Estimate(
        parameters=shape.parameters + heads,
        trained=0,
        weights=_weights_bytes(shape, spec.numerics) + 4.0 * heads,
        gradients=0.0,
        optimiser=0.0,
        activations=batch,
        disk=4.0 * vectors * size.rows * size.inputs * shape.width,
        tokens=positions,
        operations=positions * (products + shape.attention(size.tokens / size.inputs))
        + 2 * size.rows * written * shape.embeddings,
        certainty=size.certainty,
    )


def head_size(form: str, labels: Sequence[str] | None, shape: Shape) -> int:
    """Return the parameters of a form's head on a model; labels that data bring are not known."""
    of_fresh_head = FORMS[form].head_size
    return shape.language_head if of_fresh_head is None else of_fresh_head(shape.width, len(labels or ()))


def _adapter(method: Method, shape: Shape) -> int:
    """Return the parameters of an adapter."""
    if method.name == "lora":
        return shape.lora(method.rank or 0, method.modules or "all-linear")
    return shape.virtual(method.name, method.prompt_length or 0)


def _weights_bytes(shape: Shape, numerics: Numerics) -> float:
    """Return the bytes of the weights, with the copies that matrix products in another dtype need."""
    copies = 2 * shape.matrices if numerics.precision == "bfloat16" and numerics.dtype == "float32" else 0
    return (2 if numerics.dtype == "bfloat16" else 4) * shape.parameters + copies


def _fresh(form: str) -> bool:
    """Tell whether a form's head is a fresh one."""
    return not FORMS[form].pretrained_head


def _predicted_share(size: DataSize, shape: Shape) -> float:
    """Return the share of positions that a language-model head computes scores for; a decoder predicts every token."""
    return 1.0 if size.mask_rate and shape.predicts == CAUSAL else size.mask_rate
