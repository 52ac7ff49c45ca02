"""The view of a run, on terminals of several kinds and without one."""

import io
import logging

import pytest
from rich.console import Console
from xstilts.reporting import live_view
from xstilts.reporting.messages import Message

STAGES = {"prepared": (3, 3), "targets": (1, 4), "study": (0, 4)}
RUNNING = {"targets/tiny.quick.none.s1.udpos": 65.0, "targets/tiny.quick.none.s1.mnli": 4.0}


def drawn(width=100, height=30, draw=lambda view: view.show(STAGES, RUNNING, "3 min"), **options):
    """Return what is written to a terminal."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=width, height=height, highlight=False, **options)
    with live_view.LiveView(console) as view:
        draw(view)
    return file.getvalue()


def last_frame(text):
    """Return the lines of the last drawing, without escape sequences."""
    plain = Console(file=io.StringIO(), force_terminal=False)
    frame = text.rpartition("\x1b[1A\x1b[2K")[2]
    with plain.capture() as capture:
        plain.print(live_view.Text.from_ansi(frame), soft_wrap=True)
    return [line.rstrip() for line in capture.get().splitlines() if line.strip()]


def test_a_view_has_stages_and_what_runs():
    lines = last_frame(drawn())
    assert lines[0].startswith("4 of 11 jobs done in 0:0") and lines[0].endswith(", about 3 min left")
    assert [line.split()[0] for line in lines[1:4]] == list(STAGES)
    assert [line.split()[-1] for line in lines[1:4]] == ["3/3", "1/4", "0/4"]
    assert lines[4:] == ["  targets/tiny.quick.none.s1.udpos  1:05", "  targets/tiny.quick.none.s1.mnli  0:04"]


@pytest.mark.parametrize("width", [20, 40, 60])
@pytest.mark.parametrize("height", [3, 6, 12])
def test_no_line_is_longer_than_a_small_terminal_nor_the_view_higher(width, height):
    def draw(view):
        view.warn("a warning that is far longer than the terminal is wide " * 3)
        for _ in range(3):
            view.show(STAGES, RUNNING, "3 min")

    lines = last_frame(drawn(width, height, draw))
    assert all(len(line) <= width for line in lines)
    assert 2 <= len(lines) <= height


def test_no_colour_where_none_is_wanted(monkeypatch):
    assert "\x1b[36m" in drawn(color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[36m" not in drawn(color_system="standard")


def test_the_cursor_is_never_left_hidden():
    file = io.StringIO()
    with pytest.raises(ZeroDivisionError), live_view.LiveView(Console(file=file, force_terminal=True)) as view:
        assert file.getvalue().rpartition("\x1b[?25l")[2].startswith("\x1b[?25h")
        view.show(STAGES, RUNNING, "3 min")
        raise ZeroDivisionError
    assert file.getvalue().rstrip("\n").endswith("\x1b[?25h")


def test_errors_stay_and_the_last_warning_is_shown():
    def draw(view):
        view.show(STAGES, RUNNING, "3 min")
        view.tell(Message("warning", "the first"), None)
        view.tell(Message("warning", "the [last]\nand more"), None)
        view.tell(Message("error", "study.yaml: [wrong]"), None)
        view.show(STAGES, {}, "2 min")

    text = drawn(draw=draw)
    assert text.count("study.yaml: [wrong]") == 1
    lines = last_frame(text)
    assert lines[-1] == "warning: the [last]"
    assert "the first" not in text


def failed(folder):
    log = folder / "a.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)))
    return Message("error", "", "target", ("results/targets/a-1/manifest.json",), (str(log),))


def test_failed_job_is_shown_with_the_end_of_its_log(tmp_path):
    message = failed(tmp_path)
    lines = live_view.text_of(message, "targets/tiny.quick.none.s1.mnli").splitlines()
    assert lines[:2] == [
        "rule target failed: targets/tiny.quick.none.s1.mnli",
        f"its log, {tmp_path / 'a.log'}, ends with:",
    ]
    assert lines[2:] == [f"    line {number}" for number in range(80, 100)]
    (tmp_path / "a.log").unlink()
    assert live_view.text_of(message, None).splitlines() == [
        "rule target failed",
        f"its log, {tmp_path / 'a.log'}, is empty or missing",
    ]


def test_jobs_that_ctrl_c_ends_have_not_failed(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    view = live_view.View()
    view.interrupt()
    view.tell(failed(tmp_path), "targets/a")
    view.tell(Message("error", "another error"), None)
    view.tell(Message("output", "KeyboardInterrupt"), None)
    assert "line 99" not in caplog.text and "KeyboardInterrupt" not in caplog.text
    assert "interrupted" in caplog.text and "another error" in caplog.text


def test_lines_without_a_terminal(caplog, monkeypatch):
    monkeypatch.setattr("sys.stderr", io.StringIO())
    caplog.set_level(logging.INFO)
    with live_view.of_terminal() as view:
        view.show(STAGES, RUNNING, "3 min")
        view.show(STAGES, {}, "3 min")
        view.show({"study": (4, 4)}, {}, "10 s")
        view.tell(Message("warning", "careful"), None)
        view.tell(Message("output", "a line"), None)
    assert [record.getMessage() for record in caplog.records] == [
        f"4 of 11 jobs done, about 3 min left; running: {', '.join(RUNNING)}",
        "4 of 11 jobs done, about 3 min left; running: none",
        "4 of 4 jobs done",
        "warning: careful",
        "a line",
    ]


@pytest.mark.parametrize(("terminal", "live"), [("xterm", True), ("dumb", False)])
def test_a_terminal_that_cannot_move_its_cursor_gets_lines(terminal, live, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stderr", Terminal())
    monkeypatch.setenv("TERM", terminal)
    assert isinstance(live_view.of_terminal(), live_view.LiveView) is live
