"""CPU and wall seconds of jobs that are forked from a warm process, against jobs that start Python by themselves.

Run:  python benchmarks/warm.py [--results <results of a study that has run>] [--rounds 5]

A target's training and its prediction, made anew in a copy of the results; without ``--results`` in those of the tiny
study, which runs first. A third job finds its result there already: what it takes is the start of a job alone. The two
sides take turns. CPU seconds are those of the process that is started, of the job and of the fork; the imports of the
warm process, once a run, stand apart. What both sides make has to be the same bytes.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from xstilts.warm import server  # noqa: E402 (the library of this checkout)

COMMANDS = {"targets": "train", "predictions": "predict"}


def run_tiny(results: Path) -> None:
    """Run the tiny study."""
    settings = {"study": str(ROOT / "studies/tiny.yaml"), "keep_models": "all"}
    (results.parent / "config.yaml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--cores", "all"]
    subprocess.run(command, cwd=results.parent, check=True, capture_output=True)


def jobs(results: Path) -> dict[str, Path]:
    """Return the manifests of a training and of a prediction with its model, by stage."""
    for path in sorted(results.glob("predictions/*/manifest.json")):
        model = results / json.loads(path.read_text())["spec"]["parents"]["model"]
        if model.parent.name == "targets" and (model / "manifest.json").exists():
            return {"targets": model / "manifest.json", "predictions": path}
    raise SystemExit(f"{results}: no prediction with a trained model")


def measure(
    manifest: Path, cpu: Callable[[], float], environment: dict[str, str], anew: bool = True
) -> tuple[float, float]:
    """Run the job of a node, to make it anew or to find it there; return the CPU seconds and the wall seconds."""
    text = manifest.read_text()
    if anew:
        shutil.rmtree(manifest.parent)
    command = [sys.executable, "-m", "xstilts", COMMANDS[manifest.parents[1].name]]
    command += ["--spec", json.dumps(json.loads(text)["spec"]), "--output", str(manifest)]
    before, started = cpu(), time.perf_counter()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    used = cpu() - before, time.perf_counter() - started
    assert manifest.read_text() == text, f"{manifest}: not what it was"
    return used


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, help="results of a study that has run, with its models")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    os.environ["PYTHONPATH"] = str(ROOT / "workflow_scripts")
    os.environ.update(dict.fromkeys(server.ONE_THREAD, "1"))
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        if arguments.results:
            shutil.copytree(arguments.results, results)
        else:
            run_tiny(results)
        manifests = jobs(results)
        fresh = dict(os.environ)
        server.start()
        (process,) = psutil.Process().children()

        def cpu_with_server() -> float:
            return cpu_of_children() + sum(process.cpu_times()[:4])

        sides = {"fresh": (cpu_of_children, fresh), "warm": (cpu_with_server, dict(os.environ))}
        measure(manifests["predictions"], *sides["warm"])
        imports = sum(process.cpu_times()[:2])
        runs = [("targets", True), ("predictions", True), ("predictions", False)]
        taken = {(stage, anew, side): [] for stage, anew in runs for side in sides}
        for _ in range(arguments.rounds):
            for (stage, anew, side), seconds in taken.items():
                seconds.append(measure(manifests[stage], *sides[side], anew))
    lines = ["| job | process | CPU s | wall s |", "|---|---|---|---|"]
    for (stage, anew, side), seconds in taken.items():
        cpu, wall = (statistics.median(values) for values in zip(*seconds, strict=True))
        lines.append(f"| {COMMANDS[stage]}{'' if anew else ', there already'} | {side} | {cpu:.2f} | {wall:.2f} |")
    sys.stdout.write("\n".join([*lines, f"imports of the warm process: {imports:.2f} CPU s", ""]))


if __name__ == "__main__":
    main()
