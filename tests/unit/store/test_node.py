"""The one writer of nodes: whole or not at all, whoever else writes and whenever it is killed."""

import json
import os
import threading

import pytest
from xstilts.store import lock, node
from xstilts.store.manifest import PreparedResults

from tests.builders.predicted import training_data
from tests.unit.store.test_lock import without_locks

SPEC = training_data("mnli", "en")
FILES = ("train.parquet", "dev.parquet", "more/notes.txt")


@pytest.fixture
def output(tmp_path):
    return tmp_path / "results/prepared/x-0123456789ab/manifest.json"


def write(output, content, before_the_end=lambda: None, ahead=False):
    with node.making(output, SPEC, ahead) as made:
        (made.scratch / "more").mkdir()
        for name in FILES:
            (made.scratch / name).write_text(content)
        made.results = PreparedResults(splits={}, left_out={})
        before_the_end()


def contents(output):
    """Return what the files of a whole node hold; they are all of one maker."""
    assert node.is_whole(output.parent, SPEC)
    (content,) = {(output.parent / name).read_text() for name in FILES}
    return content


def alone(output):
    return [path.name for path in output.parent.parent.iterdir()] == [output.parent.name]


def test_what_is_whole_meanwhile_stays(output):
    """Whoever is later discards its own; the node's folder exists, empty, as Snakemake makes it before a job."""
    output.parent.mkdir(parents=True)
    write(output, "late", before_the_end=lambda: write(output, "first"))
    assert contents(output) == "first"
    assert output.read_text() == (output.parent / "record.json").read_text()
    assert alone(output)


def test_what_is_made_between_a_look_and_the_rename_stays(output, monkeypatch):
    """As where there are no locks: it is put back."""
    looks, is_whole = [], node.is_whole

    def look(folder, spec):
        found = is_whole(folder, spec)
        looks.append(folder)
        if len(looks) == 1:
            write(output, "first")
        return found

    monkeypatch.setattr(node, "is_whole", look)
    write(output, "late")
    assert contents(output) == "first" and alone(output)


def test_a_folder_that_is_not_whole_is_replaced(output):
    """A record without files, files without a record, another node's record."""
    write(output, "old")
    for gone in ("dev.parquet", "record.json"):
        (output.parent / gone).unlink()
        (output.parent / "left over").write_text("")
        write(output, gone)
        assert contents(output) == gone
        assert not (output.parent / "left over").exists()
    record = json.loads((output.parent / "record.json").read_text())
    (output.parent / "record.json").write_text(json.dumps({**record, "spec": {**record["spec"], "task": "xnli"}}))
    write(output, "new")
    assert contents(output) == "new" and alone(output)


@pytest.mark.parametrize("locks", [True, False])
def test_two_makers_end_with_one_whole_node(output, monkeypatch, locks):
    """Without locks too, where they do not see each other; over what an earlier version left."""
    if not locks:
        monkeypatch.setattr(lock.fcntl, "flock", without_locks)
    for turn in range(6):
        made, both = [], threading.Barrier(2)
        output.parent.mkdir(parents=True, exist_ok=True)
        (output.parent / "left over").write_text("")
        (output.parent / "record.json").unlink(missing_ok=True)

        def make(name, made=made, both=both):
            def action():
                made.append(name)
                write(output, name, before_the_end=lambda: locks or both.wait())

            node.make(output, SPEC, action)

        makers = [threading.Thread(target=make, args=(f"{number} of {turn}",)) for number in range(2)]
        for maker in makers:
            maker.start()
        for maker in makers:
            maker.join()
        assert len(made) == (1 if locks else 2)
        assert contents(output) in made
        assert output.read_text() == (output.parent / "record.json").read_text()
        assert alone(output)


def test_killed_at_any_call_it_is_whole_or_made_again(output, monkeypatch):
    """Killed before each call that writes, over a node that is not whole."""
    ends = []
    while not ends or ends[-1]:
        output.parent.mkdir(parents=True, exist_ok=True)
        (output.parent / "record.json").unlink(missing_ok=True)
        (output.parent / "dev.parquet").write_text("old")
        child = os.fork()
        if child == 0:
            kill_before_call(len(ends))
            write(output, "killed")
            os._exit(0)
        ends.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        if node.is_whole(output.parent, SPEC):
            assert contents(output) == "killed"
        else:
            write(output, "again")
            assert contents(output) == "again"
        assert alone(output) or ends[-1]
    assert len(ends) > 12


def kill_before_call(number):
    """End this process before a call of those that put something on the disk."""
    left = [number]

    def counted(real):
        def call(*arguments, **options):
            if not left[0]:
                os._exit(9)
            left[0] -= 1
            return real(*arguments, **options)

        return call

    for name in ("fsync", "rename", "replace", "rmdir", "unlink"):
        setattr(os, name, counted(getattr(os, name)))


def test_all_is_on_the_disk_before_it_gets_its_name(output, monkeypatch):
    """Files and folders first, then the rename, then the name in the folder above."""
    calls, fsync, rename = [], os.fsync, os.rename

    def synced(descriptor):
        calls.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    def renamed(*paths):
        calls.append(None)
        rename(*paths)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "rename", renamed)
    write(output, "one")
    at = calls.index(None)
    before = {path.partition(f"{output.parent.name}.")[2].partition("/")[2] for path in calls[:at]}
    there = {path.relative_to(output.parent).as_posix() for path in output.parent.rglob("*")}
    assert there | {""} <= before
    assert calls[at + 1 :] == [None, str(output.parent.parent)] or calls[at + 1 :] == [str(output.parent.parent)]


def test_made_ahead_it_has_no_manifest_and_its_job_writes_it(output):
    write(output, "one", ahead=True)
    assert contents(output) == "one" and not output.exists()
    node.make(output, SPEC, lambda: pytest.fail("it is whole"))
    assert output.read_text() == (output.parent / "record.json").read_text()


def test_what_is_read_is_not_deleted(output):
    write(output, "one")
    with lock.held(output.parent, shared=True):
        assert not node.remove(output.parent)
        assert contents(output) == "one"
    assert node.remove(output.parent, keep=("provenance.json",))
    assert [path.name for path in output.parent.iterdir()] == ["provenance.json"]
    assert alone(output)
    assert node.remove(output.parent) and not output.parent.exists()
    assert not node.remove(output.parent)


def test_a_deletion_that_is_interrupted_leaves_nothing_that_looks_complete(output, monkeypatch):
    write(output, "one")
    monkeypatch.setattr(node, "_delete", lambda *_: None)
    node.remove(output.parent, keep=("provenance.json",))
    assert not (output.parent / "record.json").exists() and not output.exists()


def test_checkpoints_of_a_whole_node_go(output):
    """They are left where a process is killed when it has just made the node."""
    write(output, "first")
    checkpoint = node.work_directory(output) / "checkpoint-000000003/state.json"
    assert checkpoint.is_relative_to(output.parents[2] / "work/prepared/x-0123456789ab")
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    assert node.adopt(output, SPEC)
    assert not node.work_directory(output).exists()


def test_what_is_being_deleted_is_not_adopted(output):
    """Else its manifest would stand there alone."""
    write(output, "one")
    with lock.held(output.parent):
        assert not node.adopt(output, SPEC)
