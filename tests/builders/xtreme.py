"""Predictions and labels of every task in XTREME's layout."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from xstilts import commands
from xstilts.evaluation import xtreme_format
from xstilts.planning import registry
from xstilts.planning.tasks import Task
from xstilts.store.specs import to_json
from xstilts.store.specs.data import EvaluationDataSpec, EvaluationFiles, Reading
from xstilts.store.specs.evaluation import PredictionsSpec, RetrievalSpec
from xstilts.store.study_plan import PlannedNode

from tests.builders.models import numerics

# For each folder: predictions and labels of one language. English and German differ where a second entry says so.
SQUAD_LABELS = {
    "data": [
        {"paragraphs": [{"context": "", "qas": [
            {"id": "q1", "answers": [{"text": "the big cat"}, {"text": "a dog"}]},
            {"id": "q2", "answers": [{"text": "1980"}]},
        ]}]}
    ]
}  # fmt: skip
SQUAD_ANSWERS = {"q2": "1980.", "q1": "Cat"}


def mlqa(answer: str, gold: str) -> tuple[str, str]:
    labels = {"data": [{"paragraphs": [{"qas": [{"id": "q", "answers": [{"text": gold}]}]}]}]}
    return json.dumps({"q": answer}), json.dumps(labels)


FILES = {
    # 3 of 4 right: 75; in English 4 of 4
    "xnli": ("entailment\nneutral\nneutral\nneutral\n", "entailment\nneutral\ncontradiction\nneutral\n"),
    ("xnli", "en"): ("entailment\nneutral\n", "entailment\tHe eats.\tHe eats.\nneutral\tHe eats.\tHe is.\n"),
    # 1 of 2 right: 50; in English 2 of 2
    "pawsx": ("1\n1\n", "1\n0\n"),
    ("pawsx", "en"): ("1\n0", "1\n0\n"),
    # 2 of 4 right: 50
    "xcopa": (
        '{"label": 0}\n{"label": 1}\n{"label": 0}\n{"label": 1}\n',
        '{"premise": "A", "label": 0, "idx": 0}\n{"label": 1}\n{"label": 1}\n{"label": 0}\n',
    ),
    # gold spans: NOUN 1-2, VERB 3; DET 1. Predicted: NOUN 1, VERB 2-3; DET 1. F1 = 2 / (3 + 3); accuracy 3 / 4
    "udpos": ("NOUN\nVERB\nVERB\n\nDET\n", "NOUN\nNOUN\nVERB\n\nDET\n\n"),
    # gold spans: PER 1-2, LOC 4. Predicted: PER 1-2. One of 1 and 2: F1 = 2 / 3
    "panx": ("B-PER\nI-PER\nO\nO\n", "B-PER\nI-PER\nO\nB-LOC\n"),
    # "cat" against "big cat": precision 1, recall 1/2, F1 = 2/3, no exact match; 1980 is right. F1 83.3, EM 50
    "xquad": (json.dumps(SQUAD_ANSWERS), json.dumps(SQUAD_LABELS)),
    "tydiqa": (json.dumps(SQUAD_ANSWERS), json.dumps(SQUAD_LABELS)),
    # "hund" against "der hund": F1 = 2/3, no exact match; by the rules of German the article goes, and both are 1
    "mlqa": mlqa("Hund", "der Hund"),
    # one of 3 predicted and of 2 right pairs: F1 = 2 / 5
    "bucc2018": ("de-1\ten-1\nde-2\ten-9\nde-3\ten-3\n", "de-1\ten-1\nde-2\ten-2\n"),
    # 2 of 4 right: 50
    "tatoeba": ("0\n1\n0\n0\n", "0\n1\n2\n3\n"),
    # first at rank 2, second nowhere: (1/2 + 0) / 2 = 25 %
    "mewslix": (json.dumps({"m1": ["Q9", "Q1"], "m2": ["Q9"]}), json.dumps({"m1": ["Q1"], "m2": ["Q2"]})),
    # right at ranks 1 and 3 of 2 right ones: (1 + 2/3) / 2 = 5/6; in English 3 questions, all at rank 1
    "lareqa": (json.dumps({"q": ["a", "x", "b"]}), json.dumps({"q": ["b", "a"]})),
    ("lareqa", "en"): (json.dumps({"1": ["a"], "2": ["b"], "3": ["c"]}),) * 2,
}  # fmt: skip


def mock(folder: Path, name: str) -> tuple[Path, Path]:
    """Write predictions and labels of every task and language of a benchmark, and return their folders."""
    known = registry.load()
    for task, entry in known.benchmarks[name].tasks.items():
        for language in entry.languages:
            contents = FILES.get((entry.layout, language), FILES[entry.layout])
            for side, content in zip(("predictions", "labels"), contents, strict=True):
                path = folder / side / entry.layout / xtreme_format.file_name(known.tasks[task].form, language)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, encoding="utf-8")
    return folder / "predictions", folder / "labels"


def scored(folder: Path, name: str) -> dict:
    """Score the mock files by the command, and return what it writes."""
    sides = ["--predictions", str(folder / "predictions"), "--labels", str(folder / "labels")]
    output = folder / "scores.json"
    assert commands.main(["score-xtreme", *sides, "--benchmark", name, "--json", str(output)]) == 0
    return json.loads(output.read_text())


TARGETS = ["xnli", "pawsx", "xcopa", "udpos", "panx", "xquad", "mlqa", "tydiqa", "bucc", "tatoeba", "mewslix", "lareqa"]


def planned_nodes(
    node: str, task: Task, languages: Iterable[str], direction: str = "from_english", **files: Any
) -> dict[str, PlannedNode]:
    """Return the nodes of a plan from a target's data to its predictions.

    Args:
        node: the id of the node with the predictions.
        task: the target's task.
        languages: of its data.
        direction: of retrieval.
        files: what is other than usual of the files of each language.
    """
    name = node.partition("/")[2]
    prepared, tokens = f"prepared/{name}", f"tokens/{name}"
    ids = {"id": "id"} if task.form in ("span", "mining", "retrieval") else {}
    usual: dict[str, Any] = {"split": "test", "official": True, "files": ("test",), "threshold": (), "where": None}
    of_language = EvaluationFiles(**usual | {"published": None, "rows": None, "sample": False} | files)
    data = EvaluationDataSpec(
        version=1, parents={}, task=task.name, form=task.form, labels=task.labels, task_version=1,
        reading=Reading(reader="tsv", header=None, columns=ids, values={}, labels=None, drop_labels=(),
                        unanswerable="refuse"),
        languages=dict.fromkeys(languages, of_language), test_rows=None, cluster_rows=1, parallel=task.parallel,
    )  # fmt: skip
    predicted: Mapping[str, Any] = {"version": 1, "form": task.form}
    spec = (
        RetrievalSpec(**predicted, parents={"prepared": prepared}, settings={"direction": direction})
        if task.form in ("bitext", "mining", "retrieval")
        else PredictionsSpec(
            **predicted, parents={"tokens": tokens}, labels=task.labels, trained_on=task.name, decoding={},
            scoring=task.scoring, numerics=numerics(),
        )
    )  # fmt: skip
    contents = {prepared: to_json(data), tokens: {"parents": {"prepared": prepared}}, node: to_json(spec)}
    return {name: PlannedNode("", (name,), content) for name, content in contents.items()}
