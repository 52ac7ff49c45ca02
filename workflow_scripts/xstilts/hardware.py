"""What a training may use of a machine: settings of config.yaml, or of a memory plan, which are in no spec."""

from dataclasses import dataclass, replace

# what CUDA_VISIBLE_DEVICES, and Slurm's names for it, say where there is no GPU
NO_GPU = ("", "-1", "NoDevFiles")
# tokens that a GPU computes at once without waiting for its memory; rather than with fewer, layers are computed again
_FEW = 4096


@dataclass(frozen=True)
class Hardware:
    """How a training saves memory, and how often its state.

    Attributes:
        max_tokens_per_device: tokens, padding included, that are computed at once; of a larger batch gradients are
            accumulated. None for whole batches.
        gradient_checkpointing: whether layers are computed again in the backward pass in place of keeping activations.
        checkpoint_seconds: time between two checkpoints.
        shards: among how many of several processes the weights are divided, each of which has a GPU; 1 for weights
            that each has whole, None for all that are on a node. A process alone has them whole.
    """

    max_tokens_per_device: int | None = None
    gradient_checkpointing: bool = False
    checkpoint_seconds: float = 600
    shards: int | None = None

    def recomputes(self, method: str) -> bool:
        """Tell whether a training by a fine-tuning method computes layers again in the backward pass.

        Not beside a prefix: transformers keeps its keys and values in a cache, to which a layer that is computed again
        adds its own once more.
        """
        return self.gradient_checkpointing and may_recompute(method)

    def with_less_memory(self, tokens: int, instance: int, may_recompute: bool) -> "Hardware | None":
        """Return the settings to try next where memory lacks; None where there are none.

        Half of the tokens at once, down to 4,096; then gradient checkpointing; then again half of the tokens, down to
        one instance; then a shard of the weights where each process has them whole.

        Args:
            tokens: of the largest batch, padding included.
            instance: of the largest that cannot be divided.
            may_recompute: whether the fine-tuning method allows gradient checkpointing.
        """
        now = min(tokens, self.max_tokens_per_device or tokens)
        again = self.gradient_checkpointing or not may_recompute
        least = max(instance, 1 if again else _FEW)
        if now > least:
            return replace(self, max_tokens_per_device=max(now // 2, least))
        if not again:
            return replace(self, gradient_checkpointing=True)
        return replace(self, shards=None) if self.shards == 1 else None


def may_recompute(method: str) -> bool:
    """Tell whether a training by a fine-tuning method may compute layers again; see ``Hardware.recomputes``."""
    return method != "prefix"
