"""Records of Every Eval Ever: what they say, that their own schemas take them, and that no text of data is in them."""

import json
from dataclasses import replace

import jsonschema
import pandas as pd
import pytest
from xstilts.evaluation import every_eval_ever, exported_arms
from xstilts.evaluation.every_eval_ever import examples, record
from xstilts.forms import NAMES, get
from xstilts.reporting import study_results
from xstilts.store.files import digest, file_sha256

from tests.builders.exported import finished

ROWS = [
    {"example_id": str(number), "text_a": "Er isst.", "text_b": f"{number} Katzen", "split": "test"}
    for number in range(10)
]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return study_results.load(finished(tmp_path_factory.mktemp("exported")))


@pytest.fixture(scope="module")
def arms(study):
    return {arm.name: arm for arm in exported_arms.collect(study.plan, study.results, study.scores)}


@pytest.fixture
def written(study, arms, tmp_path):
    """Return the files of an arm by the ends of their names."""
    paths = every_eval_ever.write(arms["s.r.mnli"], study.results, tmp_path / "out", "A Lab", 1.8e9, True)
    return {path.name[36:]: path for path in paths}


def results(content):
    return {one["evaluation_result_id"]: one for one in content["evaluation_results"]}


def test_scores_have_unit_direction_bounds_and_uncertainty_over_runs(arms):
    found = results(record(arms["s.r.mnli"], "A Lab", 0))
    accuracy, loss = found["xnli.de.accuracy"], found["lm_loss.de.loss"]
    assert accuracy["score_details"]["score"] == 70
    uncertainty = accuracy["score_details"]["uncertainty"]
    assert (uncertainty["standard_error"]["value"], uncertainty["num_samples"]) == (pytest.approx(10), 2)
    assert json.loads(accuracy["score_details"]["details"]["score_by_seed"]) == {"1": 60, "2": 80}
    shape = [accuracy["metric_config"][key] for key in ("metric_unit", "lower_is_better", "min_score", "max_score")]
    assert shape == ["percent", False, 0, 100]
    shape = [loss["metric_config"][key] for key in ("metric_unit", "lower_is_better", "min_score", "max_score")]
    assert shape == ["nats", True, 0, "Infinity"]
    assert "uncertainty" not in found["xquad.de.f1"]["score_details"]


def test_what_is_not_known_is_left_out(arms):
    found = results(record(arms["s.r.none"], "A Lab", 0))
    hub, mirrored = found["xnli.de.accuracy"]["source_data"], found["tatoeba.de.accuracy"]["source_data"]
    assert (hub["source_type"], hub["hf_repo"], hub["hf_split"], hub["samples_number"]) == (
        "hf_dataset", "facebook/xnli", "test", 10,
    )  # fmt: skip
    assert hub["additional_details"]["revision"] == "b" * 40
    assert mirrored["source_type"] == "other" and not {"hf_repo", "hf_split", "samples_number"} & set(mirrored)
    assert "licence" not in mirrored["additional_details"]
    assert "evaluation_timestamp" not in record(replace(arms["s.r.none"], provenance=()), "A Lab", 0)


def test_the_model_is_the_exporters_and_its_checkpoint_stands_beside(arms):
    content = record(arms["s.r.mnli"], "A Lab", 12.6)
    model = content["model_info"]
    assert (model["id"], model["developer"]) == ("A Lab/s.r.mnli", "A Lab")
    assert model["inference_engine"] == {"name": "transformers", "version": "5.23.0"}
    details = model["additional_details"]
    assert (details["pretrained_checkpoint"], details["pretrained_revision"]) == (
        "FacebookAI/xlm-roberta-base", "c" * 40,
    )  # fmt: skip
    assert (details["mixture"], details["seeds"]) == ("mnli", "[1, 2]")
    assert content["source_metadata"]["evaluator_relationship"] == "first_party"
    assert content["retrieved_timestamp"] == "13"
    other = record(arms["s.r.none"], "A Lab", 0)
    assert other["model_info"]["id"] == "A Lab/s.r.none" and other["evaluation_id"] != content["evaluation_id"]


def test_paths_and_checksum(written, tmp_path):
    content = json.loads(written[".json"].read_text())
    stated = content["detailed_evaluation_results"]
    path = tmp_path / "out" / stated["file_path"]
    assert path == written["_samples.jsonl"] and path.parent.parts[-3:] == ("test", "A_Lab", "s.r.mnli")
    assert stated["checksum"] == file_sha256(path)
    assert stated["total_rows"] == len(path.read_text().splitlines()) == 2 * 2 * 10 + 2 * 4 + 2


def test_names_of_organizations_and_studies_stay_in_the_folder(arms, study, tmp_path):
    arm = arms["s.r.none"]
    odd = replace(arm, study="../up", checkpoint=replace(arm.checkpoint, name="../x/y"))
    (path,) = every_eval_ever.write(odd, study.results, tmp_path / "out", "..", 0, False)
    assert path.relative_to(tmp_path / "out").parts[:4] == ("data", "_up", "unknown", "_x_y.r.none")


def test_an_example_is_a_line_with_the_hash_of_its_input(study, arms):
    prepared = study.results / "prepared/xnli"
    prepared.mkdir(parents=True)
    pd.DataFrame(ROWS).to_parquet(prepared / "de.parquet")
    lines = list(examples(arms["s.r.none"], study.results, "e", "m"))
    german = [line for line in lines if line["evaluation_name"] == "xnli.de"]
    assert len(german) == 20 and [line["evaluation"]["score"] for line in german[:10]] == [1.0] * 6 + [0.0] * 4
    assert german[3]["metadata"] == {"example_id": "3", "seed": "1", "language": "de", "stat_correct": "1"}
    # both runs have a line of the same example, each of a key of its own
    assert (german[3]["sample_id"], german[13]["sample_id"]) == ("3.seed1", "3.seed2")
    assert len({(line["evaluation_result_id"], line["sample_id"]) for line in lines}) == len(lines)
    assert german[3]["input"]["raw"] == f"sha256:{digest({'text_a': 'Er isst.', 'text_b': '3 Katzen'})}"
    assert "Katzen" not in json.dumps(lines)
    english = [line for line in lines if line["evaluation_name"] == "xnli.en"]
    assert {line["input"]["raw"] for line in english} == {""}
    answers = [line for line in lines if line["evaluation_name"] == "xquad.de"]
    assert [line["input"]["reference"] for line in answers] == [["Ulm"], ["Ulm"]]
    assert answers[1]["output"]["raw"] == ["in Ulm"] and not answers[1]["evaluation"]["is_correct"]
    assert answers[1]["evaluation_result_id"] == "xquad.de.f1"
    # a loss is neither right nor wrong
    assert not any(line["evaluation_name"] == "lm_loss.de" for line in lines)


def test_every_form_has_bounds_and_a_task_of_the_hub():
    for name in NAMES:
        form = get(name).FORM
        assert form.hub_task != "other", name
        assert all(metric.lowest == 0 for metric in form.metrics.values())


def test_the_formats_own_schemas_take_it(written, mirror):
    for name, suffix in (("eval", ".json"), ("instance_level_eval", "_samples.jsonl")):
        schema = json.loads((mirror / f"eee/{name}.schema.json").read_text())
        assert schema["version"] == every_eval_ever.SCHEMA_VERSION
        validator = jsonschema.validators.validator_for(schema)(schema)
        text = written[suffix].read_text()
        for content in [text] if suffix == ".json" else text.splitlines():
            validator.validate(json.loads(content))
