"""The shape of a model: what its config.json says of its size, in closed formulas and without torch.

The numbers are those of transformers' models as this library uses them: without a pooler, and with a language-model
head only where a task has one. ``tests/unit/planning/test_model_size.py`` compares them with the models themselves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from xstilts.errors import UserError
from xstilts.store.specs.models import BIDIRECTIONAL, Method

# what a model predicts, by which its language-model head and the attention of its layers go
MASKED, CAUSAL, BOTH = "masked", "causal", "both"


@dataclass(frozen=True)
class Stack:
    """Layers that follow one another, all of one kind.

    Attributes:
        layers: their number.
        linears: inputs and outputs of each linear layer of one of them, by the end of its name.
        vectors: other parameters of one layer: biases and norms.
        outside: parameters of the stack beside its layers: a last norm, relative positions.
        width: size of a hidden vector.
        queries: size of all heads' queries together.
        keys: size of all heads' keys together, which is that of the values.
        kept: numbers that a layer keeps for the backward pass, for each position, in the type of its products.
        kept_norms: those that its norms keep, in float32.
        masks: bytes that its dropout keeps, for each position.
        maps: attention weights that it keeps, for each pair of positions; none where attention is computed in blocks.
        causal: whether a position sees those before it only.
        crossed: whether a position sees the encoder's, too.
    """

    layers: int
    linears: Mapping[str, tuple[int, int]]
    vectors: int
    outside: int
    width: int
    queries: int
    keys: int
    kept: int
    kept_norms: int
    masks: int = 0
    maps: int = 0
    causal: bool = False
    crossed: bool = False

    @property
    def matrices(self) -> int:
        """Parameters of all matrices of the layers, each used once for every position."""
        return self.layers * sum(inputs * outputs for inputs, outputs in self.linears.values())

    def chosen(self, modules: str | Sequence[str]) -> list[str]:
        """Return the linear layers of a layer that an adapter names: ``all-linear``, or the ends of their names."""
        return [
            name
            for name in self.linears
            if modules == "all-linear" or any(f".{name}".endswith(f".{end}") for end in modules)
        ]


@dataclass(frozen=True)
class Shape:
    """A model: its layers, and what is around them.

    Attributes:
        predicts: ``masked``, ``causal`` or ``both`` (an encoder-decoder).
        stacks: the encoder's or the decoder's layers, or both.
        vocabulary: number of tokens.
        around: parameters outside of the stacks, but for the token embeddings.
        language_head: parameters of the language-model head that are not the embeddings'.
    """

    predicts: str
    stacks: tuple[Stack, ...]
    vocabulary: int
    around: int
    language_head: int

    @property
    def width(self) -> int:
        """Size of a hidden vector."""
        return self.stacks[0].width

    @property
    def embeddings(self) -> int:
        """Parameters of the token embeddings."""
        return self.vocabulary * self.width

    @property
    def matrices(self) -> int:
        """Parameters of all matrices of the layers: those without embeddings of Kaplan et al. 2020."""
        return sum(stack.matrices for stack in self.stacks)

    @property
    def parameters(self) -> int:
        """All parameters of the backbone."""
        layers = sum(stack.layers * stack.vectors + stack.outside for stack in self.stacks)
        return self.embeddings + self.around + self.matrices + layers

    def adapter(self, method: Method) -> int:
        """Return the parameters of an adapter."""
        if method.name == "lora":
            return self.lora(method.rank or 0, method.modules or "all-linear")
        return self.virtual(method.name, method.prompt_length or 0)

    def lora(self, rank: int, modules: str | Sequence[str]) -> int:
        """Return the parameters of matrices of low rank beside linear layers (Hu et al. 2022, section 4.1).

        Args:
            rank: theirs.
            modules: ``all-linear``, or the ends of the names of the layers that have one.
        """
        return sum(
            stack.layers * rank * sum(stack.linears[name]) for stack in self.stacks for name in stack.chosen(modules)
        )

    def virtual(self, method: str, tokens: int) -> int:
        """Return the parameters of a prompt or a prefix.

        A prompt is a vector a position; a prefix has keys and values for every layer of the encoder, or of the decoder
        where there is one.
        """
        if method == "prompt":
            return tokens * self.width
        return tokens * self.stacks[-1].layers * 2 * self.stacks[-1].keys

    def activations(self, positions: float, length: float, size: int, checkpoints: int | None) -> float:
        """Return the bytes that are kept for the backward pass.

        Korthikanti et al. 2022, section 4.1, term by term, with norms in float32: for XLM-R in bfloat16 38 bytes a
        hidden number and layer, where the paper's norms in 16 bits make it 34 (equation 2 without the attention's
        maps). Of layers that are computed again only the input is kept (section 5), and one of them is whole at a time.

        Args:
            positions: computed at once, padding included.
            length: positions of a sequence.
            size: bytes of a number in products of matrices, 2 or 4.
            checkpoints: bytes of a number in the inputs of layers that are computed again; None if none is.
        """
        layers = [
            size * stack.kept + 4 * stack.kept_norms + stack.masks + (2 * size + 1) * stack.maps * length
            for stack in self.stacks
        ]
        if checkpoints is None:
            return positions * sum(stack.layers * layer for stack, layer in zip(self.stacks, layers, strict=True))
        return positions * (sum(stack.layers * stack.width * checkpoints for stack in self.stacks) + max(layers))

    def attention(self, length: float) -> float:
        """Return the operations of attention, for each position and forward pass, at a length in positions.

        Kaplan et al. 2020 (Scaling Laws ...), table 1: 2 x layers x length x width where a position sees those before
        it, half of them on average; and twice that where it sees all.
        """
        seen = [(1 if stack.causal else 2) + (2 if stack.crossed else 0) for stack in self.stacks]
        pairs = zip(self.stacks, seen, strict=True)
        return sum(2 * stack.layers * length * stack.queries * halves for stack, halves in pairs)


def has_formula(config: Mapping[str, Any]) -> bool:
    """Tell whether there is a formula for the size of a model with this config.json."""
    return config.get("model_type") in _KINDS


def read(config: Mapping[str, Any], submodel: str | None = None, attention: str | None = None) -> Shape:
    """Return the shape that a config.json, or the registry in its keys, states.

    Args:
        config: its content.
        submodel: ``encoder`` for the encoder alone of an encoder-decoder model.
        attention: ``bidirectional`` for a decoder whose positions see all others.

    Raises:
        UserError: if there is no formula for the model's type, or a key is missing.
    """
    kind = config.get("model_type")
    if kind not in _KINDS:
        raise UserError(f"model type {kind!r}: its size is not known; there are formulas for {', '.join(_KINDS)}")
    try:
        shape = _KINDS[kind](config)
    except KeyError as error:
        raise UserError(f"model type {kind!r}: its size needs the key {error} of config.json") from None
    stacks = shape.stacks if submodel is None else shape.stacks[:1]
    if attention == BIDIRECTIONAL:
        stacks = tuple(replace(stack, causal=False) for stack in stacks)
    return replace(shape, stacks=stacks)


# What a layer keeps is what Korthikanti et al. 2022 (Reducing Activation Recomputation ..., section 4.1) count: inputs
# of products of matrices, queries, keys and values, what goes into the activation, inputs of norms, dropout's masks.


def _encoder(config: Mapping[str, Any]) -> Shape:
    """Return the shape of an encoder like BERT or XLM-R; XLM-R XL has its norms elsewhere, but as many."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    linears = {f"attention.self.{name}": (width, width) for name in ("query", "key", "value")}
    linears |= {"attention.output.dense": (width, width), "intermediate.dense": (width, inner)}
    linears |= {"output.dense": (inner, width)}
    biases = sum(outputs for _, outputs in linears.values())
    stack = Stack(
        layers=config["num_hidden_layers"],
        linears=linears,
        vectors=biases + 4 * width,
        outside=0,
        width=width,
        queries=width,
        keys=width,
        kept=6 * width + 2 * inner,
        kept_norms=2 * width,
        masks=2 * width,
    )
    places = config["max_position_embeddings"] + config["type_vocab_size"]
    head = width * width + 3 * width + config["vocab_size"]
    return Shape(MASKED, (stack,), config["vocab_size"], places * width + 2 * width, head)


