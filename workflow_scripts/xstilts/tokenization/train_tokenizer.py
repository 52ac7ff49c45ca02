"""A tokenizer made from text: SentencePiece's unigram model (Kudo 2018), with the special tokens of XLM-R.

Its trainer looks for candidates among the words, each counted once (``MakeSeedSentencePieces``), so that in a language
of few words none of them would be one. So the candidates are given: words, and their beginnings and ends, as often as
they occur. What the text does not need of them is pruned, as ever.
"""

import io
import json
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

from xstilts.errors import UserError

_SPECIAL = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<mask>"}
_SPACE = "\u2581"


def make(texts: Iterable[str], vocabulary_size: int, folder: Path) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json`` into a folder; the same texts give the same files.

    Args:
        texts: what the tokens are chosen for.
        vocabulary_size: how many tokens there are at most, special ones included.
        folder: where to.

    Raises:
        UserError: if the texts have more characters than that.
    """
    import sentencepiece

    texts, model = list(texts), io.BytesIO()
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", suffix=".tsv") as seeds:
        seeds.writelines(f"{token}\t{count}\n" for token, count in _candidates(texts).items())
        seeds.flush()
        try:
            # the trainer's own special tokens are three; two more come below
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(texts),
                model_writer=model,
                model_type="unigram",
                vocab_size=vocabulary_size - 2,
                character_coverage=1.0,
                hard_vocab_limit=False,
                normalization_rule_name="identity",
                num_threads=1,
                minloglevel=2,
                seed_sentencepieces_file=seeds.name,
                input_sentence_size=0,
            )
        except RuntimeError as error:
            raise UserError(
                f"vocabulary_size: {vocabulary_size} cannot be made from the text: {error}".strip()
            ) from None
    trained = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    own = [(trained.id_to_piece(number), trained.get_score(number)) for number in range(3, trained.get_piece_size())]
    first = [(_SPECIAL[role], 0.0) for role in ("bos_token", "pad_token", "eos_token", "unk_token")]
    tokenizer = Tokenizer(models.Unigram([*first, *own, (_SPECIAL["mask_token"], 0.0)], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(list(_SPECIAL.values()))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", **_SPECIAL}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def _candidates(texts: Iterable[str]) -> Counter[str]:
    """Return what may become a token, and how often it occurs: words, and their beginnings and ends."""
    found: Counter[str] = Counter()
    for word, count in Counter(word for text in texts for word in text.split()).items():
        marked = _SPACE + word
        for at in range(len(marked)):
            found[marked[at:]] += count
            found[marked[:at]] += count
    # the trainer adds all characters by itself
    return Counter({token: count for token, count in found.items() if len(token) > 1})
