"""The miniature world: text and tasks in seven made-up languages, in the layout of the real files, from a seed.

Unlike the tiny source, what it makes can be learnt: the languages word one world, in which everything has its
preferences, so that a small masked language model trained on their text finds out by itself what corresponds in them
(after K et al. 2020, Cross-Lingual Ability of Multilingual BERT, and Dufter and Schütze 2020, Identifying Elements
Essential for BERT's Multilinguality). All of it is synthetic, and no score on it is one of a real language.
"""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from xstilts.data.sources import Place
from xstilts.data.sources.miniature import bitext, choices, pairs, reading, tagging, text
from xstilts.data.sources.miniature.languages import table
from xstilts.data.sources.miniature.maker import Maker
from xstilts.errors import UserError
from xstilts.store.files import target
from xstilts.store.specs.data import Content

TEXT_ROWS = 40_000
# raised when the same seed would give other files: data nodes, and all below them, move
VERSION = 2


def fetch_data(content: Content, folder: Path, place: Place) -> None:
    """Write the files that are asked for, of the world of the seed that ``content`` names.

    Raises:
        UserError: if the miniature world has no such file.
    """
    assert content.seed is not None  # that of a made-up world is
    maker = Maker(content.seed)
    for name in content.files:
        target(folder, name).write_text(file_text(maker, name), encoding="utf-8")


def makes(name: str) -> bool:
    """Tell whether the miniature world has a file."""
    return _found(name) is not None


def file_text(maker: Maker, name: str) -> str:
    """Return the content of one file of a world, the same at every call."""
    found = _found(name)
    if found is None:
        raise UserError(f"the miniature world has no file {name}; leave out its task, or the language")
    write, groups = found
    return write(maker, **groups)


def planted_dose(name: str) -> int | None:
    """Return of how many percent of its rows a file of planted effects has the right answers; None of another file."""
    write, groups = _found(name) or (None, {})
    return int(groups["dose"]) if write is reading.planted else None


@cache
def _found(name: str) -> tuple[Callable[..., str], dict[str, str]] | None:
    """Return what writes a file, and the parts of its name."""
    for pattern, write in _files():
        match = pattern.fullmatch(name)
        if match:
            return write, match.groupdict()
    return None


def _text(maker: Maker, language: str) -> str:
    documents = text.documents(maker.language(language), maker.teller(f"text {language}", "train"), TEXT_ROWS)
    return "".join(f"{document}\n" for document in documents)


@cache
def _files() -> list[tuple[re.Pattern[str], Callable[..., str]]]:
    """Return the patterns of file names; ``any``, ``foreign`` and ``read`` stand for codes of languages."""
    groups = {
        "any": list(table()),
        "foreign": [code for code in table() if code != "en"],
        "read": [code for code, facts in table().items() if facts.text],
    }
    codes = {f"<{name}>": f"(?P<language>{'|'.join(known)})" for name, known in groups.items()}
    found = []
    for template, write in _FILES.items():
        for name, pattern in codes.items():
            template = template.replace(name, pattern)
        found.append((re.compile(template), write))
    return found


_FILES: dict[str, Callable[..., str]] = {
    r"text/<read>\.txt": _text,
    # pairs of texts
    r"mnli/multinli_1\.0_(?P<split>train|dev_matched)\.jsonl": pairs.mnli,
    r"mnli/multinli\.train\.<foreign>\.tsv": pairs.mnli_translated,
    r"snli/snli_1\.0_(?P<split>train|dev)\.jsonl": pairs.snli,
    r"anli/anli_v1\.0/R(?P<number>[123])/(?P<split>train|dev)\.jsonl": pairs.anli,
    r"xnli/(?P<split>dev|test)-<any>\.tsv": pairs.xnli,
    r"pawsx/(?P<split>train)-(?P<language>en)\.tsv": pairs.pawsx,
    r"pawsx/(?P<split>dev|test)-<any>\.tsv": pairs.pawsx,
    r"pawsx/x-final/<foreign>/translated_train\.tsv": pairs.pawsx_translated,
    r"qqp/train\.json": pairs.qqp,
    # questions about a text
    r"squad/(?P<split>train|dev)-v(?P<version>1\.1|2\.0)\.json": reading.squad,
    r"squad_translate_train/squad\.translate\.train\.en-<foreign>\.json": reading.squad_translated,
    r"xquad/xquad\.<any>\.json": reading.xquad,
    r"mlqa/(?P<split>dev|test)-context-<any>-question-(?P=language)\.json": reading.mlqa,
    r"tydiqa/tydiqa\.goldp\.<any>\.(?P<split>train|dev)\.json": reading.tydiqa,
    r"lareqa/<any>\.json": reading.lareqa,
    r"planted/qa-(?P<order>[ab])-(?P<dose>\d|[1-9]\d|100)\.train\.json": reading.planted,
    # choices
    r"commonsenseqa/(?P<split>train|dev)_rand_split\.jsonl": choices.commonsenseqa,
    r"hellaswag/hellaswag_(?P<split>train|val)\.jsonl": choices.hellaswag,
    r"cosmosqa/data/(?P<split>train|valid)\.csv": choices.cosmosqa,
    r"copa/(?P<split>train|val)-en\.jsonl": choices.copa,
    r"xcopa/(?P<split>test|val)\.<any>\.jsonl": choices.xcopa,
    # tags
    r"udpos/(?P<split>train)-(?P<language>en)\.tsv": tagging.udpos,
    r"udpos/(?P<split>dev|test)-<any>\.tsv": tagging.udpos,
    r"panx/(?P<split>train)-(?P<language>en)\.tsv": tagging.panx,
    r"panx/(?P<split>dev|test)-<any>\.tsv": tagging.panx,
    r"ccg_pmb/en\.(?P<split>train|dev)\.conll": tagging.ccg,
    # translations and mentions
    r"tatoeba/tatoeba\.<foreign>-eng\.(?P<side>(?P=language)|eng)": bitext.tatoeba,
    r"bucc2018/<foreign>-en\.(?P<split>dev|test)\.(?P<part>(?P=language)|en|gold)": bitext.bucc,
    r"mewslix/wikipedia_pairs-(?P<split>train|dev)\.jsonl": bitext.mewslix_pairs,
    r"mewslix/wikinews_mentions-(?P<split>dev|test)\.jsonl": bitext.mewslix_mentions,
    r"mewslix/candidate_set_entities\.jsonl": bitext.mewslix_candidates,
}
