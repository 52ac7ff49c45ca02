import os

import pytest
import yaml
from snakemake_executor_plugin_slurm.partitions import read_partition_file
from xstilts.errors import UserError
from xstilts.planning import slurm_profile

from tests.builders.projects import ROOT

# partition, state, time limit, CPUs, megabytes and resources of its nodes
SINFO = """\
cpu|up|7-00:00:00|64|256000|(null)
cpu|up|7-00:00:00|128+|128000+|(null)
gpu|up|2-00:00:00|32|512000|gpu:a100:4(S:0-1),lustre:1
debug|up|30:00|8|16000|gpu:2
endless|up|infinite|8|16000|(null)
old|inact|1-00:00:00|8|16000|gpu:8
theirs|up|1-00:00:00|8|16000|gpu:8
"""
SCONTROL = """\
PartitionName=cpu AllowGroups=ALL AllowAccounts=ALL Default=YES
PartitionName=gpu AllowGroups=ALL AllowAccounts=ours,others Default=NO
PartitionName=theirs AllowGroups=ALL AllowAccounts=theirs Default=NO
PartitionName=debug AllowGroups=ALL DenyAccounts=theirs Default=NO
"""


def test_limits_are_those_of_the_largest_node():
    assert slurm_profile.partitions(SINFO, SCONTROL, "ours") == {
        "cpu": {"max_runtime": 10_080, "max_threads": 128, "max_mem_mb": 256_000, "max_gpu": 0},
        "gpu": {"max_runtime": 2_880, "max_threads": 32, "max_mem_mb": 512_000, "max_gpu": 4},
        "debug": {"max_runtime": 30, "max_threads": 8, "max_mem_mb": 16_000, "max_gpu": 2},
        "endless": {"max_threads": 8, "max_mem_mb": 16_000, "max_gpu": 0},
    }


def test_partitions_of_other_accounts_are_left_out():
    assert set(slurm_profile.partitions(SINFO, SCONTROL, "theirs")) == {"cpu", "theirs", "endless"}
    assert {"gpu", "theirs"} < set(slurm_profile.partitions(SINFO, SCONTROL, None))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A profile's folder, on a machine whose Slurm says what stands above."""
    for name, text in {"sinfo": SINFO, "scontrol": SCONTROL, "sacct": ""}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n/bin/cat <<'end'\n{text}end\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "config.yaml").write_text((ROOT / "slurm/config.yaml").read_text())
    return tmp_path


def test_site_profile_is_the_common_one_with_account_and_partitions(folder):
    assert slurm_profile.write(folder, "ours") == ["cpu", "debug", "endless", "gpu"]
    common, site = (yaml.safe_load((folder / name).read_text()) for name in ("config.yaml", "config.v9+.yaml"))
    assert site.pop("slurm-partition-config") == "partitions.yaml"
    assert site["default-resources"].pop("slurm_account") == "ours"
    assert site == common
    limits = {one.name: one.limits for one in read_partition_file(folder / "partitions.yaml")}
    assert limits["gpu"].max_runtime == 2 * 24 * 60 and limits["gpu"].max_gpu == 4 and limits["debug"].max_runtime == 30


def test_without_accounts_none_is_named(folder):
    (folder / "sacct").write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(UserError, match="ACCOUNT: this Slurm keeps no accounts"):
        slurm_profile.write(folder, "ours")
    slurm_profile.write(folder, None)
    assert "slurm_account" not in (folder / "config.v9+.yaml").read_text()


def test_on_a_machine_without_slurm(folder):
    os.remove(folder / "sinfo")
    with pytest.raises(UserError, match="sinfo: no such program"):
        slurm_profile.write(folder, None)
