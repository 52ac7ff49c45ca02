"""The profile of one site: the account, and what a job of each partition may ask for."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from xstilts.errors import UserError
from xstilts.store.files import write_atomically

PROFILE = "config.yaml"
# Snakemake 9 reads this one of a profile's files where both are there
SITE_PROFILE, PARTITIONS = "config.v9+.yaml", "partitions.yaml"
# what sinfo is asked for: partition, whether it takes jobs, its time limit, and a node's CPUs, megabytes and GPUs
COLUMNS = "%R|%a|%l|%c|%m|%G"
_WITHOUT_LIMIT = ("infinite", "unlimited", "n/a")
_RESTRICTIONS = ("AllowGroups", "AllowQos")


def write(folder: Path, account: str | None, sinfo: str, scontrol: str) -> list[str]:
    """Write a site's profile and its partitions beside the common profile, and return the partitions' names.

    Args:
        folder: that of the profile.
        account: that jobs name.
        sinfo: as for ``partitions``.
        scontrol: as for ``partitions``.

    Raises:
        UserError: if none of its partitions is up, or for the account.
    """
    found = partitions(sinfo, scontrol, account)
    if not found and account is None:
        raise UserError("sinfo: no partition is up; `sinfo --summarize` shows them, run this again once one is")
    if not found:
        raise UserError(f"account {account}: no partition takes its jobs; `scontrol show partition` shows all of them")
    common = (folder / PROFILE).read_text(encoding="utf-8")
    write_atomically(folder / SITE_PROFILE, site_profile(common, account))
    text = "# What a job may ask of each partition, as sinfo said; delete one that is not to be used.\n"
    write_atomically(folder / PARTITIONS, text + yaml.safe_dump({"partitions": found}))
    return sorted(found)


def restricted(scontrol: str) -> dict[str, str]:
    """Return the partitions that are for some groups of users or qualities of service alone, and which these are.

    Whether a job may go there is not known: which quality of service it gets is for Slurm to decide.
    """
    found = {}
    for partition in map(_pairs, scontrol.splitlines()):
        limits = [f"{key}={partition[key]}" for key in _RESTRICTIONS if partition.get(key, "ALL") != "ALL"]
        if limits:
            found[partition["PartitionName"]] = " ".join(limits)
    return found


def partitions(sinfo: str, scontrol: str, account: str | None) -> dict[str, dict[str, Any]]:
    """Return the limits of the partitions that take an account's jobs, as the executor's partition file has them.

    The executor can write such a file, too (2.8): there a partition's GPUs are those of all nodes, which one job
    cannot have, or none where Slurm does not count them; and it takes the limit 30:00, half an hour, for 30 hours.

    Args:
        sinfo: lines of ``COLUMNS``, one for each kind of node in a partition.
        scontrol: a line for each partition.
        account: that jobs name.

    Raises:
        UserError: if a line of a partition that is up has something else than sinfo's manual says.
    """
    closed = {line["PartitionName"] for line in map(_pairs, scontrol.splitlines()) if not _is_open(line, account)}
    found: dict[str, dict[str, Any]] = {}
    for line in sinfo.splitlines():
        try:
            name, state, limit, cpus, megabytes, resources = line.split("|")
            if state != "up" or name in closed:
                continue
            node = {"max_threads": int(cpus.rstrip("+")), "max_mem_mb": int(megabytes.rstrip("+"))}
            runtime = {} if limit.lower() in _WITHOUT_LIMIT else {"max_runtime": _minutes(limit)}
        except ValueError:
            raise UserError(
                f"sinfo: {line!r} is not partition|state|time limit|CPUs|megabytes|GPUs in numbers; write"
                f" {PARTITIONS} by hand, as the documentation of snakemake-executor-plugin-slurm has it"
            ) from None
        node["max_gpu"] = sum(map(int, re.findall(r"\bgpu(?::[^:,()]+)?:(\d+)", resources)))
        limits = found.setdefault(name, runtime)
        # of the largest node of each kind
        for key, value in node.items():
            limits[key] = max(value, limits.get(key, 0))
    return found


def site_profile(common: str, account: str | None) -> str:
    """Return the common profile with an account and the partitions' file."""
    settings = yaml.safe_load(common) | {"slurm-partition-config": PARTITIONS}
    if account is not None:
        settings["default-resources"] = settings.get("default-resources", {}) | {"slurm_account": account}
    head = "# By `make slurm-profile`; make it again after config.yaml, which says what each key is for, has changed.\n"
    return head + yaml.safe_dump(settings, sort_keys=False)


def _minutes(limit: str) -> int:
    """Return a time limit of Slurm's, [days-][hours:]minutes:seconds, in whole minutes."""
    days, _, rest = limit.rpartition("-")
    hours, minutes, _ = ["0", *rest.split(":")][-3:]
    return 1440 * int(days or 0) + 60 * int(hours) + int(minutes)


def _pairs(line: str) -> Mapping[str, str]:
    return dict(re.findall(r"(\w+)=(\S*)", line))


def _is_open(partition: Mapping[str, str], account: str | None) -> bool:
    allowed, denied = partition.get("AllowAccounts", "ALL"), partition.get("DenyAccounts", "")
    return account is None or (allowed == "ALL" or account in allowed.split(",")) and account not in denied.split(",")
