"""The rules, read as texts."""

import os
import re
from pathlib import Path

RULES = Path(__file__).parents[2] / "rules"


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


def test_the_shell_of_a_job_can_be_run():
    assert os.access(RULES / "slurm_step.sh", os.X_OK)
