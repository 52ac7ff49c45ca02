"""Several processes do together what one does alone."""

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import product

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file
from xstilts.commands import TEMPORARY_FAILURE
from xstilts.evaluation import prediction
from xstilts.hardware import Hardware
from xstilts.models import distributed
from xstilts.models.distributed import Group
from xstilts.store import manifest
from xstilts.store.manifest import path_of
from xstilts.training import loop, shards

from tests.builders.divided import Divided, digest
from tests.builders.models import METHODS, MODELS, NO_HEAD, NO_PREFIX, TRAINED
from tests.builders.nodes import restate
from tests.builders.plans import node_of, spec_text
from tests.builders.processes import together
from tests.builders.training import ENVIRONMENT, RUNS, run, without_dropout

# every family, form, method and precision at least once: with weights in two shards, or whole in both processes
SHARDED, WHOLE = [
    ("mt5", "classification", "prompt", "bfloat16"), ("xlm-r", "mlm", "full", "bfloat16"),
    ("modernbert", "span", "full", "float32"), ("modernbert", "mlm", "lora", "bfloat16"),
    ("mt5", "multiple_choice", "prefix", "float32"), ("llama", "mlm", "prefix", "float32"),
    ("qwen", "classification", "lora", "bfloat16"), ("gemma", "tagging", "prefix", "bfloat16"),
], [
    ("mt5", "mlm", "full", "float32"), ("bert", "tagging", "lora", "float32"),
    ("mt5-encoder", "retrieval", "lora", "float32"), ("llama", "span", "prompt", "bfloat16"),
]  # fmt: skip
FEW = {**dict.fromkeys(SHARDED, 2), **dict.fromkeys(WHOLE, 1)}
ALL = [
    (name, form, method, precision)
    for name, form, method, precision in product(MODELS, TRAINED, METHODS, ("float32", "bfloat16"))
    if not (name in NO_PREFIX and method == "prefix") and not (name in NO_HEAD and form == "mlm")
]
MIXED = ("intermediate", "tiny.full.mixed.s1")
# with the number of shards of the weights
DIVIDED = [(*each, 2) for each in [*RUNS, ("intermediate", "tiny.full.retrieval.s1"), MIXED]]
DIVIDED += [(*each, 1) for each in [*RUNS[:2], MIXED]]


@pytest.fixture(scope="module")
def two_processes(trained, tmp_path_factory):
    """Results without dropout, and a folder with what two processes made of each run, sixty tokens at once."""
    folder = tmp_path_factory.mktemp("two")
    specs = [node_of(trained[0], stage, name).spec for stage, name, _ in DIVIDED]
    trained = without_dropout(trained, specs[0], folder / "results")

    def train(group):
        save, digests = loop.save_model, []

        def note(model, scratch, group):
            digests.append(digest(model) if group.shards == 1 else None)
            save(model, scratch, group)

        loop.save_model = note
        for spec, (_, name, number) in zip(specs, DIVIDED, strict=True):
            scratch, workplace = (folder / f"{name}-{number}" / place for place in ("out", "work"))
            if group.leads:
                scratch.mkdir(parents=True)
                workplace.mkdir()
            group.wait()
            hardware = Hardware(checkpoint_seconds=0, max_tokens_per_device=60)
            divided = loop.prepare(spec, trained[1], workplace, hardware, replace(group, shards=number))
            loop.train(divided, trained[1], scratch)
        # whole weights are the same in both, bit for bit
        first, second = group.all(digests)
        assert first == second and first[-1] is not None

    together(2, train)
    return trained, folder


@pytest.mark.parametrize(("stage", "name", "shards"), DIVIDED)
def test_two_processes_equal_one(two_processes, tmp_path, stage, name, shards):
    """Over gloo, at dropout 0: the losses up to 1e-5, and the weights of the end up to what Adam makes of rounding."""
    trained, folder = two_processes
    _, alone = run(trained, node_of(trained[0], stage, name).spec, tmp_path / "alone")
    divided = {path.name: path for path in (folder / f"{name}-{shards}" / "out").iterdir()}
    assert divided.keys() == alone.keys()
    first, second = json.loads(alone["history.json"]), json.loads(divided["history.json"].read_text())
    for before, after in zip(first["losses"], second["losses"], strict=True):
        assert after == pytest.approx(before, rel=1e-5, abs=1e-5)
    assert first["evaluations"] == second["evaluations"]
    for before, after in zip(*(one.get("gradient_conflict", []) for one in (first, second)), strict=True):
        assert before["tasks"] == after["tasks"] and after["cosine"] == pytest.approx(before["cosine"], abs=1e-3)
    for file in [file for file in alone if file.endswith(".safetensors")]:
        one, other = load_file(tmp_path / "alone/out" / file), load_file(divided[file])
        assert one.keys() == other.keys()
        assert max(float((one[key] - other[key]).abs().max()) for key in one) < 2e-3


