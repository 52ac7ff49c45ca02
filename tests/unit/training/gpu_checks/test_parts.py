"""A part is a process of its own, which ends in time with all that it started."""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest
from xstilts.training.gpu_checks import parts
from xstilts.training.gpu_checks.checks import EQUAL, NOT_REACHED, NOT_RUN, Check
from xstilts.training.gpu_checks.parts import PARTS, Part

# eight minutes on one GPU
LIMIT = 8 * 60
ROW = Check("losses", "0", "at most 1", EQUAL)


def python(code):
    return [sys.executable, "-S", "-c", code]


def writes(scratch, part, text):
    return f"open({str(parts.rows_of(part, scratch))!r}, 'w').write({text!r});"


def test_all_parts_take_eight_minutes_at_most():
    assert sum(part.seconds for part in PARTS.values()) <= LIMIT
    # the imports of the first one are read from a disk, which may be far away
    assert next(iter(PARTS.values())).seconds >= 60


def test_the_parts_with_equalities_are_those_whose_bars_say_so():
    assert {name for name, part in PARTS.items() if part.has_equalities} == {
        "GPU = CPU", "resuming", "several processes", "out of memory",
    }  # fmt: skip


def test_a_part_gives_its_rows(tmp_path):
    part = Part("rates", 10)
    line = json.dumps(asdict(ROW)) + "\n"
    assert parts.run(part, python(writes(tmp_path, part, line)), tmp_path, False) == ([ROW], None)


@pytest.mark.parametrize(("has_equalities", "verdict"), [(True, NOT_REACHED), (False, NOT_RUN)])
def test_a_part_that_fails_says_so_after_the_rows_that_it_had(tmp_path, has_equalities, verdict):
    """A row that was being written is none."""
    part = Part("rates", 10, has_equalities)
    line = json.dumps(asdict(ROW)) + "\n"
    code = writes(tmp_path, part, line + line[:20]) + "raise SystemExit('no memory is left')"
    found, reason = parts.run(part, python(code), tmp_path, False)
    assert reason == "no memory is left"
    assert found == [ROW, Check("all of it", reason, "comes to its end", verdict)]


def test_a_part_that_takes_too_long_is_ended_with_what_it_started(tmp_path):
    part = Part("together", 1, has_equalities=True)
    code = (
        "import os, time\n"
        f"child = os.fork() or os.getpid()\n"
        f"open({str(tmp_path / 'child')!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
        "time.sleep(60)\n"
    )
    started = time.monotonic()
    found, reason = parts.run(part, python(code), tmp_path, False)
    assert time.monotonic() - started < 30
    assert reason == "ended after 1 s" and [check.verdict for check in found] == [NOT_REACHED]
    children = [int(line) for line in (tmp_path / "child").read_text().split()]
    assert len(children) == 2
    deadline = time.monotonic() + 10
    while any(is_alive(child) for child in children) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(is_alive(child) for child in children)


def is_alive(child):
    """Tell whether a process runs; one that has ended may wait for its parent, which nobody was."""
    try:
        state = Path(f"/proc/{child}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_a_dry_run_has_its_own_time(tmp_path):
    part = Part("rates", 0)
    assert parts.run(part, python("import time; time.sleep(0.1)"), tmp_path, True)[1] is None
    assert parts.run(part, python("import time; time.sleep(60)"), tmp_path, False)[1] == "ended after 0 s"


def test_no_process_is_left_of_a_part_that_ends(tmp_path):
    """Nor of one whose children outlive it."""
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        f"    open({str(tmp_path / 'child')!r}, 'w').write(str(os.getpid()))\n"
        "    time.sleep(60)\n"
        f"while not os.path.exists({str(tmp_path / 'child')!r}) or not open({str(tmp_path / 'child')!r}).read():\n"
        "    time.sleep(0.01)\n"
    )
    assert parts.run(Part("rates", 10), python(code), tmp_path, False) == ([], None)
    deadline = time.monotonic() + 10
    while is_alive(int((tmp_path / "child").read_text())) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not is_alive(int((tmp_path / "child").read_text()))
