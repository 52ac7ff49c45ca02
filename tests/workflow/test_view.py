"""What `xstilts run` (make study) shows: a live view on a terminal, else lines; its stdout is the table alone."""

import errno
import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios

import pytest

from tests.builders.nodes import restate
from tests.builders.projects import checkout

HEADLINE = "Study study (made-up data): zero-shot means"
# a job of the study is done again, and what reads it
STAGE, NAME = "retrieval", "tiny.quick.three.s1.tatoeba"


@pytest.fixture
def started(project):
    """A project in which one job and the study's outputs have to be made again."""
    checkout(project.folder)
    (node,) = [node for name, node in project.plan().named() if node.stage == STAGE and name == NAME]
    shutil.rmtree(project.results / node.id)
    shutil.rmtree(project.results / "studies")
    return project, node


def break_embeddings(project, node):
    """Make the job fail that reads these embeddings, which names the first one."""
    folder = project.results / node.spec.parents["embeddings"]
    for path in folder.glob("*.npy"):
        path.write_bytes(b"broken")
    # as if they had been made so: else they would be made again
    restate(folder)


def on_terminal(project, columns=100, rows=40, **environment):
    """Run the study on a terminal; return the exit code, what it shows, and stdout, which is a file."""
    terminal, side = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    shown = b""
    with (project.folder / "stdout.txt").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "xstilts", "run", "--cores", "2"], cwd=project.folder, stdin=side, stderr=side,
            stdout=out, env=project.environment(TERM="xterm", **environment),
        )  # fmt: skip
        os.close(side)
        while True:
            try:
                block = os.read(terminal, 1 << 16)
            except OSError as error:
                assert error.errno == errno.EIO
                break
            if not block:
                break
            shown += block
        code = process.wait(timeout=60)
    os.close(terminal)
    return code, shown.decode(), (project.folder / "stdout.txt").read_text()


def test_live_view_and_headline_table(started):
    project, node = started
    code, shown, out = on_terminal(project)
    assert code == 0, shown
    frames = shown.split("\x1b[1A\x1b[2K")
    assert re.search(r"0 of 7 jobs done in \d+:\d\d, about ", shown)
    assert "7 of 7 jobs done in " in shown
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", frames[-1])
    assert re.search(r"retrieval +\S+ +1/1", last)
    assert re.search(r"study +\S+ +6/6", last)
    assert "Snakemake's log: .snakemake/log/" in last
    # neither Snakemake's blocks nor a hidden cursor, and the table stands alone
    assert "rule retrieve" not in shown
    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert out.strip().startswith(HEADLINE)
    assert "jobs done" not in out


def test_lines_without_a_terminal(started):
    project, _ = started
    done = project.xstilts("run", "--cores", "2")
    assert re.search(r"0 of 7 jobs done, about .* left; running: ", done.stderr)
    assert "7 of 7 jobs done\n" in done.stderr
    assert "\x1b" not in done.stderr
    assert "rule retrieve" not in done.stderr
    assert done.stdout.strip().startswith(HEADLINE)


@pytest.mark.long
def test_verbose_shows_the_blocks_of_snakemake(started):
    project, _ = started
    done = project.xstilts("run", "--cores", "2", "--verbose")
    assert "rule retrieve:" in done.stderr
    assert done.stdout.strip().startswith(HEADLINE)


def test_log_of_a_failed_job_is_shown_once(started):
    project, node = started
    break_embeddings(project, node)
    done = project.xstilts("run", "--cores", "2", check=False)
    code, shown, out = on_terminal(project, NO_COLOR="1")
    for status, text in ((done.returncode, done.stderr), (code, shown.replace("\r", ""))):
        assert status == 1
        assert text.count(f"rule retrieve failed: {STAGE}/{NAME}") == 1
        assert text.count(f"results/logs/{node.id}.log, ends with:") == 1
        assert text.count("de.npy: damaged (") == 1
        assert "Traceback" not in text and "CalledProcessError" not in text
    assert done.stdout == out == ""


def test_errors_before_any_job_are_shown(started):
    project, _ = started
    (project.folder / "Snakefile").unlink()
    (project.folder / "Snakefile").write_text("rule broken:\n    nonsense: 1\n")
    done = project.xstilts("run", "--cores", "2", check=False)
    assert done.returncode == 1
    assert "nonsense" in done.stderr
