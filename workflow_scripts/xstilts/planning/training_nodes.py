"""The nodes of models and their training: pretrained models, the intermediate phase, the stages of the target phase."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.planning import recipe as recipes
from xstilts.planning.data_nodes import DataPlanner
from xstilts.planning.mixtures import NONE, Merge, Mixture
from xstilts.planning.nodes import Frame, Node, Nodes
from xstilts.planning.registry import Registry
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import Limits, Study
from xstilts.planning.tasks import Task
from xstilts.references import in_language
from xstilts.store.sampling import Sampling
from xstilts.store.specs.base import BASE, LEARNING_RATE, MEMBER, MODEL, PREPARED, TOKENIZER, TOKENS, is_kind, role
from xstilts.store.specs.data import Content
from xstilts.store.specs.models import (
    EarlyStopping,
    IntermediateSpec,
    LearningRatesSpec,
    MergedSpec,
    Method,
    ModelSpec,
    Numerics,
    PretrainedSpec,
    Shape,
    TargetSpec,
    TaskSpec,
    TokenizerSpec,
    TrainingSpec,
)


@dataclass(frozen=True)
class Arm:
    """One combination of the study's axes: what a result is of."""

    model: str
    recipe: str
    mixture: str
    seed: int

    def name(self, *more: str, seed: bool = True) -> str:
        """Return what the study calls a node of this arm."""
        return ".".join([self.model, self.recipe, self.mixture, *([f"s{self.seed}"] if seed else []), *more])


T = TypeVar("T", bound=TrainingSpec)


@dataclass(frozen=True)
class _Training:
    """What a training and the search for its learning rate have in common.

    Attributes:
        parents: tokens and the pretrained model, as far as they are read.
        tasks: what is trained on.
        sampling: how tasks are drawn.
        phase: the recipe's phase.
        settings: those of the phase for the task, with its learning rate.
        early_stopping: None for none.
        warm_start_head: the task whose head is trained further.
        attention: the recipe's.
        grid_budget: the recipe's.
    """

    parents: Mapping[str, Node]
    tasks: Sequence[TaskSpec]
    sampling: Sampling
    phase: Mapping[str, Any]
    settings: Mapping[str, Any]
    early_stopping: EarlyStopping | None = None
    warm_start_head: str | None = None
    attention: str | None = None
    grid_budget: float | None = None


