"""The nodes of evaluation: predictions, vectors, and what is found by vectors."""

from collections.abc import Mapping
from dataclasses import dataclass

from xstilts.forms import FORMS
from xstilts.forms.declaration import Role
from xstilts.planning import recipe as recipes
from xstilts.planning.data_nodes import DataPlanner
from xstilts.planning.nodes import Node, Nodes
from xstilts.planning.study import Study
from xstilts.planning.tasks import Task
from xstilts.planning.training_nodes import Arm, TrainingPlanner, head_parents
from xstilts.references import in_language
from xstilts.store.specs.base import BASE, EMBEDDINGS, MODEL, PREPARED, TOKENS
from xstilts.store.specs.data import Prompt
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
            numerics=self.training.numerics(recipe["target"], arm.model, recipe["attention"], len(chain) - 1),
        )
        return self.nodes.add(label, spec)

    def can_prompt(self, name: str) -> bool:
        """Tell whether a target can be put to a language model as prompts."""
        return self.data.registry.tasks[self.study.targets[name].task].prompt is not None

    def prompted(self, arm: Arm, name: str, base: Node) -> Node:
        """Return the node with the answers of a pretrained model to a target's prompts.

        Args:
            arm: the arm.
            name: the target's name in the study.
            base: the pretrained model.
        """
        return self._prompted(arm, name, base, self.data.evaluation_data(name), "")

    def prompted_unlabelled(self, arm: Arm, name: str, base: Node) -> Node | None:
        """Return the node with those to a target's official test without labels; None without one; see ``prompted``."""
        prepared = self.data.unlabelled_data(name)
        return None if prepared is None else self._prompted(arm, name, base, prepared, ".unlabelled")

    def _prompted(self, arm: Arm, name: str, base: Node, prepared: Node, end: str) -> Node:
        """Return the node with the answers of a pretrained model; ``end`` is that of its name."""
        target, recipe = self.study.targets[name], self.study.recipes[arm.recipe]
        task = self.data.registry.tasks[target.task]
        assert task.prompt is not None
        asked, lengths = recipes.prompting(recipe, task.form, arm.seed)
        prompt = Prompt(
            context=task.prompt.context,
            answer=task.prompt.answer,
            words=_words(task.prompt.words, task),
            examples=asked.examples,
            seed=asked.seed,
        )
        tokens = self.data.prompts(prepared, base, task.form, lengths, prompt, target.trained_on[-1])
        spec = PredictionsSpec(
            **self.nodes.frame("predictions", {MODEL: base, BASE: base, TOKENS: tokens}),
            form=task.form,
            labels=task.labels,
            trained_on=None,
            decoding={},
            scoring=task.scoring,
            numerics=recipes.numerics_of_prompts(recipe, self.data.registry.models[arm.model]["submodel"]),
            prompting=asked,
        )
        return self.nodes.add(f"{arm.name(name, seed=bool(asked.examples))}{end}", spec)

    def _retrieval(self, arm: Arm, label: str, name: str, prepared: Node, checkpoint: Node, base: Node) -> Node:
        """Return the node that finds what belongs together by vectors of the texts."""
        target, recipe = self.study.targets[name], self.study.recipes[arm.recipe]
        task = self.data.registry.tasks[target.task]
        form = FORMS[task.form]
        settings = recipes.settings(recipe["target" if form.trained else "bitext"], name, task)
        tokens = self.data.tokens(prepared, base, task.form, recipes.lengths(settings, task.form))
        pooling = Pooling(head=target.trained_on[-1]) if form.trained else recipes.pooling(settings)
        chain = self.training.chain(checkpoint)
        embeddings = EmbeddingsSpec(
            **self.nodes.frame("embeddings", {**chain, TOKENS: tokens}),
            form=task.form,
            pooling=pooling,
            numerics=self.training.numerics(recipe["target"], arm.model, recipe["attention"], len(chain) - 1),
        )
        parents = {EMBEDDINGS: self.nodes.add(label, embeddings), PREPARED: prepared}
        retrieval = RetrievalSpec(
            **self.nodes.frame("retrieval", parents),
            form=task.form,
            settings=recipes.retrieval(recipe["bitext"], form),
        )
        return self.nodes.add(label, retrieval)


def _words(stated: Mapping[str, str] | None, task: Task) -> list[str] | None:
    """Return what stands for each label in an answer; None where each row has its own answers."""
    if stated is None and FORMS[task.form].of_role(Role.TEXTS, Role.ANSWERS):
        return None
    return [(stated or {}).get(label, label) for label in task.labels or ()]
