"""What a node will cost: memory, disk, operations and time, from configurations alone; no torch, no weights.

Formulas of sizes are those of ``model_size.py``; pinned models without one are as they were measured
(``measured_size.py``). What is assumed: texts as long as in the tokens that exist, else as the recipe allows; as many
rows as are published; a training that does not stop early; time as ``roofline.py`` has it. Evaluations on dev rows
during training are left out, and so is what the files of predictions take.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.hardware import Hardware
from xstilts.model_config import MADE_HERE, text_model
from xstilts.planning import measured_size, model_size, roofline, weight_bytes
from xstilts.planning.data_size import CERTAINTY, DataSize, evaluation_size, training_size
from xstilts.planning.gpu_types import GpuType
from xstilts.planning.model_size import Shape
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.registry import Registry
from xstilts.planning.roofline import Work
from xstilts.planning.study import with_pinned
from xstilts.planning.weight_bytes import bytes_of
from xstilts.store.files import read_json
from xstilts.store.sampling import Sampling, TaskShare, examples_of_a_batch, probabilities, total_steps
from xstilts.store.specs.base import MODEL, TOKENIZER, TOKENS, Spec, role
from xstilts.store.specs.evaluation import EmbeddingsSpec, PredictionsSpec
from xstilts.store.specs.models import (
    LearningRatesSpec,
    Numerics,
    PretrainedSpec,
    TaskSpec,
    TokenizerSpec,
    TrainingSpec,
)

# positions of a batch in prediction on a GPU that has the memory (``evaluation/prediction.py``)
PREDICTED = 16384
# bytes for each score of a language-model head: the score, its float32 copy, and the gradient
_SCORE = 12
# bytes that a process needs of the host's memory beside the model: libraries, CUDA, and a batch
PROCESS = 6e9


@dataclass(frozen=True)
class Estimate:
    """What a node costs.

    Attributes:
        parameters: of the model and the heads of the node's tasks.
        trained: those that are trained.
        loaded: bytes of weights as they are read.
        weights: bytes of them, with copies in the type of products.
        gradients, optimiser: bytes of them, and of Adam's moments.
        gathered: bytes of weights that a GPU has for a while beside its shard; 0 where it has them whole.
        activations: bytes that each GPU keeps for the backward pass, or of one layer in prediction.
        disk: bytes that stay.
        tokens: positions computed in all, padding aside.
        work: what is computed, by task.
        certainty: how well rows and lengths are known; see ``data_size.py``.
        gpus, shards: how many compute together, and among how many of them weights, gradients and moments are divided.
    """

    parameters: int
    trained: int
    loaded: float
    weights: float
    gradients: float
    optimiser: float
    gathered: float
    activations: float
    disk: float
    tokens: float
    work: Sequence[Work]
    certainty: str
    gpus: int = 1
    shards: int = 1

    @property
    def operations(self) -> float:
        """Floating-point operations, of all GPUs together."""
        return sum(work.operations for work in self.work)

    @property
    def memory(self) -> float:
        """Bytes on each GPU."""
        return (self.weights + self.gradients + self.optimiser) / self.shards + self.gathered + self.activations

    def hours(self, gpu_type: GpuType, precision: str) -> float:
        """Return the hours that its GPUs compute."""
        return roofline.seconds(self.work, gpu_type, precision, self.gpus) / 3600

    @property
    def host_megabytes(self) -> int:
        """What a job needs of the host's memory; all else is on the GPUs, of which it asks for one at least.

        Weights are mapped from their file, once for all processes, where it has them in the type that is loaded. While
        a checkpoint is written, all processes together have copies of what is trained, as many bytes as its gradients,
        and of the moments (``training/checkpoints.py``); best weights are gathered before or after.
        """
        return round((self.gpus * PROCESS + max(self.loaded, self.gradients + self.optimiser)) / 1e6)


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


@dataclass(frozen=True)
class Sizes:
    """What a node's cost follows from beside its spec: the shape of its model, and the sizes of its data.

    Of a prediction ``adapters`` is the number of parameters of those that are beside the weights.
    """

    shape: Shape
    data: Sequence[DataSize]
    adapters: int = 0


def sizes_of(node: Node, plan: Plan, registry: Registry, results: Path) -> Sizes:
    """Return the sizes that the cost of a node which computes with a model follows from.

    Raises:
        UserError: as ``shape_of``.
    """
    spec = node.spec
    shape = shape_of(node, plan, registry, results, numerics_of(spec))
    if isinstance(spec, TrainingSpec):
        tokens = [plan.nodes[spec.parents[role(TOKENS, task.task)]] for task in spec.tasks]
        return Sizes(shape, [training_size(each, plan, registry, results) for each in tokens])
    size = evaluation_size(plan.nodes[spec.parents[TOKENS]], plan, results)
    above = (plan.nodes[name].spec for name in spec.parents_of(MODEL))
    adapters = [one.method for one in above if isinstance(one, TrainingSpec) and one.method.is_adapter]
    # the uppermost is never merged (``models/adapters.py``)
    beside = adapters if numerics_of(spec).unmerged else adapters[:1]
    return Sizes(shape, [size], sum(map(shape.adapter, beside)))


def shape_of(node: Node, plan: Plan, registry: Registry, results: Path, numerics: Numerics) -> Shape:
    """Return the shape of the model that a node reads, as it is computed.

    Raises:
        UserError: as ``config_of`` and ``model_size.read``.
    """
    measured = measured_size.of_node(base_of(node, plan), plan, numerics.attention)
    if measured is not None:
        return measured
    config = config_of(node, plan, registry, results)
    return model_size.read(config, numerics.submodel, numerics.attention)


def of_sizes(spec: Spec, sizes: Sizes, hardware: Hardware, gpus: int = 1) -> Estimate:
    """Return what a node costs on so many GPUs, which divide batches, and weights as ``hardware`` says."""
    if isinstance(spec, TrainingSpec):
        return _training(spec, sizes.shape, sizes.data, hardware, gpus)
    assert isinstance(spec, PredictionsSpec | EmbeddingsSpec)
    return _prediction(spec, sizes.shape, sizes.data[0], sizes.adapters, hardware)


def largest_batch(spec: TrainingSpec, sizes: Sizes, gpus: int) -> tuple[int, int]:
    """Return the positions of the largest batch that a GPU computes, and of what of it cannot be divided."""
    batches = [_batch(spec, task, size, gpus) for task, size in zip(spec.tasks, sizes.data, strict=True)]
    return max(whole for whole, _ in batches), max(instance for _, instance in batches)


def of_node(node: Node, plan: Plan, registry: Registry, results: Path, hardware: Hardware) -> Estimate:
    """Return what a node that computes with a model costs on one GPU.

    Raises:
        UserError: as ``sizes_of``.
    """
    return of_sizes(node.spec, sizes_of(node, plan, registry, results), hardware)


def _training(spec: TrainingSpec, shape: Shape, sizes: Sequence[DataSize], hardware: Hardware, gpus: int) -> Estimate:
    full = not spec.method.is_adapter
    adapter = 0 if full else shape.adapter(spec.method)
    heads = [head_size(task.form, task.labels, shape) for task in spec.tasks]
    # beside an adapter a pretrained head is frozen
    fresh = sum(
        head for task, head in zip(spec.tasks, heads, strict=True) if full or not FORMS[task.form].pretrained_head
    )
    frozen = shape.embeddings * spec.optimisation.frozen_embeddings
    shared = shape.parameters - frozen if full else adapter
    trained = fresh + shared
    # earlier ones are taken to be as large
    beside = spec.adapters * adapter + sum(heads)
    tokens, work = _work(spec, shape, sizes, hardware, trained, gpus)
    trials = spec.trainings if isinstance(spec, LearningRatesSpec) else 1
    loaded = bytes_of(spec.numerics.dtype) * shape.parameters + 4.0 * beside
    shards = hardware.shards or gpus
    return Estimate(
        parameters=shape.parameters + beside,
        trained=trained,
        loaded=loaded,
        weights=weight_bytes.held(shape, spec.numerics, shards)
        + 4.0 * beside
        + weight_bytes.copies(shape, spec.numerics),
        gradients=4.0 * trained,
        optimiser=8.0 * trained,
        gathered=weight_bytes.gathered(shape, spec.numerics) if shards > 1 else 0.0,
        activations=_activations(spec, shape, sizes, hardware, gpus) + _recorded(spec.sampling, shared / shards),
        disk=0.0 if isinstance(spec, LearningRatesSpec) else 4.0 * (shape.parameters + beside if full else trained),
        tokens=trials * tokens,
        work=[each.times(trials) for each in work],
        certainty=max((size.certainty for size in sizes), key=CERTAINTY.index),
        gpus=gpus,
        shards=shards,
    )


def _batch(spec: TrainingSpec, task: TaskSpec, size: DataSize, gpus: int) -> tuple[int, int]:
    """Return the positions of a task's largest batch on a GPU, and of what of it cannot be divided."""
    instance = size.inputs * (size.longest + (spec.method.prompt_length or 0))
    examples = examples_of_a_batch(task.batch_size, spec.sampling)
    if FORMS[task.form].separable:
        return math.ceil(examples / gpus) * instance, instance
    return examples * instance, examples * instance


