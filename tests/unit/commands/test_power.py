"""The command that says what a study can find."""

import json
import re
import subprocess
import sys

import pytest
from xstilts import commands
from xstilts.planning import memory_plan, registry
from xstilts.planning.gpu_types import GPU_TYPES
from xstilts.planning.settings import from_config
from xstilts.planning.study import read_study
from xstilts.planning.unindexed import plan_unindexed
from xstilts.store.stages import COMPUTING

from tests.builders.pilots import pilot
from tests.builders.plans import plan_study, study_file
from tests.builders.projects import ROOT

SCALE = ROOT / "studies/scale.yaml"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("{}")
    return tmp_path


def test_a_large_study_without_torch(folder):
    code = "import sys; from xstilts import commands; commands.main(sys.argv[1:]); print(*sys.modules)"
    command = [sys.executable, "-c", code, "power", str(SCALE), "--run-sd", "1", "--gpu", "h100"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    *lines, modules = done.stdout.splitlines()
    assert not {"torch", "transformers", "datasets"} & set(modules.split())
    assert lines[0].startswith("Study scale, 3 runs an arm (*).") and max(map(len, lines)) <= 120


def test_the_example_of_the_documents_is_what_it_prints(folder, capsys):
    commands.main(["power", str(SCALE), "--run-sd", "1", "--gpu", "h100"])
    page = (ROOT / "docs/power.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"<!-- power of scale -->\n```\n(.*?)```\n", page, re.S)
    assert example == capsys.readouterr().out


def test_runs_and_hours(folder, capsys):
    assert commands.main(["power", str(SCALE), "--run-sd", "1", "--runs", "2,4", "--gpu", "a100-80", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["runs"] == [2, 3, 4] and found["gpu"] == "a100-80"
    hours = [found["hours"][runs] for runs in ("2", "3", "4")]
    assert hours[1] - hours[0] == pytest.approx(hours[2] - hours[1], abs=0.2) and hours[0] < hours[1]
    assert 1 <= sum(row["primary"] for row in found["comparisons"]) <= 5


def test_hours_of_primary_comparisons_are_those_of_what_they_need(folder, capsys):
    """Both contrasts need the arm with MNLI, and together they need it once; the arm with SQuAD is in neither."""
    study = study_file(folder, {
        "description": "x", "source": "download", "models": ["xlm-roberta-base"],
        "recipes": {"lora": {"intermediate": {}, "target": {}}}, "mixtures": ["none", "mnli", "hellaswag", "squad_v1"],
        "targets": {"xnli": None, "tydiqa": None}, "languages": ["en", "de", "fi"], "seeds": [1, 2],
        "contrasts": {
            name: {"mixture": ["mnli", other], "targets": ["xnli"], "primary": True}
            for name, other in (("gain", "none"), ("other", "hellaswag"))
        },
    })  # fmt: skip
    entries, settings = registry.load(), from_config({"study": str(study)})
    plan = plan_unindexed(read_study(study, entries), entries, settings)

    def hours(*mixtures):
        """Return the hours of these arms on XNLI with two seeds, by the names of their nodes."""
        of_arm = "{}.s{}", "{}.s{}.mnli", "{}.s{}.xnli"
        names = [f"xlm-roberta-base.lora.{name}" for name in of_arm]
        asked = {name.format(mixture, seed) for name in names for mixture in mixtures for seed in (1, 2)}
        nodes = [node for name, node in plan.named() if name in asked and node.stage in COMPUTING]
        assert len(nodes) == 6 * len(mixtures) - 2 * ("none" in mixtures)
        costs = [memory_plan.of_node(node, plan, entries, settings, GPU_TYPES["h100"]).cost for node in nodes]
        return sum(cost.hours(GPU_TYPES["h100"], "float32") for cost in costs)

    assert commands.main(["power", str(study), "--run-sd", "1", "--gpu", "h100", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    of_each = {row["name"]: row["hours"]["2"] for row in found["comparisons"] if row["primary"]}
    assert of_each == {
        "gain": pytest.approx(hours("mnli", "none"), abs=0.06),
        "other": pytest.approx(hours("mnli", "hellaswag"), abs=0.06),
    }
    assert found["primary_hours"]["2"] == pytest.approx(hours("mnli", "none", "hellaswag"), abs=0.06)
    assert 0.5 < of_each["gain"] < found["primary_hours"]["2"] < found["hours"]["2"] - 0.5


def test_the_gpu_type_of_the_machine_counts(folder, capsys):
    (folder / "config.yaml").write_text("gpu_type: h200\n")
    commands.main(["power", str(SCALE), "--run-sd", "1"])
    assert re.search(r"^GPU-hours \(h200\)", capsys.readouterr().out, re.M)


def test_made_up_data_on_a_cpu(folder, capsys):
    study = study_file(folder, {
        "description": "x", "source": "miniature", "models": ["mini-small"], "mixtures": ["none", "nine"],
        "recipes": {"mini": {phase: {"max_length": 64} for phase in ("intermediate", "target")}},
        "targets": {"tydiqa": None},
        "contrasts": {"multi": {"mixture": ["nine", "none"], "targets": ["tydiqa"]}},
    })  # fmt: skip
    plan = plan_study(folder, study.read_text()).study_plan
    pilots = [str(pilot(folder / name, {"run_sd": 2.0}, study=name, plan=plan)) for name in ("one", "two")]
    assert commands.main(["power", str(study), "--pilot", *pilots]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert (
        "The variance between runs is that of Study one (made-up data), Study two (made-up data), 2 folders: their"
        " mean."
    ) in text
    assert "seconds of a CPU are not estimated" in text and "+5.0" in text
    assert commands.main(["power", str(study), "--pilot", pilots[0], "--pilot", pilots[1]]) == 0
    assert " ".join(capsys.readouterr().out.split()) == text


@pytest.mark.parametrize(
    ("study", "arguments", "said"),
    [
        (
            ROOT / "tests/studies/matrix.yaml",
            ["--run-sd", "1"],
            "matrix.yaml: compares nothing in percent in languages that count; state",
        ),
        (
            ROOT / "studies/miniature_worlds.yaml",
            ["--run-sd", "1"],
            "miniature_worlds.yaml: world: 6 worlds, and their",
        ),
        (SCALE, ["--pilot", "nowhere"], "nowhere/estimates.parquet: missing"),
        (ROOT / "studies/none.yaml", ["--run-sd", "1"], "none.yaml"),
    ],
)
def test_errors_are_one_line(study, arguments, said, folder, caplog):
    assert commands.main(["power", str(study), *arguments]) == 2
    assert said in caplog.text and len(caplog.text.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--run-sd", "-1"],
        ["--run-sd", "nan"],
        ["--run-sd", "inf"],
        ["--run-sd", "x"],
        ["--run-sd", "1", "--runs", "3,x"],
    ],
)
def test_arguments_that_are_wrong(arguments, folder, capsys):
    with pytest.raises(SystemExit):
        commands.main(["power", str(SCALE), *arguments])
    assert "Traceback" not in capsys.readouterr().err
