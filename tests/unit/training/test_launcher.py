"""Processes that train together: started, asked to end, and ended with one another. Here they compute nothing."""

import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest
from xstilts.errors import TerminatedError, UserError
from xstilts.training import launcher
from xstilts.training.launcher import LEFT_ALONE, Nodes, first_of, launch, nodes

ALONE, NAME = Nodes(), "node-0123456789ab"
GIVEN = ("NODE_RANK", "MASTER_ADDR", "MASTER_PORT", "SLURM_NODEID", "SLURM_NNODES", "SLURM_JOB_NODELIST")
# what a process is: its folder is the argument, where it says that it is there
PROCESS = "import os, pathlib, signal, sys, time\nrank = os.environ['RANK']\nfolder = pathlib.Path(sys.argv[1])\n{}\n"
TELL = "(folder / rank).write_text(str(os.getpid()))"
WAIT = f"{TELL}\ntime.sleep(60)"
SAVE = f"signal.signal(signal.SIGTERM, lambda *_: sys.exit(75))\n{WAIT}"


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(launcher, "_GRACE", 0.3)
    monkeypatch.setattr(launcher, "_PAUSE", 0.01)
    for name in (*GIVEN, "SLURM_STEP_NODELIST", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)


def command(folder: Path, code: str) -> list[str]:
    return [sys.executable, "-S", "-c", PROCESS.format(code), str(folder)]


def begun(folder: Path, number: int) -> list[int]:
    """Wait until so many processes have said their ids, and return these."""
    for _ in range(2000):
        ids = [path.read_text() for path in sorted(folder.iterdir())]
        if len(ids) == number and all(ids):
            return [int(each) for each in ids]
        time.sleep(0.01)
    raise AssertionError(f"{len(ids)} of {number} processes have begun")


def start(folder: Path, code: str, here: Nodes = ALONE, number: int = 2) -> int:
    return launch(command(folder, code), number, here, NAME, lambda: False)


def in_a_launcher(action) -> int:
    """Run a function in a process of its own that ends with the code that it returns; return the process's number."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = action()
        finally:
            os._exit(code)
    return child


def code_of(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def has_ended(number: int) -> bool:
    for _ in range(500):
        try:
            if Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] in "ZX":
                return True
        except OSError:
            return True
        time.sleep(0.01)
    return False


def test_each_process_knows_which_it_is(tmp_path):
    environment = "','.join(os.environ[name] for name in ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR'))"
    assert start(tmp_path, f"(folder / rank).write_text({environment})", number=3) == 0
    assert [path.read_text() for path in sorted(tmp_path.iterdir())] == [
        "0,0,3,localhost", "1,1,3,localhost", "2,2,3,localhost",
    ]  # fmt: skip


def test_a_killed_process_ends_all_with_one_line(tmp_path, caplog):
    """The one that has lost it says nothing; one that still waits is killed."""
    code = f"""{TELL}
