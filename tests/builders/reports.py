"""Plans of studies by hand, for what is made from their scores."""

from typing import Any

from xstilts.store.study_plan import FigureOptions, StudyPlan


def study_plan(**differences: Any) -> StudyPlan:
    """Return the plan of a study without anything, but for some of it."""
    empty: dict[str, Any] = {
        "study": "test", "description": "A test.", "made_up": False, "figures": FigureOptions("vlag", 7), "targets": {},
        "benchmark": None, "tables": ("main",), "swept": False, "contrasts": {}, "distance": {}, "mixtures": {},
        "notes": (), "cells": (), "nodes": {},
    }  # fmt: skip
    return StudyPlan(**{**empty, **differences})
