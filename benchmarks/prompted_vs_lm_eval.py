"""Prompts: ours against the Language Model Evaluation Harness, on tiny random models and three tasks of made-up text.

Run:  pip install lm_eval (0.4.13), then python -m benchmarks.prompted_vs_lm_eval

Ours are the registry's templates and words of XNLI, XCOPA and XQuAD. Theirs are those of the harness's own files, but
for XCOPA, which is worded otherwise here. Rows and examples are the same. Log-likelihoods must agree to 1e-4, and
answers must be the same, but for those that are as likely to 1e-4; else it exits with 1.
"""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import torch
import yaml
from xstilts import forms
from xstilts.data.dataset import Split
from xstilts.data.sources import tiny
from xstilts.evaluation import prediction, prompted
from xstilts.forms import prompting
from xstilts.models.language_model import load_language_model
from xstilts.planning import registry
from xstilts.store.specs.data import Prompt
from xstilts.store.specs.evaluation import PredictionsSpec, Prompting
from xstilts.store.specs.models import Numerics
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.tokenization.tokens import Tokens

from tests.builders.families import write

MODELS, EXAMPLES, ANSWER_TOKENS, EQUAL = ("llama", "mt5"), (0, 2), 16, 1e-4
CPU = torch.device("cpu")
_NUMERICS = Numerics(submodel=None, dtype="float32", precision="float32")
# files of the harness that have its templates of a task, the later ones for the earlier ones
_FILES = {
    "xnli": ("xnli/xnli_common_yaml", "xnli/xnli_en.yaml"),
    "xquad": ("xquad/xquad_common_yaml", "xquad/xquad_en.yaml"),
}
_TEMPLATES = ("output_type", "doc_to_text", "doc_to_choice", "doc_to_target")
_CHOICES = {"metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}]}
# task: settings of the harness beside its templates; it has none of our own wording of XCOPA
THEIRS: dict[str, dict[str, Any]] = {
    "xnli": _CHOICES,
    "xcopa": {
        "output_type": "multiple_choice",
        "doc_to_text": "{{context}} {{question}}",
        "doc_to_choice": "choices",
        "doc_to_target": "label",
        **_CHOICES,
    },
    "xquad": {
        "generation_kwargs": {"until": ["\n"], "do_sample": False, "max_gen_toks": ANSWER_TOKENS},
        "metric_list": [{"metric": "bypass"}],
    },
}


class _Loader(yaml.SafeLoader):
    """Reads files of the harness without the functions that they name."""


_Loader.add_constructor("!function", lambda loader, node: None)


@dataclass(frozen=True)
class Answers:
    """Answers of one side: log-likelihoods of choices and which is chosen, alone and by characters; or texts."""

    likelihoods: Sequence[Sequence[float]] = ()
    chosen: Sequence[int] = ()
    by_characters: Sequence[int] = ()
    texts: Sequence[str] = ()


def rows_of(task: str) -> list[dict[str, Any]]:
    """Return made-up rows of a task."""
    if task == "xquad":
        paragraphs = json.loads(tiny.file_text("xquad/xquad.en.json"))["data"][0]["paragraphs"]
        questions = [(one["context"], one["qas"][0]) for one in paragraphs]
        return [
            {
                "context": context,
                "question": question["question"],
                "answers": [{"text": one["text"], "start": one["answer_start"]} for one in question["answers"]],
            }
            for context, question in questions
        ]
    if task == "xnli":
        lines = [line.split("\t") for line in tiny.file_text("xnli/test-en.tsv").splitlines()]
        labels = registry.load().tasks[task].labels or ()
        return [{"text_a": first, "text_b": second, "label": labels.index(label)} for first, second, label in lines]
    stories = [line.split("\t")[0] for line in tiny.file_text("xnli/test-de.tsv").splitlines()]
    return [
        {
            "context": story,
            "question": "where is the cat ?",
            "choices": [story[:20].strip(), story[20:].strip()],
            "label": 1,
        }
        for story in stories
    ]


def prompt_of(task: str) -> Prompt:
    """Return the registry's prompt of a task."""
    entry = registry.load().tasks[task]
    stated = entry.prompt
    assert stated is not None
    words = None if stated.words is None else [stated.words[label] for label in entry.labels or ()]
    return Prompt(context=stated.context, answer=stated.answer, words=words)


def templates_of(task: str) -> dict[str, Any]:
    """Return the harness's templates of a task, from the files that are installed with it."""
    import lm_eval

    folder, found = Path(lm_eval.__file__).parent / "tasks", {}
    for name in _FILES.get(task, ()):
        content = yaml.load((folder / name).read_text(encoding="utf-8"), _Loader)  # noqa: S506
        found |= {key: content[key] for key in _TEMPLATES if content.get(key) is not None}
    return found


def as_theirs(task: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row with the columns that the harness's templates name."""
    if task == "xnli":
        return {"premise": row["text_a"], "hypothesis": row["text_b"], "label": row["label"]}
    if task == "xquad":
        return {**row, "answers": {"text": [answer["text"] for answer in row["answers"]]}}
    return dict(row)


def ours(task: str, folder: Path, rows: Sequence[dict[str, Any]], examples: Sequence[Mapping[str, Any]]) -> Answers:
    """Return our answers."""
    form = registry.load().tasks[task].form
    tokenizer, labels = ModelTokenizer(folder), [str(number) for number in range(3)]
    lengths = {"max_length": 2048, "max_answer_tokens": ANSWER_TOKENS}
    arrays = prompting.encode(rows, forms.get(form), tokenizer, prompt_of(task), lengths, examples)
    path = folder / "rows.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows)), path)
    split, model = Split(Tokens(arrays, tokenizer.pad), path, ""), load_language_model(folder, _NUMERICS)
    spec = PredictionsSpec(
        version=1, parents={}, form=form, labels=labels, trained_on=None, decoding={}, scoring=None, numerics=_NUMERICS,
        prompting=Prompting(max_answer_tokens=ANSWER_TOKENS),
    )  # fmt: skip
    if form == "span":
        return Answers(texts=prompted.written(model, spec, tokenizer, split, CPU))
    likelihoods = prediction.outputs(model, "", prompting, split.tokens, CPU)
    chosen = [prompting.choose(split.tokens, likelihoods, normalised) for normalised in (False, True)]
    return Answers(likelihoods, *chosen)


def theirs(task: str, folder: Path, rows: Sequence[dict[str, Any]], examples: Sequence[Mapping[str, Any]]) -> Answers:
    """Return the harness's answers."""
    import lm_eval
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    files = {"test": rows, "train": examples or rows}
    for name, content in files.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(as_theirs(task, row)) + "\n" for row in content))
    settings = {
        "task": f"ours_{task}",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {name: str(folder / f"{name}.jsonl") for name in files}},
        "test_split": "test",
        "fewshot_split": "train",
        "fewshot_config": {"sampler": "first_n"},
        **templates_of(task),
        **THEIRS[task],
    }
    tasks = folder / "tasks"
    tasks.mkdir(exist_ok=True)
    (tasks / f"{task}.yaml").write_text(json.dumps(settings))
    manager = TaskManager(include_path=str(tasks), include_defaults=False)
    model = HFLM(pretrained=str(folder), device="cpu", dtype="float32", batch_size=8)
    done = lm_eval.simple_evaluate(
        model=model, tasks=[settings["task"]], num_fewshot=len(examples), log_samples=True, bootstrap_iters=0,
        task_manager=manager,
    )  # fmt: skip
    samples = sorted(done["samples"][settings["task"]], key=lambda sample: sample["doc_id"])
    if task == "xquad":
        return Answers(texts=[sample["resps"][0][0].strip() for sample in samples])
    likelihoods = [[float(answer[0][0]) for answer in sample["resps"]] for sample in samples]
    # the delimiter, a space, is no part of a choice
    characters = [[len(continuation) - 1 for _, continuation in sample["arguments"]] for sample in samples]
    return Answers(
        likelihoods,
        [int(np.argmax(scores)) for scores in likelihoods],
        [int(np.argmax(np.array(a) / np.array(b))) for a, b in zip(likelihoods, characters, strict=True)],
    )


