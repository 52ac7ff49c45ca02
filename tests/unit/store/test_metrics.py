"""Lines of metrics: written, read, cut where a training goes on."""

from xstilts.store import metrics

from tests.builders.metrics_lines import line


def test_what_is_written_is_read(tmp_path):
    lines = [line(1), line(2, gpu="a GPU", gpu_memory_mb=10.0, joules=3.5)]
    path = tmp_path / "one.metrics.jsonl"
    path.write_text("".join(map(metrics.text, lines)))
    assert metrics.read(path) == lines


def test_a_line_that_was_not_written_to_its_end_is_none(tmp_path):
    path = tmp_path / "one.metrics.jsonl"
    path.write_text(metrics.text(line(1)) + metrics.text(line(2))[:30])
    assert metrics.read(path) == [line(1)]


def test_a_byte_that_is_no_text_ends_the_lines(tmp_path):
    """A machine that lost power may leave such ones."""
    path = tmp_path / "one.metrics.jsonl"
    path.write_bytes(metrics.text(line(1)).encode() + b"\xff\0\n" + metrics.text(line(2)).encode())
    assert metrics.read(path) == [line(1)]
    metrics.cut(path, 2)
    assert path.read_text() == metrics.text(line(1))


def test_a_training_that_goes_on_writes_over_the_steps_that_it_takes_again(tmp_path):
    path = tmp_path / "one.metrics.jsonl"
    path.write_text("".join(metrics.text(line(step)) for step in (3, 6, 9)))
    metrics.cut(path, 6)
    assert [each.step for each in metrics.read(path)] == [3, 6]
    metrics.cut(tmp_path / "none", 6)
    assert not (tmp_path / "none").exists()


def test_files_of_a_node_are_those_of_its_rates_too(tmp_path):
    paths = [metrics.path_of(tmp_path, "targets/one", part) for part in ("", "rate-0.001")]
    others = [metrics.path_of(tmp_path, "targets/one-more"), metrics.path_of(tmp_path, "intermediate/one")]
    for path in paths + others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert metrics.files_of(tmp_path, "targets/one") == paths


def test_speed_is_over_all_lines():
    assert metrics.tokens_per_second([line(1), line(2, tokens=500, seconds=1.0)]) == 200
    assert metrics.tokens_per_second([]) is None
