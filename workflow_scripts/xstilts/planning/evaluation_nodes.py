"""The nodes of evaluation: predictions, vectors, and what is found by vectors."""

from dataclasses import dataclass

from xstilts.forms import FORMS
from xstilts.planning import recipe as recipes
from xstilts.planning.data_nodes import DataPlanner
from xstilts.planning.nodes import Node, Nodes
from xstilts.planning.study import Study
from xstilts.planning.training_nodes import Arm, TrainingPlanner, head_parents
from xstilts.references import in_language
from xstilts.store.specs.base import EMBEDDINGS, PREPARED, TOKENS
from xstilts.store.specs.evaluation import EmbeddingsSpec, Pooling, PredictionsSpec, RetrievalSpec
from xstilts.store.study_plan import NONE


@dataclass(frozen=True)
class EvaluationPlanner:
    """Plans what answers the cells of a study.

    Attributes:
        study: the study.
        nodes: the plan's nodes.
        data: plans what is evaluated on.
        training: plans the models that are evaluated.
    """

    study: Study
    nodes: Nodes
    data: DataPlanner
    training: TrainingPlanner

    def result(self, arm: Arm, name: str, start: Node, base: Node) -> Node:
        """Return the node with the predictions of an arm for a target.

        Args:
            arm: the arm.
            name: the target's name in the study.
            start: the model after the intermediate phase.
            base: the pretrained model.
        """
        target = self.study.targets[name]
        task = self.data.registry.tasks[target.task]
        # without any training there is nothing that a seed could change
        label = arm.name(name, seed=bool(target.trained_on) or arm.mixture != NONE)
        prepared = self.data.evaluation_data(name)
        checkpoint = self.training.target(arm, target.trained_on, start, base)
        if FORMS[task.form].embedded:
            return self._retrieval(arm, label, name, prepared, checkpoint, base)
        last = target.trained_on[-1] if target.trained_on else None
        return self._predictions(arm, label, name, prepared, checkpoint, base, last)

    def few_shot(self, arm: Arm, name: str, language: str, shots: int, model: Node, base: Node) -> Node:
        """Return the node with predictions in a language after a training on a few rows of it.

        Args:
            arm: the arm.
            name: the target's name in the study.
            language: the language.
            shots: the number of rows.
            model: the target's model, trained in its source language.
            base: the pretrained model.
        """
        prepared = self.data.evaluation_in(name, language)
        checkpoint = self.training.few_shot(arm, name, language, shots, model, base)
        reference = in_language(self.study.targets[name].task, language)
        label = arm.name(name, language, f"{shots}shots")
        return self._predictions(arm, label, name, prepared, checkpoint, base, reference)

    def unlabelled(self, arm: Arm, name: str, start: Node, base: Node) -> Node | None:
        """Return the node with an arm's predictions for a target's official test without labels; None without one.

        Args:
            arm: the arm.
            name: the target's name in the study.
            start: the model after the intermediate phase.
            base: the pretrained model.
        """
        target = self.study.targets[name]
        prepared = self.data.unlabelled_data(name)
        if prepared is None:
            return None
        checkpoint = self.training.target(arm, target.trained_on, start, base)
        last = target.trained_on[-1] if target.trained_on else None
        label = f"{arm.name(name)}.unlabelled"
        return self._predictions(arm, label, name, prepared, checkpoint, base, last)

    def _predictions(
        self, arm: Arm, label: str, name: str, prepared: Node, checkpoint: Node, base: Node, trained_on: str | None
    ) -> Node:
        """Return the node with the predictions of the head that was trained on a task; None for the pretrained one."""
        target, recipe = self.study.targets[name], self.study.recipes[arm.recipe]
        task = self.data.registry.tasks[target.task]
        settings = recipes.settings(recipe["target"], name, task)
        tokens = self.data.tokens(prepared, base, task.form, recipes.lengths(settings, task.form))
        chain = self.training.chain(checkpoint)
        parents = {**chain, TOKENS: tokens, **head_parents(base, task.form)}
        spec = PredictionsSpec(
            **self.nodes.frame("predictions", parents),
            form=task.form,
            labels=task.labels,
            trained_on=trained_on,
            decoding=recipes.decoding(settings, task),
            scoring=task.scoring,
            numerics=self.training.numerics(recipe["target"], arm.model, recipe["attention"]),
        )
        return self.nodes.add(label, spec)

    def _retrieval(self, arm: Arm, label: str, name: str, prepared: Node, checkpoint: Node, base: Node) -> Node:
        """Return the node that finds what belongs together by vectors of the texts."""
        target, recipe = self.study.targets[name], self.study.recipes[arm.recipe]
        task = self.data.registry.tasks[target.task]
        form = FORMS[task.form]
        settings = recipes.settings(recipe["target" if form.trained else "bitext"], name, task)
        tokens = self.data.tokens(prepared, base, task.form, recipes.lengths(settings, task.form))
        pooling = Pooling(head=target.trained_on[-1]) if form.trained else recipes.pooling(settings)
        embeddings = EmbeddingsSpec(
            **self.nodes.frame("embeddings", {**self.training.chain(checkpoint), TOKENS: tokens}),
            form=task.form,
            pooling=pooling,
            numerics=self.training.numerics(recipe["target"], arm.model, recipe["attention"]),
        )
        parents = {EMBEDDINGS: self.nodes.add(label, embeddings), PREPARED: prepared}
        retrieval = RetrievalSpec(
            **self.nodes.frame("retrieval", parents),
            form=task.form,
            settings=recipes.retrieval(recipe["bitext"], form),
        )
        return self.nodes.add(label, retrieval)
