"""The trainings that are measured: architectures with random weights, methods, and lengths of texts. No torch here."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xstilts.hardware import Hardware
from xstilts.phase import Optimisation
from xstilts.store.specs.models import Method, Numerics, TaskSpec

LABELS = ("yes", "no", "maybe")
TASK = TaskSpec(
    task="texts", form="classification", labels=LABELS, decoding={}, scoring=None, metric="accuracy", epochs=1,
    batch_size=8, weight=1.0,
)  # fmt: skip
OPTIMISATION = Optimisation(
    warmup=0.1, weight_decay=0.01, adam_beta2=0.999, adam_epsilon=1e-8, gradient_norm=1.0, frozen_embeddings=False,
    compile=False,
)  # fmt: skip
LEARNING_RATE, SEED = 1e-4, 1
FULL = Method(name="full")
LORA = Method(name="lora", rank=16, alpha=32.0, dropout=0.0, modules="all-linear")
_MIXED = Numerics(submodel=None, dtype="float32", precision="bfloat16")
_LOW = Numerics(submodel=None, dtype="bfloat16", precision="bfloat16")
# `shape` of the registry's models/xlm-roberta-large, -xxl, qwen3-14b-base and mt5-xxl, which a test compares
LARGE = {
    "model_type": "xlm-roberta", "num_hidden_layers": 24, "hidden_size": 1024, "num_attention_heads": 16,
    "intermediate_size": 4096, "vocab_size": 250002, "max_position_embeddings": 514, "type_vocab_size": 1,
}  # fmt: skip
XXL = {
    "model_type": "xlm-roberta-xl", "num_hidden_layers": 48, "hidden_size": 4096, "num_attention_heads": 32,
    "intermediate_size": 16384, "vocab_size": 250880, "max_position_embeddings": 514, "type_vocab_size": 1,
}  # fmt: skip
QWEN = {
    "model_type": "qwen3", "num_hidden_layers": 40, "hidden_size": 5120, "intermediate_size": 17408,
    "num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936,
    "tie_word_embeddings": False,
}  # fmt: skip
MT5 = {
    "model_type": "mt5", "num_layers": 24, "num_decoder_layers": 24, "d_model": 4096, "d_kv": 64, "d_ff": 10240,
    "num_heads": 64, "vocab_size": 250112, "tie_word_embeddings": False,
}  # fmt: skip
# what a dry run has in their place
_TINY = {
    "num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 64, "vocab_size": 500,
    "num_key_value_heads": 1, "head_dim": 16, "num_layers": 2, "num_decoder_layers": 2, "d_model": 32, "d_kv": 16,
    "d_ff": 64, "num_heads": 2,
}  # fmt: skip


def tiny(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same architecture in the size of a dry run."""
    return {key: _TINY.get(key, value) for key, value in config.items()}


def stand_in(model: str) -> str:
    """Return what a dry run calls the tiny model that it has in place of a large one."""
    return f"tiny stand-in for {model}"


@dataclass(frozen=True)
class Texts:
    """The lengths of the texts of a training.

    Attributes:
        name: what they are like.
        batch_size: texts of a step.
        longest: tokens that none exceeds.
        mean: tokens of a text before the limit; None where all have the longest.
        deviation: of their lengths.
    """

    name: str
    batch_size: int
    longest: int
    mean: float | None = None
    deviation: float = 0.0

    def lengths(self, count: int) -> np.ndarray:
        """Return lengths, lognormal as those of texts are: int64 of shape (count,)."""
        if self.mean is None:
            return np.full(count, self.longest)
        variance = np.log(1 + (self.deviation / self.mean) ** 2)
        drawn = np.random.default_rng(0).lognormal(np.log(self.mean) - variance / 2, variance**0.5, size=count)
        return drawn.round().clip(8, self.longest).astype(np.int64)


@dataclass(frozen=True)
class Training:
    """A training that is measured.

    Attributes:
        model: its name.
        config: what its config.json says that is not as usual for its type.
        method: what is trained.
        numerics: how it is computed.
        texts: what it is trained on.
        share: the share of the rate of products that it has to come to; None where it is reported.
    """

    model: str
    config: Mapping[str, Any]
    method: Method
    numerics: Numerics
    texts: Texts
    share: float | None = None

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"{self.model}, {self.method.name}, {self.texts.name}"

    @property
    def task(self) -> TaskSpec:
        """The task of its texts."""
        return replace(TASK, batch_size=self.texts.batch_size)

    def in_dry_run(self) -> "Training":
        """Return the same with a tiny model and few short texts."""
        texts = replace(self.texts, batch_size=4, longest=min(self.texts.longest, 48))
        return replace(self, model=stand_in(self.model), config=tiny(self.config), texts=texts)


@dataclass(frozen=True)
class Expected:
    """What the estimate says of a training: bytes on the device at most, and operations of a step."""

    memory: float
    operations: float


FILLED = Texts("32 x 256", 32, 256)
# means and deviations near those of MNLI's pairs, and of SQuAD's windows of at most 384 tokens, in XLM-R's tokens. They
# are a load to be measured, the same in all versions; what estimates count is `tokens` of the registry's tasks
LIKE_MNLI = Texts("lengths like MNLI", 32, 128, 46, 23)
LIKE_SQUAD = Texts("lengths like SQuAD", 16, 384, 202, 90)
TRAININGS = (
    Training("XLM-R Large", LARGE, FULL, _MIXED, FILLED, 0.45),
    Training("XLM-R Large", LARGE, FULL, _MIXED, LIKE_MNLI),
    Training("XLM-R Large", LARGE, FULL, _MIXED, LIKE_SQUAD),
    Training("XLM-R XXL", XXL, LORA, _LOW, FILLED, 0.40),
    Training("Qwen3-14B", QWEN, LORA, _LOW, FILLED, 0.40),
    Training("mT5-XXL", MT5, LORA, _LOW, FILLED, 0.40),
)
# tokens that are computed at once: the first that fits, as a larger batch is divided
BUDGETS = (8192, 4096, 2048, 1024)
STEPS = 5


def hardware_of(budget: int) -> Hardware:
    """Return what a training may use that computes so many tokens at once."""
    return Hardware(max_tokens_per_device=budget)
