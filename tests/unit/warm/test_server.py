"""The warm process with small jobs: what a job is given, how it ends, and that nothing outlives anybody."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from xstilts.warm import client, server

from tests.builders.projects import ROOT

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the warm process needs Linux")
SECONDS = 30
# the same jobs in a fresh process, and forked: python -c JOBS <job>, python -c JOBS serve <listener> <what to load>
JOBS = """
import json, os, random, signal, socket, subprocess, sys, time
from pathlib import Path

def show():
    umask = os.umask(0)
    state = {"folder": os.getcwd(), "variable": os.environ.get("SOME_VARIABLE"), "umask": umask, "argv": sys.argv[-2:],
             "input": sys.stdin.read(), "nice": os.getpriority(os.PRIO_PROCESS, 0),
             "files": sorted(os.listdir("/proc/self/fd")),
             "handlers": [str(signal.getsignal(n)) for n in (signal.SIGTERM, signal.SIGINT)]}
    print(json.dumps(state))
    print("to standard error", file=sys.stderr)

def threads():
    import torch
    torch.set_num_threads(3)
    torch.set_num_interop_threads(2)
    torch.ones(500, 500) @ torch.ones(500, 500)
    print(torch.get_num_threads(), torch.get_num_interop_threads(), len(os.listdir("/proc/self/task")))

def wait():
    started = subprocess.Popen(["sleep", "60"])
    Path("started").write_text(f"{os.getpid()} {started.pid}")
    time.sleep(60)

def idle():
    Path("started").write_text(str(os.getpid()))
    time.sleep(60)

def save():
    received = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: received.append(number))
    Path("started").write_text(str(os.getpid()))
    while not received:
        time.sleep(0.01)
    time.sleep(float(os.environ.get("SECONDS_TO_SAVE", 0)))
    print("received", received[0])
    return 75

def unfinished():
    sys.stdout.write("not flushed")

def leave():
    sys.exit("a text")

jobs = {"show": show, "wait": wait, "idle": idle, "save": save, "threads": threads, "unfinished": unfinished,
        "leave": leave, "random": lambda: print(random.random()), "two": lambda: 2, "raise": lambda: {}["missing"],
        "killed": lambda: os.kill(os.getpid(), signal.SIGKILL), "crash": lambda: os.kill(os.getpid(), signal.SIGSEGV)}
loads = {"nothing": lambda: None, "torch": lambda: __import__("torch"), "fail": lambda: __import__("no_such_module"),
         "note": lambda: Path("loaded").touch(),
         "thread": lambda: __import__("threading").Thread(target=time.sleep, args=[60], daemon=True).start()}
if sys.argv[1] == "serve":
    from xstilts.warm import server
    import logging; logging.basicConfig()
    server._GRACE = 1
    server.serve(socket.socket(fileno=int(sys.argv[2])), loads[sys.argv[3]], lambda argv: jobs[argv[1]]() or 0)
else:
    sys.exit(jobs[sys.argv[2]]())
"""


def environment(**more: str) -> dict[str, str]:
    # a fetch in this process may have said that there is no network
    kept = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    return {**kept, "PYTHONPATH": str(ROOT / "workflow_scripts"), "OMP_NUM_THREADS": "1", **more}


@pytest.fixture(autouse=True, scope="module")
def interruptible():
    """Where these tests run in the background, Ctrl-C is ignored, and what they start would ignore it too."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Warm:
    """A server, and the folder that its jobs run in."""

    def __init__(self, folder: Path, load: str) -> None:
        self.folder, self.sockets = folder, folder / "sockets"
        self.sockets.mkdir()
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(client.address(str(self.sockets), environment()))
            listener.listen()
            self.process = subprocess.Popen(
                [sys.executable, "-c", JOBS, "serve", str(listener.fileno()), load], stdin=subprocess.PIPE, cwd=folder,
                stderr=subprocess.PIPE, env=environment(), text=True, pass_fds=[listener.fileno()],
            )  # fmt: skip

    def start(self, job: str, **more: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "xstilts", "fetch", job]
        return self.started(command, environment(XSTILTS_WARM=str(self.sockets), **more))

    def fresh(self, job: str, **more: str) -> subprocess.Popen:
        return self.started([sys.executable, "-c", JOBS, "fetch", job], environment(**more))

    def started(self, command: list[str], variables: dict[str, str], **more: object) -> subprocess.Popen:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, cwd=self.folder, env=variables, stdin=pipe, stdout=pipe, stderr=pipe, text=True, **more
        )

    def pids(self) -> list[int]:
        """Wait until a job has written its process ids, and return them."""
        path = self.folder / "started"
        wait_for(lambda: path.exists() and path.read_text())
        return [int(word) for word in path.read_text().split()]