def _activations(spec: TrainingSpec, shape: Shape, sizes: Sequence[DataSize], hardware: Hardware, gpus: int) -> float:
    """Return the bytes that the largest batch keeps for the backward pass, its texts as long as the longest."""
    product, weight = bytes_of(spec.numerics.precision), bytes_of(spec.numerics.dtype)
    found = []
    for task, size in zip(spec.tasks, sizes, strict=True):
        whole, instance = _batch(spec, task, size, gpus)
        positions = min(whole, max(hardware.max_tokens_per_device or whole, instance))
        scores = positions * size.predicted_share(shape.predicts) * shape.vocabulary * _SCORE
        again = weight if hardware.recomputes(spec.method.name) else None
        length = size.longest + (spec.method.prompt_length or 0)
        found.append(shape.activations(positions, length, product, again) + scores)
    return max(found)


def _recorded(sampling: Sampling, shared: float) -> float:
    """Return the bytes of the gradients that are kept of a step's batches, for weights that all tasks share."""
    return 0.0 if sampling.gradient_conflict_every is None else 4.0 * sampling.tasks_per_step * shared


def _work(
    spec: TrainingSpec, shape: Shape, sizes: Sequence[DataSize], hardware: Hardware, trained: int, gpus: int
) -> tuple[float, list[Work]]:
    """Return the positions that a training computes, and its work by task.

    A forward pass has 2 operations for each number of a matrix. A backward pass has as many for the gradient of the
    matrix's input and, where the matrix is trained, for its own gradient (Kaplan et al. 2020, section 2.1). Attention
    has no weights, so both of its inputs have gradients.

    Args:
        spec: the training.
        shape: the model.
        sizes: those of the tasks' data.
        hardware: whether the forward pass is computed twice, how many positions at once, and how weights are divided.
        trained: numbers that are trained.
        gpus: how many compute together.
    """
    none = np.zeros(0, dtype=np.int64)
    shares = [
        TaskShare(task.task, none, none, size.rows, task.weight, task.epochs, task.batch_size)
        for task, size in zip(spec.tasks, sizes, strict=True)
    ]
    again = int(hardware.recomputes(spec.method.name))
    passes = (2 if spec.method.is_adapter else 3) + again
    virtual, steps = spec.method.prompt_length or 0, total_steps(shares, spec.sampling)
    casts = weight_bytes.copies(shape, spec.numerics) > 0 or spec.numerics.quantised is not None
    replicas = gpus // (hardware.shards or gpus)
    weights = weight_bytes.traffic(shape, spec.numerics, gpus, replicas)
    product = bytes_of(spec.numerics.precision)
    tokens, found = 0.0, []
    for task, size, probability in zip(spec.tasks, sizes, probabilities(shares, spec.sampling), strict=True):
        positions = task.batch_size * (size.tokens + virtual * size.inputs)
        length = size.tokens / size.inputs + virtual
        products = 2 * (shape.matrices + size.predicted_share(shape.predicts) * shape.embeddings)
        separable = FORMS[task.form].separable
        # a batch that cannot be divided is computed whole by each GPU
        computed = positions * (1 if separable else gpus)
        kept = shape.activations(computed, length, product, None)
        limit = hardware.max_tokens_per_device if separable else None
        # the batches of a step are computed one after the other
        batches = spec.sampling.tasks_per_step
        micro_batches = batches * (math.ceil(computed / batches / gpus / (limit or math.inf)) or 1)
        step = roofline.step(
            shape, spec.method, casts, trained, replicas, kept, weights, 2 + again, micro_batches, spec.adapters
        )
        operations = computed * (products * passes + shape.attention(length) * (3 + again))
        tokens += steps * probability * positions
        found.append(replace(step, operations=operations).times(steps * float(probability)))
    return float(tokens), found