def test_what_is_saved_after_an_evaluation_is_still_a_shard(trained, tmp_path):
    """Of weights that are in no layer, too, as the head: a checkpoint has them as they were before."""
    spec = node_of(trained[0], "targets", "tiny.full.none.s1.mnli").spec

    def evaluate(group):
        prepared = loop.prepare(spec, trained[1], tmp_path, Hardware(), group)
        model = loop.start(prepared)
        before = {name: distributed.local(weight).shape for name, weight in shards.trained(model).items()}
        prediction.evaluate(model, prepared.tasks[0], prepared.data[0]["dev"], prepared.device)
        after = {name: distributed.local(weight).shape for name, weight in shards.trained(model).items()}
        assert any(name.startswith("heads.") for name in after) and before == after

    together(2, evaluate)


def test_no_process_has_a_converted_copy_of_the_whole(trained, tmp_path):
    """Of weights in bfloat16 that are trained in float32 each converts its shards; they do what one process does."""
    spec = node_of(trained[0], "targets", "tiny.full.none.s1.mnli").spec
    spec = replace(spec, early_stopping=None)
    trained = without_dropout(trained, spec, tmp_path / "results")
    folder = trained[1] / spec.parents["model"]
    stored = {name: value.bfloat16() for name, value in load_file(folder / "model.safetensors").items()}
    save_file(stored, folder / "model.safetensors", {"format": "pt"})
    restate(folder)
    _, alone = run(trained, spec, tmp_path / "alone")
    (tmp_path / "work").mkdir()
    (tmp_path / "out").mkdir()

    def train(group):
        shard, start, held = distributed.shard, loop.start, []

        def note(model, *others):
            held.append(dict(model.backbone.named_parameters()))
            return shard(model, *others)

        def note_started(run):
            distributed.shard = note
            model = start(run)
            distributed.shard = shard
            own = [distributed.local(value) for value in model.backbone.parameters()]
            assert {value.dtype for value in held[0].values()} == {torch.bfloat16}
            assert {value.dtype for value in own} == {torch.float32}
            whole = sum(value.numel() for value in held.pop().values())
            assert sum(value.numel() for value in own) < 0.55 * whole
            return model

        loop.start = note_started
        loop.train(loop.prepare(spec, trained[1], tmp_path / "work", Hardware(), group), trained[1], tmp_path / "out")

    together(2, train)
    assert (tmp_path / "out/config.json").read_bytes() == alone["config.json"]
    histories = (alone["history.json"], (tmp_path / "out/history.json").read_bytes())
    for before, after in zip(*(json.loads(text)["losses"] for text in histories), strict=True):
        assert after == pytest.approx(before, rel=1e-5, abs=1e-5)
    one, other = (load_file(tmp_path / place / "model.safetensors") for place in ("alone/out", "out"))
    assert one.keys() == other.keys()
    assert max(float((one[key] - other[key]).abs().max()) for key in one) < 2e-3


@pytest.fixture(scope="module")
def divided(families, family_splits):
    return Divided(families, family_splits)


@pytest.fixture(scope="module")
def few(divided, tmp_path_factory):
    """What two processes make of a few cases."""
    folder = tmp_path_factory.mktemp("few")
    divided.in_processes(2, FEW, folder)
    return folder


@pytest.mark.parametrize("case", FEW, ids="-".join)
def test_two_processes_equal_one_for_every_family(divided, few, case):
    """With as many passes for each, some for the other one's sake; but not where each instance has its own."""
    divided.check(case, few)
    assert divided.uncounted(case) > 0 or case[1] in ("span", "multiple_choice", "retrieval")


def check_all(divided, processes, cases, shards, folder):
    """Compare all cases with what one process does, and say which differ."""
    failed = []
    divided.in_processes(processes, dict.fromkeys(cases, shards), folder)
    for case in cases:
        try:
            divided.check(case, folder)
        except AssertionError as error:
            failed.append(f"{'-'.join(case)}: {error}")
    assert not failed, "\n".join(failed)


