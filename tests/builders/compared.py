"""Studies with scores by hand, and the rows of their tables of estimates."""

from xstilts.evaluation import estimates, scores, unasked, worlds
from xstilts.store.answer import Answer, Budget, Contrast, Family
from xstilts.store.study_plan import PlannedTarget

from tests.builders.predicted import Predicted, correct

XNLI = PlannedTarget("xnli", "classification", "accuracy", "en", "tiny", ("xnli",), ("mnli", "xnli"))
PAWSX = PlannedTarget("pawsx", "classification", "accuracy", "en", "tiny", ("pawsx",), ("qqp", "pawsx"))
TATOEBA = PlannedTarget("tatoeba", "bitext", "accuracy", "en", "tiny")
MIXTURES = {"none": (), "mnli": ("mnli",), "squad_v1": ("squad_v1",), "nine": ("mnli", "squad_v1", "qqp")}
ROWS = 100


def right(**languages):
    """Return answers by language of which so many percent are right."""
    return {language: correct(ROWS, percent) for language, percent in languages.items()}


def study(folder, percents, targets=None, mixtures=None, **settings):
    """Return a study without plan; scores are in percent by model and mixture, a list with the score of each seed."""
    made = Predicted(folder, targets or {"xnli": XNLI}, mixtures or MIXTURES, **settings)
    for arm, of_seeds in percents.items():
        for seed, percent in enumerate(of_seeds, start=1):
            for target, entry in made.targets.items():
                made.add(arm, seed, target, right(en=90, de=percent), 50.0 if entry.trained_on else None)
    return made


def answer(single="mnli", singles=("mnli",), families=None, **changes):
    budget = Budget(multi="nine", single=single, singles=tuple(singles))
    families = families or {"f": Family(small="s", large=None)}
    return Answer(**{"budgets": {"equal epochs": budget}, "families": families, "recipes": ("r",)} | changes)


def collect(made, unasked_names=(), **changes):
    """Return the table of estimates, of what nothing asks for only that of these names."""
    frame = estimates.collect(made.plan(**changes), made.results)
    assert estimates.TABLE.problem(frame) is None
    assert frame["row"].tolist() == list(range(1, len(frame) + 1))
    return frame[~unasked.is_unasked(frame) | frame["name"].isin(unasked_names)]


def contrast(made, *pair, axis="mixture", **settings):
    return collect(made, contrasts={"gain": Contrast(axis, pair, **settings)})


def analysed(made, module, **changes):
    """Return the table of an analysis, and the table of estimates that it is made from."""
    plan = made.plan(**changes)
    compared = worlds.collect(plan, made.results)
    frame = module.collect(plan, made.results, compared, scores.collect(plan, made.results))
    assert module.TABLE.problem(frame) is None, module.TABLE.problem(frame)
    assert [column.name for column in module.COLUMNS] == list(frame.columns)
    return frame, compared


def only(frame, **values):
    """Return the one row with these values."""
    for name, value in values.items():
        frame = frame[frame[name] == value]
    (row,) = frame.to_dict("records")
    return row
