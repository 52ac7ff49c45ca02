"""Files of the tasks on pairs of texts: entailment, paraphrase, questions that ask the same."""

import json
from collections.abc import Iterator

from xstilts.data.sources.miniature import inference, paraphrase
from xstilts.data.sources.miniature.maker import Maker

MNLI_ROWS = {"train": 6000, "dev": 300}
SNLI_ROWS = {"train": 3000, "dev": 300}
ANLI_ROWS = {"train": 1200, "dev": 120}
XNLI_ROWS = {"dev": 300, "test": 600}
PAWSX_ROWS = {"train": 4000, "dev": 300, "test": 600}
QQP_ROWS = 4000
# numbers of events in a premise
_MNLI, _SNLI = (1, 2), (1,)
_ANLI = {"1": (2,), "2": (2, 3), "3": (3,)}
# the files of XNLI's translated training sets have a name of their own for it
_TRANSLATED = {"contradiction": "contradictory"}


def mnli(maker: Maker, split: str) -> str:
    """Write a file of ``multinli_1.0.zip``."""
    split = "train" if split == "train" else "dev"
    return _json_lines(maker, inference.examples(maker.teller("mnli", split), MNLI_ROWS[split], _MNLI))


def mnli_translated(maker: Maker, language: str) -> str:
    """Write a file of ``XNLI-MT-1.0.zip``: the training set in another language, exactly."""
    rows = ["premise\thypo\tlabel"]
    for example in inference.examples(maker.teller("mnli", "train"), MNLI_ROWS["train"], _MNLI):
        texts = maker.say(language, *example.premise), maker.say(language, example.hypothesis)
        rows.append("\t".join((*texts, _TRANSLATED.get(example.label, example.label))))
    return "\n".join(rows) + "\n"


def snli(maker: Maker, split: str) -> str:
    """Write a file of ``snli_1.0.zip``."""
    return _json_lines(maker, inference.examples(maker.teller("snli", split), SNLI_ROWS[split], _SNLI))


def _json_lines(maker: Maker, examples: Iterator[inference.Example]) -> str:
    rows = (
        {
            "gold_label": example.label,
            "sentence1": maker.say("en", *example.premise),
            "sentence2": maker.say("en", example.hypothesis),
        }
        for example in examples
    )
    return "".join(json.dumps(row) + "\n" for row in rows)


def anli(maker: Maker, number: str, split: str) -> str:
    """Write a file of a round of ``anli_v1.0.zip``; every round has longer premises."""
    found = inference.examples(maker.teller(f"anli {number}", split), ANLI_ROWS[split], _ANLI[number])
    rows = (
        {
            "uid": f"r{number}-{place}",
            "context": maker.say("en", *example.premise),
            "hypothesis": maker.say("en", example.hypothesis),
            "label": example.label[0],
        }
        for place, example in enumerate(found)
    )
    return "".join(json.dumps(row) + "\n" for row in rows)


def xnli(maker: Maker, split: str, language: str) -> str:
    """Write a file in XTREME's layout: three neighbouring rows have the same premise."""
    found = inference.examples(maker.teller("xnli", split), XNLI_ROWS[split], _MNLI)
    return "".join(
        f"{maker.say(language, *example.premise)}\t{maker.say(language, example.hypothesis)}\t{example.label}\n"
        for example in found
    )


def pawsx(maker: Maker, split: str, language: str) -> str:
    """Write a file in XTREME's layout."""
    found = paraphrase.examples(maker.teller("pawsx", split), PAWSX_ROWS[split])
    return "".join("\t".join(_pair(maker, language, pair)) + "\n" for pair in found)


def pawsx_translated(maker: Maker, language: str) -> str:
    """Write a file of ``x-final.tar.gz``: the training set in another language, exactly."""
    rows = ["id\tsentence1\tsentence2\tlabel"]
    for number, pair in enumerate(paraphrase.examples(maker.teller("pawsx", "train"), PAWSX_ROWS["train"]), 1):
        rows.append("\t".join((str(number), *_pair(maker, language, pair))))
    return "\n".join(rows) + "\n"


def _pair(maker: Maker, language: str, pair: paraphrase.Pair) -> tuple[str, str, str]:
    return maker.say(language, pair.one), maker.say(language, pair.other), str(int(pair.same))


def qqp(maker: Maker) -> str:
    """Write pairs of questions, an object of rows."""
    found = paraphrase.examples(maker.teller("qqp", "train"), QQP_ROWS, questions=True)
    rows = (dict(zip(("text_a", "text_b", "label"), _pair(maker, "en", pair), strict=True)) for pair in found)
    return json.dumps(dict(enumerate(rows)))