def wait_for(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def are_gone(pids: list[int]) -> bool:
    """Tell whether processes have ended; a zombie has."""
    alive = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    with contextlib.suppress(psutil.NoSuchProcess):
        return all(process.status() == psutil.STATUS_ZOMBIE for process in alive)
    return False


@pytest.fixture
def warm(tmp_path, request):
    server = Warm(tmp_path, getattr(request, "param", "nothing"))
    yield server
    server.process.stdin.close()
    server.process.wait(SECONDS)
    server.process.stderr.close()


def end_of(process: subprocess.Popen) -> tuple[int, str, str]:
    """Return the exit code, the output, and the last line of standard error."""
    output, errors = process.communicate("some input", timeout=SECONDS)
    return process.returncode, output, errors.strip().rpartition("\n")[2]


def test_a_job_has_what_its_client_has(warm):
    """Folder, environment, umask, niceness, input, open files, handlers, arguments: those of a fresh process."""
    more = {"cwd": warm.folder / "sockets", "umask": 0o027, "preexec_fn": lambda: os.nice(3)}
    warm.folder = more.pop("cwd")
    command = [sys.executable, "-m", "xstilts", "fetch", "show"]
    variables = environment(SOME_VARIABLE="set", XSTILTS_WARM=str(warm.sockets))
    forked = end_of(warm.started(command, variables, **more))
    assert forked == end_of(warm.started([sys.executable, "-c", JOBS, "fetch", "show"], variables, **more))
    state = json.loads(forked[1])
    assert state["folder"] == str(warm.sockets)
    assert (state["variable"], state["umask"], state["nice"] >= 3) == ("set", 0o027, True)
    assert state["input"] == "some input"
    assert forked[2] == "to standard error"


@pytest.mark.parametrize(
    ("job", "code"),
    [
        ("unfinished", 0),
        ("two", 2),
        ("leave", 1),
        ("raise", 1),
        ("killed", -signal.SIGKILL),
        ("crash", -signal.SIGSEGV),
    ],
)
def test_a_job_ends_as_a_fresh_process_does(warm, job, code):
    forked = end_of(warm.start(job))
    assert forked == end_of(warm.fresh(job))
    assert forked[0] == code
    # the next one is served whatever became of this one
    assert end_of(warm.start("two"))[0] == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_the_job(warm, number):
    for job, code, output in [("save", 75, f"received {number.value}\n"), ("idle", -number, "")]:
        ends = []
        for start in (warm.start, warm.fresh):
            process = start(job)
            warm.pids()
            process.send_signal(number)
            ends.append(end_of(process))
            (warm.folder / "started").unlink()
        assert ends[0] == ends[1]
        assert ends[0][:2] == (code, output)


def test_jobs_draw_other_numbers(warm):
    assert end_of(warm.start("random"))[1] != end_of(warm.start("random"))[1]


@pytest.mark.parametrize("warm", ["torch"], indirect=True)
def test_threads_of_torch_are_set_in_the_job(warm):
    forked = end_of(warm.start("threads"))
    assert forked == end_of(warm.fresh("threads"))
    assert forked[1].startswith("3 2 ")


@pytest.mark.parametrize("warm", ["note"], indirect=True)
def test_imports_begin_with_the_first_job(warm):
    time.sleep(0.3)
    assert not (warm.folder / "loaded").exists()
    assert end_of(warm.start("two"))[0] == 2
    assert (warm.folder / "loaded").exists()


def test_a_killed_client_takes_its_job_along(warm):
    process = warm.start("wait")
    pids = warm.pids()
    process.kill()
    process.communicate()
    wait_for(lambda: are_gone(pids))
    assert end_of(warm.start("two"))[0] == 2


def test_a_killed_server_takes_its_jobs_along(warm):
    process = warm.start("wait")
    pids = warm.pids()
    warm.process.kill()
    code, _, message = end_of(process)
    assert code == 75
    assert message == "the warm process of this run was ended, and this job with it; run the same command again"
    wait_for(lambda: are_gone(pids))
    # whoever asks now runs by himself
    assert "usage: xstilts fetch" in warm.start("two").communicate()[1]


def test_an_ended_starter_takes_all_along(warm):
    """Jobs are asked to end, so that a training saves."""
    process = warm.start("save")
    warm.pids()
    warm.process.stdin.close()
    assert end_of(process)[:2] == (75, "received 15\n")
    assert warm.process.wait(SECONDS) == 0
    assert not warm.sockets.exists()


def test_a_server_that_is_asked_to_end_does_so_without_jobs(warm):
    """Of a step of Slurm's it is not seen that the starter has ended, and no job starts again beside the step."""
    assert end_of(warm.start("two"))[0] == 2
    warm.process.send_signal(signal.SIGTERM)
    assert warm.process.wait(SECONDS) == 0
    assert not warm.sockets.exists()


def test_a_server_that_is_asked_to_end_lets_jobs_save(warm):
    """As at the time limit of a job of Slurm's, which asks all processes to end and kills the batch script at once."""
    process = warm.start("save", SECONDS_TO_SAVE="3")
    warm.pids()
    warm.process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    warm.process.stdin.close()
    assert end_of(process)[:2] == (75, "received 15\n")
    assert warm.process.wait(SECONDS) == 0
    assert not warm.sockets.exists()


def test_a_shell_starts_the_server_as_a_step(tmp_path):
    """No file is inherited by a step, and what it reads from its input comes from the starter."""
    shell = tmp_path / "shell"
    shell.write_text('#!/bin/bash\nfor file in {3..20}; do eval "exec $file>&-"; done\nexec /bin/bash "$@"\n')
    shell.chmod(0o755)
    starter = "from xstilts.warm import client, server; server.start(sys.argv[1]); print(os.environ[client.VARIABLE])"
    # a job that asks right after the start is answered
    ask = "print(os.path.exists(client.address(os.environ[client.VARIABLE], os.environ)))"
    process = subprocess.run(
        [sys.executable, "-c", f"import os, sys; {starter}; {ask}", str(shell)], cwd=tmp_path, stdin=subprocess.DEVNULL,
        env=environment(**dict.fromkeys(server.ONE_THREAD, "1")), capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip
    folder, answered = process.stdout.split()
    assert answered == "True", process.stderr
    assert not Path(folder).exists()


@pytest.mark.parametrize(
    ("warm", "reason"),
    [("fail", "No module named 'no_such_module'"), ("thread", "imports have started threads")],
    indirect=["warm"],
)
def test_failed_imports_break_no_job(warm, reason):
    for _ in range(2):
        assert "usage: xstilts fetch" in warm.start("two").communicate()[1]
    warm.process.stdin.close()
    (line,) = warm.process.stderr.read().splitlines()
    assert "no warm process" in line
    assert reason in line


def test_where_imports_would_come_out_differently_a_job_runs_by_itself(warm):
    assert "usage: xstilts fetch" in warm.start("two", OMP_NUM_THREADS="2").communicate()[1]
    assert "usage: xstilts fetch" in warm.start("two", HF_HUB_OFFLINE="1").communicate()[1]


def test_several_processes_run_by_themselves(warm):
    command = [sys.executable, "-m", "xstilts", "train", "two", "--processes", "2"]
    process = warm.started(command, environment(XSTILTS_WARM=str(warm.sockets)))
    assert "usage: xstilts train" in process.communicate()[1]


def test_the_client_imports_little():
    code = "import sys; from xstilts.warm import client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert not {"argparse", "logging", "subprocess", "numpy", "pyarrow", "torch"} & set(done.stdout.split())


def test_a_job_of_slurm_finds_no_process_outside_of_it():
    environment = {"HOME": "/home/x"}
    inside = environment | {"SLURM_JOB_ID": "7"}
    assert client.address("/tmp/x", inside) != client.address("/tmp/x", environment)
    assert client.address("/tmp/x", inside) != client.address("/tmp/x", inside | {"SLURM_JOB_ID": "8"})
