"""What a task says of its rows, in each version of its data."""

import pytest
import yaml
from xstilts.data import usable
from xstilts.errors import UserError
from xstilts.planning import mirror_index, registry

UDPOS = registry.load().tasks["udpos"]


@pytest.mark.parametrize(
    ("found", "published", "is_sample"),
    [(318, 318, False), (100, 100, False), (99, 318, True), (200, 318, True), (400, 318, False)],
)
def test_yoruba_of_either_version_is_no_sample(found, published, is_sample):
    assert UDPOS.published("test", "yo", found) == published
    assert UDPOS.is_sample("test", "yo", found) == is_sample


def test_where_no_rows_were_stated_specs_go_on_stating_none():
    tatoeba = registry.load().tasks["tatoeba"]
    assert tatoeba.published("test", "ka", 746) is None
    assert tatoeba.official_rows("LASER v1", "ka") == {"ka": 746}
    assert tatoeba.is_sample("test", "ka", 700)


@pytest.mark.parametrize(
    ("version", "language", "rows"),
    [("UD 2.5", "yo", 100), ("UD 2.7", "yo", 318), ("UD 2.5", "th", 1000), ("UD 2.5", "zh", None), (None, "zh", 3455)],
)
def test_rows_of_the_official_split_by_version(version, language, rows):
    assert UDPOS.official_rows(version, language) == {language: rows}


def test_a_benchmark_has_the_rows_of_its_version_of_the_data():
    xtreme, xtreme_r = (registry.load().benchmarks[name].tasks["udpos"] for name in ("xtreme", "xtreme_r"))
    assert xtreme.rows["yo"] == xtreme_r.rows["yo"] == 100
    assert xtreme.rows["tl"] == 55 and xtreme.rows["el"] is None and "wo" not in xtreme_r.rows


def test_an_index_calls_no_version_a_sample(tmp_path):
    (tmp_path / "udpos").mkdir()
    for language, rows in {"yo": 100, "ta": 119}.items():
        (tmp_path / f"udpos/test-{language}.tsv").write_text("word\tNOUN\n\n" * rows)
    files = mirror_index.index_mirror(tmp_path, registry.load(), usable.check)
    assert not files["udpos/test-yo.tsv"]["tasks"]["udpos"]["sample"]
    assert files["udpos/test-ta.tsv"]["tasks"]["udpos"]["sample"]


def test_a_version_that_the_task_has_not_is_refused(tmp_path, monkeypatch):
    for path in registry.FOLDER.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "benchmarks").unlink()
    (tmp_path / "benchmarks").mkdir()
    content = yaml.safe_load((registry.FOLDER / "benchmarks/xtreme.yaml").read_text())
    content["tasks"]["udpos"]["versions"] = {"UD 2.6": None}
    (tmp_path / "benchmarks/xtreme.yaml").write_text(yaml.safe_dump(content))
    monkeypatch.setattr(registry, "FOLDER", tmp_path)
    with pytest.raises(
        UserError, match=r"xtreme\.yaml: tasks\.udpos\.versions: unknown version 'UD 2\.6'; did you mean 'UD 2\.7'"
    ):
        registry.load.__wrapped__()
