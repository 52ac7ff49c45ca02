"""Several processes do together what one does alone."""

import json
import subprocess
import sys

import pytest
from safetensors.torch import load_file
from xstilts.store import manifest
from xstilts.store.manifest import path_of
from xstilts.store.specs import to_json

from tests.builders.plans import node_of, spec_text
from tests.builders.training import ENVIRONMENT, RUNS, run, without_dropout

TWO = """
import json, pathlib, sys
import torch
from xstilts.hardware import Hardware
from xstilts.models import distributed
from xstilts.store.specs import from_json
from xstilts.training import loop
torch.set_num_threads(1)
group = distributed.join(2)
for spec, results, place in json.loads(sys.argv[1]):
    scratch, workplace = (pathlib.Path(place) / name for name in ("out", "work"))
    if group.leads:
        scratch.mkdir(parents=True)
        workplace.mkdir()
    group.wait()
    hardware, results = Hardware(checkpoint_seconds=0), pathlib.Path(results)
    loop.train(loop.prepare(from_json(spec), results, workplace, hardware, group), results, scratch)
torch.distributed.destroy_process_group()
"""
DIVIDED = [*RUNS, *(("intermediate", f"tiny.full.{name}.s1") for name in ("retrieval", "mixed"))]


@pytest.fixture(scope="module")
def two_processes(trained, tmp_path_factory):
    """Results without dropout, and a folder with what two processes made of each run."""
    folder = tmp_path_factory.mktemp("two")
    specs = [node_of(trained[0], *each).spec for each in DIVIDED]
    trained = without_dropout(trained, specs[0], folder / "results")
    (folder / "two.py").write_text(TWO)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    jobs = [
        (to_json(spec), str(trained[1]), str(folder / name)) for spec, (_, name) in zip(specs, DIVIDED, strict=True)
    ]
    command = [*launcher, str(folder / "two.py"), json.dumps(jobs)]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return trained, folder


@pytest.mark.parametrize(("stage", "name"), DIVIDED)
def test_two_processes_equal_one(two_processes, tmp_path, stage, name):
    """Over gloo, at dropout 0: the losses up to 1e-5, and the weights of the end up to what Adam makes of rounding."""
    trained, folder = two_processes
    _, alone = run(trained, node_of(trained[0], stage, name).spec, tmp_path / "alone")
    together = {path.name: path for path in (folder / name / "out").iterdir()}
    assert together.keys() == alone.keys()
    first, second = json.loads(alone["history.json"]), json.loads(together["history.json"].read_text())
    for before, after in zip(first["losses"], second["losses"], strict=True):
        assert after == pytest.approx(before, rel=1e-5, abs=1e-5)
    assert first["evaluations"] == second["evaluations"]
    for before, after in zip(*(one.get("gradient_conflict", []) for one in (first, second)), strict=True):
        assert before["tasks"] == after["tasks"] and after["cosine"] == pytest.approx(before["cosine"], abs=1e-3)
    for file in [file for file in alone if file.endswith(".safetensors")]:
        one, other = load_file(tmp_path / "alone/out" / file), load_file(together[file])
        assert one.keys() == other.keys()
        assert max(float((one[key] - other[key]).abs().max()) for key in one) < 2e-3


def test_command_with_two_processes(two_processes, tmp_path):
    """The whole command: torchrun, the lock, the manifest; and one process goes on from what two have saved."""
    trained, _ = two_processes
    node = node_of(trained[0], "intermediate", "tiny.full.retrieval.s1")
    output = path_of(trained[1], node.id)
    command = [
        sys.executable,
        "-m",
        "xstilts",
        "train",
        "--spec",
        spec_text(node.spec),
        "--output",
        str(output),
    ]
    done = subprocess.run([*command, "--processes", "2"], env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    stated, _ = run(trained, node.spec, tmp_path)
    made = manifest.read(output).results
    assert (made.steps, made.run.tasks, made.parameters) == (stated.steps, stated.run.tasks, stated.parameters)
    assert not (trained[1] / "work" / node.id).exists()
    assert not list(output.parent.parent.glob(".*"))
