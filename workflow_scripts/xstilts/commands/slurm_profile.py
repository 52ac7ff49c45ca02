"""Write the cluster's own profile beside slurm/config.yaml: the account, and the partitions that there are."""

import argparse
import logging
from pathlib import Path

from xstilts.errors import UserError
from xstilts.planning import slurm_profile
from xstilts.store import slurm

log = logging.getLogger(__name__)

# what `snakemake --profile slurm` reads
_FOLDER = Path("slurm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--account", default=None, help="that jobs are billed to; none where Slurm keeps no accounts")


def run(arguments: argparse.Namespace) -> None:
    """Run the command.

    Raises:
        UserError: if there is no Slurm, or none of its partitions is up, or for the account.
    """
    account = arguments.account
    if account is not None and not slurm.keeps_accounts():
        raise UserError("ACCOUNT: this Slurm keeps no accounts, and jobs cannot name one; leave it out")
    sinfo = slurm.ask("sinfo", "--exact", "--noheader", "--format", slurm_profile.COLUMNS)
    scontrol = slurm.ask("scontrol", "--oneliner", "show", "partition")
    names = slurm_profile.write(_FOLDER, account, sinfo, scontrol)
    log.info("%s: partitions %s", _FOLDER / slurm_profile.SITE_PROFILE, ", ".join(names))
    for name, limits in slurm_profile.restricted(scontrol).items():
        if name in names:
            path = _FOLDER / slurm_profile.PARTITIONS
            log.warning("%s: partition %s has %s; delete it there if these are not yours", path, name, limits)
