"""A Slurm of one machine, for tests: munged, slurmctld and slurmd, and two GPUs that are none.

Everything is its own: key, socket, ports, configuration, state and logs lie in one folder. Only the file
``/etc/slurm/slurm.conf`` lies elsewhere, a link into that folder, because a job's step reads no other; where Slurm is
configured already, nothing is touched.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

PACKAGES = ["slurmctld", "slurmd", "slurm-client", "munge"]
PROGRAMS = ["slurmctld", "slurmd", "sbatch", "munged"]
LINK = Path("/etc/slurm/slurm.conf")
# folders of the fixture have this in their names, by which a link that a killed test left is known
MARK = "xstilts-slurm-"
CPUS, MEMORY, GPUS = 8, 64_000, 2


def obstacle() -> str | None:
    """Say why no Slurm can be started here; None if it can. Install it first where that may be done."""
    if os.geteuid() != 0:
        return "a Slurm for tests is started by root alone"
    if (LINK.exists() or LINK.is_symlink()) and MARK not in os.path.realpath(LINK):
        return f"{LINK} is there: this machine's own Slurm is left alone"
    for process in psutil.process_iter(["name", "cmdline", "ppid"]):
        if process.info["name"] in ("slurmctld", "slurmd", "munged"):
            if MARK in " ".join(process.info["cmdline"] or ()) and process.info["ppid"] == 1:
                # of a test that was killed
                process.kill()
            elif process.info["name"] != "munged":
                return f"{process.info['name']} runs on this machine already (process {process.pid})"
    if all(shutil.which(program) for program in PROGRAMS):
        return None
    if shutil.which("apt-get") is None:
        return f"{', '.join(PROGRAMS)} are not installed, and there is no apt-get to install them"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]
    for command in (install, ["apt-get", "update"], install):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if command is install and done.returncode == 0:
            return None
    return f"apt-get could not install {' '.join(PACKAGES)}: {(done.stderr.strip().splitlines() or ['?'])[-1]}"


def wait_for(condition: Callable[[], object], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.1)


@dataclass(frozen=True)
class Job:
    """What a job asked for."""

    number: int
    partition: str
    memory: str
    time: str
    folder: str


class Slurm:
    """The daemons; ``folder`` must be short, and have ``MARK`` in its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = socket.gethostname().partition(".")[0]
        self.configuration = folder / "slurm.conf"
        self.environment = {"SLURM_CONF": str(self.configuration)}
        self._running: dict[str, subprocess.Popen] = {}

    def start(self) -> None:
        for name in ("state", "spool", "munge"):
            (self.folder / name).mkdir()
        key = self.folder / "munge/key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        for number in range(GPUS):
            os.symlink("/dev/null", self.folder / f"gpu{number}")
        self.configuration.write_text(self._configuration())
        # what a job computes with is the CPU, whatever it has been given
        prolog = self.folder / "prolog"
        prolog.write_text("#!/bin/sh\necho export CUDA_VISIBLE_DEVICES=\n")
        prolog.chmod(0o755)
        gpus = f"NodeName={self.host} Name=gpu File={self.folder}/gpu[0-{GPUS - 1}]"
        (self.folder / "gres.conf").write_text(f"AutoDetect=off\n{gpus}\n")
        LINK.parent.mkdir(exist_ok=True)
        LINK.unlink(missing_ok=True)
        LINK.symlink_to(self.configuration)
        munge = [f"--{name}={self.folder}/munge/{name}" for name in ("socket", "pid-file", "log-file", "seed-file")]
        self._run("munged", "--foreground", "--force", f"--key-file={key}", *munge)
        wait_for((self.folder / "munge/socket").exists, "munged's socket")
        self.start_controller()
        self.start_node()

    def start_controller(self) -> None:
        self._run("slurmctld", "-D", "-f", str(self.configuration))
        wait_for(lambda: self.ask("scontrol", "ping", check=False).find(" is UP") > 0, "slurmctld")

    def start_node(self) -> None:
        self._run("slurmd", "-D", "-f", str(self.configuration))
        self._wait_for_node()

    def stop(self) -> None:
        """End all jobs, then the daemons, then what is left of the jobs."""
        try:
            if "slurmd" in self._running:
                self.clear()
        finally:
            for name in ("slurmd", "slurmctld", "munged"):
                self.end(name)
            if LINK.is_symlink() and os.readlink(LINK) == str(self.configuration):
                LINK.unlink()

    def end(self, name: str) -> None:
        """End a daemon."""
        if process := self._running.pop(name, None):
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def ask(self, *command: str, check: bool = True) -> str:
        """Return what a command of Slurm's prints."""
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, capture_output=True, text=True, check=False, timeout=60
        )
        assert not check or done.returncode == 0, (command, done.stderr)
        return done.stdout

    def jobs(self, folder: Path, *states: str) -> list[Job]:
        """Return the jobs that were submitted in a folder, those in some states or all, in their order."""
        chosen = ",".join(states) or "all"
        lines = self.ask("squeue", "-h", "-o", "%i|%P|%m|%l|%Z", "--states", chosen).splitlines()
        found = [Job(int(number), *rest) for number, *rest in (line.split("|") for line in lines)]
        return sorted((job for job in found if job.folder == str(folder)), key=lambda job: job.number)

    def signal(self, jobs: list[Job], *options: str) -> None:
        """End jobs, or what else the options of scancel say."""
        self.ask("scancel", *options, *(str(job.number) for job in jobs))

    def lose_node(self) -> None:
        """Tell the controller that the node is down."""
        self.ask("scontrol", "update", f"NodeName={self.host}", "State=down", "Reason=test")

    def find_node(self) -> None:
        """Tell the controller that the node is there again, which it may know from the node."""
        self.ask("scontrol", "update", f"NodeName={self.host}", "State=resume", check=False)
        self._wait_for_node()

    def _wait_for_node(self) -> None:
        wait_for(lambda: self.ask("sinfo", "-h", "-o", "%T").split()[:1] in (["idle"], ["mixed"]), "an idle node")

    def clear(self) -> None:
        """End all jobs."""
        self.ask("scancel", "--user", "root", check=False)
        wait_for(lambda: not self.ask("squeue", "-h", check=False).strip(), "the end of all jobs")

    def _run(self, *command: str) -> None:
        with open(self.folder / f"{command[0]}.out", "ab") as output:
            self._running[command[0]] = subprocess.Popen(
                command, env={**os.environ, **self.environment}, stdout=output, stderr=output, start_new_session=True
            )

    def _configuration(self) -> str:
        with contextlib.ExitStack() as stack:
            ports = []
            for _ in range(2):
                bound = stack.enter_context(socket.socket())
                bound.bind(("127.0.0.1", 0))
                ports.append(bound.getsockname()[1])
        folder, host = self.folder, self.host
        settings = {
            "ClusterName": "xstilts", "SlurmctldHost": f"{host}(127.0.0.1)", "SlurmctldPort": ports[0],
            "SlurmdPort": ports[1], "SlurmUser": "root", "SlurmdUser": "root",
            "StateSaveLocation": f"{folder}/state", "SlurmdSpoolDir": f"{folder}/spool",
            "SlurmctldPidFile": f"{folder}/slurmctld.pid", "SlurmdPidFile": f"{folder}/slurmd.pid",
            "SlurmctldLogFile": f"{folder}/slurmctld.log", "SlurmdLogFile": f"{folder}/slurmd.log",
            # a job that Slurm starts again is held as long as its credential lasts
            "AuthType": "auth/munge", "AuthInfo": f"socket={folder}/munge/socket,cred_expire=5",
            "ProctrackType": "proctrack/linuxproc", "TaskPlugin": "task/none", "MpiDefault": "none",
            # memory is watched by the daemon, without control groups
            "JobAcctGatherType": "jobacct_gather/linux", "JobAcctGatherFrequency": 1,
            "JobAcctGatherParams": "OverMemoryKill", "TaskProlog": f"{folder}/prolog",
            "SelectType": "select/cons_tres", "SelectTypeParameters": "CR_Core_Memory",
            # more CPUs than the machine has
            "SlurmdParameters": "config_overrides", "GresTypes": "gpu",
            "EnforcePartLimits": "ALL", "ReturnToService": 2, "KillWait": 10,
            # tests ask what jobs were long after they have ended
            "MinJobAge": 3600,
        }  # fmt: skip
        lines = [f"{name}={value}" for name, value in settings.items()]
        lines.append(
            f"NodeName={host} NodeAddr=127.0.0.1 CPUs={CPUS} RealMemory={MEMORY} Gres=gpu:{GPUS} State=UNKNOWN"
        )
        lines.append(f"PartitionName=long Nodes={host} Default=YES MaxTime=7-00:00:00 State=UP")
        lines.append(f"PartitionName=day Nodes={host} MaxTime=1-00:00:00 State=UP")
        lines.append(f"PartitionName=short Nodes={host} MaxTime=01:00:00 State=UP")
        return "\n".join(lines) + "\n"


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Slurm]:
    """Give a Slurm that is started, and stop it."""
    slurm = Slurm(folder)
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()
