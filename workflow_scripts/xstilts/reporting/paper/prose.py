"""Sentences of a paper: text, citations and references to tables, as LaTeX and as Markdown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from xstilts.reporting.latex import escape


@dataclass(frozen=True)
class Cite:
    """A citation of works, by their keys in the bibliography; of none, nothing."""

    keys: tuple[str, ...]


@dataclass(frozen=True)
class See:
    """A reference to a table or a figure, by its label, such as ``tab:data``."""

    label: str


Part = str | Cite | See
Sentence = tuple[Part, ...]


def in_latex(sentences: Iterable[Sentence]) -> str:
    """Return sentences as LaTeX, each on a line of its own; what they cite needs natbib."""
    return "\n".join("".join(map(_latex, sentence)) for sentence in sentences)


def _latex(part: Part) -> str:
    match part:
        case Cite(keys):
            return rf"~\citep{{{','.join(keys)}}}" if keys else ""
        case See(label):
            return rf"Table~\ref{{{label}}}"
        case text:
            return escape(text)


def in_markdown(sentences: Iterable[Sentence]) -> str:
    """Return sentences as Markdown, citations as Pandoc has them: ``[@conneau2018xnli]``."""
    return " ".join("".join(map(_markdown, sentence)) for sentence in sentences)


def _markdown(part: Part) -> str:
    match part:
        case Cite(keys):
            return f" [{'; '.join(f'@{key}' for key in keys)}]" if keys else ""
        case See(label):
            return f"table `{label.partition(':')[2]}`"
        case text:
            return text


def listed(items: Sequence[Sentence]) -> Sentence:
    """Return items as English lists them: a, b and c."""
    parts: list[Part] = []
    for number, item in enumerate(items):
        if number:
            parts.append(" and " if number == len(items) - 1 else ", ")
        parts += item
    return tuple(parts)


def semicolons(items: Sequence[Sentence]) -> Sentence:
    """Return items with semicolons between them."""
    return tuple(part for number, item in enumerate(items) for part in (*(["; "] if number else []), *item))


def cited(sentences: Iterable[Sentence]) -> list[str]:
    """Return the keys of the works that sentences cite, each once."""
    return list(dict.fromkeys(key for sentence in sentences for part in sentence for key in _keys(part)))


def _keys(part: Part) -> tuple[str, ...]:
    return part.keys if isinstance(part, Cite) else ()
