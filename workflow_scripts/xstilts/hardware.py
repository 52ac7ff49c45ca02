"""What a training may use of a machine: settings of config.yaml on which no result depends."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Hardware:
    """How a training saves memory, and how often its state.

    Attributes:
        max_tokens_per_device: tokens, padding included, that are computed at once; of a larger batch gradients are
            accumulated. None for whole batches.
        gradient_checkpointing: whether layers are computed again in the backward pass in place of keeping activations.
        checkpoint_seconds: time between two checkpoints.
    """

    max_tokens_per_device: int | None = None
    gradient_checkpointing: bool = False
    checkpoint_seconds: float = 600

    def recomputes(self, method: str) -> bool:
        """Tell whether a training by a fine-tuning method computes layers again in the backward pass.

        Not beside a prefix: transformers keeps its keys and values in a cache, to which a layer that is computed again
        adds its own once more.
        """
        return self.gradient_checkpointing and method != "prefix"
