"""xstilts verify: what fails is a line and exit code 1; --repair has it made again."""

from dataclasses import replace

import pytest
import yaml
from xstilts.commands import main
from xstilts.store import lock, manifest, node, study_plan
from xstilts.store.specs import to_json
from xstilts.store.study_plan import Cell

from tests.builders.nodes import Made, evaluated, predictions_of
from tests.builders.study_plans import planned
from tests.builders.study_plans import study_plan as plan_with


@pytest.fixture
def made(tmp_path):
    """Nodes of a study, its plan, and what is no node: folders of a deletion, of a job that begins, and a lock."""
    made = Made(tmp_path / "results")
    spec = predictions_of(made)
    node_id = made.add(spec, {"predictions.parquet": "predictions"})
    made.add(replace(spec, scoring="another"), {"predictions.parquet": "others"})
    plan = plan_with({node_id: planned(**to_json(spec))}, cells=(Cell("m", "r", "full", "none", 1, "xnli", node_id),))
    outputs = tmp_path / "results/studies/test/01234567"
    outputs.mkdir(parents=True)
    (outputs / study_plan.FILE).write_text(study_plan.text(plan))
    (tmp_path / "results/targets/begins-0123456789ab").mkdir(parents=True)
    (tmp_path / "results/targets/gone-0123456789ab").mkdir()
    (tmp_path / "results/targets/gone-0123456789ab/provenance.json").write_text("{}")
    return made


def verify(capsys, *arguments):
    code = main(["verify", *map(str, arguments)])
    return code, capsys.readouterr().out.splitlines()


def test_results_as_they_were_made(made, capsys, tmp_path, monkeypatch):
    code, lines = verify(capsys, made.results)
    assert (code, lines) == (0, ["5 nodes checked, 0.0 MB as they were made; 0 fail"])
    # those of config.yaml, and a study alone
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({"study": "study.yaml", "results": "results"}))
    monkeypatch.chdir(tmp_path)
    assert verify(capsys) == (code, lines)
    assert verify(capsys, "results/studies/test/01234567")[1][0].startswith("1 node checked")
    assert main(["verify", "results/studies"]) == 2


def test_what_fails_is_named_and_made_again(made, capsys):
    (model,) = (made.results / "intermediate").iterdir()
    (tokens,) = (made.results / "tokens").iterdir()
    (rows,) = (made.results / "prepared").iterdir()
    (model / "model.safetensors").write_text("WEIGHTS")
    (tokens / "manifest.json").write_text("")
    (rows / "record.json").write_text("")
    code, lines = verify(capsys, made.results)
    assert code == 1 and len(lines) == 4
    assert lines[0].startswith(f"{rows}: record.json cannot be read")
    assert lines[1] == f"{tokens}: manifest.json is not its record.json"
    assert lines[2].startswith(f"{model}: model.safetensors has SHA-256")
    assert lines[3].endswith("3 fail; --repair has them made again")
    with lock.held(model, shared=True):
        code, lines = verify(capsys, "--repair", made.results)
    assert code == 1 and [line.rpartition("; ")[2] for line in lines[:3]] == [
        "the next run makes it again", "the next run makes it again", "in use, so it stays"
    ]  # fmt: skip
    code, lines = verify(capsys, "--repair", made.results)
    assert code == 0 and lines[0].endswith("the next run makes it again")
    # as Snakemake sees it; tokens are whole but for their receipt, which their job writes
    assert not any((folder / "manifest.json").exists() for folder in (model, tokens, rows))
    assert node.is_whole(tokens, manifest.of_node(tokens).spec)
    predictions_of(made)
    assert verify(capsys, made.results)[0] == 0


def test_predictions_of_other_weights_fail(made, capsys):
    """As where their model was trained again elsewhere."""
    (record, *_) = (made.results / "predictions").glob("*/record.json")
    found = manifest.read(record)
    stated = evaluated({"model.safetensors": "0" * 64})
    for name in ("record.json", "manifest.json"):
        record.with_name(name).write_text(manifest.text(found.spec, found.files, stated))
    code, lines = verify(capsys, made.results)
    assert code == 1 and sum("made with other weights than those that its model has now" in line for line in lines)
