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


def test_outputs_of_a_study_stay_until_new_ones_take_their_places():
    """Snakemake deletes others before a job, when another run of the same study may be reading them."""
    outputs = re.findall(r"^    output:\n((?:        .*\n)+)", (RULES / "report.smk").read_text(), re.M)
    assert len(outputs) == 7
    assert all(re.match(r" +(update|directory)\(", text) for text in outputs)
