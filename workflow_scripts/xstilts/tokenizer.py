"""A model's tokenizer as the forms need it: pieces with character offsets, and the model's special tokens around them.

Only the ``tokenizers`` library and the model folder's ``tokenizer.json`` are needed, no torch and no transformers.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Encoding, Tokenizer

from xstilts.errors import UserError


class PieceTokenizer:
    """Texts to piece ids, and inputs of one or two segments as the model was trained to see them.

    Attributes:
        prefix: special tokens before the first segment.
        middle: special tokens between two segments.
        suffix: special tokens after the last segment.
        unknown: the id of the unknown piece.
        pad: the id of the padding piece.
        mask: the id of the mask piece, or None.
        size: number of pieces.
    """

    def __init__(self, folder: Path) -> None:
        """Read ``tokenizer.json`` of a model folder.

        Raises:
            UserError: if it is missing or unreadable, or has no unknown piece.
        """
        path = folder / "tokenizer.json"
        try:
            self._tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # the library raises bare exceptions
            raise UserError(f"{path}: not a readable tokenizer ({error})") from None
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        pair = self._tokenizer.encode("a", "a")
        segments = [place for place, special in enumerate(pair.special_tokens_mask) if not special]
        first = [place for place in segments if pair.sequence_ids[place] == 0]
        second = [place for place in segments if pair.sequence_ids[place] == 1]
        self.prefix = pair.ids[: first[0]]
        self.middle = pair.ids[first[-1] + 1 : second[0]]
        self.suffix = pair.ids[second[-1] + 1 :]
        self.unknown = self._needed(folder, "unk_token")
        self.pad = self._needed(folder, "pad_token")
        self.mask = self._special(folder, "mask_token")
        self.size = self._tokenizer.get_vocab_size()

    def _needed(self, folder: Path, role: str) -> int:
        number = self._special(folder, role)
        if number is None:
            raise UserError(f"{folder / 'tokenizer_config.json'}: {role} is not one of the tokenizer's pieces")
        return number

    def _special(self, folder: Path, role: str) -> int | None:
        path = folder / "tokenizer_config.json"
        try:
            settings = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except ValueError as error:
            raise UserError(f"{path}: not JSON ({error})") from None
        token = settings.get(role)
        token = token["content"] if isinstance(token, dict) else token
        return self._tokenizer.token_to_id(token) if token else None

    def pieces(self, texts: Sequence[str]) -> list[Encoding]:
        """Return the pieces of texts, without special tokens; offsets count characters of the text."""
        return self._tokenizer.encode_batch(list(texts), add_special_tokens=False)

    def words(self, sentences: Sequence[Sequence[str]]) -> list[Encoding]:
        """Return the pieces of sentences given as words, without special tokens."""
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


def shorten(first: int, second: int, room: int) -> tuple[int, int]:
    """Return to how many pieces two segments are cut so that they fit: the longer one gives way, piece by piece."""
    if first + second <= room:
        return first, second
    half = room // 2
    if first <= half:
        return first, room - first
    if second <= half:
        return room - second, second
    return room - half, half
