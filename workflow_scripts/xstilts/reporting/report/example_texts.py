"""What people see of an example: its texts, shortened around the answers, and predictions and gold answers in words."""

import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xstilts.forms.declaration import Form, Notation, Role

# a text longer than this is shortened, to so many characters on both sides of an answer; other rows' texts to ITEM
LONGEST, AROUND, ITEM = 240, 60, 120
# answers, and words of a sentence, that are shown of an example
ANSWERS, WORDS = 3, 12
# how far an end may move to the next space
_TO_SPACE = 12
Row = Mapping[str, Any]
# where something stands in a text: its first character, and the one behind its last
Extent = tuple[int, int]


@dataclass(frozen=True)
class Segment:
    """A segment of a text, and whether it is marked: it is a gold answer, or a word on which a tag is wrong."""

    text: str
    marked: bool = False


@dataclass(frozen=True)
class Text:
    """A text of an example: what it is, its language, and its segments."""

    name: str
    language: str
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Answer:
    """A text with its language, and what is said of it in English; either may be empty."""

    text: str = ""
    language: str = ""
    note: str = ""


# other rows that predictions name, by that name, in the language of the example
Found = Mapping[str, Answer]


def texts(form: Form, row: Row, labels: Sequence[str] | None, gold: str, predictions: Sequence[str]) -> list[Text]:
    """Return the texts of an example.

    Args:
        form: its form.
        row: the prepared row.
        labels: the task's label names.
        gold: the gold answer.
        predictions: those that are shown beside it.
    """
    language, found = row["language"], []
    of_words = {form.fields[name].of for name in form.of_role(Role.LABELS)}
    for name in form.texts:
        value, title = row[name], name.replace("_", " ")
        if isinstance(value, str) and value:
            gold_extents = _gold_extents(form, row, name)
            predicted = [] if gold_extents is None else _extents(value, predictions)
            marks = gold_extents or []
            found.append(Text(title, language, shortened(value, marks, [*marks[:1], *predicted])))
        elif name in of_words:
            marks = _word_extents(value, differing(gold, predictions))
            found.append(Text(title, language, shortened(" ".join(value), marks, marks[:WORDS])))
        elif value:
            named = labels or [str(index) for index in range(len(value))]
            found += [
                Text(f"{title} {label}", language, shortened(choice, [], []))
                for label, choice in zip(named, value, strict=False)
            ]
    return found


def _gold_extents(form: Form, row: Row, name: str) -> list[Extent] | None:
    """Return where the gold answers stand in a field; None for a field that answers are no spans of."""
    fields = [field for field in form.of_role(Role.ANSWERS) if form.fields[field].of == name]
    if not fields:
        return None
    return [(one["start"], one["start"] + len(one["text"])) for field in fields for one in row[field]]


def _extents(text: str, predictions: Iterable[str]) -> list[Extent]:
    """Return where predictions first stand in a text."""
    starts = {prediction: text.find(prediction) for prediction in predictions if prediction}
    return [(start, start + len(prediction)) for prediction, start in starts.items() if start >= 0]


def differing(gold: str, predictions: Iterable[str]) -> list[int]:
    """Return the words on which one of the predictions is not the gold one; all are tags separated by spaces."""
    tags = [line.split(" ") for line in (gold, *predictions)]
    return [index for index, of_word in enumerate(zip(*tags, strict=True)) if len(set(of_word)) > 1]


def _word_extents(words: Sequence[str], chosen: Sequence[int]) -> list[Extent]:
    """Return where some words stand in the words joined by spaces."""
    starts, start = [], 0
    for word in words:
        starts.append(start)
        start += len(word) + 1
    return [(starts[index], starts[index] + len(words[index])) for index in chosen]


def shortened(
    text: str, marks: Sequence[Extent], seen: Sequence[Extent], longest: int = LONGEST, around: int = AROUND
) -> tuple[Segment, ...]:
    """Return a text in segments, with an ellipsis where something is left out.

    Args:
        text: the text.
        marks: what is marked in it.
        seen: what has to be seen where the text is too long; without any its beginning is.
        longest: characters above which it is shortened.
        around: characters that are kept on both sides of what is seen.
    """
    kept: list[Extent] = [(0, len(text))]
    if len(text) > longest:
        # of an answer that is long itself, the beginning is seen
        asked = [(start - around, min(stop, start + longest) + around) for start, stop in seen] or [(0, longest)]
        kept = _merged((_edge(text, start, -1), _edge(text, stop, 1)) for start, stop in asked)
    marked = _merged(marks)
    segments: list[Segment] = []
    end = 0
    for start, stop in kept:
        segments += [Segment("… " if start == 0 or not segments else " … ")] if start > end else []
        segments += _segments(text, start, stop, marked)
        end = stop
    return tuple([*segments, Segment(" …")] if end < len(text) else segments)


