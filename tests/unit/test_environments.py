"""The environment of conda has the versions of that of pip."""

import yaml

from tests.builders.projects import ROOT


def test_conda_file_has_the_locked_versions():
    lock = [line for line in (ROOT / "envs/requirements.txt").read_text().splitlines() if not line.startswith("#")]
    conda = yaml.safe_load((ROOT / "envs/xstilts.yaml").read_text())["dependencies"][-1]["pip"]
    assert conda == lock
