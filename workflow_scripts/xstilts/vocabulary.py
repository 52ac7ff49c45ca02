"""A tokenizer made from text: SentencePiece's byte-pair encoding, with the special pieces of XLM-R.

Not its unigram model: that one looks for pieces among the words, each counted once, so that in a language of few words
none of them would be a piece (``MakeSeedSentencePieces`` of SentencePiece's unigram trainer).
"""

import io
import json
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from xstilts.errors import UserError

_SPECIAL = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"}


def make(texts: Iterable[str], pieces: int, folder: Path) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json`` into a folder; the same texts give the same files.

    Args:
        texts: what the pieces are chosen for.
        pieces: how many there are at most, special ones included.
        folder: where to.

    Raises:
        UserError: if the texts have more characters than that.
    """
    import sentencepiece

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=model, model_type="bpe", vocab_size=pieces - len(_SPECIAL) + 3,
            character_coverage=1.0, hard_vocab_limit=False, normalization_rule_name="identity", num_threads=1,
            minloglevel=2,
        )  # fmt: skip
    except RuntimeError as error:
        raise UserError(f"pieces: {pieces} cannot be made from the text: {error}".strip()) from None
    trained = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    # SentencePiece's own first three are the unknown piece and two of the special ones; merged pieces come before
    # single characters, in the order in which they are merged
    own = [trained.id_to_piece(number) for number in range(3, trained.get_piece_size())]
    first = [_SPECIAL[role] for role in ("bos_token", "pad_token", "eos_token", "unk_token")]
    numbers = {piece: number for number, piece in enumerate([*first, *own, _SPECIAL["mask_token"]])}
    known = set(own)
    merges = [
        (piece[:at], piece[at:]) for piece in own for at in range(1, len(piece))
        if piece[:at] in known and piece[at:] in known
    ]  # fmt: skip
    tokenizer = Tokenizer(models.BPE(numbers, merges, unk_token=_SPECIAL["unk_token"]))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(list(_SPECIAL.values()))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", **_SPECIAL}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
