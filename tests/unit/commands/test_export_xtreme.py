"""A study's predictions in XTREME's layout."""

import json
import random
from pathlib import Path

import pandas as pd
import pytest
from xstilts import commands, forms
from xstilts.evaluation import scores
from xstilts.evaluation.predictions import frame_of
from xstilts.planning import registry
from xstilts.planning.tasks import Task
from xstilts.store import manifest
from xstilts.store import study_plan as plan_json
from xstilts.store.manifest import EvaluatedSplit, EvaluationResults
from xstilts.store.specs.evaluation import PredictionsSpec
from xstilts.store.study_plan import Cell, PlannedTarget

from tests.builders.models import numerics
from tests.builders.study_plans import study_plan
from tests.builders.xtreme import TARGETS, planned_nodes, scored

LANGUAGES = ["en", "de", "zh"]


def rows_of(task: Task, language: str, drawn: random.Random) -> list[tuple[str, str, str]]:
    """Return ids, predictions and gold in the notation of a task's form."""

    def words() -> str:
        return " ".join(drawn.choices(["der", "cat", "the", "big", "1980", "猫", "kräht,"], k=drawn.randint(1, 6)))

    def label() -> str:
        return drawn.choice(task.labels)

    rows = []
    for number in range(drawn.randint(23, 57)):
        if task.form in ("classification", "multiple_choice"):
            pair = label(), label()
        elif task.form == "tagging":
            length = drawn.randint(1, 9)
            pair = tuple(" ".join(label() for _ in range(length)) for _ in range(2))
        elif task.form == "span":
            pair = words(), json.dumps([words() for _ in range(drawn.randint(1, 3))], ensure_ascii=False)
        elif task.form == "mining":
            pair = drawn.choice(["", "en-1", f"en-{number}"]), drawn.choice(["", f"en-{number}"])
        elif task.form == "bitext":
            pair = str(drawn.randint(0, 3)), str(number)
        else:
            names = [f"{language}:c{place}" for place in drawn.sample(range(40), 20)]
            pair = json.dumps(names), json.dumps(sorted(drawn.sample(names, 3)) + [f"{language}:c99"])
        named = task.form in ("span", "mining", "retrieval")
        rows.append((f"{language}-{number}" if named else f"{language}.test.{number}", *pair))
    return rows


@pytest.fixture
def study(tmp_path) -> Path:
    """Write a results folder with predictions of two seeds, and return plan.json."""
    known, results = registry.load(), tmp_path / "results"
    cells, targets, nodes = [], {}, {}
    for target in TARGETS:
        task = known.tasks[target]
        targets[target] = {"task": target, "form": task.form, "metric": task.metric, "language": "en", "source": "tiny"}
        for seed in (1, 2):
            node = f"predictions/m.r.none.s{seed}.{target}-00000000"
            nodes |= planned_nodes(node, task, LANGUAGES)
            axes = {"model": "m", "recipe": "r", "method": "full", "mixture": "none", "seed": seed, "target": target}
            cells.append({**axes, "node": node})
            frames = [frame(task, language, seed) for language in LANGUAGES if language in task.languages]
            folder = results / node
            folder.mkdir(parents=True)
            pd.concat(frames, ignore_index=True).to_parquet(folder / "predictions.parquet", index=False)
            if task.form == "bitext":
                put_texts(results / f"prepared/{node.partition('/')[2]}", frames)
            split = EvaluatedSplit(split="test", official=True, sample=False)
            splits = {language: split for language in LANGUAGES if language in task.languages}
            splits["de"] = EvaluatedSplit(split="dev", official=False, sample=True)
            stated = EvaluationResults(fingerprint={}, training={}, collapsed=False, splits=splits)
            spec = PredictionsSpec(
                version=1, parents={}, form=task.form, labels=task.labels, trained_on=target, decoding={},
                scoring="squad", numerics=numerics(),
            )  # fmt: skip
            (folder / "manifest.json").write_text(manifest.text(spec, {}, stated))
    plan = results / "studies/mine/0123/plan.json"
    plan.parent.mkdir(parents=True)
    targets = {name: PlannedTarget(**target) for name, target in targets.items()}
    made = study_plan(nodes, study="mine", targets=targets, cells=tuple(Cell(**cell) for cell in cells))
    plan.write_text(plan_json.text(made))
    return plan


