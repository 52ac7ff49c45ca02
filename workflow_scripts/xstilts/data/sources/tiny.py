"""The tiny source: made-up text in the layout of the real files, and a random model, so that every path can run.

It needs no network and a second or two. Its sentences are one small grammar worded in every language by a cipher, so
scores on it mean nothing; it shows that the pipeline runs, and what its outputs look like.
"""

import json
import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from xstilts.data.sources import Place
from xstilts.errors import UserError
from xstilts.store.files import target
from xstilts.store.specs.data import Content

TRAIN_ROWS, DEV_ROWS, TEST_ROWS = 120, 40, 24

_NOUNS = ["cat", "dog", "farmer", "teacher", "child", "river", "garden", "house", "baker", "king", "ship", "letter"]
_VERBS = ["sees", "helps", "finds", "likes", "paints", "follows"]
_ADJECTIVES = ["small", "red", "old", "quiet", "happy", "tall"]
_PLACES = ["market", "forest", "city", "island", "school", "harbour"]
_FUNCTION = ["the", "a", "in", "near", "not", "who", "where", "is", "?"]
LEXICON = [*_NOUNS, *_VERBS, *_ADJECTIVES, *_PLACES, *_FUNCTION, "."]
_TAGS = (
    dict.fromkeys(_NOUNS + _PLACES, "NOUN")
    | dict.fromkeys(_VERBS, "VERB")
    | dict.fromkeys(_ADJECTIVES, "ADJ")
    | {"the": "DET", "a": "DET", "in": "ADP", "near": "ADP", "not": "PART", ".": "PUNCT", "?": "PUNCT"}
)
_CODES = {"deu": "de", "hin": "hi", "swh": "sw", "tur": "tr", "cmn": "zh"}


def fetch_data(content: Content, folder: Path, place: Place) -> None:
    """Write the files that are asked for.

    Raises:
        UserError: if the tiny source has no such file.
    """
    for name in content.files:
        target(folder, name).write_text(file_text(name), encoding="utf-8")


def makes(name: str) -> bool:
    """Tell whether the tiny source has a file."""
    return any(re.fullmatch(pattern, name) for pattern in _FILES)


def file_text(name: str) -> str:
    """Return the content of one file, the same at every call."""
    for pattern, write in _FILES.items():
        match = re.fullmatch(pattern, name)
        if match:
            return write(random.Random(f"{write.__name__} {match.groupdict().get('split')}"), **match.groupdict())
    raise UserError(f"the tiny source has no file {name}; use `source: mirror` or `source: download` for this task")


def word(english: str, language: str) -> str:
    """Return a word in a language: a cipher of the English one, which shares no more than its length."""
    if language == "en" or not english.isalpha():
        return english
    shift = sum(map(ord, language)) % 25 + 1
    return "".join(chr((ord(letter) - 97 + shift) % 26 + 97) for letter in english)


def _say(words: list[str], language: str) -> str:
    return " ".join(word(item, language) for item in words)


def _event(rng: random.Random) -> dict[str, str]:
    subject, object_ = rng.sample(_NOUNS, 2)
    return {
        "subject": subject,
        "verb": rng.choice(_VERBS),
        "adjective": rng.choice(_ADJECTIVES),
        "object": object_,
        "place": rng.choice(_PLACES),
    }


def _sentence(event: Mapping[str, str], negated: bool = False) -> list[str]:
    verb = ["not", event["verb"]] if negated else [event["verb"]]
    return ["the", event["subject"], *verb, "a", event["adjective"], event["object"], "in", "the", event["place"], "."]


def _inference(rng: random.Random, language: str) -> tuple[str, str, str]:
    label = rng.choice(["entailment", "neutral", "contradiction"])
    event = _event(rng)
    other = _event(rng) if label == "neutral" else event
    second = _sentence(other, negated=label == "contradiction")
    return _say(_sentence(event), language), _say(second, language), label


def _mnli(rng: random.Random) -> str:
    rows = [dict(zip(("text_a", "text_b", "label"), _inference(rng, "en"), strict=True)) for _ in range(TRAIN_ROWS)]
    return json.dumps(dict(enumerate(rows)))


def _xnli(rng: random.Random, split: str, language: str) -> str:
    return "".join("\t".join(_inference(rng, language)) + "\n" for _ in range(TEST_ROWS))


def _questions(rng: random.Random, language: str, paragraphs: int) -> str:
    data = []
    for number in range(paragraphs):
        events = [_event(rng) for _ in range(2)]
        context = " ".join(_say(_sentence(event), language) for event in events)
        question = _say(["who", events[0]["verb"], "a", events[0]["adjective"], events[0]["object"], "?"], language)
        answer = word(events[0]["subject"], language)
        answers = [{"text": answer, "answer_start": context.index(answer)}]
        data.append({"context": context, "qas": [{"id": f"q{number}", "question": question, "answers": answers}]})
    return json.dumps({"data": [{"title": "tiny", "paragraphs": data}]})


def _squad(rng: random.Random, split: str) -> str:
    return _questions(rng, "en", TRAIN_ROWS if split == "train" else DEV_ROWS)


def _xquad(rng: random.Random, language: str) -> str:
    return _questions(rng, language, TEST_ROWS)


def _commonsenseqa(rng: random.Random, split: str) -> str:
    rows = []
    for number in range(TRAIN_ROWS if split == "train" else DEV_ROWS):
        event = _event(rng)
        texts = rng.sample(_PLACES, 5)
        key = "ABCDE"[texts.index(event["place"])] if event["place"] in texts else "A"
        texts["ABCDE".index(key)] = event["place"]
        choices = [{"label": label, "text": text} for label, text in zip("ABCDE", texts, strict=True)]
        stem = " ".join([*_sentence(event), "where", "is", "the", event["object"], "?"])
        rows.append({"id": f"c{number}", "answerKey": key, "question": {"stem": stem, "choices": choices}})
    return "".join(json.dumps(row) + "\n" for row in rows)


