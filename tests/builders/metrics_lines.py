"""Lines of metrics of a training that did not run."""

from typing import Any

from xstilts.store.metrics import Line


def line(step: int, **more: Any) -> Line:
    """Return a line: 100 tokens in two seconds, with other values for some keys."""
    stated: dict[str, Any] = {
        "step": step, "learning_rate": 1e-3, "gradient_norm": 0.5, "loss": {"mnli": 1.0}, "tokens": 100, "seconds": 2.0,
        "tokens_per_second": 50.0, "operations_per_second": 1e9, "memory_mb": 900.0,
    }  # fmt: skip
    return Line(**stated | more)
