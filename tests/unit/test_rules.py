"""The rules, read as texts."""

import logging
import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake_interface_logger_plugins.common import LogEvent
from xstilts.hardware import Hardware
from xstilts.warm import client

RULES = Path(__file__).parents[2] / "rules"
# of those that may be jobs of Slurm's
JOB_RULES = "".join((RULES / f"{name}.smk").read_text() for name in ("train", "evaluate", "hardware"))


def test_rules_that_may_be_jobs_of_slurm_are_those_that_are_never_local():
    found = set()
    for path in RULES.glob("*.smk"):
        for name, body in re.findall(
            r"^(?:use )?rule (?:\w+ as )?(\w+)(?: with)?:\n((?:    .*\n|\n)*)", path.read_text(), re.M
        ):
            if "localrule: True" not in body:
                found.add(name)
    jobs = re.search(r"^JOBS = \((.*?)\)", (RULES / "slurm.smk").read_text(), re.M | re.S)[1]
    assert set(re.findall(r'"(\w+)"', jobs)) == found


def test_the_warm_process_runs_all_commands_that_make_nodes():
    rules = "".join(path.read_text() for path in RULES.glob("*.smk"))
    assert set(re.findall(r"python -m xstilts (\S+) --spec", rules)) == client._COMMANDS


def test_the_shell_of_a_job_can_be_run():
    assert os.access(RULES / "slurm_step.sh", os.X_OK)


@pytest.mark.parametrize(("chosen", "folder"), [(None, "."), ("logs", "/run/logs"), ("/elsewhere", "/elsewhere")])
def test_slurm_logs_are_where_the_executor_keeps_them(chosen, folder):
    text = re.search(r"^def slurm_logs\(\):\n(?:    .*\n|\n)+", (RULES / "slurm.smk").read_text(), re.M)[0]
    settings = SimpleNamespace(logdir=chosen)
    workflow = SimpleNamespace(workdir_init="/run", executor_settings=settings)
    names = {"workflow": workflow, "Path": Path, "slurm": SimpleNamespace(LOGS=Path("."))}
    exec(text, names)
    assert names["slurm_logs"]() == Path(folder)


def test_python_is_the_one_process_of_a_step(tmp_path):
    """Slurm signals no other one, with control groups; bash would end, and leave nobody who saves."""
    prefix = re.search(r'shell\.prefix\("(.*?)"\)', (RULES / "slurm.smk").read_text())[1]
    (tmp_path / "python").write_text("#!/bin/bash\necho $PPID\n")
    (tmp_path / "python").chmod(0o755)
    commands = re.findall(r"^    shell:\n((?: {8}.*\n)+)", JOB_RULES, re.M)
    assert len(commands) == 6
    for command in commands:
        assert re.match(r' +"python -m xstilts ', command) and not re.search(r"[;|]|&&", command)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["/bin/bash", "-c", f"{prefix}python -m xstilts train > out 2>&1"], cwd=tmp_path, env=environment
    )
    assert done.returncode == 0
    assert int((tmp_path / "out").read_text()) == os.getpid()


def test_outputs_of_a_study_stay_until_new_ones_take_their_places():
    """Snakemake deletes others before a job, when another run of the same study may be reading them."""
    outputs = re.findall(r"^    output:\n((?:        .*\n)+)", (RULES / "report.smk").read_text(), re.M)
    assert len(outputs) == 7
    assert all(re.match(r" +(update|directory)\(", text) for text in outputs)


@pytest.mark.parametrize(
    ("place", "is_there", "attempt"),
    [((), True, 1), ((), False, 3), (("--folder", "raw"), True, 3), (("--offline",), True, 1)],
)
def test_a_job_that_would_end_as_before_is_not_started_again(tmp_path, place, is_there, attempt):
    """One whose input was withdrawn, and one that copies from a folder; a failed job has two tries left here."""
    if is_there:
        (tmp_path / "input").touch()
    job = SimpleNamespace(
        params=SimpleNamespace(place=place), input=[tmp_path / "input"], attempt=1, restart_times=2
    )  # fmt: skip
    text = re.search(r"^class LastTry\(.*\n(?:    .*\n|\n)+", (RULES / "common.smk").read_text(), re.M)[0]
    workflow = SimpleNamespace(dag=SimpleNamespace(get_job_group=lambda job: None))
    names = {"logging": logging, "os": os, "LogEvent": LogEvent, "workflow": workflow, "job_with": {7: job}.get}
    exec(text, names)
    record = logging.makeLogRecord({"event": LogEvent.JOB_ERROR, "jobid": 7})
    names["LastTry"]().emit(record)
    assert job.attempt == attempt


def test_a_job_with_gpus_is_on_one_node():
    for body in re.findall(r"^    resources:\n((?:        .*\n)+)", JOB_RULES, re.M):
        assert "gpu=" not in body or "nodes=1" in body


@pytest.mark.parametrize(
    ("kernels", "shards", "first", "last"),
    [(False, None, [], []), (True, None, [], ["--reproducible-kernels"]),
     (False, None, ["--processes", "4"], []), (False, 1, ["--processes", "4", "--shards", "1"], [])],
)  # fmt: skip
def test_a_training_has_what_the_settings_say(kernels, shards, first, last):
    text = re.search(r"^def hardware\(stage\):\n(?:    .*\n|\n)+", (RULES / "resources.smk").read_text(), re.M)[0]
    settings = SimpleNamespace(
        hardware=Hardware(200, True, shards=shards), checkpoint_seconds=60, reproducible_kernels=kernels
    )
    names = {"settings": settings, "node": lambda *_: None, "memory_plan_of": lambda *_: None}
    exec(text, names)
    options = names["hardware"]("targets")(SimpleNamespace(), SimpleNamespace(gpu=4 if first else 1))
    assert options == [
        *first, "--max-tokens-per-device", "200", "--gradient-checkpointing", "--checkpoint-seconds", "60", *last,
    ]  # fmt: skip
