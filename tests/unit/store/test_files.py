import pytest
from xstilts.errors import UserError
from xstilts.store.files import write_atomically, written_whole

from tests.builders.readers import BEFORE, read_by_another


def test_a_file_is_the_old_one_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "scores.parquet"
    before = read_by_another(path)
    with written_whole(path) as partial:
        partial.write_text("new")
        assert path.read_text() == BEFORE
        # no pattern for files of its kind finds what is not whole
        assert list(tmp_path.glob("*.parquet")) == [path]
    assert (path.read_text(), before()) == ("new", BEFORE)
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_a_writer_that_fails_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "main.csv"
    path.write_text("old")
    with pytest.raises(OSError, match="full"), written_whole(path) as partial:
        partial.write_text("ne")
        raise OSError("full")
    assert [one.name for one in tmp_path.iterdir()] == [path.name] and path.read_text() == "old"


def test_a_folder_in_the_place_of_a_file_is_named_and_stays(tmp_path):
    (tmp_path / "main.csv").mkdir()
    with pytest.raises(UserError, match=r"main\.csv: a folder, where a file is written; move it away"):
        write_atomically(tmp_path / "main.csv", "text")
    assert [one.name for one in tmp_path.iterdir()] == ["main.csv"]


def test_two_writers_at_once_are_not_in_each_others_way(tmp_path):
    path = tmp_path / "main.csv"
    with written_whole(path) as first, written_whole(path) as second:
        first.write_text("first")
        second.write_text("second")
        assert first != second
    assert path.read_text() == "first"
