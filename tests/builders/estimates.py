"""Tables of estimates made by hand."""

import math
from typing import Any

import pandas as pd
from xstilts.evaluation.estimates import COLUMNS

_USUAL: dict[str, Any] = {
    "name": "answer", "primary": True, "kind": "difference", "scale": "points", "world": math.nan,
    "budget": "equal epochs", "family": "mini", "size": "small", "recipe": "r", "model": "mini-small", "mixture": "",
    "a": "nine", "b": "best single", "outcome": "zero-shot", "target": "", "targets": 3, "languages": 4, "n": 3000,
    "clusters": 900, "runs_a": 3, "runs_b": 3, "chosen": "", "collapsed": 0, "worlds": math.nan, "runs_used": "all",
    "estimate": 1.2, "low": 0.2, "high": 2.2, "interval": "runs and examples", "standard_error": 0.5, "degrees": 8.0,
    "run_part": 0.3, "example_part": 0.4, "run_sd": 0.5, "run_variance": 0.27, "run_degrees": 4.0,
    "world_sd": math.nan, "p": 0.02, "p_holm": 0.04,
    "verdict": "higher", "detectable": 1.5, "runs_needed": math.nan, "expected": "", "emerged": "",
}  # fmt: skip
UNDECIDED = {
    "estimate": 0.4, "low": -0.9, "high": 1.7, "p": 0.4, "verdict": "undecided", "example_part": 0.2,
    "run_variance": 1.39, "run_degrees": 4.0, "runs_needed": 17.0,
}  # fmt: skip
EQUIVALENT = {"estimate": 0.1, "low": -0.6, "high": 0.8, "p": 0.7, "verdict": "equivalent"}
LOWER = {"estimate": -2.0, "low": -3.0, "high": -1.0, "verdict": "lower"}
# one run an arm: a range over examples
ONE_RUN: dict[str, Any] = {
    "runs_a": 1, "runs_b": 1, "interval": "examples only", "verdict": "", "p": math.nan, "p_holm": math.nan,
    "runs_needed": math.nan, "run_sd": math.nan,
}  # fmt: skip
LARGE = {"size": "large", "model": "mini-large"}
INTERACTION = {"kind": "interaction", "size": "", "model": ""}
LOG_ODDS = {**INTERACTION, "primary": False, "scale": "log-odds", "estimate": -0.02, "low": -0.10, "high": 0.06}
CONTRAST = {"budget": "", "family": "", "size": ""}


def estimates(*rows: dict[str, Any]) -> pd.DataFrame:
    """Return a table of estimates: rows by what differs from a small model in which nine is higher."""
    numbered = [{"row": number, **_USUAL, **row} for number, row in enumerate(rows, 1)]
    return pd.DataFrame(numbered, columns=[column.name for column in COLUMNS])
