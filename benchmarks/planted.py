"""Planted effects: what the pipeline says in many worlds of differences that are known (docs/miniature.md).

Run:  python benchmarks/planted.py --worlds 100..139 --folder <folder> [--runs 5] [--at-once 2]
          [--output docs/miniature/planted]

Runs studies/planted.yaml in each of these worlds as `make study` does, up to its estimates, on one core, with the
results of all worlds in one folder. Worlds whose estimates are there are not run again, so a second call goes on where
the first one ended. Then it reads their tables of estimates and writes what was found (worlds.csv, claims.csv) and how
often that is right (planted.md).
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pandas as pd
import scipy.stats
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from xstilts.evaluation import claims, estimates, intervals  # noqa: E402 (the library of this checkout)
from xstilts.evaluation.comparisons import CLAIM  # noqa: E402
from xstilts.evaluation.table import records  # noqa: E402
from xstilts.evaluation.worlds import VERDICTS  # noqa: E402
from xstilts.planning.settings import from_config, plan_of  # noqa: E402
from xstilts.reporting import layout  # noqa: E402
from xstilts.store.answer import SMALLEST  # noqa: E402

STUDY = ROOT / "studies/planted.yaml"
# the contrast whose true difference is exactly 0; of any other it is the mean over worlds
NOT_PLANTED = "not_planted"
KEPT = ["name", "a", "b", "estimate", "low", "high", "run_sd", "p", "p_holm", "verdict", "detectable"]
HEADER = ["contrast", "difference", "worlds", "true difference", "detectable", *VERDICTS, "p < 5 %", "interval has it"]
CLAIM_VERDICTS = (claims.SUPPORTED, claims.CONTRADICTED, claims.UNDECIDED)
CLAIMS_HEADER = ["claim", "worlds", *CLAIM_VERDICTS]
TITLE = "Verdicts and 95 % intervals of `studies/planted.yaml` in {} worlds; in brackets exact binomial 95 % intervals."
LEGEND = (
    "The true difference is 0 where nothing is planted; else it is taken to be the mean over worlds, beside which the"
    " standard deviation between worlds stands: worlds differ, so fewer intervals have that mean than have their own"
    " world's difference. `detectable` is the mean of what a study calls detectable. It and the verdicts are corrected"
    " for the other primary comparisons of a world (Holm, its strictest step); `p < 5 %` counts p without this"
    " correction, and intervals are not corrected."
)
CLAIMS_TITLE = "What the claims of the study came to in these worlds."
CLAIMS_LEGEND = (
    "Each claims that the first of two mixtures is higher, and has one comparison, so its p is not corrected. Of"
    " `not_planted` nothing is true: what is supported or contradicted is a false alarm."
)


def worlds_in(text: str) -> list[int]:
    """Return the worlds of a range such as ``100..139``, its ends included, or one world."""
    first, _, last = text.partition("..")
    return list(range(int(first), int(last or first) + 1))


def project(folder: Path, seeds: Mapping[str, list[int]], world: int) -> Path:
    """Make the folder in which a world's study runs, a checkout but for its settings, and return it."""
    made = folder / f"world-{world}"
    made.mkdir(parents=True, exist_ok=True)
    for name in ("Snakefile", "rules", "envs", "workflow_scripts"):
        if not (made / name).exists():
            os.symlink(ROOT / name, made / name)
    study = yaml.safe_load(STUDY.read_text(encoding="utf-8")) | {"world": world} | seeds
    (made / STUDY.name).write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    settings = {"study": STUDY.name, "results": str(folder / "results")}
    (made / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return made


def estimates_of(made: Path) -> Path:
    """Return where a world's table of estimates stands, or will stand."""
    settings = yaml.safe_load((made / "config.yaml").read_text(encoding="utf-8"))
    plan = plan_of(from_config(settings | {"study": str(made / STUDY.name)}))
    return Path(settings["results"]) / plan.folder / estimates.FILE


def run(folder: Path, seeds: Mapping[str, list[int]], world: int) -> Path | None:
    """Run the study in a world unless it has been run, and return its table of estimates; None if the run failed."""
    made = project(folder, seeds, world)
    found, log, began = estimates_of(made), made / "run.log", time.monotonic()
    if found.exists():
        return found
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XSTILTS_")}
    environment |= {"PYTHONPATH": str(ROOT / "workflow_scripts")}
    with open(log, "w", encoding="utf-8") as output:
        command = [sys.executable, "-m", "xstilts", "run", "--cores", "1", "--", "estimates"]
        code = subprocess.run(command, cwd=made, env=environment, stdout=output, stderr=output, check=False).returncode
    said = f"failed; see {log}" if code else f"{time.monotonic() - began:.0f} s"
    sys.stderr.write(f"world {world}: {said}\n")
    return None if code else found


def primary(world: int, frame: pd.DataFrame) -> pd.DataFrame:
    """Return what is kept of a world's table of estimates: its primary comparisons, over all runs."""
    kept = frame[frame["primary"] & (frame["runs_used"] == estimates.ALL_RUNS)]
    return kept[KEPT].assign(world=world)[["world", *KEPT]]


def judged(world: int, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the verdicts on the claims of which a world's table of estimates has comparisons."""
    of_claims = frame[estimates.is_of_claim(frame) & (frame["runs_used"] == estimates.ALL_RUNS)]
    verdicts = [
        (world, name.removeprefix(f"{CLAIM} "), claims.judge(records(of_name), True, SMALLEST).verdict)
        for name, of_name in of_claims.groupby("name", sort=False)
    ]
    return pd.DataFrame(verdicts, columns=["world", "claim", "verdict"])


def claim_rows(found: pd.DataFrame) -> list[list[str]]:
    """Return the rows of the table below CLAIMS_HEADER.

    Args:
        found: the verdicts on the claims of all worlds.
    """
    return [
        [
            str(name),
            str(len(of_name)),
            *(share((of_name["verdict"] == one).sum(), len(of_name)) for one in CLAIM_VERDICTS),
        ]
        for name, of_name in found.groupby("claim", sort=False)
    ]


def rows(found: pd.DataFrame) -> list[list[str]]:
    """Return the rows of the table below HEADER.

    Args:
        found: the primary comparisons of all worlds.
    """
    made = []
    for name, of_name in found.groupby("name", sort=False):
        number, values = len(of_name), of_name["estimate"]
        true = 0.0 if name == NOT_PLANTED else values.mean()
        has_it = ((of_name["low"] <= true) & (true <= of_name["high"])).sum()
        made.append([
            str(name),
            f"{of_name['a'].iloc[0]} − {of_name['b'].iloc[0]}",
            str(number),
            "0" if name == NOT_PLANTED else f"{true:+.1f} (SD {values.std():.1f})",
            f"{of_name['detectable'].mean():.1f}",
            *(share((of_name["verdict"] == verdict).sum(), number) for verdict in VERDICTS),
            share((of_name["p"] < intervals.LEVEL).sum(), number),
            share(has_it, number),
        ])  # fmt: skip
    return made


def share(count: int, number: int) -> str:
    """Return a count with the exact binomial 95 % interval of its share (Clopper and Pearson 1934), in percent."""
    ends = scipy.stats.binomtest(int(count), number).proportion_ci(0.95, method="exact")
    return f"{count} ({100 * ends.low:.0f} to {100 * ends.high:.0f} %)"


def text(found: pd.DataFrame, of_claims: pd.DataFrame) -> str:
    """Return how often the primary comparisons, and the claims, of all worlds are right, as Markdown."""
    compared = layout.markdown((HEADER, rows(found)), TITLE.format(found["world"].nunique()), LEGEND)
    return f"{compared}\n{layout.markdown((CLAIMS_HEADER, claim_rows(of_claims)), CLAIMS_TITLE, CLAIMS_LEGEND)}"


def write(frames: Mapping[int, pd.DataFrame], output: Path) -> str:
    """Write worlds.csv, claims.csv and planted.md of the tables of estimates by world; return the last one's text."""
    found = pd.concat([primary(world, frame) for world, frame in frames.items()], ignore_index=True)
    of_claims = pd.concat([judged(world, frame) for world, frame in frames.items()], ignore_index=True)
    output.mkdir(parents=True, exist_ok=True)
    found.to_csv(output / "worlds.csv", index=False)
    of_claims.to_csv(output / "claims.csv", index=False)
    (output / "planted.md").write_text(text(found, of_claims), encoding="utf-8")
    return text(found, of_claims)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--worlds", type=worlds_in, required=True, help="first..last")
    parser.add_argument("--folder", type=Path, required=True, help="where the studies run and their results are")
    parser.add_argument("--runs", type=int, help="runs an arm; by default those of the study")
    parser.add_argument("--at-once", type=int, default=1, help="studies that run at the same time, each on one core")
    parser.add_argument("--output", type=Path, help="where the tables are written; by default the folder")
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    seeds = {"seeds": list(range(1, arguments.runs + 1))} if arguments.runs else {}
    with ThreadPoolExecutor(arguments.at_once) as pool:
        found = dict(zip(arguments.worlds, pool.map(partial(run, folder, seeds), arguments.worlds), strict=True))
    frames = {world: estimates.read(path) for world, path in found.items() if path}
    if frames:
        sys.stdout.write(write(frames, arguments.output or folder))
    return 0 if len(frames) == len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
