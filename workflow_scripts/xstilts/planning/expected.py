"""What the estimate says of the trainings that ``xstilts check-gpu`` measures."""

from xstilts.hardware import Hardware
from xstilts.planning import estimate, model_size
from xstilts.planning.data_size import MEASURED, DataSize
from xstilts.planning.estimate import Sizes
from xstilts.store.sampling import Sampling
from xstilts.store.specs.models import IntermediateSpec
from xstilts.training.gpu_checks.trainings import LEARNING_RATE, OPTIMISATION, SEED, Expected, Training


def expected(training: Training, hardware: Hardware) -> Expected:
    """Return what the estimate says of a measured training: bytes on the device at most, and operations of a step."""
    texts = training.texts
    lengths = texts.lengths(texts.batch_size * 100)
    spec = IntermediateSpec(
        version=1, parents={}, tasks=[training.task], sampling=Sampling(steps=1), learning_rate=LEARNING_RATE,
        optimisation=OPTIMISATION, method=training.method, numerics=training.numerics, early_stopping=None,
        warm_start_head=None, seed=SEED,
    )  # fmt: skip
    size = DataSize(len(lengths), float(lengths.mean()), 1, int(lengths.max()), MEASURED, 0.0)
    cost = estimate.of_sizes(spec, Sizes(model_size.read(training.config), [size]), hardware)
    return Expected(cost.memory, cost.operations)
