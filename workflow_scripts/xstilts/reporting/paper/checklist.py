"""Answers to sections B and C of the Responsible NLP checklist of ACL Rolling Review, from what a study left behind.

What no file of a study can answer is left to its authors, and says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

from xstilts.reporting.paper import cost, data, methods, statistics
from xstilts.reporting.paper.cost import Cost
from xstilts.reporting.paper.prose import Cite, Sentence, in_latex, in_markdown, listed, semicolons
from xstilts.reporting.paper.settings import number
from xstilts.reporting.paper.trainings import Trainings
from xstilts.reporting.paper.works import Works
from xstilts.store.documentation import Registered
from xstilts.store.specs.data import EvaluationDataSpec
from xstilts.store.specs.models import PretrainedSpec, TokenizerSpec
from xstilts.store.study_plan import StudyPlan

# packages with which tables and figures are made, beside those that nodes were made with
_OUTPUTS = ("numpy", "pandas", "scipy", "matplotlib", "seaborn", "snakemake")
_AUTHORS = "To be answered by the authors: "


@dataclass(frozen=True)
class Item:
    """A question of the checklist and its answer."""

    number: str
    question: str
    answer: tuple[Sentence, ...]


def items(trainings: Trainings, spent: Cost, works: Works) -> list[Item]:
    """Return questions and answers.

    Args:
        trainings: of the study.
        spent: what the study has cost.
        works: what the plan has of the registry.
    """
    return [
        Item("B1", "Did you cite the creators of the artifacts that you used?", (_creators(trainings, spent, works),)),
        Item("B2", "Did you discuss the licence or terms of use?", tuple(_licences(trainings, spent, works))),
        Item(
            "B3",
            "Is the use consistent with the intended use?",
            ((f"{_AUTHORS}whether training and evaluating models for this study agrees with the licences above.",),),
        ),
        Item(
            "B4",
            "Did you check whether the data name or identify individual people, or are offensive?",
            (_individuals(trainings),),
        ),
        Item(
            "B5", "Did you document the artifacts, such as domains and languages?", tuple(_documented(trainings, works))
        ),
        Item("B6", "Did you report the number of examples and the splits?", (("Yes: ", methods.DATA, "."),)),
        Item(
            "C1",
            "Did you report the number of parameters, the computational budget and the infrastructure?",
            (*_parameters(trainings, works), (cost.budget(spent),)),
        ),
        Item("C2", "Did you discuss the setup, with the search of hyperparameters?", tuple(_setup(trainings))),
        Item(
            "C3",
            "Did you report descriptive statistics, and whether they are of one run or a mean?",
            (
                statistics.runs(trainings.plan),
                ("Scores are means over these runs; captions state intervals, runs and numbers of test examples.",),
            ),
        ),
        Item("C4", "Did you report the packages that you used, and their versions?", tuple(_packages(spent, works))),
    ]


def latex(found: Iterable[Item]) -> str:
    """Return the checklist as LaTeX: a list of questions with answers."""
    lines = [
        rf"\item[{item.number}] \emph{{{in_latex([(item.question,)])}}}" + f"\n{in_latex(item.answer)}"
        for item in found
    ]
    return "\n".join([r"\begin{description}", *lines, r"\end{description}", ""])


def markdown(found: Iterable[Item]) -> str:
    """Return the checklist as Markdown."""
    return "\n".join(f"**{item.number}. {item.question}**\n\n{in_markdown(item.answer)}\n" for item in found)


def cited(found: Iterable[Item]) -> list[Sentence]:
    """Return all sentences of the answers."""
    return [sentence for item in found for sentence in item.answer]


def _artifacts(trainings: Trainings, works: Works) -> list[tuple[str, Registered]]:
    """Return data sets and models that the study uses, by the name that papers call them."""
    plan = trainings.plan
    tasks = [spec.task for spec in data.used(plan).values()]
    names = [(works.task(task).title, works.task(task)) for task in dict.fromkeys(tasks)]
    return [*names, *((name, works.models[name]) for name in trainings.pretrained)]


def _creators(trainings: Trainings, spent: Cost, works: Works) -> Sentence:
    plan = trainings.plan
    entries = [*_artifacts(trainings, works), *_software(trainings, spent, works)]
    if plan.benchmark is not None:
        entries.append((plan.benchmark.title, works.benchmarks[plan.benchmark.name]))
    head = "The data are made up; what they are made after is cited: " if _all_made_up(plan) else "Yes: "
    return (head, *listed([(name, Cite(entry.bibtex)) for name, entry in entries]), ".")


def _licences(trainings: Trainings, spent: Cost, works: Works) -> list[Sentence]:
    plan = trainings.plan
    of_data = {works.task(spec.task).title: data.licence(plan, node, works) for node, spec in data.used(plan).items()}
    of_models = {name: works.models[name].licence for name in trainings.pretrained}
    of_software = {name: entry.licence for name, entry in _software(trainings, spent, works)}
    return [
        (f"{kind}: ", *semicolons([(f"{name}, {licence or 'not stated'}",) for name, licence in licences.items()]), ".")
        for kind, licences in (("Data", of_data), ("Models", of_models), ("Software", of_software))
        if licences
    ]


def _all_made_up(plan: StudyPlan) -> bool:
    return all(data.is_made_up(plan, node) for node in data.used(plan))


def _individuals(trainings: Trainings) -> Sentence:
    if _all_made_up(trainings.plan):
        return ("All data are made up from rules; the people in them do not exist.",)
    return (
        f"The data are used as published: nothing was looked for and nothing removed. {_AUTHORS}what is known of them.",
    )


def _documented(trainings: Trainings, works: Works) -> list[Sentence]:
    evaluated = [spec for spec in data.used(trainings.plan).values() if isinstance(spec, EvaluationDataSpec)]
    codes = sorted({code for spec in evaluated for code in spec.languages})
    return [
        ("Evaluation is in ", *listed([(works.language(code),) for code in codes]), "."),
        (f"{_AUTHORS}domains, phenomena and groups of people.",),
    ]


def _parameters(trainings: Trainings, works: Works) -> list[Sentence]:
    sizes = []
    for name, made in trainings.pretrained.items():
        node, spec = next(iter(made.items()))
        count = trainings.parameters(node) if isinstance(spec, PretrainedSpec) else works.models[name].parameters
        sizes.append((f"`{name}`, " + (f"{count:,}" if count else "not known"),))
    return [("Parameters: ", *semicolons(sizes), ".")] if sizes else []


def _setup(trainings: Trainings) -> list[Sentence]:
    searched = {training.learning_rates for training in trainings.phases if len(training.learning_rates) > 1}
    if not searched:
        said = "No hyperparameter was searched within the study."
    else:
        grids = " and ".join(", ".join(map(number, grid)) for grid in sorted(searched))
        best = ", ".join(map(number, sorted(set(trainings.best_rates.values()))))
        said = f"Of the learning rates {grids} the best on dev rows was taken: {best}."
    where: list[Sentence] = [("All settings stand in ", methods.SETTINGS, ".")] if trainings.phases else []
    return [(said,), *where, (f"{_AUTHORS}how other settings were chosen.",)]


def _software(trainings: Trainings, spent: Cost, works: Works) -> list[tuple[str, Registered]]:
    """Return the software that the study used and the registry has."""
    used = {"xstilts", *_OUTPUTS, *spent.versions, *_libraries(trainings)}
    return [(tool.title, tool) for name, tool in works.tools.items() if name in used]


def _libraries(trainings: Trainings) -> list[str]:
    """Return the libraries whose versions no node states, by what they do in a study."""
    tokenizers = any(isinstance(entry.spec, TokenizerSpec) for entry in trainings.plan.nodes.values())
    adapters = any(training.spec.method.is_adapter for training in trainings.phases)
    return ["sentencepiece"] * tokenizers + ["peft"] * adapters


def _packages(spent: Cost, works: Works) -> list[Sentence]:
    outputs = ", ".join(f"{package} {metadata.version(package)}" for package in _OUTPUTS)
    made: list[Sentence] = (
        [(f"Data, models and predictions were made with {cost.versions(spent)}.",)] if spent.versions else []
    )
    commits = f" (commit {', '.join(sorted(commit[:12] for commit in spent.commits))})" if spent.commits else ""
    return [
        *made,
        (f"Statistics, tables and figures were made with {outputs}.",),
        (f"Metrics are computed by xstilts itself{commits}", Cite(works.tools["xstilts"].bibtex), "."),
    ]
