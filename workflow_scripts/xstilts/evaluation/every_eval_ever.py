"""An arm of a study as records of Every Eval Ever, schema 0.3: a JSON file of its scores, a line of JSON an example.

Names, types and the layout ``data/<collection>/<developer>/<model>/<uuid>.json`` with ``<uuid>_samples.jsonl`` beside
it are those of ``eval.schema.json``, ``instance_level_eval.schema.json`` and README.md of
https://github.com/evaleval/every_eval_ever. The identity of a record is that of its runs, so a second export writes the
same names. Texts of data sets have licences of their own and are not written: in their place stands the SHA-256 of an
example's text fields as canonical JSON.
"""

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from xstilts import __version__
from xstilts.data.prepare import THRESHOLD
from xstilts.data.prepared_rows import read_prepared
from xstilts.evaluation import predictions, scores
from xstilts.evaluation.exported_arms import DataSet, ExportedArm, Result
from xstilts.evaluation.table import records
from xstilts.forms import FORMS
from xstilts.forms.declaration import PERCENT, Form, Judgement, Notation
from xstilts.store.files import canonical, digest, file_sha256, target, write_atomically

SCHEMA_VERSION = "0.3.0"
NOT_EXPORTED = "texts of data sets are not exported; input.raw is the SHA-256 of an example's text fields"
# the folder of what has no name that can be one
_UNKNOWN = "unknown"
# notations whose gold answers are a list in JSON
_LISTS = {Notation.SPAN, Notation.RANKING}


