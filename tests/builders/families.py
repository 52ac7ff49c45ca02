"""Tiny random models of every family, with tokenizers as theirs are, for tests."""

import json

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from xstilts.data.sources import tiny

_SENTENCES = [" ".join(tiny.LEXICON[start : start + 8]) for start in range(0, len(tiny.LEXICON), 3)]
_SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "hidden_size": 16}
_NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def _words(special, template):
    """A tokenizer of whole words with special tokens around one text, and between two."""
    vocabulary = {token: number for number, token in enumerate([*special, *tiny.LEXICON])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=special[-1]))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    single, pair = template
    numbers = [(token, vocabulary[token]) for token in special]
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=numbers)
    return tokenizer


def _bytes(special, prefix):
    """A byte-level tokenizer as those of decoders are: no unknown token, and nothing between two texts."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_SENTENCES, trainer)
    if prefix:
        numbers = [(prefix, tokenizer.token_to_id(prefix))]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=f"{prefix} $A", pair=f"{prefix} $A $B", special_tokens=numbers
        )
    return tokenizer


_XLM_R = (["<s>", "<pad>", "</s>", "<mask>", "<unk>"], ("<s> $A </s>", "<s> $A </s> </s> $B </s>"))
_BERT = (["[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]"], ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"))
_SENTINELS = [f"<extra_id_{number}>" for number in range(99, -1, -1)]
_T5 = (["<pad>", "</s>", *_SENTINELS, "<unk>"], ("$A </s>", "$A </s> $B </s>"))


def _xlm_r(size):
    return transformers.XLMRobertaConfig(
        vocab_size=size, max_position_embeddings=66, type_vocab_size=1, pad_token_id=1, **_SMALL, **_NO_DROPOUT
    )


def _bert(size):
    return transformers.BertConfig(vocab_size=size, max_position_embeddings=64, **_SMALL, **_NO_DROPOUT)


def _modern_bert(size):
    return transformers.ModernBertConfig(
        vocab_size=size, max_position_embeddings=64, pad_token_id=0, cls_token_id=1, sep_token_id=2, bos_token_id=1,
        eos_token_id=2, local_attention=16, reference_compile=False, **_SMALL,
    )  # fmt: skip


def _mt5(size):
    return transformers.MT5Config(
        vocab_size=size, d_model=16, num_layers=2, num_heads=2, d_kv=8, d_ff=32, dropout_rate=0.0, pad_token_id=0,
        decoder_start_token_id=0, eos_token_id=1,
    )  # fmt: skip


def _llama(size):
    return transformers.LlamaConfig(
        vocab_size=size, num_key_value_heads=2, max_position_embeddings=128, pad_token_id=None, **_SMALL
    )


def _qwen(size):
    return transformers.Qwen3Config(
        vocab_size=size,
        num_key_value_heads=1,
        head_dim=8,
        max_position_embeddings=128,
        tie_word_embeddings=True,
        **_SMALL,
    )


def _gemma(size):
    return transformers.Gemma2Config(
        vocab_size=size, num_key_value_heads=1, head_dim=8, max_position_embeddings=128, final_logit_softcapping=30.0,
        query_pre_attn_scalar=8, **_SMALL,
    )  # fmt: skip


# name: configuration, class with the language-model head, tokenizer, its special tokens by role
FAMILIES = {
    "xlm-r": (_xlm_r, "AutoModelForMaskedLM", lambda: _words(*_XLM_R),
              {"pad_token": "<pad>", "mask_token": "<mask>", "unk_token": "<unk>"}),
    "bert": (_bert, "AutoModelForMaskedLM", lambda: _words(*_BERT),
             {"pad_token": "[PAD]", "mask_token": "[MASK]", "unk_token": "[UNK]"}),
    "modernbert": (_modern_bert, "AutoModelForMaskedLM", lambda: _words(*_BERT),
                   {"pad_token": "[PAD]", "mask_token": "[MASK]", "unk_token": "[UNK]"}),
    "mt5": (_mt5, "AutoModelForSeq2SeqLM", lambda: _words(*_T5), {"pad_token": "<pad>", "unk_token": "<unk>"}),
    "llama": (_llama, "AutoModelForCausalLM", lambda: _bytes(["<bos>", "<eos>"], "<bos>"), {}),
    "qwen": (_qwen, "AutoModelForCausalLM", lambda: _bytes(["<eos>", "<pad>"], None), {"pad_token": "<pad>"}),
    "gemma": (_gemma, "AutoModelForCausalLM", lambda: _bytes(["<pad>", "<eos>", "<bos>"], "<bos>"),
              {"pad_token": "<pad>"}),
}  # fmt: skip


def write_tokenizer(family, folder):
    """Write the tokenizer of a family into a folder, and return its number of tokens."""
    tokenizer, roles = FAMILIES[family][2](), FAMILIES[family][3]
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(roles))
    return tokenizer.get_vocab_size()


def write(family, folder):
    """Write a model of a family into a folder."""
    make_config, kind = FAMILIES[family][:2]
    size = write_tokenizer(family, folder)
    torch.manual_seed(0)
    getattr(transformers, kind).from_config(make_config(size)).save_pretrained(folder)
