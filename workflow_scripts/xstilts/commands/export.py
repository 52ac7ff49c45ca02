"""Write the scores of a study in a format of others: records of Every Eval Ever, or model cards of the hub."""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from xstilts.commands import outputs_of, read_plan
from xstilts.errors import UserError, counted
from xstilts.evaluation import every_eval_ever, exported_arms, model_card, scores
from xstilts.store import opening, study_plan

EVERY_EVAL_EVER, MODEL_CARD = "every-eval-ever", "model-card"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument(
        "study", type=Path, help="a study file, or the folder of a study's outputs, results/studies/<study>/latest"
    )
    parser.add_argument("--format", required=True, choices=(EVERY_EVAL_EVER, MODEL_CARD), help="of what is written")
    parser.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="a new folder")
    parser.add_argument("--organization", help="every-eval-ever: who trained the models and provides the results")
    parser.add_argument("--examples", action="store_true", help="every-eval-ever: a line for each example and run, too")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    to, is_card = arguments.to, arguments.format == MODEL_CARD
    if to.exists():
        raise UserError(f"{to}: it exists; name a new folder")
    if is_card and (arguments.organization or arguments.examples):
        raise UserError(f"--organization and --examples are of {EVERY_EVAL_EVER} alone; leave them out")
    if not is_card and not (arguments.organization or "").strip():
        raise UserError(f"--organization: {EVERY_EVAL_EVER} asks who provides the results; give a name")
    folder, remedy = outputs_of(arguments.study)
    if not (folder / scores.FILE).exists():
        raise UserError(f"{folder}: has no {scores.FILE}, so the study is not finished; {remedy}")
    plan, results, folder = read_plan(folder.resolve() / study_plan.FILE)
    opening.check_study(plan, results, rows=arguments.examples)
    to.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=to.parent, prefix=f".{to.name}."))
    try:
        scratch.chmod(0o755)
        now, written = time.time(), 0
        for arm in exported_arms.collect(plan, results, scores.read(folder / scores.FILE)):
            if is_card:
                written += len(model_card.write(arm, scratch))
            else:
                organization, examples = arguments.organization.strip(), arguments.examples
                written += len(every_eval_ever.write(arm, results, scratch, organization, now, examples))
        scratch.rename(to)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    sys.stdout.write(f"{to}: {counted(written, 'file')} of study {plan.study}\n")