def put_texts(prepared: Path, frames: list[pd.DataFrame]) -> None:
    """Write prepared rows of translations, whose order by text is not that of the rows."""
    prepared.mkdir(parents=True)
    for one in frames:
        texts = [f"{number % 7} bottles" for number in range(len(one))]
        rows = pd.DataFrame({"example_id": one["example_id"], "translation": texts})
        rows.to_parquet(prepared / f"{one['language'][0]}.parquet", index=False)


def frame(task: Task, language: str, seed: int) -> pd.DataFrame:
    rows = rows_of(task, language, random.Random(f"{task.name} {language} {seed}"))
    prepared = [{"example_id": row[0], "cluster_id": row[0], "language": language, "split": "test"} for row in rows]
    predictions, gold = [row[1] for row in rows], [row[2] for row in rows]
    return frame_of(forms.get(task.form), prepared, predictions, gold, task.scoring)


def export(plan: Path, *more: str, expected: int = 0, seed: str = "1") -> None:
    axes = ["--model", "m", "--recipe", "r", "--mixture", "none", "--seed", seed]
    folder = plan.parents[4]
    sides = ["--output", str(folder / "predictions"), "--labels", str(folder / "labels")]
    assert commands.main(["export-xtreme", "--plan", str(plan), *axes, *sides, *more]) == expected


@pytest.mark.parametrize("name", ["xtreme", "xtreme_r"])
def test_exported_files_have_the_studys_own_scores(study, name, capsys):
    export(study, "--benchmark", name)
    said = capsys.readouterr().out
    found = scored(study.parents[4], name)
    own = scores.collect(plan_json.read(study), study.parents[3])
    own = own[own["seed"] == 1].set_index(["target", "language", "metric"])["score"].sort_index()
    tasks = registry.load().benchmarks[name].tasks
    compared = 0
    for target in set(TARGETS) & set(tasks):
        for language in set(LANGUAGES) & set(tasks[target].languages):
            cell = found["tasks"][target]["languages"][language]
            mine = own.loc[target, language]
            assert {metric: cell[metric] for metric in mine.index} == mine.to_dict(), (target, language)
            compared += len(mine)
    assert compared > 20
    assert "xnli: not the official split: de (dev)" in said
    assert "missing: xnli: ar, bg, el, es, fr, hi, ru, sw, th, tr, ur, vi\n" in said
    assert ("not exported: pawsx" in said) == (name == "xtreme_r")
    assert ("missing: tatoeba_after_squad is no target of study mine" in said) == (name == "xtreme_r")


def test_export_writes_each_form_as_documented(study):
    export(study, "--benchmark", "xtreme_r")
    folder = study.parents[4]
    files = {path.relative_to(folder).as_posix() for path in folder.glob("*/*/*") if "results" not in path.parts}
    assert "predictions/lareqa/test-zh.json" in files
    assert {file.partition("/")[2] for file in files if file.startswith("labels")} == {
        file.partition("/")[2] for file in files if file.startswith("predictions")
    }
    assert not any("pawsx" in file or "bucc" in file or "/tatoeba/" in file for file in files)
    first = json.loads((folder / "predictions/xcopa/test-zh.jsonl").read_text().splitlines()[0])
    assert set(first) == {"label"} and first["label"] in (0, 1)
    tags = (folder / "labels/udpos/test-en.tsv").read_text()
    assert tags.endswith("\n\n") and "\n\n\n" not in tags and "\t" not in tags
    answers = json.loads((folder / "predictions/xquad/test-de.json").read_text())
    assert all(identity.startswith("de-") and isinstance(answer, str) for identity, answer in answers.items())
    (article,) = json.loads((folder / "labels/xquad/test-de.json").read_text())["data"]
    assert [question["id"] for question in article["paragraphs"][0]["qas"]] == list(answers)


