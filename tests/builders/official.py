"""Official labels of rows, and scores of files against them, by the rules of XTREME's own scripts in other words.

Sources: ``evaluate.py``, ``third_party/evaluate_squad.py``, ``evaluate_mlqa.py`` and ``utils_mewslix.py`` of
google-research/xtreme, and seqeval 0.0.12, whose rules its published numbers follow. Nothing of the package is used.
"""

import json
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

# id, prediction, gold answer, and the English text of a translation
Row = tuple[str, str, str, str]
GERMAN_ARTICLES = ["ein", "eine", "einen", "einem", "eines", "einer", "der", "die", "das", "den", "dem", "des"]


def labels_of(layout: str, rows: Sequence[Row]) -> str:
    """Return the official file of labels."""
    if layout == "tatoeba":
        order = sorted(enumerate(rows), key=lambda row: row[1][3].strip())
        return "".join(f"{number}\n" for number, _ in order)
    if layout in ("udpos", "panx"):
        return "\n".join(gold.replace(" ", "\n") + "\n" for _, _, gold, _ in rows)
    if layout == "bucc2018":
        return "".join(f"{name}\t{gold}\n" for name, _, gold, _ in rows if gold)
    if layout == "xcopa":
        return "".join(json.dumps({"premise": "A", "label": int(gold)}) + "\n" for _, _, gold, _ in rows)
    if layout in ("mewslix", "lareqa"):
        return json.dumps({name: json.loads(gold) for name, _, gold, _ in rows})
    if layout in ("xquad", "mlqa", "tydiqa"):
        questions = [
            {"id": name, "question": "", "answers": [{"text": text, "answer_start": 0} for text in json.loads(gold)]}
            for name, _, gold, _ in rows
        ]
        return json.dumps(
            {"version": "1.1", "data": [{"title": "", "paragraphs": [{"context": "", "qas": questions}]}]}
        )
    return "".join(f"{gold}\n" for _, _, gold, _ in rows)


def score_of(layout: str, predictions: Path, labels: Path) -> dict[str, float]:
    """Return the official scores of a file in German, in percent, by the names that metrics have here."""
    return _SCORES[layout](predictions, labels)


def _accuracy(predictions: Path, labels: Path) -> dict[str, float]:
    found, gold = ([line.strip() for line in path.open()] for path in (predictions, labels))
    assert len(found) == len(gold)
    return {"accuracy": 100 * sum(map(str.__eq__, found, gold)) / len(gold)}


def _accuracy_of_choices(predictions: Path, labels: Path) -> dict[str, float]:
    found, gold = ([json.loads(line)["label"] for line in path.open()] for path in (predictions, labels))
    assert len(found) == len(gold)
    return {"accuracy": 100 * sum(map(int.__eq__, found, gold)) / len(gold)}


def _f1(found: set[tuple[object, ...]], gold: set[tuple[object, ...]]) -> dict[str, float]:
    right = len(found & gold)
    return {"f1": 100 * 2 * right / (len(found) + len(gold)) if right else 0.0}


def _pairs(predictions: Path, labels: Path) -> dict[str, float]:
    found, gold = ({tuple(line.strip().split("\t")) for line in path.open()} for path in (predictions, labels))
    return _f1(found, gold)


def _tags(predictions: Path, labels: Path) -> dict[str, float]:
    found, gold = (path.read_text().strip("\n").split("\n\n") for path in (predictions, labels))
    assert [len(sentence.split()) for sentence in found] == [len(sentence.split()) for sentence in gold]
    spans = (
        {(*span, number) for number, one in enumerate(side) for span in _spans(one.split())} for side in (found, gold)
    )
    return _f1(*spans)


def _spans(tags: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Yield type, first and last word: a span goes on where letter and type of neighbours say nothing else."""
    first = 0
    for index, tag in enumerate(tags):
        kind, after = tag.split("-")[-1], tags[index + 1] if index + 1 < len(tags) else "O"
        goes_on = after.split("-")[-1] == kind and after[0] not in "BS" and tag[0] not in "ES"
        if not goes_on:
            if tag != "O":
                yield kind, first, index
            first = index + 1


def _answers(normalised: Callable[[str], str]) -> Callable[[Path, Path], dict[str, float]]:
    def score(predictions: Path, labels: Path) -> dict[str, float]:
        found = json.loads(predictions.read_text())
        questions = json.loads(labels.read_text())["data"][0]["paragraphs"][0]["qas"]
        assert {question["id"] for question in questions} == set(found)
        exact, f1 = [], []
        for question in questions:
            words = normalised(found[question["id"]]).split()
            gold = [normalised(answer["text"]).split() for answer in question["answers"]]
            exact.append(max(words == one for one in gold))
            f1.append(max(_overlap(words, one) for one in gold))
        return {"exact_match": 100 * sum(exact) / len(exact), "f1": 100 * sum(f1) / len(f1)}

    return score


def _overlap(words: Sequence[str], gold: Sequence[str]) -> float:
    shared = (Counter(words) & Counter(gold)).total()
    return 2 * shared / (len(words) + len(gold)) if shared else 0.0


def _as_squad(text: str) -> str:
    kept = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", kept)


def _as_german_mlqa(text: str) -> str:
    kept = "".join(letter for letter in text.lower() if not unicodedata.category(letter).startswith("P"))
    return " ".join(word for word in kept.split() if word not in GERMAN_ARTICLES)


def _mean_average_precision(predictions: Path, labels: Path) -> dict[str, float]:
    found, gold = (json.loads(path.read_text()) for path in (predictions, labels))
    precisions = []
    for query, relevant in gold.items():
        hits = [rank for rank, candidate in enumerate(found[query][:20], 1) if candidate in relevant]
        precisions.append(sum(number / rank for number, rank in enumerate(hits, 1)) / min(len(relevant), 20))
    return {"mean_average_precision": 100 * sum(precisions) / len(precisions)}


_SCORES: Mapping[str, Callable[[Path, Path], dict[str, float]]] = {
    **dict.fromkeys(("xnli", "pawsx", "tatoeba"), _accuracy),
    **dict.fromkeys(("udpos", "panx"), _tags),
    **dict.fromkeys(("xquad", "tydiqa"), _answers(_as_squad)),
    **dict.fromkeys(("mewslix", "lareqa"), _mean_average_precision),
    "mlqa": _answers(_as_german_mlqa),
    "bucc2018": _pairs,
    "xcopa": _accuracy_of_choices,
}