def _modern_encoder(config: Mapping[str, Any]) -> Shape:
    """Return the shape of ModernBERT: matrices in one, no biases, and no norm before the first layer's attention."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    linears = {"attn.Wqkv": (width, 3 * width), "attn.Wo": (width, width)}
    linears |= {"mlp.Wi": (width, 2 * inner), "mlp.Wo": (inner, width)}
    stack = Stack(
        layers=config["num_hidden_layers"],
        linears=linears,
        vectors=2 * width,
        # the last norm is there, the first one is not
        outside=0,
        width=width,
        queries=width,
        keys=width,
        kept=6 * width + 4 * inner,
        kept_norms=2 * width,
    )
    return Shape(MASKED, (stack,), config["vocab_size"], width, width * width + width + config["vocab_size"])


def _encoder_decoder(config: Mapping[str, Any]) -> Shape:
    """Return the shape of mT5 or umT5, of which every layer has relative positions, and not the first one alone.

    Norms keep two vectors, the activation four, and attention is not in blocks.
    """
    width, inner, heads = config["d_model"], config["d_ff"], config["num_heads"]
    size = heads * config["d_kv"]

    def attention(name: str) -> dict[str, tuple[int, int]]:
        return {f"{name}.{letter}": (width, size) for letter in "qkv"} | {f"{name}.o": (size, width)}

    first = {f"DenseReluDense.{name}": (width, inner) for name in ("wi_0", "wi_1")}
    encoder = attention("SelfAttention") | first | {"DenseReluDense.wo": (inner, width)}
    decoder = encoder | attention("EncDecAttention")
    relative = config.get("relative_attention_num_buckets", 32) * heads
    each = config["model_type"] == "umt5"

    def stack(layers: int, linears: dict[str, tuple[int, int]], attentions: int, **more: bool) -> Stack:
        norms = (attentions + 1) * width
        return Stack(
            layers=layers,
            linears=linears,
            vectors=norms + relative * each,
            outside=width + relative * (not each),
            width=width,
            queries=size,
            keys=size,
            kept=attentions * (width + 4 * size) + width + 7 * inner,
            kept_norms=2 * norms,
            masks=norms + inner,
            maps=attentions * heads,
            **more,
        )

    stacks = (
        stack(config["num_layers"], encoder, attentions=1),
        stack(config["num_decoder_layers"], decoder, attentions=2, causal=True, crossed=True),
    )
    return Shape(BOTH, stacks, config["vocab_size"], 0, _untied(config, width))


def _decoder(config: Mapping[str, Any]) -> Shape:
    """Return the shape of a decoder like Llama, Qwen 3 or Gemma, or of an encoder built alike, EuroBERT.

    Norms keep two vectors.
    """
    width, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    head = config.get("head_dim") or width // heads
    queries, keys = heads * head, config["num_key_value_heads"] * head
    linears = {"self_attn.q_proj": (width, queries), "self_attn.k_proj": (width, keys)}
    linears |= {"self_attn.v_proj": (width, keys), "self_attn.o_proj": (queries, width)}
    linears |= {f"mlp.{name}_proj": (width, inner) for name in ("gate", "up")} | {"mlp.down_proj": (inner, width)}
    norms, of_heads = _NORMS[config["model_type"]]
    predicts = MASKED if config["model_type"] == "eurobert" else CAUSAL
    stack = Stack(
        layers=config["num_hidden_layers"],
        linears=linears,
        vectors=norms * width + 2 * head * of_heads,
        outside=width,
        width=width,
        queries=queries,
        keys=keys,
        kept=2 * width + 2 * queries + 2 * keys + 4 * inner,
        kept_norms=2 * (norms * width + (queries + keys) * of_heads),
        causal=predicts == CAUSAL,
    )
    return Shape(predicts, (stack,), config["vocab_size"], 0, _untied(config, width))


def _untied(config: Mapping[str, Any], width: int) -> int:
    """Return the parameters of a language-model head that is a matrix: none where it is that of the embeddings."""
    return 0 if config["tie_word_embeddings"] else config["vocab_size"] * width


# of decoders: norms of hidden vectors in a layer, and whether each head's queries and keys have one
_NORMS = {
    "llama": (2, False),
    "eurobert": (2, False),
    "qwen3": (2, True),
    "gemma2": (4, False),
    "gemma3_text": (4, True),
}

_KINDS = {
    **dict.fromkeys(("bert", "xlm-roberta", "xlm-roberta-xl"), _encoder),
    "modernbert": _modern_encoder,
    **dict.fromkeys(("mt5", "umt5"), _encoder_decoder),
    **dict.fromkeys(_NORMS, _decoder),
}