def write(
    arm: ExportedArm, results: Path, folder: Path, organization: str, created: float, with_examples: bool
) -> list[Path]:
    """Write the records of an arm and return their paths.

    Args:
        arm: the arm.
        results: the results folder.
        folder: the root, below which ``data/`` is.
        organization: who provides the results, and has trained the models.
        created: when the record was, in seconds since the epoch.
        with_examples: whether to write a line for each example and run.

    Raises:
        UserError: if predictions or prepared rows are damaged.
    """
    name = str(uuid.UUID(hex=arm.digest[:32], version=4))
    place = "/".join(["data", *map(_folder_name, (arm.study, organization, arm.name)), name])
    content = record(arm, organization, created)
    written = []
    if with_examples:
        path = target(folder, f"{place}_samples.jsonl")
        with path.open("w", encoding="utf-8") as file:
            lines = 0
            for line in examples(arm, results, content["evaluation_id"], content["model_info"]["id"]):
                file.write(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n")
                lines += 1
        if lines:
            content["detailed_evaluation_results"] = {
                "format": "jsonl",
                "file_path": f"{place}_samples.jsonl",
                "hash_algorithm": "sha256",
                "checksum": file_sha256(path),
                "total_rows": lines,
                "additional_details": {"input": NOT_EXPORTED},
            }
            written.append(path)
        else:
            path.unlink()
    path = target(folder, f"{place}.json")
    write_atomically(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return [path, *written]


def record(arm: ExportedArm, organization: str, created: float) -> dict[str, Any]:
    """Return the record of an arm's scores; see ``write``."""
    model = _model(arm, organization)
    library = {name: arm.versions(name) for name in ("torch", "transformers", "tokenizers", "numpy")}
    commits = sorted({one.commit for one in arm.provenance if one.commit})
    content = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{arm.study}/{model['id']}/{arm.digest[:12]}",
        "evaluation_timestamp": max((one.started for one in arm.provenance), default=None),
        "retrieved_timestamp": f"{created:.0f}",
        "source_metadata": {
            "source_name": f"study {arm.study}",
            "source_type": "evaluation_run",
            "source_organization_name": organization,
            # who provides the scores has trained what was scored
            "evaluator_relationship": "first_party",
        },
        "eval_library": {
            "name": "xstilts",
            "version": __version__,
            "additional_details": _known({**library, "commit": ", ".join(commits) or None}),
        },
        "model_info": model,
        "evaluation_results": [_result(result) for result in arm.results],
    }
    return _known(content)


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that are known."""
    return {key: value for key, value in values.items() if value is not None}


def _model(arm: ExportedArm, organization: str) -> dict[str, Any]:
    """Return what is said of the model: whose it is, what it was trained on, and the checkpoint that it starts from."""
    start = arm.checkpoint
    engine = arm.versions("transformers")
    return _known(
        {
            "name": f"{start.title}, recipe {arm.recipe}, intermediate tasks {', '.join(arm.tasks) or 'none'}",
            "id": f"{organization}/{arm.name}",
            "developer": organization,
            "inference_engine": {"name": "transformers", "version": engine} if engine else None,
            "additional_details": _known(
                {
                    "deployment_type": "self_deployed",
                    # of the trained weights, which are those that were evaluated
                    "model_availability": "unknown",
                    "pretrained_checkpoint": start.repository or start.name,
                    "pretrained_revision": start.revision,
                    "parameters": None if start.parameters is None else str(start.parameters),
                    "recipe": arm.recipe,
                    "method": arm.method,
                    "mixture": arm.mixture,
                    "intermediate_tasks": json.dumps(arm.tasks),
                    "seeds": json.dumps(arm.seeds),
                    "world": None if arm.world is None else str(arm.world),
                    "recipe_settings": canonical(arm.settings),
                }
            ),
        }
    )


def _folder_name(text: str) -> str:
    """Return a text as a name of one folder that every file system takes."""
    name = re.sub(r"[^A-Za-z0-9._+-]", "_", text).strip(".") or _UNKNOWN
    return f"{name}_" if name == "data" else name


def _id(target: str, language: str, metric: str) -> str:
    """Return the id of a result within a record, by which an example names the result that it is part of."""
    return f"{target}.{language}.{metric}"


def _result(result: Result) -> dict[str, Any]:
    metric = result.declared
    percent = metric.unit == PERCENT
    return {
        "evaluation_result_id": _id(result.target, result.language, result.metric),
        "evaluation_name": f"{result.target}.{result.language}",
        "source_data": _source(result),
        "metric_config": {
            "metric_id": result.metric,
            "metric_name": result.metric,
            "metric_unit": metric.unit,
            "lower_is_better": not metric.higher_is_better,
            "score_type": "continuous",
            "min_score": metric.lowest,
            "max_score": 100 if percent else "Infinity",
        },
        "score_details": {
            "score": result.mean,
            "details": {
                "headline_metric": json.dumps(result.headline),
                "language": result.language,
                "trained_on": json.dumps(result.trained_on),
                **({} if result.prompt_examples is None else {"prompt_examples": str(result.prompt_examples)}),
                "examples": str(result.examples),
                "split": result.split,
                "official_split": json.dumps(result.official),
                "sample_of_examples": json.dumps(result.sample),
                "runs": str(len(result.of_runs)),
                "score_by_seed": json.dumps(result.of_runs),
                "collapsed_seeds": json.dumps(result.collapsed),
            },
            **_uncertainty(result),
        },
    }


def _uncertainty(result: Result) -> dict[str, Any]:
    """Return what is known of the uncertainty: nothing of one run."""
    if result.standard_error is None:
        return {}
    error = {"value": result.standard_error, "method": "over runs with other seeds: their standard deviation / sqrt(n)"}
    return {"uncertainty": {"standard_error": error, "num_samples": len(result.of_runs)}}


def _source(result: Result) -> dict[str, Any]:
    data: DataSet = result.data
    details = {
        "configuration": data.configuration,
        "revision": data.revision,
        "licence": data.licence,
        "source": data.kind,
        "files_sha256": canonical(data.files),
    }
    stated = {"dataset_name": data.title, "additional_details": _known(details)}
    if data.repository is None:
        return {**stated, "source_type": "other"}
    rows = None if result.sample else result.examples
    hub = {"hf_repo": data.repository, "hf_split": data.split, "samples_number": rows}
    return {**stated, "source_type": "hf_dataset", **_known(hub)}


def examples(arm: ExportedArm, results: Path, evaluation_id: str, model_id: str) -> Iterator[dict[str, Any]]:
    """Yield the record of each example in each run, of targets whose predictions are right or wrong.

    Its ``sample_id`` names the run too, so that within a result it names one record; ``metadata`` has both apart.
    Its score is 1 where the form judges the prediction right, else 0; its statistics, from which scores are computed,
    stand in ``metadata``. It belongs to the result of the target's headline metric.
    """
    headline = {(one.target, one.language): one for one in arm.results if one.headline}
    for name, runs in arm.nodes.items():
        of_target = {language: one for (target, language), one in headline.items() if target == name}
        form = FORMS[next(iter(of_target.values())).form] if of_target else None
        if form is None or form.judgement is None:
            continue
        inputs = {language: _inputs(results / arm.prepared[name], language, form) for language in of_target}
        for seed, node in runs.items():
            for row in _judged(results / node / predictions.FILE, form.judgement):
                language = row["language"]
                if language not in of_target:
                    continue
                statistics = {key: f"{row[key]:g}" for key in row if key.startswith(predictions.STATISTIC)}
                yield {
                    "schema_version": SCHEMA_VERSION,
                    "evaluation_id": evaluation_id,
                    "model_id": model_id,
                    "evaluation_name": f"{name}.{language}",
                    "evaluation_result_id": _id(name, language, of_target[language].metric),
                    "sample_id": f"{row['example_id']}.seed{seed}",
                    "interaction_type": "single_turn",
                    "input": {
                        "raw": inputs[language].get(row["example_id"], ""),
                        "reference": _references(row["gold"], form.judgement.notation),
                    },
                    "output": {"raw": [row["prediction"]]},
                    # what a head predicts is taken as it is
                    "answer_attribution": [],
                    "evaluation": {"score": float(row["is_right"]), "is_correct": bool(row["is_right"])},
                    "metadata": {
                        "example_id": row["example_id"],
                        "seed": str(seed),
                        "language": language,
                        **statistics,
                    },
                }


def _judged(path: Path, judgement: Judgement) -> list[dict[str, Any]]:
    """Return predictions, and for each in ``is_right`` whether it is right."""
    frame = predictions.read(path)
    return records(frame.assign(is_right=judgement.is_right(scores.columns_of(frame))))


def _references(gold: str, notation: Notation) -> list[str]:
    return [str(one) for one in json.loads(gold)] if notation in _LISTS else [gold]


def _inputs(folder: Path, language: str, form: Form) -> dict[str, str]:
    """Return what stands for the input of each example; nothing where the prepared rows were pruned."""
    path = folder / f"{language}.parquet"
    if not path.exists():
        return {}
    rows = read_prepared(path, ["example_id", *form.texts], [("split", "!=", THRESHOLD)]).to_pylist()
    return {row["example_id"]: f"sha256:{digest({name: row[name] for name in form.texts})}" for row in rows}
