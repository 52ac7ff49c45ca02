import re

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


def test_site_profile_is_the_common_one_with_account_and_partitions(tmp_path):
    common = (ROOT / "slurm/config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(common)
    assert slurm_profile.write(tmp_path, "ours", SINFO, SCONTROL) == ["cpu", "debug", "endless", "gpu"]
    site = yaml.safe_load((tmp_path / "config.v9+.yaml").read_text())
    assert site.pop("slurm-partition-config") == "partitions.yaml"
    assert site["default-resources"].pop("slurm_account") == "ours"
    assert site == yaml.safe_load(common)
    limits = {one.name: one.limits for one in read_partition_file(tmp_path / "partitions.yaml")}
    assert limits["gpu"].max_runtime == 2 * 24 * 60 and limits["gpu"].max_gpu == 4 and limits["debug"].max_runtime == 30


def test_partitions_of_some_users_are_known():
    more = "PartitionName=few AllowGroups=a,b AllowAccounts=ALL AllowQos=high\n"
    assert slurm_profile.restricted(SCONTROL + more) == {"few": "AllowGroups=a,b AllowQos=high"}


@pytest.mark.parametrize("line", ["cpu|up|1:00|8|N/A|(null)", "cpu|up|10|8|16000|(null)", "cpu|up|1:00|8"])
def test_a_line_that_cannot_be_read_is_named(line):
    with pytest.raises(UserError, match=f"sinfo: '{re.escape(line)}' is not partition.*by hand"):
        slurm_profile.partitions(line, SCONTROL, None)


def test_unlimited_is_no_limit():
    found = slurm_profile.partitions("cpu|up|UNLIMITED|8|16000|(null)", SCONTROL, None)
    assert "max_runtime" not in found["cpu"]


def test_without_a_partition_that_is_up_nothing_is_written(tmp_path):
    with pytest.raises(UserError, match="sinfo: no partition is up"):
        slurm_profile.write(tmp_path, None, "cpu|down|1:00|8|16000|(null)", SCONTROL)
    assert not list(tmp_path.iterdir())


def test_without_a_partition_that_takes_the_account_nothing_is_written(tmp_path):
    with pytest.raises(UserError, match="account ours: no partition takes its jobs"):
        slurm_profile.write(tmp_path, "ours", SINFO.splitlines()[-1], SCONTROL)
    assert not list(tmp_path.iterdir())
