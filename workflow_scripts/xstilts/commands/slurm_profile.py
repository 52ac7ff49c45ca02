"""Write the cluster's own profile beside slurm/config.yaml: the account, and the partitions that there are."""

import argparse
import logging
from pathlib import Path

from xstilts.planning import slurm_profile

log = logging.getLogger(__name__)

# what `snakemake --profile slurm` reads
_FOLDER = Path("slurm")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--account", default=None, help="that jobs are billed to; none where Slurm keeps no accounts")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    names = slurm_profile.write(_FOLDER, arguments.account)
    log.info("%s: partitions %s", _FOLDER / slurm_profile.SITE_PROFILE, ", ".join(names))
