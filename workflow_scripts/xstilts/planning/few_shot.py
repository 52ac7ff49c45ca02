"""Few-shot cells: the results of a target's languages after a training on a few rows of each.

Which languages of a target have them is the same for every arm and number of rows, so that arms and numbers are
compared over the same languages.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from xstilts.forms import FORMS
from xstilts.planning.data_nodes import DataPlanner
from xstilts.planning.evaluation_nodes import EvaluationPlanner
from xstilts.planning.nodes import Node
from xstilts.planning.study import Study
from xstilts.planning.training_nodes import Arm
from xstilts.store.study_plan import Cell, FewShotCell

# what every note on a target, or on its languages, says
NO_RESULTS = "no few-shot results"


def languages(study: Study, data: DataPlanner, notes: list[str]) -> dict[str, list[str]]:
    """Return by target the languages that have rows for every number of shots; notes say which others are left out.

    Args:
        study: the study.
        data: plans its data.
        notes: for the user, which this adds to.
    """
    found: dict[str, list[str]] = {}
    for name, target in study.targets.items() if study.shots else ():
        form = FORMS[data.registry.tasks[target.task].form]
        if not target.trained_on or form.embedded or form.pretrained_head:
            why = "its answers are found by vectors" if form.embedded else "its head is the pretrained one"
            notes.append(f"{name}: {NO_RESULTS}, for {why}")
            continue
        others = [language for language in data.evaluated[name] if language != target.language]
        rows = {language: data.few_shot_rows(name, language) for language in others}
        short = {language: there for language, there in rows.items() if there is None or there < study.shots[-1]}
        found[name] = [language for language in others if language not in short]
        if short:
            counts = ", ".join(f"{code} ({'unknown' if there is None else there})" for code, there in short.items())
            notes.append(
                f"{name}: {NO_RESULTS} in languages with fewer than {study.shots[-1]} rows, or of which nobody"
                f" states how many: {counts}"
            )
    return found


def cells(
    cell: Cell, arm: Arm, languages: Sequence[str], start: Node, base: Node, evaluation: EvaluationPlanner
) -> Iterator[FewShotCell]:
    """Yield the few-shot cells of an arm for a target, one for each language and number of rows.

    Args:
        cell: the arm's zero-shot cell.
        arm: the arm.
        languages: those of the target that have rows.
        start: the model after the intermediate phase.
        base: the pretrained model.
        evaluation: plans what answers a cell.
    """
    study = evaluation.study
    if not languages:
        return
    model = evaluation.training.target(arm, study.targets[cell.target].trained_on, start, base)
    for language in languages:
        for shots in study.shots:
            node = evaluation.few_shot(arm, cell.target, language, shots, model, base)
            yield FewShotCell(language=language, shots=shots, cell=replace(cell, node=node.id))
