import pytest
import yaml
from xstilts.commands import main

from tests.builders.projects import ROOT

ANSWERS = {
    "sinfo": "gpu|up|2-00:00:00|32|512000|gpu:a100:4",
    "scontrol": "PartitionName=gpu AllowAccounts=ours AllowQos=high",
    "sacct": "",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A checkout's profile, on a machine whose Slurm says what stands above."""
    for name, text in ANSWERS.items():
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{text}'\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "slurm").mkdir()
    (tmp_path / "slurm/config.yaml").write_text((ROOT / "slurm/config.yaml").read_text())
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "slurm"


def test_profile_has_what_slurm_says(folder, caplog):
    assert main(["slurm-profile", "--account", "ours"]) == 0
    assert set(yaml.safe_load((folder / "partitions.yaml").read_text())["partitions"]) == {"gpu"}
    assert (
        "slurm/partitions.yaml: partition gpu has AllowQos=high; delete it there if these are not yours" in caplog.text
    )


def test_without_accounts_none_is_named(folder, caplog):
    (folder.parent / "sacct").write_text("#!/bin/sh\nexit 1\n")
    assert main(["slurm-profile", "--account", "ours"]) == 2
    assert "ACCOUNT: this Slurm keeps no accounts" in caplog.text
    assert main(["slurm-profile"]) == 0
    assert "slurm_account" not in (folder / "config.v9+.yaml").read_text()
