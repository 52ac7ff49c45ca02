"""Whatever stands in a study, in config.yaml, in the registry: it is planned or refused in one line; never a traceback.

``make test`` has a few examples of each, always the same; ``make test-all`` more, other ones each time.
"""

import copy
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as draw
from xstilts import schema, yaml_core
from xstilts.errors import UserError
from xstilts.planning import feasibility, registry
from xstilts.planning.plan import make_plan
from xstilts.planning.settings import from_config
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import read_study
from xstilts.store import study_plan

from tests.builders.hostile import changed, ends
from tests.builders.projects import ROOT

# small studies, and those that are shipped
SMALL = sorted((ROOT / "tests/studies").glob("*.yaml"))
STUDIES = [*SMALL, *sorted((ROOT / "studies").glob("*.yaml"))]
# files of the registry that are as they were, checked
CHECKED: dict[str, Any] = {}
# each with what `make test` and `make test-all` do
FEW = settings(max_examples=25, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
MANY = settings(FEW, max_examples=1000, derandomize=False)


@contextmanager
def refused_in_one_line():
    """Let what is refused be refused."""
    with ends():
        try:
            yield
        except UserError as error:
            assert len(str(error).splitlines()) == 1 and len(str(error)) < 2500, str(error)


@cache
def content_of(path: Path):
    return yaml_core.load(path.read_text(encoding="utf-8"))


def written(folder: Path, content) -> Path:
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def plan(path: Path, entries: registry.Registry) -> None:
    """Do what every command does that reads a study."""
    study = read_study(path, entries)
    indexes = Indexes({}, {})
    made = make_plan(study, entries, indexes)
    feasibility.check(made, entries, indexes, str(path))
    study_plan.text(made.study_plan)


def check_study(data, folder: Path, studies: list[Path]) -> None:
    content = changed(content_of(data.draw(draw.sampled_from(studies))), data)
    with refused_in_one_line():
        plan(written(folder, content), registry.load())


def check_config(data, folder: Path, studies: list[Path]) -> None:
    content = changed(
        {
            **content_of(ROOT / "config.yaml"),
            "registries": [str(folder)],
            "max_tokens_per_device": 64,
            "gpu_type": "h100",
        },
        data,
    )
    with refused_in_one_line():
        if isinstance(content, dict):  # as Snakemake gives it
            from_config(content)


def check_registry(data, folder: Path, studies: list[Path]) -> None:
    """Plan a study with one file of the registry changed."""
    path = data.draw(draw.sampled_from(sorted(schema.REGISTRY.rglob("*.yaml"))))
    content, check = changed(content_of(path), data), schema.check

    def check_once(value, name: str, file: str, choices=MappingProxyType({})):
        if file.startswith(str(path)):
            return check(value, name, file, choices)
        if file not in CHECKED:
            CHECKED[file] = check(value, name, file, choices)
        return copy.deepcopy(CHECKED[file])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "read_yaml", lambda asked: content if asked == path else content_of(asked))
        patch.setattr(schema, "check", check_once)
        with refused_in_one_line():
            entries = registry.load.__wrapped__()
            patch.undo()
            plan(data.draw(draw.sampled_from(studies)), entries)


def check_text(data, folder: Path, studies: list[Path]) -> None:
    """Read a file with some of its characters replaced by those that mean something to YAML."""
    text = data.draw(draw.sampled_from(studies)).read_text(encoding="utf-8")
    for _ in range(data.draw(draw.integers(1, 5))):
        place = data.draw(draw.integers(0, len(text)))
        length = data.draw(draw.integers(0, 3))
        text = (
            text[:place]
            + data.draw(draw.text("[]{}&*!|>%@`'\"#,:?-~<=0x1e.\n\t \0é", max_size=4))
            + text[place + length :]
        )
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    with refused_in_one_line():
        plan(path, registry.load())


CHECKS = {"study": check_study, "config": check_config, "registry": check_registry, "text": check_text}


@pytest.mark.parametrize("kind", CHECKS)
def test_few(kind, tmp_path):
    FEW(given(draw.data())(lambda data: CHECKS[kind](data, tmp_path, SMALL)))()


@pytest.mark.long
@pytest.mark.parametrize("kind", CHECKS)
def test_many(kind, tmp_path):
    MANY(given(draw.data())(lambda data: CHECKS[kind](data, tmp_path, STUDIES)))()
