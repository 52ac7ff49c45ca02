"""The command that checks a GPU: its parts on the CPU, its exit codes, and what it keeps."""

import subprocess
import sys

import pytest
from xstilts import commands
from xstilts.errors import UserError
from xstilts.hardware import Hardware
from xstilts.planning import registry
from xstilts.planning.expected import expected
from xstilts.store import gpu_report
from xstilts.training.gpu_checks import checks, environment, parts
from xstilts.training.gpu_checks.checks import DIFFERS, FAILED, MISSED, NOT_JUDGED, NOT_RUN, Check
from xstilts.training.gpu_checks.parts import PARTS
from xstilts.training.gpu_checks.trainings import BUDGETS, TRAININGS, hardware_of

from tests.builders.gpu_checks import FOUND, NAME, machine
from tests.builders.training import ENVIRONMENT

# those that take a second
CHEAP = ("environment", "rates", "training")
NAMES = {
    "XLM-R Large": "xlm-roberta-large",
    "XLM-R XXL": "xlm-roberta-xxl",
    "Qwen3-14B": "qwen3-14b-base",
    "mT5-XXL": "mt5-xxl",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a config.yaml, on a machine with a GPU that nobody has to lock."""
    (tmp_path / "config.yaml").write_text("study: study.yaml\nresults: results\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    return tmp_path


@pytest.fixture
def answered(monkeypatch):
    """Let parts give these rows, by name; all others have none."""

    def answer(found, reasons=None):
        names = {part.module: name for name, part in PARTS.items()}

        def run(part, command, scratch, is_dry_run):
            assert scratch.is_dir() and "--part" in command and ("--dry-run" in command) == is_dry_run
            return found.get(names[part.module], []), (reasons or {}).get(names[part.module])

        monkeypatch.setattr(parts, "run", run)

    return answer


def test_cheap_parts_run_on_the_cpu(tmp_path):
    for name in CHEAP:
        arguments = ["check-gpu", "--dry-run", "--part", name, "--scratch", str(tmp_path)]
        assert commands.main(arguments) == 0
        rows = checks.read(parts.rows_of(PARTS[name], tmp_path))
        assert rows and not {row.verdict for row in rows} & {MISSED, *FAILED}
    # the last part has the rate of the one before
    shares = [row for row in rows if row.what.endswith("share of the rate")]
    assert len(shares) == len(TRAININGS)
    assert all(row.values["utilisation"] > 0 for row in shares)
    assert all(row.what.startswith("tiny stand-in for ") for row in shares)
    assert [row.bar for row in shares if row.verdict == NOT_JUDGED] == ["45%", "40%", "40%", "40%"]


def test_rows_are_printed_and_kept_and_nothing_else_is_left(folder, answered, capsys):
    answered(FOUND)
    assert commands.main(["check-gpu"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["part", "environment"]
    assert len(lines) == 2 + sum(map(len, FOUND.values()))
    (report,) = gpu_report.of_machine(folder / "results")
    assert report.gpu == NAME and str(gpu_report.path_of(folder / "results", NAME).relative_to(folder)) in lines[-1]
    assert list((folder / "results/work").glob("*check-gpu*")) == []


def test_without_rates_it_says_that_nothing_is_kept(folder, answered, capsys):
    answered({**FOUND, "rates": [Check("all of it", "out of memory", "comes to its end", NOT_RUN)]})
    assert commands.main(["check-gpu"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("nothing is kept, for there are no rates")
    assert gpu_report.of_machine(folder / "results") == []


@pytest.mark.parametrize(("verdict", "code"), [(DIFFERS, 1), (MISSED, 0), (NOT_RUN, 0)])
def test_only_what_has_to_be_equal_makes_it_fail(folder, answered, verdict, code):
    answered({**FOUND, "resuming": [Check("a run", "?", "", verdict)]})
    assert commands.main(["check-gpu"]) == code


def test_a_dry_run_leaves_no_file_on_a_gpu(folder, answered):
    answered(FOUND)
    assert commands.main(["check-gpu", "--dry-run"]) == 0
    assert gpu_report.of_machine(folder / "results") == []


def test_without_a_gpu_it_ends_with_one_line(folder, answered, caplog):
    answered({}, {"environment": "12:00:00 error: no GPU: the driver lists none"})
    assert commands.main(["check-gpu"]) == 2
    assert [record.getMessage() for record in caplog.records] == ["error: no GPU: the driver lists none"]


def test_a_first_part_that_takes_too_long_is_named(folder, answered, caplog):
    answered({}, {"environment": "ended after 60 s"})
    assert commands.main(["check-gpu"]) == 2
    said = [record.getMessage() for record in caplog.records]
    assert said == ["error: check-gpu: environment: ended after 60 s; run it again"]


def test_the_part_on_the_environment_finds_no_gpu(tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(UserError, match="no GPU: .* --dry-run"):
        [*environment.run(machine(tmp_path, is_dry_run=False))]


def test_a_document_is_written_and_nothing_measured(folder, answered):
    answered(FOUND)
    commands.main(["check-gpu"])
    answered(None)
    (folder / "page.md").write_text("<!-- measured on GPUs -->\n\n<!-- end of measured on GPUs -->\n")
    assert commands.main(["check-gpu", "--document", "page.md"]) == 0
    assert NAME in (folder / "page.md").read_text()


def test_the_shapes_are_those_of_the_registry():
    models = registry.load(()).models
    for training in TRAININGS:
        assert training.config == models[NAMES[training.model]]["shape"]


def test_the_estimate_is_that_of_the_training():
    """More tokens at once need more memory and no more operations; all weights need more than an adapter."""
    for training in TRAININGS:
        large, small = (expected(training, hardware_of(budget)) for budget in (BUDGETS[0], BUDGETS[-1]))
        assert large.memory >= small.memory and large.operations == small.operations
        assert large == expected(training, Hardware(max_tokens_per_device=BUDGETS[0]))
    large, *_, xxl = TRAININGS[:4]
    # Kaplan et al. 2020: six operations a token and weight, four where only an adapter's weights have gradients
    tokens = 32 * 256
    assert expected(large, hardware_of(tokens)).operations == pytest.approx(6 * 303e6 * tokens, rel=0.1)
    assert expected(xxl, hardware_of(tokens)).operations == pytest.approx(4 * 9.66e9 * tokens, rel=0.1)


@pytest.mark.long
def test_a_dry_run_goes_through_all_parts(folder):
    command = [sys.executable, "-m", "xstilts", "check-gpu", "--dry-run"]
    done = subprocess.run(command, capture_output=True, text=True, env={**ENVIRONMENT, "CUDA_VISIBLE_DEVICES": ""})
    assert done.returncode == 0, done.stdout + done.stderr
    lines = done.stdout.splitlines()[1:]
    assert {name for name in PARTS if any(line.startswith(name) for line in lines)} == {*PARTS}
    assert not any(word in done.stdout for word in ("all of it", "missed", *FAILED))