def _edge(text: str, place: int, step: int) -> int:
    """Return a place that cuts no word, if a space is near, and no letter from its marks; it moves outwards."""
    place = min(max(place, 0), len(text))
    near = place
    for _ in range(_TO_SPACE):
        if not 0 < near < len(text) or text[near if step > 0 else near - 1].isspace():
            return near
        near += step
    while 0 < place < len(text) and unicodedata.category(text[place]).startswith("M"):
        place += step
    return place


def _merged(extents: Iterable[Extent]) -> list[Extent]:
    """Return extents in order, those that overlap or touch as one."""
    merged: list[Extent] = []
    for start, stop in sorted(extents):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    return merged


def _segments(text: str, start: int, stop: int, marks: Sequence[Extent]) -> list[Segment]:
    """Return a part of a text, in segments that are marked or not."""
    inside = [(max(first, start), min(last, stop)) for first, last in marks if first < stop and last > start]
    segments, end = [], start
    for first, last in inside:
        segments += [Segment(text[end:first]), Segment(text[first:last], marked=True)]
        end = last
    return [segment for segment in (*segments, Segment(text[end:stop])) if segment.text]


def excerpt(text: str) -> str:
    """Return a text of another row, or an answer, not longer than people read beside others."""
    return "".join(segment.text for segment in shortened(text, [], [], longest=ITEM))


def names(notation: Notation, answer: str, is_gold: bool) -> list[str]:
    """Return the single answers of a prediction or a gold answer: texts, labels, or what other rows are called.

    Of a ranking it is the best candidate.
    """
    if notation == Notation.RANKING or (notation == Notation.SPAN and is_gold):
        listed: list[str] = json.loads(answer)
        return listed[:1] if notation == Notation.RANKING and not is_gold else listed
    return [answer] if answer else []


def answers(
    form: Form, row: Row, labels: Sequence[str] | None, gold: str, predictions: Sequence[str], found: Found
) -> list[list[Answer]]:
    """Return the gold answer and then the predictions, each as a list of answers.

    Args:
        form: the form of the example, which has a judgement.
        row: the prepared row.
        labels: the task's label names.
        gold: the gold answer.
        predictions: those that are shown beside it.
        found: the rows that they name.
    """
    assert form.judgement is not None
    notation, language = form.judgement.notation, row["language"]
    if notation == Notation.TAGS:
        (field,) = form.of_role(Role.LABELS)
        words, places = row[form.fields[field].of], differing(gold, predictions)
        return [_tagged(words, line.split(" "), places, language) for line in (gold, *predictions)]
    show = _SHOWN[notation]
    lists = [names(notation, gold, True), *(names(notation, one, False) for one in predictions)]
    return [_capped([show(name, form, row, labels, found) for name in of_answer]) for of_answer in lists]


def _tagged(words: Sequence[str], tags: Sequence[str], places: Sequence[int], language: str) -> list[Answer]:
    """Return words with their tags, as many as are shown."""
    shown = [Answer(words[place], language, tags[place]) for place in places[:WORDS]]
    return shown + ([Answer(note=f"and {len(places) - WORDS} more words")] if len(places) > WORDS else [])


def _capped(shown: list[Answer]) -> list[Answer]:
    if not shown:
        return [Answer(note="no answer")]
    more = len(shown) - ANSWERS
    return [*shown[:ANSWERS], Answer(note=f"and {more} more")] if more > 0 else shown


def _label(name: str, form: Form, row: Row, labels: Sequence[str] | None, found: Found) -> Answer:
    return Answer(note=name)


def _choice(name: str, form: Form, row: Row, labels: Sequence[str] | None, found: Found) -> Answer:
    (field,) = form.of_role(Role.TEXTS)
    return Answer(excerpt(row[field][(labels or ()).index(name)]), row["language"], name)


def _span(name: str, form: Form, row: Row, labels: Sequence[str] | None, found: Found) -> Answer:
    return Answer(excerpt(name), row["language"])


def _other_row(name: str, form: Form, row: Row, labels: Sequence[str] | None, found: Found) -> Answer:
    return found.get(name, Answer(note=name))


_SHOWN: dict[Notation, Callable[[str, Form, Row, Sequence[str] | None, Found], Answer]] = {
    Notation.LABEL: _label,
    Notation.CHOICE: _choice,
    Notation.SPAN: _span,
    Notation.RANKING: _other_row,
    Notation.PAIR: _other_row,
    Notation.INDEX: _other_row,
}


def of_row(form: Form, row: Row) -> Answer:
    """Return another row, that a prediction names, by its texts."""
    values = [row[name] for name in form.of_role(Role.TEXT) if row[name]]
    return Answer(" / ".join(map(excerpt, values)), row["language"], row["example_id"])