@dataclass(frozen=True)
class TrainingPlanner:
    """Plans models and trainings.

    Attributes:
        study: the study.
        registry: its models.
        indexes: what local model folders contain.
        nodes: the plan's nodes.
        data: plans what is trained on.
    """

    study: Study
    registry: Registry
    indexes: Indexes
    nodes: Nodes
    data: DataPlanner

    def model(self, name: str) -> Node:
        """Return the node of a model's weights.

        Raises:
            UserError: if it can neither be downloaded nor made, and no folder is named for it.
        """
        name = self.registry.models[name]["weights_of"] or name
        entry = self.registry.models[name]
        if name in self.indexes.models:
            files = self.indexes.models[name]
            content = Content(kind="folder", files={file: indexed["sha256"] for file, indexed in files.items()})
        elif entry["pretrained"] is not None:
            return self._pretrained(name, entry["pretrained"])
        elif entry["generated"] is not None:
            shape = dict(entry["generated"])
            made = {key: shape.pop(key) for key in ("seed", "architecture")}
            content = Content(kind="tiny", files={}, shape=shape, **made)
        elif entry["hub"] is not None and entry["revision"] is not None:
            content = Content(kind="hub", files={}, repository=entry["hub"], revision=entry["revision"])
        else:
            raise UserError(
                f"model {name}: the registry has no pinned download of it; name a folder with it in config.yaml:"
                f" model_folders: {{{name}: /path/to/folder}}"
            )
        return self.nodes.add(name, ModelSpec(**self.nodes.frame("models", {}), source=content))

    def intermediate(self, arm: Arm, mixture: Mixture, base: Node) -> Node:
        """Return the model of an arm after its intermediate phase.

        Raises:
            UserError: if it is merged from models that cannot be.
        """
        if mixture.merge is not None:
            return self._merged(arm, mixture.merge, base)
        recipe = self.study.recipes[arm.recipe]
        phase = recipe["intermediate"]
        parents: dict[str, Node] = {}
        tasks = []
        for member in mixture.tasks:
            if member.languages:
                limits = self.study.limits(member.task)
                rows = self.data.in_languages(self.data.task(member.task), member.languages, limits)
            else:
                rows = self.data.training_data(member.task, member.shuffled_labels)
            task, tokens = self._task(member.task, phase, base, rows, member.weight)
            tasks.append(task)
            parents |= {role(TOKENS, member.task): tokens, **head_parents(base, task.form)}
        rate = mixture.learning_rate(arm.model)
        settings = phase if rate is None else {**phase, "learning_rate": rate}
        stopping = recipes.early_stopping(recipe, "intermediate", settings)
        attention = recipe["attention"]
        budget = recipe["grid_budget"]
        training = _Training(
            parents, tasks, mixture.sampling, phase, settings, stopping, attention=attention, grid_budget=budget
        )
        searched = self._learning_rate(arm.name("intermediate", seed=False), arm.model, training, base)
        frame = self._frame("intermediate", base, parents | searched)
        spec = self._spec(IntermediateSpec, frame, training, arm.model, arm.seed)
        return self.nodes.add(arm.name(), spec)

    def _merged(self, arm: Arm, merge: Merge, base: Node) -> Node:
        """Return the model that those of other mixtures become, which are trained as their own arms would be."""
        recipe = self.study.recipes[arm.recipe]
        phase = recipe["intermediate"]
        method = phase["method"]["name"]
        if method in recipes.UNMERGEABLE:
            raise UserError(
                f"mixtures.{arm.mixture}: merges weights, and the intermediate phase of recipe {arm.recipe} trains a"
                f" {method} beside them; give the recipe `full` or `lora`, or {arm.model} other mixtures"
            )
        if phase["quantised"] is not None:
            raise UserError(
                f"mixtures.{arm.mixture}: merges weights, and those of the intermediate phase of recipe {arm.recipe}"
                f" are in {phase['quantised']}; leave `quantised` out there, or give {arm.model} other mixtures"
            )
        members = {
            role(MEMBER, number): self.intermediate(replace(arm, mixture=name), mixture, base)
            for number, (name, mixture) in enumerate(merge.members.items())
        }
        frame = self._frame("merged", base, members)
        numerics = self.numerics(phase, arm.model, recipe["attention"], 1)
        return self.nodes.add(arm.name(), MergedSpec(**frame, merging=merge.merging, numerics=numerics))

    def target(self, arm: Arm, stages: Sequence[str], start: Node, base: Node) -> Node:
        """Return the last of a target's training stages, each a node that starts from the one before.

        A stage of the same form with a head of the same shape trains the head of the stage before further (COPA with
        SIQA's), as XTREME-R's baseline does; every phase starts with fresh heads.

        Args:
            arm: the arm.
            stages: references of what is trained on, one after the other.
            start: the model before the phase.
            base: the pretrained model.
        """
        recipe = self.study.recipes[arm.recipe]
        phase, model = recipe["target"], start
        for index, reference in enumerate(stages):
            rows = self.data.training_data(reference)
            task, tokens = self._task(reference, phase, base, rows, weight=1.0)
            before = stages[index - 1] if index else None
            shared = before is not None and _share_head(self.data.task(before), self.data.task(reference))
            settings = recipes.settings(phase, reference, self.data.task(reference))
            training = _Training(
                {role(TOKENS, reference): tokens, **head_parents(base, task.form)},
                [task],
                Sampling(),
                phase,
                settings,
                recipes.early_stopping(recipe, "target", settings),
                before if shared else None,
                recipe["attention"],
                recipe["grid_budget"],
            )
            label = "+".join(stages[max(0, index - 1) : index + 1])
            searched: dict[str, Node] = {}
            if recipes.grid(settings):
                # for all seeds the rate that is best with the first: searched from this mixture's model, or for all
                # mixtures without an intermediate phase
                each = recipe["grid_search"] == "mixture"
                first = Arm(arm.model, arm.recipe, arm.mixture if each else NONE, self.study.seeds[0])
                mixture = self.study.mixtures[first.mixture] if each else None
                untrained = base if mixture is None else self.intermediate(first, mixture, base)
                before_stage = self.target(first, stages[:index], untrained, base)
                name = first.name(label, seed=False) if each else f"{arm.model}.{arm.recipe}.{label}"
                searched = self._learning_rate(name, arm.model, training, before_stage)
            frame = self._frame("targets", model, {**training.parents, **searched})
            spec = self._spec(TargetSpec, frame, training, arm.model, arm.seed)
            model = self.nodes.add(arm.name(label), spec)
        return model

    def few_shot(self, arm: Arm, name: str, language: str, shots: int, model: Node, base: Node) -> Node:
        """Return a target's model, trained further on a few rows of one language with the settings of its last stage.

        All rows are seen in every epoch, in batches of all of them where they are fewer than a batch. The last step is
        kept: rows to choose another one by would be more rows of the language.

        Args:
            arm: the arm, whose seed draws the rows.
            name: the target's name in the study.
            language: the language.
            shots: the number of rows.
            model: the target's model, trained in its source language.
            base: the pretrained model.
        """
        target, recipe = self.study.targets[name], self.study.recipes[arm.recipe]
        phase, last, task = recipe["target"], target.trained_on[-1], self.registry.tasks[target.task]
        settings = recipes.settings(phase, last, self.data.task(last))
        few = {"epochs": recipe["few_shot"]["epochs"], "batch_size": min(shots, settings["batch_size"])}
        settings = {**settings, **few}
        rows = self.data.few_shot_data(name, language, shots, arm.seed)
        tokens = self.data.tokens(rows, base, task.form, recipes.lengths(settings, task.form))
        reference = in_language(task.name, language)
        tasks = [_task_spec(reference, task, settings, weight=1.0)]
        parents = {role(TOKENS, reference): tokens}
        searched = model.spec.parents.get(LEARNING_RATE)
        if searched is not None:
            parents[LEARNING_RATE] = self.nodes.by_id[searched]
        training = _Training(
            parents, tasks, Sampling(), phase, settings, warm_start_head=last, attention=recipe["attention"]
        )
        spec = self._spec(TargetSpec, self._frame("targets", model, parents), training, arm.model, arm.seed)
        return self.nodes.add(arm.name(name, language, f"{shots}shots"), spec)

    def chain(self, model: Node) -> dict[str, Node]:
        """Return a model as the parent of what reads it, and where it is an adapter those below it."""
        chain = {MODEL: model}
        if isinstance(model.spec, TrainingSpec) and model.spec.method.is_adapter:
            below = model.spec.parents_of(MODEL)
            chain |= {role(MODEL, level): self.nodes.by_id[name] for level, name in enumerate(below, 1)}
        return chain

    def numerics(self, phase: Mapping[str, Any], model: str, attention: str | None, adapters: int) -> Numerics:
        """Return how a model is computed by a phase of a recipe; attention and adapters as in ``recipe.numerics``."""
        return recipes.numerics(phase, self.registry.models[model]["submodel"], attention, adapters)

    def _pretrained(self, name: str, entry: Mapping[str, Any]) -> Node:
        """Return the node of a model that is pretrained here, on the text of several languages as one task.

        Its tokens are those of its tokenizer, so that models that share it share all tokens.
        """
        text, phase = entry["text"], entry["phase"]
        lacking = [language for language in text["languages"] if language not in self.registry.languages]
        if lacking:
            raise UserError(
                f"models: {name} is made from text in {', '.join(lacking)}, which the source {self.study.source!r} has"
                " not; it needs a study with `source: miniature`"
            )
        if phase["keep"] is not None:
            raise UserError(
                f"models: {name}: pretrained.phase.keep: found {phase['keep']!r}, but pretraining always keeps its last"
                " step; leave the key out"
            )
        recipes.check_quantised(phase, f"models: {name}: pretrained.phase")
        task, limits = self.data.task(text["task"]), Limits(text["rows"], text["dev_rows"], None)
        rows = self.data.in_languages(task, text["languages"], limits)
        frame = self.nodes.frame("tokenizers", {PREPARED: rows})
        tokenizer = self.nodes.add(text["task"], TokenizerSpec(**frame, **entry["tokenizer"]))
        tokens = self.data.tokens(rows, tokenizer, task.form, recipes.lengths(phase, task.form))
        parents = {TOKENIZER: tokenizer, role(TOKENS, task.name): tokens}
        tasks = [_task_spec(task.name, task, phase, weight=1.0)]
        training = _Training(parents, tasks, Sampling(steps=entry["steps"]), phase, phase)
        frame, shape = self.nodes.frame("pretrained", parents), Shape(**entry["shape"])
        node = self.nodes.add(name, self._spec(PretrainedSpec, frame, training, name, entry["seed"], shape=shape))
        self.data.tokenizers[node.id] = tokenizer
        return node

    def _task(
        self, reference: str, phase: Mapping[str, Any], base: Node, rows: Node, weight: float
    ) -> tuple[TaskSpec, Node]:
        """Return what a training's spec says of a task, and the tokens of its rows."""
        task = self.data.task(reference)
        settings = recipes.settings(phase, reference, task)
        tokens = self.data.tokens(rows, base, task.form, recipes.lengths(settings, task.form))
        return _task_spec(reference, task, settings, weight), tokens

    def _learning_rate(self, name: str, model: str, training: _Training, start: Node) -> dict[str, Node]:
        """Return the node that finds the best of a grid of learning rates, as a parent; nothing without a grid."""
        grid = recipes.grid(training.settings)
        if grid is None:
            return {}
        frame, seed = self._frame("learning_rates", start, training.parents), self.study.seeds[0]
        # what is recorded of a training decides no learning rate
        training = replace(training, sampling=replace(training.sampling, gradient_conflict_every=None))
        budget = training.grid_budget
        spec = self._spec(LearningRatesSpec, frame, training, model, seed, learning_rates=grid, budget=budget)
        return {LEARNING_RATE: self.nodes.add(name, spec)}

    def _frame(self, stage: str, start: Node, parents: Mapping[str, Node]) -> Frame:
        return self.nodes.frame(stage, {**self.chain(start), **parents})

    def _spec(
        self,
        kind: type[T],
        frame: Frame,
        training: _Training,
        model: str,
        seed: int,
        **more: Any,
    ) -> T:
        """Return the spec of a training; ``more`` are the fields of its kind alone."""
        rate = training.settings["learning_rate"]
        # the last of the chain is no adapter, and this training adds one
        adapters = sum(is_kind(parent, MODEL) for parent in frame["parents"])
        return kind(
            **frame,
            tasks=training.tasks,
            sampling=training.sampling,
            learning_rate=None if isinstance(rate, list) else rate,
            optimisation=recipes.optimisation(training.settings),
            method=Method(**recipes.method(training.phase)),
            numerics=self.numerics(training.phase, model, training.attention, adapters),
            early_stopping=training.early_stopping,
            warm_start_head=training.warm_start_head,
            seed=seed,
            **more,
        )


def _task_spec(reference: str, task: Task, settings: Mapping[str, Any], weight: float) -> TaskSpec:
    return TaskSpec(
        task=reference,
        form=task.form,
        labels=task.labels,
        metric=task.metric,
        epochs=settings["epochs"],
        batch_size=settings["batch_size"],
        decoding=recipes.decoding(settings, task),
        scoring=task.scoring,
        weight=weight,
    )


def head_parents(base: Node, form: str) -> dict[str, Node]:
    """Return the pretrained model as a parent where its own language-model head is used."""
    return {BASE: base} if FORMS[form].pretrained_head else {}


def _share_head(first: Task, second: Task) -> bool:
    """Tell whether two tasks can share a head."""
    form = FORMS[first.form]
    same_labels = first.labels == second.labels or not form.label_head
    return first.form == second.form and not form.pretrained_head and same_labels
