"""The test examples that a study will have, and what they add to the variance of a difference, before anything is run.

What is assumed (below) is of the size that was seen on XNLI, XCOPA and XQuAD in the miniature's world 4, between single
runs of the six arms of mini-small: correlations of 0.1 to 0.7 of two arms on an example, and of 0.0 to 0.1 of their
difference between its translations. Part of that is noise of runs, so it is rather too much than too little.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from xstilts.evaluation.intervals import satterthwaite
from xstilts.evaluation.outcomes import Outcome
from xstilts.evaluation.resampling import evaluation_data
from xstilts.store.study_plan import StudyPlan

# variance of the score of an example, in squared points of percent: right or wrong with even chances
VARIANCE = 100**2 / 4
# correlation of two arms on an example, and of their difference between its translations
OF_ARMS, OF_TRANSLATIONS = 0.5, 0.25
# rows of a language whose number is not known, where no other language's is either
_UNKNOWN = 1000


@dataclass(frozen=True)
class PlannedExamples:
    """The test examples of a target.

    Attributes:
        rows: examples by language.
        parallel: whether all languages have the same examples in translation.
    """

    rows: Mapping[str, int]
    parallel: bool


def planned_examples(plan: StudyPlan) -> dict[str, PlannedExamples]:
    """Return the test examples by target: as many as are published, or as the study lets through.

    A language of which nobody says how many it has is taken to have as many as the largest of the target.
    """
    found = {}
    for target in plan.targets:
        spec = evaluation_data(plan, next(cell.node for cell in plan.cells if cell.target == target))
        stated = {language: files.rows or files.published for language, files in spec.languages.items()}
        usual = max((rows for rows in stated.values() if rows is not None), default=_UNKNOWN)
        rows = {language: usual if count is None else count for language, count in stated.items()}
        limited = {language: min(count, spec.test_rows or count) for language, count in rows.items()}
        found[target] = PlannedExamples(limited, spec.parallel)
    return found


def example_variance(outcome: Outcome, examples: Mapping[str, PlannedExamples], squares: float) -> tuple[float, int]:
    """Return what examples add to the variance of a difference, in squared points, and their number.

    Arms of coefficients c_a, which sum to 0, whose scores on an example have the variance v and correlate by r in
    pairs, differ with the variance v (1 - r) sum c_a^2. A mean over n independent examples, with weight w, has w^2 / n
    of it. Where differences correlate by t between the translations of an example, languages l with weights w_l have
    (t (sum w_l)^2 + (1 - t) sum w_l^2) / n of it. The number is that of the clusters of one test set that has as many
    degrees of freedom.

    Args:
        outcome: what is compared, in percent.
        examples: the test examples by target; targets are independent.
        squares: the sum of c_a^2.
    """
    of_targets: dict[str, dict[str, float]] = {}
    for term in outcome.terms:
        weights = of_targets.setdefault(term.target, {})
        weights[term.language] = weights.get(term.language, 0.0) + term.weight
    shares: list[tuple[float, int]] = []
    for target, weights in of_targets.items():
        rows, of_languages = examples[target].rows, [weight**2 for weight in weights.values()]
        if examples[target].parallel:
            joint = OF_TRANSLATIONS * sum(weights.values()) ** 2 + (1 - OF_TRANSLATIONS) * sum(of_languages)
            number = min(rows[language] for language in weights)
            shares.append((joint / number, number))
        else:
            shares += [(weight**2 / rows[language], rows[language]) for language, weight in weights.items()]
    scale = VARIANCE * (1 - OF_ARMS) * squares
    parts = [(scale * share, float(number - 1)) for share, number in shares]
    return sum(variance for variance, _ in parts), round(satterthwaite(parts)) + 1