def test_export_chooses_by_axes_and_needs_no_labels(study, tmp_path, caplog):
    axes = ["--plan", str(study), "--model", "m", "--recipe", "r", "--mixture", "none"]
    for seed in ("1", "2"):
        output = ["--seed", seed, "--output", str(tmp_path / f"out{seed}")]
        assert commands.main(["export-xtreme", *axes, *output, "--benchmark", "xtreme"]) == 0
    one, two = ((tmp_path / f"out{seed}/xnli/test-en.tsv").read_text() for seed in (1, 2))
    assert one != two
    assert not (tmp_path / "labels").exists()
    assert commands.main(["export-xtreme", *axes, "--seed", "3", "--output", str(tmp_path / "out3")]) == 2
    assert "--seed: '3' is not in study mine; known: 1, 2" in caplog.text
    output = ["--seed", "1", "--output", str(tmp_path / "out3"), "--benchmark", "xtrem"]
    assert commands.main(["export-xtreme", *axes, *output]) == 2
    assert "unknown benchmark 'xtrem'; did you mean 'xtreme'?" in caplog.text
    assert not (tmp_path / "out3").exists()


def test_export_without_a_benchmark_takes_all_tasks_of_all_benchmarks(study, capsys):
    export(study)
    folders = {path.name for path in (study.parents[4] / "predictions").iterdir()}
    assert folders == (set(TARGETS) - {"bucc"}) | {"bucc2018"}
    assert "missing: xnli: ar, bg, el, es, fr, hi, ru, sw, th, tr, ur, vi\n" in capsys.readouterr().out


def change(plan: Path, edit) -> None:
    content = json.loads(plan.read_text())
    edit(content)
    plan.write_text(json.dumps(content))


def test_of_several_worlds_one_is_exported(study, caplog):
    """The cells of seed 2 become those of seed 1 in another world."""

    def add(content: dict) -> None:
        for cell in content["cells"]:
            cell.update(world=cell["seed"] + 10, seed=1)

    change(study, add)
    export(study, "--benchmark", "xtreme", expected=2)
    assert "--world: study mine has the worlds 11, 12; choose one" in caplog.text
    labels = []
    for world in ("11", "12"):
        export(study, "--benchmark", "xtreme", "--world", world)
        labels.append((study.parents[4] / "predictions/xnli/test-en.tsv").read_text())
    assert labels[0] != labels[1]


def test_two_targets_of_one_folder_are_refused(study, caplog):
    def add(content: dict) -> None:
        content["targets"]["tatoeba_after_squad"] = {**content["targets"]["tatoeba"], "task": "tatoeba_after_squad"}
        copies = [{**cell, "target": "tatoeba_after_squad"} for cell in content["cells"] if cell["target"] == "tatoeba"]
        content["cells"] += copies

    change(study, add)
    export(study, expected=2)
    assert "tatoeba and tatoeba_after_squad both go to the folder tatoeba; choose with --benchmark" in caplog.text
    export(study, "--benchmark", "xtreme_r")


def test_what_was_not_trained_on_english_or_not_made_is_named(study, capsys):
    change(study, lambda content: content["targets"]["pawsx"].update(language="de"))
    results = study.parents[3]
    (results / "predictions/m.r.none.s1.xnli-00000000/manifest.json").unlink()
    export(study, "--benchmark", "xtreme")
    said = capsys.readouterr().out
    assert "not exported: pawsx" in said
    assert "missing: xnli: " in said and "has not been made yet" in said
    assert {path.name for path in (study.parents[4] / "predictions").iterdir()} & {"pawsx", "xnli"} == set()