def _prediction(
    spec: PredictionsSpec | EmbeddingsSpec, shape: Shape, size: DataSize, adapters: int, hardware: Hardware
) -> Estimate:
    pooling = spec.pooling if isinstance(spec, EmbeddingsSpec) else None
    labels = spec.labels if isinstance(spec, PredictionsSpec) else None
    has_head = pooling is None or pooling.head is not None
    prompting = spec.prompting if isinstance(spec, PredictionsSpec) else None
    heads = head_size(spec.form, labels, shape) if has_head else 0
    written = 0
    if prompting is not None:
        heads, written = shape.language_head, prompting.max_answer_tokens or 0
    layers = sum(stack.layers for stack in shape.stacks)
    share = size.predicted_share(shape.predicts) if prompting is None else size.mask_rate
    # a model without heads gives all its hidden states; of these one or all are kept
    states = 0 if has_head else layers + 1
    vectors = (states if pooling is not None and pooling.sweep else 0) + (pooling is not None)
    product = bytes_of(spec.numerics.precision)
    at_once = max(min(hardware.max_tokens_per_device or PREDICTED, PREDICTED), size.largest)
    batch = shape.activations(at_once, size.longest, product, None) / layers
    batch += at_once * (4 * states * shape.width + share * shape.vocabulary * _SCORE)
    if written:
        # keys and values of all positions are kept for those behind them
        width = sum(2 * stack.layers * stack.keys for stack in shape.stacks)
        batch += at_once * (1 + written / size.tokens) * width * product
    products = 2 * (shape.matrices + share * shape.embeddings)
    positions, length = size.rows * (size.tokens + written), size.tokens / size.inputs
    kept = shape.activations(1, length, product, None) * positions
    # each token that is written is a pass of its own
    passes = math.ceil(size.rows * size.tokens / at_once) * (1 + written)
    # matrices are held in the type of products (``models/inference.py``)
    read = weight_bytes.traffic(shape, replace(spec.numerics, dtype=spec.numerics.precision))
    work = roofline.forward(shape, kept, read, passes)
    operations = positions * (products + shape.attention(length)) + 2 * size.rows * written * shape.embeddings
    # the model's own head is read with it
    head_bytes = 4 if prompting is None else bytes_of(spec.numerics.dtype)
    beside = head_bytes * heads + 4 * adapters
    return Estimate(
        parameters=shape.parameters + heads + adapters,
        trained=0,
        loaded=bytes_of(spec.numerics.dtype) * float(shape.parameters) + beside,
        weights=weight_bytes.held(shape, spec.numerics) + beside - weight_bytes.copies(shape, spec.numerics),
        gradients=0.0,
        optimiser=0.0,
        gathered=0.0,
        activations=batch,
        disk=4.0 * vectors * size.rows * size.inputs * shape.width,
        tokens=positions,
        work=[replace(work, operations=operations)],
        certainty=size.certainty,
    )


def head_size(form: str, labels: Sequence[str] | None, shape: Shape) -> int:
    """Return the parameters of a form's head on a model; labels that data bring are not known."""
    of_fresh_head = FORMS[form].head_size
    return shape.language_head if of_fresh_head is None else of_fresh_head(shape.width, len(labels or ()))
