"""The hub source without a server: a repository in a folder, and what is said offline."""

import pyarrow
import pyarrow.parquet
import pytest
from xstilts.data.sources import Place, hub
from xstilts.errors import UserError

from tests.builders.plans import content_of


def test_hub_source_writes_parquet_that_the_reader_reads(tmp_path, monkeypatch):
    """A local repository of Parquet files in the hub's layout, loaded by the hub's own library."""
    repository = tmp_path / "repository"
    (repository / "mnli").mkdir(parents=True)
    rows = {"premise": ["a", "b"], "hypothesis": ["c", "d"], "label": [0, 2]}
    pyarrow.parquet.write_table(pyarrow.table(rows), repository / "mnli/train-00000-of-00001.parquet")
    card = "---\nconfigs:\n- config_name: mnli\n  data_files:\n  - split: train\n    path: mnli/train-*\n---\n"
    (repository / "README.md").write_text(card)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    content = content_of(["mnli/train"], "hub", repository=str(repository))
    folder = tmp_path / "out"
    folder.mkdir()
    hub.fetch_data(content, folder, Place(None, False))
    assert pyarrow.parquet.read_table(folder / "mnli/train").to_pydict() == rows


def test_offline_hub_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    content = content_of((), "hub", repository="nyu-mll/glue", revision="0" * 40)
    with pytest.raises(UserError, match=r"hub: cannot fetch nyu-mll/glue at 0+: .*offline: false"):
        hub.fetch_model(content, tmp_path, Place(None, True))
