"""What a node will cost: memory, disk, operations and time, from configurations alone; no torch, no weights.

Formulas are those of ``shapes.py``. What is assumed: texts as long as in the tokens that exist, else as the recipe's
limit; a training that is not ended early; 40 % of a card's rate.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xstilts import manifest, shapes
from xstilts.errors import UserError
from xstilts.lineage import MODEL
from xstilts.mixture import Sampling, TaskShare, total_steps
from xstilts.nodes import Node, Plan, manifest_path
from xstilts.registry import Registry, parse_reference
from xstilts.shapes import Shape

# part of a card's rate that a well-kept loop reaches
UTILISATION = 0.4
TRAINING = ("pretrained", "rates", "intermediate", "targets")
# positions of a batch in prediction (``prediction.py``), and part of a text's pieces that a language model has to tell
_PREDICTED, _TOLD = 8192, 0.15
# what a process needs beside the model, in bytes
_PROCESS, _WITH_CUDA = 1.5e9, 6e9


@dataclass(frozen=True)
class Card:
    """A GPU: memory in GB; dense rate of products of matrices in 10^12 operations a second, by their type."""

    memory: int
    bfloat16: float
    float32: float


# NVIDIA's data sheets, without sparsity; float32 is TF32 on none of them, as products of float32 are not reduced here
CARDS = {
    "a100-40": Card(40, 312, 19.5),
    "a100-80": Card(80, 312, 19.5),
    "h100": Card(80, 989, 67),
    "h200": Card(141, 989, 67),
    "l40s": Card(48, 362, 91.6),
}


@dataclass(frozen=True)
class Estimate:
    """What a node costs.

    Attributes:
        parameters: of the model, heads aside.
        trained: those that are trained.
        weights: bytes of weights on the device.
        gradients: bytes.
        optimiser: bytes of Adam's moments.
        activations: bytes that are kept for the backward pass, or of one layer in prediction.
        disk: bytes that stay.
        tokens: positions computed in all, padding aside.
        operations: floating-point operations.
        measured: whether lengths and rows are those of tokens that exist, not upper bounds.
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
    measured: bool

    @property
    def memory(self) -> float:
        """Bytes on the device."""
        return self.weights + self.gradients + self.optimiser + self.activations

    def hours(self, card: Card, precision: str) -> float:
        """Return hours of a card."""
        rate = card.bfloat16 if precision == "bfloat16" else card.float32
        return self.operations / (rate * 1e12 * UTILISATION) / 3600

    def cards(self, card: Card) -> int:
        """Return on how many cards it fits, a tenth of each left free."""
        return max(1, math.ceil(self.memory / (0.9e9 * card.memory)))

    def host_megabytes(self, card: Card | None) -> int:
        """Return what a job needs of the host's memory: all of it, or with a GPU what is read and written."""
        if card is None:
            return round((self.memory + _PROCESS) / 1e6)
        return round((self.weights + self.gradients + self.optimiser + _WITH_CUDA) / 1e6)


@dataclass(frozen=True)
class Hardware:
    """Settings of config.yaml that change what is needed; see ``training.Hardware``."""

    device_pieces: int | None = None
    gradient_checkpointing: bool = False


def shape_of(node: Node, plan: Plan, known: Registry, results: Path) -> Shape:
    """Return the shape of the model that a node reads.

    Raises:
        UserError: if neither a configuration nor the registry states it.
    """
    base = _base(node, plan)
    part = node.spec.get("part")
    path = results / base.id / "config.json"
    if path.exists():
        return shapes.read(json.loads(path.read_text(encoding="utf-8")), part)
    entry = known.models[base.name]
    if entry["pretrained"] is not None:
        own = entry["pretrained"]["shape"]
        return shapes.read({
            "model_type": "xlm-roberta", "num_hidden_layers": own["layers"], "type_vocab_size": 1,
            "hidden_size": own["hidden_size"], "intermediate_size": own["intermediate_size"],
            "vocab_size": entry["pretrained"]["tokenizer"]["pieces"],
            "max_position_embeddings": entry["pretrained"]["tokenizer"]["positions"],
        })  # fmt: skip
    if entry["shape"] is None:
        raise UserError(f"model {base.name}: its size is not known yet; fetch it, or give the registry its `shape`")
    return shapes.read(entry["shape"], part)


def _base(node: Node, plan: Plan) -> Node:
    """Return the node of the whole pretrained model below a node."""
    while node.stage not in ("models", "pretrained"):
        node = plan.nodes[node.spec["parents"][MODEL]]
    return node


def of_node(node: Node, plan: Plan, known: Registry, results: Path, hardware: Hardware) -> Estimate:
    """Return what a node that computes with a model costs.

    Raises:
        UserError: as ``shape_of``.
    """
    shape = shape_of(node, plan, known, results)
    return (_training if node.stage in TRAINING else _prediction)(node, shape, plan, known, results, hardware)