@pytest.mark.long
@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("name", MODELS)
def test_two_processes_equal_one_for_every_form_method_and_precision(divided, tmp_path, name, shards):
    """In a pair of processes for each family."""
    check_all(divided, 2, [case for case in ALL if case[0] == name], shards, tmp_path)


@pytest.mark.long
def test_two_nodes_with_a_replica_each_equal_one_process(divided, tmp_path):
    """Of two processes: each has a shard of its node's copy."""
    check_all(divided, 4, list(FEW), 2, tmp_path)


def test_processes_stop_by_the_scores_of_the_first_one(trained, tmp_path):
    """Whatever a process's own scores are: of those here each is less than the one before."""
    scores = iter(range(90, 0, -1))

    class Second(Group):
        def share(self, value):
            return next(scores) if isinstance(value, float) else value

    spec = node_of(trained[0], "targets", "tiny.full.none.s1.mnli").spec
    _, files = run(trained, spec, tmp_path, group=Second())
    evaluations = json.loads(files["history.json"])["evaluations"]
    assert [evaluation["score"] for evaluation in evaluations] == [90, 89, 88]


def started(spec, output, *options):
    """Begin to train a node by the command, in two processes."""
    asked = ["--spec", spec_text(spec), "--output", str(output), "--processes", "2", *options]
    command = [sys.executable, "-m", "xstilts", "train", *asked]
    return subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)


def after_a_checkpoint(process, work, after=0):
    """Wait until a checkpoint of a later step is there, and return its step."""
    while process.poll() is None:
        steps = [int(path.name.removeprefix("checkpoint-")) for path in work.glob("checkpoint-*")]
        if max(steps, default=0) > after:
            return max(steps)
        time.sleep(0.05)
    raise AssertionError(process.communicate()[1])


def test_command_with_two_processes(two_processes, tmp_path):
    """The whole command: launcher, lock, manifest."""
    trained, _ = two_processes
    node = node_of(trained[0], "intermediate", "tiny.full.retrieval.s1")
    output = path_of(trained[1], node.id)
    process = started(node.spec, output)
    errors = process.communicate()[1]
    assert process.returncode == 0, errors
    stated, _ = run(trained, node.spec, tmp_path)
    made = manifest.read(output).results
    assert (made.steps, made.run.tasks, made.parameters) == (stated.steps, stated.run.tasks, stated.parameters)
    assert not (trained[1] / "work" / node.id).exists()
    assert not list(output.parent.parent.glob(".*"))


@pytest.mark.parametrize("shards", [1, 2])
def test_command_that_is_asked_to_end_and_then_loses_a_process(two_processes, shards):
    """Asked to end, all save and end with 75; the same command goes on; one that is killed ends all, in one line."""
    trained, _ = two_processes
    spec = node_of(trained[0], "intermediate", "tiny.full.retrieval.s1").spec
    spec = replace(spec, sampling=replace(spec.sampling, steps=50_000))
    output = trained[1] / f"intermediate/long-{shards}/manifest.json"
    work = trained[1] / f"work/intermediate/long-{shards}"
    options = ("--checkpoint-seconds", "0", "--shards", str(shards))
    process = started(spec, output, *options)
    after_a_checkpoint(process, work)
    process.send_signal(signal.SIGTERM)
    errors = process.communicate()[1]
    assert process.returncode == TEMPORARY_FAILURE, errors
    (saved,) = re.findall(r"interrupted; saved at step (\d+), from which the next run continues", errors)
    assert len(list(next(work.glob("checkpoint-*")).glob("*.safetensors"))) == 2 * shards
    process = started(spec, output, *options)
    after_a_checkpoint(process, work, int(saved))
    ranks = psutil.Process(process.pid).children()
    assert len(ranks) == 2
    ranks[1].kill()
    errors = process.communicate()[1]
    assert process.returncode == 2
    assert f"resuming at step {saved}" in errors
    (line,) = [line for line in errors.splitlines() if re.search("error|Traceback", line, re.IGNORECASE)]
    assert "process 1 of 2 was ended by SIGKILL, and the others with it; the same command goes on" in line
    assert not any(rank.is_running() for rank in ranks)
    assert not output.exists()
