"""The table of scores: what is called official and what a sample, under a benchmark in its version of the data."""

import pandas as pd
import pytest
from xstilts.evaluation import predictions, scores
from xstilts.forms import tagging
from xstilts.planning import registry
from xstilts.store import manifest
from xstilts.store.manifest import EvaluatedSplit, EvaluationResults
from xstilts.store.specs.evaluation import PredictionsSpec
from xstilts.store.study_plan import Cell, PlannedTarget

from tests.builders.models import numerics
from tests.builders.study_plans import study_plan

NODE = "predictions/x-00000000"


def collected(results, rows: int, sample: bool, benchmark: str | None, language: str = "yo") -> dict[str, bool]:
    """Return what the scores of UDPOS in a language are called."""
    prepared = [
        {"example_id": str(n), "cluster_id": str(n), "language": language, "split": "test"} for n in range(rows)
    ]
    frame = predictions.frame_of(tagging, prepared, ["NOUN"] * rows, ["NOUN"] * rows, None)
    (results / NODE).mkdir(parents=True)
    predictions.write(frame, results / NODE / predictions.FILE)
    spec = PredictionsSpec(
        version=1, parents={}, form="tagging", labels=["NOUN"], trained_on="udpos", decoding={}, scoring=None,
        numerics=numerics(),
    )  # fmt: skip
    split = EvaluatedSplit(split="test", official=True, sample=sample)
    stated = EvaluationResults(fingerprint={}, training={}, collapsed=False, splits={language: split})
    (results / NODE / "manifest.json").write_text(manifest.text(spec, {}, stated))
    plan = study_plan(
        targets={"udpos": PlannedTarget("udpos", "tagging", "f1", "en", "mirror")},
        cells=(Cell("m", "r", "full", "none", 1, "udpos", NODE),),
        benchmark=registry.load().benchmarks[benchmark] if benchmark else None,
    )
    row = pd.DataFrame(scores.collect(plan, results)).iloc[0]
    return {name: bool(row[name]) for name in ("official", "sample")}


@pytest.mark.parametrize(
    ("rows", "sample", "benchmark", "official", "is_sample"),
    [
        # made before versions were known, a genuine file of XTREME is in the books as a sample of the later version
        (100, True, "xtreme", True, False),
        (100, False, "xtreme_r", True, False),
        (318, False, "xtreme", False, False),
        (318, False, None, True, False),
        (24, True, "xtreme", True, True),
        (24, True, None, True, True),
    ],
)
def test_official_is_what_the_benchmark_has(tmp_path, rows, sample, benchmark, official, is_sample):
    assert collected(tmp_path, rows, sample, benchmark) == {"official": official, "sample": is_sample}


@pytest.mark.parametrize(
    ("language", "benchmark", "official"),
    [
        # Greek's 456 rows are those of UD 2.7; how many XTREME's version has is not known
        ("el", "xtreme", False),
        ("el", None, True),
        # Polish is in XTREME-R alone, of the version that the data is of
        ("pl", "xtreme_r", True),
    ],
)
def test_what_may_be_of_another_version_is_not_called_official(tmp_path, language, benchmark, official):
    assert collected(tmp_path, 456, False, benchmark, language)["official"] == official