def _training(node: Node, shape: Shape, plan: Plan, known: Registry, results: Path, hardware: Hardware) -> Estimate:
    spec, tuning = node.spec, node.spec["tuning"]
    data = [_train_data(node, entry, plan, known, results) for entry in spec["tasks"]]
    counts = [_share(entry, rows) for entry, (rows, _, _) in zip(spec["tasks"], data, strict=True)]
    steps = total_steps(counts, Sampling(**spec["sampling"]))
    sizes = [entry["batch_size"] * length for entry, (_, length, _) in zip(spec["tasks"], data, strict=True)]
    weights_of = [share.rate * share.rows for share in counts]
    mean = sum(size * weight for size, weight in zip(sizes, weights_of, strict=True)) / sum(weights_of)
    longest = max(length for _, length, _ in data)
    trained = {
        "full": shape.parameters - (shape.embeddings if spec["frozen_embeddings"] else 0),
        "lora": shape.lora(tuning.get("rank", 0), tuning.get("modules", ())),
    }.get(tuning["method"], shape.virtual(tuning["method"], tuning.get("tokens", 0)))
    reduced = spec["precision"] == "bfloat16"
    held = _held(shape, spec) + (4 * trained if tuning["method"] != "full" else 0)
    at_once = min(max(sizes), hardware.device_pieces or max(sizes))
    checkpoints = (2 if spec["weights"] == "bfloat16" else 4) if hardware.gradient_checkpointing else None
    kept = shape.activations(at_once, longest, 2 if reduced else 4, checkpoints)
    # forward 2 operations a matrix's number, backward as much for inputs and, where they are trained, for weights
    passes = (3 if tuning["method"] == "full" else 2) + bool(hardware.gradient_checkpointing)
    positions = steps * mean
    told = _TOLD * 2 * shape.embeddings * any(entry["form"] == "mlm" for entry in spec["tasks"])
    operations = positions * passes * (2 * shape.matrices + shape.attention(longest) + told)
    rates = len(spec["rates"]) if "rates" in spec else 1
    return Estimate(
        shape.parameters, trained, held, 4.0 * trained, 8.0 * trained, kept,
        0.0 if "rates" in spec else 4.0 * trained, rates * positions, rates * operations,
        all(measured for *_, measured in data),
    )  # fmt: skip


def _prediction(node: Node, shape: Shape, plan: Plan, known: Registry, results: Path, hardware: Hardware) -> Estimate:
    tokens = plan.nodes[node.spec["parents"]["tokens"]]
    pieces, longest, measured = _evaluated(tokens, plan, results)
    one_layer = shape.activations(_PREDICTED, longest, 4, None) / sum(stack.layers for stack in shape.stacks)
    operations = pieces * (2 * shape.matrices + shape.attention(longest))
    disk = pieces / max(1, longest) * shape.width * 4 if node.stage == "embeddings" else 0.0
    return Estimate(
        shape.parameters, 0, _held(shape, node.spec), 0.0, 0.0, one_layer, disk, pieces, operations, measured
    )


def _held(shape: Shape, spec: Mapping[str, Any]) -> float:
    """Return the bytes of weights as they are held, with their copies in the type of products where that is another."""
    copies = 2 * shape.matrices if spec["precision"] == "bfloat16" and spec["weights"] == "float32" else 0
    return (2 if spec["weights"] == "bfloat16" else 4) * shape.parameters + copies


def _share(entry: Mapping[str, Any], rows: int) -> TaskShare:
    import numpy as np

    none = np.zeros(0, dtype=np.int64)
    return TaskShare(entry["task"], none, none, rows, entry["rate"], entry["epochs"], entry["batch_size"])


def _train_data(
    node: Node, entry: Mapping[str, Any], plan: Plan, known: Registry, results: Path
) -> tuple[int, float, bool]:
    """Return a task's training rows, the mean of their pieces, and whether these are measured."""
    tokens = plan.nodes[node.spec["parents"][f"tokens.{entry['task']}"]]
    path = manifest_path(results, tokens.id)
    if path.exists():
        part = manifest.read(path)["parts"]["train"]
        return part["units"], part["pieces"] / part["units"], True
    rows = _rows(plan.nodes[tokens.spec["parents"]["prepared"]], plan, known)
    return rows, tokens.spec["lengths"]["max_length"], False


def _rows(prepared: Node, plan: Plan, known: Registry) -> int:
    """Return the training rows of a prepared node, as far as they can be known before it is made.

    Raises:
        UserError: if neither the source, nor the registry, nor a limit states them.
    """
    spec = prepared.spec
    if spec["part"] == "union":
        members = [name for role, name in spec["parents"].items() if role.startswith("member.")]
        found = sum(_rows(plan.nodes[name], plan, known) for name in members)
        return min(found, spec["train_rows"] or found)
    stated = [entry["rows"] for entry in spec["splits"]["train"]]
    task, language = parse_reference(prepared.name.removesuffix(".training"))
    total = sum(stated) if None not in stated else known.of(plan.study.source).tasks[task].published("train", language)
    limits = [rows for rows in (total, spec["train_rows"]) if rows is not None]
    if not limits:
        raise UserError(f"{prepared.name}: the number of rows is not known; give the study a limit, train_rows")
    return min(limits)


def _evaluated(tokens: Node, plan: Plan, results: Path) -> tuple[float, float, bool]:
    """Return the pieces of evaluation data, their longest text, and whether these are measured."""
    path, longest = manifest_path(results, tokens.id), tokens.spec["lengths"]["max_length"]
    if path.exists():
        return sum(part["pieces"] for part in manifest.read(path)["parts"].values()), longest, True
    spec = plan.nodes[tokens.spec["parents"]["prepared"]].spec
    rows = 0
    for language in spec["languages"].values():
        limits = [number for number in (language["rows"] or language["published"], spec["test_rows"]) if number]
        rows += min(limits) if limits else 1000
    return float(rows * longest), longest, False