if rank == "1": os.kill(os.getpid(), signal.SIGKILL)
time.sleep(60 if rank == "0" else 0)
sys.exit({LEFT_ALONE})"""
    assert start(tmp_path, code, number=3) == 2
    (line,) = caplog.messages
    assert line.startswith("error: process 1 of 3 was ended by SIGKILL, and the others with it; the same command")
    assert all(map(has_ended, begun(tmp_path, 3)))


def test_what_a_process_says_itself_is_not_said_again(tmp_path, caplog):
    assert start(tmp_path, "sys.exit(2 if rank == '1' else 0)") == 2
    assert not caplog.messages


@pytest.mark.parametrize("code", [SAVE, WAIT])
def test_asked_to_end_all_ends_for_now(tmp_path, caplog, code):
    """Whether the processes save or have nothing to save yet."""

    def ask():
        begun(tmp_path, 2)
        os.kill(os.getpid(), signal.SIGTERM)

    asker = threading.Thread(target=ask)
    asker.start()
    assert start(tmp_path, code) == 75
    asker.join()
    assert not caplog.messages
    assert all(map(has_ended, begun(tmp_path, 2)))


def test_processes_end_with_their_launcher(tmp_path):
    child = in_a_launcher(lambda: start(tmp_path, WAIT))
    ids = begun(tmp_path, 2)
    os.kill(child, signal.SIGKILL)
    assert code_of(child) == -signal.SIGKILL
    assert all(map(has_ended, ids))


@pytest.fixture
def on_two_nodes(tmp_path, monkeypatch):
    """Starts a launcher for each of two nodes, of two processes each, and gives their numbers."""
    with socket.socket() as free:
        free.bind(("", 0))
        monkeypatch.setenv("MASTER_PORT", str(free.getsockname()[1]))

    def run(code):
        return [in_a_launcher(lambda i=index: start(tmp_path, code, Nodes(2, i))) for index in range(2)]

    return run


def test_nodes_meet(on_two_nodes, tmp_path):
    environment = "','.join(os.environ[name] for name in ('LOCAL_RANK', 'WORLD_SIZE', 'MASTER_PORT'))"
    assert list(map(code_of, on_two_nodes(f"(folder / rank).write_text({environment})"))) == [0, 0]
    said = [path.read_text().split(",") for path in sorted(tmp_path.iterdir())]
    assert [each[:2] for each in said] == [["0", "4"], ["1", "4"], ["0", "4"], ["1", "4"]]
    assert len({port for *_, port in said}) == 1
    assert said[0][2] != os.environ["MASTER_PORT"]


@pytest.mark.parametrize("killed", [0, 3])
def test_a_killed_process_ends_other_nodes(on_two_nodes, tmp_path, capfd, killed):
    launchers = on_two_nodes(WAIT)
    ids = begun(tmp_path, 4)
    os.kill(ids[killed], signal.SIGKILL)
    assert list(map(code_of, launchers)) == [2, 2]
    assert all(map(has_ended, ids))


@pytest.mark.parametrize("index", [0, 1])
def test_a_killed_launcher_ends_other_nodes(on_two_nodes, tmp_path, index):
    launchers = on_two_nodes(WAIT)
    ids = begun(tmp_path, 4)
    os.kill(launchers[index], signal.SIGKILL)
    assert code_of(launchers[1 - index]) == 2
    assert code_of(launchers[index]) == -signal.SIGKILL
    assert all(map(has_ended, ids))


def test_nodes_that_end_by_request_do_so_on_their_own(on_two_nodes, tmp_path):
    """Processes agree on saving, so that those of a node end with 75 that nobody has asked."""
    launchers = on_two_nodes(SAVE)
    for number in begun(tmp_path, 4):
        os.kill(number, signal.SIGTERM)
    assert list(map(code_of, launchers)) == [75, 75]


def test_a_node_waits_for_the_first_one_as_long_as_there_is_something_to_do(monkeypatch):
    """The first one waits for a lock, perhaps, and then finds the node made."""
    looks = iter([False, True])
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    assert launch(["false"], 2, Nodes(2, 1), NAME, lambda: next(looks)) == 0


def test_a_node_that_waits_can_be_asked_to_end(monkeypatch):
    def look():
        os.kill(os.getpid(), signal.SIGTERM)
        return False

    with pytest.raises(TerminatedError, match="before the processes of all nodes began"):
        launch(["false"], 2, Nodes(2, 1), NAME, look)


def test_nodes_that_do_not_come(monkeypatch):
    monkeypatch.setattr(launcher, "_PATIENCE", 0)
    with pytest.raises(UserError, match="--nodes 3: 1 began within 0 minutes; start the command on every node"):
        launch(["false"], 2, Nodes(3), NAME, lambda: False)


@pytest.mark.parametrize(
    ("listed", "first"),
    [("gpu1", "gpu1"), ("gpu[03-05,9],login1", "gpu03"), ("a-b[7,9]", "a-b7"), ("x1,x2", "x1"), ("", "")],
)
def test_first_of_slurms_list(listed, first):
    assert first_of(listed) == first


@pytest.mark.parametrize("port", ["70000", "0", "x1"])
@pytest.mark.parametrize("index", [0, 1])
def test_what_is_no_port_is_refused(monkeypatch, port, index):
    monkeypatch.setenv("MASTER_PORT", port)
    with pytest.raises(UserError, match=f"^MASTER_PORT={port}: no port; give one from 1 to 65535"):
        launch(["false"], 2, Nodes(2, index), NAME, lambda: False)


def test_nodes_meet_where_no_other_training_does(monkeypatch):
    """Known to all of them before they meet: by what is trained and, of Slurm's jobs, by the job."""
    asked = []

    def connect(address, **_):
        asked.append(address[1])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    for name, job in (("a", None), ("a", None), ("b", None), ("a", "7"), ("a", "8")):
        if job is not None:
            monkeypatch.setenv("SLURM_JOB_ID", job)
        looks = iter([False, True])
        launch(["false"], 2, Nodes(2, 1), name, lambda looks=looks: next(looks))
    assert asked[0] == asked[1] and len(set(asked)) == 4
    assert all(20_000 <= port < 32_000 for port in asked)


def test_a_port_that_is_taken_is_named(monkeypatch):
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("MASTER_PORT", str(port))
        with pytest.raises(UserError, match=f"^port {port}, where .*: Address already in use; set MASTER_PORT to a"):
            launch(["false"], 2, Nodes(2), NAME, lambda: False)


def test_a_name_that_no_host_has_is_refused(monkeypatch):
    def connect(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(UserError, match="^MASTER_ADDR: no host is named gpu7; give"):
        launch(["false"], 2, Nodes(2, 1, "gpu7"), NAME, lambda: False)


def test_it_is_said_what_a_node_waits_for(monkeypatch, caplog):
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("MASTER_PORT", str(port))
    monkeypatch.setattr(launcher, "_WORD", 0)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    looks = iter([False, False, True])
    with caplog.at_level("INFO"):
        assert launch(["false"], 2, Nodes(2, 1), NAME, lambda: next(looks)) == 0
    assert caplog.messages == [f"waiting for the first node, localhost, at port {port} (Connection refused)"] * 2


def test_a_signal_without_a_name_is_named_by_its_number(tmp_path, caplog):
    assert start(tmp_path, f"os.kill(os.getpid(), {signal.SIGRTMIN + 1})") == 2
    assert f"was ended by signal {signal.SIGRTMIN + 1}, and" in caplog.text


def test_nodes_are_those_of_the_step_or_as_given(monkeypatch):
    assert nodes(1) == ALONE
    with pytest.raises(UserError, match=r"--nodes 2: which node this is, is not known; start .* by srun, or with"):
        nodes(2)
    for name, value in {"SLURM_NODEID": "1", "SLURM_NNODES": "2", "SLURM_JOB_NODELIST": "gpu[3-4]"}.items():
        monkeypatch.setenv(name, value)
    assert nodes(2) == Nodes(2, 1, "gpu3")
    with pytest.raises(UserError, match="--nodes 4: this is node 1 of 2; give as many as srun starts"):
        nodes(4)
    monkeypatch.setenv("NODE_RANK", "3")
    monkeypatch.setenv("MASTER_ADDR", "10.0.0.1")
    assert nodes(4) == Nodes(4, 3, "10.0.0.1")
