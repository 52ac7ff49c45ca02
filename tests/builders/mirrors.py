"""A folder of hand-written or made-up raw files, and what prepares the nodes of a study on it."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from xstilts.data import readers, usable
from xstilts.data.prepare import prepare
from xstilts.data.sources import Place, tiny
from xstilts.planning.mirror_index import Check
from xstilts.planning.nodes import Node, Plan
from xstilts.store.manifest import PreparedResults
from xstilts.store.specs.data import FileGroup

from tests.builders.plans import content_of, node_of, plan_study

Rows = list[dict[str, Any]]


class Mirror:
    """A mirror of hand-written files."""

    def __init__(self, folder: Path, **study: object) -> None:
        """Stand in ``folder/mirror``; ``study`` is what its studies have unless a test says otherwise."""
        self.folder, self.place, self.study = folder / "mirror", folder, study

    def put(self, name: str, content: object) -> None:
        """Write a file: a text, or anything else as JSON."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")

    def write(self, files: Mapping[str, object]) -> None:
        """Write files by their names."""
        for name, content in files.items():
            self.put(name, content)

    def made_up(self, *names: str) -> None:
        """Write files of the tiny source."""
        tiny.fetch_data(content_of(names), self.folder, Place(None, True))

    def edit(self, name: str, change: Callable[[str], str]) -> None:
        """Change the text of a file."""
        self.put(name, change((self.folder / name).read_text()))

    def plan(self, check: Check = usable.check, **study: object) -> Plan:
        """Plan a study on these files."""
        content = {"description": "A test.", "source": "mirror", "models": ["tiny"], "seeds": [1]}
        return plan_study(self.place, {**content, **self.study, **study}, self.folder, check=check)

    def node(self, name: str, **study: object) -> Node:
        """Return a prepared node of a study."""
        return node_of(self.plan(**study), "prepared", name)

    def prepare(
        self, name: str, excluded: Iterable[Path] = (), **study: object
    ) -> tuple[dict[str, Rows], PreparedResults]:
        """Return the rows of a prepared node by split, and what its manifest says, whatever the index found."""
        node = node_of(self.plan(check=counted, **study), "prepared", name)
        tables, results = prepare(node.spec, self.folder, excluded)
        return {split: table.to_pylist() for split, table in tables.items()}, results


def filled_mirror(folder: Path) -> Mirror:
    """Return a mirror with made-up files of several tasks, and a study on them."""
    mirror = Mirror(
        folder, mixtures={"none": None, "squad": ["squad_v1"]}, languages=["en", "de"], limits={"dev_rows": 16},
        targets=dict.fromkeys(("xnli", "udpos", "xquad", "tatoeba")),
    )  # fmt: skip
    mirror.made_up(
        "mnli/train.json", "squad_v2/train-v2.0.json", "squad_v2/dev-v2.0.json", "udpos/train-en.tsv",
        "xnli/test-en.tsv", "xnli/test-de.tsv", "udpos/test-en.tsv", "udpos/test-de.tsv", "xquad/xquad.en.json",
        "xquad/xquad.de.json", "tatoeba/tatoeba.deu-eng.deu", "tatoeba/tatoeba.deu-eng.eng",
    )  # fmt: skip
    return mirror


def counted(group: FileGroup, folder: Path, evaluated: bool) -> tuple[int, None]:
    """Say of files that a reader takes that they can be used."""
    return sum(1 for _ in readers.read(group.reading, folder, group.files)), None


def ids(rows: Rows) -> list[str]:
    """Return the ids of rows."""
    return [row["example_id"] for row in rows]


def jsonl(*rows: object) -> str:
    """Return the text of a file with a row a line."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def squad(*questions: tuple[object, str]) -> dict[str, Any]:
    """Return a file of questions: pairs of an id and an answer, each on a paragraph of its own."""
    paragraphs = []
    for number, (identity, answer) in enumerate(questions):
        answers = [{"text": answer, "answer_start": len(f"{number} ")}]
        question = {"id": identity, "question": "?", "answers": answers}
        paragraphs.append({"context": f"{number} {answer} .", "qas": [question]})
    return {"data": [{"title": "t", "paragraphs": paragraphs}]}
