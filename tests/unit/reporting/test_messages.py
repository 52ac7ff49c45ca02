"""What a running Snakemake says: which records are messages, and reading them while they are written."""

import logging
import tempfile

import pytest
from snakemake_interface_logger_plugins.common import LogEvent
from snakemake_logger_plugin_xstilts import LogHandler
from xstilts.reporting import messages
from xstilts.reporting.messages import Message

FAILED = {
    "event": LogEvent.JOB_ERROR, "rule_name": "target", "rule_msg": None, "jobid": 7, "indent": False,
    "output": ["results/targets/a-1/manifest.json"], "log": ["results/logs/targets/a-1.log"],
}  # fmt: skip
JOB = Message("error", "", "target", tuple(FAILED["output"]), tuple(FAILED["log"]))


def record(level, text, **fields):
    made = logging.LogRecord("snakemake", level, __file__, 1, text, None, None)
    made.__dict__.update(fields)
    return made


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (record(logging.INFO, "Building DAG of jobs..."), None),
        (record(logging.INFO, " Rule: target", event=LogEvent.JOB_INFO), None),
        (record(logging.WARNING, "The code has changed.\n"), Message("warning", "The code has changed.")),
        (record(logging.ERROR, "WorkflowError:\nstudy.yaml: no"), Message("error", "WorkflowError:\nstudy.yaml: no")),
        (record(logging.ERROR, "Error in rule target", **FAILED), JOB),
        (record(logging.ERROR, "Exiting because a job execution failed. Look above for error messages"), None),
        (record(logging.ERROR, "RuleException:\nCalledProcessError in file x"), None),
        (record(logging.ERROR, None), None),
        (record(logging.WARNING, "Cannot restore results/x.parquet: no backup found."), None),
    ],
)
def test_records_that_are_messages(made, message):
    assert messages.of_record(made) == message


@pytest.mark.parametrize("message", [JOB, Message("warning", "two\nlines, “and more”")])
def test_a_message_is_one_line(message):
    line = messages.encode(message)
    assert line.count("\n") == 1 and line.endswith("\n")
    assert messages.decode(line.rstrip("\n")) == message


def test_other_lines_are_passed_on():
    assert messages.decode("Traceback (most recent call last):") == Message(
        "output", "Traceback (most recent call last):"
    )


def test_reader_gives_whole_lines_once():
    warning = Message("warning", "ä" * 100_000)
    with tempfile.TemporaryFile() as file:
        reader = messages.Reader(file)
        encoded = messages.encode(warning).encode()
        assert list(reader.new()) == []
        file.write(encoded[:70_000])
        file.flush()
        assert list(reader.new()) == []
        file.write(encoded[70_000:] + b"\n\nplain\nno end")
        file.flush()
        assert list(reader.new()) == [warning, Message("output", "plain")]
        assert list(reader.new()) == []
        assert list(reader.new(to_the_end=True)) == [Message("output", "no end")]
        assert list(reader.new(to_the_end=True)) == []


def test_logger_of_snakemake_writes_messages_to_stderr(capsys):
    handler = LogHandler(common_settings=None, settings=None)
    assert handler.writes_to_stream and not handler.writes_to_file
    handler.handle(record(logging.INFO, "Building DAG of jobs..."))
    handler.handle(record(logging.ERROR, "Error in rule target", **FAILED))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert [messages.decode(line) for line in captured.err.rstrip().split("\n")] == [JOB]


def test_last_lines(tmp_path):
    path = tmp_path / "a.log"
    assert messages.last_lines(path, 3) == []
    path.write_text("".join(f"line {number}\n" for number in range(10_000)))
    assert messages.last_lines(path, 3) == ["line 9997", "line 9998", "line 9999"]
