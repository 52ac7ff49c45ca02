"""Models with random weights, tokens that say nothing, and steps of the package's own training on them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from xstilts.data.sampler import Schedule
from xstilts.hardware import Hardware
from xstilts.models import adapters, architecture
from xstilts.models.backbone import Backbone
from xstilts.models.distributed import Group
from xstilts.models.model import Model, make_head, tensors
from xstilts.store.sampling import Sampling, TaskShare
from xstilts.store.specs.models import Method, Numerics, TaskSpec
from xstilts.tokenization.tokens import Tokens, TokensBuilder
from xstilts.training.gpu_checks.trainings import LABELS, LEARNING_RATE, OPTIMISATION, SEED, TASK
from xstilts.training.step import Batch, Batches, make_optimiser, take_step

PAD = 0
# the first of the tokens that texts have: those before it are special ones of some family
_FIRST = 8


@contextmanager
def created_on(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Have weights made where they are used, in the type that they are used in."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            yield
    finally:
        torch.set_default_dtype(before)


def random_transformer(config: Any, dtype: str, device: torch.device) -> Any:
    """Return a model of transformers with random weights.

    Args:
        config: of transformers.
        dtype: that of the weights.
        device: where they are.
    """
    import transformers

    transformers.logging.disable_progress_bar()
    torch.manual_seed(SEED)
    with created_on(device, getattr(torch, dtype)):
        transformer = architecture.text_model(transformers.AutoModel.from_config(config, trust_remote_code=False))
    # as ``load_backbone`` leaves it out
    if getattr(transformer, "pooler", None) is not None:
        transformer.pooler = None
    return transformer


def random_model(config: Any, method: Method, numerics: Numerics, device: torch.device, task: TaskSpec = TASK) -> Model:
    """Return a model with random weights and a fresh head before its first step, in training mode."""
    return ready(Backbone(random_transformer(config, numerics.dtype, device)), method, numerics, device, task)


def ready(backbone: Backbone, method: Method, numerics: Numerics, device: torch.device, task: TaskSpec = TASK) -> Model:
    """Return a model before its first step, in training mode, as the training loop makes it of a backbone."""
    adapters.inject(backbone, method, SEED)
    model = Model(backbone, {task.task: make_head(task, backbone, SEED, None)}, numerics.precision)
    adapters.freeze(model.backbone, model.heads, False)
    return model.to(device).train()


def config_of(content: Any, **more: Any) -> Any:
    """Return a configuration of transformers by what its config.json says."""
    import transformers

    settings = {**content, **more}
    return transformers.AutoConfig.for_model(settings.pop("model_type"), **settings)


def tokens_of(lengths: np.ndarray, vocabulary: int) -> Tokens:
    """Return texts of so many tokens, drawn evenly, with a label each."""
    rng, builder = np.random.default_rng(SEED), TokensBuilder()
    for number, length in enumerate(lengths):
        builder.sequence(rng.integers(_FIRST, vocabulary, size=length).tolist())
        builder.close(number, labels=number % len(LABELS))
    return Tokens(builder.arrays(), PAD)


def schedule_of(tokens: Tokens, task: TaskSpec, steps: int) -> Schedule:
    """Return which texts each of so many steps sees."""
    share = TaskShare(task.task, np.arange(len(tokens)), tokens.lengths, len(tokens), 1.0, 1, task.batch_size)
    return Schedule([share], Sampling(steps=steps), SEED)


class Steps:
    """A model in training: the package's batches, optimiser and step."""

    def __init__(
        self, model: Model, tokens: Tokens, steps: int, device: torch.device, task: TaskSpec = TASK,
        group: Group | None = None, hardware: Hardware | None = None, rate: float = LEARNING_RATE,
    ) -> None:  # fmt: skip
        """Begin before the first step.

        Args:
            model: in training mode, on the device.
            tokens: the texts.
            steps: how many there are.
            device: where the model is.
            task: the model's.
            group: the processes that train together; None for this one alone.
            hardware: how many tokens are computed at once; None for whole batches.
            rate: the learning rate of every step.
        """
        self.model, self._task, self._device, self._rate = model, task, device, rate
        self._group = group or Group()
        self._optimiser = make_optimiser(model, OPTIMISATION)
        data: list[Any] = [{"train": SimpleNamespace(tokens=tokens)}]
        self._batches = Batches(
            schedule_of(tokens, task, steps), [task], data, [1.0], SEED, self._group, hardware or Hardware(),
            device.type == "cuda",
        )  # fmt: skip

    def losses(self) -> list[float]:
        """Take all steps, and return their losses."""
        return [self.take(batches) for batches in self._batches.from_step(0)]

    def take(self, batches: Sequence[Batch]) -> float:
        """Take a step on its one batch, and return its loss."""
        taken = take_step(
            self.model, self._optimiser, [self._task], batches, self._rate, OPTIMISATION, self._group, self._device
        )
        return taken.losses[0]

    def batches(self, step: int) -> list[Batch]:
        """Return the one batch of a step."""
        return self._batches.at(step)


def outputs(model: Model, tokens: Tokens, device: torch.device, task: TaskSpec = TASK) -> torch.Tensor:
    """Return the outputs of a model for all texts, on the CPU: (texts, labels)."""
    inputs = tensors(tokens.inputs(np.arange(len(tokens))), device)
    with torch.inference_mode():
        return model.eval()(task.task, inputs, len(tokens)).cpu()
