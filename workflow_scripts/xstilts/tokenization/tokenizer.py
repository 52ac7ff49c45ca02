"""A model's tokenizer as the forms need it: tokens with character offsets, and the model's special tokens around them.

Only the ``tokenizers`` library and the model folder's ``tokenizer.json`` are needed, no torch and no transformers.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Encoding, Tokenizer

from xstilts.errors import reading
from xstilts.tokenization import masking


class ModelTokenizer:
    """Texts to token ids, and inputs of one or two segments as the model was trained to see them.

    Attributes:
        prefix: special tokens before the first segment.
        middle: special tokens between two segments; a line break where the model has none.
        suffix: special tokens after the last segment.
        segment_end: the special token that ends the first of two segments, where the model distinguishes the two.
        unknown: the id of the unknown token; where there is none every text has tokens, and this one is never used.
        has_unknown: whether there is one.
        pad: the id of the padding token; any other where there is none, for the model does not look at it.
        mask: the id of the mask token, or None.
        begin: the token with which a text without a token begins, or None: ``bos_token``, else ``eos_token``.
        end: the token that ends a text, or None.
        objective: what the model was pretrained to predict, a name of ``masking.py``.
        sentinels: the tokens that stand for a span to be predicted (T5), the first one first; none in other models.
        size: number of tokens.
    """

    def __init__(self, folder: Path) -> None:
        """Read ``tokenizer.json`` of a model folder.

        Raises:
            UserError: if it is missing, unreadable or damaged.
        """
        path = folder / "tokenizer.json"
        with reading(path):
            self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        pair = self._tokenizer.encode("a", "a")
        segments = [place for place, special in enumerate(pair.special_tokens_mask) if not special]
        first = [place for place in segments if pair.sequence_ids[place] == 0]
        second = [place for place in segments if pair.sequence_ids[place] == 1]
        self.prefix = pair.ids[: first[0]]
        self.middle = pair.ids[first[-1] + 1 : second[0]] or self._line_break()
        self.suffix = pair.ids[second[-1] + 1 :]
        has_segments = pair.type_ids[first[0]] != pair.type_ids[second[0]]
        self.segment_end = self.middle[-1] if has_segments else None
        unknown = self._special(folder, "unk_token")
        self.unknown, self.has_unknown = unknown or 0, unknown is not None
        self.pad = self._special(folder, "pad_token") or 0
        self.mask = self._special(folder, "mask_token")
        self.end = self._special(folder, "eos_token")
        beginning = self._special(folder, "bos_token")
        self.begin = self.end if beginning is None else beginning
        self.objective = _objective(_content(folder / "config.json"))
        self.sentinels = self._find_sentinels()
        self.size = self._tokenizer.get_vocab_size()
        # a tokenizer that takes the space before a word for a part of it does not put it there itself
        apart = self._tokenizer.encode(["a", "a"], is_pretokenized=True, add_special_tokens=False)
        self._spaced = apart.ids != self._tokenizer.encode("a a", add_special_tokens=False).ids

    def _line_break(self) -> list[int]:
        return self._tokenizer.encode("\n", add_special_tokens=False).ids

    def _find_sentinels(self) -> list[int]:
        """Return T5's sentinel tokens, which mT5's vocabulary has as words."""
        for form in ("<extra_id_{}>", "\u2581<extra_id_{}>"):
            numbers = [self._tokenizer.token_to_id(form.format(number)) for number in range(100)]
            if numbers[0] is not None:
                return [number for number in numbers if number is not None]
        return []

    def _special(self, folder: Path, role: str) -> int | None:
        settings = _content(folder / "tokenizer_config.json")
        token = settings.get(role)
        token = token["content"] if isinstance(token, dict) else token
        return self._tokenizer.token_to_id(token) if token else None

    def tokenize(self, texts: Sequence[str]) -> list[Encoding]:
        """Return the tokens of texts, without special tokens; offsets count characters of the text."""
        return self._tokenizer.encode_batch(list(texts), add_special_tokens=False)

    def text(self, ids: Sequence[int]) -> str:
        """Return the text of tokens, special tokens left out."""
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=True)
        return text

    def line_ends(self) -> list[int]:
        """Return the tokens that have a line break in them."""
        return [number for number in range(self.size) if "\n" in self._tokenizer.decode([number])]

    def words(self, sentences: Sequence[Sequence[str]]) -> list[Encoding]:
        """Return the tokens of sentences given as words, without special tokens."""
        if self._spaced:
            sentences = [[*words[:1], *(f" {word}" for word in words[1:])] for words in sentences]
        return self._tokenizer.encode_batch(
            [list(words) for words in sentences], is_pretokenized=True, add_special_tokens=False
        )

    @property
    def single_overhead(self) -> int:
        """Number of special tokens around one segment."""
        return len(self.prefix) + len(self.suffix)

    @property
    def pair_overhead(self) -> int:
        """Number of special tokens around and between two segments."""
        return self.single_overhead + len(self.middle)

    def single(self, segment: Sequence[int]) -> list[int]:
        """Return a model input of one segment."""
        return [*self.prefix, *segment, *self.suffix]

    def pair(self, first: Sequence[int], second: Sequence[int]) -> list[int]:
        """Return a model input of two segments."""
        return [*self.prefix, *first, *self.middle, *second, *self.suffix]


def _content(path: Path) -> dict[str, Any]:
    """Return what a JSON file of a model's folder says; nothing where there is none."""
    if not path.exists():
        return {}
    with reading(path):
        return {**json.loads(path.read_text(encoding="utf-8"))}


def _objective(config: Mapping[str, Any]) -> str:
    if config.get("is_encoder_decoder"):
        return masking.SPANS
    # of a model for images and text the language model is used
    if "text_config" in config:
        return masking.CAUSAL
    causal = any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in config.get("architectures") or [])
    return masking.CAUSAL if causal else masking.MASKED


def shorten(first: int, second: int, room: int) -> tuple[int, int]:
    """Return to how many tokens two segments are cut so that they fit: the longer one gives way, token by token."""
    if first + second <= room:
        return first, second
    half = room // 2
    if first <= half:
        return first, room - first
    if second <= half:
        return room - second, second
    return room - half, half
