"""The trainings of a study: what its specs say of them, and what is known of their runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from xstilts.errors import UserError
from xstilts.evaluation.trainings import best_rates, models_behind
from xstilts.store import manifest
from xstilts.store.manifest import EvaluationResults, Run, TrainingResults
from xstilts.store.specs.base import LEARNING_RATE, TOKENS
from xstilts.store.specs.data import TokensSpec
from xstilts.store.specs.models import (
    IntermediateSpec,
    LearningRatesSpec,
    ModelSpec,
    PretrainedSpec,
    TargetSpec,
    TrainingSpec,
)
from xstilts.store.study_plan import Cell, StudyPlan

INTERMEDIATE, TARGET = "intermediate", "target"


@dataclass(frozen=True)
class Training:
    """A training of one phase.

    Attributes:
        node: its id.
        model: the study's name of the pretrained model.
        recipe: the study's name of the recipe.
        phase: INTERMEDIATE or TARGET.
        trained_on: the mixture of the intermediate phase; the training set of the target phase.
        spec: its spec.
        lengths: tokens of an instance, of each of its tasks.
        learning_rates: the peak, or the grid of which one was taken.
    """

    node: str
    model: str
    recipe: str
    phase: str
    trained_on: str
    spec: TrainingSpec
    lengths: tuple[float, ...]
    learning_rates: tuple[float, ...]


@dataclass(frozen=True)
class Trainings:
    """The trainings of a study, with what their runs left behind.

    Attributes:
        plan: the study's plan.
        results: the results folder.
    """

    plan: StudyPlan
    results: Path

    @cached_property
    def phases(self) -> list[Training]:
        """The trainings in their order, intermediate ones first; one that several recipes share, of each of them."""
        found: dict[tuple[str, str, str], Training] = {}
        for cell in self.plan.cells:
            for node in reversed(list(models_behind(self.plan, cell.node))):
                if (training := self._training(node, cell)) is not None:
                    found.setdefault((node, training.recipe, training.trained_on), training)
        return sorted(found.values(), key=lambda training: training.phase)

    @cached_property
    def pretrained(self) -> dict[str, dict[str, PretrainedSpec | ModelSpec]]:
        """The pretrained models by the study's name, each by node id: one, or one for each world."""
        found: dict[str, dict[str, PretrainedSpec | ModelSpec]] = {}
        for cell in self.plan.cells:
            for node in models_behind(self.plan, cell.node):
                spec = self.plan.nodes[node].spec
                if isinstance(spec, PretrainedSpec | ModelSpec):
                    found.setdefault(cell.model, {})[node] = spec
        return found

    @cached_property
    def runs(self) -> dict[str, Run]:
        """The training runs by node id, those whose weights were deleted too."""
        runs: dict[str, Run] = {}
        for node in dict.fromkeys(cell.node for cell in self.plan.cells):
            runs |= manifest.results_of(self.results, node, EvaluationResults).training
        return runs

    @cached_property
    def best_rates(self) -> dict[str, float]:
        """The learning rate that each search has found, by node id."""
        return best_rates(self.plan, self.results)

    @cached_property
    def grid_budgets(self) -> list[float]:
        """The budgets of the searches of learning rates that have one."""
        specs = (entry.spec for entry in self.plan.nodes.values())
        found = {spec.budget for spec in specs if isinstance(spec, LearningRatesSpec) and spec.budget is not None}
        return sorted(found)

    def rate_found(self, training: Training) -> float | None:
        """Return the learning rate that was searched for a training; None where the recipe gives it."""
        return self.best_rates.get(self.plan.nodes[training.node].parents.get(LEARNING_RATE, ""))

    def parameters(self, node: str) -> int | None:
        """Return the parameters of a model that was trained here; None where its manifest is not there any more."""
        try:
            return manifest.results_of(self.results, node, TrainingResults).parameters.get("all")
        except UserError:
            return None

    def _training(self, node: str, cell: Cell) -> Training | None:
        entry = self.plan.nodes[node]
        spec = entry.spec
        if isinstance(spec, IntermediateSpec):
            phase, trained_on = INTERMEDIATE, cell.mixture
        elif isinstance(spec, TargetSpec):
            phase, trained_on = TARGET, spec.tasks[0].task
        else:
            return None
        lengths = tuple(self._length(tokens) for tokens in spec.parents_of(TOKENS))
        rates = self._rates(spec, entry.parents)
        return Training(node, cell.model, cell.recipe, phase, trained_on, spec, lengths, rates)

    def _length(self, tokens: str) -> float:
        spec = self.plan.nodes[tokens].spec
        assert isinstance(spec, TokensSpec)
        return spec.lengths["max_length"]

    def _rates(self, spec: TrainingSpec, parents: Mapping[str, str]) -> tuple[float, ...]:
        """Return the learning rate of a training, or the grid that a parent has searched."""
        if spec.learning_rate is not None:
            return (spec.learning_rate,)
        searched = self.plan.nodes[parents[LEARNING_RATE]].spec
        assert isinstance(searched, LearningRatesSpec)
        return tuple(searched.learning_rates)
