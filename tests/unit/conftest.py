"""Models and tokenizers that tests of several rooms share, made once."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from xstilts.data import usable
from xstilts.data.sources import Place, tiny
from xstilts.planning import mirror_index, registry
from xstilts.planning.plan import make_plan
from xstilts.planning.sourcing import Indexes
from xstilts.tokenization.tokenizer import ModelTokenizer

from benchmarks import false_alarms
from tests.builders.families import FAMILIES, write
from tests.builders.lengths import made_up_mnli, made_up_squad, real_mnli, real_squad
from tests.builders.mirrors import Mirror, filled_mirror
from tests.builders.models import LENGTHS, MODELS, TRAINED, rows_of, split_of
from tests.builders.plans import study_of, tiny_model

# the models are so small that several threads only wait for each other
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory) -> Path:
    """A random encoder of XLM-R's architecture with its language-model head."""
    folder = tmp_path_factory.mktemp("model")
    tiny.fetch_model(tiny_model(), folder, Place(None, True))
    return folder


@pytest.fixture(scope="session")
def tokenizer(model_folder) -> ModelTokenizer:
    return ModelTokenizer(model_folder)


@pytest.fixture(scope="session")
def real_tokenizer() -> ModelTokenizer:
    """The tokenizer of a real model, where there is one."""
    folder = os.environ.get("XSTILTS_TOKENIZER") or os.environ.get("XSTILTS_MODEL")
    if not folder:
        pytest.skip("neither XSTILTS_TOKENIZER nor XSTILTS_MODEL is set: no real tokenizer on this machine")
    return ModelTokenizer(Path(folder))


@pytest.fixture(scope="session")
def families(tmp_path_factory) -> dict[str, Path]:
    """The folders of tiny models of every family, by the names of ``MODELS``."""
    folders = {family: tmp_path_factory.mktemp(family) for family in FAMILIES}
    for family, folder in folders.items():
        write(family, folder)
    return {**folders, "mt5-encoder": folders["mt5"]}


@pytest.fixture(scope="session")
def family_splits(families, tmp_path_factory):
    """The rows of every form and their tokens, by model and form."""
    folder = tmp_path_factory.mktemp("splits")
    tokenizers = {name: ModelTokenizer(families[name]) for name in MODELS}
    return {
        (name, form): split_of(form, rows_of(form), tokenizers[name], folder / f"{form}.parquet", **LENGTHS)
        for name in MODELS
        for form in TRAINED
    }


@pytest.fixture(scope="session")
def false_alarm_shares():
    """The shares of false alarms in the committed runs; and with one pool for all arms with an intermediate phase."""
    runs = pd.read_parquet(false_alarms.RUNS)
    return false_alarms.alarms(runs), false_alarms.alarms(false_alarms.with_one_pool(runs))


@pytest.fixture
def raw(tmp_path) -> Mirror:
    """A mirror without files."""
    return Mirror(tmp_path)


@pytest.fixture
def filled(tmp_path) -> Mirror:
    """A mirror with made-up files of several tasks, and a study on them."""
    return filled_mirror(tmp_path)


@pytest.fixture(scope="session")
def real_text(mirror, tmp_path_factory):
    """The plan of a study on real data, and the index of these."""
    entries = registry.load()
    files = mirror_index.index_mirror(mirror, entries, usable.check)
    study = {
        "description": "A test.", "source": "mirror", "models": ["tiny"], "mixtures": ["squad_v1"], "seeds": [1],
        "targets": {"xnli": {"split": "dev"}, "xquad": None}, "languages": ["en", "de", "hi", "sw", "tr", "zh"],
        "limits": {"train_rows": 1500, "dev_rows": 150, "test_rows": 200},
    }  # fmt: skip
    return make_plan(study_of(tmp_path_factory.mktemp("real_text"), study, entries), entries, Indexes(files)), files


@pytest.fixture(params=["made-up MNLI", "made-up SQuAD", "MNLI", "SQuAD"], scope="session")
def lengths(request) -> np.ndarray:
    """Tokens of each training instance of a data set."""
    task = request.param.removeprefix("made-up ")
    if task != request.param:
        return {"MNLI": made_up_mnli, "SQuAD": made_up_squad}[task](np.random.default_rng(0))
    return {"MNLI": real_mnli, "SQuAD": real_squad}[task](request.getfixturevalue("mirror"))