def compared() -> Iterator[tuple[str, str, int, int, float, int]]:
    """Yield model, task, examples, rows, the largest difference of log-likelihoods, and the number of other answers."""
    for name in MODELS:
        for task in THEIRS:
            if name == "mt5" and task == "xquad":
                # it writes padding alone
                continue
            for number in EXAMPLES:
                with tempfile.TemporaryDirectory() as temporary:
                    folder = Path(temporary)
                    write(name, folder)
                    _for_transformers(folder)
                    rows = rows_of(task)
                    sides = [side(task, folder, rows[number:], rows[:number]) for side in (ours, theirs)]
                differences = [
                    abs(a - b) for pair in zip(*(side.likelihoods for side in sides), strict=True)
                    for a, b in zip(*pair, strict=True)
                ]  # fmt: skip
                yield name, task, number, len(rows) - number, max(differences, default=0.0), _others(*sides)


def _others(first: Answers, second: Answers) -> int:
    """Return how many answers differ, alone and by characters, where the two are not as likely as each other."""
    chosen = [
        zip(first.chosen, second.chosen, strict=True),
        zip(first.by_characters, second.by_characters, strict=True),
    ]
    return sum(a != b for a, b in zip(first.texts, second.texts, strict=True)) + sum(
        abs(scores[a] - scores[b]) > EQUAL
        for pairs in chosen
        for scores, (a, b) in zip(first.likelihoods, pairs, strict=True)
    )


def _for_transformers(folder: Path) -> None:
    """Let transformers read the tokenizer as it is, and the model long texts."""
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    special = {"bos_token": "<bos>", "eos_token": "<eos>"} if "pad_token" not in settings else {"eos_token": "</s>"}
    settings |= {"tokenizer_class": "PreTrainedTokenizerFast", **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    config = json.loads((folder / "config.json").read_text())
    if "max_position_embeddings" in config:
        config["max_position_embeddings"] = 2048
    (folder / "config.json").write_text(json.dumps(config))


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Print the table, and return 1 if something differs."""
    _print("| model | task | examples | rows | largest difference of a log-likelihood | other answers |")
    _print("|---|---|---|---|---|---|")
    is_equal = True
    for name, task, number, rows, difference, others in compared():
        shown = f"{difference:.1e}" if task != "xquad" else ""
        _print(f"| {name} | {task} | {number} | {rows} | {shown} | {others} |")
        is_equal = is_equal and difference <= EQUAL and not others
    return 0 if is_equal else 1


if __name__ == "__main__":
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    sys.exit(main())