def _udpos(rng: random.Random, split: str, language: str) -> str:
    sentences = [_sentence(_event(rng)) for _ in range(TRAIN_ROWS if split == "train" else TEST_ROWS)]
    return "".join("".join(f"{word(item, language)}\t{_TAGS[item]}\n" for item in words) + "\n" for words in sentences)


def _tatoeba(rng: random.Random, pair: str, side: str) -> str:
    language = _CODES.get(side, side[:2])
    sentences = [_sentence(_event(rng)) for _ in range(TEST_ROWS)]
    return "".join(_say(words, language) + "\n" for words in sentences)


def _lareqa(rng: random.Random, language: str) -> str:
    content = json.loads(_questions(rng, language, TEST_ROWS))
    for paragraph in content["data"][0]["paragraphs"]:
        context = paragraph["context"]
        end = context.index(".") + 1
        paragraph["sentence_breaks"] = [[0, end], [end + 1, len(context)]]
        paragraph["sentences"] = [context[:end], context[end + 1 :]]
    return json.dumps(content)


def _bucc(rng: random.Random, pair: str, part: str) -> str:
    """Write one of the three files of a pair: the first half of both sides are translations of each other."""
    foreign = pair.partition("-")[0]
    events = [_event(random.Random(f"bucc {pair} {number}")) for number in range(3 * TEST_ROWS)]
    if part == "gold":
        return "".join(f"{foreign}-{number:09d}\ten-{number:09d}\n" for number in range(TEST_ROWS))
    own = events[: 2 * TEST_ROWS] if part == foreign else events[:TEST_ROWS] + events[2 * TEST_ROWS :]
    return "".join(f"{part}-{number:09d}\t{_say(_sentence(event), part)}\n" for number, event in enumerate(own))


def _text(rng: random.Random, language: str) -> str:
    return "".join(_say(_sentence(_event(rng)), language) + "\n" for _ in range(TRAIN_ROWS))


_FILES: dict[str, Callable[..., str]] = {
    r"mnli/train\.json": _mnli,
    r"xnli/(?P<split>dev|test)-(?P<language>\w\w)\.tsv": _xnli,
    r"squad_v2/(?P<split>train|dev)-v2\.0\.json": _squad,
    r"xquad/xquad\.(?P<language>\w\w)\.json": _xquad,
    r"commonsenseqa/(?P<split>train|dev)_rand_split\.jsonl": _commonsenseqa,
    r"udpos/(?P<split>train|dev|test)-(?P<language>\w\w)\.tsv": _udpos,
    r"lareqa/(?P<language>\w\w)\.json": _lareqa,
    r"bucc2018/(?P<pair>\w\w-en)\.dev\.(?P<part>\w+)": _bucc,
    r"text/(?P<language>\w\w)\.txt": _text,
    r"tatoeba/tatoeba\.(?P<pair>\w+-eng)\.(?P<side>\w+)": _tatoeba,
}


def fetch_model(content: Content, folder: Path, place: Place) -> None:
    """Write a model with random weights and its tokenizer: an encoder like XLM-R, or a decoder like Llama."""
    import torch
    import transformers

    shape, is_decoder = content.shape or {}, content.architecture is not None
    tokenizer = _tokenizer(is_decoder)
    tokenizer.save(str(folder / "tokenizer.json"))
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    special |= {} if is_decoder else {"mask_token": "<mask>"}
    longest = {"model_max_length": 512 if is_decoder else 254}
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", **longest, **special})
    )
    settings = {
        "vocab_size": tokenizer.get_vocab_size(),
        "hidden_size": shape["hidden_size"],
        "num_hidden_layers": shape["layers"],
        "num_attention_heads": shape["heads"],
        "intermediate_size": 2 * shape["hidden_size"],
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
    }
    torch.manual_seed(content.seed)
    model = (
        transformers.LlamaForCausalLM(transformers.LlamaConfig(max_position_embeddings=512, **settings))
        if is_decoder
        else transformers.XLMRobertaForMaskedLM(
            transformers.XLMRobertaConfig(max_position_embeddings=256, type_vocab_size=1, **settings)
        )
    )
    model.save_pretrained(folder)


def _tokenizer(is_decoder: bool) -> Any:
    """Return a tokenizer whose tokens are the words and letters, so that nothing has to be trained.

    That of an encoder puts special tokens around and between texts as XLM-R's does; that of a decoder one before them,
    and it has a line break in place of a mask token.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    letters = [chr(number) for number in range(ord("a"), ord("z") + 1)]
    forms = {word(english, language) for english in LEXICON for language in ("en", *_CODES.values())}
    whole = [f"\u2581{form}" for form in sorted(forms)]
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    # a longer piece is likelier than the letters it is made of
    tokens = [(piece, 0.0) for piece in special] + [(piece, -5.0) for piece in whole]
    tokens += [(piece, -10.0) for piece in ["\u2581", *letters]]
    tokens += [("\n", -10.0)] if is_decoder else [("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(tokens, unk_id=special.index("<unk>")))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.add_special_tokens(special if is_decoder else [*special, "<mask>"])
    single, pair = ("<s> $A", "<s> $A $B") if is_decoder else ("<s> $A </s>", "<s> $A </s> </s> $B </s>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=pair, special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return tokenizer
