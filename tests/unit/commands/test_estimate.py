"""The table of estimates."""

from dataclasses import replace

import pytest
from xstilts import commands
from xstilts.planning import model_size

from tests.builders.plans import study_file
from tests.builders.projects import ROOT

SHORT = {"max_length": 48}
STUDY = {
    "description": "x", "source": "tiny", "models": ["tiny"], "targets": {"xnli": None}, "seeds": [1],
    "languages": ["en", "de", "tr"], "recipes": {"short": {"intermediate": SHORT, "target": SHORT}},
}  # fmt: skip


@pytest.mark.parametrize("command", [["estimate"], ["power", "--run-sd", "1"]])
def test_what_no_job_can_do_is_refused(tmp_path, monkeypatch, caplog, command):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("{}")
    mixed = {"mixed": {"tasks": ["mnli", "squad_v1"], "tasks_per_step": 3}}
    path = study_file(tmp_path, {**STUDY, "mixtures": {"none": None, **mixed}})
    assert commands.main([*command, str(path)]) == 2
    assert "`tasks_per_step` is 3, and the batch size of mnli, 32, is no multiple of it" in caplog.text


def test_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("{}")
    assert commands.main(["estimate", str(ROOT / "studies/scale.yaml"), "--gpu", "h200"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["node", "params", "trained"]
    assert {"learning_rates", "intermediate", "targets", "predictions", "embeddings"} <= set(lines)
    (row,) = [line.split() for line in lines if line.startswith("  mt5-xxl.lora.nine.s1 ")]
    assert row[1] == "12.07B" and row[-3].startswith("?")
    assert max(map(len, lines)) <= 120
    rows = [line for line in lines if line.startswith(" ")]
    (total,) = [line.split() for line in lines if line.startswith("total of ")]
    hours = sum(float(line.split()[-1]) for line in rows if line.split()[-1].replace(".", "").isdigit())
    assert float(total[-1]) == pytest.approx(hours, rel=0.01)
    assert lines[-1] == "Parameters of 8 models, built on the meta device: as the formula has them."


def test_trainings_on_a_few_rows_are_counted(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("{}")
    path = study_file(tmp_path, {**STUDY, "shots": [0, 4, 8]})
    assert commands.main(["estimate", str(path)]) == 0
    assert "`shots` of the study asks for 4 trainings of these" in capsys.readouterr().out


def test_command_refuses_a_formula_that_is_wrong(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(f"study: {ROOT / 'studies/tiny.yaml'}\n")
    read = model_size.read
    monkeypatch.setattr(model_size, "read", lambda *arguments: replace(read(*arguments), around=0))
    assert commands.main(["estimate"]) == 2
    assert "parameters" in caplog.text
