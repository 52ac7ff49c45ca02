"""Plans of studies made by hand, as plan.json has them."""

from collections.abc import Mapping
from typing import Any

from xstilts.reporting.figures.options import as_text, of_figure
from xstilts.store.figures import FIGURES
from xstilts.store.study_plan import FigureOptions, PlannedNode, PlannedTarget, StudyPlan

XNLI = PlannedTarget("xnli", "classification", "accuracy", "en", "tiny")


def planned(*names: str, **spec: Any) -> PlannedNode:
    """Return a node by the study's names for it and some keys of its spec."""
    return PlannedNode("", names, {"parents": {}, **spec})


def study_plan(nodes: Mapping[str, PlannedNode] | None = None, **changes: Any) -> StudyPlan:
    """Return a plan with these nodes, without cells, with other values for some keys."""
    usual: dict[str, Any] = {
        "study": "test",
        "description": "",
        "made_up": False,
        "figures": FigureOptions(),
        "targets": {"xnli": XNLI},
        "benchmark": None,
        "tables": ("main", "by_language"),
        "swept": False,
        "contrasts": {},
        "answer": None,
        "claims": {},
        "distance": {},
        "mixtures": {},
        "notes": (),
        "cells": (),
    }
    return StudyPlan(**usual | changes, nodes=nodes or {})


def figure_commands() -> list[list[str]]:
    """Return the commands that draw all figures, with the usual options, but for the path of the plan."""
    return [["figure", name, "--options", as_text(of_figure(FigureOptions(), name))] for name in FIGURES]
