import os

import pytest
from xstilts.errors import UserError
from xstilts.store.slurm import Lacks, ask, keeps_accounts, lacks

NODE = "tiny.full.mnli.s1-0123456789ab"
# as slurmstepd of Slurm 22.05 and 23.11 writes them
MEMORY_COUNTED = "slurmstepd-n1: error: StepId=1.0 exceeded memory limit (641712128 > 629145600), being killed"
MEMORY_GROUP = (
    "slurmstepd: error: Detected 1 oom_kill event in StepId=8.batch. Some of the step tasks have been OOM Killed."
)
TIME = "slurmstepd: error: *** JOB 9 ON n1 CANCELLED AT 2026-11-30T01:00:00 DUE TO TIME LIMIT ***"
# as that of newer ones does, and after a progress bar
MEMORY_NEWER = (
    "[2025-11-16T09:55:10.000] error: Detected 1 oom_kill event in StepId=28911.batch. Some of the step tasks"
)
TIME_NEWER = (
    "[2026-01-06T09:55:10.000] error: *** JOB 4243 ON n1 CANCELLED AT 2026-01-06T09:55:10 DUE TO TIME LIMIT ***"
)
TIME_OF_STEP = (
    "step 12 of 80\rstep 13 of 80slurmstepd-n1: error: *** STEP 9.0 ON n1 CANCELLED AT 1 DUE TO TIME LIMIT ***"
)
PREEMPTED = "slurmstepd: error: *** JOB 9 ON n1 CANCELLED AT 2026-11-30T01:00:00 DUE TO PREEMPTION ***"


@pytest.fixture
def leave(tmp_path):
    """Leave the logs of failed jobs, the oldest first."""

    def write(*texts, folder=f"rule_target/{NODE}"):
        for number, text in enumerate(texts, 1):
            path = tmp_path / folder / f"{number}.log"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"rule target\n{text}\n")
            os.utime(path, (number, number))
        return tmp_path

    return write


def test_first_try_asks_for_what_is_needed(leave):
    assert lacks(NODE, 0, leave(MEMORY_COUNTED)) == Lacks(0, 0)


@pytest.mark.parametrize(
    "text, found",
    [
        (MEMORY_COUNTED, Lacks(1, 0)), (MEMORY_GROUP, Lacks(1, 0)), (TIME, Lacks(0, 1)), (PREEMPTED, Lacks(0, 0)),
        (MEMORY_NEWER, Lacks(1, 0)), (TIME_NEWER, Lacks(0, 1)), (f"step 13 of 80{MEMORY_GROUP}", Lacks(1, 0)),
        (TIME_OF_STEP, Lacks(0, 1)), ("ValueError: memory limit", Lacks(0, 0)),
        ("error: exceeded a limit, DUE TO TIME LIMIT", Lacks(0, 0)),
    ],
)  # fmt: skip
def test_why_a_job_ended(leave, text, found):
    assert lacks(NODE, 1, leave(text)) == found


def test_only_the_last_jobs_of_this_node_count(leave):
    logs = leave(MEMORY_COUNTED, TIME, MEMORY_GROUP)
    leave(TIME, TIME, TIME, TIME, folder="rule_target/other-000000000000")
    assert lacks(NODE, 1, logs) == Lacks(1, 0)
    assert lacks(NODE, 2, logs) == Lacks(1, 1)
    assert lacks(NODE, 3, logs) == Lacks(2, 1)


def test_of_a_job_with_several_nodes_the_log_names_them(leave):
    logs = leave(f"wildcards: node={NODE}\n{TIME}", folder="group_target_predict_target")
    assert lacks(NODE, 1, logs) == Lacks(0, 1)


def test_without_a_log_more_of_both_is_asked(tmp_path):
    assert lacks(NODE, 2, tmp_path / "none") == Lacks(2, 2)


@pytest.mark.parametrize("script, found", [("exit 0", True), ("exit 1", False), (None, False)])
def test_accounts_are_kept_where_sacct_answers(tmp_path, monkeypatch, script, found):
    if script is not None:
        (tmp_path / "sacct").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "sacct").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert keeps_accounts() == found


def test_a_question_that_gets_no_answer_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="sinfo: no such program; run this on"):
        ask("sinfo")
    (tmp_path / "sinfo").write_text("#!/bin/sh\necho 'Unable to contact' >&2\nexit 1\n")
    (tmp_path / "sinfo").chmod(0o755)
    with pytest.raises(UserError, match="sinfo: Unable to contact"):
        ask("sinfo")
