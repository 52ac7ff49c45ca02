"""An arm of a study as a model card of the hub: ``README.md`` with a ``model-index``, and ``.eval_results/*.yaml``.

Both are formats of https://github.com/huggingface/hub-docs: ``modelcard.md`` and ``docs/hub/eval-results.md``. A
``model-index`` takes any data set. A file of ``.eval_results`` is of data sets of the hub, which shows a result where
its data set is registered as a benchmark whose ``eval.yaml`` has a task of that id; here the id is the name of the
data set's configuration.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from xstilts import __version__
from xstilts.errors import counted
from xstilts.evaluation.exported_arms import ExportedArm, Result
from xstilts.forms import FORMS
from xstilts.store.files import target, write_atomically

CARD, EVAL_RESULTS = "README.md", ".eval_results"


def write(arm: ExportedArm, folder: Path) -> list[Path]:
    """Write the card of an arm into a folder of its name, and return the paths of the files."""
    card = target(folder, f"{arm.name}/{CARD}")
    write_atomically(card, f"---\n{_yaml(metadata(arm))}---\n{_text(arm)}")
    written = [card]
    for name in dict.fromkeys(result.target for result in arm.results):
        if entries := eval_results(arm, name):
            path = target(folder, f"{arm.name}/{EVAL_RESULTS}/{name}.yaml")
            write_atomically(path, _yaml(entries))
            written.append(path)
    return written


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)


def metadata(arm: ExportedArm) -> dict[str, Any]:
    """Return the metadata at the head of the card."""
    start = arm.checkpoint.repository
    index = {"name": arm.name, "results": [_of_data_set(found) for found in _by_data_set(arm.results)]}
    return {**({"base_model": start} if start else {}), "model-index": [index]}


def _by_data_set(results: Iterable[Result]) -> list[list[Result]]:
    """Return the results of each target and language together."""
    found: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        found.setdefault((result.target, result.language), []).append(result)
    return list(found.values())


def _of_data_set(results: list[Result]) -> dict[str, Any]:
    first = results[0]
    data = first.data
    stated = {
        "type": data.repository or first.target,
        "name": f"{data.title}, {first.language}",
        "config": data.configuration,
        "split": data.split or first.split,
        "revision": data.revision,
    }
    metrics = [{"type": one.metric, "value": one.mean, "name": _measured(one)} for one in results]
    return {
        "task": {"type": FORMS[first.form].hub_task},
        "dataset": {key: value for key, value in stated.items() if value is not None},
        "metrics": metrics,
    }


def _measured(result: Result) -> str:
    """Return in words what a value is."""
    number = len(result.of_runs)
    error = "" if result.standard_error is None else f", standard error {result.standard_error:.3g}"
    over = f"mean over {number} runs{error}" if number > 1 else "one run"
    return ", ".join([f"{result.metric} in {result.declared.unit}", over, *_collapsed(result)])


def _collapsed(result: Result) -> list[str]:
    """Return which runs collapsed, which are in the mean; nothing where none did."""
    seeds = ", ".join(map(str, result.collapsed))
    return [f"collapsed: seed{'s' * (len(result.collapsed) > 1)} {seeds}"] if seeds else []


def eval_results(arm: ExportedArm, name: str) -> list[dict[str, Any]]:
    """Return the entries of a target, by its headline metric; none of data that are not the hub's."""
    date = max((one.started for one in arm.provenance), default=None)
    entries = []
    for result in arm.results:
        data = result.data
        if result.target != name or not result.headline or data.repository is None or data.configuration is None:
            continue
        of = {"id": data.repository, "task_id": data.configuration}
        entries.append(
            {
                "dataset": {**of, **({"revision": data.revision} if data.revision else {})},
                "value": result.mean,
                **({"date": date} if date else {}),
                "notes": "; ".join([_measured(result), _examples(result), _made(arm, result)]),
            }
        )
    return entries


def _examples(result: Result) -> str:
    sample = ", a sample" if result.sample else ""
    return (
        f"{result.examples} examples of {result.split}{sample}{'' if result.official else ', not the official split'}"
    )


def _made(arm: ExportedArm, result: Result) -> str:
    if result.prompt_examples is not None:
        return f"nothing trained; prompted, {counted(result.prompt_examples, 'example')}"
    trained = f"trained on {', '.join(result.trained_on)}" if result.trained_on else "not trained on the target"
    return f"intermediate tasks {', '.join(arm.tasks) or 'none'}; {trained}"


def _text(arm: ExportedArm) -> str:
    """Return what people read of the card."""
    start = arm.checkpoint
    origin = f"{start.repository} at {start.revision}" if start.repository else start.title
    models = "The pretrained model answers prompts" if arm.prompted else "Each target has models of its own"
    tasks, seeds = ", ".join(arm.tasks) or "none", ", ".join(map(str, arm.seeds))
    lines = [
        f"# {arm.name}",
        "",
        f"Scores of study {arm.study}, written by xstilts {__version__}. Every run starts from {origin}; intermediate"
        f" tasks: {tasks}; recipe {arm.recipe} ({arm.method}); seeds {seeds}. {models}; a"
        " score is the mean over the runs, with those that collapsed, which the column of runs names.",
        "",
        "| target | language | metric | score | standard error over runs | runs | examples |",
        "|---|---|---|---|---|---|---|",
    ]
    for result in arm.results:
        error = "" if result.standard_error is None else f"{result.standard_error:.2f}"
        cells = [
            result.target,
            result.language,
            f"{result.metric} ({result.declared.unit})",
            f"{result.mean:.2f}",
            error,
        ]
        runs = ", ".join([str(len(result.of_runs)), *_collapsed(result)])
        lines.append(f"| {' | '.join([*cells, runs, _examples(result)])} |")
    return "\n".join(lines) + "\n"
