"""CPU-seconds that a study spends on hashing files, on locks and on fsync, against all that it spends.

Run:  PYTHONPATH=. python benchmarks/checking.py [studies/miniature.yaml]

The study runs from nothing to its report. Each of its Python processes measures its calls of the three functions by the
CPU clock of the thread that calls them; waiting for a lock or for a disk is no CPU time.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.builders.projects import ROOT, Project

# what Python imports first in every process of the study
HOOK = """
import contextlib, functools, os, time
from xstilts.store import files, lock

def note(name, seconds):
    with open(os.environ["XSTILTS_CHECKING"], "a") as file:
        file.write(f"{name} {seconds:.9f}\\n")

def timed(name, function):
    @functools.wraps(function)
    def call(*arguments, **named):
        start = time.thread_time()
        try:
            return function(*arguments, **named)
        finally:
            note(name, time.thread_time() - start)
    return call

def timed_lock(held):
    @contextlib.contextmanager
    def call(*arguments, **named):
        context = held(*arguments, **named)
        value = timed("locks", context.__enter__)()
        try:
            yield value
        finally:
            timed("locks", context.__exit__)(None, None, None)
    return call

files.file_sha256 = timed("hashing", files.file_sha256)
files.sync_one = timed("fsync", files.sync_one)
lock.held = timed_lock(lock.held)
"""


def main() -> None:
    study = ROOT / (sys.argv[1] if len(sys.argv) > 1 else "studies/miniature.yaml")
    with tempfile.TemporaryDirectory() as folder:
        hook, notes = Path(folder) / "hook", Path(folder) / "notes"
        hook.mkdir()
        (hook / "sitecustomize.py").write_text(HOOK, encoding="utf-8")
        project = Project(Path(folder) / "project", study)
        environment = project.environment()
        paths = [str(hook), str(ROOT / "workflow_scripts"), environment.get("PYTHONPATH", "")]
        environment |= {"PYTHONPATH": ":".join(filter(None, paths)), "XSTILTS_CHECKING": str(notes)}
        command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--cores", "all"]
        started = time.perf_counter()
        done = subprocess.run(command, cwd=project.folder, env=environment, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        if done.returncode:
            sys.exit(done.stderr[-5000:])
        calls: dict[str, list[float]] = {}
        for line in notes.read_text(encoding="utf-8").splitlines():
            name, spent = line.split()
            calls.setdefault(name, []).append(float(spent))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime
    sys.stdout.write(f"{study.stem}: {seconds:.0f} s, {cpu:.0f} CPU-seconds\n")
    for name, spents in sorted(calls.items()):
        sys.stdout.write(f"{name}: {len(spents)} calls, {sum(spents):.2f} CPU-seconds, {sum(spents) / cpu:.2%}\n")


if __name__ == "__main__":
    main()
