"""Compute all scores of a study from its predictions, and those of its few-shot results."""

import argparse

from xstilts.commands import add_study_arguments, read_plan
from xstilts.evaluation import few_shot, scores
from xstilts.store import opening
from xstilts.store.study_plan import point_latest

add_arguments = add_study_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    plan, results, folder = read_plan(arguments.plan)
    opening.check_study(plan, results)
    if plan.few_shot:
        few_shot.write(few_shot.collect(plan, results), folder / few_shot.FILE)
    scores.write(scores.collect(plan, results), folder / scores.FILE)
    point_latest(folder)
