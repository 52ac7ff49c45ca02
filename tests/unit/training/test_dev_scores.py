"""Scores on dev rows as one number."""

from dataclasses import replace

from xstilts.training.dev_scores import macro_score

from tests.builders.models import task_of


def test_models_are_compared_by_the_mean_of_headline_metrics():
    """Each task counts once; a loss counts only where there are no percents, and less of it is better."""
    tasks = [
        replace(task_of(form, name), metric=metric)
        for form, name, metric in [
            ("classification", "mnli", "accuracy"), ("span", "squad_v1", "f1"), ("mlm", "text", "loss"),
        ]
    ]  # fmt: skip
    scores = {
        "mnli": {"accuracy": 50.0, "macro_f1": 1.0},
        "squad_v1": {"f1": 20.0, "exact_match": 2.0},
        "text": {"loss": 3.0},
    }
    assert macro_score(tasks, scores) == 35.0
    assert macro_score(tasks[:1], scores) == 50.0
    assert macro_score(tasks[2:], scores) == -3.0
