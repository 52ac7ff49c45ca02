"""How a tokenizer cuts the languages of a study: fertility, and what a language's tokens have in common with another's.

Counted on the study's own evaluation rows with the model's own tokenizer; the arrays of tokens nodes will not do, for
they have special tokens, overlapping windows and cut ends. *Fertility* is the number of tokens per word (Rust et al.
2021, How Good is Your Tokenizer?, arXiv:2012.15613). Scripts that put no spaces between words have characters per
token in its place; the two are not comparable. *Shared tokens* are those of a language that also occur in the rows of
the source language, after the overlap of Pires et al. 2019 (How Multilingual is Multilingual BERT?, arXiv:1906.01502);
they grow with the number of rows. Tokens without a letter or digit, such as punctuation and the mark of a word's
beginning, count for fertility alone, and the unknown token is never shared.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from xstilts.data.prepared_rows import read_prepared
from xstilts.evaluation import resampling
from xstilts.forms import FORMS
from xstilts.forms.declaration import Form, Role
from xstilts.store.specs.base import MODEL, PREPARED, TOKENS
from xstilts.store.study_plan import StudyPlan
from xstilts.tokenization.tokenizer import ModelTokenizer

# rows of a language that are counted, the first ones
ROWS = 1000
# ISO 15924 codes of scripts without spaces between words: Chinese and Japanese, and those for which Unicode's word
# boundaries need a dictionary (Unicode Standard Annex 29, section 4)
WITHOUT_SPACES = ("Hans", "Hant", "Jpan", "Thai", "Laoo", "Khmr", "Mymr")
TOKENS_PER_WORD, CHARACTERS_PER_TOKEN = "tokens per word", "characters per token"


@dataclass(frozen=True)
class Rows:
    """Evaluation rows of a target, and the tokenizer of a model.

    Attributes:
        target: its name.
        form: its form.
        languages: those that it has.
        parallel: whether they are translations of each other.
        prepared: the node of the rows.
        tokenizer: the node of the tokenizer.
    """

    target: str
    form: Form
    languages: tuple[str, ...]
    parallel: bool
    prepared: str
    tokenizer: str


@dataclass(frozen=True)
class Counts:
    """What was counted on the rows of a language.

    Attributes:
        types: how often each token with a letter or digit occurs.
        unknown: how often the unknown token occurs.
        tokens: all tokens.
        words: words between white space, or those that the data give.
        characters: without white space.
        rows: their number.
    """

    types: Counter[int]
    unknown: int
    tokens: int
    words: int
    characters: int
    rows: int


def rows_of(plan: StudyPlan, node: str, target: str, languages: Iterable[str]) -> Rows | None:
    """Return the evaluation rows behind a node of predictions; None for retrieval, whose rows are in two languages.

    Args:
        plan: the study's plan.
        node: the node.
        target: the target that it predicts.
        languages: the languages that it predicts.
    """
    form = FORMS[plan.targets[target].form]
    if form.embedded:
        return None
    parents = plan.nodes[plan.nodes[node].parents[TOKENS]].parents
    parallel = resampling.evaluation_data(plan, node).parallel
    return Rows(target, form, tuple(languages), parallel, parents[PREPARED], parents[MODEL])


def from_best(rows: Iterable[Rows], languages: Iterable[str]) -> list[Rows]:
    """Return rows from best to worst: those in all languages first, then translations, then those in most languages."""
    asked = set(languages)

    def rank(one: Rows) -> tuple[bool, bool, int]:
        lacking = len(asked - set(one.languages))
        return lacking > 0, not one.parallel, lacking

    return sorted(rows, key=rank)


def count(results: Path, rows: Rows, language: str) -> Counts:
    """Count tokens, words and characters of the first rows of a language; a text that repeats counts once.

    Args:
        results: the results folder.
        rows: the rows.
        language: the language.

    Raises:
        FileNotFoundError: naming the node, where its files were pruned.
    """
    path, folder = results / rows.prepared / f"{language}.parquet", results / rows.tokenizer
    for node, file in ((rows.prepared, path), (rows.tokenizer, folder / "tokenizer.json")):
        if not file.exists():
            raise FileNotFoundError(f"{node} is not there any more")
    tokenizer = _tokenizer(folder)
    table = read_prepared(path, list(rows.form.texts)).slice(0, ROWS)
    given = words_field(rows.form)
    if given is not None:
        sentences = table[given].to_pylist()
        encoded = tokenizer.words(sentences)
    else:
        texts = _texts(value for name in rows.form.texts for value in table[name].to_pylist())
        sentences = [text.split() for text in texts]
        encoded = tokenizer.tokenize(texts)
    found = Counter(token for one in encoded for token in zip(one.ids, one.tokens, strict=True))
    types: Counter[int] = Counter()
    unknown = 0
    for (token, text), times in found.items():
        if tokenizer.has_unknown and token == tokenizer.unknown:
            unknown += times
        elif any(map(str.isalnum, text)):
            types[token] += times
    words = sum(map(len, sentences))
    characters = sum(len(word) for sentence in sentences for word in sentence)
    return Counts(types, unknown, found.total(), words, characters, table.num_rows)


@lru_cache(maxsize=1)
def _tokenizer(folder: Path) -> ModelTokenizer:
    """Read a tokenizer once for all languages: one of 250,000 tokens takes a second."""
    return ModelTokenizer(folder)


def _texts(values: Iterable[str | Sequence[str] | None]) -> list[str]:
    """Return the different texts of values that are a text, several, or none; without empty ones."""
    texts = (text for value in values if value for text in ([value] if isinstance(value, str) else value))
    return [text for text in dict.fromkeys(texts) if text]


def words_field(form: Form) -> str | None:
    """Return the field whose texts are the words of a sentence; None for a form that has none."""
    return form.of_role(Role.TEXTS)[0] if form.of_role(Role.LABELS) else None


def compare(own: Counts, source: Counts, per_word: bool) -> dict[str, Any]:
    """Return fertility, and what is shared with the source language, in percent.

    Args:
        own: counts of a language.
        source: counts of the source language.
        per_word: whether the words of the language are known.
    """
    shared = own.types.keys() & source.types.keys()
    return {
        "fertility": own.tokens / own.words if per_word else own.characters / own.tokens,
        "fertility_unit": TOKENS_PER_WORD if per_word else CHARACTERS_PER_TOKEN,
        "shared_tokens": 100 * sum(own.types[token] for token in shared) / (own.types.total() + own.unknown),
        "shared_types": 100 * len(shared) / max(len(own.types), 1),
        "unknown_tokens": 100 * own.unknown / own.tokens,
        "tokens": own.tokens,
        "rows": own.rows,
    }
