"""How many runs and test examples are behind the cells of a table, as its caption says it."""

from collections.abc import Iterable, Mapping

from xstilts.store.study_plan import StudyPlan


def counts(runs: Iterable[int], examples: Mapping[str, Iterable[int]], each: str, plan: StudyPlan) -> str:
    """Return a sentence of runs and examples, such as ``3 runs an arm; 1000 test examples a target``.

    Args:
        runs: of each arm.
        examples: test examples by target; one range for all where it is the same.
        each: of what there are so many examples: ``a target`` or ``a language``.
        plan: the study's plan.
    """
    number = _range(runs)
    of_runs = f"{number} run{'' if number == '1' else 's'} an arm{' in each world' if plan.worlds else ''}"
    by_target = {target: _range(numbers) for target, numbers in examples.items()}
    if len(set(by_target.values())) == 1:
        return f"{of_runs}; {next(iter(by_target.values()))} test examples {each}."
    listed = ", ".join(f"{target} {numbers}" for target, numbers in by_target.items())
    return f"{of_runs}; test examples {each}: {listed}."


def _range(numbers: Iterable[int]) -> str:
    ordered = sorted(numbers)
    return f"{ordered[0]}" if ordered[0] == ordered[-1] else f"{ordered[0]} to {ordered[-1]}"
