"""Settings of the machine: paths, the environment, and what is refused."""

from pathlib import Path

import pytest
from xstilts import schema
from xstilts.errors import UserError
from xstilts.planning.settings import from_config, local

from tests.builders.projects import ROOT


def test_config_that_is_a_list(tmp_path, monkeypatch):
    (tmp_path / "config.yaml").write_text("- a\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="config.yaml: must be keys with values"):
        local()


def test_study_of_the_shipped_settings(monkeypatch):
    """The one that needs nothing but this checkout, unless the environment names another."""
    monkeypatch.delenv("XSTILTS_STUDY", raising=False)
    shipped = schema.read_yaml(ROOT / "config.yaml")
    assert local(shipped).study == from_config({}).study == Path("studies/miniature.yaml")
    assert local({**shipped, "study": "mine.yaml"}).study == Path("mine.yaml")
    monkeypatch.setenv("XSTILTS_STUDY", "other.yaml")
    assert local(shipped).study == Path("other.yaml")


def test_bad_config():
    with pytest.raises(UserError, match=r"keep_model: unknown key; did you mean 'keep_models'\?"):
        from_config({"study": "a.yaml", "keep_model": "all"})
    with pytest.raises(UserError, match="model_folders: unknown model 'xlmr'"):
        from_config({"study": "a.yaml", "model_folders": {"xlmr": "folder"}})


def test_how_a_training_is_kept_safe():
    settings = from_config({})
    assert (settings.checkpoint_seconds, settings.reproducible_kernels) == (600, False)
    settings = from_config({"checkpoint_seconds": 60, "reproducible_kernels": True})
    assert (settings.checkpoint_seconds, settings.reproducible_kernels) == (60, True)
    with pytest.raises(UserError, match="checkpoint_seconds: must be >= 1, found 0"):
        from_config({"checkpoint_seconds": 0})


def test_environment_in_config(monkeypatch):
    monkeypatch.setenv("XSTILTS_MIRROR", "somewhere")
    monkeypatch.delenv("XSTILTS_MODEL", raising=False)
    config = {"study": "a.yaml", "mirror": "$XSTILTS_MIRROR", "model_folders": {"tiny": "$XSTILTS_MODEL"}}
    settings = from_config(config)
    assert settings.mirror == Path("somewhere")
    assert settings.model_folders == {}


def test_paths_in_the_machine_settings(monkeypatch, tmp_path):
    monkeypatch.setenv("SCRATCH_HERE", str(tmp_path))
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.delenv("NOT_SET", raising=False)
    settings = from_config({"results": "$SCRATCH_HERE/made", "mirror": "~/raw"})
    assert (settings.results, settings.mirror) == (tmp_path / "made", Path("/home/somebody/raw"))
    assert from_config({"mirror": "$NOT_SET"}).mirror is None
    with pytest.raises(UserError, match=r"'\$NOT_SET/raw': names an environment variable that is not set"):
        from_config({"mirror": "$NOT_SET/raw"})
    for path in ("results/{node}", "results\n", "a\0b"):
        with pytest.raises(UserError, match="results: .* is not of the form a path without control characters"):
            from_config({"results": path})
    with pytest.raises(UserError, match=r"study: 'a\\nb' is not of the form a path without control characters"):
        from_config({"study": "a\nb"})
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="results: .*/file is a file, not a folder"):
        from_config({"results": str(tmp_path / "file")})
